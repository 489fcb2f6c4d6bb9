"""Laws that every score obeys, and oracles: scikit-learn, SciPy and plain loops."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from habitue.errors import DataError
from habitue.evaluation.losses import (
    absolute_error,
    brier,
    log_loss,
    pinball,
    squared_error,
    squared_log_error,
)
from habitue.evaluation.pairs import check_pair
from habitue.evaluation.profit import RetentionOffer
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import SCORES, Score, profit_score

Customers = tuple[FloatArray, FloatArray]

ALL = [score for scores in SCORES.values() for score in scores]
CHURN = SCORES["churned"]
SPEND = SCORES["spend"]
every_score = pytest.mark.parametrize("score", ALL, ids=lambda score: f"{score.target}-{score.name}")
every_spend_score = pytest.mark.parametrize("score", SPEND, ids=lambda score: score.name)


def named(target: str, name: str) -> Score:
    return next(score for score in SCORES[target] if score.name == name)


def customers(
    target: str, n: int = 300, *, seed: int = 0, ties: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Outcomes and imperfect predictions, with ties in both unless told otherwise."""
    rng = np.random.default_rng(seed)
    if target == "churned":
        truth = rng.beta(1.0, 1.5, n)
        prediction = expit(0.8 * logit(truth) + rng.normal(0.0, 0.7, n))
        prediction = np.round(prediction, 1) if ties else prediction
        return (rng.uniform(size=n) < truth).astype(float), prediction
    mean = rng.gamma(0.6, 60.0, n)
    if target == "n_purchases":
        return rng.poisson(mean / 40.0).astype(float), np.round(mean / 30.0) if ties else mean / 30.0
    spend = np.where(rng.uniform(size=n) < 0.4, rng.gamma(1.0, 2.0 * mean), 0.0)
    return spend, np.round(mean, -1) if ties else mean


def same(a: float, b: float) -> bool:
    return bool(np.isclose(a, b, rtol=1e-8, atol=1e-8, equal_nan=True))


# ---- laws ----


def test_the_table_is_as_promised() -> None:
    assert [score.name for score in CHURN] == [
        "auc",
        "average_precision",
        "brier",
        "log_loss",
        "calibration_slope",
        "calibration_intercept",
        "ece",
        "lift_top_decile",
        "capture_top_decile",
        "expected_maximum_profit",
    ]
    value_scores = ["mae", "rmse", "msle", "bias", "spearman", "normalised_gini", "decile_mape"]
    assert [score.name for score in SPEND] == value_scores
    assert [score.name for score in SCORES["n_purchases"]] == value_scores
    assert all(score.target == target for target, scores in SCORES.items() for score in scores)
    assert all((score.greater_is_better is None) == (score.ideal is not None) for score in ALL)
    assert named("n_purchases", "mae").unit == "purchases"
    assert [score.name for score in CHURN if score.is_headline] == [
        "auc",
        "average_precision",
        "brier",
        "log_loss",
        "calibration_slope",
        "lift_top_decile",
    ]


@every_score
def test_a_score_of_order_only_takes_any_numbers_in_that_order(score: Score) -> None:
    outcome, prediction = customers(score.target)
    stretched = 50.0 * prediction**3 - 7.0
    if score.order_only:
        assert same(score(outcome, stretched), score(outcome, prediction))
    elif score.target == "churned":
        with pytest.raises(DataError, match="must be a probability"):
            score(outcome, stretched)
    else:
        assert not same(score(outcome, stretched), score(outcome, prediction))


def test_what_an_offer_is_worth_is_a_score_of_its_own() -> None:
    outcome, prediction = customers("churned")
    small, large = (profit_score(RetentionOffer(clv=clv))(outcome, prediction) for clv in (100.0, 1000.0))
    assert small < named("churned", "expected_maximum_profit")(outcome, prediction) < large
    assert "worth 1000, the offer costs 10" in profit_score(RetentionOffer(clv=1000.0)).meaning


@every_score
@pytest.mark.parametrize("ties", [True, False])
def test_an_integer_weight_is_that_many_customers(score: Score, ties: bool) -> None:
    outcome, prediction = customers(score.target, ties=ties)
    weights = np.random.default_rng(1).integers(0, 4, outcome.size)
    repeated = score(np.repeat(outcome, weights), np.repeat(prediction, weights))
    assert np.isfinite(repeated)
    assert same(score(outcome, prediction, weights), repeated)


