"""What an offer did for those who took it up, where not all who got it did."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ComplierEffect", "complier_effect"]


class ComplierEffect(NamedTuple):
    """The effect on those who take up an offer because they get it.

    Examples
    --------
    >>> complier_effect(2.0, 0.5, 0.25, 0.0, 0.0004).effect
    4.0
    """

    effect: float
    """In the unit of the outcome; NaN where nobody took it up."""
    lower: float
    """-inf where the data do not bound it."""
    upper: float
    """Infinite where the data do not bound it."""
    is_bounded: bool
    """Whether take-up is told from 0 at all, without which nothing can be said."""


def complier_effect(
    effect: float,
    uptake: float,
    effect_variance: float,
    covariance: float,
    uptake_variance: float,
    *,
    critical: float = 1.959963984540054,
) -> ComplierEffect:
    """Divide the effect of being offered by what being offered did to uptake, with an honest interval.

    Parameters
    ----------
    effect : float
        Of being offered, on the outcome (intention to treat).
    uptake : float
        Of being offered, on the share who took it up.
    effect_variance, covariance, uptake_variance : float
        Of the two estimates.
    critical : float
        Standard errors at which a test refuses; 1.96 for 95 %.

    Returns
    -------
    ComplierEffect

    Notes
    -----
    The interval holds the t with (effect - t uptake)^2 <= z^2 (V - 2 t C + t^2 U): the test of Anderson and
    Rubin, or Fieller's theorem. Unlike effect / uptake +- z standard errors it keeps its promise where few
    take the offer up; where uptake cannot be told from 0, it says so by having no end. It supposes that an
    offer changes nothing for those whom it does not move to take it up, and puts nobody off taking it.

    References
    ----------
    Angrist, Imbens and Rubin (1996), Identification of causal effects using instrumental variables, JASA 91.
    Fieller (1954), Some problems in interval estimation, JRSS B 16.
    Andrews, Stock and Sun (2019), Weak instruments in instrumental variables regression, Annual Review of
    Economics 11.

    Examples
    --------
    >>> found = complier_effect(2.0, 0.5, 0.25, 0.0, 0.0004)
    >>> round(found.lower, 3), round(found.upper, 3)
    (2.034, 6.016)
    >>> complier_effect(2.0, 0.01, 0.25, 0.0, 0.0004).is_bounded
    False
    """
    estimate = effect / uptake if uptake != 0.0 else np.nan
    z2 = critical**2
    a = uptake**2 - z2 * uptake_variance
    b = effect * uptake - z2 * covariance
    c = effect**2 - z2 * effect_variance
    inside = b**2 - a * c
    if not a > 0.0 or inside < 0.0:
        return ComplierEffect(estimate, -np.inf, np.inf, is_bounded=False)
    half = float(np.sqrt(inside))
    return ComplierEffect(estimate, (b - half) / a, (b + half) / a, is_bounded=True)
