r"""Ratios of Beta and Gamma functions to full relative precision, however close to one they are.

How many customers last t more periods is a ratio of Beta functions whose arguments differ by t. Taken as a
difference of ``gammaln`` it loses one digit with every digit of the arguments; taken as here it loses none,
so that the probability to leave, one minus such a ratio, may be read off with ``expm1``.

All functions rest on one idea. The arguments are first moved to 8 and above by the recurrence of the Gamma
function. There Stirling's formula holds, and its remainder is, to 16 digits, a sum of three simple fractions
(a Gauss rule for Binet's integral). Differences of logarithms and of simple fractions can be written without
subtracting close numbers. This is not a library of special functions: arguments are positive and real.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from habitue.numerics.arrays import FloatArray, floats

__all__ = [
    "digamma_difference",
    "digamma_mixed_difference",
    "log_beta",
    "log_beta_ratio",
    "stirling_remainder",
    "trigamma_difference",
    "trigamma_mixed_difference",
]

_SHIFTS = 8

# lnGamma(z) - (z - 1/2) ln z + z - ln(2 pi) / 2 = sum of w Re 1 / (z + i s) from z = 8 on: the Gauss rule of
# three nodes s^2 for the measure whose moments are |B_(2k+2)| / ((2k+2)(2k+1)), the coefficients of Stirling.
_STIRLING = (
    (0.080878922116230745763, 0.13412353813630917082j),
    (0.0024437296309133864684, 0.7273992157460326205j),
    (0.000010681586189201102334, 1.6712925325767972662j),
)
_HALF_LOG_TWO_PI = 0.9189385332046727418


def log_beta_ratio(a: npt.ArrayLike, b: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return log(B(a, b + y) / B(a, b)), to full relative precision.

    Parameters
    ----------
    a, b : array_like
        Parameters of the Beta function, > 0.
    y : array_like
        How much is added to the second one, >= 0; need not be whole.

    Returns
    -------
    ndarray
        Numbers <= 0: logs of the mean of (1 - p)^y, p ~ Beta(a, b).

    Notes
    -----
    With G the log of the Gamma function, G(b + y) + G(b + a) - G(b) - G(b + a + y), which is symmetric in a
    and y. One step of the recurrence moves b to b + 1 and adds -log1p(a y / (b (b + a + y))); in Stirling's
    formula the linear terms cancel and the others are (b - 1/2) log1p(a y / (b (b + a + y)))
    - y log1p(a / (b + y)) - a log1p(y / (b + a)), none of which is much larger than the result.

    Examples
    --------
    Here ``gammaln`` would leave three digits:

    >>> print(f"{float(log_beta_ratio(1e-3, 1e9, 1.0)):.12e}")
    -9.999999999995e-13
    """
    a, b, y = floats(a, b, y)
    total = np.zeros(b.shape)
    for step in range(_SHIFTS):
        z = b + step
        total -= np.log1p(a / z * (y / (z + a + y)))
    z = b + _SHIFTS
    total += (z - 0.5) * np.log1p(a / z * (y / (z + a + y))) - y * np.log1p(a / (z + y))
    total -= a * np.log1p(y / (z + a))
    return total - _mixed_difference(z, a, y)


