"""Which pillars go with loyalty: importance against performance, always told as association.

Each pillar becomes one index: what its features alone say about who stays, told of customers by a model that
never saw them. Importance is what an index adds to what all pillars explain of staying, averaged over the
orders in which they may enter; performance is where customers stand on the index. Both carry their interval.

Customers were not dealt their pillars by lot. A pillar that goes with staying may cause it, follow from it,
or share a cause with it, and no figure here can tell which; what an offer does to loyalty is told by
experiments (`habitue.experiments`). The pillar ``activity`` is left out unless asked for: buying is loyalty
itself, not what it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import weight_chunks
from habitue.models.logistic_churn import LogisticChurnClassifier
from habitue.numerics.arrays import FloatArray
from habitue.numerics.relative_importance import partial_slopes, shares_of_r_squared
from habitue.scorecard.measures import check_confidence
from habitue.vocabulary import Pillar, one_or_many, term_of

__all__ = ["LEVERS", "Drivers", "drivers", "pillars_of"]

LEVERS: Final = tuple(pillar.value for pillar in Pillar if pillar not in (Pillar.ACTIVITY, Pillar.CONTEXT))
"""Pillars that somebody can work on."""

QUADRANTS: Final = {
    (True, False): "concentrate here",
    (True, True): "keep up the good work",
    (False, False): "low priority",
    (False, True): "possible overkill",
}
"""By (important, performing well): Martilla and James's names."""

_ENDS = (5.0, 95.0)
"""Percentiles of an index that count as 0 and 100 points: beyond them lie odd customers."""

_FEWEST = 200
"""Customers of a segment, below which it is not told."""

_MOST = 100_000
"""Customers looked at: beyond, intervals are narrower than any decision needs."""

_NOTE = "association: customers were not dealt this pillar by lot"


@dataclass(frozen=True)
class Drivers:
    """What goes with staying, pillar by pillar.

    Attributes
    ----------
    frame : DataFrame
        One row a segment and pillar: segment ("" for all), pillar, importance (share of what all pillars
        explain, in [0, 1]), its lower and upper; association (percentage points of staying per standard
        deviation of the index, the other pillars held), its lower and upper; performance (0 to 100: where
        customers stand between the 5th and the 95th percentile of all), its lower and upper; quadrant, sure
        (whether importance and performance both lie clear of their lines), n, kind ("association").
    explained : float
        R squared of all pillars together over all customers, out of sample.
    lines : tuple of two floats
        Importance and performance at which quadrants meet: the means over the pillars of all customers.
    confidence : float
        Of the intervals.
    notes : tuple of str
        What was left out, and why.
    """

    frame: pd.DataFrame
    explained: float
    lines: tuple[float, float]
    confidence: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "rows": self.frame.astype(object).where(self.frame.notna(), None).to_dict("records"),
            "explained": self.explained,
            "lines": list(self.lines),
            "confidence": self.confidence,
            "notes": [*self.notes, _NOTE],
        }


def pillars_of(columns: Sequence[str], pillars: Sequence[str] = LEVERS) -> dict[str, list[str]]:
    """Return the columns of each pillar, in the pillars' order; those without any are not there.

    Parameters
    ----------
    columns : sequence of str
        Names of features; one that the vocabulary does not know has no pillar.
    pillars : sequence of str
        Pillars to look for.

    Examples
    --------
    >>> pillars_of(["n_tickets_90d", "frequency", "shoe_size"], ("activity", "satisfaction"))
    {'activity': ['frequency'], 'satisfaction': ['n_tickets_90d']}
    """
    found: dict[str, list[str]] = {pillar: [] for pillar in pillars}
    for column in columns:
        try:
            pillar = term_of(column).pillar
        except (DataError, KeyError, LookupError):
            continue
        if pillar is not None and pillar.value in found:
            found[pillar.value].append(column)
    return {pillar: names for pillar, names in found.items() if names}


