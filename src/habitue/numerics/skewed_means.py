"""Intervals for means and ratios of skewed amounts, such as spend, from sums of powers alone.

`habitue.numerics.ratios` reads one row a customer; here a database has summed them, cell by cell, and no
customer comes along.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["mean_interval", "ratio_interval", "unskewed"]


def mean_interval(
    sums: npt.ArrayLike, squares: npt.ArrayLike, cubes: npt.ArrayLike, n: npt.ArrayLike, *, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval for the mean of n amounts, of each cell.

    Parameters
    ----------
    sums, squares, cubes : array_like of shape (n_cells,)
        Sum of the amounts, of their squares and of their third powers.
    n : array_like of shape (n_cells,)
        Customers of each, those with an amount of 0 among them.
    confidence : float
        In (0, 1).

    Returns
    -------
    lower, upper : ndarray of shape (n_cells,)
        NaN where fewer than two tell, or all have the same.

    Notes
    -----
    It is `ratio_interval` with the number of customers below the line.

    Examples
    --------
    >>> amounts = np.array([0.0, 10.0, 20.0, 90.0])
    >>> ends = mean_interval(amounts.sum(), (amounts**2).sum(), (amounts**3).sum(), 4, confidence=0.8)
    >>> [round(float(end[0]), 1) for end in ends]
    [4.2, 90.5]
    """
    y, n_all = floats(sums, n)
    moments = np.stack(np.broadcast_arrays(*floats(squares, y, n_all, cubes, squares, y, n_all)))
    return ratio_interval(y, n_all, moments, n_all, confidence=confidence)


def ratio_interval(
    above: npt.ArrayLike,
    below: npt.ArrayLike,
    products: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    confidence: float,
) -> tuple[FloatArray, FloatArray]:
    r"""Return the ends of the interval for a ratio of sums over customers, of each cell.

    Parameters
    ----------
    above, below : array_like of shape (n_cells,)
        Sum of y, and of x.
    products : array_like of shape (7, n_cells)
        Sums of yy, yx, xx, yyy, yyx, yxx and xxx over the customers.
    n : array_like of shape (n_cells,)
        Customers of each.
    confidence : float
        In (0, 1).

    Returns
    -------
    lower, upper : ndarray of shape (n_cells,)
        NaN where fewer than two tell, the line below is not above 0, or all have the same ratio.

    Notes
    -----
    With R the ratio, a customer moves it by e = (y - R x) / mean(x). Sums of e squared and cubed follow from
    the products; the ends are Hall's, as in `habitue.numerics.ratios.clustered_ratio`:

    .. math:: R - s \frac{3}{g} \left( \left(1 + g (u - g / (6 n))\right)^{1/3} - 1 \right) .

    References
    ----------
    Hall, P. (1992). On the removal of skewness by transformation. Journal of the Royal Statistical Society B
    54(1), 221-228.

    Examples
    --------
    >>> y, x = np.array([20.0, 30.0, 90.0, 25.0]), np.array([2.0, 3.0, 3.0, 2.0])
    >>> powers = ((2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
    >>> products = [[(y**i * x**j).sum()] for i, j in powers]
    >>> ends = ratio_interval(y.sum(), x.sum(), products, 4, confidence=0.95)
    >>> [round(float(end[0]), 2) for end in ends]
    [4.62, 75.76]
    """
    y, x, size = (np.atleast_1d(one) for one in floats(above, below, n))
    yy, yx, xx, yyy, yyx, yxx, xxx = np.asarray(products, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, scale = y / x, size / x
        second = scale**2 * (yy - 2.0 * ratio * yx + ratio**2 * xx) / size
        third = scale**3 * (yyy - 3.0 * ratio * yyx + 3.0 * ratio**2 * yxx - ratio**3 * xxx) / size
        # What is left of squares that cancel out is rounding, not spread.
        told = (size >= 2.0) & (x > 0.0) & (second > 1e-12 * scale**2 * (yy + ratio**2 * xx) / size)
        spread = np.where(told, np.sqrt(np.where(told, second, 1.0) * size / (size - 1.0)), np.nan)
        skew = np.where(told, third / np.where(told, second, 1.0) ** 1.5, 0.0)
        reach = t.ppf(0.5 + confidence / 2.0, np.maximum(size - 1.0, 1.0)) / np.sqrt(size)
        return ratio - spread * unskewed(reach, skew, size), ratio - spread * unskewed(-reach, skew, size)


def unskewed(end: npt.ArrayLike, skew: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Return where Hall's transformation of a studentised mean takes a value.

    Parameters
    ----------
    end : array_like
        The value.
    skew : array_like
        Skewness of what was averaged.
    n : array_like
        Of how many.
    """
    end, skew, n = floats(end, skew, n)
    bent = np.where(np.abs(skew) < 1e-8, 1.0, skew)
    return np.where(bent == skew, 3.0 / bent * (np.cbrt(1.0 + bent * (end - bent / (6.0 * n))) - 1.0), end)
