"""Gamma-gamma as an estimator: what each customer will spend per visit.

It carries numbers between data frames and :mod:`habitue.numerics.gamma_gamma`, where the formulas are, and
fits them. How often a customer will come is another model's question
(:class:`habitue.models.bgnbd.BGNBD`); their product is the value.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import AssumptionWarning, DataError, FitError
from habitue.models.maximum_likelihood import Objective, check_setting, maximise
from habitue.models.persistence import persistent
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    Distinct,
    answer,
    check_frequency,
    distinct_rows,
    read_columns,
    read_weights,
)
from habitue.numerics import gamma_gamma
from habitue.numerics.gamma_gamma import GammaGammaParams

__all__ = ["GammaGamma"]

FloatArray = npt.NDArray[np.float64]

_CORRELATION_AT_MOST = 0.3

persistent(GammaGammaParams)


@persistent
class GammaGamma(BaseEstimator):
    """What each customer spends per visit in the long run, from the few visits seen.

    Parameters
    ----------
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of log p,
        log(q - 1) and log(v / mean amount) is taken from the mean log-likelihood per customer. Does not
        depend on the currency.
    max_iter : int, default 500
        Steps allowed to the optimiser.

    Attributes
    ----------
    params_ : GammaGammaParams
        Fitted p, q, v (in the currency of X). q > 1 always, so that the mean over customers exists.
    standard_errors_ : GammaGammaParams
        Their standard errors.
    covariance_ : ndarray of shape (3, 3)
        Their covariance, by the delta method.
    loglik_ : float
        Log-likelihood of the customers learned from, penalty not included.
    n_iter_ : int
        Steps done.
    gradient_norm_ : float
        Largest absolute slope left, in unconstrained parameters, per customer.
    condition_number_ : float
        Largest over smallest curvature in unconstrained parameters.
    correlation_ : float
        Correlation of log frequency with log monetary_value among the customers learned from.
    n_left_out_ : int
        Customers not learned from: frequency 0, or a mean amount that is not positive (gifts, returns).
    n_features_in_ : int
        2.
    feature_names_in_ : ndarray of str
        The columns it reads, whatever others X has: frequency, monetary_value.

    Notes
    -----
    The model assumes that what is spent per visit does not depend on the number of visits. Where the
    correlation of their logarithms (Pearson's, weighted; logarithms so that a few huge baskets don't decide)
    is beyond 0.3 either way, fit warns with AssumptionWarning and goes on.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2013). The gamma-gamma model of monetary value.
    brucehardie.com/notes/025.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame(
    ...     {
    ...         "frequency": [0, 1, 2, 1, 3, 2, 1, 4],
    ...         "monetary_value": [0.0, 12.5, 40.0, 90.0, 33.0, 18.0, 25.0, 30.0],
    ...     }
    ... )
    >>> model = GammaGamma(penalizer=0.01).fit(X)
    >>> model.n_left_out_
    1
    >>> spend = model.expected_spend(X)
    >>> bool(spend[0] < spend[3] < 90.0)
    True
    """

    _COLUMNS: ClassVar[tuple[str, ...]] = ("frequency", "monetary_value")

    def __init__(self, *, penalizer: float = 0.0, max_iter: int = 500) -> None:
        self.penalizer = penalizer
        self.max_iter = max_iter

    def fit(
        self,
        X: CustomerTable,
        y: object = None,  # noqa: ARG002
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn how spend per visit is spread within and across customers.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns frequency and monetary_value (mean amount of the repeat visits). A frame may have
            others, which are passed over.
        y : None
            Not used; here for scikit-learn's sake.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.

        Returns
        -------
        GammaGamma
            This estimator.

        Raises
        ------
        SchemaError
            If a column is missing.
        DataError
            If a frequency counts nothing, or an amount is missing or infinite.
        FitError
            If fewer than two different customers have repeat visits with a positive amount.
        ConvergenceError
            If no inner maximum of the likelihood with q > 1 was found.
        SettingsError
            If a constructor parameter is out of range.

        Warns
        -----
        AssumptionWarning
            If spend per visit goes with the number of visits.
        """
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)
        columns = _read(X, self._COLUMNS)
        weights = read_weights(sample_weight, len(columns.values))
        used = _is_informative(columns.values) & (weights > 0)
        spenders = _worth_fitting(columns.values[used], weights[used])
        correlation = _correlation(spenders)
        _warn_if_dependent(correlation)  # before the search: it may be why that fails
        n_customers = float(spenders.counts.sum())
        unit = float(spenders.counts @ spenders.rows[:, 1]) / n_customers
        end = maximise(
            _objective(spenders, unit, self.penalizer), 3, max_iter=self.max_iter, describe=_describe(unit)
        )
        self.params_ = _params(end.theta, unit)
        p, q, v = self.params_
        self.covariance_ = end.covariance(np.array([p, q - 1.0, v]), n_customers)
        self.standard_errors_ = GammaGammaParams(*np.sqrt(np.diag(self.covariance_)).tolist())
        self.loglik_ = float(spenders.counts @ gamma_gamma.log_likelihood(self.params_, *spenders.rows.T))
        self.correlation_ = correlation
        self.n_iter_ = end.iterations
        self.gradient_norm_ = end.gradient_norm
        self.condition_number_ = end.condition_number
        self.n_left_out_ = int((~_is_informative(columns.values)).sum())
        self.n_features_in_ = len(self._COLUMNS)
        self.feature_names_in_ = np.array(self._COLUMNS, dtype=object)
        return self

    def expected_spend(self, X: CustomerTable) -> Answer:
        """Return the mean amount that each customer will spend per visit.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns frequency and monetary_value.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Amounts: between the customer's own mean and that of all customers, nearer to his own the more
            visits he made. The mean of all for customers with frequency 0 or monetary_value <= 0.
        """
        check_is_fitted(self)
        columns = _read(X, self._COLUMNS)
        frequency, amount = columns.values.T
        known = _is_informative(columns.values)
        values = gamma_gamma.expected_spend(
            self.params_, np.where(known, frequency, 0.0), np.where(known, amount, 0.0)
        )
        return answer(values, columns, "expected_spend")

    def predict(self, X: CustomerTable) -> Answer:
        """Return ``expected_spend(X)``.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns frequency and monetary_value.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Amounts.
        """
        return self.expected_spend(X)

    def score(self, X: CustomerTable, y: object = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of customers with repeat visits and a positive amount.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 2)
            Columns frequency and monetary_value.
        y : None
            Not used.

        Returns
        -------
        float
            Per such customer; higher is better.

        Raises
        ------
        DataError
            If there is no such customer.
        """
        check_is_fitted(self)
        columns = _read(X, self._COLUMNS)
        rows = columns.values[_is_informative(columns.values)]
        if not len(rows):
            raise DataError(
                "expected a customer with frequency > 0 and monetary_value > 0 to score; got none"
            )
        return float(gamma_gamma.log_likelihood(self.params_, *rows.T).mean())


def _read(X: CustomerTable, names: tuple[str, ...]) -> Columns:
    """Return checked frequencies and amounts; an amount without a visit may be missing."""
    columns = read_columns(X, names)
    check_frequency(columns)
    frequency, amount = columns.values.T
    columns.refuse(
        (frequency > 0) & ~np.isfinite(amount),
        "monetary_value to be a finite amount where frequency > 0",
        advice="It is the mean amount of the repeat visits.",
    )
    return columns


def _is_informative(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which customers say something about spend: a repeat visit and a positive mean amount."""
    return (values[:, 0] > 0) & (values[:, 1] > 0)


