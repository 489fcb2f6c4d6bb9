"""The search for a Pareto/NBD with changing covariates: likelihood, units, standard errors, boundaries.

The step between arrays and the estimator :mod:`habitue.models.pareto_nbd_paths`. Covariates are centred and
divided by their spread, time is in units of the mean T, so that every number searched is of order one; what
was found is turned back. An effect that the customers do not determine is told by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from habitue.errors import ConvergenceError, FitError
from habitue.models.maximum_likelihood import Evaluation, Maximum, maximise
from habitue.models.purchase_history import worth_fitting
from habitue.numerics import pareto_nbd_paths
from habitue.numerics.covariate_paths import pieces_between
from habitue.numerics.many_rows import blocks
from habitue.numerics.pareto_nbd import ParetoNBDParams
from habitue.numerics.pareto_nbd_paths import Histories, ParetoNBDPathsParams, Paths

__all__ = ["FittedPaths", "coefficient_table", "distinct_histories", "fit_paths"]

FloatArray = npt.NDArray[np.float64]

_ROWS_AT_ONCE = 32_768
_LEAST_RIDGE = 1e-9  # without any, the search for an effect that is not determined has no end
_DETERMINED = 1.0  # standard error of an effect of one spread; below it no boundary is near
_MOVED = 0.1  # how far the ridge moves an effect of one spread, to first order
_UNDETERMINED = 3.0  # e^3 = 20: above it the customers say next to nothing
_OWN = 4


class FittedPaths(NamedTuple):
    """What a search found, in days and covariates as they came.

    Attributes
    ----------
    params, standard_errors : ParetoNBDParams
        Parameters of a customer whose covariates are 0, and their standard errors.
    covariance : ndarray of shape (4 + n_effects, 4 + n_effects)
        Covariance of parameters, then effects.
    rate_effects, dropout_effects, rate_effect_errors, dropout_effect_errors : dict of float
        Effects and standard errors by covariate.
    loglik : float
        Log-likelihood of all customers, penalties not included.
    maximum : Maximum
        Where the search ended.
    undetermined : dict of float
        Effects that the customers alone do not determine, and where they run to without a ridge.
    """

    params: ParetoNBDParams
    standard_errors: ParetoNBDParams
    covariance: FloatArray
    rate_effects: dict[str, float]
    dropout_effects: dict[str, float]
    rate_effect_errors: dict[str, float]
    dropout_effect_errors: dict[str, float]
    loglik: float
    maximum: Maximum
    undetermined: dict[str, float]

    @property
    def advice(self) -> str:
        """What to make of effects that the customers do not determine, empty where there are none."""
        if not self.undetermined:
            return ""
        told = ", ".join(f"{name} to {value:.3g}" for name, value in self.undetermined.items())
        return (
            f"without covariate_penalizer these effects run to a boundary: {told}; the customers do not "
            "determine their size. Predictions are sound, such an effect and its standard error are not. "
            "Keep a covariate_penalizer such as 0.001, leave the covariate out, or observe more of it"
        )


@dataclass(frozen=True)
class _Likelihood:
    """Penalised mean log-likelihood in unconstrained parameters, time and covariates scaled."""

    histories: Histories
    paths: Paths
    shares: FloatArray
    penalties: FloatArray

    def __call__(self, theta: FloatArray) -> Evaluation:
        params = self.params(theta)
        value, slope = 0.0, np.zeros(theta.size)
        curvature = np.zeros((theta.size, theta.size))
        for rows in blocks(self.shares.size, _ROWS_AT_ONCE):
            some, shares = self.histories.at(rows), self.shares[rows]
            values, first, second = pareto_nbd_paths.value_gradient_hessian(params, some, self.paths)
            value += float(shares @ values)
            slope += shares @ first
            curvature += np.tensordot(shares, second, axes=1)
        natural = np.concatenate([np.exp(theta[:_OWN]), np.ones(theta.size - _OWN)])
        slope = slope * natural
        curvature = curvature * np.outer(natural, natural)
        curvature[range(_OWN), range(_OWN)] += slope[:_OWN]  # the second derivative of exp is its first
        return Evaluation(value, slope, curvature).penalised(theta, self.penalties)

    def params(self, theta: FloatArray) -> ParetoNBDPathsParams:
        """Return scaled parameters."""
        n_rate = self.paths.rate.shape[1]
        r, alpha, s, beta = np.exp(theta[:_OWN]).tolist()
        return ParetoNBDPathsParams(r, alpha, s, beta, theta[_OWN : _OWN + n_rate], theta[_OWN + n_rate :])


class _Scale(NamedTuple):
    """What times and covariates are measured by."""

    unit: float
    centres: FloatArray
    spreads: FloatArray
    n_rate: int

    def natural(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return parameters in days and effects as covariates came, and their Jacobian."""
        effects = theta[_OWN:] / self.spreads
        is_rate = np.arange(effects.size) < self.n_rate
        jacobian = np.diag(np.concatenate([np.ones(_OWN), 1.0 / self.spreads]))
        # Centring multiplies B by e^-effect'centre, and alpha with it; the same for D and beta.
        jacobian[1, _OWN:] = np.where(is_rate, self.centres, 0.0) / self.spreads
        jacobian[3, _OWN:] = np.where(is_rate, 0.0, self.centres) / self.spreads
        logs = theta[:_OWN] + jacobian[:_OWN, _OWN:] @ theta[_OWN:]
        own = np.exp(logs) * np.array([1.0, self.unit, 1.0, self.unit])
        jacobian[:_OWN] *= own[:, None]
        return np.concatenate([own, effects]), jacobian


