"""The search for the parameters that explain the customers best, shared by the probability models.

Quasi-Newton steps come near the optimum, Newton steps with the Hessian land on it, and what cannot be
trusted (a parameter that runs away, a slope that is left over) is an error, not a result. It knows nothing
of any model: it sees a function of unconstrained parameters, mostly logarithms, of order one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from habitue.errors import ConvergenceError, SettingsError

__all__ = ["Maximum", "Objective", "check_setting", "maximise"]

FloatArray = npt.NDArray[np.float64]

Objective: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray]]
"""Mean log-likelihood per customer and its gradient, at unconstrained parameters."""

_GRADIENT_AT_MOST = 1e-8  # per customer; beyond it the search has failed
_GRADIENT_WANTED = 1e-11  # where Newton steps stop
_SEARCH_WITHIN = 14.0  # parameters between 1e-6 and 1e6 times their scale
_BELIEVED_WITHIN = math.log(1e5)  # beyond it a parameter counts as run away
_LONGEST_STEP = 2.0
_DIFFERENCE = 1e-5


class Maximum(NamedTuple):
    """Where the search ended.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        Unconstrained parameters at the maximum.
    iterations : int
        Quasi-Newton and Newton steps done.
    gradient_norm : float
        Largest absolute entry of the gradient there, per customer.
    information : ndarray of shape (n_parameters, n_parameters)
        Minus the Hessian there, per customer.
    """

    theta: FloatArray
    iterations: int
    gradient_norm: float
    information: FloatArray

    @property
    def condition_number(self) -> float:
        """Largest over smallest curvature: above 1e6 or so some direction is hardly determined."""
        return float(np.linalg.cond(self.information))

    def covariance(self, jacobian: FloatArray, n_customers: float) -> FloatArray:
        """Return the covariance of the natural parameters by the delta method.

        Parameters
        ----------
        jacobian : ndarray of shape (n_parameters,)
            Derivative of each natural parameter with respect to its unconstrained one.
        n_customers : float
            Customers behind the mean.

        Returns
        -------
        ndarray of shape (n_parameters, n_parameters)
            Covariances.
        """
        return np.linalg.inv(self.information) * np.outer(jacobian, jacobian) / n_customers


def maximise(
    objective: Objective,
    n_parameters: int,
    *,
    max_iter: int,
    describe: Callable[[FloatArray], Mapping[str, float]],
) -> Maximum:
    """Return where a mean log-likelihood is highest, or say why it is nowhere.

    Parameters
    ----------
    objective : Objective
        The function, scaled so that every parameter is expected within a few units of zero, where the
        search starts.
    n_parameters : int
        Length of its argument.
    max_iter : int
        Steps allowed.
    describe : callable
        Turns unconstrained parameters into named natural ones, for messages; the names are in the order
        of the parameters.

    Returns
    -------
    Maximum
        An inner maximum with a gradient below 1e-8 per customer.

    Raises
    ------
    ConvergenceError
        If the steps did not suffice, a parameter runs to its boundary, or the end is no maximum.

    Notes
    -----
    L-BFGS-B, then Newton steps with the Hessian from central differences of the exact gradient.

    Examples
    --------
    >>> def parabola(theta):
    ...     return -float((theta - 1.0) @ (theta - 1.0)), -2.0 * (theta - 1.0)
    >>> maximise(parabola, 2, max_iter=50, describe=lambda theta: dict(zip("uv", theta))).theta.round(9)
    array([1., 1.])
    """
    found = minimize(
        lambda theta: _negative(objective(theta)),
        np.zeros(n_parameters),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_SEARCH_WITHIN, _SEARCH_WITHIN)] * n_parameters,
        options={"maxiter": max_iter, "ftol": 1e-15, "gtol": 1e-9},
    )
    theta, steps = _polish(objective, np.asarray(found.x, dtype=np.float64), max_iter - int(found.nit))
    norm = float(np.abs(objective(theta)[1]).max())
    end = Maximum(theta, int(found.nit) + steps, norm, _information(objective, theta))
    if complaint := _complaint(end, max_iter, describe(theta)):
        raise ConvergenceError(
            complaint, iterations=end.iterations, gradient_norm=norm, params=describe(theta)
        )
    return end


def _negative(value_and_gradient: tuple[float, FloatArray]) -> tuple[float, FloatArray]:
    """Turn a maximum into a minimum."""
    value, gradient = value_and_gradient
    return -value, -gradient


def _information(objective: Objective, theta: FloatArray) -> FloatArray:
    """Return minus the Hessian, by central differences of the gradient."""
    steps = _DIFFERENCE * np.eye(theta.size)
    rows = [objective(theta - step)[1] - objective(theta + step)[1] for step in steps]
    matrix = np.array(rows) / (2.0 * _DIFFERENCE)
    return (matrix + matrix.T) / 2.0


def _polish(objective: Objective, theta: FloatArray, max_steps: int) -> tuple[FloatArray, int]:
    """Take Newton steps as long as each makes the gradient smaller."""
    gradient = objective(theta)[1]
    for done in range(max(max_steps, 0)):
        information = _information(objective, theta)
        if np.abs(gradient).max() < _GRADIENT_WANTED or np.linalg.eigvalsh(information)[0] <= 0.0:
            return theta, done
        step = np.linalg.solve(information, gradient)
        tried = theta + step * min(1.0, _LONGEST_STEP / float(np.abs(step).max()))
        slope = objective(tried)[1]
        if not np.abs(slope).max() < np.abs(gradient).max():
            return theta, done
        theta, gradient = tried, slope
    return theta, max(max_steps, 0)


def _complaint(end: Maximum, max_iter: int, params: Mapping[str, float]) -> str:
    """Return what is wrong with the end of a search, empty where nothing is."""
    values = ", ".join(f"{name}={value:.4g}" for name, value in params.items())
    away = [name for name, at in zip(params, end.theta, strict=True) if abs(at) > _BELIEVED_WITHIN]
    if away:
        return (
            f"expected a best fit at finite parameters; {', '.join(away)} ran to the boundary ({values}): "
            "these customers do not determine it. Use more customers or a longer observation, "
            "or penalizer=0.001"
        )
    if end.gradient_norm > _GRADIENT_AT_MOST:
        return (
            f"expected a slope below {_GRADIENT_AT_MOST:g} per customer; after {end.iterations} of at most "
            f"{max_iter} steps it is {end.gradient_norm:.2g} ({values}). "
            "Raise max_iter, or use penalizer=0.001"
        )
    if np.linalg.eigvalsh(end.information)[0] <= 0.0:
        return (
            f"expected a maximum of the likelihood; where the search ended ({values}) it is flat or a "
            "saddle. Use more customers or a longer observation, or penalizer=0.001"
        )
    return ""


def check_setting(
    name: str, value: object, *, above: float | None = None, at_least: float | None = None
) -> None:
    """Refuse a setting out of its range.

    Parameters
    ----------
    name : str
        The constructor's parameter.
    value : object
        What it was set to.
    above, at_least : float, optional
        Its lower bound, exclusive or inclusive.

    Raises
    ------
    SettingsError
        If it is no finite number or below its bound.

    Examples
    --------
    >>> check_setting("horizon", -1, above=0)
    Traceback (most recent call last):
    habitue.errors.SettingsError: expected horizon to be a finite number > 0; got -1
    """
    bound = f"> {above:g}" if above is not None else f">= {at_least:g}"
    if not (
        isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
    ):
        raise SettingsError(f"expected {name} to be a finite number {bound}; got {value!r}")
