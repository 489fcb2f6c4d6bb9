"""Net Promoter Score and satisfaction: definitions, intervals that hold, answers off the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.scorecard import Measure, csat_mean, csat_top_two, nps

ANSWERS = st.lists(st.integers(0, 10), min_size=1, max_size=80)


@given(ANSWERS)
def test_the_score_is_that_of_the_definition(answers: list[int]) -> None:
    measure = nps(answers)
    promoters = sum(one in (9, 10) for one in answers)
    detractors = sum(one in range(7) for one in answers)
    assert measure.value == pytest.approx(100 * promoters / len(answers) - 100 * detractors / len(answers))
    assert -100.0 <= measure.lower <= measure.value <= measure.upper <= 100.0
    assert measure.n == len(answers)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_neither_order_nor_silence_counts(answers: list[int], chance: object) -> None:
    mixed = [*answers, np.nan, np.nan]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert nps(mixed) == nps(answers)


def test_where_all_are_of_one_mind_it_is_not_certain() -> None:
    few, many = nps([10] * 8), nps([10] * 800)
    assert few.value == many.value == 100.0
    assert few.lower < 60.0 < 98.0 < many.lower < 100.0


@pytest.mark.parametrize("measure", [nps, csat_mean, csat_top_two])
def test_where_nobody_answers_nothing_is_said(measure: object) -> None:
    for answers in ([], [np.nan]):
        told: Measure = measure(answers)  # type: ignore[operator]
        assert told.n == 0
        assert np.isnan([told.value, told.lower, told.upper]).all()
        assert told.to_dict()["definition"].endswith(".")


@pytest.mark.parametrize("scale", [(1, 5), (1, 7), (0, 10)])
def test_satisfaction_on_any_scale(scale: tuple[int, int]) -> None:
    low, high = scale
    answers = np.random.default_rng(1).integers(low, high + 1, 500)
    mean, top = csat_mean(answers, scale=scale), csat_top_two(answers, scale=scale)
    assert mean.value == pytest.approx(answers.mean())
    assert top.value == pytest.approx(np.isin(answers, [high - 1, high]).mean())
    for one in (mean, top):
        assert one.lower < one.value < one.upper
    assert f"from {low} to {high}" in mean.definition
    # Whoever is asked again on a scale that begins elsewhere, says the same.
    moved = csat_mean(answers + 3, scale=(low + 3, high + 3))
    assert (moved.value - 3, moved.lower - 3) == pytest.approx((mean.value, mean.lower))


def test_intervals_hold_as_often_as_they_say() -> None:
    rng, chances = np.random.default_rng(7), np.array([0.03, 0.07, 0.15, 0.4, 0.35])
    mean, top, held = float(chances @ np.arange(1, 6)), chances[3:].sum(), np.zeros(2)
    for _ in range(2_000):
        answers = rng.choice(np.arange(1, 6), 60, p=chances)
        for at, (one, true) in enumerate(((csat_mean(answers), mean), (csat_top_two(answers), top))):
            held[at] += one.lower <= true <= one.upper
    # Three standard errors of 2,000 draws are 0.015.
    assert held / 2_000 == pytest.approx(0.95, abs=0.02)


def test_one_answer_or_one_mind_has_no_interval_of_the_mean() -> None:
    for answers in ([4], [4, 4, 4]):
        told = csat_mean(answers)
        assert told.value == 4.0
        assert np.isnan([told.lower, told.upper]).all()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([10, 11, -1], r"2 answers of 3 are no whole number from 0 to 10, such as 11"),
        ([9.5], r"1 answer of 1 is no whole number from 0 to 10, such as 9\.5"),
        ([np.inf], "such as inf"),
        (["ten"], "must be numbers from 0 to 10"),
    ],
)
def test_answers_off_the_scale_are_told(answers: list[object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        nps(answers)  # type: ignore[arg-type]


def test_what_is_no_scale_or_confidence_is_told() -> None:
    with pytest.raises(SettingsError, match=r"from its worst answer to its best"):
        csat_mean([1], scale=(5, 1))
    with pytest.raises(SettingsError, match="confidence"):
        nps([1], confidence=95)
