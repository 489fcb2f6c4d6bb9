"""Pareto/NBD as an estimator: customers may leave at any time, bought or not.

It carries numbers between data frames and :mod:`habitue.numerics.pareto_nbd`, where the formulas are.
What it does as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import pareto_nbd
from habitue.numerics.pareto_nbd import ParetoNBDParams

__all__ = ["ParetoNBD"]

persistent(ParetoNBDParams)


@persistent
class ParetoNBD(PurchaseHistoryModel):
    """Who is still a customer, where leaving is not tied to a purchase.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    rate_covariates : sequence of str, default ()
        Columns that move the mean purchase rate: alpha exp(-effect x column).
    dropout_covariates : sequence of str, default ()
        Columns that move the mean time to leave: beta exp(-effect x column), so that
        a positive effect makes customers leave sooner.
    covariate_penalizer : float, default 0.0
        Ridge: its product with the square of each effect times its covariate's standard deviation is taken
        from the mean log-likelihood per customer.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log r, log(alpha / mean T), log s and log(beta / mean T)
        is taken from the mean log-likelihood per customer. Does not depend on the unit of time; 0.001 to 0.1
        steadies small samples.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : ParetoNBDParams
        Fitted r, alpha (in days), s, beta (in days).
    standard_errors_ : ParetoNBDParams
        Their standard errors.
    covariance_ : ndarray of shape (4 + n_effects, 4 + n_effects)
        Covariance of the parameters, then the effects: inverse of the exact Hessian of the (penalised)
        log-likelihood in unconstrained parameters, by the delta method.
    rate_effects_, dropout_effects_ : dict of float
        Effect of each covariate; the parameters are those of a customer whose covariates are all 0.
    rate_effect_errors_, dropout_effect_errors_ : dict of float
        Their standard errors.
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
        Their names, whatever others X has: frequency, recency, T and the covariates.

    Notes
    -----
    A log-likelihood published with time in weeks is larger by ``log(7) * X.frequency.sum()``, being a density
    of that many times; and its alpha is seven times smaller. The order of customers changes nothing, and a
    weight of 3 is the same as three equal rows.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987). Counting your customers: who are they and what
    will they do next? Management Science 33, 1-24.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = ParetoNBD().fit(X)
    >>> round(model.params_.r, 3), round(model.params_.alpha / 7, 2)
    (0.553, 10.58)
    """

    _FAMILY: ClassVar[Family] = Family(
        make=ParetoNBDParams,
        formulas=pareto_nbd,
        coordinates=Coordinates(("r", "alpha", "s", "beta"), (0, 1, 0, 1)),
        moved={"rate": (1, -1.0), "dropout": (3, -1.0)},
    )

    def __init__(
        self,
        *,
        horizon: float = 365.0,
        rate_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        covariate_penalizer: float = 0.0,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.horizon = horizon
        self.rate_covariates = rate_covariates
        self.dropout_covariates = dropout_covariates
        self.covariate_penalizer = covariate_penalizer
        self.penalizer = penalizer
        self.max_iter = max_iter
