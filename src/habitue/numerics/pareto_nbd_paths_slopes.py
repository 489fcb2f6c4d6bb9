r"""How Pareto/NBD's likelihood under changing covariates moves with its parameters: first and second order.

The likelihood is an integral over when a silent customer may have left, so its derivatives are means over
that moment, under what is believed of it: with l(u) the log of the integrand, the gradient is E[l'], the
Hessian E[l''] + E[l' l''] - E[l'] E[l'']. They are taken at the very nodes of
:mod:`habitue.numerics.pareto_nbd_silence`, exactly; nothing is differenced.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import polygamma, psi

from habitue.numerics.arrays import FloatArray, growth_over_counts
from habitue.numerics.covariate_paths import IntArray, Paths, Pieces, blocks, exposure, pieces_between
from habitue.numerics.pareto_nbd_exposures import (
    Exposures,
    Histories,
    Moments,
    ParetoNBDPathsParams,
    exposures,
    log_alive,
    until,
)
from habitue.numerics.pareto_nbd_silence import log_odds_of_gone, panels

__all__ = ["gradient", "hessian", "value_gradient_hessian"]


class _Slopes(NamedTuple):
    """Derivatives of one exposure by the effects of its covariates, along each piece."""

    covariates: FloatArray
    first: FloatArray
    """When the piece begins."""
    first_slope: FloatArray
    """What is added per unit of time."""
    second: FloatArray
    second_slope: FloatArray


class _Term(NamedTuple):
    """Nodes of l(u): one row a panel, or a customer who is alive."""

    weights: FloatArray
    x: FloatArray
    piece: IntArray
    since: FloatArray
    a: FloatArray
    q: FloatArray
    is_gone: bool


def gradient(params: ParetoNBDPathsParams, histories: Histories, paths: Paths) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates.

    Returns
    -------
    ndarray of shape (n_customers, 4 + n_rate_covariates + n_dropout_covariates)
        Derivatives with respect to r, alpha, s, beta, then the effects on the rate, then those on dropout.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.ones((1, 1)), np.ones((1, 0)))
    >>> params = ParetoNBDPathsParams(0.55, 10.58, 0.61, 11.67, np.array([0.1]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.array([[2.0]]))
    >>> gradient(params, one, always).shape
    (1, 5)
    """
    return value_gradient_hessian(params, histories, paths)[1]


def hessian(params: ParetoNBDPathsParams, histories: Histories, paths: Paths) -> FloatArray:
    """Return the second derivatives of each customer's log-likelihood.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates.

    Returns
    -------
    ndarray of shape (n_customers, n_parameters, n_parameters)
        Symmetric matrices, parameters in the order of `gradient`.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.ones((1, 1)), np.ones((1, 0)))
    >>> params = ParetoNBDPathsParams(0.55, 10.58, 0.61, 11.67, np.array([0.1]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.array([[2.0]]))
    >>> hessian(params, one, always).shape
    (1, 5, 5)
    """
    return value_gradient_hessian(params, histories, paths)[2]