@every_score
def test_weights_count_relatively(score: Score) -> None:
    outcome, prediction = customers(score.target)
    weights = np.random.default_rng(1).gamma(2.0, size=outcome.size)
    assert same(score(outcome, prediction, weights), score(outcome, prediction, 0.01 * weights))


@every_score
def test_rows_of_weights_do_not_touch_each_other(score: Score) -> None:
    outcome, prediction = customers(score.target)
    weights = np.random.default_rng(2).integers(0, 3, (7, outcome.size)).astype(float)
    together = score.function(outcome, prediction, weights)
    alone = [score(outcome, prediction, row) for row in weights]
    assert together.shape == (7,)
    np.testing.assert_allclose(together, alone, rtol=1e-8)


@every_score
def test_the_order_of_customers_does_not_matter(score: Score) -> None:
    outcome, prediction = customers(score.target)
    order = np.random.default_rng(3).permutation(outcome.size)
    by_outcome = np.argsort(-outcome, kind="stable")
    expected = score(outcome, prediction)
    assert same(score(outcome[order], prediction[order]), expected)
    assert same(score(outcome[by_outcome], prediction[by_outcome]), expected)


@pytest.mark.parametrize("score", SPEND + SCORES["n_purchases"], ids=lambda s: f"{s.target}-{s.name}")
def test_a_change_of_currency_scales_only_money(score: Score) -> None:
    outcome, prediction = customers(score.target)
    scale = 7.3 if score.name in {"mae", "rmse"} else 1.0
    if score.name == "msle":  # 1 is added before the logarithm, whatever the currency
        assert not same(score(7.3 * outcome, 7.3 * prediction), score(outcome, prediction))
        return
    assert same(score(7.3 * outcome, 7.3 * prediction), scale * score(outcome, prediction))


@every_score
def test_a_perfect_prediction_is_best(score: Score) -> None:
    outcome, prediction = customers(score.target)
    perfect, usual = score(outcome, outcome), score(outcome, prediction)
    if score.name == "calibration_slope":
        assert np.isnan(perfect)  # separable: infinite
    elif score.name == "calibration_intercept":
        # The certain are moved by 1e-6, and there are more of one class to move back.
        assert perfect == pytest.approx(np.log(outcome.mean() / (1.0 - outcome.mean())) / 2.0, rel=1e-4)
    elif score.ideal is not None:
        assert perfect == score.ideal
    elif score.greater_is_better:
        assert perfect > usual
    else:
        assert 0.0 <= perfect < 1e-5 < usual


@every_score
@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 13])
def test_one_class_only_gives_nan_or_a_number_and_never_a_warning(score: Score, level: float, n: int) -> None:
    outcome = np.full(n, level)
    prediction = np.linspace(0.0, 1.0, n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = score(outcome, prediction)
    always = {"brier", "log_loss", "ece", "expected_maximum_profit", "mae", "rmse", "msle"}
    undefined = {
        "churned": {"auc", "calibration_slope", "calibration_intercept"},
        "spend": {"spearman", "normalised_gini"},
        "n_purchases": {"spearman", "normalised_gini"},
    }[score.target]
    if level == 0.0:
        assert np.isfinite(value) == (score.name in always)
    else:
        assert np.isnan(value) == (score.name in undefined)


@every_score
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_prediction_has_no_favour(score: Score, level: float) -> None:
    outcome, _ = customers(score.target)
    value = score(outcome, np.full(outcome.size, level))
    known = {
        "auc": 0.5,
        "lift_top_decile": 1.0,
        "capture_top_decile": 0.1,
        "normalised_gini": 0.0,
        "average_precision": outcome.mean(),
        "ece": abs(outcome.mean() - level),
    }
    if score.name in {"spearman", "calibration_slope"}:
        assert np.isnan(value)
    elif score.name in known:
        assert value == pytest.approx(known[score.name], abs=1e-12)
    else:
        assert np.isfinite(value)


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 1e-9, 0.2, 0.2000001, 0.5, 1.0]), st.integers(0, 3)),
        min_size=1,
        max_size=30,
    ).filter(lambda rows: any(weight for _, _, weight in rows))
)
@settings(max_examples=60, deadline=None)
def test_churn_scores_stay_in_range_whatever_comes(rows: list[tuple[bool, float, int]]) -> None:
    outcome, prediction, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    values = {score.name: score(outcome, prediction, weights) for score in CHURN}
    one_class = (weights @ outcome) in {0.0, weights.sum()}
    assert np.isnan(values["auc"]) == one_class
    assert np.isnan(values["calibration_intercept"]) == one_class
    limits = {
        "auc": 1.0,
        "average_precision": 1.0,
        "brier": 1.0,
        "ece": 1.0,
        "lift_top_decile": 10.0,
        "capture_top_decile": 1.0,
        "expected_maximum_profit": 0.3 * 190.0 - 1.0,
    }
    for name, top in limits.items():
        assert np.isnan(values[name]) or -1e-12 <= values[name] <= top + 1e-9
    assert 0.0 <= values["log_loss"] <= 13.82


