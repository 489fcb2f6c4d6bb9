"""Windows: a cutoff and days ahead, or a sentence."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SettingsError
from habitue.snapshots import Window


@pytest.mark.parametrize(
    "cutoff",
    [
        "1997-09-30",
        dt.date(1997, 9, 30),
        dt.datetime(1997, 9, 30, 23),
        pd.Timestamp("1997-09-30"),
        np.datetime64("1997-09-30"),
    ],
)
@pytest.mark.parametrize("horizon", [273, 273.0, np.int64(273)])
def test_days_as_users_have_them(cutoff, horizon):
    window = Window(cutoff, horizon)
    assert (window.cutoff, window.horizon, window.end) == (dt.date(1997, 9, 30), 273, dt.date(1998, 6, 30))
    assert str(window) == "(1997-09-30, 1998-06-30]"
    assert window == Window("1997-09-30", horizon=273)
    assert len({window, Window("1997-09-30", horizon=273)}) == 1


@pytest.mark.parametrize("horizon", [0, -1, 1.5, True, None, "90", float("nan"), float("inf"), [90]])
def test_impossible_horizons(horizon):
    with pytest.raises(SettingsError, match="horizon must be a whole number of days above 0; got"):
        Window("1997-09-30", horizon)


def test_a_horizon_beyond_the_calendar():
    with pytest.raises(SettingsError, match="ends after the year 9999; choose fewer days"):
        Window("1997-09-30", horizon=10**9)


@pytest.mark.parametrize("cutoff", ["yesterday", "", None, "31/12/2020", 5, pd.NaT, "2020-02-30"])
def test_impossible_cutoffs(cutoff):
    with pytest.raises(SettingsError, match="cutoff must be a day such as '1997-09-30'; got"):
        Window(cutoff, 30)
