"""One effect out of several rounds of the same offer, and how much rounds differ beyond chance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import chi2

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["Pooled", "pool"]


class Pooled(NamedTuple):
    """What several rounds say together.

    Examples
    --------
    >>> pool([2.0, 2.0], [1.0, 1.0]).effect
    2.0
    """

    effect: float
    """Their weighted mean."""
    se: float
    """Its standard error."""
    between: float
    """Standard deviation between rounds that chance does not explain, 0 or more."""
    p_same: float
    """P-value of rounds all having one effect; 1 where there is one round."""
    next_se: float
    """Standard deviation of the effect of a round to come: that of the mean, and between rounds."""


def pool(effects: npt.ArrayLike, errors: npt.ArrayLike) -> Pooled:
    """Pool effects of several rounds by the inverse of their variance, rounds being allowed to differ.

    Parameters
    ----------
    effects : array_like of shape (n,)
        One a round.
    errors : array_like of shape (n,)
        Their standard errors, above 0.

    Returns
    -------
    Pooled
        The same in whatever order rounds come.

    Notes
    -----
    Weights are 1 / (se^2 + tau^2), where tau^2 is such that the weighted squares around the mean sum to their
    expectation n - 1, or 0 if they fall short of it already (Paule and Mandel). Of two or three rounds tau is
    hardly known.

    References
    ----------
    Paule and Mandel (1982), Consensus values and weighting factors, Journal of Research of the National
    Bureau of Standards 87.
    DerSimonian and Kacker (2007), Random-effects model for meta-analysis of clinical trials, Contemporary
    Clinical Trials 28.

    Examples
    --------
    >>> found = pool([1.0, 2.0, 6.0], [1.0, 1.0, 1.0])
    >>> found.effect, round(found.between, 3), round(found.p_same, 4)
    (3.0, 2.449, 0.0009)
    """
    y, se = floats(effects, errors)
    # In one order, so that sums do not depend on the one in which rounds came.
    order = np.lexsort((se, y))
    y, variance = y[order], se[order] ** 2
    squares = _squares(y, variance, 0.0)
    excess = squares - (y.size - 1)
    tau2 = 0.0
    if y.size > 1 and excess > 0.0:
        most = float(np.sum((y - y.mean()) ** 2)) + float(variance.max())
        found: Any = brentq(lambda t: _squares(y, variance, t) - (y.size - 1), 0.0, most, xtol=1e-14 * most)
        tau2 = float(found)
    weights = 1.0 / (variance + tau2)
    total = float(weights.sum())
    p_same = float(chi2.sf(squares, y.size - 1)) if y.size > 1 else 1.0
    return Pooled(
        float(weights @ y) / total, total**-0.5, tau2**0.5, p_same, float(np.sqrt(1.0 / total + tau2))
    )


def _squares(y: FloatArray, variance: FloatArray, tau2: float) -> float:
    weights = 1.0 / (variance + tau2)
    mean = float(weights @ y) / float(weights.sum())
    return float(weights @ (y - mean) ** 2)
