"""Verdicts follow the numbers, whatever way a score points."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import SchemaError
from habitue.report.rivals import Leaderboard, read_leaderboard


def board(
    score: str, ours: tuple[float, ...], theirs: tuple[float, ...], champion: str = "ours"
) -> Leaderboard:
    rows = [("ours", score, *ours), ("theirs", score, *theirs)]
    frame = pd.DataFrame(rows, columns=["model", "score", "value", "lower", "upper"])
    return read_leaderboard(frame, question="churn", champions=[champion])


NAN = float("nan")


@pytest.mark.parametrize(
    ("score", "ours", "theirs", "verdict"),
    [
        ("auc", (0.8, 0.78, 0.82), (0.7, 0.68, 0.72), "clearly better"),
        ("AUC", (0.8, 0.78, 0.82), (0.79, 0.77, 0.81), "better"),
        ("roc_auc", (0.7, 0.68, 0.72), (0.8, 0.78, 0.82), "clearly worse"),
        ("brier", (0.1, 0.09, 0.11), (0.2, 0.19, 0.21), "clearly better"),
        ("rmse", (5.0, 4.0, 6.0), (4.5, 4.2, 4.8), "worse"),
        ("bias", (0.1, -0.2, 0.4), (-9.0, -10.0, -8.0), "clearly better"),
        ("bias", (-9.0, -10.0, -8.0), (0.1, -0.2, 0.4), "clearly worse"),
        ("slope", (1.0, 0.9, 1.1), (0.4, 0.3, 0.5), "clearly better"),
        ("auc", (0.8, NAN, NAN), (0.1, NAN, NAN), "better"),
        ("auc", (0.8, 0.7, 0.9), (0.8, 0.7, 0.9), "level"),
        ("top decile lift", (3.0, 2.8, 3.2), (1.0, 0.8, 1.2), "clearly better"),
    ],
)
def test_verdict(score: str, ours: tuple[float, ...], theirs: tuple[float, ...], verdict: str) -> None:
    (comparison,) = board(score, ours, theirs).comparisons
    assert comparison.verdict == verdict


def test_sentence_of_a_defeat_does_not_sound_like_a_victory() -> None:
    read = board("auc", (0.7, 0.68, 0.72), (0.8, 0.78, 0.82))
    assert read.comparisons[0].sentence == (
        "ours does not beat theirs, which is clearly better: 0.700 against 0.800, and the 95 % intervals "
        "do not overlap."
    )
    assert read.verdict == "ours clearly beats 0 of 1 rival and is clearly beaten by 1"
    assert read.boards[0].leader == "theirs"


def test_unknown_score_gets_no_verdict() -> None:
    read = board("flair", (0.8, 0.7, 0.9), (0.1, 0.0, 0.2))
    assert read.comparisons == ()
    assert read.verdict is None
    assert read.boards[0].best is None


def test_champion_that_is_not_in_the_table_is_not_compared() -> None:
    read = board("auc", (0.8, 0.7, 0.9), (0.1, 0.0, 0.2), champion="nobody")
    assert (read.champion, read.comparisons) == (None, ())
    assert "not in this table" in read.summary[0]


def test_missing_column_is_named() -> None:
    with pytest.raises(SchemaError, match="lacks lower, upper"):
        read_leaderboard(
            pd.DataFrame({"model": [], "score": [], "value": []}), question="churn", champions=[]
        )


triples = st.lists(st.floats(0.01, 10.0), min_size=3, max_size=3).map(
    lambda x: (sorted(x)[1], min(x), max(x))
)


@given(st.sampled_from(["auc", "rmse", "bias", "slope"]), triples, triples)
def test_swapping_the_two_turns_the_verdict(score: str, a: tuple[float, ...], b: tuple[float, ...]) -> None:
    opposite = {"better": "worse", "clearly better": "clearly worse", "level": "level"}
    opposite |= {worse: better for better, worse in opposite.items()}
    assert board(score, b, a).comparisons[0].verdict == opposite[board(score, a, b).comparisons[0].verdict]
