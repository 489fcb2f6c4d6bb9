"""Where Pareto/NBD customers are on their covariate paths: exposures to buying and to leaving.

The parameters and histories of :mod:`habitue.numerics.pareto_nbd_paths`, and what both the likelihood and its
derivatives begin with. No integral is taken here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from habitue.numerics.arrays import FloatArray, growth_over_counts
from habitue.numerics.covariate_paths import IntArray, Paths, exposure, factor, pieces_at

__all__ = [
    "Exposures",
    "Histories",
    "Moments",
    "ParetoNBDPathsParams",
    "exposures",
    "log_alive",
    "moments",
    "until",
]


class ParetoNBDPathsParams(NamedTuple):
    """The numbers of a Pareto/NBD customer base with covariates.

    Attributes
    ----------
    r, alpha : float
        Shape and rate of the Gamma distribution of purchase rates at covariates 0; alpha is in the unit of
        time.
    s, beta : float
        The same of the rates of leaving.
    rate_effects : ndarray of shape (n_rate_covariates,)
        A covariate one larger multiplies the purchase rate by e^effect.
    dropout_effects : ndarray of shape (n_dropout_covariates,)
        The same of the rate of leaving.
    """

    r: float
    alpha: float
    s: float
    beta: float
    rate_effects: FloatArray
    dropout_effects: FloatArray


class Histories(NamedTuple):
    """What is known of customers, all times since their first purchase.

    Attributes
    ----------
    frequency : ndarray of shape (n_customers,)
        Repeat purchases x.
    recency : ndarray of shape (n_customers,)
        Time of the last, t_x, 0 where there is none.
    T : ndarray of shape (n_customers,)
        How long they were observed.
    path : ndarray of int of shape (n_customers,)
        The path of each, a position among those of `Paths`.
    at_purchases : ndarray of shape (n_customers, n_rate_covariates)
        Covariates of the purchase rate, summed over the repeat purchases.
    """

    frequency: FloatArray
    recency: FloatArray
    T: FloatArray
    path: IntArray
    at_purchases: FloatArray

    def at(self, rows: slice) -> Histories:
        """Return some customers.

        Parameters
        ----------
        rows : slice
            Which.
        """
        return Histories(
            self.frequency[rows], self.recency[rows], self.T[rows], self.path[rows], self.at_purchases[rows]
        )


class Exposures(NamedTuple):
    """Factors and exposures along each piece, at given effects.

    Attributes
    ----------
    b, d : ndarray of shape (n_pieces,)
        Factors of the rates of buying and of leaving.
    B, D : ndarray of shape (n_pieces,)
        What of them has added up when the piece begins.
    """

    b: FloatArray
    d: FloatArray
    B: FloatArray
    D: FloatArray


class Moments(NamedTuple):
    """Where on their paths customers are at some moment: one entry a customer or a panel.

    Attributes
    ----------
    piece : ndarray of int of shape (n,)
        Which piece.
    since : ndarray of shape (n,)
        Time since it began.
    a, q : ndarray of shape (n,)
        alpha + B and beta + D.
    """

    piece: IntArray
    since: FloatArray
    a: FloatArray
    q: FloatArray

    def at(self, rows: slice | npt.NDArray[np.bool_]) -> Moments:
        """Return some of them.

        Parameters
        ----------
        rows : slice or ndarray of bool
            Which.
        """
        return Moments(self.piece[rows], self.since[rows], self.a[rows], self.q[rows])


def exposures(params: ParetoNBDPathsParams, paths: Paths) -> Exposures:
    """Return factors and exposures along each piece.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    paths : Paths
        Covariates.

    Returns
    -------
    Exposures
        One entry a piece.
    """
    b = factor(paths.rate, params.rate_effects)
    d = factor(paths.dropout, params.dropout_effects)
    return Exposures(b, d, exposure(paths, b), exposure(paths, d))


def moments(
    params: ParetoNBDPathsParams, paths: Paths, along: Exposures, index: IntArray, time: FloatArray
) -> Moments:
    """Return exposures at times whose pieces are known.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    paths : Paths
        Covariates.
    along : Exposures
        Exposures at the start of each piece.
    index : ndarray of int of shape (n,)
        Pieces.
    time : ndarray of shape (n,)
        Times within them.

    Returns
    -------
    Moments
        One entry each.
    """
    since = time - paths.starts[index]
    a = params.alpha + along.B[index] + along.b[index] * since
    return Moments(index, since, a, params.beta + along.D[index] + along.d[index] * since)


def until(
    params: ParetoNBDPathsParams, paths: Paths, along: Exposures, path: IntArray, time: FloatArray
) -> Moments:
    """Return exposures of customers at given times.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    paths : Paths
        Covariates.
    along : Exposures
        Exposures at the start of each piece.
    path : ndarray of int of shape (n_customers,)
        The path of each.
    time : ndarray of shape (n_customers,)
        Times.

    Returns
    -------
    Moments
        One entry a customer.
    """
    return moments(params, paths, along, pieces_at(paths, path, time), time)


def log_alive(
    params: ParetoNBDPathsParams, histories: Histories, along: Exposures, seen: Moments
) -> FloatArray:
    """Return the log density of each history together with the customer being alive at T.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    histories : Histories
        Customers.
    along : Exposures
        Exposures at the start of each piece.
    seen : Moments
        Customers at T.

    Returns
    -------
    ndarray of shape (n_customers,)
        Log densities.
    """
    r, alpha, s, beta = params[:4]
    x = histories.frequency
    B = along.B[seen.piece] + along.b[seen.piece] * seen.since  # not seen.a - alpha: that loses digits
    D = along.D[seen.piece] + along.d[seen.piece] * seen.since
    purchasing = growth_over_counts(gammaln, r, x) - x * np.log(alpha)
    at_purchases = histories.at_purchases @ np.asarray(params.rate_effects, dtype=np.float64)
    return purchasing + at_purchases - (r + x) * np.log1p(B / alpha) - s * np.log1p(D / beta)
