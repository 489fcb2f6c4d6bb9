"""Gamma-Gompertz/NBD as an estimator: the chance to leave may grow with time.

It carries numbers between data frames and :mod:`habitue.numerics.ggompertz_nbd`, where the formulas are.
What it does as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from typing import ClassVar

from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import ggompertz_nbd
from habitue.numerics.ggompertz_nbd import GGompertzNBDParams

__all__ = ["GGompertzNBD"]

persistent(GGompertzNBDParams)


@persistent
class GGompertzNBD(PurchaseHistoryModel):
    """Who is still a customer, where the chance to leave grows (or hardly does) with time.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log r, log(alpha / mean T), log(b mean T), log s and log beta
        is taken from the mean log-likelihood per customer. Does not depend on the unit of time; 0.001 to 0.1
        steadies small samples.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : GGompertzNBDParams
        Fitted r, alpha (in days), b (per day), s, beta.
    standard_errors_ : GGompertzNBDParams
        Their standard errors.
    covariance_ : ndarray of shape (5, 5)
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

    As b goes to 0 with beta / b fixed it becomes Pareto/NBD with that beta. Where customers show no ageing
    the likelihood is highest in that limit, and fit says so with a ConvergenceError: use `ParetoNBD` then.

    References
    ----------
    Bemmaor, A. C. and Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible customer
    lifetime model. Management Science 58, 1012-1021. Erratum by Adler (2022).

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = GGompertzNBD(penalizer=0.001).fit(X)
    >>> model.params_._fields
    ('r', 'alpha', 'b', 's', 'beta')
    """

    _FAMILY: ClassVar[Family] = Family(
        make=GGompertzNBDParams,
        formulas=ggompertz_nbd,
        coordinates=Coordinates(("r", "alpha", "b", "s", "beta"), (0, 1, -1, 0, 0)),
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
