"""Whether customers today are like those that a model learned from: features, answers, and the law of buying.

A log grows older, and with it its customers: totals rise, silences grow longer, and nothing has changed. So
customers are compared with customers of the same age (days since the first purchase) at an earlier day, and
only up to an age that both days know. Each comparison is a `Check`: how likely chance alone makes it so
large, and how large it is. Both count: of a million customers everything is significant, and of fifty any
difference may be chance. `judged` takes the checks of a model together.

The same people stand in both samples, at different ages. What a customer is like then and now goes along, so
that two samples differ less than independent ones would: tests are on the safe side (docs: explanation,
drift). This module reads no record; see `habitue.pipelines.monitoring.monitor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.evaluation.ranking import FloatArray
from habitue.models.season import DAY_OF_YEAR
from habitue.numerics.drift import (
    chi_squared_test,
    effective_size,
    ks_test,
    matching_weights,
    population_stability_index,
)
from habitue.numerics.many_tests import holm
from habitue.vocabulary import VOCABULARY

__all__ = ["AGES", "CHECK_COLUMNS", "Alike", "Check", "alike", "columns_drift", "judged"]

AGES: Final = ("T", "contract_tenure")
"""Features that tell a customer's age, in days; the first that there is counts."""

_CLOCKS: Final = frozenset({*AGES, DAY_OF_YEAR})
"""Features that time itself moves: by them customers are matched, or they are the same for everybody."""

_N_GROUPS: Final = 20
_A_GROUP, _LEAST = 25, 10
"""Groups of age at most; customers of today in one, about; and those that it must have on both days."""

_FEW_VALUES: Final = 20
"""Up to so many different values are counted; more are numbers."""

_N_BINS: Final = 10

CHECK_COLUMNS: Final = (
    "kind", "what", "test", "p_value", "adjusted", "effect", "measure", "floor", "seasonal", "alarm", "told",
)  # fmt: skip
"""Columns of `judged`."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes
    ----------
    kind : {"input", "law", "score", "data", "performance"}
        What it is about.
    what : str
        The feature, answer, kind of record or score.
    test : str
        How p was found.
    p_value : float
        Probability of as large a difference if nothing had changed.
    effect : float
        How large the difference is, at least 0.
    measure : str
        What the effect is measured in.
    floor : float
        From which effect on it matters.
    told : str
        The sentence of its alarm.
    seasonal : bool
        Whether the same days last year were as today, so that it is no alarm.
    """

    kind: str
    what: str
    test: str
    p_value: float
    effect: float
    measure: str
    floor: float
    told: str
    seasonal: bool = False


def judged(checks: Sequence[Check], *, rate: float) -> pd.DataFrame:
    """Say which checks are alarms, all of them together at a stated rate of false ones.

    Parameters
    ----------
    checks : sequence of Check
        Of one model.
    rate : float
        Probability of any false alarm if nothing has changed, in (0, 1).

    Returns
    -------
    DataFrame
        Columns of `CHECK_COLUMNS`, a row a check, alarms first: ``adjusted`` is Holm's p-value; ``alarm``
        says that it is at most `rate`, the effect at least its floor, and the season no excuse.

    Examples
    --------
    >>> same = Check("input", "frequency", "KS", 0.4, 0.01, "PSI", 0.1, "")
    >>> other = Check("input", "spend_mean", "KS", 1e-6, 0.31, "PSI", 0.1, "Spend a purchase rose.")
    >>> judged([same, other], rate=0.01)[["what", "alarm"]].values.tolist()
    [['spend_mean', True], ['frequency', False]]
    """
    columns = [name for name in CHECK_COLUMNS if name not in {"adjusted", "alarm"}]
    table = pd.DataFrame([asdict(one) for one in checks], columns=columns)
    table["adjusted"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    found = (table["adjusted"] <= rate) & (table["effect"] >= table["floor"])
    table["alarm"] = found.astype("bool") & ~table["seasonal"].astype("bool")
    ranked = table.sort_values(["alarm", "adjusted", "effect"], ascending=[False, True, False], kind="stable")
    return ranked.loc[:, list(CHECK_COLUMNS)].reset_index(drop=True)


@dataclass(frozen=True)
class Alike:
    """Customers of two days who may be compared.

    Attributes
    ----------
    now, reference : ndarray of bool
        Which rows of either day.
    weights : ndarray of float
        Of the reference's chosen rows: by them each age counts as often as now.
    age : str
        The feature that tells the age; empty where there is none and all are compared as they are.
    oldest : float
        Days of age up to which customers are compared; infinite where there is no bound.
    """

    now: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.bool_]
    weights: FloatArray
    age: str
    oldest: float

    @property
    def size(self) -> float:
        """How many customers the weighted reference is worth."""
        return effective_size(self.weights)

    @property
    def enough(self) -> bool:
        """Whether there is anybody to speak of on both days."""
        return bool(self.now.sum() >= _LEAST and self.size >= _LEAST)


