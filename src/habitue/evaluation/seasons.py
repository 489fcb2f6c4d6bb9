"""The season that was known at a day, and models that are given it: nothing after that day counts.

What a model of purchases without seasons expects of each week is compared with what came
(:mod:`habitue.evaluation.tracking_curves`); the rest is numerics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone

from habitue.evaluation.newcomers import CELLS_AT_ONCE, cohorts_of
from habitue.evaluation.tracking_curves import tracking
from habitue.features.context import cutoff_day_of_year
from habitue.models import BGNBD
from habitue.models.season import DAY_OF_YEAR, YearlySeason, reads_day_of_year
from habitue.models.seasonal_purchases import YEARLY, SeasonalPurchases
from habitue.models.small_bases import fit_steadily
from habitue.numerics.many_rows import blocks
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot, Window, take_snapshot

__all__ = ["reads_day_of_year", "season_of", "with_day_of_year", "with_season"]

M = TypeVar("M", bound=BaseEstimator)

FloatArray = npt.NDArray[np.float64]

_ROUNDS: Final = 2
"""Times that the model is fitted again by the clock of the season found so far."""
_SOON: Final = 1e-3  # days after the first purchase; formulas take times above 0


def season_of(
    log: CustomerLog, until: date | str, *, model: Any = None, n_harmonics: int = 6, step: int = 7
) -> YearlySeason:
    """Learn the profile of the year from the repeat purchases that were known at a day.

    Parameters
    ----------
    log : CustomerLog
        The records; what comes after `until` is not read.
    until : date or str
        The last day that counts.
    model : estimator, optional
        Unfitted model of purchases without covariates, which says how many repeat purchases were to be
        expected of the customers there were; `BGNBD` where None.
    n_harmonics : int, default 6
        Harmonics of the year.
    step : int, default 7
        Days of a period.

    Returns
    -------
    YearlySeason
        With how sure it is: three years tell a season, one cannot tell it from a trend or from what happened
        once, and of months that were never seen it says what was believed before.

    Raises
    ------
    DataError
        If the day lies outside the log, or nobody was to come back yet.
    SettingsError
        If `step` is below 1.
    FitError
        If the model cannot be fitted to the customers known then.

    Notes
    -----
    A model without seasons takes a low season for customers who left, and expects too few afterwards. So it
    is fitted again by the clock of the season found (`SeasonalPurchases`), and the season learned again from
    what that model expects in weeks of an average season; two rounds are enough.

    Examples
    --------
    >>> import habitue as hb
    >>> season = season_of(hb.datasets.cdnow(sample=True), until="1998-06-30")
    >>> season.n_days, len(season.coefficients)
    (546, 12)
    """
    # One day ahead is the shortest window there is; its period is left out.
    window = Window(until, horizon=1)
    X = with_day_of_year(take_snapshot(log, window, [])).X
    plain = BGNBD() if model is None else model
    weeks = tracking(log, fit_steadily(plain, X), window, step=step)
    weeks = weeks[~weeks["is_holdout"]]
    end, actual = pd.DatetimeIndex(weeks["end"]), weeks["actual"]
    n_days = np.asarray(weeks["n_days"], dtype=np.float64)
    season = YearlySeason.learned(end, n_days, weeks["expected"], actual, n_harmonics=n_harmonics)
    ends = (weeks["end"] - pd.Timestamp(window.cutoff)).dt.days.to_numpy(dtype=np.float64)
    for _ in range(_ROUNDS):
        seasonal = SeasonalPurchases(model=plain, season=season).fit(X)
        told = _expected(seasonal, X, ends, n_days)
        season = YearlySeason.learned(end, n_days, told, actual, n_harmonics=n_harmonics)
    return season


def _expected(model: Any, X: pd.DataFrame, ends: FloatArray, n_days: FloatArray) -> FloatArray:
    """Return the repeat purchases of each period, as if it were one of an average season."""
    season, day = model.season, float(X[DAY_OF_YEAR].iloc[0])
    cohorts = cohorts_of(X[["T"]].assign(n=1), [])
    began = season.exposure(day, -cohorts["T"].to_numpy(dtype=np.float64))
    n = cohorts["n"].to_numpy(dtype=np.float64)
    edges = np.append(ends[0] - n_days[0], ends)
    clock = season.exposure(day, edges)
    formula = model.purchases_._formulas().expected_purchases_new
    until = np.empty(clock.size)
    for some in blocks(clock.size, max(1, CELLS_AT_ONCE // n.size)):
        age = clock[some, None] - began
        until[some] = np.where(age > 0.0, formula(model.params_, np.maximum(age, _SOON)), 0.0) @ n
    return np.diff(until) * n_days / np.diff(clock)


def with_season(model: M, log: CustomerLog, until: date | str) -> M:
    """Give a model, and those inside it, the season that was known at a day, where it asks for one.

    Parameters
    ----------
    model : estimator
        Left as it is. Every parameter called season that is "yearly" is set, however deep scikit-learn's
        `get_params` finds it, and in models that stand in a mapping, as those of a stack do.
    log : CustomerLog
        The records.
    until : date or str
        The last day that counts.

    Returns
    -------
    estimator
        The model itself where it asks for no season, else an unfitted copy that has one.

    Examples
    --------
    >>> import habitue as hb
    >>> from habitue.models.seasonal_purchases import SeasonalPurchases
    >>> ready = with_season(SeasonalPurchases(), hb.datasets.cdnow(sample=True), "1997-12-31")
    >>> type(ready.season).__name__
    'YearlySeason'
    """
    return _given(model, cache(lambda: season_of(log, until)))


def _given(model: M, season: Callable[[], YearlySeason]) -> M:
    """Return the model with the season, which is learned only where it is asked for."""
    asked: dict[str, Any] = {}
    for name, value in model.get_params().items():
        if name.rpartition("__")[2] == "season" and isinstance(value, str) and value == YEARLY:
            asked[name] = season()
        elif isinstance(value, Mapping):
            inside = {key: _given(one, season) for key, one in value.items()}
            if any(inside[key] is not one for key, one in value.items()):
                asked[name] = inside
    if not asked:
        return model
    fresh: Any = clone(model)
    return fresh.set_params(**asked)


def with_day_of_year(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the day of the year of its cutoffs, for models that read it.

    Parameters
    ----------
    snapshot : Snapshot
        Of one cutoff, or stacked.

    Notes
    -----
    To all other models the column is useless or worse: at one cutoff it is the same for everybody, and of
    few cutoffs trees would learn which was which.
    """
    X = snapshot.X
    if DAY_OF_YEAR in X.columns:
        return snapshot
    stacked = "cutoff" in X.index.names
    days = pd.DatetimeIndex(X.index.get_level_values("cutoff") if stacked else [snapshot.window.cutoff])
    told = days.day_of_year.to_numpy(dtype="float64")
    added = X.assign(**{DAY_OF_YEAR: told if stacked else told[0]})
    return replace(snapshot, X=added, features=(*snapshot.features, cutoff_day_of_year))
