"""Models on the same draws: values are those of the scores, verdicts those of the differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.evaluation import SCORES
from habitue.evaluation.paired import Judged, comparison_table, judge, score_table

RNG = np.random.default_rng(4)
TRUTH = RNG.uniform(0.05, 0.95, 600)
OUTCOME = (RNG.uniform(size=600) < TRUTH).astype(float)
NOISY = np.clip(TRUTH + RNG.normal(0.0, 0.25, 600), 0.01, 0.99)
FLAT = np.full(600, OUTCOME.mean())


def frame_of(said: dict[str, np.ndarray], outcome: np.ndarray, target: str = "churned") -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"cutoff": 1, "customer_id": range(len(outcome)), "target": target, "model": name,
             "prediction": one, "outcome": outcome}
        )
        for name, one in said.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


CHURN = frame_of({"knows": TRUTH, "noisy": NOISY, "flat": FLAT}, OUTCOME)


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge(CHURN, "churned", n_replicates=60)


def test_values_are_those_of_the_scores_and_lie_in_their_intervals(judged: Judged) -> None:
    table = score_table(judged).set_index(["model", "score"])
    for model, rows in CHURN.groupby("model"):
        for score in SCORES["churned"]:
            one = table.loc[(model, score.name)]
            value = score(rows["outcome"], rows["prediction"])
            np.testing.assert_allclose(one["value"], value)
            # What averages absolute errors lies higher in draws than on all customers.
            if np.isfinite(value) and score.name not in {"ece", "expected_maximum_profit"}:
                assert one["lower"] <= value <= one["upper"]
            if np.isnan(value):
                assert np.isnan(one["lower"])


def test_the_advantage_is_the_difference_of_the_scores_and_turns_round(judged: Judged) -> None:
    table = comparison_table(judged, judged.models).set_index(["score", "model", "rival"])
    values = score_table(judged).set_index(["model", "score"])["value"]
    headlines = [score for score in SCORES["churned"] if score.is_headline]
    for score in headlines:
        ours, theirs = values["knows", score.name], values["noisy", score.name]
        better = {True: ours - theirs, False: theirs - ours, None: abs(theirs - 1.0) - abs(ours - 1.0)}
        one, other = table.loc[(score.name, "knows", "noisy")], table.loc[(score.name, "noisy", "knows")]
        assert one["advantage"] == pytest.approx(better[score.greater_is_better])
        for end, opposite in (("advantage", "advantage"), ("lower", "upper"), ("upper", "lower")):
            assert one[end] == pytest.approx(-other[opposite])
    assert set(table.index.get_level_values("score")) <= {score.name for score in headlines}


def test_what_is_better_beyond_chance_is_called_so_and_what_is_not_is_not(judged: Judged) -> None:
    table = comparison_table(judged, ["knows"]).set_index(["score", "rival"])["verdict"]
    assert {table["log_loss", "noisy"], table["brier", "flat"], table["auc", "flat"]} == {"clearly better"}
    back = comparison_table(judged, ["noisy"]).set_index(["score", "rival"])["verdict"]
    assert back["log_loss", "knows"] == "clearly worse"
    hair = np.clip(TRUTH + np.random.default_rng(1).normal(0.0, 0.01, 600), 0.01, 0.99)
    near = judge(frame_of({"a": TRUTH, "b": hair, "c": TRUTH}, OUTCOME), "churned", n_replicates=60)
    close = comparison_table(near, ["a"]).set_index(["score", "rival"])["verdict"]
    assert close["auc", "b"] in {"better", "worse"}
    assert close["auc", "c"] == close["log_loss", "c"] == "level"


def test_pairing_sees_what_single_intervals_hide() -> None:
    rng = np.random.default_rng(2)
    spend = rng.lognormal(2.0, 1.5, 400)
    off = spend + rng.normal(0.0, 5.0, 400)
    two = judge(frame_of({"off": off, "off by more": off + 2.0}, spend, "spend"), "spend", n_replicates=100)
    scores = score_table(two).set_index(["model", "score"])
    assert scores.loc[("off", "rmse"), "upper"] > scores.loc[("off by more", "rmse"), "lower"]
    table = comparison_table(two, ["off"]).set_index("score")
    assert table.loc["rmse", "verdict"] == table.loc["bias", "verdict"] == "clearly better"
    assert table.loc["spearman", "verdict"] == "level"


@given(shuffle=st.randoms(use_true_random=False))
@settings(max_examples=5)
def test_the_order_of_rows_of_rivals_says_nothing(shuffle: object) -> None:
    order = list(range(600))
    shuffle.shuffle(order)  # pyright: ignore
    first, other = (CHURN[CHURN["model"] == name] for name in ("knows", "noisy"))
    sorted_, mixed = (pd.concat([first, rows]) for rows in (other, other.iloc[order]))
    tables = [comparison_table(judge(one, "churned", n_replicates=5), ["knows"]) for one in (sorted_, mixed)]
    pd.testing.assert_frame_equal(*tables)


def test_customers_are_drawn_with_all_their_cutoffs() -> None:
    twice = pd.concat([CHURN, CHURN.assign(cutoff=2)], ignore_index=True)
    once, both = (score_table(judge(one, "churned", n_replicates=200)) for one in (CHURN, twice))
    widths = [(one["upper"] - one["lower"])[one["score"] == "brier"].to_numpy() for one in (once, both)]
    # The same customers seen twice are no more customers: rows drawn by themselves would be 0.7 as wide.
    assert (widths[1] > 0.85 * widths[0]).all()


def test_what_is_not_defined_is_left_out() -> None:
    nobody = judge(frame_of({"a": TRUTH, "b": NOISY}, np.zeros(600)), "churned", n_replicates=10)
    assert "auc" not in set(comparison_table(nobody, ["a"])["score"])
    assert score_table(nobody).loc[lambda one: one["score"] == "auc", "value"].isna().all()


def test_what_does_not_fit_is_said(judged: Judged) -> None:
    with pytest.raises(SettingsError, match=r"no target 'spend'.*churned"):
        judge(CHURN, "spend")
    with pytest.raises(SettingsError, match="no model 'trees'; there are knows, noisy, flat"):
        comparison_table(judged, ["trees"])
    with pytest.raises(SettingsError, match="confidence"):
        score_table(judged, confidence=1.0)
    fewer = CHURN.drop(index=CHURN.index[-1])
    with pytest.raises(DataError, match="flat was asked about 599 rows, knows about 600"):
        judge(fewer, "churned")
    with pytest.raises(DataError, match="probability"):
        judge(CHURN.assign(prediction=2.0), "churned")
