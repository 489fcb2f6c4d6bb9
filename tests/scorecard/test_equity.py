"""Customer equity: sums of scores, as sure as customers and parameters let it be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, HabitueError, SchemaError, SettingsError
from habitue.models.clv_distribution import CLVDistribution
from habitue.records import CustomerLog
from habitue.scorecard import Scorecard, scorecard

END = "1998-03-31"


@pytest.fixture(scope="module")
def log() -> CustomerLog:
    return hb.datasets.cdnow(sample=True)


@pytest.fixture(scope="module")
def value(log: CustomerLog) -> CLVDistribution:
    X = hb.take_snapshot(log, hb.Window(END, horizon=91)).X
    purchases = hb.BGNBD().fit(X)
    return hb.clv_distribution(purchases, hb.GammaGamma().fit(X), X, horizon=91, n_draws=400, random_state=0)


def as_scores(customers: pd.DataFrame) -> pd.DataFrame:
    names = {"mean": "clv", "lower": "clv_lower", "upper": "clv_upper"}
    return customers[list(names)].rename(columns=names)


def card(log: CustomerLog, scores: pd.DataFrame, **more: object) -> Scorecard:
    return scorecard(log, start="1997-12-31", end=END, by=("cohort",), cohort="month", scores=scores, **more)  # type: ignore[arg-type]


def test_equity_is_the_sum_and_clv_the_mean(log: CustomerLog, value: CLVDistribution) -> None:
    scores = as_scores(value.customers)
    told = card(log, scores)
    equity, clv = told.measure("customer_equity"), told.measure("clv")
    assert equity.value == pytest.approx(scores["clv"].sum())
    assert clv.value == pytest.approx(scores["clv"].mean())
    assert equity.n == clv.n == len(scores)
    assert (clv.lower * clv.n, clv.upper * clv.n) == pytest.approx((equity.lower, equity.upper))
    cohorts = told.frame.query("measure == 'customer_equity' and by == 'cohort'")
    assert cohorts["value"].sum() == pytest.approx(equity.value)
    assert cohorts["n"].sum() == equity.n


def test_draws_of_the_total_say_how_sure_it_is(log: CustomerLog, value: CLVDistribution) -> None:
    scores, total = as_scores(value.customers), value.total
    told = card(log, scores, equity_draws=total).measure("customer_equity")
    lower, upper = np.quantile(total, [0.025, 0.975], method="weibull")
    assert told.upper - told.lower == pytest.approx(upper - lower)
    assert told.lower < told.value < told.upper
    # Draws that stray more, as where parameters are uncertain, widen every cohort too.
    wide = total.mean() + 5.0 * (total - total.mean())
    cohort = {"by": "cohort", "group": "1997-01"}
    plain, shared = (
        card(log, scores, equity_draws=draws).measure("customer_equity", **cohort) for draws in (total, wide)
    )
    assert shared.upper - shared.lower > plain.upper - plain.lower
    assert "posterior" in shared.note


def test_without_ends_there_is_no_interval(log: CustomerLog, value: CLVDistribution) -> None:
    scores = as_scores(value.customers)[["clv"]]
    told = card(log, scores.reset_index()).measure("clv")
    assert np.isnan([told.lower, told.upper]).all()
    assert "no interval" in told.note


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (lambda scores: scores.drop(columns="clv"), SchemaError, "must have the column clv"),
        (lambda scores: scores.reset_index(drop=True), SchemaError, "customer_id"),
        (lambda scores: scores.assign(cutoff="1998-02-28"), DataError, "the scores are of 1998-02-28"),
        (lambda scores: pd.concat([scores, scores[:1]]), DataError, "more than once"),
        (lambda scores: scores.rename(index={scores.index[0]: -5}), DataError, "are not in the log"),
        (lambda scores: scores.assign(clv=np.nan), DataError, "have no clv"),
        (lambda scores: scores.assign(clv_lower=1e9), DataError, "must not be above clv_upper"),
    ],
)
def test_scores_that_do_not_fit_are_told(
    log: CustomerLog, value: CLVDistribution, change: object, kind: type[HabitueError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        card(log, change(as_scores(value.customers)))  # type: ignore[operator]


def test_draws_of_others_are_told(log: CustomerLog, value: CLVDistribution) -> None:
    scores = as_scores(value.customers)
    for draws, sentence in (([1.0] * 5, "100 or more"), (np.full(200, 7.0), "draw the total of the same")):
        with pytest.raises(DataError, match=sentence):
            card(log, scores, equity_draws=draws)


def test_a_model_that_was_off_may_be_off_again(log: CustomerLog, value: CLVDistribution) -> None:
    scores = as_scores(value.customers).assign(horizon=91)
    plain = card(log, scores)
    assert plain.measure("clv").note.endswith("; within 91 days")
    assert "not the error that all predictions share" in plain.measure("customer_equity").note
    for low, high in ((-0.3, -0.1), (0.05, 0.4), (-0.01, 0.01)):
        told = card(log, scores, equity_bias=(low, high))
        for by, group in (("all", "all"), ("cohort", "1997-01")):
            one, own = (found.measure("customer_equity", by=by, group=group) for found in (told, plain))
            assert one.value == own.value
            assert one.lower == pytest.approx(min(own.lower, own.value / (1.0 + high)))
            assert one.upper == pytest.approx(max(own.upper, own.value / (1.0 + low)))
            assert "on held-out days" in one.note
    with pytest.raises(SettingsError, match="equity_bias"):
        card(log, scores, equity_bias=(-1.0, 0.2))


@pytest.mark.slow
def test_the_interval_holds_though_the_model_is_wrong() -> None:
    """Customers whom a model takes to buy too often, then and now: chance alone does not explain it."""
    n, n_rounds = 400, 120
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"customer_id": np.arange(n), "timestamp": "2024-01-01", "amount": 1.0})
    log = CustomerLog(transactions=frame, observed_until="2024-02-29")
    rate = rng.gamma(1.0, 1.0, n)
    sd = np.sqrt(rate * 2.0 * 10.0**2)  # exponential amounts of 10
    scores = pd.DataFrame({"customer_id": np.arange(n), "clv": 1.25 * 10.0 * rate})
    scores = scores.assign(clv_lower=scores["clv"] - 1.2816 * sd, clv_upper=scores["clv"] + 1.2816 * sd)

    def spent() -> np.ndarray:
        return rng.gamma(np.maximum(rng.poisson(rate), 1e-9), 10.0)

    held = {True: 0, False: 0}
    for _ in range(n_rounds):
        before, after = spent(), spent().sum()
        drawn = rng.integers(0, n, (200, n))
        off = scores["clv"].to_numpy()[drawn].sum(axis=1) / before[drawn].sum(axis=1) - 1.0
        low, high = np.quantile(off, [0.025, 0.975])
        for is_known in held:
            bias = (low, high) if is_known else None
            told = scorecard(
                log, start="2023-12-31", end="2024-02-29", by=(), scores=scores, equity_bias=bias
            ).measure("customer_equity")
            held[is_known] += told.lower <= after <= told.upper
    assert held[True] / n_rounds > 0.88
    assert held[False] / n_rounds < 0.5
