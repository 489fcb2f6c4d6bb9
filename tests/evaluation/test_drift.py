"""What must be quiet while a log merely grows older, and what must be heard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.evaluation.drift import CHECK_COLUMNS, Check, alike, columns_drift, judged
from habitue.evaluation.law_drift import law_drift, law_table
from habitue.evaluation.matured import matured_checks, matured_scores
from habitue.evaluation.scores import SCORES
from habitue.models import BGNBD, ParetoNBD
from habitue.numerics import bgnbd


def customers(n: int, seed: int, *, oldest: float, rate: float = 0.05, churn: float = 0.8) -> pd.DataFrame:
    """Draw customers up to an age, who all buy by one law."""
    rng = np.random.default_rng(seed)
    T = np.floor(rng.uniform(1.0, oldest, n))
    new = np.zeros(n)
    params = bgnbd.Params(0.8, 0.8 / rate, churn, 2.4)
    bought = bgnbd.simulate(params, new, new, new, T, random_state=rng)
    frequency = np.bincount(bought.customer, minlength=n).astype(float)
    recency = np.zeros(n)
    np.maximum.at(recency, bought.customer, bought.time)
    spend = (frequency + 1.0) * rng.gamma(4.0, 5.0, n)
    return pd.DataFrame(
        {"frequency": frequency, "recency": recency, "T": T, "spend_total": spend, "n_odd": frequency % 2}
    )


def found(now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    pair = alike(now, before, oldest=before["T"].max())
    return judged(columns_drift(now, before, pair), rate=0.05)


def test_a_log_that_only_grows_older_is_quiet_where_ages_are_matched_and_not_where_they_are_not() -> None:
    before, now = customers(1500, 1, oldest=200.0), customers(2500, 2, oldest=500.0)
    assert not found(now, before)["alarm"].any()
    unmatched = alike(now.drop(columns="T"), before.drop(columns="T"))
    naive = judged(columns_drift(now.drop(columns="T"), before.drop(columns="T"), unmatched), rate=0.05)
    assert naive["alarm"].any()


def test_weights_make_the_ages_of_both_days_agree() -> None:
    before, now = customers(1500, 1, oldest=300.0), customers(2500, 2, oldest=500.0)
    pair = alike(now, before, oldest=250.0)
    ages, theirs = now["T"][pair.now], before["T"][pair.reference]
    assert ages.max() <= 250.0
    assert np.average(theirs, weights=pair.weights) == pytest.approx(ages.mean(), rel=0.02)


@pytest.mark.slow
def test_the_same_people_in_both_samples_make_the_tests_safe_not_bold() -> None:
    """Customers carry their ways along: two samples of them differ less than independent ones."""
    rng = np.random.default_rng(0)
    p: list[float] = []
    for _ in range(100):
        taste, age = rng.normal(size=400), rng.uniform(0.0, 400.0, 400)
        then = pd.DataFrame({"T": age, "ways": taste + 0.3 * rng.normal(size=400)})
        now = pd.DataFrame({"T": age + 100.0, "ways": taste + 0.3 * rng.normal(size=400)})
        p.append(columns_drift(now, then, alike(now, then))[0].p_value)
    assert np.mean(np.array(p) < 0.05) <= 0.05


@pytest.mark.parametrize(("what", "times"), [("spend_total", 1.5), ("spend_total", 0.6)])
def test_money_that_changed_is_found_and_told(what: str, times: float) -> None:
    before, now = customers(1500, 1, oldest=200.0), customers(2500, 2, oldest=500.0)
    table = found(now.assign(**{what: now[what] * times}), before)
    loud = table.loc[table["alarm"]]
    assert loud["what"].tolist() == [what]
    assert "on average now" in loud["told"].iloc[0]


def test_values_that_went_missing_are_found_in_numbers_and_in_counts() -> None:
    before, now = customers(1500, 1, oldest=200.0), customers(2500, 2, oldest=500.0)
    lost = np.arange(len(now)) % 3 == 0
    now = now.assign(spend_total=now["spend_total"].mask(lost), n_odd=now["n_odd"].mask(lost))
    table = found(now, before)
    assert set(table.loc[table["alarm"], "what"]) == {"spend_total", "n_odd"}
    everything = now.assign(spend_total=np.nan)
    assert "spend_total" in set(found(everything, before).query("alarm")["what"])


def test_no_column_tells_the_age_itself() -> None:
    before = customers(400, 1, oldest=200.0)
    assert "T" not in found(before, before)["what"].tolist()


def test_nobody_of_the_same_age_is_nobody_compared() -> None:
    before = customers(400, 1, oldest=50.0)
    now = before.assign(T=before["T"] + 300.0)
    assert columns_drift(now, before, alike(now, before)) == []
    assert law_drift(BGNBD().fit(before), now, before, alike(now, before), horizon=91) == []


def test_an_alarm_needs_certainty_and_size_and_no_season() -> None:
    def check(p: float, effect: float, *, seasonal: bool = False) -> Check:
        return Check("input", f"{p}{effect}{seasonal}", "KS", p, effect, "PSI", 0.1, "", seasonal)

    told = [check(1e-9, 0.5), check(1e-9, 0.05), check(0.2, 0.5), check(1e-9, 0.5, seasonal=True)]
    table = judged(told, rate=0.01)
    assert table["alarm"].tolist() == [True, False, False, False]
    assert tuple(table.columns) == CHECK_COLUMNS
    assert judged([], rate=0.01).empty


@pytest.mark.parametrize(
    ("rate", "churn", "words"), [(0.025, 0.8, "buy more rarely"), (0.05, 3.0, "leave sooner")]
)
def test_a_changed_law_is_found_and_told_in_words(rate: float, churn: float, words: str) -> None:
    before = customers(2500, 1, oldest=300.0)
    now = customers(2500, 2, oldest=500.0, rate=rate, churn=churn)
    check = law_drift(BGNBD().fit(before), now, before, alike(now, before), horizon=91)[0]
    assert check.p_value < 1e-6
    assert check.effect > 0.1
    assert words in check.told


@pytest.mark.slow
def test_the_law_is_quiet_where_it_holds_and_where_the_model_is_only_nearly_true() -> None:
    """The held parameters may be wrong: what counts is whether customers moved against them."""
    p: list[float] = []
    for seed in range(20):
        before, now = (customers(600, seed + place, oldest=300.0 + place) for place in (0, 500))
        wrong = BGNBD(penalizer=0.1).fit(before.assign(frequency=np.minimum(before["frequency"], 2.0)))
        p.append(law_drift(wrong, now, before, alike(now, before), horizon=91)[0].p_value)
    assert np.mean(np.array(p) < 0.05) <= 0.2
    assert np.median(p) > 0.2


def test_only_the_law_that_is_told_of_is_tested() -> None:
    X = customers(600, 1, oldest=300.0)
    assert law_drift(ParetoNBD().fit(X), X, X, alike(X, X), horizon=91) == []
    assert law_table(None, X).empty
    table = law_table(BGNBD().fit(X), X)
    assert table["parameter"].tolist() == ["r", "alpha", "a", "b"]
    assert np.allclose(table["held"], table["now"], rtol=0.2)


def matured(p: np.ndarray, left: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"cutoff": "2024-01-01", "source": "batch", "prediction": p, "outcome": left})


def promise(p: np.ndarray, left: np.ndarray) -> dict[str, float]:
    table = hb.evaluation.evaluate(left, p, SCORES["churned"])
    return {
        f"{row['score']}{end}": float(row[name])
        for row in table.to_dict("records")
        for end, name in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
    }


def test_a_promise_that_is_kept_is_quiet_and_one_that_is_broken_or_bettered_is_not_confused() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(1.0, 1.0, 3000)
    left = (rng.uniform(size=3000) < p).astype(float)
    promised = promise(p[:1500], left[:1500])
    kept = matured_checks(matured_scores(matured(p[1500:], left[1500:]), "churned", promised), "churned")
    assert not judged(kept, rate=0.01)["alarm"].any()
    noise = np.clip(p[1500:] + rng.normal(0.0, 0.35, 1500), 0.01, 0.99)
    broken = matured_checks(matured_scores(matured(noise, left[1500:]), "churned", promised), "churned")
    loud = judged(broken, rate=0.01).query("alarm")
    assert {"auc", "log_loss"} <= set(loud["what"])
    better = matured_checks(
        matured_scores(matured(0.8 * left[1500:] + 0.1, left[1500:]), "churned", promised), "churned"
    )
    assert not {"auc", "log_loss"} & set(judged(better, rate=0.01).query("alarm")["what"])


def test_only_the_latest_cutoff_raises_alarms_and_without_a_promise_there_is_none() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=800)
    left = (rng.uniform(size=800) < p).astype(float)
    bad = matured(1.0 - p, left).assign(cutoff="2023-06-01")
    rows = pd.concat([bad, matured(p, left)])
    table = matured_scores(rows, "churned", promise(p, left))
    assert set(table["cutoff"]) == {"2023-06-01", "2024-01-01"}
    assert not judged(matured_checks(table, "churned"), rate=0.05)["alarm"].any()
    assert matured_checks(matured_scores(bad, "churned", {}), "churned") == []
