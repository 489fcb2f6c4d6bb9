"""Split-conformal prediction: how far off is far enough to hold a stated share of further customers.

Formulas on arrays; what a score of being off is, and who is compared with whom, the caller says.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["conformal_quantile", "enough_for", "level_edges"]

_ROUNDING = 1e-9
"""What a product of a share and a count may be off."""


def conformal_quantile(scores: npt.ArrayLike, share: float) -> float:
    """Return what at least a share of scores like these stay at or below, a further one included.

    Parameters
    ----------
    scores : array_like of shape (n,)
        How far off each of at least one customer was, the larger the worse.
    share : float
        In (0, 1).

    Returns
    -------
    float
        The ceil(share (n + 1))-th smallest; the largest where there are too few (see `enough_for`).

    Notes
    -----
    Of n + 1 exchangeable scores the last is as likely as any to have any rank, so it is at or below that
    order statistic of the others with a probability of at least `share`, whatever the law, and of at most
    share + 1 / (n + 1) without ties.

    References
    ----------
    .. [1] Vovk, V., Gammerman, A. & Shafer, G. (2005). Algorithmic Learning in a Random World, ch. 4.

    Examples
    --------
    >>> conformal_quantile([5.0, 1.0, 3.0, 2.0], 0.6)
    3.0
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    rank = int(np.ceil(share * (len(ordered) + 1) - _ROUNDING))
    return float(ordered[min(max(rank, 1), len(ordered)) - 1])


def enough_for(share: float) -> int:
    """Return how many scores it takes for `conformal_quantile` to hold the share.

    Parameters
    ----------
    share : float
        In (0, 1).

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> enough_for(0.9), enough_for(0.5)
    (9, 1)
    """
    return int(np.ceil(share / (1.0 - share) - _ROUNDING))


def level_edges(predicted: npt.ArrayLike, n_levels: int, at_least: int) -> FloatArray:
    """Return where predictions are cut into levels of about equal size.

    Parameters
    ----------
    predicted : array_like of shape (n,)
        One number a customer.
    n_levels : int
        Levels, at most.
    at_least : int
        Customers of a level; equal predictions stay together.

    Returns
    -------
    ndarray of shape (n_levels - 1,)
        Ascending; ``np.searchsorted(edges, predicted, side="right")`` is each customer's level. Fewer edges
        where levels would be too small.

    Examples
    --------
    >>> level_edges([1.0, 1.0, 1.0, 2.0, 3.0, 4.0], 3, at_least=2).tolist()
    [3.0]
    """
    ordered = np.sort(np.asarray(predicted, dtype=np.float64))
    starts = [0]
    for place in range(1, n_levels):
        start = int(np.searchsorted(ordered, ordered[place * len(ordered) // n_levels]))
        if start - starts[-1] >= at_least and len(ordered) - start >= at_least:
            starts.append(start)
    return ordered[starts[1:]]
