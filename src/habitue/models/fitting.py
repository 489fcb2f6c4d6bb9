"""From distinct customers to a fitted family: parameters, effects, their errors, and how far to trust them.

The step between :mod:`habitue.models.purchase_history`, which reads customers, and the estimators, which
keep what is learned: it scales time or money, puts the covariates on one footing, has the likelihood
searched, and turns what was found back into days, currency and covariates as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.models.likelihood import Design, Family, Likelihood
from habitue.models.maximum_likelihood import Maximum, maximise
from habitue.models.purchase_history import Distinct

__all__ = ["Fitted", "fit_family"]

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
    rows = customers.rows[:, : customers.rows.shape[1] - n_effects].copy()
    n_customers = float(customers.counts.sum())
    unit = float(customers.counts @ rows[:, family.scaled[-1]]) / n_customers if family.scaled else 1.0
    rows[:, family.scaled] /= unit
    design, spreads = _design(family, customers, [kind for kind, _ in names])
    penalties = np.concatenate([np.full(n_own, penalizer), np.full(n_effects, covariate_penalizer)])
    likelihood = Likelihood(family, rows, customers.counts / n_customers, design, penalties)
    end = maximise(
        likelihood,
        np.zeros(n_own + n_effects),
        max_iter=max_iter,
        describe=_describe(family, unit, names, spreads),
        rehearsal=likelihood.rehearsal(),
    )
    return _fitted(likelihood, end, names, unit=unit, spreads=spreads, n_customers=n_customers)


def _design(family: Family, customers: Distinct, kinds: Sequence[str]) -> tuple[Design, FloatArray]:
    """Return the covariates divided by their spreads, and the spreads."""
    columns = customers.rows[:, customers.rows.shape[1] - len(kinds) :]
    share = customers.counts / customers.counts.sum()
    spreads = np.sqrt(share @ (columns - share @ columns) ** 2) if kinds else np.empty(0)
    spreads = np.where(spreads > 0.0, spreads, 1.0)
    moved = [family.moved[kind] for kind in kinds]
    moves = np.array([at for at, _ in moved], dtype=np.intp)
    return Design(columns / spreads, moves, np.array([sign for _, sign in moved], dtype=np.float64)), spreads


def _describe(
    family: Family, unit: float, names: Sequence[tuple[str, str]], spreads: FloatArray
) -> Callable[[FloatArray], Mapping[str, float]]:
    """Return what names parameters in a message."""
    own = len(family.coordinates.names)

    def describe(theta: FloatArray) -> Mapping[str, float]:
        natural = family.coordinates.natural(theta[:own], unit)
        told = dict(zip(family.coordinates.names, natural.tolist(), strict=True))
        effects = (theta[own:] / spreads).tolist()
        return told | {f"{kind} effect of {name}": e for (kind, name), e in zip(names, effects, strict=True)}

    return describe


def _fitted(
    likelihood: Likelihood,
    end: Maximum,
    names: Sequence[tuple[str, str]],
    *,
    unit: float,
    spreads: FloatArray,
    n_customers: float,
) -> Fitted:
    """Return what was found, in days or currency and covariates as they came."""
    family, coordinates = likelihood.family, likelihood.family.coordinates
    own = len(coordinates.names)
    natural = coordinates.natural(end.theta[:own], unit)
    jacobian = np.zeros((end.theta.size, end.theta.size))
    jacobian[:own, :own] = coordinates.jacobian(natural)
    jacobian[own:, own:] = np.diag(1.0 / spreads)
    covariance = end.covariance(jacobian, n_customers)
    errors = np.sqrt(np.diag(covariance))
    effects: dict[str, dict[str, float]] = {kind: {} for kind in family.moved}
    effect_errors: dict[str, dict[str, float]] = {kind: {} for kind in family.moved}
    for (kind, name), effect, error in zip(names, end.theta[own:] / spreads, errors[own:], strict=True):
        effects[kind][name], effect_errors[kind][name] = float(effect), float(error)
    rows = likelihood.rows.copy()
    rows[:, family.scaled] *= unit
    in_days = np.concatenate([coordinates.unconstrained(natural), end.theta[own:]])
    mean = replace(likelihood, rows=rows).log_likelihoods(in_days[None, :])[0]
    return Fitted(
        family.make(*natural.tolist()),
        family.make(*errors[:own].tolist()),
        covariance,
        effects,
        effect_errors,
        n_customers * float(mean),
        end,
        _ridge(end, list(_describe(family, unit, names, spreads)(end.theta))),
        likelihood,
        unit,
        spreads,
        n_customers,
    )


def _ridge(end: Maximum, names: Sequence[str]) -> tuple[str, ...]:
    """Return the parameters along the flattest direction where it is a ridge."""
    if end.condition_number < _RIDGE_FROM:
        return ()
    flattest = np.linalg.eigh(end.information)[1][:, 0]
    return tuple(name for name, part in zip(names, flattest, strict=True) if abs(part) > _TAKES_PART)
