"""Customer equity: sums of scores, as sure as customers and parameters let it be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, HabitueError, SchemaError
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
