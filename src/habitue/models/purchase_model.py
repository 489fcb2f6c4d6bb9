"""What all buy-till-you-die estimators do alike: fit on distinct histories, and answer about customers.

A family brings its formulas (:mod:`habitue.numerics`), its constructor and its docstring; everything between
a data frame and the formulas is here, once. It deliberately sees no transaction and no money: histories come
from a snapshot, spend per visit is :class:`habitue.models.gamma_gamma.GammaGamma`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.answers_over_draws import AnswersOverDraws
from habitue.models.distinct_rows import Distinct, grouped_rows
from habitue.models.fitting import Fitted, KeepsFit, fit_family
from habitue.models.likelihood import Design, Family
from habitue.models.maximum_likelihood import check_setting
from habitue.models.parameter_draws import Posterior, PosteriorRequest, draw_posterior, params_at, row_of
from habitue.models.priors import Prior
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    answer,
    check_covariates,
    check_frequency,
    check_times,
    read_columns,
    read_weights,
    worth_fitting,
)
from habitue.models.purchase_quantiles import quantile as quantile_of
from habitue.numerics.discounting import Discount

__all__ = ["PurchaseHistoryModel"]

FloatArray = npt.NDArray[np.float64]

_HISTORY = ("frequency", "recency", "T")


class PurchaseHistoryModel(KeepsFit, AnswersOverDraws, BaseEstimator):
    """An estimator of frequency, recency and T; its family says which formulas.

    A subclass has a ``_FAMILY``, a constructor that stores ``horizon``, ``penalizer``, ``max_iter`` (and
    ``rate_covariates``, ``dropout_covariates``, ``covariate_penalizer`` where the family has covariates),
    and a docstring. Scikit-learn reads a constructor's signature, so each family writes its own.

    Attributes
    ----------
    params_ : NamedTuple
        What `fit` learned.
    """

    _FAMILY: ClassVar[Family]

    if TYPE_CHECKING:
        horizon: float
        penalizer: float
        max_iter: int
        posterior_: Posterior | None
        rate_effects_: dict[str, float]
        dropout_effects_: dict[str, float]
        n_features_in_: int
        feature_names_in_: npt.NDArray[np.object_]

    def fit(
        self,
        X: CustomerTable,
        y: object = None,  # noqa: ARG002
        sample_weight: npt.ArrayLike | None = None,
        *,
        posterior_draws: int = 0,
        prior: Prior | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> Self:
        """Learn the customer base's parameters from its purchase histories.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T (days), and the covariates where there are any. A frame may have
            others, which are passed over.
        y : None
            Not used; here for scikit-learn's sake.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.
        posterior_draws : int, default 0
            Draws from the posterior of the parameters to keep in ``posterior_``; 1,000 to 4,000 are usual.
        prior : Mapping of str to Distribution, optional
            What is believed before, where it differs from :func:`habitue.models.priors.default_prior`.
        random_state : int or numpy.random.Generator, optional
            Source of chance of the draws.

        Returns
        -------
        Self
            This estimator.

        Raises
        ------
        SchemaError
            If a column is missing.
        DataError
            If a row cannot be a customer's history.
        FitError
            If all customers have the same history, or nobody bought twice.
        ConvergenceError
            If no inner maximum of the likelihood was found.
        SettingsError
            If a constructor parameter is out of range.
        """
        self._check_settings()
        columns = self._read(X)
        weights = read_weights(sample_weight, len(columns.values))
        fitted = self._search(worth_fitting(columns.values, weights))
        self._keep(fitted, PosteriorRequest(posterior_draws, prior, random_state))
        return self

    def p_alive(self, X: CustomerTable) -> Answer:
        """Return the probability that each customer has not left for good.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self._answer(X, "p_alive", self._formulas().p_alive)

    def expected_purchases(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return how many purchases each customer will make within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers.
        """
        return self._answer(X, "expected_purchases", self._formulas().expected_purchases, self._days(horizon))

    def p_no_purchase(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return the probability that each customer buys nothing within the horizon: the churn probability.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self._answer(X, "p_no_purchase", self._formulas().p_no_purchase, self._days(horizon))

    def purchase_pmf(self, X: CustomerTable, n: int, *, horizon: float | None = None) -> Answer:
        """Return the probability that each customer makes exactly n purchases within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        n : int
            Number of purchases, >= 0.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        check_setting("n", n, at_least=0)
        return self._answer(X, "purchase_pmf", self._formulas().purchase_pmf, self._days(horizon), float(n))

    def purchase_quantile(self, X: CustomerTable, level: float, *, horizon: float | None = None) -> Answer:
        """Return the number of purchases that each customer does not exceed with a given probability.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        level : float
            Probability, above 0 and below 1.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            The smallest n with P(purchases <= n) >= level.

        Notes
        -----
        Parameters are taken as known; how far they are not is in `posterior_summary`.
        """
        if not 0.0 < level < 1.0:
            raise SettingsError(f"expected level to be a probability above 0 and below 1; got {level!r}")

        def quantile(params: Any, *rows: FloatArray) -> FloatArray:
            return quantile_of(self._formulas().purchase_pmf, params, rows, level)

        return self._answer(X, "purchase_quantile", quantile, self._days(horizon))

    def residual_transactions(
        self, X: CustomerTable, *, discount: Discount | float, horizon: float | None = None
    ) -> Answer:
        """Return the discounted number of purchases that each customer has still to make.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        discount : Discount or float
            What a year takes off; a number is an annual rate compounded once a year.
        horizon : float, optional
            Days ahead; without end where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Purchases, each counted with its present value (DERT); times spend per purchase it is residual
            lifetime value. Infinite where the discount is 0 and the family's sum does not exist.
        """
        formula, *more = self._discounted(horizon, discount)
        return self._answer(X, "residual_transactions", formula, *more)

    def log_likelihood(self, X: CustomerTable) -> Answer:
        """Return how well the fitted family explains each customer's history.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Log densities, with time in days; over the customers fitted to they sum to ``loglik_``.
        """
        return self._answer(X, "log_likelihood", self._formulas().log_likelihood)

    def predict(self, X: CustomerTable) -> Answer:
        """Return ``expected_purchases(X)`` within the constructor's horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers.
        """
        return self.expected_purchases(X)

    def score(self, X: CustomerTable, y: object = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of customers, higher is better.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        y : None
            Not used.

        Returns
        -------
        float
            Per customer, with time in days.
        """
        return float(np.mean(self.log_likelihood(X)))

    def _family(self) -> Family:
        """Return the family; one with a fixed parameter of the constructor's overrides this."""
        return self._FAMILY

    def _formulas(self) -> Any:
        """Return the family's module of formulas, once fitted."""
        check_is_fitted(self)
        return self._family().formulas

    def _covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the covariates, kind by kind."""
        return {kind: tuple(getattr(self, f"{kind}_covariates")) for kind in self._family().moved}

    def _names(self) -> tuple[str, ...]:
        """Return the columns it reads; a covariate that moves two things is read twice."""
        return (*_HISTORY, *(name for names in self._covariates().values() for name in names))

    def _check_settings(self) -> None:
        """Refuse constructor parameters out of range."""
        check_setting("horizon", self.horizon, above=0)
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)
        if self._family().moved:
            check_setting("covariate_penalizer", getattr(self, "covariate_penalizer"), at_least=0)  # noqa: B009

    def _days(self, horizon: float | None) -> float:
        """Return the horizon asked for, or the constructor's."""
        days = self.horizon if horizon is None else horizon
        check_setting("horizon", days, above=0)
        return days

    def _discounted(
        self, horizon: float | None, discount: Discount | float
    ) -> tuple[Callable[..., FloatArray], *tuple[float, ...]]:
        """Return the formula of discounted purchases, and what it is called with besides a history."""
        rate = self._rate(discount if isinstance(discount, Discount) else Discount(discount))
        if horizon is None:
            return self._formulas().residual_transactions, rate
        return self._formulas().discounted_purchases, self._days(horizon), rate

    def _rate(self, discount: Discount) -> float:
        """Return the continuous rate per unit of time of the histories: the day."""
        return discount.per_day

    def _read(self, X: CustomerTable) -> Columns:
        """Return checked histories and covariates."""
        columns = read_columns(X, self._names())
        check_frequency(columns)
        check_times(columns)
        check_covariates(columns, after=len(_HISTORY))
        return columns

    def _search(self, histories: Distinct) -> Fitted:
        """Return the family fitted to distinct histories."""
        return fit_family(
            self._family(),
            histories,
            self._covariates(),
            penalizer=self.penalizer,
            covariate_penalizer=getattr(self, "covariate_penalizer", 0.0),
            max_iter=self.max_iter,
        )

    def _keep(self, fitted: Fitted, request: PosteriorRequest) -> None:
        """Keep what was learned."""
        self._keep_found(fitted)
        for kind, effects in fitted.effects.items():
            setattr(self, f"{kind}_effects_", effects)
            setattr(self, f"{kind}_effect_errors_", fitted.effect_errors[kind])
        self.n_histories_ = len(fitted.likelihood.rows)
        check_setting("posterior_draws", request.n_draws, at_least=0, whole=True)
        self.posterior_ = draw_posterior(fitted, request) if request.n_draws else None
        self.n_features_in_ = len(self._names())
        self.feature_names_in_ = np.array(list(dict.fromkeys(self._names())), dtype=object)

    def _answer(
        self, X: CustomerTable, name: str, formula: Callable[..., FloatArray], *more: float
    ) -> Answer:
        """Return a formula's numbers for customers, each distinct one computed once."""
        check_is_fitted(self)
        columns = self._read(X)
        rows, which = columns.values, None
        if self._family().is_dear:  # sorted, so that the last bit does not depend on who comes first either
            rows, which = grouped_rows(rows)
        values = formula(self._params_of(rows), *rows.T[: len(_HISTORY)], *more)
        return answer(values if which is None else values[which], columns, name)

    def _params_of(self, rows: FloatArray) -> Any:
        """Return the parameters of each row, moved by its covariates."""
        design, effects = self._design_of(rows)
        if not effects.size:
            return self.params_
        everything = np.append(np.array(self.params_), effects)[None, :]
        return row_of(params_at(self._family(), everything, design), len(rows))

    def _design_of(self, rows: FloatArray) -> tuple[Design, FloatArray]:
        """Return the covariates of each row and their effects."""
        moved = self._family().moved
        effects = [getattr(self, f"{kind}_effects_") for kind in moved]
        sizes = [len(of_kind) for of_kind in effects]
        moves = np.repeat(np.array([at for at, _ in moved.values()], dtype=np.intp), sizes)
        signs = np.repeat(np.array([sign for _, sign in moved.values()], dtype=np.float64), sizes)
        values = np.array([effect for of_kind in effects for effect in of_kind.values()], dtype=np.float64)
        return Design(rows[:, len(_HISTORY) :], moves, signs), values
