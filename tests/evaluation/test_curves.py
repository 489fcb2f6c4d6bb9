"""Curves are sums: what goes in comes out, ties favour nobody, and charts can rely on the edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve

from habitue.errors import DataError, SettingsError
from habitue.evaluation.curves import decile_table, gains, reliability, totals, tracking_error
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import SCORES

rows = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])), min_size=1, max_size=40)


def columns(customers: list[tuple[bool, float]]) -> tuple[FloatArray, FloatArray]:
    outcome, prediction = zip(*customers, strict=True)
    return np.array(outcome, dtype=float), np.array(prediction)


def churners(n: int, *, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    prediction = rng.uniform(size=n)
    return (rng.uniform(size=n) < prediction).astype(float), prediction


# ---- reliability ----


@given(customers=rows, n_bins=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_bins_hold_all_customers_and_all_that_happened(
    customers: list[tuple[bool, float]], n_bins: int
) -> None:
    outcome, prediction = columns(customers)
    table = reliability(outcome, prediction, n_bins=n_bins)
    assert len(table) == n_bins
    assert table["n"].sum() == pytest.approx(outcome.size)
    assert table["n"] @ table["observed_rate"] == pytest.approx(outcome.sum(), abs=1e-9)
    assert table["n"] @ table["mean_prediction"] == pytest.approx(prediction.sum(), abs=1e-9)
    assert (np.diff(table["mean_prediction"]) >= -1e-9).all()
    inside = (table["lower"] - 1e-9 <= table["observed_rate"]) & (
        table["observed_rate"] <= table["upper"] + 1e-9
    )
    assert inside.all()
    assert table[["lower", "upper"]].stack().between(0.0, 1.0).all()


def test_without_ties_bins_are_scikit_learns_quantiles() -> None:
    outcome, prediction = churners(500)
    rate, mean = calibration_curve(outcome, prediction, n_bins=10, strategy="quantile")
    table = reliability(outcome, prediction)
    np.testing.assert_allclose(table["observed_rate"], rate, rtol=1e-9)
    np.testing.assert_allclose(table["mean_prediction"], mean, rtol=1e-9)


def test_the_interval_is_wilsons() -> None:
    outcome, prediction = churners(200)
    for _, row in reliability(outcome, prediction, n_bins=4).iterrows():
        hits, n = round(row["observed_rate"] * row["n"]), round(row["n"])
        expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert (row["lower"], row["upper"]) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_a_constant_prediction_gives_every_bin_the_base_rate() -> None:
    outcome = np.r_[np.ones(30), np.zeros(70)]
    table = reliability(outcome, np.full(100, 0.4))
    np.testing.assert_allclose(table["observed_rate"], 0.3)
    np.testing.assert_allclose(table["mean_prediction"], 0.4)


# ---- gains ----


@given(customers=rows, n_points=st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_gains_go_from_nobody_to_everybody_below_the_perfect_curve(
    customers: list[tuple[bool, float]], n_points: int
) -> None:
    outcome, prediction = columns(customers)
    table = gains(outcome, prediction, n_points=n_points)
    if outcome.sum() == 0.0:
        assert table[["share_captured", "share_captured_perfect"]].isna().all(axis=None)
        return
    assert list(table.iloc[0]) == [0.0, 0.0, 0.0]
    assert list(table.iloc[-1]) == [1.0, 1.0, 1.0]
    assert (table["share_captured"] <= table["share_captured_perfect"] + 1e-9).all()
    assert (np.diff(table["share_captured"]) >= -1e-9).all()


def test_a_constant_prediction_captures_what_it_contacts() -> None:
    outcome, _ = churners(137)
    table = gains(outcome, np.full(137, 0.2))
    np.testing.assert_allclose(table["share_captured"], table["share_contacted"], atol=1e-12)


def test_gains_are_the_lift_and_the_gini_drawn() -> None:
    outcome, prediction = churners(400)
    table = gains(outcome, prediction, n_points=401)
    lift = next(score for score in SCORES["churned"] if score.name == "lift_top_decile")
    gini = next(score for score in SCORES["spend"] if score.name == "normalised_gini")
    assert table.loc[40, "share_captured"] / 0.1 == pytest.approx(lift(outcome, prediction))
    area = np.trapezoid(table["share_captured"], table["share_contacted"]) - 0.5
    perfect = np.trapezoid(table["share_captured_perfect"], table["share_contacted"]) - 0.5
    assert area / perfect == pytest.approx(gini(outcome, prediction))


# ---- deciles ----


def test_deciles_are_those_of_plain_pandas() -> None:
    rng = np.random.default_rng(0)
    prediction = rng.gamma(1.0, 50.0, 400)
    outcome = rng.gamma(1.0, prediction)
    frame = pd.DataFrame({"p": prediction, "y": outcome})
    frame["decile"] = 10 - pd.qcut(frame["p"], 10, labels=False)
    table = decile_table(outcome, prediction).set_index("decile")
    expected = frame.groupby("decile").agg(p=("p", "mean"), y=("y", "mean"), sem=("y", "sem"))
    assert list(table.index) == list(range(1, 11))
    np.testing.assert_allclose(table["n"], 40.0)
    np.testing.assert_allclose(table["mean_prediction"], expected["p"], rtol=1e-9)
    np.testing.assert_allclose(table["mean_actual"], expected["y"], rtol=1e-9)
    half = stats.t.ppf(0.975, 39) * expected["sem"]
    np.testing.assert_allclose(table["upper"], expected["y"] + half, rtol=1e-9)
    np.testing.assert_allclose(table["lower"], expected["y"] - half, rtol=1e-9)


@given(customers=rows)
@settings(max_examples=40, deadline=None)
def test_deciles_hold_all_that_happened_and_fall(customers: list[tuple[bool, float]]) -> None:
    outcome, prediction = columns(customers)
    table = decile_table(outcome, prediction)
    assert table["n"] @ table["mean_actual"] == pytest.approx(outcome.sum(), abs=1e-9)
    assert table["n"] @ table["mean_prediction"] == pytest.approx(prediction.sum(), abs=1e-9)
    assert (np.diff(table["mean_prediction"]) <= 1e-9).all()
    assert table["lower"].isna().all() == (outcome.size <= 10)


@pytest.mark.parametrize("curve", [reliability, gains, decile_table], ids=lambda curve: curve.__name__)
def test_the_order_of_customers_does_not_matter(curve) -> None:
    outcome, prediction = churners(300)
    prediction = np.round(prediction, 1)
    order = np.argsort(-outcome, kind="stable")
    pd.testing.assert_frame_equal(curve(outcome, prediction), curve(outcome[order], prediction[order]))


# ---- the door ----


def test_what_is_wrong_with_the_input_is_said() -> None:
    outcome, prediction = churners(10)
    with pytest.raises(SettingsError, match="n_bins must be at least 1, got 0"):
        reliability(outcome, prediction, n_bins=0)
    with pytest.raises(SettingsError, match="n_points must be at least 2, got 1"):
        gains(outcome, prediction, n_points=1)
    with pytest.raises(DataError, match="probability"):
        reliability(outcome, 3.0 * prediction)
    with pytest.raises(DataError, match="same length"):
        decile_table(outcome, prediction[1:])


# ---- totals ----


def test_totals_are_those_of_each_cutoff_and_their_mean_miss_is_the_tracking_error() -> None:
    rng = np.random.default_rng(2)
    cutoffs = pd.Timestamp("2024-01-01") + pd.to_timedelta(90 * rng.integers(0, 4, 500), unit="D")
    outcome, prediction = rng.gamma(0.5, 40.0, 500), rng.gamma(0.5, 50.0, 500)
    table = totals(outcome, prediction, cutoffs)
    assert table["cutoff"].tolist() == sorted(set(cutoffs))
    misses = []
    for row in table.to_dict("records"):
        then = cutoffs == row["cutoff"]
        assert (row["n"], row["actual"]) == (then.sum(), pytest.approx(outcome[then].sum()))
        assert row["error"] == pytest.approx(prediction[then].sum() / outcome[then].sum() - 1.0)
        misses.append(abs(row["error"]))
    assert tracking_error(outcome, prediction, cutoffs) == pytest.approx(np.mean(misses))


def test_too_much_in_spring_does_not_make_up_for_too_little_in_autumn() -> None:
    assert tracking_error([10.0, 10.0], [15.0, 5.0], ["spring", "autumn"]) == 0.5
    assert tracking_error([10.0, 10.0], [15.0, 5.0], ["year", "year"]) == 0.0


def test_a_cutoff_after_which_nothing_came_is_left_out() -> None:
    assert tracking_error([10.0, 0.0], [12.0, 5.0], ["a", "b"]) == pytest.approx(0.2)
    assert np.isnan(tracking_error([0.0], [5.0], ["a"]))


@pytest.mark.parametrize("cutoffs", [["a"], ["a", None]])
def test_every_row_needs_its_cutoff(cutoffs: list[str]) -> None:
    with pytest.raises(DataError, match="cutoffs must label each of 2 rows"):
        totals([1.0, 2.0], [1.0, 2.0], cutoffs)
