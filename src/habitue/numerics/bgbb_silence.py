r"""What a silence says in the BG/BB model: the customer left at one of its opportunities, or had no luck.

After his last purchase a customer either left before silent opportunity 1, 2, ..., or is still there. These
are exclusive, so every formula of :mod:`habitue.numerics.bgbb` holds their sum. Here it is taken, with its
derivatives, for silences of different lengths at once and of any length: positive terms only, by recurrence
for the first thousand opportunities and by a Gauss rule beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.beta_ratio import digamma_difference, log_beta_ratio, trigamma_difference
from habitue.numerics.long_sums import long_stretches, short_stretches

__all__ = ["LastSeen", "Moments", "chance_of_having_left", "chance_of_staying", "moments"]


class LastSeen(NamedTuple):
    """What is known of each customer at his last purchase.

    Attributes
    ----------
    a, b : ndarray of shape (n_customers,)
        Beta distribution of his probability to buy at an opportunity.
    gamma, d : ndarray of shape (n_customers,)
        Beta distribution of his probability to leave before one.
    """

    a: FloatArray
    b: FloatArray
    gamma: FloatArray
    d: FloatArray


class Moments(NamedTuple):
    """The chance of a silence and what its logarithm does when the four numbers of LastSeen move.

    Attributes
    ----------
    chance : ndarray of shape (n_customers,)
        Probability of the silence.
    first : ndarray of shape (n_customers, 4)
        Derivatives of its log by a, b, gamma, d.
    second : ndarray of shape (n_customers, 4, 4)
        Second derivatives of its log.
    """

    chance: FloatArray
    first: FloatArray
    second: FloatArray


class _Departures(NamedTuple):
    """Chances to leave after k silent opportunities, and differences of psi from a + b, b, gamma + d, d."""

    rows: Rows
    chance: FloatArray
    psi: tuple[FloatArray, ...]
    psi_prime: tuple[FloatArray, ...]


def chance_of_staying(seen: LastSeen, n_silent: FloatArray, n_survived: FloatArray) -> FloatArray:
    """Return the log of the chance to stay for n_survived opportunities and not to buy at n_silent.

    Parameters
    ----------
    seen : LastSeen
        What is known.
    n_silent, n_survived : ndarray of shape (n_customers,)
        Numbers of opportunities.

    Returns
    -------
    ndarray of shape (n_customers,)
        Logs of probabilities.

    Examples
    --------
    >>> one = np.ones(1)
    >>> np.exp(chance_of_staying(LastSeen(one, one, one, one), one, one)).round(12).tolist()
    [0.25]
    """
    silent = log_beta_ratio(seen.a, seen.b, n_silent)
    return silent + log_beta_ratio(seen.gamma, seen.d, n_survived)


def chance_of_having_left(seen: LastSeen, n_terms: FloatArray) -> FloatArray:
    """Return the chance to leave after k < n_terms opportunities at all of which nothing was bought.

    Parameters
    ----------
    seen : LastSeen
        What is known.
    n_terms : ndarray of shape (n_customers,)
        Numbers of opportunities.

    Returns
    -------
    ndarray of shape (n_customers,)
        Probabilities; 0 where n_terms is 0.

    Notes
    -----
    The sum over k of B(a, b + k) / B(a, b) * B(gamma + 1, d + k) / B(gamma, d).

    Examples
    --------
    >>> one = np.ones(1)
    >>> chance_of_having_left(LastSeen(one, one, one, one), np.array([2.0])).round(6).tolist()
    [0.583333]
    """
    total = np.zeros(n_terms.shape)
    for part in _departures(seen, n_terms, order=0):
        total[part.rows] += part.chance.sum(axis=1)
    return total


def moments(seen: LastSeen, n_silent: FloatArray, order: int) -> Moments:
    """Return the chance of a silence with the derivatives of its logarithm.

    Parameters
    ----------
    seen : LastSeen
        What is known.
    n_silent : ndarray of shape (n_customers,)
        Opportunities since, at none of which a purchase was made.
    order : {1, 2}
        How many derivatives; the second are zero for order 1.

    Returns
    -------
    Moments
        Probabilities and derivatives.

    Notes
    -----
    The first derivative is the mean, over when the customer may have left, of the derivatives of the log
    of each chance; the second the mean of their second derivatives plus the covariance of the first.

    Examples
    --------
    >>> one = np.ones(1)
    >>> moments(LastSeen(one, one, one, one), np.array([2.0]), 1).chance.round(6).tolist()
    [0.694444]
    """
    n, chance = n_silent.size, np.exp(chance_of_staying(seen, n_silent, n_silent))
    stayed = _stayed(seen, n_silent, order)
    first, second = chance[:, None] * _first(stayed, None), np.zeros((n, 4, 4))
    if order > 1:
        second = _outer(_first(stayed, None), chance) + chance[:, None, None] * _second(stayed, None)
    for part in _departures(seen, n_silent, order):
        gamma = seen.gamma[part.rows, None]
        chance[part.rows] += part.chance.sum(axis=1)
        score = _first(part, gamma)
        first[part.rows] += np.einsum("nk,nki->ni", part.chance, score)
        if order > 1:
            second[part.rows] += np.einsum("nk,nki,nkj->nij", part.chance, score, score)
            second[part.rows] += np.einsum("nk,nkij->nij", part.chance, _second(part, gamma))
    first /= chance[:, None]
    second = second / chance[:, None, None] - _outer(first, np.ones(n)) if order > 1 else second
    return Moments(chance, first, second)


def _departures(seen: LastSeen, n_terms: FloatArray, order: int) -> Iterator[_Departures]:
    """Yield the chances to leave after k silent opportunities, k < n_terms, with psi differences."""
    reached = np.ones(n_terms.shape)
    so_far = [np.zeros(n_terms.shape) for _ in range(4 * order)]
    for rows, k, counts in short_stretches(n_terms):
        places = _places(seen, rows, k)
        steps = (places[1] / places[0]) * (places[3] / places[2])
        going_on = np.cumprod(np.concatenate([reached[rows, None], steps], axis=1), axis=1)
        reached[rows] = going_on[:, -1]
        chance = np.where(counts, going_on[:, :-1] * (seen.gamma[rows, None] / places[2]), 0.0)
        sums: list[FloatArray] = []
        for i, carry in enumerate(so_far):
            terms = places[i % 4] ** -(1.0 + i // 4)
            running = np.cumsum(np.concatenate([carry[rows, None], terms], axis=1), axis=1)
            carry[rows] = running[:, -1]
            sums.append(running[:, 1:] if i % 4 == 2 else running[:, :-1])
        yield _Departures(rows, chance, tuple(sums[:4]), tuple(sums[4:]))
    yield from _late_departures(seen, n_terms, order)


def _late_departures(seen: LastSeen, n_terms: FloatArray, order: int) -> Iterator[_Departures]:
    """Yield the same beyond the first thousand, with closed forms at the points of a Gauss rule."""
    for rows, k, weights in long_stretches(n_terms):
        a, b, gamma, d = (field[rows, None] for field in seen)
        going_on = np.exp(log_beta_ratio(a, b, k) + log_beta_ratio(gamma, d, k))
        chance = weights * going_on * (gamma / (gamma + d + k))
        starts = ((a + b, k), (b, k), (gamma + d, k + 1.0), (d, k))
        psi = tuple(digamma_difference(*start) for start in starts) if order > 0 else ()
        psi_prime = tuple(trigamma_difference(*start) for start in starts) if order > 1 else ()
        yield _Departures(rows, chance, psi, psi_prime)


def _places(seen: LastSeen, rows: Rows, k: FloatArray) -> tuple[FloatArray, ...]:
    """Return a + b + k, b + k, gamma + d + k, d + k."""
    a, b, gamma, d = (field[rows, None] for field in seen)
    return a + b + k, b + k, gamma + d + k, d + k


def _stayed(seen: LastSeen, n_silent: FloatArray, order: int) -> _Departures:
    """Return the psi differences of the customer who has not left."""
    a, b, gamma, d = seen
    starts = (a + b, b, gamma + d, d)
    psi = tuple(digamma_difference(start, n_silent) for start in starts)
    psi_prime = tuple(trigamma_difference(start, n_silent) for start in starts) if order > 1 else ()
    return _Departures(np.arange(n_silent.size), np.ones(n_silent.shape), psi, psi_prime)


def _first(part: _Departures, gamma: FloatArray | None) -> FloatArray:
    """Return derivatives of the log of each chance by a, b, gamma, d, last axis."""
    of_total, of_b, of_both, of_d = part.psi
    leaving = 0.0 if gamma is None else 1.0 / gamma
    return np.stack([-of_total, of_b - of_total, leaving - of_both, of_d - of_both], axis=-1)


def _second(part: _Departures, gamma: FloatArray | None) -> FloatArray:
    """Return second derivatives of the log of each chance, last two axes."""
    of_total, of_b, of_both, of_d = part.psi_prime
    answer = np.zeros((*of_total.shape, 4, 4))
    answer[..., :2, :2] = of_total[..., None, None]
    answer[..., 2:, 2:] = of_both[..., None, None]
    answer[..., 1, 1] -= of_b
    answer[..., 3, 3] -= of_d
    if gamma is not None:
        answer[..., 2, 2] -= gamma**-2.0
    return answer


def _outer(first: FloatArray, weight: FloatArray) -> FloatArray:
    """Return weighted outer products of rows with themselves."""
    return weight[:, None, None] * first[:, :, None] * first[:, None, :]
