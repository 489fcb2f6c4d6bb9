"""How much each factor of a product did to change it: such as customers times orders times value."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["product_contributions"]


def product_contributions(before: npt.ArrayLike, after: npt.ArrayLike) -> FloatArray:
    """Return what each factor added to a product, so that the parts sum to its whole change.

    Parameters
    ----------
    before, after : array_like of shape (n_factors,)
        Two to five factors, in the same order.

    Returns
    -------
    ndarray of shape (n_factors,)
        In the unit of the product; the sum is ``prod(after) - prod(before)``.

    Notes
    -----
    Factors are changed one after the other, and what a factor does then is averaged over every order in which
    that can be done (Shapley's value). It has no rest, needs no logarithm, and so allows for factors of 0.

    References
    ----------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games II. Ang (2004),
    Decomposition analysis for policymaking in energy, Energy Policy 32 (where the rest is judged).

    Examples
    --------
    >>> product_contributions([100.0, 2.0], [110.0, 3.0])
    array([ 25., 105.])
    """
    old, new = floats(before, after)
    n = len(old)
    parts = np.zeros(n)
    for order in permutations(range(n)):
        now = old.copy()
        for place in order:
            was = float(np.prod(now))
            now[place] = new[place]
            parts[place] += float(np.prod(now)) - was
    return parts / factorial(n)