def alike(now: pd.DataFrame, reference: pd.DataFrame, *, oldest: float = np.inf) -> Alike:
    """Choose and weigh the customers of an earlier day who are as old as those of today.

    Parameters
    ----------
    now, reference : DataFrame
        X of either day.
    oldest : float
        Ages up to which both days know the whole history; see Notes.

    Returns
    -------
    Alike

    Notes
    -----
    Ages are cut into at most 20 groups of 25 customers of today or more; groups with fewer than 10 customers
    on either day are left out. A log that begins in the midst of a business takes old customers for new ones
    in its first weeks; `oldest` keeps them out.

    Examples
    --------
    >>> then = pd.DataFrame({"T": np.arange(100.0)})
    >>> pair = alike(pd.DataFrame({"T": np.arange(50.0, 250.0)}), then)
    >>> int(pair.now.sum()), int(pair.reference.sum())
    (50, 50)
    """
    age = next((name for name in AGES if name in now and name in reference), "")
    if not age:
        ones = np.ones(len(reference))
        return Alike(np.ones(len(now), dtype=bool), ones > 0.0, ones, "", np.inf)
    ages, before = (one[age].to_numpy(dtype=np.float64) for one in (now, reference))
    top = min(oldest, *(float(np.nanmax(one, initial=0.0)) for one in (ages, before)))
    bottom = max(float(np.nanmin(one, initial=np.inf)) for one in (ages, before))
    chosen = (ages <= top) & (ages >= bottom)
    if not chosen.any():
        return Alike(chosen, np.zeros(len(before), dtype=bool), np.empty(0), age, top)
    n_cuts = int(np.clip(chosen.sum() // _A_GROUP, 1, _N_GROUPS))
    cuts = np.unique(np.quantile(ages[chosen], np.linspace(0.0, 1.0, n_cuts + 1)[1:-1]))
    groups, theirs = np.searchsorted(cuts, ages, side="right"), np.searchsorted(cuts, before, side="right")
    known = (before <= top) & (before >= bottom)
    n_groups = len(cuts) + 1
    counted = [np.bincount(one[who], minlength=n_groups) for one, who in ((groups, chosen), (theirs, known))]
    kept = (counted[0] >= _LEAST) & (counted[1] >= _LEAST)
    chosen, known = chosen & kept[groups], known & kept[theirs]
    weights = matching_weights(groups[chosen], theirs[known], n_groups=n_groups)
    return Alike(chosen, known, weights, age, top)


def columns_drift(
    now: pd.DataFrame,
    reference: pd.DataFrame,
    pair: Alike,
    *,
    kind: str = "input",
    floor: float = 0.1,
    when: str = "at training",
) -> list[Check]:
    """Compare each column of two days, customer for customer of the same age.

    Parameters
    ----------
    now, reference : DataFrame
        X of either day, or answers; columns that both have are compared, ages and the day of the year are
        not.
    pair : Alike
        Of `alike`.
    kind : str
        Of the checks.
    floor : float
        Population stability index from which on a difference matters.
    when : str
        What the earlier day is called.

    Returns
    -------
    list of Check
        One a column. Columns of at most 20 different values are tested by chi-squared, others by Kolmogorov
        and Smirnov's test, together with that of the share of missing values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> then = pd.DataFrame({"spend_mean": rng.gamma(3.0, 10.0, 500)})
    >>> check = columns_drift(then * 1.5, then, alike(then, then))[0]
    >>> check.p_value < 1e-6, check.effect > 0.1
    (True, True)
    """
    if not pair.enough:
        return []
    shared = [name for name in now.columns if name in reference and name not in _CLOCKS]
    mine, theirs = (one.loc[:, shared].to_numpy(dtype=np.float64) for one in (now, reference))
    a, b = mine[pair.now], theirs[pair.reference]
    return [
        _column_check(str(name), a[:, place], b[:, place], pair, kind=kind, floor=floor, when=when)
        for place, name in enumerate(shared)
    ]


def _column_check(
    name: str, a: FloatArray, b: FloatArray, pair: Alike, *, kind: str, floor: float, when: str
) -> Check:
    """Compare one column's values now, a, with those of the weighted reference, b."""
    w = pair.weights
    missing = np.array([np.isnan(a).sum(), (~np.isnan(a)).sum()])
    lacked = np.array([w[np.isnan(b)].sum(), w[~np.isnan(b)].sum()])
    values = np.unique(np.concatenate([a[~np.isnan(a)], b[~np.isnan(b)]]))
    if len(values) <= _FEW_VALUES:
        cells, weighed = _counted(a, b, w, edges=values)
        test, p = "chi-squared", chi_squared_test(cells, weighed, size=pair.size).p_value
    else:
        cells, weighed = _counted(a, b, w, edges=_edges(b, w))
        test, p = "Kolmogorov-Smirnov", _p_of_numbers(a, b, w)
        if missing[0] or lacked[0]:
            # Two questions of one column: the smaller p counts, for both.
            p = min(1.0, 2.0 * min(p, chi_squared_test(missing, lacked, size=pair.size).p_value))
    effect = population_stability_index(weighed, cells)
    told = f"{_meaning(name)} {_moved(a, b, w)} {when} among customers of the same age."
    if not pair.age:
        told = told.replace(" among customers of the same age", "")
    return Check(kind, name, test, p, effect, "PSI", floor, told)


def _p_of_numbers(a: FloatArray, b: FloatArray, w: FloatArray) -> float:
    there, before = ~np.isnan(a), ~np.isnan(b) & (w > 0.0)
    if not (there.any() and before.any()):
        return 1.0  # nothing to compare; what is missing is tested apart
    return ks_test(a[there], b[before], w[before]).p_value


def _edges(b: FloatArray, w: FloatArray) -> FloatArray:
    """Return upper edges of bins with about as much weight each."""
    there = ~np.isnan(b)
    order = np.argsort(b[there], kind="stable")
    values, summed = b[there][order], np.cumsum(w[there][order])
    if not values.size or summed[-1] <= 0.0:
        return np.empty(0)
    places = np.searchsorted(summed, summed[-1] * np.arange(1, _N_BINS) / _N_BINS)
    return np.unique(values[np.minimum(places, values.size - 1)])


def _counted(
    a: FloatArray, b: FloatArray, w: FloatArray, *, edges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Count both samples up to each edge, above the last one, and where the value is missing."""

    def counts(values: FloatArray, weights: FloatArray) -> FloatArray:
        cell = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
        return np.bincount(cell, weights=weights, minlength=len(edges) + 2).astype(np.float64)

    mine, theirs = counts(a, np.ones(a.size)), counts(b, w)
    some = (mine > 0.0) | (theirs > 0.0)
    return mine[some], theirs[some]


def _meaning(name: str) -> str:
    term = VOCABULARY.get(name)
    if term is None:
        return name
    return f"{name} ({term.meaning[0].lower()}{term.meaning[1:].removesuffix('.')})"


def _moved(a: FloatArray, b: FloatArray, w: FloatArray) -> str:
    """Say what the column is now, and what it was."""
    there, before = ~np.isnan(a), ~np.isnan(b)
    known = float(there.mean()), float(w[before].sum() / w.sum())
    words = f"is known of {known[0]:.0%} of customers now, of {known[1]:.0%}" if known[0] != known[1] else ""
    if not (there.any() and w[before].sum() > 0.0):
        return words or "is not known now, nor was it"
    mean, then = float(a[there].mean()), float(np.average(b[before], weights=w[before]))
    on_average = f"is {mean:,.4g} on average now, against {then:,.4g}"
    return f"{words} before, and {on_average}" if words and abs(known[0] - known[1]) >= 0.01 else on_average
