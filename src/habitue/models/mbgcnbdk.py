"""MBG/CNBD-k as an estimator: MBG/NBD for customers who buy more regularly than by chance.

It carries numbers between data frames and :mod:`habitue.numerics.mbgcnbdk`, where the formulas are. What both
families of regular buyers do is in :mod:`habitue.models.regular_purchases`.
"""

from __future__ import annotations

from typing import ClassVar

from habitue.models.persistence import persistent
from habitue.models.regular_purchases import RegularPurchaseModel
from habitue.numerics import mbgcnbdk
from habitue.numerics.mbgcnbdk import MBGCNBDkParams

__all__ = ["MBGCNBDk"]

persistent(MBGCNBDkParams)


@persistent
class MBGCNBDk(RegularPurchaseModel):
    """Who is still a customer, where gaps are regular and many leave after the first purchase.

    Parameters
    ----------
    k : int, optional
        Regularity: 1 is chance, as in MBG/NBD, and the larger the more regular. Chosen by likelihood where
        left out; X then needs gap_geometric_mean, which a snapshot has.
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of log r,
        log(alpha / mean T), log(a / b) and log(a + b) is taken from the mean log-likelihood per customer.
    max_iter : int, default 500
        Steps allowed to the search at each k.

    Attributes
    ----------
    params_ : MBGCNBDkParams
        Fitted k, r, alpha (in days), a, b.
    k_ : int
        The regularity.
    standard_errors_ : MBGCNBDkParams
        Their standard errors; that of k stands as k itself, which is chosen, not estimated.
    covariance_ : ndarray of shape (4, 4)
        Covariance of r, alpha, a, b: inverse of the exact Hessian of the (penalised) log-likelihood in
        unconstrained parameters, by the delta method.
    loglik_ : float
        Log-likelihood of all customers and the lengths of their gaps, penalty not included, with time in
        days. NaN where k is above 1 and X has no gap_geometric_mean, without which it cannot be told.
    n_iter_ : int
        Steps done.
    gradient_norm_ : float
        Largest absolute slope left, in unconstrained parameters, per customer.
    condition_number_ : float
        Largest over smallest curvature in unconstrained parameters.
    advice_ : str
        Where the condition number shows a ridge, which parameters trade off and what to do; empty where none.
    posterior_ : Posterior or None
        Draws from the posterior of the parameters where `fit` was asked for them.
    n_histories_ : int
        Distinct histories among the customers; the cost of a fit follows it.
    n_features_in_ : int
        3.
    feature_names_in_ : ndarray of str
        The columns it predicts from, whatever others X has: frequency, recency, T.

    Notes
    -----
    BG/CNBD-k in which a customer may leave after the first purchase too. The expectation is exact, not the
    approximation that is in use elsewhere.

    References
    ----------
    Platzer, M. and Reutterer, T. (2016). Ticking away the moments: timing regularity helps to better predict
    customer activity. Marketing Science 35, 779-799.

    Reutterer, T., Platzer, M. and Schroeder, N. (2021). Leveraging purchase regularity for predicting
    customer behavior the easy way. International Journal of Research in Marketing 38, 194-215.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = MBGCNBDk().fit(X)
    >>> model.k_
    1
    """

    _REGULAR: ClassVar = (mbgcnbdk, MBGCNBDkParams)

    def __init__(
        self,
        *,
        k: int | None = None,
        horizon: float = 365.0,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.k = k
        self.horizon = horizon
        self.penalizer = penalizer
        self.max_iter = max_iter
