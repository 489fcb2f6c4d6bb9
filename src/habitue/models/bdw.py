"""Beta-discrete-Weibull (BdW) as an estimator: contracts of customers who change as they stay.

It carries numbers between data frames and :mod:`habitue.numerics.bdw`, where the formulas are. What it does
as the other contractual family is in :mod:`habitue.models.contract_model`.
"""

from __future__ import annotations

from typing import ClassVar

from habitue.models.contract_model import ContractModel
from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.numerics import bdw
from habitue.numerics.bdw import BDWParams

__all__ = ["BDW"]

persistent(BDWParams)


@persistent
class BDW(ContractModel):
    """Who will cancel a contract, and how long do the others stay, if tenure itself changes customers.

    Parameters
    ----------
    horizon : int, default 1
        Renewal opportunities ahead that answers are for, where no other horizon is asked for.
    days_per_period : float, default 365.25
        Days from one opportunity to the next; only discounting needs them.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log(gamma / delta), log(gamma + delta) and log c is taken from the mean log-likelihood per customer.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : BDWParams
        Fitted gamma, delta, c: the probability to cancel at the first renewal is Beta(gamma, delta) across
        customers; that of each rises with tenure for c > 1 and falls for c < 1.
    standard_errors_ : BDWParams
        Their standard errors.
    covariance_ : ndarray of shape (3, 3)
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

    See Also
    --------
    SBG : The case c = 1, which needs fewer data; twice the difference of their ``loglik_`` tests it.

    Notes
    -----
    Predictions are about customers who are still there: a column churned is passed over. Customers must have
    been seen from the start of their contracts; where only the survivors of old cohorts are on record,
    retention comes out too high. Cohorts of different age may be mixed.

    For gamma c <= 1 so many customers hardly ever leave that `expected_residual_lifetime` is infinite:
    discount, or set a horizon.

    References
    ----------
    Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. and Steenburgh, T. (2018). "How to project customer
    retention" revisited: the role of duration dependence. Journal of Interactive Marketing 43, 1-16.

    Examples
    --------
    The first five years of the paper's "High End" customers, as a retention table of 1,000. Those lost
    between two years are a row with their number as weight; those left are the last row:

    >>> import numpy as np
    >>> import pandas as pd
    >>> survivors = np.array([1000, 869, 743, 653, 593])
    >>> X = pd.DataFrame({"n_renewals": [0, 1, 2, 3, 4], "churned": [1, 1, 1, 1, 0]})
    >>> customers = np.append(survivors[:-1] - survivors[1:], survivors[-1])
    >>> model = BDW().fit(X, sample_weight=customers)
    >>> [round(value, 3) for value in model.params_]
    [0.259, 1.723, 1.584]

    Three years later 49.1 percent of them were still there:

    >>> round(float(model.retention_curve(7).survival[7]), 3)
    0.481
    """

    _FAMILY: ClassVar[Family] = Family(
        make=BDWParams,
        formulas=bdw,
        coordinates=Coordinates(("gamma", "delta", "c"), (0, 0, 0), beta_pair=(0, 1)),
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
