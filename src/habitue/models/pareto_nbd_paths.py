"""Pareto/NBD with covariates that change over time, as an estimator: promotions, seasons, contacts, prices.

It carries numbers between frames and :mod:`habitue.numerics.pareto_nbd_paths`, where the formulas are. What
held for whom and when is a `CovariatePaths`, handed in beside X; covariates that never change can be columns
of X for :class:`habitue.models.pareto_nbd.ParetoNBD`, which is faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import AssumptionWarning, DataError, SchemaError
from habitue.models.covariate_effects import FittedPaths, coefficient_table, distinct_histories, fit_paths
from habitue.models.covariate_paths import CovariatePaths
from habitue.models.fitting import KeepsFit
from habitue.models.maximum_likelihood import check_setting
from habitue.models.persistence import persistent
from habitue.models.purchase_history import (
    check_frequency,
    check_times,
    read_columns,
    read_weights,
)
from habitue.numerics import pareto_nbd_paths
from habitue.numerics.discounting import Discount
from habitue.numerics.pareto_nbd import ParetoNBDParams
from habitue.numerics.pareto_nbd_paths import Histories, ParetoNBDPathsParams, Paths

__all__ = ["ParetoNBDPaths"]

FloatArray = npt.NDArray[np.float64]

persistent(ParetoNBDParams)


@persistent
class ParetoNBDPaths(KeepsFit, BaseEstimator):
    """Who is still a customer and will buy, given what customers met with over time.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    rate_covariates : sequence of str, default ()
        Covariates of the paths that move how often customers buy: one more multiplies the purchase rate by
        e^effect for as long as it holds.
    dropout_covariates : sequence of str, default ()
        Covariates that move how soon they leave, in the same way.
    covariate_penalizer : float, default 0.001
        Ridge: its product with the square of each effect times its covariate's standard deviation is taken
        from the mean log-likelihood per customer. A season in which nobody seems to leave has no best effect
        but minus infinity; the ridge keeps such an effect finite, and `advice_` names it.
    penalizer : float, default 0.0
        The same for log r, log(alpha / mean T), log s and log(beta / mean T) at mean covariates.
    max_iter : int, default 500
        Steps allowed to the search.

    Attributes
    ----------
    params_ : ParetoNBDParams
        Fitted r, alpha (in days), s, beta (in days), of a customer whose covariates are all 0.
    standard_errors_ : ParetoNBDParams
        Their standard errors.
    rate_effects_, dropout_effects_ : dict of float
        Effect of each covariate.
    rate_effect_errors_, dropout_effect_errors_ : dict of float
        Their standard errors.
    covariance_ : ndarray of shape (4 + n_effects, 4 + n_effects)
        Covariance of the parameters, then the effects, by the delta method from the exact Hessian of the
        penalised log-likelihood.
    loglik_ : float
        Log-likelihood of all customers, penalties not included, with time in days.
    n_iter_ : int
        Steps done.
    gradient_norm_ : float
        Largest absolute slope left, in unconstrained parameters, per customer.
    condition_number_ : float
        Largest over smallest curvature in unconstrained parameters.
    advice_ : str
        Names effects that the customers alone do not determine; empty where all are determined.
    n_histories_ : int
        Distinct histories among the customers, covariates included.
    n_features_in_ : int
        3.
    feature_names_in_ : ndarray of str
        The columns of X it reads: frequency, recency, T.

    Notes
    -----
    A published log-likelihood with time in weeks is larger by ``log(7) * X.frequency.sum()``; alpha and beta
    in weeks are seven times smaller. With covariate_penalizer=0 an effect that runs away is stopped where it
    changes nothing any more, and an `AssumptionWarning` says so. CLVTools' names are life for dropout, trans
    for rate.

    References
    ----------
    Bachmann, P., Meierer, M. and Naef, J. (2021). The role of time-varying contextual factors in latent
    attrition models for customer base analysis. Marketing Science 40, 783-809.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = pd.date_range("2024-01-01", periods=364)
    >>> bought = [(i, day) for i in range(60) for day in days if rng.random() < 0.001 * (1 + i)]
    >>> purchases = pd.DataFrame(bought, columns=["customer_id", "timestamp"])
    >>> weeks = pd.DataFrame({"starts_at": pd.date_range("2024-01-01", periods=60, freq="7D")})
    >>> weeks["promotion"] = (weeks.index % 4 == 0).astype(float)
    >>> covariates = weeks.merge(pd.DataFrame({"customer_id": range(60)}), "cross")
    >>> paths = CovariatePaths.from_frames(purchases, covariates, cutoff="2024-12-29")
    >>> model = ParetoNBDPaths(rate_covariates=["promotion"], penalizer=0.01).fit(paths.history, paths=paths)
    >>> list(model.rate_effects_)
    ['promotion']
    >>> model.expected_purchases(paths.history, paths=paths, horizon=28.0).name
    'expected_purchases'
    """

    _COLUMNS: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")

    def __init__(
        self,
        *,
        horizon: float = 365.0,
        rate_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        covariate_penalizer: float = 0.001,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.horizon = horizon
        self.rate_covariates = rate_covariates
        self.dropout_covariates = dropout_covariates
        self.covariate_penalizer = covariate_penalizer
        self.penalizer = penalizer
        self.max_iter = max_iter

    def fit(
        self,
        X: pd.DataFrame,
        y: object = None,  # noqa: ARG002
        *,
        paths: CovariatePaths,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn parameters and effects from purchase histories and what held in them.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T (days), indexed by customer_id; ``paths.history``, or part of it.
        y : None
            Not used; here for scikit-learn's sake.
        paths : CovariatePaths
            Covariates of these customers at least until T.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.

        Returns
        -------
        ParetoNBDPaths
            This estimator.

        Raises
        ------
        SchemaError
            If a column or a covariate is missing.
        DataError
            If a row cannot be a customer's history, or is not the one of its path.
        FitError
            If all customers have the same history, nobody bought twice, or a covariate never varies.
        ConvergenceError
            If no inner maximum of the likelihood was found.
        SettingsError
            If a constructor parameter is out of range.
        """
        self._check_settings()
        histories, along, _ = self._read(X, paths)
        weights = read_weights(sample_weight, histories.T.size)
        histories, counts = distinct_histories(histories, weights)
        fitted = fit_paths(
            histories,
            along,
            counts,
            (tuple(self.rate_covariates), tuple(self.dropout_covariates)),
            penalizer=self.penalizer,
            covariate_penalizer=self.covariate_penalizer,
            max_iter=self.max_iter,
        )
        self._keep(fitted)
        self.n_histories_ = counts.size
        if self.advice_ and self.covariate_penalizer == 0.0:
            warnings.warn(self.advice_, AssumptionWarning, stacklevel=2)
        return self

    def p_alive(self, X: pd.DataFrame, *, paths: CovariatePaths) -> pd.Series:
        """Return the probability that each customer has not left for good.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        paths : CovariatePaths
            Covariates until T.

        Returns
        -------
        Series of shape (n_customers,)
            Probabilities.
        """
        return self._answer(X, paths, 0.0, "p_alive", pareto_nbd_paths.p_alive)

    def expected_purchases(
        self, X: pd.DataFrame, *, paths: CovariatePaths, horizon: float | None = None
    ) -> pd.Series:
        """Return how many purchases each customer will make within the horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        paths : CovariatePaths
            Covariates until T and through the horizon; see `CovariatePaths.extended`.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series of shape (n_customers,)
            Expected numbers.

        Raises
        ------
        DataError
            If a path ends before the horizon.
        """
        days = self._days(horizon)
        return self._answer(X, paths, days, "expected_purchases", pareto_nbd_paths.expected_purchases, days)

    def p_no_purchase(
        self, X: pd.DataFrame, *, paths: CovariatePaths, horizon: float | None = None
    ) -> pd.Series:
        """Return the probability that each customer buys nothing within the horizon: the churn probability.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        paths : CovariatePaths
            Covariates until T and through the horizon.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series of shape (n_customers,)
            Probabilities.

        Raises
        ------
        DataError
            If a path ends before the horizon.
        """
        days = self._days(horizon)
        return self._answer(X, paths, days, "p_no_purchase", pareto_nbd_paths.p_no_purchase, days)

    def residual_transactions(
        self,
        X: pd.DataFrame,
        *,
        paths: CovariatePaths,
        discount: Discount | float,
        horizon: float | None = None,
    ) -> pd.Series:
        """Return the discounted number of purchases that each customer has still to make.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        paths : CovariatePaths
            Covariates until T and through the horizon.
        discount : Discount or float
            What a year takes off; a number is an annual rate compounded once a year.
        horizon : float, optional
            Days ahead. Without end where left out: what holds last on each path is then taken to hold for
            ever, so let it be an ordinary week rather than a sale.

        Returns
        -------
        Series of shape (n_customers,)
            Purchases, each counted with its present value: DECT within a horizon, DERT without end. Infinite
            where the discount is 0, there is no horizon, and s is 1 or less.

        Raises
        ------
        DataError
            If a path ends before the horizon.
        """
        rate = (discount if isinstance(discount, Discount) else Discount(discount)).per_day
        if horizon is None:
            formula = pareto_nbd_paths.residual_transactions
            return self._answer(X, paths, 0.0, "residual_transactions", formula, rate)
        days = self._days(horizon)
        formula = pareto_nbd_paths.discounted_purchases
        return self._answer(X, paths, days, "residual_transactions", formula, days, rate)

    def predict(self, X: pd.DataFrame, *, paths: CovariatePaths) -> pd.Series:
        """Return ``expected_purchases(X, paths=paths)`` within the constructor's horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        paths : CovariatePaths
            Covariates until T and through the horizon.

        Returns
        -------
        Series of shape (n_customers,)
            Expected numbers.
        """
        return self.expected_purchases(X, paths=paths)

    def score(self, X: pd.DataFrame, y: object = None, *, paths: CovariatePaths) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of customers, higher is better.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_columns)
            Columns frequency, recency, T, indexed by customer_id.
        y : None
            Not used.
        paths : CovariatePaths
            Covariates until T.

        Returns
        -------
        float
            Per customer, with time in days.
        """
        return float(self._answer(X, paths, 0.0, "score", pareto_nbd_paths.log_likelihood).mean())

    def summary(self) -> pd.DataFrame:
        """Return parameters and effects with their standard errors, one a row.

        Returns
        -------
        DataFrame
            Columns estimate, standard_error, z and p_value; the last two, of the hypothesis that it is 0, for
            effects only. With a ridge they understate the uncertainty.
        """
        check_is_fitted(self)
        effects = {f"rate.{name}": effect for name, effect in self.rate_effects_.items()}
        effects |= {f"dropout.{name}": effect for name, effect in self.dropout_effects_.items()}
        return coefficient_table(self.params_._asdict(), effects, self.covariance_)

    def _check_settings(self) -> None:
        """Refuse constructor parameters out of range."""
        check_setting("horizon", self.horizon, above=0)
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("covariate_penalizer", self.covariate_penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)

    def _days(self, horizon: float | None) -> float:
        """Return the horizon asked for, or the constructor's."""
        days = self.horizon if horizon is None else horizon
        check_setting("horizon", days, above=0)
        return days

    def _read(self, X: pd.DataFrame, paths: CovariatePaths) -> tuple[Histories, Paths, FloatArray]:
        """Return checked histories of X's customers, their paths, and how far these reach."""
        if not hasattr(X, "columns"):  # annotations bind nobody
            raise SchemaError(
                "expected X as a data frame indexed by customer_id, by which covariate paths are found; got "
                f"{type(X).__name__}. Use paths.history"
            )
        columns = read_columns(X, self._COLUMNS)
        check_frequency(columns)
        check_times(columns)
        histories, along, reach = paths.select(
            X.index, tuple(self.rate_covariates), tuple(self.dropout_covariates)
        )
        apart = np.stack(histories[:3], axis=1) - columns.values
        columns.refuse(
            np.abs(apart).max(axis=1) > 1e-9,
            "in X the frequency, recency and T of the purchases that the paths were made from",
            advice="Use paths.history, or make the paths with the cutoff of X.",
        )
        return histories, along, reach

    def _keep(self, fitted: FittedPaths) -> None:
        """Keep what was learned."""
        self._keep_found(fitted)
        self.rate_effects_ = fitted.rate_effects
        self.dropout_effects_ = fitted.dropout_effects
        self.rate_effect_errors_ = fitted.rate_effect_errors
        self.dropout_effect_errors_ = fitted.dropout_effect_errors
        self.n_features_in_ = len(self._COLUMNS)
        self.feature_names_in_ = np.array(self._COLUMNS, dtype=object)

    def _answer(
        self,
        X: pd.DataFrame,
        paths: CovariatePaths,
        ahead: float,
        name: str,
        formula: Callable[..., FloatArray],
        *more: float,
    ) -> pd.Series:
        """Return a formula's numbers for customers whose paths reach far enough."""
        check_is_fitted(self)
        histories, along, reach = self._read(X, paths)
        short = histories.T + ahead > reach
        if short.any():
            row = int(np.argmax(short))
            raise DataError(
                f"expected covariates of every customer for {ahead:g} days after the cutoff; those of "
                f"{int(short.sum())} of {short.size} end before, the first is {X.index[row]!r} with "
                f"{reach[row] - histories.T[row]:g} days. Add what is planned with paths.extended(), or ask "
                "for a shorter horizon"
            )
        effects = (np.array(list(own.values())) for own in (self.rate_effects_, self.dropout_effects_))
        params = ParetoNBDPathsParams(*np.array(self.params_).tolist(), *effects)
        return pd.Series(formula(params, histories, along, *more), index=X.index, name=name)
