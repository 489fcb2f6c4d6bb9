"""What the estimators of contract lengths do alike: fit on cohorts, and answer about tenure.

Where customers hold a contract, leaving is seen: all that is known of a customer is how often he renewed and
whether he cancelled, and customers of one tenure are alike. A family brings its formulas
(:mod:`habitue.numerics`), its constructor and its docstring; everything between a data frame and the formulas
is here, once. It deliberately sees no date and no price: time is counted in renewal opportunities, and money
in payments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.models.contract_record import TENURE, read_records, read_tenure, worth_fitting
from habitue.models.distinct_rows import distinct_rows, grouped_rows
from habitue.models.fitting import Fitted, KeepsFit, fit_family
from habitue.models.likelihood import Family
from habitue.models.maximum_likelihood import check_setting
from habitue.models.parameter_draws import Posterior, PosteriorRequest, draw_posterior
from habitue.models.priors import Prior
from habitue.models.purchase_history import Answer, CustomerTable, answer, read_weights
from habitue.numerics.discounting import Discount

__all__ = ["ContractModel"]

FloatArray = npt.NDArray[np.float64]


class ContractModel(KeepsFit, BaseEstimator):
    """An estimator of n_renewals and churned; its family says which formulas.

    A subclass has a ``_FAMILY``, a constructor that stores ``horizon``, ``days_per_period``, ``penalizer``
    and ``max_iter``, and a docstring. Scikit-learn reads a constructor's signature, so each family writes its
    own.

    Attributes
    ----------
    params_ : NamedTuple
        What `fit` learned.
    """

    _FAMILY: ClassVar[Family]

    if TYPE_CHECKING:
        horizon: int
        days_per_period: float
        penalizer: float
        max_iter: int
        n_features_in_: int
        feature_names_in_: npt.NDArray[np.object_]

    def fit(
        self,
        X: CustomerTable,
        y: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        *,
        posterior_draws: int = 0,
        prior: Prior | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> Self:
        """Learn how customers differ in how long they stay, from those who left and those who did not.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns n_renewals (whole, >= 0: renewals made so far) and churned (1 where the next renewal was
            refused, 0 where it is still to come). A frame may have others, which are passed over.
        y : array_like of shape (n_customers,), optional
            The column churned, where X has none: X is then n_renewals alone.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for, such as the counts of a cohort table.
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
            If a row cannot be a customer's record.
        FitError
            If nobody cancelled, all did so at once, or too few renewal opportunities were seen.
        ConvergenceError
            If no inner maximum of the likelihood was found.
        SettingsError
            If a constructor parameter is out of range.
        """
        self._check_settings()
        check_setting("posterior_draws", posterior_draws, at_least=0, whole=True)
        columns = read_records(X, y)
        weights = read_weights(sample_weight, len(columns.values))
        names = self._FAMILY.coordinates.names if self.penalizer == 0 else ()  # a pull determines the rest
        records = worth_fitting(columns, weights, to_learn=names)
        fitted = fit_family(
            self._FAMILY,
            records,
            {},
            penalizer=self.penalizer,
            covariate_penalizer=0.0,
            max_iter=self.max_iter,
        )
        self._keep(fitted, PosteriorRequest(posterior_draws, prior, random_state))
        return self

    def churn_probability(self, X: CustomerTable, *, horizon: int | None = None) -> Answer:
        """Return the probability that each customer cancels within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.
        horizon : int, optional
            Renewal opportunities ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self._answer(X, "churn_probability", self._formulas().churn_probability, self._ahead(horizon))

    def survival(self, X: CustomerTable, *, horizon: int | None = None) -> Answer:
        """Return the probability that each customer renews throughout the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.
        horizon : int, optional
            Renewal opportunities ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities. The curve of a new customer is `retention_curve`.
        """
        return self._answer(X, "survival", self._formulas().survival_ahead, self._ahead(horizon))

    def retention_rate(self, X: CustomerTable) -> Answer:
        """Return the probability that each customer makes the next renewal.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities: ``survival(X, horizon=1)``.
        """
        return self._answer(X, "retention_rate", self._formulas().survival_ahead, 1.0)

    def expected_residual_lifetime(self, X: CustomerTable) -> Answer:
        """Return how many further renewals each customer will make.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers; infinite where so many customers hardly ever leave that the mean does not exist,
            which the family's notes tell. Discounted, or with a horizon, it always exists
            (`residual_lifetime_value`).
        """
        name = "expected_residual_lifetime"
        return self._answer(X, name, self._formulas().expected_residual_lifetime)

    def residual_lifetime_value(
        self, X: CustomerTable, *, discount: Discount | float, horizon: int | None = None
    ) -> Answer:
        """Return what each customer's renewals to come are worth now, in units of the margin per period.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.
        discount : Discount or float
            What a year takes off, >= 0; a number is an annual rate compounded once a year. The constructor's
            ``days_per_period`` makes it one per period.
        horizon : int, optional
            Renewals ahead that count; without end where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Discounted expected number of payments (DERL), just before the next renewal: that one is not
            discounted, and not certain. Times the margin of a period it is money. Infinite where the discount
            is 0, there is no horizon, and `expected_residual_lifetime` is.
        """
        rate = self._rate(discount if isinstance(discount, Discount) else Discount(discount))
        n_periods = np.inf if horizon is None else self._ahead(horizon)
        formula = self._formulas().residual_lifetime_value
        return self._answer(X, "residual_lifetime_value", formula, rate, n_periods)

    def retention_curve(self, n_periods: int) -> pd.DataFrame:
        """Return how a cohort of new customers will dwindle.

        Parameters
        ----------
        n_periods : int
            Renewal opportunities to look ahead, >= 1.

        Returns
        -------
        DataFrame of n_periods rows
            Indexed by ``period`` 1, 2, ...: ``survival``, the share of new customers still there after that
            renewal, and ``retention``, the share of those who came to it who renew.
        """
        check_is_fitted(self)
        check_setting("n_periods", n_periods, at_least=1, whole=True)
        period = np.arange(1, int(n_periods) + 1)
        formulas = self._formulas()
        told = {
            "survival": formulas.survival(self.params_, period),
            "retention": formulas.retention_rate(self.params_, period),
        }
        return pd.DataFrame(told, index=pd.Index(period, name="period"))

    def predict(self, X: CustomerTable) -> Answer:
        """Return ``churn_probability(X)`` within the constructor's horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 1)
            Column n_renewals of customers who are still there.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self.churn_probability(X)

    def score(
        self,
        X: CustomerTable,
        y: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the mean log-likelihood of customers, higher is better.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns n_renewals and churned.
        y : array_like of shape (n_customers,), optional
            The column churned, where X has none.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.

        Returns
        -------
        float
            Per customer.
        """
        check_is_fitted(self)
        columns = read_records(X, y)
        records = distinct_rows(columns.values, read_weights(sample_weight, len(columns.values)))
        values = self._formulas().log_likelihood(self.params_, *records.rows.T)
        return float(records.counts @ values / records.counts.sum())

    def _formulas(self) -> Any:
        """Return the family's formulas, more of them than a search needs."""
        return self._FAMILY.formulas

    def _check_settings(self) -> None:
        """Refuse settings out of their range."""
        check_setting("horizon", self.horizon, at_least=1, whole=True)
        check_setting("days_per_period", self.days_per_period, above=0)
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)

    def _ahead(self, horizon: int | None) -> float:
        """Return the horizon asked for, or the constructor's."""
        ahead = self.horizon if horizon is None else horizon
        check_setting("horizon", ahead, at_least=1, whole=True)
        return float(ahead)

    def _rate(self, discount: Discount) -> float:
        """Return the continuous rate per period."""
        check_setting("discount", discount.annual_rate, at_least=0)  # below, a sum for ever has no end
        check_setting("days_per_period", self.days_per_period, above=0)
        return discount.per(self.days_per_period)

    def _keep(self, fitted: Fitted, request: PosteriorRequest) -> None:
        """Keep what was learned."""
        self._keep_found(fitted)
        self.n_histories_ = len(fitted.likelihood.rows)
        self.posterior_: Posterior | None = draw_posterior(fitted, request) if request.n_draws else None
        self.n_features_in_ = len(TENURE)
        self.feature_names_in_ = np.array(TENURE, dtype=object)

    def _answer(
        self, X: CustomerTable, name: str, formula: Callable[..., FloatArray], *more: float
    ) -> Answer:
        """Return a formula's numbers for customers, those of each tenure computed once."""
        check_is_fitted(self)
        columns = read_tenure(X)
        rows, which = grouped_rows(columns.values)
        values = formula(self.params_, rows[:, 0], *more)
        return answer(values[which], columns, name)
