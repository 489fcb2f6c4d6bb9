"""From distinct customers to a fitted family: parameters, effects, their errors, and how far to trust them.

The step between :mod:`habitue.models.purchase_history`, which reads customers, and the estimators, which
keep what is learned: it scales time or money, puts the covariates on one footing, has the likelihood
searched, and turns what was found back into days, currency and covariates as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from habitue.models.distinct_rows import Distinct
from habitue.models.likelihood import Design, Family, Likelihood
from habitue.models.maximum_likelihood import Maximum, maximise

__all__ = ["Fitted", "KeepsFit", "fit_family", "fitted_at"]

FloatArray = npt.NDArray[np.float64]

_RIDGE_FROM = 1e5  # condition number; from there on parameters trade off against each other
_TAKES_PART = 0.3  # loading of a parameter on the flattest direction


class Fitted(NamedTuple):
    """What a search found, in the units the customers came in.

    Attributes
    ----------
    params : NamedTuple
        The family's parameters; of a customer whose covariates are 0 where there are any.
    standard_errors : NamedTuple
        Their standard errors.
    covariance : ndarray of shape (n_parameters + n_effects, n_parameters + n_effects)
        Covariance of parameters, then effects.
    effects, effect_errors : dict of dict of float
        For each kind of covariates and each covariate its effect and standard error.
    loglik : float
        Log-likelihood of all customers, penalty not included.
    maximum : Maximum
        Where the search ended.
    ridge : tuple of str
        Parameters that trade off against each other; empty where none do.
    likelihood : Likelihood
        What was searched, in scaled units.
    unit : float
        Length of its unit.
    spreads : ndarray of shape (n_effects,)
        What covariates were divided by.
    n_customers : float
        Customers behind it.
    """

    params: Any
    standard_errors: Any
    covariance: FloatArray
    effects: dict[str, dict[str, float]]
    effect_errors: dict[str, dict[str, float]]
    loglik: float
    maximum: Maximum
    ridge: tuple[str, ...]
    likelihood: Likelihood
    unit: float
    spreads: FloatArray
    n_customers: float

    @property
    def advice(self) -> str:
        """What to make of a ridge, empty where there is none."""
        if not self.ridge:
            return ""
        return (
            f"{' and '.join(self.ridge)} trade off against each other (condition number "
            f"{self.maximum.condition_number:.1g}): predictions are sound, single parameters are not. "
            "Use more customers or a longer observation, a family with fewer parameters, or a penalizer"
        )


class KeepsFit:
    """An estimator that keeps what a search found under the names that users of scikit-learn expect.

    Attributes
    ----------
    params_, standard_errors_ : NamedTuple
        Parameters and their standard errors.
    covariance_ : ndarray of shape (n_parameters + n_effects, n_parameters + n_effects)
        Covariance of parameters, then effects.
    loglik_ : float
        Log-likelihood of all customers, penalty not included.
    n_iter_, gradient_norm_, condition_number_ : int, float, float
        Where the search ended.
    advice_ : str
        What to make of a ridge, empty where there is none.
    """

    params_: Any
    standard_errors_: Any
    covariance_: FloatArray
    loglik_: float
    n_iter_: int
    gradient_norm_: float
    condition_number_: float
    advice_: str

    def _keep_found(self, found: _Found) -> None:
        """Keep what any search tells."""
        self.params_ = found.params
        self.standard_errors_ = found.standard_errors
        self.covariance_ = found.covariance
        self.loglik_ = found.loglik
        self.n_iter_ = found.maximum.iterations
        self.gradient_norm_ = found.maximum.gradient_norm
        self.condition_number_ = found.maximum.condition_number
        self.advice_ = found.advice


class _Found(Protocol):
    """What any search tells, that of :mod:`habitue.models.covariate_effects` as well."""

    @property
    def params(self) -> Any: ...
    @property
    def standard_errors(self) -> Any: ...
    @property
    def covariance(self) -> FloatArray: ...
    @property
    def loglik(self) -> float: ...
    @property
    def maximum(self) -> Maximum: ...
    @property
    def advice(self) -> str: ...


class _Scaled(NamedTuple):
    """The likelihood of customers in units of order one, and the way back."""

    likelihood: Likelihood
    unit: float
    spreads: FloatArray
    n_customers: float
    names: Sequence[tuple[str, str]]  # of the covariates, each with its kind

    def describe(self, theta: FloatArray) -> Mapping[str, float]:
        """Return named natural parameters, as a message tells them."""
        coordinates = self.likelihood.family.coordinates
        own = len(coordinates.names)
        natural = coordinates.natural(theta[:own], self.unit)
        told = dict(zip(coordinates.names, natural.tolist(), strict=True))
        effects = zip(self.names, (theta[own:] / self.spreads).tolist(), strict=True)
        return told | {f"{kind} effect of {name}": effect for (kind, name), effect in effects}


def fit_family(
    family: Family,
    customers: Distinct,
    covariates: Mapping[str, Sequence[str]],
    *,
    penalizer: float,
    covariate_penalizer: float,
    max_iter: int,
) -> Fitted:
    """Return the parameters of a family that explain the customers best.

    Parameters
    ----------
    family : Family
        Which.
    customers : Distinct
        Distinct rows: the columns of the family's formulas, then the covariates kind by kind.
    covariates : Mapping of str to sequence of str
        For each kind that the family knows the names of its covariates.
    penalizer : float
        Taken off for the square of each unconstrained parameter.
    covariate_penalizer : float
        Taken off for the square of each effect of a covariate divided by its spread (ridge).
    max_iter : int
        Steps allowed.

    Returns
    -------
    Fitted
        Parameters and more.

    Raises
    ------
    ConvergenceError
        If no inner maximum was found.
    """
    names = [(kind, name) for kind, columns in covariates.items() for name in columns]
    n_own, n_effects = len(family.coordinates.names), len(names)
    penalties = np.concatenate([np.full(n_own, penalizer), np.full(n_effects, covariate_penalizer)])
    scaled = _scaled(family, customers, names, penalties)
    end = maximise(
        scaled.likelihood,
        np.zeros(n_own + n_effects),
        max_iter=max_iter,
        describe=scaled.describe,
        rehearsal=scaled.likelihood.rehearsal(),
    )
    return _fitted(scaled, end, family.coordinates.natural(end.theta[:n_own], scaled.unit))


def fitted_at(family: Family, customers: Distinct, natural: FloatArray) -> Fitted:
    """Return what a search would tell that ended at given parameters, whoever found them.

    Parameters
    ----------
    family : Family
        Which.
    customers : Distinct
        Distinct rows of the columns of the family's formulas, without covariates.
    natural : ndarray of shape (n_parameters,)
        Parameters, times in days and money in the customers' currency.

    Returns
    -------
    Fitted
        Its gradient norm is that of the likelihood without penalty. Where the likelihood does not bend down
        in every direction, covariance and standard errors are NaN.

    Examples
    --------
    >>> from habitue.models import NBD
    >>> rows = np.array([[0.0, 0.0, 90.0], [3.0, 40.0, 90.0], [1.0, 9.0, 80.0]])
    >>> found = fitted_at(NBD._FAMILY, Distinct(rows, np.array([60.0, 10.0, 30.0])), np.array([0.8, 80.0]))
    >>> found.maximum.gradient_norm > 1e-3  # far from the best
    True
    """
    scaled = _scaled(family, customers, (), np.zeros(natural.size))
    theta = family.coordinates.unconstrained(natural, scaled.unit)
    here = scaled.likelihood(theta)
    end = Maximum(theta, 0, float(np.abs(here.gradient).max()), -here.hessian)
    return _fitted(scaled, end, natural)


def _scaled(
    family: Family, customers: Distinct, names: Sequence[tuple[str, str]], penalties: FloatArray
) -> _Scaled:
    """Return the likelihood of customers, with time or money in units of its mean."""
    rows = customers.rows[:, : customers.rows.shape[1] - len(names)].copy(
        order="F"
    )  # formulas run over columns
    n_customers = float(customers.counts.sum())
    unit = float(customers.counts @ rows[:, family.scaled[-1]]) / n_customers if family.scaled else 1.0
    rows[:, family.scaled] /= unit
    design, spreads = _design(family, customers, [kind for kind, _ in names])
    likelihood = Likelihood(family, rows, customers.counts / n_customers, design, penalties)
    return _Scaled(likelihood, unit, spreads, n_customers, names)


def _design(family: Family, customers: Distinct, kinds: Sequence[str]) -> tuple[Design, FloatArray]:
    """Return the covariates divided by their spreads, and the spreads."""
    columns = customers.rows[:, customers.rows.shape[1] - len(kinds) :]
    share = customers.counts / customers.counts.sum()
    spreads = np.sqrt(share @ (columns - share @ columns) ** 2) if kinds else np.empty(0)
    spreads = np.where(spreads > 0.0, spreads, 1.0)
    moved = [family.moved[kind] for kind in kinds]
    moves = np.array([at for at, _ in moved], dtype=np.intp)
    return Design(columns / spreads, moves, np.array([sign for _, sign in moved], dtype=np.float64)), spreads


def _fitted(scaled: _Scaled, end: Maximum, natural: FloatArray) -> Fitted:
    """Return what was found, in days or currency and covariates as they came."""
    likelihood, spreads = scaled.likelihood, scaled.spreads
    family, coordinates, own = likelihood.family, likelihood.family.coordinates, natural.size
    jacobian = np.zeros((end.theta.size, end.theta.size))
    jacobian[:own, :own] = coordinates.jacobian(natural)
    jacobian[own:, own:] = np.diag(1.0 / spreads)
    known = end.bends_down
    covariance = end.covariance(jacobian, scaled.n_customers) if known else np.full_like(jacobian, np.nan)
    errors = np.sqrt(np.diag(covariance))
    effects: dict[str, dict[str, float]] = {kind: {} for kind in family.moved}
    effect_errors: dict[str, dict[str, float]] = {kind: {} for kind in family.moved}
    for (kind, name), effect, error in zip(
        scaled.names, end.theta[own:] / spreads, errors[own:], strict=True
    ):
        effects[kind][name], effect_errors[kind][name] = float(effect), float(error)
    rows = likelihood.rows.copy(order="F")
    rows[:, family.scaled] *= scaled.unit
    in_days = np.concatenate([coordinates.unconstrained(natural), end.theta[own:]])
    mean = replace(likelihood, rows=rows).log_likelihoods(in_days[None, :])[0]
    return Fitted(
        family.make(*natural.tolist()),
        family.make(*errors[:own].tolist()),
        covariance,
        effects,
        effect_errors,
        scaled.n_customers * float(mean),
        end,
        _ridge(end, list(scaled.describe(end.theta))),
        likelihood,
        scaled.unit,
        spreads,
        scaled.n_customers,
    )


def _ridge(end: Maximum, names: Sequence[str]) -> tuple[str, ...]:
    """Return the parameters along the flattest direction where it is a ridge."""
    if end.condition_number < _RIDGE_FROM:
        return ()
    flattest = np.linalg.eigh(end.information)[1][:, 0]
    return tuple(name for name, part in zip(names, flattest, strict=True) if abs(part) > _TAKES_PART)