def value_gradient_hessian(
    params: ParetoNBDPathsParams, histories: Histories, paths: Paths
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the log-likelihood, its gradient and its Hessian, which share most of their work.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates.

    Returns
    -------
    value : ndarray of shape (n_customers,)
        Log-likelihoods.
    gradient : ndarray of shape (n_customers, n_parameters)
        As of `gradient`.
    hessian : ndarray of shape (n_customers, n_parameters, n_parameters)
        As of `hessian`.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.ones((1, 0)), np.ones((1, 0)))
    >>> params = ParetoNBDPathsParams(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(value_gradient_hessian(params, one, always)[0][0].round(6))
    -9.561981
    """
    n_parameters = 4 + paths.rate.shape[1] + paths.dropout.shape[1]
    n_customers = histories.T.size
    value = np.empty(n_customers)
    slope, curvature = np.empty((n_customers, n_parameters)), np.empty((n_customers, *(n_parameters,) * 2))
    along = exposures(params, paths)
    seen = until(params, paths, along, histories.path, histories.T)
    both = _slopes(paths, paths.rate, along.b), _slopes(paths, paths.dropout, along.d)
    silence = pieces_between(paths, histories.path, histories.recency, histories.T - histories.recency)
    for rows, pieces in blocks(silence, n_customers):
        at_T, some = (
            seen.at(rows),
            histories.at(rows),
        )
        odds = log_odds_of_gone(params, paths, along, some.frequency, at_T, pieces)
        more = np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))
        value[rows] = log_alive(params, some, along, at_T) + more
        first, second = _means(params, paths, along, both, some.frequency, at_T, pieces, more)
        slope[rows], curvature[rows] = _with_constants(params, some, first, second)
    return value, slope, curvature


def _slopes(paths: Paths, covariates: FloatArray, factors: FloatArray) -> _Slopes:
    """Return the first and second derivatives of an exposure by the effects."""
    first = factors[:, None] * covariates
    second = first[:, :, None] * covariates[:, None, :]
    return _Slopes(covariates, exposure(paths, first), first, exposure(paths, second), second)


def _means(
    params: ParetoNBDPathsParams,
    paths: Paths,
    along: Exposures,
    both: tuple[_Slopes, _Slopes],
    frequency: FloatArray,
    seen: Moments,
    pieces: Pieces,
    log_total: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return E[l'] and E[l''] + E[l' l'] of each customer, over whether and when he left."""
    alive = _Term(
        np.exp(-log_total)[:, None],
        frequency,
        seen.piece,
        seen.since[:, None],
        seen.a[:, None],
        seen.q[:, None],
        is_gone=False,
    )
    first, second = _derivatives(params, both, alive)
    for some in panels(params, paths, along, frequency, seen, pieces):
        at = some.at
        gone = _Term(
            some.weights * np.exp(some.log_scale - log_total[some.owner])[:, None],
            frequency[some.owner],
            at.piece,
            at.since[:, None] + some.ahead,
            at.a[:, None] + along.b[at.piece, None] * some.ahead,
            at.q[:, None] + along.d[at.piece, None] * some.ahead,
            is_gone=True,
        )
        begins = np.flatnonzero(np.diff(some.owner, prepend=-1))
        for total, parts in zip((first, second), _derivatives(params, both, gone), strict=True):
            total[some.owner[begins]] += np.add.reduceat(parts, begins, axis=0)
    return first, second


def _derivatives(
    params: ParetoNBDPathsParams, both: tuple[_Slopes, _Slopes], term: _Term
) -> tuple[FloatArray, FloatArray]:
    """Return the sums over nodes of weights times l', and times l'' + l' l'."""
    r, alpha, s, beta = params[:4]
    n_rate, n_dropout = (one.covariates.shape[1] for one in both)
    buying = np.array([1, *range(4, 4 + n_rate)])
    leaving = np.array([3, *range(4 + n_rate, 4 + n_rate + n_dropout)])
    scores = np.zeros((*term.weights.shape, 4 + n_rate + n_dropout))
    second = np.zeros((len(term.weights), *(scores.shape[-1],) * 2))
    scores[..., 0], scores[..., 2] = -np.log(term.a / alpha), -np.log(term.q / beta)
    powers = r + term.x, np.full(term.x.shape, s + 1.0 if term.is_gone else s)
    for own, shape, slopes, level, power in zip(
        (buying, leaving), (0, 2), both, (term.a, term.q), powers, strict=True
    ):
        towards = _relative(slopes, term, level)
        scores[..., own] = -power[:, None, None] * towards
        weighted = towards * term.weights[..., None]
        bend = np.swapaxes(weighted, 1, 2) @ towards
        bend[:, 1:, 1:] -= _relative_second(slopes, term, level)
        second[np.ix_(np.arange(len(second)), own, own)] += power[:, None, None] * bend
        cross = weighted.sum(axis=1)
        second[:, shape, own] -= cross
        second[:, own, shape] -= cross
    if term.is_gone:
        scores[..., 2] += 1.0 / s
        scores[..., leaving[1:]] += both[1].covariates[term.piece, None, :]
        second[:, 2, 2] -= term.weights.sum(axis=1) / s**2
    weighted = scores * term.weights[..., None]
    return weighted.sum(axis=1), second + np.swapaxes(weighted, 1, 2) @ scores


def _relative(slopes: _Slopes, term: _Term, level: FloatArray) -> FloatArray:
    """Return the derivatives of log(alpha + B) by alpha and the effects, at each node."""
    first = (
        slopes.first[term.piece, None, :] + slopes.first_slope[term.piece, None, :] * term.since[..., None]
    )
    return np.concatenate([np.ones((*level.shape, 1)), first], axis=-1) / level[..., None]


def _relative_second(slopes: _Slopes, term: _Term, level: FloatArray) -> FloatArray:
    """Return the weighted sums of the second derivatives of B by the effects, over alpha + B."""
    weights = term.weights / level
    so_far, ahead = weights.sum(axis=1), (weights * term.since).sum(axis=1)
    return (
        so_far[:, None, None] * slopes.second[term.piece]
        + ahead[:, None, None] * slopes.second_slope[term.piece]
    )


def _with_constants(
    params: ParetoNBDPathsParams, histories: Histories, first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian: the means, and what does not depend on when the customer left."""
    r, alpha, s, beta = params[:4]
    x = histories.frequency
    curvature = second - first[:, :, None] * first[:, None, :]
    curvature[:, 0, 0] += growth_over_counts(partial(polygamma, 1), r, x)
    curvature[:, 1, 1] -= r / alpha**2
    curvature[:, 3, 3] -= s / beta**2
    for shape, rate, scale in ((0, 1, alpha), (2, 3, beta)):
        curvature[:, shape, rate] += 1.0 / scale
        curvature[:, rate, shape] += 1.0 / scale
    slope = first
    slope[:, 0] += growth_over_counts(psi, r, x)
    slope[:, 1] += r / alpha
    slope[:, 3] += s / beta
    slope[:, 4 : 4 + histories.at_purchases.shape[1]] += histories.at_purchases
    return slope, curvature
