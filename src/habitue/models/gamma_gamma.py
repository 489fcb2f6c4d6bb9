"""Gamma-gamma as an estimator: what each customer will spend per visit.

It carries numbers between data frames and :mod:`habitue.numerics.gamma_gamma`, where the formulas are, and
fits them. How often a customer will come is another model's question
(:class:`habitue.models.bgnbd.BGNBD`); their product is the value.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import AssumptionWarning, DataError, FitError
from habitue.models.coordinates import Coordinates
from habitue.models.distinct_rows import Distinct, distinct_rows
from habitue.models.fitting import Fitted, KeepsFit, fit_family
from habitue.models.likelihood import Design, Family
from habitue.models.maximum_likelihood import check_setting
from habitue.models.parameter_draws import Posterior, PosteriorRequest, draw_posterior
from habitue.models.persistence import persistent
from habitue.models.priors import Prior
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    answer,
    check_covariates,
    check_frequency,
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
class GammaGamma(KeepsFit, BaseEstimator):
    """What each customer spends per visit in the long run, from the few visits seen.

    Parameters
    ----------
    spend_covariates : sequence of str, default ()
        Columns that move the mean amount: v exp(effect x column).
    covariate_penalizer : float, default 0.0
        Ridge: its product with the square of each effect times its covariate's standard deviation is taken
        from the mean log-likelihood per customer.
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
    covariance_ : ndarray of shape (3 + n_effects, 3 + n_effects)
        Covariance of the parameters, then the effects: inverse of the exact Hessian, by the delta method.
    spend_effects_, spend_effect_errors_ : dict of float
        Effect of each covariate and its standard error; the parameters are those of a customer whose
        covariates are all 0.
    loglik_ : float
        Log-likelihood of the customers learned from, penalty not included.
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
    correlation_ : float
        Correlation of log frequency with log monetary_value among the customers learned from.
    n_left_out_ : int
        Customers not learned from: frequency 0, or a mean amount that is not positive (gifts, returns).
    n_features_in_ : int
        Number of columns it reads.
    feature_names_in_ : ndarray of str
        Their names, whatever others X has: frequency, monetary_value and the covariates.

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

    _FAMILY: ClassVar[Family] = Family(
        make=GammaGammaParams,
        formulas=gamma_gamma,
        coordinates=Coordinates(("p", "q", "v"), (0, 0, 1), floors=(0.0, 1.0, 0.0)),
        scaled=(1,),
        moved={"spend": (2, 1.0)},
    )

    def __init__(
        self,
        *,
        spend_covariates: Sequence[str] = (),
        covariate_penalizer: float = 0.0,
        penalizer: float = 0.0,
        max_iter: int = 500,
    ) -> None:
        self.spend_covariates = spend_covariates
        self.covariate_penalizer = covariate_penalizer
        self.penalizer = penalizer
        self.max_iter = max_iter

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
        posterior_draws : int, default 0
            Draws from the posterior of the parameters to keep in ``posterior_``; 1,000 to 4,000 are usual.
        prior : Mapping of str to Distribution, optional
            What is believed before, where it differs from :func:`habitue.models.priors.default_prior`.
        random_state : int or numpy.random.Generator, optional
            Source of chance of the draws.

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
        check_setting("covariate_penalizer", self.covariate_penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)
        columns = _read(X, self._names())
        weights = read_weights(sample_weight, len(columns.values))
        used = _is_informative(columns.values) & (weights > 0)
        spenders = _worth_fitting(columns.values[used], weights[used])
        self.correlation_ = _correlation(spenders)
        _warn_if_dependent(self.correlation_)  # before the search: it may be why that fails
        fitted = fit_family(
            self._FAMILY,
            spenders,
            {"spend": tuple(self.spend_covariates)},
            penalizer=self.penalizer,
            covariate_penalizer=self.covariate_penalizer,
            max_iter=self.max_iter,
        )
        self._keep(fitted, PosteriorRequest(posterior_draws, prior, random_state))
        self.n_left_out_ = int((~_is_informative(columns.values)).sum())
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
        columns = _read(X, self._names())
        frequency, amount = columns.values.T[:2]
        known = _is_informative(columns.values)
        values = gamma_gamma.expected_spend(
            self._params_of(columns.values), np.where(known, frequency, 0.0), np.where(known, amount, 0.0)
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
        columns = _read(X, self._names())
        rows = columns.values[_is_informative(columns.values)]
        if not len(rows):
            raise DataError(
                "expected a customer with frequency > 0 and monetary_value > 0 to score; got none"
            )
        return float(gamma_gamma.log_likelihood(self._params_of(rows), *rows.T[:2]).mean())

    def _keep(self, fitted: Fitted, request: PosteriorRequest) -> None:
        """Keep what was learned."""
        self._keep_found(fitted)
        self.spend_effects_ = fitted.effects["spend"]
        self.spend_effect_errors_ = fitted.effect_errors["spend"]
        check_setting("posterior_draws", request.n_draws, at_least=0, whole=True)
        self.posterior_: Posterior | None = draw_posterior(fitted, request) if request.n_draws else None
        self.n_features_in_ = len(self._names())
        self.feature_names_in_ = np.array(self._names(), dtype=object)

    def _names(self) -> tuple[str, ...]:
        """Return the columns it reads."""
        return ("frequency", "monetary_value", *self.spend_covariates)

    def _family(self) -> Family:
        """Return the family."""
        return self._FAMILY

    def _design_of(self, rows: FloatArray) -> tuple[Design, FloatArray]:
        """Return the covariates of each row and their effects."""
        effects = np.array(list(self.spend_effects_.values()), dtype=np.float64)
        at, sign = self._FAMILY.moved["spend"]
        return Design(rows[:, 2:], np.full(effects.size, at), np.full(effects.size, sign)), effects

    def _params_of(self, rows: FloatArray) -> GammaGammaParams:
        """Return the parameters of each row, its v moved by its covariates."""
        design, effects = self._design_of(rows)
        if not effects.size:
            return self.params_
        return self.params_._replace(v=self.params_.v * np.exp(design.columns @ effects))


def _read(X: CustomerTable, names: tuple[str, ...]) -> Columns:
    """Return checked frequencies and amounts; an amount without a visit may be missing."""
    columns = read_columns(X, names)
    check_frequency(columns)
    check_covariates(columns, after=2)
    frequency, amount = columns.values.T[:2]
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
    covariance = np.cov(np.log(spenders.rows.T[:2]), aweights=spenders.counts)
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
