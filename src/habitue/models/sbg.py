"""Shifted beta-geometric (sBG) as an estimator: how long customers with a contract keep renewing it.

It carries numbers between data frames and :mod:`habitue.numerics.sbg`, where the formulas are. What it does
as the other contractual family is in :mod:`habitue.models.contract_model`.
"""

from __future__ import annotations

from typing import ClassVar

from habitue.models.contract_model import ContractModel
from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.numerics import sbg
from habitue.numerics.sbg import SBGParams

__all__ = ["SBG"]

persistent(SBGParams)


@persistent
class SBG(ContractModel):
    """Who will cancel a contract, and how long do the others stay: each with a constant chance of his own.

    Parameters
    ----------
    horizon : int, default 1
        Renewal opportunities ahead that answers are for, where no other horizon is asked for.
    days_per_period : float, default 365.25
        Days from one opportunity to the next; only discounting needs them.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log(alpha / beta) and log(alpha + beta) is taken from the mean log-likelihood per customer.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : SBGParams
        Fitted alpha, beta: the probability to cancel at a renewal is Beta(alpha, beta) across customers.
    standard_errors_ : SBGParams
        Their standard errors.
    covariance_ : ndarray of shape (2, 2)
        Their covariance: inverse of the exact Hessian of the (penalised) log-likelihood in unconstrained
        parameters, by the delta method.
    loglik_ : float
        Log-likelihood of all customers, penalty not included.
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
        Distinct records among the customers; the cost of a fit follows it.
    n_features_in_ : int
        1.
    feature_names_in_ : ndarray of str
        The column that predictions read, whatever others X has: n_renewals. Fitting reads churned as well.

    Notes
    -----
    Predictions are about customers who are still there: a column churned is passed over. Customers must have
    been seen from the start of their contracts; where only the survivors of old cohorts are on record,
    retention comes out too high. Cohorts of different age may be mixed.

    Retention rates rise with tenure although no customer changes, because those likely to cancel do so early;
    data in which they fall have no best fit (`BDW` lets customers change). For alpha <= 1 so many hardly ever
    leave that `expected_residual_lifetime` is infinite: discount, or set a horizon.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2007). How to project customer retention. Journal of Interactive
    Marketing 21, 76-90.
    Fader, P. S. and Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils of
    ignoring heterogeneity. Marketing Science 29, 85-93.

    Examples
    --------
    A retention table says how many of 1,000 customers are still there at each anniversary (the "Regular" ones
    of the paper). Those lost between two are a row with their number as weight; those left are the last row:

    >>> import numpy as np
    >>> import pandas as pd
    >>> survivors = np.array([1000, 631, 468, 382, 326, 289, 262, 241])
    >>> X = pd.DataFrame({"n_renewals": [0, 1, 2, 3, 4, 5, 6, 7], "churned": [1, 1, 1, 1, 1, 1, 1, 0]})
    >>> customers = np.append(survivors[:-1] - survivors[1:], survivors[-1])
    >>> model = SBG().fit(X, sample_weight=customers)
    >>> round(model.params_.alpha, 3), round(model.params_.beta, 3)
    (0.704, 1.182)

    Customers who have renewed none, once and seven times, and what their renewals to come are worth at 10
    percent a year, in units of the yearly margin:

    >>> still_there = pd.DataFrame({"n_renewals": [0, 1, 7]})
    >>> model.churn_probability(still_there).round(3).tolist()
    [0.373, 0.244, 0.079]
    >>> model.residual_lifetime_value(still_there, discount=0.10).round(2).tolist()
    [2.96, 4.1, 6.84]
    """

    _FAMILY: ClassVar[Family] = Family(
        make=SBGParams,
        formulas=sbg,
        coordinates=Coordinates(("alpha", "beta"), (0, 0), beta_pair=(0, 1)),
        scaled=(),
    )

    def __init__(
        self,
        *,
        horizon: int = 1,
        days_per_period: float = 365.25,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.horizon = horizon
        self.days_per_period = days_per_period
        self.penalizer = penalizer
        self.max_iter = max_iter