def log_beta(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Return the log of the Beta function, to full precision relative to the larger of it and its parts.

    Parameters
    ----------
    a, b : array_like
        Its parameters, > 0.

    Returns
    -------
    ndarray
        log B(a, b).

    Notes
    -----
    B(a, b) = (1/a + 1/b) B(b, 1 + a) / B(b, 1), so it is log(1/a + 1/b) and a log_beta_ratio.

    Examples
    --------
    >>> bool(np.isclose(log_beta(2.0, 3.0), -np.log(12.0), rtol=1e-14))
    True
    """
    a, b = floats(a, b)
    small, large = np.minimum(a, b), np.maximum(a, b)
    return np.log1p(small / large) - np.log(small) + log_beta_ratio(small, 1.0, large)


def digamma_difference(z: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return psi(z + y) - psi(z), to full relative precision.

    Parameters
    ----------
    z : array_like
        Where it begins, > 0.
    y : array_like
        The step, >= 0; need not be whole.

    Returns
    -------
    ndarray
        Numbers >= 0; for whole y the sum of 1 / (z + i), i = 0 ... y - 1.

    Examples
    --------
    >>> round(float(digamma_difference(2.0, 3.0)), 12) == round(1 / 2 + 1 / 3 + 1 / 4, 12)
    True
    """
    z, y = floats(z, y)
    total = np.zeros(z.shape)
    for step in range(_SHIFTS):
        total += y / (z + step + y) / (z + step)
    z = z + _SHIFTS
    total += np.log1p(y / z) + 0.5 * (y / (z + y)) / z
    for weight, shift in _STIRLING:
        start, end = 1.0 / (z + shift), 1.0 / (z + y + shift)
        total += weight * ((start + end) * (y * end) * start).real
    return total


def trigamma_difference(z: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return psi'(z) - psi'(z + y), to full relative precision.

    Parameters
    ----------
    z : array_like
        Where it begins, > 0.
    y : array_like
        The step, >= 0; need not be whole.

    Returns
    -------
    ndarray
        Numbers >= 0; for whole y the sum of 1 / (z + i)^2, i = 0 ... y - 1.

    Examples
    --------
    >>> round(float(trigamma_difference(2.0, 2.0)), 12) == round(1 / 4 + 1 / 9, 12)
    True
    """
    z, y = floats(z, y)
    total = np.zeros(z.shape)
    for step in range(_SHIFTS):
        start, end = 1.0 / (z + step), 1.0 / (z + step + y)
        total += (start + end) * (y * end) * start
    z = z + _SHIFTS
    start, end = 1.0 / z, 1.0 / (z + y)
    total += y * end * start * (1.0 + 0.5 * (start + end))
    for weight, shift in _STIRLING:
        start, end = 1.0 / (z + shift), 1.0 / (z + y + shift)
        total += 2.0 * weight * ((start * start + start * end + end * end) * (y * end) * start).real
    return total


def digamma_mixed_difference(z: npt.ArrayLike, a: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return psi(z + a) + psi(z + y) - psi(z) - psi(z + a + y), the derivative of log_beta_ratio by b.

    Parameters
    ----------
    z : array_like
        Where it begins, > 0.
    a, y : array_like
        The steps, >= 0.

    Returns
    -------
    ndarray
        Numbers >= 0, right to 1e-15 z / max(a, y) of themselves.

    Examples
    --------
    >>> round(float(digamma_mixed_difference(2.0, 1.0, 1.0)), 12) == round(1 / 2 - 1 / 3, 12)
    True
    """
    z, a, y = floats(z, a, y)
    short, long = np.minimum(a, y), np.maximum(a, y)
    return digamma_difference(z, short) - digamma_difference(z + long, short)


def trigamma_mixed_difference(z: npt.ArrayLike, a: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return psi'(z + a) + psi'(z + y) - psi'(z) - psi'(z + a + y), the second derivative by b.

    Parameters
    ----------
    z : array_like
        Where it begins, > 0.
    a, y : array_like
        The steps, >= 0.

    Returns
    -------
    ndarray
        Numbers <= 0, right to 1e-15 z / max(a, y) of themselves.

    Examples
    --------
    >>> round(float(trigamma_mixed_difference(2.0, 1.0, 1.0)), 12) == round(1 / 9 - 1 / 4, 12)
    True
    """
    z, a, y = floats(z, a, y)
    short, long = np.minimum(a, y), np.maximum(a, y)
    return trigamma_difference(z + long, short) - trigamma_difference(z, short)


def stirling_remainder(z: npt.ArrayLike) -> FloatArray:
    """Return what Stirling's formula leaves of the log of the Gamma function.

    Parameters
    ----------
    z : array_like
        Where, > 0.

    Returns
    -------
    ndarray
        lnGamma(z) - (z - 1/2) ln z + z - ln(2 pi) / 2: about 1 / (12 z), falling.

    Notes
    -----
    Where a density holds factorials of large numbers, write Stirling's formula out, cancel by hand what
    cancels, and add the remainders: the result keeps its digits.

    Examples
    --------
    >>> [f"{value:.6e}" for value in stirling_remainder([1.0, 1e6])]
    ['8.106147e-02', '8.333333e-08']
    """
    (z,) = floats(z)
    large = np.maximum(z, float(_SHIFTS))
    total = np.zeros(z.shape)
    for weight, shift in _STIRLING:
        total += weight * (1.0 / (large + shift)).real
    small = np.minimum(z, float(_SHIFTS))
    direct = gammaln(small) - (small - 0.5) * np.log(small) + small - _HALF_LOG_TWO_PI
    return np.where(z < _SHIFTS, direct, total)


def _mixed_difference(z: FloatArray, a: FloatArray, y: FloatArray) -> FloatArray:
    """Return R(z) + R(z + a + y) - R(z + a) - R(z + y) of Stirling's remainder R, for z >= 8.

    Of 1 / z it is (1 / z + 1 / (z + a + y)) a / (z + a) y / (z + y): positive, and no power overflows.
    """
    total = np.zeros(z.shape)
    for weight, shift in _STIRLING:
        w = z + shift
        total += weight * ((1.0 / w + 1.0 / (w + a + y)) * (a / (w + a)) * (y / (w + y))).real
    return total
