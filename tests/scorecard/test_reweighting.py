"""Answers that depend on who answers: weights recover what everybody would have said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.scorecard.reweighting import reweighted_mean, reweighted_nps, reweighted_top, weigh

COLUMNS = ("segment", "band")
PROMOTES = {"gold": 0.7, "silver": 0.4, "basic": 0.1}
ANSWERS = {"gold": 0.5, "silver": 0.2, "basic": 0.08}


def draw_base(rng: np.random.Generator, n: int = 1_500) -> tuple[pd.DataFrame, float]:
    """Draw a base of which the happy segment answers most, and what all would say on average."""
    segment = rng.choice(list(PROMOTES), n, p=[0.2, 0.3, 0.5])
    band = rng.choice(["often", "seldom"], n)
    promotes = np.array([PROMOTES[one] for one in segment])
    score = np.where(rng.uniform(size=n) < promotes, 10.0, np.where(rng.uniform(size=n) < 0.5, 7.0, 2.0))
    answered = rng.uniform(size=n) < np.array([ANSWERS[one] for one in segment])
    base = pd.DataFrame({"segment": segment, "band": band, "answer": np.where(answered, score, np.nan)})
    mean = 0.2 * 0.7 + 0.3 * 0.4 + 0.5 * 0.1
    return base, 100.0 * (mean - 0.5 * (1.0 - mean))


def test_the_truth_is_recovered_where_the_plain_score_misses_it() -> None:
    rng, draws, held, raw_held, values = np.random.default_rng(1), 80, 0, 0, []
    told = reweighted_nps("answer", COLUMNS, confidence=0.95)
    plain = reweighted_nps("answer", ("everybody",), confidence=0.95)
    for _ in range(draws):
        base, true = draw_base(rng)
        one, raw = told(base), plain(base.assign(everybody="all"))
        held += one.lower <= true <= one.upper
        raw_held += raw.lower <= true <= raw.upper
        values.append(one.value)
    # Four standard errors, here and of the mean.
    assert held / draws >= 0.95 - 4.0 * np.sqrt(0.95 * 0.05 / draws)
    assert raw_held / draws < 0.1
    assert abs(np.mean(values) - true) < 4.0 * np.std(values) / np.sqrt(draws)


def test_the_note_says_who_is_heard_too_often() -> None:
    base, _ = draw_base(np.random.default_rng(2))
    told = reweighted_nps("answer", COLUMNS, confidence=0.95)(base)
    assert "answers of equal weight" in told.note
    assert "segment basic give" in told.note or "segment gold give" in told.note
    assert told.n == base["answer"].notna().sum()


@given(st.integers(0, 200), st.integers(30, 300))
def test_weights_give_the_shares_of_the_base(seed: int, n: int) -> None:
    base, _ = draw_base(np.random.default_rng(seed), n)
    base.loc[0, "answer"] = 5.0
    who = weigh(base, "answer", COLUMNS)
    assert len(who.said) == base["answer"].notna().sum()
    assert who.weights.mean() == pytest.approx(1.0)
    assert (who.weights > 0.0).all()
    mixed = base.sample(frac=1.0, random_state=seed)
    again = weigh(mixed, "answer", COLUMNS)
    assert sorted(again.weights) == pytest.approx(sorted(who.weights))


@given(st.integers(0, 100))
def test_where_all_answer_it_is_the_plain_number(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = pd.DataFrame(
        {"segment": rng.choice([*"abc"], 60), "band": "one", "answer": rng.integers(1, 6, 60).astype(float)}
    )
    mean = reweighted_mean("answer", COLUMNS, (1, 5), confidence=0.95)(base)
    top = reweighted_top("answer", COLUMNS, 5, confidence=0.95)(base)
    assert mean.value == pytest.approx(base["answer"].mean())
    assert top.value == pytest.approx((base["answer"] >= 4).mean())
    assert 1.0 <= mean.lower <= mean.value <= mean.upper <= 5.0
    assert 0.0 <= top.lower <= top.value <= top.upper <= 1.0
    assert mean.note.endswith("who answered is like the base")


def test_few_answers_and_answers_of_one_mind_are_told_as_such() -> None:
    base = pd.DataFrame({"segment": [*"aab"], "band": "one", "answer": [4.0, np.nan, np.nan]})
    told = reweighted_mean("answer", COLUMNS, (1, 5), confidence=0.95)(base)
    assert (told.value, told.n) == (4.0, 1)
    assert np.isnan([told.lower, told.upper]).all()
    alike = pd.DataFrame({"segment": [*"ab"] * 20, "band": "one", "answer": 10.0})
    nps = reweighted_nps("answer", COLUMNS, confidence=0.95)(alike)
    assert nps.value == pytest.approx(100.0)
    assert nps.lower < 90.0