def drivers(
    X: pd.DataFrame,
    churned: npt.ArrayLike,
    *,
    segment: npt.ArrayLike | None = None,
    pillars: Sequence[str] = LEVERS,
    confidence: float = 0.95,
    n_folds: int = 5,
    n_replicates: int = 200,
    random_state: int = 0,
) -> Drivers:
    """Tell which pillars go with staying, how much, and how customers stand on each.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        What was known at a past cutoff, such as `Snapshot.X`. Only of customers who might still be lost: that
        a contract which ended long ago goes with leaving is no news (see `drivers_of`).
    churned : array_like of bool, shape (n_customers,)
        Who was lost within the horizon after it.
    segment : array_like of str, shape (n_customers,), optional
        Told of each segment, too, where it has 200 customers, some of whom stayed and some left.
    pillars : sequence of str
        Pillars to look at; those without a feature in X are left out, and named.
    confidence : float
        Of all intervals, in (0, 1).
    n_folds : int
        Parts of the customers; each is told by a model that was fitted to the others.
    n_replicates : int
        Bootstrap draws of customers behind every interval. They redraw customers, not the models that make
        the indices.
    random_state : int
        Source of chance.

    Returns
    -------
    Drivers

    Raises
    ------
    DataError
        Where X and churned do not match, nobody or everybody was lost, or X has features of no pillar asked
        for.
    SettingsError
        Where the confidence or a number is none.

    Notes
    -----
    The index of a pillar is minus the log-odds of leaving by `LogisticChurnClassifier` of its features,
    fitted to the other folds. With R squared that of staying on all indices, importance is an index's Shapley
    share of it over R squared (Lindeman, Merenda and Gold), so that importances sum to 1. Where the pillars
    explain nothing, shares of nothing are noise: read `explained` first.

    References
    ----------
    Martilla, J. and James, J. (1977). Importance-performance analysis. Journal of Marketing 41(1), 77-79.
    Grömping, U. (2007). Estimators of relative importance in linear regression based on variance
    decomposition. The American Statistician 61(2), 139-147. Ringle, C. and Sarstedt, M. (2016). Gain more
    insight from your PLS-SEM results: the importance-performance map analysis. Industrial Management & Data
    Systems 116(9), 1865-1886, for performance on a scale from 0 to 100.

    Examples
    --------
    >>> import habitue as hb
    >>> business = hb.simulate_business(n_customers=800, with_contracts=False)
    >>> past = hb.take_snapshot(business.log, hb.Window("2024-06-30", horizon=180))
    >>> here = past.X["inactivity"] <= 180
    >>> found = drivers(past.X[here], past.y["churned"][here], n_replicates=50)
    >>> bool(abs(found.frame["importance"].sum() - 1.0) < 1e-9)
    True
    >>> set(found.frame["kind"])
    {'association'}
    """
    stays = 1.0 - _lost(X, churned)
    _check(confidence, n_folds, n_replicates)
    named = pillars_of(list(X.columns), pillars)
    if not named:
        raise DataError(
            f"X has no feature of {', '.join(pillars)}: take the snapshot from a log that has records of "
            "feedback, tickets, rewards, events, contacts or contracts."
        )
    notes = [f"no features: {pillar}" for pillar in pillars if pillar not in named]
    groups = None if segment is None else np.asarray(segment, dtype=object)
    kept = _sample(len(X), random_state, notes)
    stays, groups = stays[kept], None if groups is None else groups[kept]
    index = _indices(X.iloc[kept], stays, named, n_folds, random_state)
    points = _points(index)
    chance = {"confidence": confidence, "n_replicates": n_replicates, "random_state": random_state}
    whole, explained = _told(index, points, stays, list(named), chance)
    lines = (1.0 / len(named), float(np.mean(whole["performance"].to_numpy())))
    tables = [whole.assign(segment="")]
    for name, inside in _large_enough(groups, stays, notes):
        one, _ = _told(index[inside], points[inside], stays[inside], list(named), chance)
        tables.append(one.assign(segment=name))
    frame = _placed(pd.concat(tables, ignore_index=True), lines)
    return Drivers(frame, explained, lines, confidence, tuple(notes))


def _check(confidence: float, n_folds: int, n_replicates: int) -> None:
    check_confidence(confidence)
    if n_folds < 2 or n_replicates < 20:
        raise SettingsError(f"n_folds from 2 on, n_replicates from 20 on; got {n_folds} and {n_replicates}.")


def _lost(X: pd.DataFrame, churned: npt.ArrayLike) -> FloatArray:
    """Return who was lost as 0 and 1, or say why nothing can be learned of it."""
    lost = np.asarray(churned, dtype=np.float64)
    if lost.shape != (len(X),) or not np.isin(lost, (0.0, 1.0)).all():
        raise DataError(f"churned must say yes or no of each of {len(X):,} customers; got {lost.shape}.")
    if lost.min() == lost.max():
        raise DataError(
            f"{'All' if lost.max() else 'None'} of {one_or_many(len(lost), 'customer')} were lost, so that "
            "nothing tells them apart: take another cutoff or a longer horizon."
        )
    return lost


def _sample(n: int, random_state: int, notes: list[str]) -> npt.NDArray[np.intp]:
    """Return the rows of as many customers as are needed."""
    if n <= _MOST:
        return np.arange(n)
    notes.append(f"a sample of {_MOST:,} of {n:,} customers")
    return np.sort(np.random.default_rng(random_state).choice(n, _MOST, replace=False))


