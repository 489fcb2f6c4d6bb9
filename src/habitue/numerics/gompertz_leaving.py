r"""Gompertz lifetimes that differ between customers: when they leave, without overflow at any age.

The hazard of leaving at age y is b eta e^(b y), eta ~ Gamma(s, rate beta). Over customers the chance to be
there at y is (beta / (beta + e^(b y) - 1))^s. Whoever is there at T is, from then on, like a new customer
with beta_T = 1 + (beta - 1) e^(-b T) in beta's place: the family continues itself, with a parameter that
never overflows. What e^(b y) is too large for is written in logarithms.
"""

from __future__ import annotations

import numpy as np

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.silent_futures import FALLS, Leaving

__all__ = ["aged", "gompertz_leaving", "log_fallen", "time_of"]

_LARGE = 500.0  # e^500 is still a number, and so are its multiples


def aged(b: FloatArray, beta: FloatArray, T: FloatArray) -> FloatArray:
    """Return beta of the new customer that one who is still there at T is like.

    Parameters
    ----------
    b, beta : ndarray
        Parameters.
    T : ndarray
        Age, >= 0.

    Returns
    -------
    ndarray
        1 + (beta - 1) e^(-b T), as a sum of positive terms.

    Examples
    --------
    >>> aged(np.array(0.1), np.array(5.0), np.array([0.0, 1e9])).tolist()
    [5.0, 1.0]
    """
    return beta * np.exp(-b * T) - np.expm1(-b * T)


def log_fallen(b: FloatArray, beta: FloatArray, u: FloatArray) -> FloatArray:
    """Return log(1 + (e^(b u) - 1) / beta): minus the log of the chance to be there at u, over s.

    Parameters
    ----------
    b, beta : ndarray
        Parameters.
    u : ndarray
        Age, >= 0.

    Returns
    -------
    ndarray
        Numbers >= 0.

    Examples
    --------
    >>> log_fallen(np.array(0.1), np.array(1.0), np.array([0.0, 3.0, 1e6])).round(9).tolist()
    [0.0, 0.3, 100000.0]
    """
    age = b * u
    return np.log1p(np.expm1(np.minimum(age, _LARGE)) / beta) + np.maximum(age - _LARGE, 0.0)


def time_of(b: FloatArray, beta: FloatArray, fallen: FloatArray) -> FloatArray:
    """Return the age at which ``log_fallen`` has a value: its inverse.

    Parameters
    ----------
    b, beta : ndarray
        Parameters.
    fallen : ndarray
        Numbers >= 0.

    Returns
    -------
    ndarray
        Ages.

    Examples
    --------
    >>> time_of(np.array(0.1), np.array(1.0), np.array([0.3, 100000.0])).round(6).tolist()
    [3.0, 1000000.0]
    """
    age = np.log1p(beta * np.expm1(np.minimum(fallen, _LARGE))) + np.maximum(fallen - _LARGE, 0.0)
    return age / b


def gompertz_leaving(b: FloatArray, s: FloatArray, beta: FloatArray) -> Leaving:
    """Return when customers leave.

    Parameters
    ----------
    b, s, beta : ndarray of shape (n_rows,)
        Parameters, beta of those still there.

    Returns
    -------
    Leaving
        With a finite end.

    Notes
    -----
    The hazard is s b / (1 + (beta - 1) e^(-b u)). Where beta > 1 + s the density has a mode, as wide as
    sqrt(1 + 1 / s) / b.

    Examples
    --------
    >>> leaving = gompertz_leaving(np.array([0.1]), np.array([1.0]), np.array([1.0]))
    >>> leaving.edges[:3, 0].round(6).tolist()
    [10.0, 60.0, 360.0]
    """
    mode = np.log(np.maximum((beta - 1.0) / s, 1.0)) / b
    width = np.sqrt(1.0 + 1.0 / s) / b
    around = [np.maximum(mode + side * width, 0.0) for side in (-18.0, -6.0, 0.0, 6.0)]

    def log_hazard(row: Rows, u: FloatArray) -> FloatArray:
        return np.log(s * b)[row] - np.log(aged(b[row], beta[row], u))

    def steepness(row: Rows, u: FloatArray) -> FloatArray:
        return u * b[row] * ((s[row] + 1.0) / aged(b[row], beta[row], u) - 1.0)

    return Leaving(
        log_survival=lambda row, u: -s[row] * log_fallen(b[row], beta[row], u),
        log_hazard=log_hazard,
        steepness=steepness,
        scale=np.minimum(beta, 1.0) / b,
        edges=np.vstack([time_of(b, beta, FALLS / s), around]),
        end=time_of(b, beta, 60.0 / s),
    )
