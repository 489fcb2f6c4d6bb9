"""BG/NBD as an estimator: who is still there and will buy, from purchase histories.

It carries numbers between data frames and :mod:`habitue.numerics.bgnbd`, where the formulas are. What it does
as every other family is in :mod:`habitue.models.purchase_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias, get_args

from habitue.errors import SettingsError
from habitue.models.coordinates import Coordinates
from habitue.models.distinct_rows import Distinct
from habitue.models.fitting import Fitted
from habitue.models.lifetimes_engine import fit_bgnbd_by_lifetimes
from habitue.models.likelihood import Family
from habitue.models.parameter_draws import PosteriorRequest
from habitue.models.persistence import persistent
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import bgnbd
from habitue.numerics.bgnbd import BGNBDParams

__all__ = ["BGNBD"]

Engine: TypeAlias = Literal["habitue", "lifetimes"]
"""Who searches for the parameters."""

_ENGINES: tuple[str, ...] = get_args(Engine)

persistent(BGNBDParams)


@persistent
class BGNBD(PurchaseHistoryModel):
    """Who is still a customer, and how often will each buy, from past purchases alone.

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
    engine : {"habitue", "lifetimes"}, default "habitue"
        Who searches. ``"lifetimes"`` finds the parameters with that package, for comparison; it takes neither
        covariates nor a penalizer nor posterior draws. All else is computed by our formulas where it stopped.

    Attributes
    ----------
    params_ : BGNBDParams
        Fitted r, alpha (in days), a, b.
    standard_errors_ : BGNBDParams
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
        Steps done; 0 where lifetimes searched, which does not tell.
    gradient_norm_ : float
        Largest absolute slope left, in unconstrained parameters, per customer; where lifetimes searched, how
        far from the best fit it stopped.
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

    In this model a customer leaves only right after a repeat purchase. One without any is alive with
    probability 1, however long ago the first purchase was. `MBGNBD` and `ParetoNBD` lack that property.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting Your Customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24, 275-284.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = BGNBD().fit(X)
    >>> round(model.params_.r, 4), round(model.params_.alpha / 7, 4)
    (0.2426, 4.4136)
    >>> model.p_no_purchase(X, horizon=7.0).name
    'p_no_purchase'
    """

    _FAMILY: ClassVar[Family] = Family(
        make=BGNBDParams,
        formulas=bgnbd,
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
        engine: Engine = "habitue",
    ) -> None:
        self.horizon = horizon
        self.rate_covariates = rate_covariates
        self.dropout_covariates = dropout_covariates
        self.covariate_penalizer = covariate_penalizer
        self.penalizer = penalizer
        self.max_iter = max_iter
        self.engine = engine

    def _check_settings(self) -> None:
        """Refuse constructor parameters out of range, and what lifetimes cannot do."""
        super()._check_settings()
        if self.engine not in _ENGINES:
            raise SettingsError(f"expected engine to be one of {', '.join(_ENGINES)}; got {self.engine!r}")
        if self.engine != "lifetimes":
            return
        if self.penalizer > 0:
            raise SettingsError(
                f"expected penalizer 0 with engine='lifetimes', got {self.penalizer!r}: its penalizer_coef "
                "means something else, a pull of all parameters towards 0. Use engine='habitue'"
            )
        if covariates := [name for names in self._covariates().values() for name in names]:
            raise SettingsError(
                f"expected no covariates with engine='lifetimes', got {', '.join(covariates)}: it has none. "
                "Use engine='habitue'"
            )

    def _search(self, histories: Distinct) -> Fitted:
        """Return what the engine finds."""
        if self.engine != "lifetimes":
            return super()._search(histories)
        return fit_bgnbd_by_lifetimes(self._family(), histories, max_iter=self.max_iter)

    def _keep(self, fitted: Fitted, request: PosteriorRequest) -> None:
        """Keep what was learned; draws begin at a maximum, which lifetimes does not reach."""
        if self.engine == "lifetimes" and request.n_draws:
            raise SettingsError(
                f"expected posterior_draws 0 with engine='lifetimes', got {request.n_draws!r}. Use "
                "engine='habitue' for draws from the posterior"
            )
        super()._keep(fitted, request)
