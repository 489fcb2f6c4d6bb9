"""What models are given at a cutoff: the base now, and earlier ones with known outcomes.

What has to be learned of the population (usual prices, levels of attributes) is learned at the first of the
earlier cutoffs, so that no row that is learned from sees beyond its own day; and it is carried to scoring.
Features that are the same for everybody at the cutoff are left out: a model that learned from them would
learn what it can never use. That holds for the day of the year of the cutoff above all: from cutoffs of half
a year, trees would only learn which was which. Where they reach back a year it says something, and stays if
it was asked for; how much of it is the season and how much that one year they cannot know
(:mod:`habitue.evaluation.seasons` is for models that can).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from habitue.errors import HabitueWarning
from habitue.evaluation.seasons import with_day_of_year
from habitue.features import LITERATURE
from habitue.models.season import DAY_OF_YEAR
from habitue.numerics.discounting import DAYS_PER_YEAR
from habitue.records import CustomerLog
from habitue.snapshots import Population, Snapshot, Window, learn_population, take_snapshots
from habitue.snapshots.snapshot import churn_told_by, history_of

__all__ = ["Known", "silent_features", "what_is_known"]

_FEW = 100
"""Of fewer customers a feature may well be the same for all of them by chance: nobody is warned."""


class Known(NamedTuple):
    """What can be learned from at a cutoff.

    Attributes
    ----------
    now : Snapshot
        The base at the cutoff.
    past : tuple of Snapshot
        Earlier ones whose outcomes were known by then, in order of time.
    population : Population
        What their features needed to be learned before.
    silent : Mapping[str, str]
        Features that were left out, and what they are for everybody.
    """

    now: Snapshot
    past: tuple[Snapshot, ...]
    population: Population
    silent: Mapping[str, str]


def what_is_known(
    log: CustomerLog,
    window: Window,
    earlier: Sequence[Window],
    features: Sequence[str] | None = None,
    *,
    keep: Collection[str] = (),
    churn: str | None = None,
    calendar: bool = False,
) -> Known:
    """Take the snapshots that models of a cutoff learn from, without features that would say nothing then.

    Parameters
    ----------
    log : CustomerLog
        The records.
    window : Window
        The cutoff and horizon to predict.
    earlier : sequence of Window
        To learn from, in order of time; their outcomes must be known by the cutoff.
    features : sequence of str, optional
        Columns of X besides the literature's; all that the log allows where None.
    keep : collection of str
        Columns that stay, whatever they say.
    churn : {"transactions", "contracts"}, optional
        The records that tell churn, as `habitue.snapshots.take_snapshot`.
    calendar : bool
        Whether X tells the day of the year of its cutoff, for models that read it
        (`habitue.evaluation.seasons.reads_day_of_year`).

    Returns
    -------
    Known

    Raises
    ------
    DataError, SettingsError
        As `habitue.snapshots.take_snapshot`.

    Warns
    -----
    HabitueWarning
        Where a feature that was asked for says nothing at the cutoff, or one that told customers apart
        before does so no longer: its records may have stopped.

    Examples
    --------
    >>> import habitue as hb
    >>> window, before = Window("1997-12-30", horizon=91), Window("1997-09-30", horizon=91)
    >>> known = what_is_known(hb.datasets.cdnow(sample=True), window, [before])
    >>> known.now.X.shape == known.past[0].X.shape, sorted(known.silent)
    (True, ['days_since_return', 'n_returns', 'season_share'])
    """
    told_by = churn_told_by(log, churn)
    population = learn_population(history_of(log, earlier[0].cutoff, told_by)) if earlier else Population()
    *past, now = take_snapshots(log, [*earlier, window], features, population=population, churn=told_by)
    kept = {*keep, *(feature.name for feature in LITERATURE)}
    if _reaches_back_a_year(window, earlier):
        kept.add(DAY_OF_YEAR)
    silent = {name: told for name, told in silent_features(now.X).items() if name not in kept}
    if silent and len(now.X) >= _FEW:
        _warn(silent, window, past, features)
    *past, now = (_without(one, silent) for one in (*past, now))
    if calendar:
        *past, now = (with_day_of_year(one) for one in (*past, now))
    return Known(now, tuple(past), population, silent)


def _reaches_back_a_year(window: Window, earlier: Sequence[Window]) -> bool:
    """Tell whether models learn from a window about a year before, half of it at least the same days."""
    apart = [(window.cutoff - one.cutoff).days for one in earlier]
    return any(days >= DAYS_PER_YEAR - 0.5 * window.horizon for days in apart)


def _without(snapshot: Snapshot, silent: Collection[str]) -> Snapshot:
    spoken = [name for name in snapshot.X.columns if name not in silent]
    features = tuple(one for one in snapshot.features if one.name not in silent)
    return replace(snapshot, X=snapshot.X.loc[:, spoken], features=features)


def silent_features(X: pd.DataFrame) -> dict[str, str]:
    """Return the features that are the same for everybody, and what they are: nothing is told by them.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        At one cutoff.

    Returns
    -------
    dict of str
        Name to "missing" or the one value.

    Examples
    --------
    >>> silent_features(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 3.0], "c": [None, None]}, dtype="float64"))
    {'b': '3', 'c': 'missing'}
    """
    values = X.to_numpy()
    first = values[:1]
    same = ((values == first) | (np.isnan(values) & np.isnan(first))).all(axis=0)
    return {
        str(name): "missing" if np.isnan(value) else f"{value:g}"
        for name, value, is_same in zip(X.columns, first[0], same, strict=True)
        if is_same
    }


def _warn(
    silent: Mapping[str, str], window: Window, past: Sequence[Snapshot], features: Sequence[str] | None
) -> None:
    before = silent_features(past[-1].X) if past else silent
    told = [name for name in silent if name in (features or ()) or name not in before]
    if told:
        listed = ", ".join(f"{name} ({silent[name]})" for name in told)
        warnings.warn(
            f"Left out, as it is the same for every customer at {window.cutoff}: {listed}. If its records "
            "have stopped, a model that learned from them would be wrong from then on.",
            HabitueWarning,
            stacklevel=4,
        )
