"""Contributions carried through a curve: what each feature adds to a function of a sum.

A tree model's contributions add up to its raw score z. Where the answer is f(z), or a sum of several such,
they have to be carried through f so that they add up to the answer still.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from habitue.numerics.arrays import FloatArray

__all__ = ["rescale", "to_log_chance"]

_NEAR = 1e-5
"""Of closer scores the difference quotient has lost digits; the slope between them is right to f''' 1e-10."""


def rescale(
    contributions: npt.ArrayLike,
    function: Callable[[FloatArray], FloatArray],
    slope: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """Return contributions to f(z) in proportion to those to z: the rescale rule.

    Parameters
    ----------
    contributions : array_like of shape (n, n_features + 1)
        To z, the base value in the last column, as LightGBM returns them.
    function : callable
        f, element by element.
    slope : callable
        Its derivative.

    Returns
    -------
    ndarray of shape (n, n_features + 1)
        To f(z): each row adds up to f(z), the base in the last column is f(base of z).

    Notes
    -----
    Each contribution is multiplied by (f(z) - f(z0)) / (z - z0), and by the slope where z is the base z0. A
    feature keeps its sign where f rises, one without effect keeps none, and contributions of several scores
    may be added. It is exact in sum, and Shapley's answer itself where f is linear; elsewhere it is not that
    of f(z), whose computation would be exponential in the features.

    References
    ----------
    .. [1] Shrikumar, A., Greenside, P. & Kundaje, A. (2017). Learning important features through propagating
       activation differences. ICML, section 3.5.1.
    .. [2] Chen, H., Lundberg, S. M. & Lee, S.-I. (2022). Explaining a series of models by propagating Shapley
       values. Nature Communications 13, 4512.

    Examples
    --------
    >>> rescale([[3.0, -1.0, 1.0]], np.square, lambda z: 2.0 * z).tolist()
    [[12.0, -4.0, 1.0]]
    """
    parts = np.asarray(contributions, dtype=np.float64)
    base = parts[:, -1]
    moved = parts[:, :-1].sum(axis=1)
    far = np.abs(moved) > _NEAR
    apart = np.where(far, moved, 1.0)
    at_base = function(base)
    factor = np.where(far, (function(base + moved) - at_base) / apart, slope(base + 0.5 * moved))
    return np.column_stack([parts[:, :-1] * factor[:, np.newaxis], at_base])


def to_log_chance(contributions: npt.ArrayLike) -> FloatArray:
    """Return contributions to the logarithm of a chance, from those to its log-odds.

    Parameters
    ----------
    contributions : array_like of shape (n, n_features + 1)
        To log-odds, the base value in the last column.

    Returns
    -------
    ndarray of shape (n, n_features + 1)
        By `rescale`: to the logarithm of the chance.

    Examples
    --------
    >>> told = to_log_chance([[1.0, 1.0, -2.0]])
    >>> np.exp(told.sum(axis=1)).round(6).tolist()
    [0.5]
    """
    return rescale(contributions, log_expit, lambda score: expit(-score))