@given(
    st.lists(
        st.tuples(st.integers(-20, 50), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30
    ).filter(lambda rows: any(weight for _, _, weight in rows))
)
@settings(max_examples=60, deadline=None)
def test_spend_scores_stay_in_range_with_net_returns(rows: list[tuple[int, int, int]]) -> None:
    outcome, prediction, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    values = {score.name: score(outcome, prediction, weights) for score in SPEND}
    assert values["mae"] <= values["rmse"] + 1e-12
    constant = np.unique(outcome[weights > 0]).size == 1
    assert np.isnan(values["normalised_gini"]) == constant
    for name in ("spearman", "normalised_gini"):
        assert np.isnan(values[name]) or abs(values[name]) <= 1.0 + 1e-12
    assert np.isnan(values["decile_mape"]) or values["decile_mape"] >= 0.0


def test_gini_of_two_classes_is_twice_auc_minus_one() -> None:
    outcome, prediction = customers("churned")
    gini = named("spend", "normalised_gini")(outcome, prediction)
    assert gini == pytest.approx(2.0 * named("churned", "auc")(outcome, prediction) - 1.0)


def test_ties_are_the_average_over_random_orders() -> None:
    rng = np.random.default_rng(5)
    outcome, prediction = customers("churned", 40)
    spend, _ = customers("spend", 40)
    for score, y in [
        (named("churned", "lift_top_decile"), outcome),
        (named("churned", "auc"), outcome),
        (named("spend", "normalised_gini"), spend),
    ]:
        broken = [score(y, prediction + rng.uniform(0.0, 1e-9, 40) * (prediction < 1.0)) for _ in range(1500)]
        error = 4.0 * np.std(broken) / np.sqrt(1500.0) + 1e-9
        assert score(y, prediction) == pytest.approx(np.mean(broken), abs=error)


# ---- oracles from another world ----

CHURN_ORACLES: dict[str, Callable[..., float]] = {
    "auc": lambda y, p, w: metrics.roc_auc_score(y, p, sample_weight=w),
    "average_precision": lambda y, p, w: metrics.average_precision_score(y, p, sample_weight=w),
    "brier": lambda y, p, w: metrics.brier_score_loss(y, p, sample_weight=w),
    "log_loss": lambda y, p, w: metrics.log_loss(y, np.clip(p, 1e-6, 1 - 1e-6), sample_weight=w),
    "calibration_slope": lambda y, p, w: (
        LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        .fit(logit(np.clip(p, 1e-6, 1 - 1e-6))[:, None], y, sample_weight=w)
        .coef_[0, 0]
    ),
    "calibration_intercept": lambda y, p, w: (
        minimize_scalar(
            lambda a: metrics.log_loss(y, expit(a + logit(np.clip(p, 1e-6, 1 - 1e-6))), sample_weight=w),
            bracket=(-1.0, 1.0),
            tol=1e-10,
        ).x
    ),
    "capture_top_decile": lambda y, p, w: naive_lift(np.repeat(y, w), np.repeat(p, w)) / 10.0,
    "lift_top_decile": lambda y, p, w: naive_lift(np.repeat(y, w), np.repeat(p, w)),
}


def naive_lift(outcome: FloatArray, prediction: FloatArray) -> float:
    """Take customers one predicted value at a time, the last in part, until a tenth is reached."""
    left, captured = outcome.size / 10.0, 0.0
    for value in np.unique(prediction)[::-1]:
        tied = outcome[prediction == value]
        taken = min(left, float(tied.size))
        captured += taken * tied.mean()
        left -= taken
    return float(captured / (outcome.size / 10.0) / outcome.mean())


@pytest.mark.parametrize("name", list(CHURN_ORACLES))
@pytest.mark.parametrize("ties", [True, False])
def test_churn_scores_equal_their_oracles(name: str, ties: bool) -> None:
    for seed in range(3):
        outcome, prediction = customers("churned", 250, seed=seed, ties=ties)
        weights = np.random.default_rng(seed + 10).integers(0, 3, 250)
        for w in (np.ones(250, dtype=int), weights):
            expected = CHURN_ORACLES[name](outcome, prediction, w)
            tolerance = 1e-5 if name.startswith("calibration") else 1e-10
            assert named("churned", name)(outcome, prediction, w) == pytest.approx(expected, rel=tolerance)


def test_per_customer_scores_average_to_scikit_learns() -> None:
    outcome, prediction = customers("spend")
    assert squared_error(outcome, prediction).mean() == pytest.approx(
        metrics.mean_squared_error(outcome, prediction)
    )
    assert absolute_error(outcome, prediction).mean() == pytest.approx(
        metrics.mean_absolute_error(outcome, prediction)
    )
    assert squared_log_error(outcome, prediction).mean() == pytest.approx(
        metrics.mean_squared_log_error(outcome, prediction)
    )
    for level in (0.1, 0.5, 0.9):
        assert pinball(outcome, prediction, level=level).mean() == pytest.approx(
            metrics.mean_pinball_loss(outcome, prediction, alpha=level)
        )
    churned, p = customers("churned", ties=False)
    assert brier(churned, p).mean() == pytest.approx(metrics.brier_score_loss(churned, p))
    assert log_loss(churned, p).mean() == pytest.approx(metrics.log_loss(churned, p))
    assert log_loss(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(-np.log(1e-6))


def test_net_returns_count_as_nothing_on_a_logarithmic_scale() -> None:
    outcome, prediction = np.array([-30.0, 8.0, 0.0]), np.array([4.0, -2.0, 0.0])
    expected = squared_log_error(np.array([0.0, 8.0, 0.0]), np.array([4.0, 0.0, 0.0]))
    np.testing.assert_array_equal(squared_log_error(outcome, prediction), expected)
    assert expected[2] == 0.0


def naive_gini(outcome: FloatArray, prediction: FloatArray) -> float:
    """Divide the area between captured outcome and diagonal by that of the perfect order; no ties."""

    def area(key: FloatArray) -> float:
        captured = np.r_[0.0, np.cumsum(outcome[np.argsort(-key, kind="stable")]) / outcome.sum()]
        return float(np.trapezoid(captured, dx=1.0 / outcome.size) - 0.5)

    return area(prediction) / area(outcome)


def naive_decile_mape(outcome: FloatArray, prediction: FloatArray) -> float:
    """Cut the ranked customers in ten equal parts; n divisible by ten, no ties."""
    order = np.argsort(prediction)
    errors = [
        abs(prediction[part].mean() - outcome[part].mean()) / outcome[part].mean()
        for part in np.array_split(order, 10)
        if outcome[part].mean() != 0.0
    ]
    return float(np.mean(errors))


SPEND_ORACLES: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "msle": metrics.mean_squared_log_error,
    "bias": lambda y, p: p.sum() / y.sum() - 1.0,
    "spearman": lambda y, p: stats.spearmanr(y, p).statistic,
    "normalised_gini": naive_gini,
    "decile_mape": naive_decile_mape,
}


@pytest.mark.parametrize("name", list(SPEND_ORACLES))
def test_spend_scores_equal_their_oracles(name: str) -> None:
    for seed in range(3):
        outcome, prediction = customers("spend", 250, seed=seed, ties=False)
        expected = SPEND_ORACLES[name](outcome, prediction)
        assert named("spend", name)(outcome, prediction) == pytest.approx(expected, rel=1e-10)


def test_spearman_takes_ties_at_their_average_rank_as_scipy_does() -> None:
    outcome, prediction = customers("n_purchases")
    expected = stats.spearmanr(outcome, prediction).statistic
    assert named("n_purchases", "spearman")(outcome, prediction) == pytest.approx(expected, rel=1e-12)


def test_predicting_too_much_is_a_positive_bias_also_where_returns_outweigh_purchases() -> None:
    bias = named("spend", "bias")
    assert bias([-30.0, 10.0], [-10.0, 0.0]) == pytest.approx(0.5)
    assert bias([-30.0, 10.0], [-30.0, 0.0]) == pytest.approx(-0.5)
    assert np.isnan(bias([-10.0, 10.0], [1.0, 1.0]))


def test_a_decile_without_spend_is_left_out() -> None:
    outcome = np.r_[np.zeros(2), np.full(18, 10.0)]
    prediction = np.r_[1.0, 2.0, np.linspace(11.0, 12.0, 18)]
    kept = [abs(prediction[i : i + 2].mean() - 10.0) / 10.0 for i in range(2, 20, 2)]
    assert named("spend", "decile_mape")(outcome, prediction) == pytest.approx(np.mean(kept))


# ---- published: the CDNOW sample, 39 weeks after 39 weeks ----


def test_repeating_the_last_period_on_cdnow_scores_as_published(shared_data: Path) -> None:
    path = shared_data / "data" / "cdnow" / "cdnow_sample.csv.gz"
    if not path.exists():
        pytest.skip("the CDNOW sample is not here")
    with gzip.open(path, "rt") as file:
        log = pd.read_csv(file, parse_dates=["date"], dtype={"date": str})
    log = log[log["amount"] > 0.0]  # the published figures leave out purchases of nothing: 2,349 customers
    start, cutoff = pd.Timestamp("1996-12-31"), pd.Timestamp("1997-09-30")
    everybody = pd.Index(log["sample_id"].unique())

    def spend(first: pd.Timestamp, last: pd.Timestamp) -> FloatArray:
        rows = log[(log["date"] > first) & (log["date"] <= last)]
        return rows.groupby("sample_id")["amount"].sum().reindex(everybody, fill_value=0.0).to_numpy(float)

    prediction, outcome = spend(start, cutoff), spend(cutoff, pd.Timestamp("1998-06-30"))
    values = {score.name: score(outcome, prediction) for score in SPEND}
    published = {
        "mae": (61.86, 0.005),
        "rmse": (172.4, 0.05),
        "bias": (1.44, 0.005),
        "spearman": (0.392, 0.0005),
        "normalised_gini": (0.679, 0.0005),
        "decile_mape": (1.58, 0.015),  # published with whole customers and ties broken by row
    }
    for name, (expected, tolerance) in published.items():
        assert values[name] == pytest.approx(expected, abs=tolerance), name


# ---- the door ----


@pytest.mark.parametrize(
    ("outcome", "prediction", "words"),
    [
        ([0, 1], [0.1], "same length, got 2 and 1"),
        ([], [], "one number per customer"),
        ([0, 1], [[0.1, 0.2]], "one number per customer"),
        ([0, 1], [0.1, np.nan], "1 missing or infinite values of 2"),
        ([0, 2], [0.1, 0.2], "must be 0 or 1"),
        ([0, 1], [0.1, 1.2], "a probability in \\[0, 1\\], got values from 0.1 to 1.2"),
        ([0, 1], ["a", "b"], "prediction must hold numbers"),
        (pd.Series([True, None], dtype="boolean"), [0.1, 0.2], "outcome must"),
        (pd.Series([0, 1], index=[7, 8]), pd.Series([0.1, 0.2], index=[8, 7]), "same index"),
    ],
)
def test_what_is_wrong_with_the_input_is_said(outcome: object, prediction: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        named("churned", "brier")(outcome, prediction)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(DataError, match="sample_weight"):
        CHURN[0]([0, 1], [0.1, 0.2], weights)


def test_series_bools_and_lists_are_taken() -> None:
    outcome = pd.Series([True, False], index=["a", "b"])
    prediction = pd.Series([0.9, 0.2], index=["a", "b"])
    assert CHURN[0](outcome, prediction) == 1.0
    assert check_pair(outcome, prediction.to_numpy())[0].dtype == np.float64
    assert SPEND[0]([1, 2], [2, 2]) == 0.5
    assert isinstance(SPEND[0]([1, 2], [2, 2]), float)
