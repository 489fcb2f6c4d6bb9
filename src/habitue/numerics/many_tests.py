"""Which of many tests to believe, so that hardly ever any of them is wrong when nothing is there.

What is tested is for the caller to know.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["holm"]


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Return p-values adjusted so that those up to a rate are all believed at that rate of any false alarm.

    Parameters
    ----------
    p_values : array_like of shape (n,)
        Of n tests, however dependent.

    Returns
    -------
    ndarray of shape (n,)
        In the same order. If nothing has changed, the probability that any of them is at or below a rate is
        at most that rate.

    Notes
    -----
    The smallest is multiplied by n, the next by n - 1, and so on, and none is below one before it: never less
    able to find something than multiplying all by n (Bonferroni), and promising the same.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of
    Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    adjusted = np.empty(p.size)
    adjusted[order] = raised
    return adjusted
