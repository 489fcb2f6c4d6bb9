"""Why a customer is likely to leave in the period that he is in: what each feature adds to the log-odds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from habitue.models.outcomes import FloatArray

__all__ = ["log_odds_contributions"]


def log_odds_contributions(told: npt.ArrayLike, n_classes: int, which: int | None = None) -> FloatArray:
    """Return what each feature adds to the log-odds of leaving against going on.

    Parameters
    ----------
    told : array_like of shape (n_customers, n_classes * (n_features + 1))
        LightGBM's exact contributions, class by class, the base value last in each; those of one class are of
        the log-odds themselves.
    n_classes : int
        1 where there is one cause, else one more than causes: class 0 goes on.
    which : int, optional
        The number of a cause, from 1; all together where left out.

    Returns
    -------
    ndarray of shape (n_customers, n_features + 1)
        The last column is the base value.

    Notes
    -----
    A class's score is f_c, and log(h_c / h_0) = f_c - f_0 with h_0 the chance of going on: contributions are
    differences. Of several causes together it is the mean of these log-odds, weighted by each customer's own
    shares of causes in his hazard: what moves the cause that threatens him counts.

    Examples
    --------
    >>> log_odds_contributions([[0.5, -1.0]], 1).tolist()
    [[0.5, -1.0]]
    >>> log_odds_contributions([[0.0, 1.0, 0.5, -1.0, -0.5, -1.0]], 3, which=2).tolist()
    [[-0.5, -2.0]]
    """
    values = np.asarray(told, dtype=np.float64)
    by_class = values.reshape(len(values), n_classes, -1)
    if n_classes == 1:
        return by_class[:, 0]
    against = by_class[:, 1:] - by_class[:, :1]
    if which is not None:
        return against[:, which - 1]
    share = softmax(by_class.sum(axis=2)[:, 1:], axis=1)
    return np.asarray(np.einsum("nc,ncf->nf", share, against), dtype=np.float64)
