"""NBD as an estimator: how often customers buy where nobody ever leaves; the yardstick of all others.

It carries numbers between data frames and :mod:`habitue.numerics.nbd`, where the formulas are. What it does
as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from typing import ClassVar

from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import nbd
from habitue.numerics.nbd import NBDParams

__all__ = ["NBD"]

persistent(NBDParams)


@persistent
class NBD(PurchaseHistoryModel):
    """How often will each customer buy, if nobody ever leaves.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log r and log(alpha / mean T)
        is taken from the mean log-likelihood per customer. Does not depend on the unit of time; 0.001 to 0.1
        steadies small samples.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : NBDParams
        Fitted r, alpha (in days).
    standard_errors_ : NBDParams
        Their standard errors.
    covariance_ : ndarray of shape (2, 2)
        Their covariance: inverse of the exact Hessian of the (penalised) log-likelihood in
        unconstrained parameters, by the delta method.
    loglik_ : float
        Log-likelihood of all customers, penalty not included, with time in days.
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
        Number of columns it reads.
    feature_names_in_ : ndarray of str
        Their names, whatever others X has: frequency, recency, T.

    Notes
    -----
    A log-likelihood published with time in weeks is larger by ``log(7) * X.frequency.sum()``, being a density
    of that many times; and its alpha is seven times smaller. The order of customers changes nothing, and a
    weight of 3 is the same as three equal rows.

    The likelihood is the density of the purchase times, as in the other families, so that log-likelihoods
    compare; that of the counts is larger by the sum of x log T - log x!.

    References
    ----------
    Ehrenberg, A. S. C. (1959). The pattern of consumer purchases. Applied Statistics 8, 26-41.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = NBD().fit(X)
    >>> round(model.params_.r, 3), round(model.params_.alpha / 7, 2)
    (0.385, 12.07)
    """

    _FAMILY: ClassVar[Family] = Family(
        make=NBDParams,
        formulas=nbd,
        coordinates=Coordinates(("r", "alpha"), (0, 1)),
        is_dear=False,
    )

    def __init__(
        self,
        *,
        horizon: float = 365.0,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.horizon = horizon
        self.penalizer = penalizer
        self.max_iter = max_iter
