"""How well random purchases with an unseen end are explained, with derivatives: what such families share.

While customers are there they buy at random, at rates of shape r. So the number of purchases x enters by
Gamma(r + x) / Gamma(r), whatever the families say about leaving; all else is about times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, polygamma, psi

from habitue.numerics.arrays import FloatArray, floats, growth_over_counts
from habitue.numerics.many_rows import in_blocks

__all__ = ["Explained", "explained"]


class Explained(NamedTuple):
    """Log-likelihood with its derivatives by the family's parameters.

    Attributes
    ----------
    value : ndarray
        Log-likelihood of each history.
    gradient : ndarray of shape (..., n_parameters)
        First derivatives.
    hessian : ndarray of shape (..., n_parameters, n_parameters)
        Second derivatives.
    """

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


def explained(
    of_times: Callable[..., FloatArray],
    params: Sequence[npt.ArrayLike],
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
) -> Explained:
    """Return log-likelihood, gradient and Hessian, given those of the times of purchases.

    Parameters
    ----------
    of_times : callable
        Of columns of parameters, frequency, recency and T; returns rows of value, gradient and Hessian.
    params : sequence of array_like
        The customer base; r is the first.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    Explained
        Those of times and numbers together.
    """
    x, n = np.asarray(frequency, dtype=np.float64), len(params)
    everything = in_blocks(of_times, *floats(*params, x, recency, T))
    value = everything[..., 0] + growth_over_counts(gammaln, params[0], x)
    by_one, by_two = everything[..., 1 : n + 1], everything[..., n + 1 :].reshape(*value.shape, n, n)
    by_one[..., 0] += growth_over_counts(psi, params[0], x)
    by_two[..., 0, 0] += growth_over_counts(partial(polygamma, 1), params[0], x)
    return Explained(value, by_one, by_two)
