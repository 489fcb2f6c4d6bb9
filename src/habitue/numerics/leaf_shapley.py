"""Shapley values of one leaf of a tree: who brought a customer there, and who kept him away.

A leaf is reached where every feature on the way to it says so. Of a feature that is not known, a share of
customers goes that way. So a leaf is a game of few players, each of whom says yes or no, and everything that
can happen in it can be worked out once.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from habitue.numerics.arrays import FloatArray

__all__ = ["leaf_shapley", "patterns"]


def patterns(n_features: int) -> FloatArray:
    """Return everything that features can say: bit i of the row number is what feature i says.

    Parameters
    ----------
    n_features : int
        How many there are.

    Returns
    -------
    ndarray of shape (2^n_features, n_features)
        1 for yes.

    Examples
    --------
    >>> patterns(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    return (np.arange(2**n_features)[:, np.newaxis] >> np.arange(n_features) & 1).astype(np.float64)


def leaf_shapley(shares: FloatArray) -> FloatArray:
    r"""Return what each feature adds to the chance of being in a leaf, for all that features can say.

    Parameters
    ----------
    shares : ndarray of shape (n_leaves, n_features)
        Share of customers who go each leaf's way where it asks for a feature: the product of the shares at
        all splits by that feature on the way, in [0, 1].

    Returns
    -------
    ndarray of shape (n_leaves, 2^n_features, n_features)
        By what features say, in the order of `patterns`. They add up to 1 less the product of all shares
        where all say yes, else to 0 less that product.

    Notes
    -----
    With a_i what feature i says and r_i its share, the chance of being in the leaf where the features S are
    known is :math:`v(S) = \prod_{i \in S} a_i \prod_{i \notin S} r_i`, and

    .. math:: \phi_i = (a_i - r_i) \sum_{k=0}^{m-1} \frac{k!\,(m-1-k)!}{m!}
              [z^k] \prod_{j \ne i} (r_j + a_j z).

    References
    ----------
    .. [1] Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
       AI for trees. Nature Machine Intelligence 2, 56-67, algorithm 1.
    .. [2] Yang, J. (2021). Fast TreeSHAP: accelerating SHAP value computation for trees. arXiv:2109.09847:
       a leaf's sums depend on the customer by these yes and no alone.

    Examples
    --------
    Half of all go the way of the first feature, a quarter that of the second; both say yes.

    >>> leaf_shapley(np.array([[0.5, 0.25]]))[0, -1].round(4).tolist()
    [0.3125, 0.5625]
    """
    n_leaves, n = shares.shape
    says = patterns(n)
    weights = np.array([factorial(k) * factorial(n - 1 - k) / factorial(n) for k in range(n)])
    told = np.empty((n_leaves, len(says), n))
    for one in range(n):
        coalitions = np.zeros((n_leaves, len(says), n))  # by how many of the others are known
        coalitions[..., 0] = 1.0
        for other in set(range(n)) - {one}:
            joined = coalitions[..., :-1] * says[:, other, np.newaxis]
            coalitions *= shares[:, other, np.newaxis, np.newaxis]
            coalitions[..., 1:] += joined
        told[..., one] = (says[:, one] - shares[:, one, np.newaxis]) * (coalitions @ weights)
    return told
