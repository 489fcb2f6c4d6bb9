"""Intervals: laws of the losses, simple worlds in which the truth is known, and a table that adds up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

from habitue.errors import DataError, SettingsError
from habitue.evaluation.intervals import (
    coverage_table,
    crps_from_quantiles,
    decile_groups,
    interval_score,
    is_inside,
)
from habitue.evaluation.losses import pinball


def midpoints(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


# ---- losses ----


def test_the_interval_score_is_two_pinball_losses() -> None:
    rng = np.random.default_rng(0)
    outcome = rng.normal(size=200)
    lower, upper = rng.normal(-1.0, 0.3, 200), rng.normal(1.5, 0.3, 200)
    for confidence in (0.5, 0.8, 0.95):
        tail = (1.0 - confidence) / 2.0
        losses = pinball(outcome, lower, level=tail) + pinball(outcome, upper, level=1.0 - tail)
        score = interval_score(outcome, lower, upper, confidence=confidence)
        np.testing.assert_allclose(score, losses / tail)
        assert (score >= upper - lower).all()
        np.testing.assert_array_equal(score == upper - lower, is_inside(outcome, lower, upper) == 1.0)


def test_true_quantiles_have_the_best_interval_score() -> None:
    law = stats.gamma(2.0, scale=30.0)
    outcome = law.ppf(midpoints(20_000))
    lower, upper = law.ppf([0.1, 0.9])

    def mean(low: float, high: float) -> float:
        return interval_score(
            outcome, np.full(outcome.size, low), np.full(outcome.size, high), confidence=0.8
        ).mean()

    best = mean(lower, upper)
    for factor in (0.8, 0.9, 1.1, 1.2):
        assert best < mean(factor * lower, upper)
        assert best < mean(lower, factor * upper)


@pytest.mark.parametrize("outcome", [0.0, 20.0, 60.0, 300.0])
def test_the_crps_is_the_integral_over_the_distribution(outcome: float) -> None:
    law = stats.gamma(2.0, scale=30.0)
    below = quad(lambda x: law.cdf(x) ** 2, 0.0, outcome)[0] if outcome else 0.0
    exact = below + quad(lambda x: law.sf(x) ** 2, outcome, np.inf)[0]
    levels = midpoints(2000)
    crps = crps_from_quantiles(np.array([outcome]), law.ppf(levels)[None, :], levels)
    assert crps[0] == pytest.approx(exact, rel=2e-3)


def test_a_sure_forecast_is_judged_by_its_absolute_error_whatever_the_grid() -> None:
    rng = np.random.default_rng(1)
    outcome, forecast = rng.normal(size=50), rng.normal(size=50)
    for levels in ([0.05, 0.1, 0.5, 0.9], [0.5], midpoints(9)):
        quantiles = np.tile(forecast[:, None], len(levels))
        expected = np.abs(outcome - forecast)
        symmetric = np.allclose(np.asarray(levels) + np.asarray(levels)[::-1], 1.0)
        found = crps_from_quantiles(outcome, quantiles, levels)
        assert np.allclose(found, expected) == symmetric
        assert (found > 0.0).all()


def test_the_levels_of_a_grid_weigh_what_they_stand_for() -> None:
    outcome, quantiles = np.array([3.0]), np.array([[1.0, 2.0, 6.0]])
    levels, widths = [0.1, 0.3, 0.9], [0.2, 0.4, 0.4]
    losses = [pinball(outcome, quantiles[:, k], level=levels[k])[0] for k in range(3)]
    assert crps_from_quantiles(outcome, quantiles, levels)[0] == pytest.approx(2.0 * np.dot(losses, widths))


@pytest.mark.parametrize("levels", [[0.5, 0.2], [0.0, 0.5], [0.2, 1.0], [0.2], []])
def test_levels_that_are_none_are_refused(levels: list[float]) -> None:
    with pytest.raises(SettingsError, match="levels must rise within"):
        crps_from_quantiles(np.zeros(3), np.zeros((3, 2)), levels)


# ---- coverage ----


def test_the_table_is_that_of_a_loop_over_groups() -> None:
    rng = np.random.default_rng(2)
    outcome = rng.gamma(1.0, 50.0, 600)
    lower, upper = rng.uniform(0.0, 30.0, 600), rng.uniform(40.0, 150.0, 600)
    segment = pd.Series(rng.choice(["new", "heavy", "lapsed"], 600), index=range(1000, 1600))
    table = coverage_table(outcome, lower, upper, confidence=0.8, groups=segment)
    assert table["group"].tolist() == ["heavy", "lapsed", "new"]
    for row in table.to_dict("records"):
        one = (segment == row["group"]).to_numpy()
        inside = (lower <= outcome) & (outcome <= upper)
        assert row["n"] == one.sum()
        assert row["share_inside"] == pytest.approx(inside[one].mean())
        assert row["share_below"] == pytest.approx((outcome < lower)[one].mean())
        assert row["share_inside"] + row["share_below"] + row["share_above"] == pytest.approx(1.0)
        assert row["mean_width"] == pytest.approx((upper - lower)[one].mean())
        wilson = stats.binomtest(int(inside[one].sum()), int(one.sum())).proportion_ci(method="wilson")
        assert (row["share_lower"], row["share_upper"]) == pytest.approx((wilson.low, wilson.high))
    whole = coverage_table(outcome, lower, upper, confidence=0.8).iloc[0]
    for name in ("share_inside", "mean_width", "mean_score"):
        assert whole[name] == pytest.approx(np.average(table[name], weights=table["n"]))


def test_what_holds_on_the_whole_may_fail_in_the_best_tenth() -> None:
    rng = np.random.default_rng(3)
    mean = rng.gamma(0.7, 60.0, 5000)
    outcome = rng.gamma(1.0, mean)
    upper = np.full(5000, np.quantile(outcome, 0.8))
    groups = decile_groups(mean)
    whole = coverage_table(outcome, np.zeros(5000), upper, confidence=0.8).iloc[0]
    tenths = coverage_table(outcome, np.zeros(5000), upper, confidence=0.8, groups=groups)
    assert whole["share_lower"] < 0.8 < whole["share_upper"]
    assert tenths["group"].tolist() == list(range(1, 11))
    assert tenths["share_upper"].iloc[0] < 0.6
    assert tenths["share_lower"].iloc[-1] > 0.95


def test_tenths_are_equal_without_ties_and_keep_ties_together() -> None:
    rng = np.random.default_rng(4)
    prediction = rng.normal(size=200)
    groups = decile_groups(prediction)
    assert np.bincount(groups)[1:].tolist() == [20] * 10
    assert (np.diff(groups[np.argsort(prediction)]) <= 0).all()
    tied = np.round(prediction)
    groups = decile_groups(tied)
    assert all(np.unique(groups[tied == level]).size == 1 for level in np.unique(tied))
    order = rng.permutation(200)
    np.testing.assert_array_equal(decile_groups(tied[order]), groups[order])
    assert decile_groups([3.0]).tolist() == [6]


@pytest.mark.parametrize(
    ("lower", "upper", "groups", "words"),
    [
        ([0.0, 5.0], [1.0, 4.0], None, "1 of 2 do"),
        ([0.0], [1.0, 4.0], None, "same length"),
        ([0.0, 0.0], [1.0, np.inf], None, "missing or infinite"),
        ([0.0, 0.0], [1.0, 4.0], ["a"], "groups must label each of 2 rows, got 1 label"),
        ([0.0, 0.0], [1.0, 4.0], ["a", None], "1 of them missing"),
    ],
)
def test_what_is_wrong_with_intervals_is_said(
    lower: list[float], upper: list[float], groups: list[str] | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        coverage_table([0.5, 0.5], lower, upper, confidence=0.8, groups=groups)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 80.0])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(SettingsError, match="confidence must lie between 0 and 1"):
        coverage_table([0.5], [0.0], [1.0], confidence=confidence)
