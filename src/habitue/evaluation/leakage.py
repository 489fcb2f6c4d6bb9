"""Features that alone tell the outcome: they may have been recorded after it.

This names suspects; whether one is guilty says only the day on which it became known. Nothing here fits a
model (see ``leakage_probe``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from habitue.errors import DataError

__all__ = ["auc_error", "leakage_suspects"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_BEYOND_CHANCE = 5.0
"""Standard errors that a feature must lie from telling nothing, before it can be suspected."""

_FEW_LEVELS, _ROWS_OF_LEVEL, _RARER_OF_LEVEL = 50, 20, 2
"""Values of a feature, at most, that are put in the order of their shares; rows of each on average, at least,
and rows of the rarer class."""

_ENOUGH, _SURELY_LESS = 50_000, 0.02
"""Rows on which a rank correlation is first estimated; it is left at that where it is so much less."""


def leakage_suspects(
    X: pd.DataFrame, y: npt.ArrayLike, *, auc: float = 0.98, rank_correlation: float = 0.98
) -> pd.DataFrame:
    """Name the features that tell the outcome alone: they may have been recorded after it.

    Parameters
    ----------
    X : DataFrame of float64, shape (n_rows, n_features)
        Of a snapshot, or of several on top of each other.
    y : array_like of shape (n_rows,)
        Who churned (True or 1), or an amount.
    auc : float
        In [0.5, 1]: a feature that ranks churners (of amounts: those above 0) better, in either direction, is
        suspected.
    rank_correlation : float
        In [0, 1]: so is one whose rank correlation with amounts is higher, in either direction.

    Returns
    -------
    DataFrame
        feature, auc, rank_correlation (nan where y has two classes) and n (rows where it is not missing), the
        most telling first; without rows where nothing is suspected.

    Raises
    ------
    DataError
        Where X and y do not match, or an outcome is missing.

    Notes
    -----
    Both measures are of the order of values alone. A missing value is one of its own, below or above all
    others, whichever tells more. Of at most 50 different values, with 20 rows and 2 of the rarer class or
    more each on average, AUC orders them by their share of churners: codes of categories mean nothing by
    their size.

    A feature that may well be that good by chance is no suspect: with n1 and n0 rows of two classes, AUC must
    lie 5 standard errors sqrt((n1 + n0 + 1) / (12 n1 n0)) above 1/2, which takes ten or more of the rarer
    class. Of more than 50,000 rows, rank correlations are first estimated on some of them.

    Examples
    --------
    >>> X = pd.DataFrame({"age": np.tile([30.0, 40.0], 50), "reason": np.repeat([np.nan, 2.0], 50)})
    >>> leakage_suspects(X, np.repeat([0, 1], 50))
      feature  auc  rank_correlation   n
    0  reason  1.0               NaN  50
    """
    outcome = _read(X, y)
    is_binary = bool(np.isin(outcome, (0.0, 1.0)).all())
    happened = outcome > 0.0
    rows: list[tuple[str, float, float, int]] = []
    for name in X.columns:
        value = X[name].to_numpy(dtype=np.float64)
        area = _best_auc(value, happened)
        order = np.nan if is_binary else _best_correlation(value, outcome, rank_correlation)
        n_known = int((~np.isnan(value)).sum())
        if (area > auc and _is_beyond_chance(area, happened)) or (
            order > rank_correlation and order * np.sqrt(len(value)) > _BEYOND_CHANCE
        ):
            rows.append((str(name), area, order, n_known))
    found = pd.DataFrame(rows, columns=["feature", "auc", "rank_correlation", "n"])
    return found.sort_values(["auc", "rank_correlation"], ascending=False, kind="stable", ignore_index=True)


def auc_error(n_ones: int, n_zeros: int) -> float:
    """Return the standard error of the AUC of what tells nothing.

    Parameters
    ----------
    n_ones, n_zeros : int
        Rows of each class, at least 1.

    References
    ----------
    .. [1] Mann, H. B. & Whitney, D. R. (1947). On a test of whether one of two random variables is
       stochastically larger than the other. Annals of Mathematical Statistics 18, 50-60.

    Examples
    --------
    >>> round(auc_error(300, 700), 3)
    0.02
    """
    return float(np.sqrt((n_ones + n_zeros + 1.0) / (12.0 * n_ones * n_zeros)))


def _read(X: pd.DataFrame, y: npt.ArrayLike) -> FloatArray:
    outcome = np.asarray(y, dtype=np.float64)
    if outcome.shape != (len(X),) or not np.isfinite(outcome).all():
        raise DataError(
            f"y must be one known outcome for each of {len(X)} rows of X; got shape {outcome.shape} with "
            f"{int((~np.isfinite(outcome)).sum())} missing or infinite."
        )
    return outcome


def _best_auc(value: FloatArray, happened: BoolArray) -> float:
    """Return the AUC of a feature in its better direction, and with missing values at their better end."""
    ones, zeros = value[happened], value[~happened]
    if not len(ones) or not len(zeros):
        return np.nan
    known = np.sort(ones[~np.isnan(ones)]), np.sort(zeros[~np.isnan(zeros)])
    missing = len(ones) - len(known[0]), len(zeros) - len(known[1])
    at_most = min(_FEW_LEVELS, len(value) // _ROWS_OF_LEVEL, min(len(ones), len(zeros)) // _RARER_OF_LEVEL)
    levels = _few_levels(known, at_most)
    if levels is not None:
        return _auc_of_levels(levels, known, missing)
    above = np.searchsorted(known[1], known[0], side="left").sum()
    level = np.searchsorted(known[1], known[0], side="right").sum() - above
    wins = above + level / 2.0 + missing[0] * missing[1] / 2.0
    pairs = len(ones) * len(zeros)
    areas = [(wins + len(known[0]) * missing[1]) / pairs, (wins + missing[0] * len(known[1])) / pairs]
    return float(max(max(area, 1.0 - area) for area in areas))


def _few_levels(known: tuple[FloatArray, FloatArray], at_most: int) -> FloatArray | None:
    """Return the different values of sorted ones and zeros, where they are few."""
    several = [one[np.append(True, one[1:] > one[:-1])] if len(one) else one for one in known]
    if max(map(len, several)) > at_most:
        return None
    levels = np.union1d(*several)
    return levels if len(levels) <= at_most else None


def _auc_of_levels(
    levels: FloatArray, known: tuple[FloatArray, FloatArray], missing: tuple[int, int]
) -> float:
    """Return the AUC of levels, missing values among them, in the order of their share of ones."""
    ones, zeros = (
        np.append(np.bincount(np.searchsorted(levels, one), minlength=len(levels)), absent)
        for one, absent in zip(known, missing, strict=True)
    )
    order = np.argsort(ones / np.maximum(ones + zeros, 1))
    below = np.cumsum(zeros[order]) - zeros[order]
    return float((ones[order] * (below + zeros[order] / 2.0)).sum() / (ones.sum() * zeros.sum()))


def _is_beyond_chance(area: float, happened: BoolArray) -> bool:
    return area - 0.5 > _BEYOND_CHANCE * auc_error(int(happened.sum()), int((~happened).sum()))


def _best_correlation(value: FloatArray, outcome: FloatArray, asked: float) -> float:
    """Return the rank correlation, whatever its sign, with missing values at their better end."""
    every = -(-len(value) // _ENOUGH)
    if every > 1:
        coarse = _best_correlation(value[::every], outcome[::every], asked)
        if coarse < asked - _SURELY_LESS:
            return coarse
    ranks, unknown = _centred(outcome), np.isnan(value)
    found = 0.0
    for end in [-np.inf, np.inf] if unknown.any() else [0.0]:
        other = _centred(np.where(unknown, end, value))
        scale = float(np.sqrt((other @ other) * (ranks @ ranks)))
        found = max(found, abs(float(other @ ranks)) / scale if scale > 0.0 else 0.0)
    return found


def _centred(value: FloatArray) -> FloatArray:
    return rankdata(value) - (len(value) + 1.0) / 2.0