def _worth_fitting(values: FloatArray, weights: FloatArray) -> Distinct:
    """Return distinct customers, or say why there is nothing to learn from them."""
    spenders = distinct_rows(values, weights)
    if len(np.unique(spenders.rows[:, 1])) < 2:
        raise FitError(
            "expected customers with repeat visits and different positive amounts; there are "
            f"{len(spenders.rows)} distinct ones with frequency > 0 and monetary_value > 0, of one amount or "
            "none. Observe longer, or check the column of amounts"
        )
    return spenders


def _correlation(spenders: Distinct) -> float:
    """Return the weighted correlation of log frequency with log amount; 0 where one does not vary."""
    covariance = np.cov(np.log(spenders.rows.T), aweights=spenders.counts)
    spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return float(covariance[0, 1]) / spread if spread > 0 else 0.0


def _warn_if_dependent(correlation: float) -> None:
    """Warn where the model's assumption fails."""
    if abs(correlation) > _CORRELATION_AT_MOST:
        warnings.warn(
            "expected spend per visit not to depend on the number of visits; the correlation of their "
            f"logarithms is {correlation:.2f} (limit {_CORRELATION_AT_MOST}). Fit segments "
            "separately, or use a model of spend that knows frequency",
            AssumptionWarning,
            stacklevel=3,
        )


def _params(theta: FloatArray, unit: float) -> GammaGammaParams:
    """Return parameters in the currency from log p, log(q - 1) and log v in the scaled unit."""
    p, above_one, v = np.exp(theta).tolist()
    return GammaGammaParams(p, 1.0 + above_one, v * unit)


def _describe(unit: float) -> Callable[[FloatArray], Mapping[str, float]]:
    """Return what names parameters in a message."""

    def describe(theta: FloatArray) -> Mapping[str, float]:
        return _params(theta, unit)._asdict()

    return describe


def _objective(spenders: Distinct, unit: float, penalizer: float) -> Objective:
    """Return the penalised mean log-likelihood, with money in units of the mean amount."""
    x, amount = spenders.rows.T
    amount = amount / unit
    shares = spenders.counts / spenders.counts.sum()

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        params = _params(theta, 1.0)
        value = shares @ gamma_gamma.log_likelihood(params, x, amount) - penalizer * (theta @ theta)
        slope = shares @ gamma_gamma.gradient(params, x, amount)
        return float(value), slope * np.exp(theta) - 2.0 * penalizer * theta

    return objective
