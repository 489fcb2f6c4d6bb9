"""Rankings by effect: library numbers come back, intervals hold, bad experiments are refused with a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc

from habitue.errors import DataError, SettingsError
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.uplift_curves import compare_uplift, evaluate_uplift, uplift_curve
from habitue.evaluation.uplift_scores import HEADLINE, LIBRARY_SCORES, UPLIFT_SCORES

ARMS = np.array(["control", "mail"])


def experiment(n: int = 3000, seed: int = 0) -> tuple[FloatArray, np.ndarray, FloatArray]:
    """Outcomes of 0 and 1, arms, and a score that ranks by effect, more or less."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=n), ARMS[(rng.uniform(size=n) < 0.4).astype(int)]
    y = (rng.uniform(size=n) < 0.2 + 0.1 * (arm == "mail") * (x > 0.0)).astype(float)
    return y, arm, x + rng.normal(size=n)


def told(y: Any, arm: Any, effect: Any, score: str, **settings: Any) -> float:
    table = evaluate_uplift(y, arm, None, {"m": effect}, scores=[score], n_replicates=1, **settings)
    return float(table.loc[0, "value"])


# ---- what the libraries said of one ranking ----

PUBLISHED = {
    "scikit-uplift uplift_auc_score": 0.014440368909207793,
    "scikit-uplift qini_auc_score": 0.021426360793591084,
    "causalml auuc_score": 0.6397587652076572,
    "causalml qini_score": 0.15126094641216525,
    "libuplift area_under_uplift_curve": 0.00422950082245142,
    "libuplift Qini_coefficient": 0.023989925878430633,
}
PUBLISHED_TIED = {
    "scikit-uplift uplift_auc_score": 0.026146116615268875,
    "scikit-uplift qini_auc_score": 0.03833380778209671,
    "libuplift area_under_uplift_curve": 0.006934354036101063,
    "libuplift Qini_coefficient": 0.03903094338858818,
}


