"""Records that come as ever are quiet; what stops, halves, empties or is new is heard."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from habitue.evaluation.drift import judged
from habitue.evaluation.record_drift import (
    level_checks,
    missing_checks,
    set_aside_check,
    silence_check,
    volume_check,
)

RHYTHM = np.array([40.0, 40.0, 45.0, 50.0, 60.0, 80.0, 0.0])  # Monday to Sunday: shut on Sundays


def counts(n_days: int = 400, seed: int = 0) -> pd.Series:
    days = pd.date_range("2023-01-02", periods=n_days)
    means = RHYTHM[days.day_of_week]
    return pd.Series(np.random.default_rng(seed).poisson(means), index=days)


def alarms(*checks: object) -> list[str]:
    there = [one for one in checks if one is not None]
    table = judged(there, rate=0.01)  # pyright: ignore[reportArgumentType]
    return table.loc[table["alarm"].astype("bool"), "test"].tolist()


def test_a_weekly_rhythm_is_no_alarm_whichever_day_it_is_looked_at() -> None:
    heard = [
        name
        for seed in range(5)
        for end in range(393, 400)
        for name in alarms(
            volume_check("sales", counts(seed=seed)[:end]), silence_check("sales", counts(seed=seed)[:end])
        )
    ]
    assert heard == []


def test_a_source_that_stops_is_heard_within_days_and_a_day_shut_as_ever_is_not() -> None:
    usual = counts()
    for days, expected in ((1, []), (4, ["silence"])):
        silent = usual.copy()
        silent.iloc[-days:] = 0
        assert alarms(silence_check("sales", silent)) == expected


def test_a_silence_as_long_as_last_christmas_is_no_alarm() -> None:
    usual = counts()
    usual.iloc[350:355] = 0
    usual.iloc[-5:] = 0
    assert alarms(silence_check("sales", usual)) == []


def test_volume_that_halves_is_heard_unless_it_did_so_last_year() -> None:
    usual = counts(500)
    usual.iloc[-28:] //= 3
    assert alarms(volume_check("sales", usual)) == ["Welch, weeks"]
    usual.iloc[-28 - 364 : -364] //= 3
    check = volume_check("sales", usual)
    assert check is not None
    assert check.seasonal
    assert alarms(check) == []


def test_too_short_a_log_is_not_judged() -> None:
    assert volume_check("sales", counts(70)) is None
    assert silence_check("sales", counts(20)) is None
    assert silence_check("sales", counts(90) * 0) is None


@pytest.mark.parametrize(("share", "expected"), [(0.1, []), (0.5, ["Welch, weeks"]), (1.0, ["Welch, weeks"])])
def test_a_column_that_empties_is_heard(share: float, expected: list[str]) -> None:
    rows, rng = counts(), np.random.default_rng(1)
    chance = np.where(np.arange(len(rows)) < len(rows) - 28, 0.1, share)
    missing = pd.DataFrame({"channel": rng.binomial(rows, chance)}, index=rows.index)
    assert alarms(*missing_checks("sales", rows, missing)) == expected


def test_a_new_level_is_heard_where_it_is_not_rare() -> None:
    def levels(n_level: int) -> pd.DataFrame:
        row = {"column": "channel", "level": "<app>", "n_level": n_level, "n_recent": 400, "n_before": 4000}
        return pd.DataFrame([row])

    assert alarms(*level_checks("sales", levels(4))) == []
    assert alarms(*level_checks("sales", levels(40))) == ["new level"]
    assert alarms(*level_checks("sales", levels(0))) == []


def test_rows_set_aside_are_compared_with_those_before() -> None:
    since = date(2024, 1, 1)
    assert alarms(set_aside_check("sales", (1100, 11), (1000, 10), since)) == []
    assert alarms(set_aside_check("sales", (1100, 60), (1000, 10), since)) == ["chi-squared"]
    assert set_aside_check("sales", (1000, 10), (1000, 10), since) is None
    assert set_aside_check("sales", (900, 10), (1000, 10), since) is None
