r"""How much more the treated did than the controls, from the top of a ranking downwards.

A ranking is good where the customers at its top are those whom the treatment moves. Nobody's own effect is
ever seen, only the difference between treated and controls among those ranked above some place. With
:math:`N_a(k), Y_a(k)` the weights and weighted outcomes of an arm among the first k of n, the curves are

.. math::
    uplift(k) &= Y_1(k) / N_1(k) - Y_0(k) / N_0(k) \\
    gain(k) &= (k / n) \, uplift(k) \\
    Qini(k) &= (Y_1(k) - Y_0(k) N_1(k) / N_0(k)) / N_1(n)

Gain and Qini both end at the average effect. Weights are one over the chance of the arm that was drawn, or 1
where all had the same. Several ways of counting the customers (bootstrap draws) are done together, as rows.

Ties share their places: a curve is straight from where a run of equal predictions begins to where it ends,
which is where its average over all orders of the tied goes. No ranking is made here, and nothing is checked.

References
----------
Radcliffe, N. J. (2007). Using control groups to target on predicted lift: building and assessing uplift
models. Direct Marketing Analytics Journal 1, 14-21.
Gutierrez, P. and Gerardy, J.-Y. (2017). Causal inference and uplift modelling: a review of the literature.
PMLR 67, 1-13.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = [
    "DownTheRanking",
    "area",
    "area_over_random",
    "down_the_ranking",
    "gain",
    "qini",
    "uplift",
    "uplift_at",
]


class DownTheRanking(NamedTuple):
    """What lies above each place of a ranking: arrays of shape (B, k + 1), the first column 0.

    There are k runs of equal predictions, the highest first, and B ways of counting the customers.
    """

    customers: FloatArray
    """Customers."""
    treated: FloatArray
    """Weights of the treated."""
    controls: FloatArray
    """Weights of the controls."""
    treated_outcome: FloatArray
    """Weighted outcomes of the treated."""
    control_outcome: FloatArray
    """Weighted outcomes of the controls."""


def down_the_ranking(
    y: FloatArray,
    is_treated: npt.NDArray[np.bool_],
    prediction: FloatArray,
    *,
    weight: FloatArray,
    counts: FloatArray,
) -> DownTheRanking:
    """Add up customers and outcomes of both arms from the highest prediction down.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.
    is_treated : ndarray of bool of shape (n,)
        Whether a customer was treated; the others are controls.
    prediction : ndarray of shape (n,)
        What customers are ranked by, the highest first.
    weight : ndarray of shape (n,)
        One over the chance of the arm that was drawn, or 1.
    counts : ndarray of shape (B, n)
        How many customers each row stands for.

    Returns
    -------
    DownTheRanking

    Examples
    --------
    >>> ranked = down_the_ranking(np.array([1.0, 0.0, 0.0]), np.array([True, False, True]),
    ...                           np.array([0.9, 0.9, 0.1]), weight=np.ones(3), counts=np.ones((1, 3)))
    >>> ranked.customers, ranked.treated, ranked.treated_outcome
    (array([[0., 2., 3.]]), array([[0., 1., 2.]]), array([[0., 1., 1.]]))
    """
    order = np.argsort(-prediction, kind="stable")
    ranked, first = prediction[order], np.zeros((len(counts), 1))
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    each = counts[:, order]
    treats, weighs, outcome = is_treated[order], weight[order], y[order]

    def summed(values: FloatArray) -> FloatArray:
        return np.concatenate([first, np.cumsum(each * values, axis=1)[:, last]], axis=1)

    of_treated, of_controls = weighs * treats, weighs * ~treats
    parts = (np.ones(y.size), of_treated, of_controls, of_treated * outcome, of_controls * outcome)
    return DownTheRanking(*map(summed, parts))


def uplift(ranked: DownTheRanking) -> FloatArray:
    """Return the difference between treated and controls above each place.

    Parameters
    ----------
    ranked : DownTheRanking
        Both arms, from the top.

    Returns
    -------
    ndarray of shape (B, k + 1)
        In the unit of the outcome; nan where an arm has nobody yet.

    Examples
    --------
    >>> one, two = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    >>> uplift(DownTheRanking(two + one, two, one, one, 0.0 * one))
    array([[nan, 0.5]])
    """
    return _share(ranked.treated_outcome, ranked.treated) - _share(ranked.control_outcome, ranked.controls)


def gain(ranked: DownTheRanking) -> FloatArray:
    """Return the cumulative gain per customer: uplift above each place, times the share that lies above it.

    Parameters
    ----------
    ranked : DownTheRanking
        Both arms, from the top.

    Returns
    -------
    ndarray of shape (B, k + 1)
        In the unit of the outcome; 0 where an arm has nobody yet, the average effect at the end. nan where an
        arm has nobody at all.

    Examples
    --------
    >>> one, two = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    >>> gain(DownTheRanking(two + one, two, one, one, 0.0 * one))
    array([[0. , 0.5]])
    """
    return _so_far(ranked) * ranked.customers / ranked.customers[:, -1:]


def qini(ranked: DownTheRanking) -> FloatArray:
    """Return Radcliffe's incremental outcome above each place, per treated customer.

    Parameters
    ----------
    ranked : DownTheRanking
        Both arms, from the top.

    Returns
    -------
    ndarray of shape (B, k + 1)
        In the unit of the outcome; 0 where an arm has nobody yet, the average effect at the end. nan where an
        arm has nobody at all.

    Examples
    --------
    >>> one, two = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    >>> qini(DownTheRanking(two + one, two, one, one, 0.0 * one))
    array([[0. , 0.5]])
    """
    return _so_far(ranked) * _share(ranked.treated, ranked.treated[:, -1:])


def area(ranked: DownTheRanking, curve: FloatArray) -> FloatArray:
    """Return the area under a curve over the share of customers: its mean height.

    Parameters
    ----------
    ranked : DownTheRanking
        For the share of customers above each place.
    curve : ndarray of shape (B, k + 1)
        Its height there.

    Returns
    -------
    ndarray of shape (B,)

    Examples
    --------
    >>> one = np.array([[0.0, 1.0, 2.0]])
    >>> area(DownTheRanking(one, one, one, one, one), np.array([[0.0, 3.0, 4.0]]))
    array([2.5])
    """
    widths = np.diff(ranked.customers, axis=1) / ranked.customers[:, -1:]
    return np.einsum("bk,bk->b", widths, (curve[:, 1:] + curve[:, :-1]) / 2.0)


def area_over_random(ranked: DownTheRanking, curve: FloatArray) -> FloatArray:
    """Return the area between a curve and the straight line to its end, which a random order follows.

    Parameters
    ----------
    ranked : DownTheRanking
        For the share of customers above each place.
    curve : ndarray of shape (B, k + 1)
        Its height there.

    Returns
    -------
    ndarray of shape (B,)
        0 where all are tied, below 0 where those at the top gain least.

    Examples
    --------
    >>> one = np.array([[0.0, 1.0, 2.0]])
    >>> area_over_random(DownTheRanking(one, one, one, one, one), np.array([[0.0, 3.0, 4.0]]))
    array([0.5])
    """
    return area(ranked, curve) - curve[:, -1] / 2.0


def uplift_at(ranked: DownTheRanking, share: float) -> FloatArray:
    """Return the difference between treated and controls among the first share of the customers.

    Parameters
    ----------
    ranked : DownTheRanking
        Both arms, from the top.
    share : float
        In (0, 1]. Those tied at its end, and a customer cut by it, count in part.

    Returns
    -------
    ndarray of shape (B,)
        In the unit of the outcome; nan where an arm has nobody there.

    Examples
    --------
    >>> half = np.array([[0.0, 1.0, 2.0]])
    >>> uplift_at(DownTheRanking(2.0 * half, half, half, np.array([[0.0, 1.0, 1.0]]), 0.0 * half), 0.5)
    array([1.])
    """
    place = share * ranked.customers[:, -1]
    cut = [
        np.array([np.interp(at, above, one) for at, above, one in zip(place, ranked[0], part, strict=True)])
        for part in ranked[1:]
    ]
    treated, controls, treated_outcome, control_outcome = cut
    return _share(treated_outcome, treated) - _share(control_outcome, controls)


def _so_far(ranked: DownTheRanking) -> FloatArray:
    """Return the uplift, 0 until both arms have somebody."""
    apart = uplift(ranked)
    return np.where(np.isnan(apart) & np.isfinite(apart[:, -1:]), 0.0, apart)


def _share(total: FloatArray, weight: FloatArray) -> FloatArray:
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0.0)
