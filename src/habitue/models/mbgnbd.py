"""MBG/NBD as an estimator: BG/NBD in which a customer may leave after the first purchase.

It carries numbers between data frames and :mod:`habitue.numerics.mbgnbd`, where the formulas are.
What it does as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from habitue.models.coordinates import Coordinates
from habitue.models.likelihood import Family
from habitue.models.persistence import persistent
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import mbgnbd
from habitue.numerics.mbgnbd import MBGNBDParams

__all__ = ["MBGNBD"]

persistent(MBGNBDParams)


@persistent
class MBGNBD(PurchaseHistoryModel):
    """Who is still a customer, where many never come back after the first purchase.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    rate_covariates : sequence of str, default ()
        Columns that move the mean purchase rate: alpha exp(-effect x column).
    dropout_covariates : sequence of str, default ()
        Columns that move mean dropout: log-odds of a / (a + b) plus effect x column, a + b as it is.
    covariate_penalizer : float, default 0.0
        Ridge: its product with the square of each effect times its covariate's standard deviation is taken
        from the mean log-likelihood per customer.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of
        log r, log(alpha / mean T), log(a / b) and log(a + b)
        is taken from the mean log-likelihood per customer. Does not depend on the unit of time; 0.001 to 0.1
        steadies small samples.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : MBGNBDParams
        Fitted r, alpha (in days), a, b.
    standard_errors_ : MBGNBDParams
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

    A customer may leave after every purchase, the first among them, so one who never came back is not thought
    alive for ever as in BG/NBD.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007). Empirical validation and comparison of models for
    customer base analysis. International Journal of Research in Marketing 24, 201-209.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = MBGNBD().fit(X)
    >>> round(model.params_.r, 3), round(model.params_.alpha / 7, 2)
    (0.525, 6.18)
    """

    _FAMILY: ClassVar[Family] = Family(
        make=MBGNBDParams,
        formulas=mbgnbd,
        coordinates=Coordinates(("r", "alpha", "a", "b"), (0, 1, 0, 0), beta_pair=(2, 3)),
        is_dear=False,
        moved={"rate": (1, -1.0), "dropout": (2, 1.0)},
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
