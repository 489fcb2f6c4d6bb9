"""BG/NBD as an estimator: fitted to customers' purchase histories, it says who is still there and will buy.

It carries numbers between data frames and :mod:`habitue.numerics.bgnbd`, where the formulas are, and fits
them. It deliberately sees no transaction and no money: histories come from a snapshot, spend per visit is
:class:`habitue.models.gamma_gamma.GammaGamma`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import FitError
from habitue.models.maximum_likelihood import Objective, check_setting, maximise
from habitue.models.persistence import persistent
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    Distinct,
    answer,
    check_frequency,
    check_times,
    distinct_rows,
    read_columns,
    read_weights,
)
from habitue.numerics import bgnbd
from habitue.numerics.bgnbd import BGNBDParams

__all__ = ["BGNBD"]

FloatArray = npt.NDArray[np.float64]

persistent(BGNBDParams)


@persistent
class BGNBD(BaseEstimator):
    """Who is still a customer, and how often will each buy, from past purchases alone.

    Parameters
    ----------
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.
    penalizer : float, default 0.0
        Strength of a pull towards ordinary parameters: ``penalizer`` times the sum of squares of log r,
        log(alpha / mean T), log a and log b is taken from the mean log-likelihood per customer. Does not
        depend on the unit of time; 0.001 to 0.1 steadies small samples.
    max_iter : int, default 500
        Steps allowed to the optimiser.

    Attributes
    ----------
    params_ : BGNBDParams
        Fitted r, alpha (in days), a, b.
    standard_errors_ : BGNBDParams
        Their standard errors.
    covariance_ : ndarray of shape (4, 4)
        Their covariance: inverse Hessian in log-parameters (penalty included), by the delta method.
    loglik_ : float
        Log-likelihood of all customers, penalty not included, with time in days.
    n_iter_ : int
        Steps done.
    gradient_norm_ : float
        Largest absolute slope left, in log-parameters, per customer.
    condition_number_ : float
        Largest over smallest curvature in log-parameters; huge where customers hardly determine the fit.
    n_histories_ : int
        Distinct histories among the customers; the cost of a fit follows it.
    n_features_in_ : int
        3.
    feature_names_in_ : ndarray of str
        The columns it reads, whatever others X has: frequency, recency, T.

    Notes
    -----
    The likelihood is a weighted sum over distinct histories, so the order of customers changes nothing and
    a weight of 3 is the same as three equal rows. A log-likelihood published with time in weeks is larger
    by ``log(7) * X.frequency.sum()``, being a density of that many times; and its alpha is seven times
    smaller.

    In this model a customer leaves only right after a repeat purchase. One without any is alive with
    probability 1, however long ago the first purchase was.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting Your Customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24, 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame(
    ...     {
    ...         "frequency": [0, 0, 1, 1, 2, 3, 5, 8, 0, 1],
    ...         "recency": [0, 0, 10, 150, 40, 190, 90, 196, 0, 30],
    ...         "T": [200] * 10,
    ...     },
    ...     index=list("abcdefghij"),
    ... )
    >>> model = BGNBD(horizon=30.0, penalizer=0.01).fit(X)
    >>> bool(model.p_alive(X)["h"] > model.p_alive(X)["g"])
    True
    >>> model.p_no_purchase(X, horizon=7.0).name
    'p_no_purchase'
    """

    _COLUMNS: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")

    def __init__(self, *, horizon: float = 365.0, penalizer: float = 0.0, max_iter: int = 500) -> None:
        self.horizon = horizon
        self.penalizer = penalizer
        self.max_iter = max_iter

    def fit(
        self,
        X: CustomerTable,
        y: object = None,  # noqa: ARG002
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn the customer base's parameters from its purchase histories.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T (days). A frame may have others, which are passed over.
        y : None
            Not used; here for scikit-learn's sake.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.

        Returns
        -------
        BGNBD
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
        columns = _read(X, self._COLUMNS)
        histories = _worth_fitting(columns, read_weights(sample_weight, len(columns.values)))
        n_customers = float(histories.counts.sum())
        unit = float(histories.counts @ histories.rows[:, 2]) / n_customers
        end = maximise(
            _objective(histories, unit, self.penalizer), 4, max_iter=self.max_iter, describe=_describe(unit)
        )
        self.params_ = _params(end.theta, unit)
        scale = np.array(self.params_)
        self.covariance_ = end.covariance(scale, n_customers)
        self.standard_errors_ = BGNBDParams(*np.sqrt(np.diag(self.covariance_)).tolist())
        self.loglik_ = float(histories.counts @ bgnbd.log_likelihood(self.params_, *histories.rows.T))
        self.n_iter_ = end.iterations
        self.gradient_norm_ = end.gradient_norm
        self.condition_number_ = end.condition_number
        self.n_histories_ = len(histories.rows)
        self.n_features_in_ = len(self._COLUMNS)
        self.feature_names_in_ = np.array(self._COLUMNS, dtype=object)
        return self

    def p_alive(self, X: CustomerTable) -> Answer:
        """Return the probability that each customer has not left for good.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities; exactly 1 for customers without a repeat purchase.
        """
        check_is_fitted(self)
        columns = _read(X, self._COLUMNS)
        return answer(bgnbd.p_alive(self.params_, *columns.values.T), columns, "p_alive")

    def expected_purchases(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return how many purchases each customer will make within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers.
        """
        check_is_fitted(self)
        days = self._days(horizon)
        columns = _read(X, self._COLUMNS)
        rows, _, which = distinct_rows(columns.values)
        frequency, recency, T = rows.T
        values = bgnbd.expected_purchases(self.params_, frequency, recency, T, days)[which]
        return answer(values, columns, "expected_purchases")

    def p_no_purchase(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return the probability that each customer buys nothing within the horizon: the churn probability.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T.
        horizon : float, optional
            Days ahead; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        check_is_fitted(self)
        days = self._days(horizon)
        columns = _read(X, self._COLUMNS)
        frequency, recency, T = columns.values.T
        values = bgnbd.p_no_purchase(self.params_, frequency, recency, T, days)
        return answer(values, columns, "p_no_purchase")

    def predict(self, X: CustomerTable) -> Answer:
        """Return ``expected_purchases(X)`` within the constructor's horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T.

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
        X : DataFrame or ndarray of shape (n_customers, 3)
            Columns frequency, recency, T.
        y : None
            Not used.

        Returns
        -------
        float
            Per customer, with time in days.
        """
        check_is_fitted(self)
        columns = _read(X, self._COLUMNS)
        return float(bgnbd.log_likelihood(self.params_, *columns.values.T).mean())

    def _check_settings(self) -> None:
        """Refuse constructor parameters out of range."""
        check_setting("horizon", self.horizon, above=0)
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)

    def _days(self, horizon: float | None) -> float:
        """Return the horizon asked for, or the constructor's."""
        days = self.horizon if horizon is None else horizon
        check_setting("horizon", days, above=0)
        return days


