r"""What contacting one customer with an offer earns, and where it breaks even.

A customer is lost within the horizon with probability p, and brings the margin v if staying. Of those lost,
some are gone already, with probability g; the others, with probability q = p - g, are about to leave, and
bring the share :math:`\lambda` of v before they do. Who is gone answers no offer and cannot be kept. One who
would leave accepts with probability :math:`\gamma`, and of those who accept the share s stays because of it.
One who would stay anyway accepts with probability :math:`\psi`. Who accepts brings the margin changed by the
share m (a discount: m < 0) and costs d; every contact costs c. Against no contact:

======================  ==============================  ==========================================
who                     probability                     gain before costs
======================  ==============================  ==========================================
accepts, is kept        :math:`q \gamma s`              :math:`v (1 + m) - \lambda v`
accepts, leaves yet     :math:`q \gamma (1 - s)`        :math:`\lambda v m`
accepts, stays anyway   :math:`(1 - p) \psi`            :math:`v m`
does not accept         the rest                        0
======================  ==============================  ==========================================

so that a contact earns

.. math:: q v \, [\gamma s (1 + m - \lambda) + \gamma (1 - s) \lambda m] + (1 - p) v \, \psi m
          - d \, (q \gamma + (1 - p) \psi) - c .

With g = 0, m = 0, :math:`\lambda` = 0, s = 1 and :math:`\psi` = 1 this is the profit of
:mod:`habitue.numerics.churn_profit` (Verbraken et al.), and with customers who differ in v that of Neslin et
al. It is linear in five numbers of a customer, :math:`(q v, (1 - p) v, q, 1 - p, 1)`, and linear in
:math:`(\gamma, \gamma s, \psi)`: sums over customers and means over uncertain assumptions are exact, and any
number of draws costs one product of two small matrices.

References
----------
Neslin, S. A., Gupta, S., Kamakura, W., Lu, J. and Mason, C. H. (2006). Defection detection: measuring and
understanding the predictive accuracy of customer churn models. Journal of Marketing Research 43(2), 204-211.

Verbraken, T., Verbeke, W. and Baesens, B. (2013). A novel profit maximizing metric for measuring
classification performance of customer churn prediction models. IEEE Transactions on Knowledge and Data
Engineering 25(5), 961-973.

Lemmens, A. and Gupta, S. (2020). Managing churn to maximize profits. Marketing Science 39(5), 956-973.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, floats

__all__ = [
    "break_even_acceptance",
    "break_even_churn",
    "cost_weights",
    "gain_terms",
    "gross_weights",
    "margin_if_staying",
]


def margin_if_staying(
    expected_margin: npt.ArrayLike,
    p_leave: npt.ArrayLike,
    *,
    p_gone: npt.ArrayLike = 0.0,
    leaver_share: float = 0.0,
) -> FloatArray:
    r"""Return what a customer brings within the horizon if they stay.

    Parameters
    ----------
    expected_margin : array_like
        Expected margin within the horizon, the chance of leaving included (CLV of the horizon); money.
    p_leave : array_like
        Chance of being lost within the horizon, in [0, 1].
    p_gone : array_like, default 0
        Chance of being gone already, in [0, p_leave].
    leaver_share : float, default 0
        Share of a stayer's margin that one who leaves still brings within the horizon, in [0, 1).

    Returns
    -------
    ndarray
        Money; infinite where leaving is certain and leavers bring nothing, 0 where nothing is expected.

    Notes
    -----
    From :math:`E = (1 - p) v + (p - g) \lambda v` follows :math:`v = E / (1 - p + (p - g) \lambda)`. Where
    leaving means that no purchase is made within the horizon, leavers bring nothing by definition:
    :math:`\lambda = 0`, and v is the expected margin of those who buy. Where contracts end evenly over the
    horizon it is 1/2.

    Examples
    --------
    >>> margin_if_staying([40.0, 40.0], [0.0, 0.6])
    array([ 40., 100.])
    >>> float(margin_if_staying(75.0, 0.5, leaver_share=0.5))
    100.0
    """
    expected, p, gone = floats(expected_margin, p_leave, p_gone)
    kept = 1.0 - p + (p - gone) * leaver_share
    empty = np.where(expected == 0.0, 0.0, np.copysign(np.inf, expected))
    return np.divide(expected, kept, out=empty, where=kept > 0.0)


def gain_terms(p_leave: npt.ArrayLike, value: npt.ArrayLike, p_gone: npt.ArrayLike = 0.0) -> FloatArray:
    """Return the five numbers of each customer that gains are linear in.

    Parameters
    ----------
    p_leave : array_like of shape (n,)
        Chance of being lost within the horizon, in [0, 1].
    value : array_like of shape (n,)
        Margin within the horizon of one who stays; money.
    p_gone : array_like of shape (n,), default 0
        Chance of being gone already, in [0, p_leave].

    Returns
    -------
    ndarray of shape (n, 5)
        Margin at risk q v, margin that is safe (1 - p) v, q, 1 - p, and 1.

    Examples
    --------
    >>> gain_terms([0.25], [100.0])
    array([[25.  , 75.  ,  0.25,  0.75,  1.  ]])
    >>> gain_terms([0.25], [100.0], [0.25])
    array([[ 0.  , 75.  ,  0.  ,  0.75,  1.  ]])
    """
    p, v, gone = floats(p_leave, value, p_gone)
    q, stays = p - gone, 1.0 - p
    return np.stack([q * v, stays * v, q, stays, np.ones_like(p)], axis=-1)


def gross_weights(
    acceptance: npt.ArrayLike,
    kept: npt.ArrayLike,
    acceptance_if_staying: npt.ArrayLike,
    *,
    margin_effect: float = 0.0,
    leaver_share: float = 0.0,
    level: npt.ArrayLike = 1.0,
) -> FloatArray:
    r"""Return what the terms of a customer are weighed with, before costs; one column a draw.

    Parameters
    ----------
    acceptance : array_like of shape (D,)
        Chance that one who would leave accepts, gamma.
    kept : array_like of shape (D,)
        Chance that one who would leave accepts and stays because of it, gamma times s.
    acceptance_if_staying : array_like of shape (D,)
        Chance that one who would stay accepts, psi.
    margin_effect : float
        Share of the margin that who accepts brings more, m; negative for a discount.
    leaver_share : float
        Share of a stayer's margin that one who leaves brings, lambda.
    level : array_like of shape (D,)
        By what all values are to be multiplied, 1 where they are believed.

    Returns
    -------
    ndarray of shape (5, D)
        To be multiplied from the left with :func:`gain_terms`.

    Examples
    --------
    Of leavers 30 % accept, and two in three of them stay; stayers do not care:

    >>> gain_terms([0.25], [100.0]) @ gross_weights([0.3], [0.2], [0.0])
    array([[5.]])
    """
    accepted, stayed, anyway, scale = np.atleast_1d(*floats(acceptance, kept, acceptance_if_staying, level))
    at_risk = stayed * (1.0 + margin_effect - leaver_share)
    at_risk = at_risk + (accepted - stayed) * leaver_share * margin_effect
    nothing = np.zeros_like(accepted)
    return np.stack([scale * at_risk, scale * anyway * margin_effect, nothing, nothing, nothing])


def cost_weights(
    acceptance: npt.ArrayLike,
    acceptance_if_staying: npt.ArrayLike,
    *,
    cost: float = 0.0,
    cost_if_accepted: float = 0.0,
) -> FloatArray:
    """Return what the terms of a customer are weighed with to give what a contact is expected to cost.

    Parameters
    ----------
    acceptance : array_like of shape (D,)
        Chance that one who would leave accepts.
    acceptance_if_staying : array_like of shape (D,)
        Chance that one who would stay accepts.
    cost : float
        Of a contact, accepted or not; money.
    cost_if_accepted : float
        Of an accepted offer, on top; money.

    Returns
    -------
    ndarray of shape (5, D)
        Money; to be taken off :func:`gross_weights`.

    Examples
    --------
    >>> gain_terms([0.25], [100.0]) @ cost_weights([0.4], [1.0], cost=1.0, cost_if_accepted=10.0)
    array([[9.5]])
    """
    accepted, anyway = np.atleast_1d(*floats(acceptance, acceptance_if_staying))
    nothing = np.zeros_like(accepted)
    answered = [cost_if_accepted * accepted, cost_if_accepted * anyway]
    return np.stack([nothing, nothing, *answered, nothing + cost])


def break_even_churn(weights: FloatArray, value: npt.ArrayLike) -> FloatArray:
    """Return from which chance of leaving a contact pays for itself, of customers who are not gone.

    Parameters
    ----------
    weights : ndarray of shape (5,)
        Of the gain net of costs, at the expected assumptions.
    value : array_like
        Margin within the horizon of one who stays; money.

    Returns
    -------
    ndarray
        In [0, 1]: 0 where contacting anybody pays; NaN where it pays for nobody, or where it pays less
        the likelier one is to leave.

    Examples
    --------
    >>> weights = np.array([0.3, 0.0, -3.0, -10.0, -1.0])  # contact 1, offer 10, 30 % of leavers accept
    >>> break_even_churn(weights, [200.0, 10.0]).round(3)
    array([0.164,   nan])
    """
    v = np.asarray(value, dtype=np.float64)
    slope = (weights[0] - weights[1]) * v + weights[2] - weights[3]
    start = weights[1] * v + weights[3] + weights[4]
    return _reached(start, slope)


def break_even_acceptance(at_none: npt.ArrayLike, at_all: npt.ArrayLike) -> FloatArray:
    """Return which acceptance a gain of nought needs, given the gains where nobody and where all accept.

    Parameters
    ----------
    at_none, at_all : array_like
        Gain net of costs where the acceptance is 0, and where it is 1; money.

    Returns
    -------
    ndarray
        In [0, 1], the least acceptance from which it pays: gains are linear in it. NaN where none does, or
        where the gain falls as more accept.

    Examples
    --------
    >>> break_even_acceptance([-1.0, -1.0, 2.0], [3.0, -0.5, 5.0])
    array([0.25,  nan, 0.  ])
    """
    low, high = floats(at_none, at_all)
    return _reached(low, high - low)


def _reached(start: FloatArray, rise: FloatArray) -> FloatArray:
    """Return the least share of a rise that brings a start to nought; NaN where all of it does not."""
    lacking = np.maximum(-start, 0.0)
    enough = (rise > 0.0) & (lacking <= rise)
    return np.divide(lacking, rise, out=np.full(rise.shape, np.nan), where=enough)
