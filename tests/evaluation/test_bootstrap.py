"""Laws of the bootstrap: it draws customers, covers the truth, pairs, repeats itself and stays small."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import Difference, bootstrap_weights, compare, evaluate, weight_chunks
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import SCORES, Score

MAE, RMSE, _, BIAS, SPEARMAN = SCORES["spend"][:5]
AUC, _, BRIER = SCORES["churned"][:3]


def churners(n: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    prediction = rng.uniform(size=n)
    return (rng.uniform(size=n) < prediction).astype(float), prediction


# ---- draws ----


@given(n=st.integers(1, 50), n_replicates=st.integers(1, 20), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_draw_counts_as_many_customers_as_there_are(n: int, n_replicates: int, seed: int) -> None:
    weights = bootstrap_weights(n, n_replicates=n_replicates, random_state=seed)
    assert weights.shape == (n_replicates, n)
    assert (weights >= 0).all()
    assert (weights == np.round(weights)).all()
    assert (weights.sum(axis=1) == n).all()


def test_draws_have_the_moments_of_the_multinomial() -> None:
    n, n_replicates = 20, 20_000
    weights = bootstrap_weights(n, n_replicates=n_replicates, random_state=0)
    covariance = np.cov(weights.T)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.04)
    np.testing.assert_allclose(np.diag(covariance), 1.0 - 1.0 / n, atol=0.06)
    off_diagonal = covariance[~np.eye(n, dtype=bool)]
    assert off_diagonal.mean() == pytest.approx(-1.0 / n, abs=0.002)


def test_whole_customers_are_drawn() -> None:
    groups = np.array(["ann", "bob", "ann", "cy", "bob", "ann"])
    weights = bootstrap_weights(6, n_replicates=50, random_state=1, groups=groups)
    per_customer = pd.DataFrame(weights.T).groupby(groups).agg(["min", "max"])
    lowest, highest = (per_customer.xs(end, axis=1, level=1) for end in ("min", "max"))
    assert (lowest == highest).all(axis=None)
    assert (lowest.sum() == 3).all()


def test_groups_of_one_are_no_groups() -> None:
    plain = bootstrap_weights(30, n_replicates=5, random_state=3)
    grouped = bootstrap_weights(30, n_replicates=5, random_state=3, groups=np.arange(30))
    np.testing.assert_array_equal(plain, grouped)


def test_chunks_are_the_same_draws_a_few_at_a_time() -> None:
    n = 300_000
    chunks = list(weight_chunks(n, n_replicates=4, random_state=5))
    assert [len(chunk) for chunk in chunks] == [3, 1]
    np.testing.assert_array_equal(
        np.concatenate(chunks), bootstrap_weights(n, n_replicates=4, random_state=5)
    )


# ---- evaluate ----


@pytest.mark.parametrize("target", list(SCORES))
def test_the_table_holds_every_score_in_order_with_its_interval(target: str) -> None:
    outcome, prediction = churners(400, seed=0)
    if target != "churned":
        prediction = 30.0 * prediction
        outcome = np.random.default_rng(1).poisson(prediction).astype(float)
    table = evaluate(outcome, prediction, SCORES[target], n_replicates=60)
    assert list(table.columns) == ["score", "value", "lower", "upper"]
    assert list(table["score"]) == [score.name for score in SCORES[target]]
    values = [score(outcome, prediction) for score in SCORES[target]]
    np.testing.assert_allclose(table["value"], values, rtol=1e-12)
    assert (table["lower"] < table["upper"]).all()


def test_the_same_seed_gives_the_same_table_in_any_order_of_customers() -> None:
    outcome, prediction = churners(200, seed=1)
    prediction = np.round(prediction, 1)
    customers = np.random.default_rng(0).integers(0, 60, 200)
    order = np.random.default_rng(1).permutation(200)
    for groups in (None, customers):
        first = evaluate(outcome, prediction, SCORES["churned"], groups=groups, n_replicates=40)
        shuffled = None if groups is None else groups[order]
        second = evaluate(
            outcome[order], prediction[order], SCORES["churned"], groups=shuffled, n_replicates=40
        )
        pd.testing.assert_frame_equal(first, second, rtol=1e-9)
    other = evaluate(outcome, prediction, SCORES["churned"], n_replicates=40, random_state=1)
    assert (other["lower"] != first["lower"]).any()


def test_the_interval_of_a_mean_is_that_of_the_central_limit() -> None:
    outcome, prediction = churners(5000, seed=2)
    errors = (prediction - outcome) ** 2
    table = evaluate(outcome, prediction, [BRIER], n_replicates=2000)
    half = 1.96 * errors.std() / np.sqrt(5000)
    assert table.loc[0, "upper"] - table.loc[0, "lower"] == pytest.approx(2 * half, rel=0.08)


@pytest.mark.parametrize(("score", "truth"), [(AUC, 5.0 / 6.0), (BRIER, 1.0 / 6.0)], ids=["auc", "brier"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(score: Score, truth: float) -> None:
    # With p uniform and outcomes drawn from it, E (p - y)^2 = 1/6 and AUC = 5/6 exactly.
    n_worlds, hits = 200, 0
    for world in range(n_worlds):
        outcome, prediction = churners(150, seed=world)
        row = evaluate(outcome, prediction, [score], n_replicates=150, confidence=0.9, random_state=world)
        hits += int(row.loc[0, "lower"] <= truth <= row.loc[0, "upper"])
    # Three standard errors of 200 trials at 0.9, and a percentile interval's small-sample shortfall.
    assert 0.82 <= hits / n_worlds <= 0.97


def test_customers_seen_twice_need_groups_for_an_honest_interval() -> None:
    outcome, prediction = churners(400, seed=3)
    twice = [np.tile(column, 4) for column in (outcome, prediction)]
    customers = np.tile(np.arange(400), 4)

    def width(table: pd.DataFrame) -> float:
        return float(table.loc[0, "upper"] - table.loc[0, "lower"])

    once = width(evaluate(outcome, prediction, [AUC], n_replicates=400))
    naive = width(evaluate(*twice, [AUC], n_replicates=400))
    honest = width(evaluate(*twice, [AUC], groups=customers, n_replicates=400))
    assert honest == pytest.approx(once, rel=0.15)
    assert naive == pytest.approx(once / 2.0, rel=0.15)


def test_what_is_not_defined_is_nan_without_a_warning() -> None:
    table = evaluate([0, 0, 0], [0.1, 0.2, 0.3], SCORES["churned"], n_replicates=10)
    by_name = table.set_index("score")
    assert by_name.loc["auc"].isna().all()
    assert by_name.loc["brier"].notna().all()


def test_an_undefined_value_has_no_interval_even_if_replicates_are_defined() -> None:
    table = evaluate([10.0, -10.0, 0.0], [1.0, 2.0, 3.0], [BIAS], n_replicates=50)
    assert table.loc[0, ["value", "lower", "upper"]].isna().all()


def test_replicates_without_a_churner_are_passed_over() -> None:
    table = evaluate([1, 0, 0, 0], [0.9, 0.1, 0.2, 0.3], [AUC], n_replicates=100)
    assert list(table.loc[0, ["value", "lower", "upper"]]) == [1.0, 1.0, 1.0]


def test_no_score_gives_an_empty_table() -> None:
    assert evaluate([0, 1], [0.1, 0.2], []).shape == (0, 4)


def test_more_replicates_need_no_more_memory() -> None:
    outcome, prediction = churners(100_000, seed=4)

    def peak(n_replicates: int) -> int:
        tracemalloc.start()
        evaluate(outcome, prediction, [AUC, BRIER], n_replicates=n_replicates)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few, many = peak(10), peak(60)
    assert many < 1.25 * few
    assert many < 100e6


# ---- compare ----


@pytest.mark.parametrize("score", [MAE, RMSE, BIAS, SPEARMAN], ids=lambda score: score.name)
def test_a_model_does_not_differ_from_itself(score: Score) -> None:
    rng = np.random.default_rng(0)
    outcome, prediction = rng.gamma(1.0, 10.0, 300), rng.gamma(1.0, 10.0, 300)
    assert compare(outcome, prediction, prediction, score, n_replicates=50) == Difference(0.0, 0.0, 0.0)


def test_to_swap_the_models_is_to_change_the_sign() -> None:
    outcome, a = churners(300, seed=5)
    b = np.random.default_rng(6).uniform(size=300)
    one = compare(outcome, a, b, AUC, n_replicates=2000)
    other = compare(outcome, b, a, AUC, n_replicates=2000)
    assert one.value == -other.value == AUC(outcome, a) - AUC(outcome, b)
    assert one.lower == pytest.approx(-other.upper, abs=0.01)
    assert one.lower > 0.0


def test_pairing_narrows_the_interval() -> None:
    rng = np.random.default_rng(7)
    outcome = rng.gamma(0.5, 100.0, 500)
    a = outcome * rng.uniform(0.5, 1.5, 500)
    b = a + 2.0
    paired = compare(outcome, a, b, MAE, n_replicates=300)
    alone = evaluate(outcome, a, [MAE], n_replicates=300)
    assert paired.upper - paired.lower < 0.5 * (alone.loc[0, "upper"] - alone.loc[0, "lower"])


def test_a_comparison_takes_groups_and_repeats_itself() -> None:
    outcome, a = churners(120, seed=8)
    b = np.clip(a + 0.1, 0.0, 1.0)
    customers = np.arange(120) // 3
    order = np.random.default_rng(9).permutation(120)
    first = compare(outcome, a, b, BRIER, groups=customers, n_replicates=100)
    second = compare(outcome[order], a[order], b[order], BRIER, groups=customers[order], n_replicates=100)
    np.testing.assert_allclose(first, second, rtol=1e-9)
    undefined = compare(np.zeros(120), a, b, AUC, n_replicates=10)
    assert np.isnan(undefined).all()


# ---- the door ----


def test_what_is_wrong_with_the_input_is_said() -> None:
    outcome, p = churners(10, seed=0)
    with pytest.raises(SettingsError, match="confidence must lie between 0 and 1"):
        evaluate(outcome, p, [AUC], confidence=95)
    with pytest.raises(SettingsError, match="confidence must lie between 0 and 1"):
        compare(outcome, p, p, AUC, confidence=0.0)
    with pytest.raises(SettingsError, match="n_replicates must be at least 1"):
        evaluate(outcome, p, [AUC], n_replicates=0)
    for n_labels in (9, 11):
        with pytest.raises(DataError, match="groups must name the customer of each of 10 rows"):
            evaluate(outcome, p, [AUC], groups=np.arange(n_labels))
        with pytest.raises(DataError, match="groups must name the customer of each of 10 rows"):
            bootstrap_weights(10, n_replicates=1, random_state=0, groups=np.arange(n_labels))
    with pytest.raises(DataError, match="1 missing"):
        compare(outcome, p, p, AUC, groups=np.r_[np.nan, np.arange(9)])
    with pytest.raises(DataError, match="one target"):
        evaluate(outcome, p, [AUC, MAE])
    with pytest.raises(DataError, match="probability"):
        evaluate(outcome, 2.0 * p, [AUC, BRIER])
    with pytest.raises(DataError, match="at least one row"):
        bootstrap_weights(0, n_replicates=1, random_state=0)
