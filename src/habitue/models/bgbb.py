"""BG/BB as an estimator: customers who may buy once at each of a series of opportunities.

It carries numbers between data frames and :mod:`habitue.numerics.bgbb`, where the formulas are. What it does
as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.maximum_likelihood import check_setting
from habitue.models.persistence import persistent
from habitue.models.purchase_history import Columns, CustomerTable
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import bgbb
from habitue.numerics.bgbb import BGBBParams
from habitue.numerics.discounting import Discount

__all__ = ["BGBB"]

persistent(BGBBParams)


@persistent
class BGBB(PurchaseHistoryModel):
    """Who still gives, attends or renews, where there is one occasion a period to do so.

    Parameters
    ----------
    horizon : float, default 5.0
        Opportunities ahead that answers are for, where no other horizon is asked for.
    days_per_opportunity : float, default 365.25
        Days from one opportunity to the next; only discounting needs them.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of the logs of
        alpha, beta, gamma, delta is taken from the mean log-likelihood per customer.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : BGBBParams
        Fitted alpha, beta (of buying at an opportunity), gamma, delta (of leaving before one).
    standard_errors_ : BGBBParams
        Their standard errors.
    covariance_ : ndarray of shape (4, 4)
        Their covariance: inverse of the exact Hessian of the (penalised) log-likelihood in log-parameters, by
        the delta method.
    loglik_ : float
        Log-likelihood of all customers, penalty not included.
    n_iter_ : int
        Steps done.
    gradient_norm_ : float
        Largest absolute slope left, in log-parameters, per customer.
    condition_number_ : float
        Largest over smallest curvature in log-parameters.
    advice_ : str
        Where the condition number shows a ridge, which parameters trade off and what to do; empty where none.
    posterior_ : Posterior or None
        Draws from the posterior of the parameters where `fit` was asked for them.
    n_histories_ : int
        Distinct histories among the customers; the cost of a fit follows it.
    n_features_in_ : int
        3.
    feature_names_in_ : ndarray of str
        The columns it reads, whatever others X has: frequency, recency, T.

    Notes
    -----
    Time is counted in opportunities after the first purchase: T had passed, frequency of them were taken, the
    last of these was number recency (0 where none). Customers may have different T.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Shang, J. (2010). Customer-base analysis in a discrete-time
    noncontractual setting. Marketing Science 29, 1086-1108.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame(
    ...     {
    ...         "frequency": [0, 1, 2, 3, 6, 1, 0, 4, 2, 5],
    ...         "recency": [0, 1, 5, 6, 6, 6, 0, 6, 2, 6],
    ...         "T": [6] * 10,
    ...     }
    ... )
    >>> model = BGBB(penalizer=0.01).fit(X)
    >>> bool(model.p_alive(X)[4] > model.p_alive(X)[0])
    True
    """

    _FAMILY: ClassVar[Family] = Family(
        make=BGBBParams,
        formulas=bgbb,
        coordinates=Coordinates(("alpha", "beta", "gamma", "delta"), (0, 0, 0, 0)),
        scaled=(),
    )

    def __init__(
        self,
        *,
        horizon: float = 5.0,
        days_per_opportunity: float = 365.25,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.horizon = horizon
        self.days_per_opportunity = days_per_opportunity
        self.penalizer = penalizer
        self.max_iter = max_iter

    def _check_settings(self) -> None:
        super()._check_settings()
        check_setting("days_per_opportunity", self.days_per_opportunity, above=0)

    def _rate(self, discount: Discount) -> float:
        return discount.per(self.days_per_opportunity)

    def _read(self, X: CustomerTable) -> Columns:
        """Return checked histories in opportunities."""
        columns = super()._read(X)
        frequency, recency, T = columns.values.T
        columns.refuse(
            (recency != np.floor(recency)) | (np.floor(T) != T) | (frequency > recency),
            "whole opportunities, of which at most recency were taken",
            advice="recency and T count opportunities (years, campaigns), not days.",
        )
        return columns
