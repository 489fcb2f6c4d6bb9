"""Rounds of one offer: any order, forgetting, plain data and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from habitue.errors import SettingsError
from habitue.experiments import MeasuredEffect, combine_rounds

DAY = date(2024, 3, 1)
FIRST = MeasuredEffect("spring", "voucher", "margin", 1.0, 0.5, 20.0, 900, 300, 210, DAY, DAY, 91, 0.01)
SECOND = replace(FIRST, experiment="summer", effect=2.0, se=0.25, n_accepted=None)
THIRD = replace(FIRST, experiment="autumn", effect=1.7, se=0.4, end=DAY + timedelta(days=180))


def test_order_does_not_count_and_acceptance_is_of_rounds_that_know_it() -> None:
    told = combine_rounds([FIRST, SECOND, THIRD])
    assert told == combine_rounds([THIRD, FIRST, SECOND])
    assert (told[0].n_rounds, told[0].n_accepted, told[0].n_asked) == (3, 420, 1800)


def test_a_round_half_a_life_old_counts_less() -> None:
    weights = {}
    for half_life in (None, 90.0):
        together = combine_rounds([replace(FIRST, effect=0.0, se=0.5), replace(THIRD, effect=1.0, se=0.5)],
                                  half_life=half_life)[0]  # fmt: skip
        weights[half_life] = together.effect
    assert weights[None] == pytest.approx(0.5)
    # Two half-lives: a quarter of the weight.
    assert weights[90.0] == pytest.approx(0.8)


def test_broken_experiments_do_not_count_and_one_may_not_count_twice() -> None:
    assert combine_rounds([FIRST, replace(SECOND, is_sound=False)])[0].n_rounds == 1
    with pytest.raises(SettingsError, match="told twice"):
        combine_rounds([FIRST, FIRST])
    with pytest.raises(SettingsError, match="half_life"):
        combine_rounds([FIRST], half_life=0.0)


def test_plain_data_and_back() -> None:
    assert MeasuredEffect.from_dict(SECOND.to_dict()) == SECOND
    with pytest.raises(SettingsError, match="measure again"):
        MeasuredEffect.from_dict({"offer": "voucher"})


def test_rounds_come_nearer_to_the_truth() -> None:
    draw = np.random.default_rng(0)
    rounds = [replace(FIRST, experiment=str(k), effect=1.5 + 0.5 * draw.normal()) for k in range(40)]
    few, many = combine_rounds(rounds[:4])[0], combine_rounds(rounds)[0]
    assert many.se < few.se / 2.0
    assert many.effect == pytest.approx(1.5, abs=3.0 * many.se)