def asked_of_libraries(seed: int) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """The customers that scikit-uplift 0.5.1, causalml 0.18.0 and libuplift 0.6 were asked about."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=1500)
    t = (rng.uniform(size=1500) < 0.4).astype(int)
    y = (rng.uniform(size=1500) < 0.2 + 0.1 * t * (x > 0)).astype(int)
    return y, ARMS[t], x + rng.normal(size=1500)


@pytest.mark.parametrize("score", LIBRARY_SCORES)
def test_the_numbers_of_libraries_come_back(score: str) -> None:
    y, arm, effect = asked_of_libraries(0)
    assert told(y, arm, effect, score) == pytest.approx(PUBLISHED[score], rel=1e-10)


@pytest.mark.parametrize("score", PUBLISHED_TIED)
def test_they_come_back_with_ties_too_where_ties_are_no_matter_of_order(score: str) -> None:
    y, arm, effect = asked_of_libraries(1)
    assert told(y, arm, np.round(effect, 1), score) == pytest.approx(PUBLISHED_TIED[score], rel=1e-10)


def test_causalml_with_ties_is_near_what_it_says_for_one_order() -> None:
    y, arm, effect = asked_of_libraries(1)
    assert told(y, arm, np.round(effect, 1), "causalml auuc_score") == pytest.approx(0.66086, abs=2e-3)


def test_one_ranking_gets_very_different_numbers() -> None:
    y, arm, effect = experiment()
    values = [told(y, arm, effect, name) for name in (*LIBRARY_SCORES, "auuc0")]
    assert max(values) > 20.0 * min(values) > 0.0


# ---- laws ----


def by_hand(y: FloatArray, arm: np.ndarray, effect: FloatArray) -> float:
    """AUUC0 as it is defined: the mean of the gain over all depths, less that of the random line."""
    order = np.argsort(-effect)
    mine, treated = y[order], arm[order] == "mail"
    heights = [0.0]
    for k in range(1, y.size + 1):
        top, on = mine[:k], treated[:k]
        heights.append((top[on].mean() - top[~on].mean()) * k / y.size if 0 < on.sum() < k else 0.0)
    return float(auc(np.linspace(0.0, 1.0, y.size + 1), heights) - heights[-1] / 2.0)


def test_auuc0_is_the_mean_gain_over_the_random_line() -> None:
    y, arm, effect = experiment(400)
    assert told(y, arm, effect, "auuc0") == pytest.approx(by_hand(y, arm, effect))


@pytest.mark.parametrize("score", [*UPLIFT_SCORES, *LIBRARY_SCORES])
def test_the_order_of_tied_rows_changes_no_score(score: str) -> None:
    y, arm, effect = experiment(500)
    effect, order = np.round(effect), np.random.default_rng(9).permutation(500)
    settings = {"scores": [score], "n_replicates": 40}
    one = evaluate_uplift(y, arm, None, {"m": effect}, **settings)
    other = evaluate_uplift(y[order], arm[order], None, {"m": effect[order]}, **settings)
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("score", ["auuc0", "qini0", "qini_normalised", "libuplift area_under_uplift_curve"])
def test_no_ranking_gets_nothing_and_the_reverse_gets_the_opposite(score: str) -> None:
    y, arm, effect = experiment(4000)
    assert told(y, arm, np.zeros(4000), score) == pytest.approx(0.0, abs=1e-12)
    forth, back = told(y, arm, effect, score), told(y, arm, -effect, score)
    assert back == pytest.approx(-forth, rel=0.25)


def test_knowing_the_outcomes_gets_one() -> None:
    y, arm, _ = experiment(2000)
    assert told(y, arm, np.where(arm == "mail", y, -y), "qini_normalised") == pytest.approx(1.0)
    assert told(y, arm, np.where(arm == "mail", y, -y), "libuplift Qini_coefficient") == pytest.approx(1.0)


def test_equal_chances_handed_in_or_left_out_are_the_same() -> None:
    y, arm, effect = experiment(600)
    settings = {"scores": HEADLINE, "n_replicates": 20}
    one = evaluate_uplift(y, arm, None, {"m": effect}, **settings)
    other = evaluate_uplift(y, arm, np.where(arm == "mail", 0.4, 0.6), {"m": effect}, **settings)
    pd.testing.assert_frame_equal(one, other)


def test_unequal_chances_are_undone() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=20_000)
    chance = np.where(x > 0.5, 0.8, 0.2)
    treated = rng.uniform(size=x.size) < chance
    y, own = x + treated * x, np.where(treated, chance, 1.0 - chance)
    curve = uplift_curve(y, ARMS[treated.astype(int)], own, x, n_points=4, n_replicates=60)
    truth = curve["share"] - curve["share"] ** 2 / 2.0
    assert ((curve["lower"] < truth) & (truth < curve["upper"])).all()
    np.testing.assert_allclose(curve["gain"], curve["uplift"] * curve["share"], atol=1e-3)


def test_the_curve_ends_at_the_average_effect_and_fits_the_scores() -> None:
    y, arm, effect = experiment()
    curve = uplift_curve(y, arm, None, effect, n_points=10, n_replicates=20)
    average = y[arm == "mail"].mean() - y[arm == "control"].mean()
    assert curve[["uplift", "gain", "random", "qini"]].iloc[-1].tolist() == pytest.approx([average] * 4)
    assert curve["uplift"].iloc[2] == pytest.approx(told(y, arm, effect, "uplift_at_30"))
    assert ((curve["lower"] <= curve["gain"]) & (curve["gain"] <= curve["upper"])).all()


def test_other_arms_are_left_out_and_a_frame_gives_its_column() -> None:
    y, arm, effect = experiment(900)
    arms = np.where(np.arange(900) % 3 == 0, "phone", arm)
    kept = arms != "phone"
    frame = pd.DataFrame({"phone": -effect, "mail": effect})
    alone = told(y[kept], arms[kept], effect[kept], "auuc0")
    assert told(y, arms, frame, "auuc0", treatment="mail") == pytest.approx(alone)


def test_a_paired_difference_is_surer_than_two_scores() -> None:
    y, arm, effect = experiment(4000)
    effects = {"a": effect, "b": effect + np.random.default_rng(1).normal(scale=0.2, size=4000)}
    apart = compare_uplift(y, arm, None, effects, n_replicates=200)
    each = evaluate_uplift(y, arm, None, effects, scores=["auuc0"], n_replicates=200)
    assert apart.loc[0, "advantage"] == pytest.approx(each.loc[0, "value"] - each.loc[1, "value"])
    width = apart.loc[0, "upper"] - apart.loc[0, "lower"]
    assert width < 0.5 * (each["upper"] - each["lower"]).min()
    same = compare_uplift(y, arm, None, {"a": effect, "b": 3.0 * effect + 1.0}, n_replicates=20)
    assert same[["advantage", "lower", "upper"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]


def test_customers_who_appear_often_make_intervals_wider() -> None:
    y, arm, effect = experiment(500)
    often = [np.tile(part, 6) for part in (y, arm, effect, np.arange(500))]
    settings = {"scores": ["auuc0"], "n_replicates": 200}
    naive = evaluate_uplift(often[0], often[1], None, {"m": often[2]}, **settings)
    honest = evaluate_uplift(often[0], often[1], None, {"m": often[2]}, groups=often[3], **settings)
    alone = evaluate_uplift(y, arm, None, {"m": effect}, **settings)
    widths = [float(one.loc[0, "upper"] - one.loc[0, "lower"]) for one in (naive, honest, alone)]
    assert widths[1] > 2.0 * widths[0]
    assert widths[1] == pytest.approx(widths[2], rel=0.2)


def test_intervals_of_auuc0_hold_what_they_promise() -> None:
    """100 experiments with known truth: effect 2x, x in (0, 1), so 2/12; a band of 3 standard errors."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x, treated = rng.uniform(size=400), rng.integers(0, 2, 400)
        y = 2.0 * x * treated + rng.normal(size=400)
        table = evaluate_uplift(y, ARMS[treated], None, {"m": x}, scores=["auuc0"], n_replicates=100)
        held += float(table.loc[0, "lower"]) <= 1.0 / 6.0 <= float(table.loc[0, "upper"])
    assert held / 100 >= 0.95 - 3.0 * np.sqrt(0.95 * 0.05 / 100)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"arm": ["mail"] * 4}, "no customer's arm is 'control'; the arms are 'mail'"),
        ({"arm": ["control"] * 4}, "every customer's arm is 'control': an effect needs an arm"),
        ({"propensity": [0.5, 0.0, 0.5, 0.5]}, r"1 row of arm 'mail' \(1: 0\)"),
        ({"propensity": pd.Series([0.5, 1.2, 0.0, 0.5], index=list("abcd"))}, r"2 rows .* \(b: 1.2, c: 0\)"),
        ({"propensity": [0.5] * 3}, "got 3 for 4"),
        ({"y": [0.0, np.nan, 1.0, 1.0]}, "y must be finite, got 1 missing"),
        ({"arm": ["control", None, "mail", "mail"]}, "arm must label each of 4 rows"),
        ({"effects": {"m": [0.1, 0.2]}}, "effect must be one number per customer, got 2 for 4"),
        (
            {"effects": {"m": pd.DataFrame({"phone": [0.1] * 4})}},
            "a column for the arm 'mail'; there are",
        ),
        ({"treatment": "phone"}, "treatment must be one of the arms 'mail', got 'phone'"),
        ({"arm": ["control", "mail", "phone", "mail"]}, "one of the arms 'mail', 'phone', got None"),
        ({"y": [0.0, 2.0, 1.0, 1.0], "scores": ["qini_normalised"]}, "outcomes of 0 and 1 only"),
        ({"groups": [1, 2]}, "groups must label each of 4 rows"),
    ],
)
def test_what_is_no_experiment_is_refused(changed: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        "y": [0.0, 1.0, 1.0, 0.0],
        "arm": ["control", "mail", "mail", "control"],
        "propensity": [0.5] * 4,
        "effects": {"m": [0.1, 0.2, 0.3, 0.4]},
    }
    with pytest.raises(DataError, match=words):
        evaluate_uplift(**(given | changed))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scores": ["auc"]}, "no uplift score 'auc'; there are auuc0"),
        ({"confidence": 1.0}, "confidence must lie"),
        ({"n_replicates": 0}, "n_replicates must be"),
        ({"effects": {}}, "at least one ranking"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    y, arm, effect = experiment(50)
    with pytest.raises(SettingsError, match=words):
        evaluate_uplift(y, arm, None, **({"effects": {"m": effect}} | settings))


def test_a_comparison_needs_two_rankings_and_a_reference() -> None:
    y, arm, effect = experiment(50)
    with pytest.raises(SettingsError, match="at least two rankings"):
        compare_uplift(y, arm, None, {"m": effect})
    with pytest.raises(SettingsError, match="got 'c' of a, b"):
        compare_uplift(y, arm, None, {"a": effect, "b": effect}, reference="c")
    with pytest.raises(SettingsError, match="n_points"):
        uplift_curve(y, arm, None, effect, n_points=0)


@pytest.mark.data
def test_hillstrom_sees_what_everybody_sees(shared_data: Path) -> None:
    """Women who bought women's things before answer to women's e-mails: the one effect nobody misses."""
    mail = pd.read_parquet(shared_data / "data" / "hillstrom" / "hillstrom.parquet")
    arm = mail["segment"].map({"No E-Mail": "control", "Womens E-Mail": "women's", "Mens E-Mail": "men's"})
    effects = {"bought women's": mail["womens"].astype(float), "spent most": mail["history"]}
    settings = {"treatment": "women's", "n_replicates": 60}
    table = compare_uplift(mail["visit"], arm, None, effects, **settings)
    assert table.loc[0, "value"] == pytest.approx(0.0064, abs=0.0015)
    assert table.loc[0, "lower"] > 0.0
    curve = uplift_curve(mail["visit"], arm, None, effects["bought women's"], n_points=2, **settings)
    assert curve["gain"].iloc[-1] == pytest.approx(0.0452, abs=5e-5)