def fit_paths(
    histories: Histories,
    paths: Paths,
    counts: FloatArray,
    names: tuple[Sequence[str], Sequence[str]],
    *,
    penalizer: float,
    covariate_penalizer: float,
    max_iter: int,
) -> FittedPaths:
    """Return the parameters and effects that explain the customers best.

    Parameters
    ----------
    histories : Histories
        Distinct histories, in days.
    paths : Paths
        Their covariates.
    counts : ndarray of shape (n_histories,)
        Customers with each.
    names : tuple of two sequences of str
        Covariates of the rate, and of dropout.
    penalizer : float
        Taken off the mean log-likelihood for the square of each log-parameter.
    covariate_penalizer : float
        The same for each effect of one spread of its covariate.
    max_iter : int
        Steps allowed.

    Returns
    -------
    FittedPaths
        Parameters and more.

    Raises
    ------
    FitError
        If a covariate never varies.
    ConvergenceError
        If no inner maximum was found.
    """
    labels = [
        *(f"rate effect of {name}" for name in names[0]),
        *(f"dropout effect of {name}" for name in names[1]),
    ]
    scale = _scale(histories, paths, counts, labels)
    ridge = np.full(len(labels), max(covariate_penalizer, _LEAST_RIDGE))
    penalties = np.concatenate([np.full(_OWN, penalizer), ridge])
    shares = counts / counts.sum()
    likelihood = _Likelihood(*_scaled(histories, paths, scale), shares, penalties)
    start = np.zeros(_OWN + len(labels))
    end = maximise(likelihood, start, max_iter=max_iter, describe=_describe(scale, labels))
    undetermined = _undetermined(likelihood, end, scale, labels, float(counts.sum()), max_iter)
    natural, jacobian = scale.natural(end.theta)
    covariance = end.covariance(jacobian, float(counts.sum()))
    errors = np.sqrt(np.diag(covariance))
    split = _OWN + scale.n_rate
    own = natural[:_OWN].tolist()
    params = ParetoNBDPathsParams(*own, rate_effects=natural[_OWN:split], dropout_effects=natural[split:])
    return FittedPaths(
        ParetoNBDParams(*own),
        ParetoNBDParams(*errors[:_OWN].tolist()),
        covariance,
        dict(zip(names[0], natural[_OWN:split].tolist(), strict=True)),
        dict(zip(names[1], natural[split:].tolist(), strict=True)),
        dict(zip(names[0], errors[_OWN:split].tolist(), strict=True)),
        dict(zip(names[1], errors[split:].tolist(), strict=True)),
        float(counts @ pareto_nbd_paths.log_likelihood(params, histories, paths)),
        end,
        undetermined,
    )


def distinct_histories(histories: Histories, weights: FloatArray) -> tuple[Histories, FloatArray]:
    """Return distinct histories and their counts, or say why there is nothing to learn from them.

    Parameters
    ----------
    histories : Histories
        One entry a customer.
    weights : ndarray of shape (n_customers,)
        Customers that each stands for.

    Returns
    -------
    histories : Histories
        Those that differ, in an order that does not depend on that of the customers.
    counts : ndarray of shape (n_histories,)
        Sums of weights, > 0.

    Raises
    ------
    FitError
        If there is only one, or nobody bought twice.
    """
    path = histories.path.astype(np.float64)
    columns = np.column_stack([*histories[:3], path, histories.at_purchases])
    rows, counts = worth_fitting(columns, weights)
    frequency, recency, T, path = rows.T[:4]
    return Histories(frequency, recency, T, path.astype(np.intp), rows[:, 4:]), counts


def coefficient_table(
    params: Mapping[str, float], effects: Mapping[str, float], covariance: FloatArray
) -> pd.DataFrame:
    """Return parameters and effects with their standard errors, one a row.

    Parameters
    ----------
    params : Mapping of str to float
        Parameters.
    effects : Mapping of str to float
        Effects.
    covariance : ndarray of shape (n_params + n_effects, n_params + n_effects)
        Of both, in that order.

    Returns
    -------
    DataFrame
        Columns estimate, standard_error, z, p_value; the last two for effects only.

    Examples
    --------
    >>> coefficient_table({"r": 0.5}, {"rate.sale": 2.0}, np.eye(2)).loc["rate.sale", "z"]
    np.float64(2.0)
    """
    estimates, errors = np.array([*params.values(), *effects.values()]), np.sqrt(np.diag(covariance))
    z = np.where(np.arange(estimates.size) < len(params), np.nan, estimates / errors)
    columns = {"estimate": estimates, "standard_error": errors, "z": z, "p_value": 2.0 * ndtr(-np.abs(z))}
    return pd.DataFrame(columns, index=[*params, *effects])