def _read(X: CustomerTable, names: tuple[str, ...]) -> Columns:
    """Return checked histories."""
    columns = read_columns(X, names)
    check_frequency(columns)
    check_times(columns)
    return columns


def _worth_fitting(columns: Columns, weights: FloatArray) -> Distinct:
    """Return distinct histories, or say why there is nothing to learn from them."""
    used = weights > 0
    histories = distinct_rows(columns.values[used], weights[used])
    if len(histories.rows) < 2:
        raise FitError(
            "expected customers that differ; there is one distinct history only. Four parameters need the "
            "histories of hundreds of customers"
        )
    if not histories.rows[:, 0].any():
        raise FitError(
            "expected some customers with repeat purchases; every frequency is 0, so neither rates nor "
            "leaving can be learned. Observe longer, or check that all visits of "
            "a customer share one customer_id"
        )
    return histories


def _params(theta: FloatArray, unit: float) -> BGNBDParams:
    """Return parameters in days from log-parameters in the scaled unit."""
    r, alpha, a, b = np.exp(theta).tolist()
    return BGNBDParams(r, alpha * unit, a, b)


def _describe(unit: float) -> Callable[[FloatArray], Mapping[str, float]]:
    """Return what names parameters in a message."""

    def describe(theta: FloatArray) -> Mapping[str, float]:
        return _params(theta, unit)._asdict()

    return describe


def _objective(histories: Distinct, unit: float, penalizer: float) -> Objective:
    """Return the penalised mean log-likelihood, with time in units of the mean T."""
    x, recency, until = histories.rows.T
    recency, until = recency / unit, until / unit
    shares = histories.counts / histories.counts.sum()

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        params = _params(theta, 1.0)
        value = shares @ bgnbd.log_likelihood(params, x, recency, until) - penalizer * (theta @ theta)
        slope = shares @ bgnbd.gradient(params, x, recency, until)
        return float(value), slope * np.array(params) - 2.0 * penalizer * theta

    return objective
