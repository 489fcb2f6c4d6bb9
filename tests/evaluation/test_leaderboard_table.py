"""Standings: who is ranked where, who wins beyond chance, and that the words say it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.evaluation.leaderboard import mean_ranks, oriented, ranked, standings
from habitue.evaluation.leaderboard_words import figure, markdown_table, tally, verdicts
from habitue.evaluation.scores import SCORES, Score

N = 600


def rows(target: str, model: str, outcome: np.ndarray, prediction: np.ndarray) -> pd.DataFrame:
    told = {"customer_id": np.arange(len(outcome)), "outcome": outcome, "prediction": prediction}
    return pd.DataFrame(told).assign(target=target, model=model)


@pytest.fixture(scope="module")
def churn() -> pd.DataFrame:
    """Return what three models say of churn: one that knows, one that half knows, one that knows nothing."""
    rng = np.random.default_rng(0)
    chance = rng.beta(0.6, 0.6, N)
    left = (rng.uniform(size=N) < chance) * 1.0
    half = 0.5 + 0.3 * (chance - 0.5) + 0.2 * (rng.uniform(size=N) - 0.5)
    told = [("knows", chance), ("half knows", half), ("the mean", np.full(N, left.mean()))]
    return pd.concat([rows("churned", name, left, said) for name, said in told])


@pytest.mark.parametrize(
    "score", [one for target in SCORES for one in SCORES[target]], ids=lambda one: one.name
)
def test_every_score_turned_prefers_the_truth(score: Score) -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.05, 0.95, 2000)
    churned = (rng.uniform(size=2000) < truth) * 1.0
    outcome = churned if score.target == "churned" else rng.gamma(2.0, 100.0 * truth)
    right = truth if score.target == "churned" else 200.0 * truth
    # Wrong in size, in order and in spread at once.
    wrong = np.clip(0.2 + 0.4 * right[::-1], 0.0, 1.0) if score.target == "churned" else 3.0 * right[::-1]
    turned = oriented(score)
    assert turned(outcome, right) > turned(outcome, wrong)
    assert turned.greater_is_better


def test_who_knows_is_first_and_ranks_are_places(churn: pd.DataFrame) -> None:
    found = standings(churn, ["knows"], n_replicates=60)
    for score in ("auc", "brier", "log_loss", "average_precision"):
        places = found.scores.loc[found.scores["score"] == score].set_index("model")["rank"]
        assert places.to_dict() == {"knows": 1.0, "half knows": 2.0, "the mean": 3.0}
    places_of = found.scores.pivot(index="score", columns="model", values="rank").to_numpy()
    assert set(places_of.sum(axis=1)) == {6.0}


def test_a_duel_is_with_the_best_rival_and_its_sign_is_ours(churn: pd.DataFrame) -> None:
    ahead = standings(churn, ["knows"], n_replicates=60).duels.set_index("score")
    behind = standings(churn, ["the mean"], n_replicates=60).duels.set_index("score")
    assert ahead.loc[["auc", "brier", "log_loss"], "rival"].tolist() == ["half knows"] * 3
    assert behind.loc[["auc", "brier", "log_loss"], "rival"].tolist() == ["knows"] * 3
    assert (ahead.loc[["auc", "brier", "log_loss"], "lower"] > 0.0).all()
    assert (behind.loc[["auc", "brier", "log_loss"], "upper"] < 0.0).all()


def test_models_of_ones_own_are_no_rivals(churn: pd.DataFrame) -> None:
    found = standings(churn, ["knows", "half knows"], n_replicates=20)
    assert set(found.duels["rival"]) == {"the mean"}


def test_equals_are_level_and_share_a_place(churn: pd.DataFrame) -> None:
    same = churn.loc[churn["model"] == "knows"]
    found = standings(pd.concat([same, same.assign(model="twin")]), ["knows"], n_replicates=40)
    assert set(found.scores["rank"]) == {1.5}
    assert not found.duels[["gain", "lower", "upper"]].to_numpy().any()
    (told,) = verdicts(found)
    assert "does **not** win by any score" in told
    assert "level with twin" in told
    assert "behind" not in told


def test_what_differs_in_rounding_only_shares_a_place() -> None:
    columns = ["target", "model", "score", "value", "lower", "upper"]
    values = [("a", 30.41230001), ("b", 30.41230002), ("c", 30.4133)]
    told = [("spend", name, "mae", value, value, value) for name, value in values]
    table = ranked(pd.DataFrame(told, columns=columns))
    assert table["rank"].tolist() == [1.5, 1.5, 3.0]


def test_a_bias_below_is_as_bad_as_one_above() -> None:
    rng = np.random.default_rng(2)
    spent = rng.gamma(1.0, 50.0, N)
    told = [("ours", 0.8 * spent), ("high", 1.5 * spent), ("low", 0.4 * spent), ("right", 1.001 * spent)]
    frame = pd.concat([rows("spend", name, spent, said) for name, said in told])
    found = standings(frame, ["ours"], n_replicates=40)
    places = found.scores.loc[found.scores["score"] == "bias"].set_index("model")["rank"]
    assert places.to_dict() == {"right": 1.0, "ours": 2.0, "high": 3.0, "low": 4.0}
    duel = found.duels.set_index("score").loc["bias"]
    assert duel["gain"] == pytest.approx(-0.199, abs=1e-9)
    assert "bias (behind right: -0.1990" in verdicts(found)[0]


def test_what_is_not_defined_is_last() -> None:
    columns = ["target", "model", "score", "value", "lower", "upper"]
    table = ranked(
        pd.DataFrame(
            [
                ("spend", "zero", "spearman", np.nan, np.nan, np.nan),
                ("spend", "wrong", "spearman", -0.5, -0.6, -0.4),
            ],
            columns=columns,
        )
    )
    assert table.set_index("model")["rank"].to_dict() == {"zero": 2.0, "wrong": 1.0}
    assert "| zero | – |" in markdown_table(table, "spend")


def test_a_customer_seen_twice_is_drawn_whole() -> None:
    """Twice the same rows are no more evidence: intervals stay as wide as those of the rows once."""
    rng = np.random.default_rng(3)
    chance = rng.uniform(size=200)
    once = rows("churned", "a", (rng.uniform(size=200) < chance) * 1.0, chance)
    width = {}
    for name, frame in (("once", once), ("twice", pd.concat([once, once]))):
        found = standings(frame, [], n_replicates=200).scores.set_index("score").loc["auc"]
        width[name] = found["upper"] - found["lower"]
    assert width["twice"] == pytest.approx(width["once"], rel=0.25)


def test_words_and_tables_say_who_wins(churn: pd.DataFrame) -> None:
    found = standings(churn, ["knows"], n_replicates=60)
    (told,) = verdicts(found)
    assert "auc (next: half knows, +" in told
    table = markdown_table(
        found.scores, "churned", ours=["knows"], published={"a paper (a place)": {"auc": 0.9}}
    )
    head, _, first, *_, last = table.splitlines()
    assert "auc ↑" in head
    assert "brier ↓" in head
    assert "calibration slope → 1" in head
    assert first.startswith("| knows ★ | **0.")
    assert last.startswith("| *published: a paper (a place)* | 0.9000 | – |")
    (sentence,) = tally([found.duels, found.duels])
    n = 2 * len(SCORES["churned"])
    assert f"{n} comparisons" in sentence


def test_mean_ranks_are_over_tables_and_in_the_order_of_targets(churn: pd.DataFrame) -> None:
    found = standings(churn, [], n_replicates=5).scores
    spent = ranked(found.assign(target="spend", score="mae", value=[*range(len(found))]))
    table = mean_ranks([spent, found, found])
    assert list(dict.fromkeys(table["target"])) == ["churned", "spend"]
    first = table.iloc[0]
    assert (first["model"], first["n_data"], first["n_scores"]) == ("knows", 2, 2 * len(SCORES["churned"]))
    for _, rows_of in table.groupby("target"):
        assert rows_of["mean_rank"].is_monotonic_increasing
    assert mean_ranks([]).empty


def test_figures_have_the_digits_they_deserve() -> None:
    assert [figure(one) for one in (0.84523, -0.0, 9.876, 99.5, 123.45, 2955.4, np.nan)] == [
        "0.8452",
        "-0.0000",
        "9.876",
        "99.50",
        "123.5",
        "2,955",
        "–",
    ]