def _scale(histories: Histories, paths: Paths, counts: FloatArray, labels: Sequence[str]) -> _Scale:
    """Return mean T, and centre and spread of each covariate over the time that customers were observed."""
    unit = float(counts @ histories.T) / float(counts.sum())
    pieces = pieces_between(paths, histories.path, np.zeros_like(histories.T), histories.T)
    weights = pieces.length * counts[pieces.owner]
    weights = np.bincount(pieces.piece, weights / weights.sum(), minlength=paths.starts.size)
    columns = np.concatenate([paths.rate, paths.dropout], axis=1)
    centres = weights @ columns
    spreads = np.sqrt(weights @ (columns - centres) ** 2)
    varies = spreads > 1e-9 * np.abs(columns).max(axis=0, initial=0.0)  # beyond the rounding of a mean
    if flat := [label for label, does in zip(labels, varies, strict=True) if not does]:
        raise FitError(
            f"expected covariates that vary among customers or over time; nothing varies for the {flat[0]}, "
            "so it cannot be learned. Leave the covariate out"
        )
    return _Scale(unit, centres, spreads, paths.rate.shape[1])


def _scaled(histories: Histories, paths: Paths, scale: _Scale) -> tuple[Histories, Paths]:
    """Return histories and paths with time in units, covariates centred and divided by their spreads."""
    rate, dropout = slice(None, scale.n_rate), slice(scale.n_rate, None)
    sums = histories.at_purchases - histories.frequency[:, None] * scale.centres[rate]
    return (
        histories._replace(
            recency=histories.recency / scale.unit,
            T=histories.T / scale.unit,
            at_purchases=sums / scale.spreads[rate],
        ),
        paths._replace(
            starts=paths.starts / scale.unit,
            rate=(paths.rate - scale.centres[rate]) / scale.spreads[rate],
            dropout=(paths.dropout - scale.centres[dropout]) / scale.spreads[dropout],
        ),
    )


def _describe(scale: _Scale, labels: Sequence[str]) -> Callable[[FloatArray], Mapping[str, float]]:
    """Return what names parameters in a message."""

    def describe(theta: FloatArray) -> Mapping[str, float]:
        names = ("r", "alpha", "s", "beta", *labels)
        return dict(zip(names, scale.natural(theta)[0].tolist(), strict=True))

    return describe


def _undetermined(
    likelihood: _Likelihood,
    end: Maximum,
    scale: _Scale,
    labels: Sequence[str],
    n_customers: float,
    max_iter: int,
) -> dict[str, float]:
    """Return the effects that only the ridge keeps in bounds, and where they run to without it.

    Looked for only where the customers' own information about some effect is poor, or the ridge moves one.
    """
    is_effect = np.arange(end.theta.size) >= _OWN
    ridge = np.where(is_effect, likelihood.penalties, 0.0)
    own = end.information - 2.0 * np.diag(ridge)
    if not is_effect.any() or _is_determined(own, 2.0 * ridge * end.theta, n_customers):
        return {}
    free = replace(likelihood, penalties=np.where(is_effect, _LEAST_RIDGE, likelihood.penalties))
    try:
        far = maximise(free, end.theta, max_iter=max_iter, describe=_describe(scale, labels))
    except ConvergenceError as error:
        told = [error.params[label] for label in labels]
        away = np.abs(np.array(told) * scale.spreads) > _UNDETERMINED
    else:
        told = scale.natural(far.theta)[0][_OWN:].tolist()
        away = _errors(far.information, n_customers)[_OWN:] > _UNDETERMINED
    return {label: value for label, value, is_away in zip(labels, told, away, strict=True) if is_away}


def _is_determined(information: FloatArray, pull: FloatArray, n_customers: float) -> bool:
    """Tell whether the customers alone determine all effects, about where a ridge's pull leaves them."""
    if _errors(information, n_customers)[_OWN:].max() > _DETERMINED:
        return False
    return bool(np.abs(np.linalg.solve(information, pull))[_OWN:].max() < _MOVED)


def _errors(information: FloatArray, n_customers: float) -> FloatArray:
    """Return standard errors, infinite where the information is not that of a maximum."""
    if np.linalg.eigvalsh(information)[0] <= 0.0:
        return np.full(len(information), np.inf)
    return np.sqrt(np.diag(np.linalg.inv(information)) / n_customers)