def _indices(
    X: pd.DataFrame, stays: FloatArray, named: dict[str, list[str]], n_folds: int, random_state: int
) -> FloatArray:
    """Return what each pillar's features say of each customer, by models that did not see the customer."""
    n_folds = max(2, min(n_folds, int(min(stays.sum(), (1.0 - stays).sum()))))
    folds = list(
        StratifiedKFold(n_folds, shuffle=True, random_state=random_state).split(np.zeros(len(X)), stays)
    )
    index = np.empty((len(X), len(named)))
    for place, columns in enumerate(named.values()):
        features = X.loc[:, columns]
        for learned, told in folds:
            model = LogisticChurnClassifier().fit(features.iloc[learned], 1.0 - stays[learned])
            p = np.clip(model.predict_proba(features.iloc[told])[:, 1], 1e-9, 1.0 - 1e-9)
            index[told, place] = np.log1p(-p) - np.log(p)
    return index


def _points(index: FloatArray) -> FloatArray:
    """Return indices in points from 0 to 100."""
    low, high = np.percentile(index, _ENDS, axis=0)
    width = np.where(high > low, high - low, np.inf)
    return np.clip(100.0 * (index - low) / width, 0.0, 100.0)


def _told(
    index: FloatArray, points: FloatArray, stays: FloatArray, names: list[str], chance: dict[str, Any]
) -> tuple[pd.DataFrame, float]:
    """Return a row a pillar, and what all explain together."""
    table = np.column_stack([index, stays])
    table = table - table.mean(axis=0)
    n, k = table.shape
    squared = (table[:, :, np.newaxis] * table[:, np.newaxis, :]).reshape(n, -1)
    products = np.column_stack([table, squared, points])
    weights = weight_chunks(n, n_replicates=chance["n_replicates"], random_state=chance["random_state"])
    sums = np.vstack([np.ones(n) @ products / n, *(chunk @ products / n for chunk in weights)])
    means, squares = sums[:, :k], sums[:, k : k + k * k].reshape(-1, k, k)
    covariance = squares - means[:, :, np.newaxis] * means[:, np.newaxis, :]
    shares = shares_of_r_squared(covariance)
    r_squared = shares.sum(axis=1, keepdims=True)
    told = {
        "importance": np.divide(shares, r_squared, out=np.full_like(shares, np.nan), where=r_squared > 0.0),
        "association": 100.0 * partial_slopes(covariance),
        "performance": sums[:, k + k * k :],
    }
    frame = pd.DataFrame({"pillar": names, "n": n})
    tail = (1.0 - chance["confidence"]) / 2.0
    for name, values in told.items():
        frame[name] = values[0]
        frame[f"{name}_lower"], frame[f"{name}_upper"] = np.nanquantile(
            values[1:], [tail, 1.0 - tail], axis=0
        )
    return frame, float(r_squared[0, 0])


def _large_enough(
    groups: npt.NDArray[Any] | None, stays: FloatArray, notes: list[str]
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Return the segments that are told, in order, and who is in each; those left out are noted."""
    if groups is None:
        return []
    told = list[tuple[str, npt.NDArray[np.bool_]]]()
    for name in sorted(set(groups[~pd.isna(groups)])):
        inside = np.array([one == name for one in groups])
        n = int(inside.sum())
        if n >= _FEWEST and 0.0 < float(np.mean(stays[inside])) < 1.0:
            told.append((name, inside))
        else:
            notes.append(f"segment {name}: {one_or_many(n, 'customer')}, {_FEWEST} needed")
    return told


def _placed(frame: pd.DataFrame, lines: tuple[float, float]) -> pd.DataFrame:
    """Say in which quadrant each pillar stands, and whether chance could have put it into another."""
    important, well = frame["importance"] >= lines[0], frame["performance"] >= lines[1]
    frame["quadrant"] = [QUADRANTS[pair] for pair in zip(important.tolist(), well.tolist(), strict=True)]
    clear = [
        (frame[f"{name}_lower"] > line) | (frame[f"{name}_upper"] < line)
        for name, line in zip(("importance", "performance"), lines, strict=True)
    ]
    frame["sure"] = clear[0] & clear[1]
    frame["kind"] = "association"
    values = [f"{name}{end}" for name in ("importance", "association", "performance") for end in _ENDINGS]
    return frame.loc[:, ["segment", "pillar", *values, "quadrant", "sure", "n", "kind"]]


_ENDINGS = ("", "_lower", "_upper")
