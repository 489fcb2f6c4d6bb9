"""Hazards period by period: survival, causes of leaving, time still to come, and what is counted of them.

A hazard is the chance of leaving in a period for one who came to it. Periods are of one length, which is the
unit of time here; inside a period hazards act evenly, as a constant intensity. Several causes compete: their
hazards add up to that of leaving at all. Nothing here learns; hazards come from a model, or from counts.

References
----------
.. [1] Singer, J. D. and Willett, J. B. (1993). It's about time: using discrete-time survival analysis to
   study duration and the timing of events. Journal of Educational Statistics 18, 155-195.
.. [2] Tutz, G. and Schmid, M. (2016). Modeling Discrete Time-to-Event Data. Springer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = [
    "AalenJohansen",
    "KaplanMeier",
    "aalen_johansen",
    "cumulative_incidence",
    "incidence_ahead",
    "kaplan_meier",
    "log_likelihood",
    "restricted_mean",
    "survival",
    "survival_ahead",
]


class KaplanMeier(NamedTuple):
    """Survival at the ends of periods, from counts.

    Attributes
    ----------
    survival : ndarray of shape (..., n_periods)
        Share that stays through each period.
    standard_error : ndarray of shape (..., n_periods)
        Of the share, by Greenwood's formula.
    """

    survival: FloatArray
    standard_error: FloatArray


class AalenJohansen(NamedTuple):
    """Survival and causes of leaving at the ends of periods, from counts.

    Attributes
    ----------
    survival : ndarray of shape (..., n_periods)
        Share that stays through each period.
    incidence : ndarray of shape (..., n_periods, n_causes)
        Share that has left by each cause; with survival they add up to 1.
    """

    survival: FloatArray
    incidence: FloatArray


def survival(hazards: npt.ArrayLike) -> FloatArray:
    """Return the chance of staying through each period and all before it.

    Parameters
    ----------
    hazards : array_like of shape (..., n_periods)
        Chance of leaving in each period for one who came to it, in [0, 1].

    Returns
    -------
    ndarray of shape (..., n_periods)
        Chances, never rising.

    Notes
    -----
    S(k) = (1 - h_1) ... (1 - h_k).

    References
    ----------
    Singer and Willett (1993); Tutz and Schmid (2016), chapter 3.

    Examples
    --------
    >>> survival([0.5, 0.2]).tolist()
    [0.5, 0.4]
    """
    stays = 1.0 - np.asarray(hazards, dtype=np.float64)
    return np.cumprod(stays, axis=-1, dtype=np.float64)


def cumulative_incidence(hazards: npt.ArrayLike) -> FloatArray:
    """Return the chance of having left by each cause at the end of each period.

    Parameters
    ----------
    hazards : array_like of shape (..., n_periods, n_causes)
        Chance of leaving in each period by each cause, for one who came to it; they add up to at most 1.

    Returns
    -------
    ndarray of shape (..., n_periods, n_causes)
        Chances, never falling; over causes they add up to 1 less `survival` of the summed hazards.

    Notes
    -----
    F_c(k) = sum over j <= k of h_jc S(j - 1).

    References
    ----------
    Tutz and Schmid (2016), chapter 8.

    Examples
    --------
    >>> cumulative_incidence([[0.3, 0.2], [0.1, 0.1]]).round(3).tolist()
    [[0.3, 0.2], [0.35, 0.25]]
    """
    by_cause = np.asarray(hazards, dtype=np.float64)
    stays = survival(by_cause.sum(axis=-1))
    before = np.concatenate([np.ones_like(stays[..., :1]), stays[..., :-1]], axis=-1)
    return np.cumsum(before[..., None] * by_cause, axis=-2)


class _Reached(NamedTuple):
    """Where times ahead lie: in which period, how far into what is left of it, and what came before."""

    period: npt.NDArray[np.intp]  # (n_customers, n_times)
    inside: FloatArray  # (n_customers, n_times): periods spent in that one
    spent: FloatArray  # (n_customers, n_periods): of each period, 1 but for the rest of the first
    starts: FloatArray  # (n_customers, n_periods): chance of coming to each period


def _reach(stays: FloatArray, times: npt.ArrayLike, elapsed: npt.ArrayLike) -> _Reached:
    """Place times ahead of customers who have `elapsed` of their first period behind them."""
    n_customers, n_periods = stays.shape
    ahead = np.broadcast_to(np.asarray(times, dtype=np.float64), (n_customers, np.shape(times)[-1]))
    behind = np.broadcast_to(np.asarray(elapsed, dtype=np.float64), (n_customers,))[:, None]
    # Beyond the last period its hazard goes on: one stays in it for longer than a period.
    period = np.clip((ahead + behind).astype(np.intp), 0, n_periods - 1)
    inside = ahead - np.maximum(period - behind, 0.0)
    spent = np.ones_like(stays)
    spent[:, :1] -= behind
    through = np.cumprod(stays**spent, axis=1, dtype=np.float64)
    starts = np.concatenate([np.ones((n_customers, 1)), through[:, :-1]], axis=1)
    return _Reached(period, inside, spent, starts)


def survival_ahead(hazards: npt.ArrayLike, times: npt.ArrayLike, elapsed: npt.ArrayLike = 0.0) -> FloatArray:
    """Return the chance that customers who are there now are still there at times ahead.

    Parameters
    ----------
    hazards : array_like of shape (n_customers, n_periods)
        Of leaving at all, in the period that each customer is in now and those after it. Beyond the last of
        them its hazard goes on.
    times : array_like of shape (n_times,) or (n_customers, n_times)
        Periods from now, >= 0; parts of a period are welcome.
    elapsed : array_like of shape (n_customers,), optional
        Share of the present period that has gone by, in [0, 1).

    Returns
    -------
    ndarray of shape (n_customers, n_times)
        Chances; 1 at time 0.

    Notes
    -----
    Inside a period S falls as (1 - h)^u with the part u of it that has gone by: constant intensity.

    Examples
    --------
    >>> survival_ahead([[0.36, 0.19]], [0.0, 0.5, 1.0, 1.5]).round(4).tolist()
    [[1.0, 0.8, 0.64, 0.576]]
    >>> survival_ahead([[0.36, 0.19]], [0.5, 1.0], elapsed=0.5).round(4).tolist()
    [[0.8, 0.72]]
    """
    stays = 1.0 - np.asarray(hazards, dtype=np.float64)
    at = _reach(stays, times, elapsed)
    return _pick(at.starts, at.period) * _pick(stays, at.period) ** at.inside


def incidence_ahead(hazards: npt.ArrayLike, times: npt.ArrayLike, elapsed: npt.ArrayLike = 0.0) -> FloatArray:
    """Return the chance that customers who are there now will have left by each cause at times ahead.

    Parameters
    ----------
    hazards : array_like of shape (n_customers, n_periods, n_causes)
        By cause, in the period that each customer is in now and those after it. Beyond the last of them its
        hazards go on.
    times : array_like of shape (n_times,) or (n_customers, n_times)
        Periods from now, >= 0.
    elapsed : array_like of shape (n_customers,), optional
        Share of the present period that has gone by, in [0, 1).

    Returns
    -------
    ndarray of shape (n_customers, n_times, n_causes)
        Chances; over causes they add up to 1 less `survival_ahead`.

    Notes
    -----
    Inside a period causes act in proportion to their hazards, each with a constant intensity: of those who
    leave in any part of it, the share h_c / h leaves by cause c.

    Examples
    --------
    >>> incidence_ahead([[[0.27, 0.09], [0.1, 0.1]]], [0.5, 1.0, 2.0]).round(4).tolist()
    [[[0.15, 0.05], [0.27, 0.09], [0.334, 0.154]]]
    """
    by_cause = np.asarray(hazards, dtype=np.float64)
    leaves = by_cause.sum(axis=-1)
    stays = 1.0 - leaves
    share = np.divide(by_cause, leaves[..., None], out=np.zeros_like(by_cause), where=leaves[..., None] > 0)
    at = _reach(stays, times, elapsed)
    through = (at.starts * (1.0 - stays**at.spent))[..., None] * share
    before = np.cumsum(through, axis=1) - through
    partly = _pick(at.starts, at.period) * (1.0 - _pick(stays, at.period) ** at.inside)
    which = at.period[..., None]
    return np.take_along_axis(before, which, 1) + partly[..., None] * np.take_along_axis(share, which, 1)


def restricted_mean(
    hazards: npt.ArrayLike, horizon: npt.ArrayLike, elapsed: npt.ArrayLike = 0.0
) -> FloatArray:
    """Return the time that customers who are there now will still be there, as far as the horizon.

    Parameters
    ----------
    hazards : array_like of shape (n_customers, n_periods)
        Of leaving at all, in the period that each customer is in now and those after it. Beyond the last of
        them its hazard goes on.
    horizon : array_like of shape () or (n_customers,)
        Periods from now, >= 0.
    elapsed : array_like of shape (n_customers,), optional
        Share of the present period that has gone by, in [0, 1).

    Returns
    -------
    ndarray of shape (n_customers,)
        Periods, at most the horizon.

    Notes
    -----
    The area under `survival_ahead` up to the horizon: in each period that is come to, the integral of
    (1 - h)^u over u, which is ((1 - h)^u - 1) / log(1 - h). Restricted, because a mean without an end rests
    on what nobody has seen.

    References
    ----------
    Royston, P. and Parmar, M. K. B. (2013). Restricted mean survival time: an alternative to the hazard
    ratio. BMC Medical Research Methodology 13, 152.

    Examples
    --------
    >>> restricted_mean([[0.0, 0.0], [0.5, 0.5]], 4.0).round(4).tolist()
    [4.0, 1.3525]
    """
    stays = 1.0 - np.asarray(hazards, dtype=np.float64)
    until = np.broadcast_to(np.asarray(horizon, dtype=np.float64), stays.shape[:1])[:, None]
    at = _reach(stays, until, elapsed)
    through = at.starts * _area(stays, at.spent)
    before = np.cumsum(through, axis=1) - through
    partly = _pick(at.starts, at.period) * _area(_pick(stays, at.period), at.inside)
    return (_pick(before, at.period) + partly)[:, 0]


def _area(stays: FloatArray, width: FloatArray) -> FloatArray:
    """Return the integral of stays^u over u from 0 to width."""
    with np.errstate(divide="ignore"):
        rate = -np.log(stays)
    tiny = rate * width < 1e-8  # the series, right to all digits there; the quotient would be 0 / 0
    safe = np.where(tiny, 1.0, rate)
    return np.where(tiny, width * (1.0 - rate * width / 2.0), -np.expm1(-safe * width) / safe)


def _pick(values: FloatArray, period: npt.NDArray[np.intp]) -> FloatArray:
    return np.take_along_axis(values, period, axis=1)


def log_likelihood(hazards: npt.ArrayLike, cause: npt.ArrayLike) -> FloatArray:
    """Return the log of the chance of what happened in each period that was come to.

    Parameters
    ----------
    hazards : array_like of shape (n_person_periods, n_causes)
        By cause.
    cause : array_like of shape (n_person_periods,)
        0 where the customer stayed through the period, else the number of the cause, from 1.

    Returns
    -------
    ndarray of shape (n_person_periods,)
        Their sum over the periods of a customer is the log-likelihood of his time, censored or not; one first
        seen later brings no periods from before, and that is all that left truncation asks.

    References
    ----------
    Singer and Willett (1993); with several causes Tutz and Schmid (2016), chapter 8.

    Examples
    --------
    >>> log_likelihood([[0.3, 0.2], [0.3, 0.2]], [0, 2]).round(4).tolist()
    [-0.6931, -1.6094]
    """
    by_cause = np.asarray(hazards, dtype=np.float64)
    outcomes = np.column_stack([1.0 - by_cause.sum(axis=1), by_cause])
    happened = np.asarray(cause, dtype=np.intp)[:, None]
    return np.log(np.take_along_axis(outcomes, happened, axis=1)[:, 0])


def kaplan_meier(n_events: npt.ArrayLike, n_at_risk: npt.ArrayLike) -> KaplanMeier:
    """Return the share that stays through each period, and its standard error, from counts.

    Parameters
    ----------
    n_events : array_like of shape (..., n_periods)
        Customers who left in each period.
    n_at_risk : array_like of shape (..., n_periods)
        Customers who came to it under observation; those first seen later count from then on. Parts of a
        customer, for periods seen in part, are welcome.

    Returns
    -------
    KaplanMeier
        Where nobody is at risk the share is held.

    Notes
    -----
    S(k) is the product of 1 - d_j / n_j; Greenwood's variance of it is S(k)^2 times the sum of
    d_j / (n_j (n_j - d_j)), and 0 once nobody is left.

    References
    ----------
    Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. JASA 53,
    457-481.

    Examples
    --------
    >>> told = kaplan_meier([2, 1], [10, 4])
    >>> told.survival.round(3).tolist(), told.standard_error.round(4).tolist()
    ([0.8, 0.6], [0.1265, 0.1975])
    """
    events, at_risk = np.broadcast_arrays(
        np.asarray(n_events, dtype=np.float64), np.asarray(n_at_risk, dtype=np.float64)
    )
    share = survival(_over(events, at_risk))
    spread = np.cumsum(_over(events, at_risk * (at_risk - events)), axis=-1)
    return KaplanMeier(share, share * np.sqrt(spread))


def aalen_johansen(n_events: npt.ArrayLike, n_at_risk: npt.ArrayLike) -> AalenJohansen:
    """Return the share that has left by each cause at the end of each period, from counts.

    Parameters
    ----------
    n_events : array_like of shape (..., n_periods, n_causes)
        Customers who left in each period, by cause.
    n_at_risk : array_like of shape (..., n_periods)
        Customers who came to it under observation.

    Returns
    -------
    AalenJohansen
        Its survival is that of `kaplan_meier` for leaving at all.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov chains
    based on censored observations. Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> told = aalen_johansen([[1, 1], [1, 0]], [10, 4])
    >>> told.survival.round(3).tolist(), told.incidence.round(3).tolist()
    ([0.8, 0.6], [[0.1, 0.1], [0.3, 0.1]])
    """
    at_risk = np.asarray(n_at_risk, dtype=np.float64)[..., None]
    hazards = _over(np.asarray(n_events, dtype=np.float64), at_risk)
    return AalenJohansen(survival(hazards.sum(axis=-1)), cumulative_incidence(hazards))


def _over(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide, with 0 where there is nothing to divide by."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.zeros(shape), where=np.broadcast_to(whole > 0.0, shape))
