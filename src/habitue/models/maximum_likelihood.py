"""The search for the parameters that explain the customers best, shared by the probability models.

Newton steps with the exact Hessian, first on a thinned rehearsal where customers are many, then on all of
them; what cannot be trusted (a parameter that runs away, a slope that is left over) is an error, not a
result. It knows nothing of any model: it sees a function of unconstrained parameters, mostly logarithms, of
order one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from habitue.errors import ConvergenceError, SettingsError

__all__ = ["Evaluation", "Maximum", "Objective", "check_setting", "maximise"]

FloatArray = npt.NDArray[np.float64]


class Evaluation(NamedTuple):
    """A mean log-likelihood per customer at one point, with its exact derivatives.

    Attributes
    ----------
    value : float
        The mean, penalties taken off.
    gradient : ndarray of shape (n_parameters,)
        Its slope in unconstrained parameters.
    hessian : ndarray of shape (n_parameters, n_parameters)
        Its curvature.
    """

    value: float
    gradient: FloatArray
    hessian: FloatArray

    def penalised(self, theta: FloatArray, penalties: FloatArray) -> Evaluation:
        """Return what is left when ``penalties @ theta**2`` is taken off.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            The point.
        penalties : ndarray of shape (n_parameters,)
            What is taken off for the square of each parameter.

        Returns
        -------
        Evaluation
            Value and derivatives.
        """
        return Evaluation(
            self.value - float(penalties @ theta**2),
            self.gradient - 2.0 * penalties * theta,
            self.hessian - 2.0 * np.diag(penalties),
        )


Objective: TypeAlias = Callable[[FloatArray], Evaluation]
"""What is maximised, at unconstrained parameters."""

_GRADIENT_AT_MOST = 1e-8  # per customer; beyond it the search has failed
_GRADIENT_WANTED = 1e-12  # where Newton steps stop
_REHEARSED = 1e-6  # a rehearsal need not end nearer than its own sampling error
_SEARCH_WITHIN = 14.0  # parameters between 1e-6 and 1e6 times their scale
_BELIEVED_WITHIN = math.log(1e5)  # beyond it a parameter counts as run away
_LONGEST_STEP = 2.0
_SHORTEST_STEP = 1e-10
_FLATTEST = 1e-10  # curvature below which a direction is walked by the longest step


class Maximum(NamedTuple):
    """Where the search ended.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        Unconstrained parameters at the maximum.
    iterations : int
        Newton steps done, those of the rehearsal among them.
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

    @property
    def bends_down(self) -> bool:
        """Whether the function falls in every direction from there: a flat place or a saddle does not."""
        return bool(np.linalg.eigvalsh(self.information)[0] > 0.0)

    def covariance(self, jacobian: FloatArray, n_customers: float) -> FloatArray:
        """Return the covariance of the natural parameters by the delta method.

        Parameters
        ----------
        jacobian : ndarray of shape (n_natural, n_parameters)
            Derivatives of the natural parameters with respect to the unconstrained ones.
        n_customers : float
            Customers behind the mean.

        Returns
        -------
        ndarray of shape (n_natural, n_natural)
            Covariances.
        """
        return jacobian @ np.linalg.inv(self.information) @ jacobian.T / n_customers


def maximise(
    objective: Objective,
    start: FloatArray,
    *,
    max_iter: int,
    describe: Callable[[FloatArray], Mapping[str, float]],
    rehearsal: Objective | None = None,
) -> Maximum:
    """Return where a mean log-likelihood is highest, or say why it is nowhere.

    Parameters
    ----------
    objective : Objective
        The function, scaled so that every parameter is expected within a few units of zero.
    start : ndarray of shape (n_parameters,)
        Where the search starts.
    max_iter : int
        Steps allowed.
    describe : callable
        Turns unconstrained parameters into named natural ones, for messages; the names are in the order
        of the parameters.
    rehearsal : Objective, optional
        The same function on a sample of the customers: its maximum is found first, cheaply, and the search
        among all of them starts there.

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
    Newton's method. Where the function is not concave the step takes the absolute value of each curvature,
    so that it climbs still; a step that does not climb is halved.

    Examples
    --------
    >>> def parabola(theta):
    ...     return Evaluation(-float((theta - 1.0) @ (theta - 1.0)), -2.0 * (theta - 1.0), -2.0 * np.eye(2))
    >>> end = maximise(parabola, np.zeros(2), max_iter=50, describe=lambda theta: dict(zip("uv", theta)))
    >>> end.theta
    array([1., 1.])
    """
    theta, rehearsed = np.asarray(start, dtype=np.float64), 0
    if rehearsal is not None:
        theta, _, rehearsed = _climb(rehearsal, theta, max_iter, _REHEARSED)
        if np.abs(theta).max() > _BELIEVED_WITHIN:
            theta = np.asarray(start, dtype=np.float64)  # a sample may run away where all do not
    theta, here, steps = _climb(objective, theta, max_iter - rehearsed, _GRADIENT_WANTED)
    end = Maximum(theta, rehearsed + steps, float(np.abs(here.gradient).max()), -here.hessian)
    if complaint := _complaint(end, max_iter, describe(theta)):
        raise ConvergenceError(
            complaint, iterations=end.iterations, gradient_norm=end.gradient_norm, params=describe(theta)
        )
    return end


def _climb(
    objective: Objective, theta: FloatArray, max_steps: int, wanted: float
) -> tuple[FloatArray, Evaluation, int]:
    """Take Newton steps until the slope is small, a parameter has run away, or no step climbs any more."""
    here = objective(theta)
    for done in range(max(max_steps, 0)):
        if np.abs(here.gradient).max() < wanted:
            return theta, here, done
        higher = _step(objective, theta, here)
        if higher is None:
            return theta, here, done
        theta, here = higher
        if np.abs(theta).max() > _BELIEVED_WITHIN:
            return theta, here, done + 1  # run away: how far is of no interest
    return theta, here, max(max_steps, 0)


def _step(objective: Objective, theta: FloatArray, here: Evaluation) -> tuple[FloatArray, Evaluation] | None:
    """Return a better point and what the function is there; None where none is found.

    Near the top the value no longer tells points apart: there a step that makes the slope smaller counts.
    """
    curvature, directions = np.linalg.eigh(here.hessian)
    step = directions @ ((directions.T @ here.gradient) / np.maximum(np.abs(curvature), _FLATTEST))
    longest = float(np.abs(step).max())
    step *= min(1.0, _LONGEST_STEP / longest) if longest > 0.0 else 0.0
    noise = 1e-14 * max(1.0, abs(here.value))
    while np.abs(step).max() > _SHORTEST_STEP:
        tried = np.clip(theta + step, -_SEARCH_WITHIN, _SEARCH_WITHIN)
        there = objective(tried)
        if there.value > here.value + noise:
            return tried, there
        flatter = np.abs(there.gradient).max() < np.abs(here.gradient).max()
        if flatter and there.value >= here.value - noise:
            return tried, there
        step = step / 2.0
    return None


def _complaint(end: Maximum, max_iter: int, params: Mapping[str, float]) -> str:
    """Return what is wrong with the end of a search, empty where nothing is."""
    values = ", ".join(f"{name}={value:.4g}" for name, value in params.items())
    away = [name for name, at in zip(params, end.theta, strict=True) if abs(at) > _BELIEVED_WITHIN]
    if away:
        return (
            f"expected a best fit at finite parameters; {', '.join(away)} ran to the boundary ({values}): "
            "these customers do not determine it. Use more customers or a longer observation, "
            "a family with fewer parameters, or penalizer=0.001"
        )
    if end.gradient_norm > _GRADIENT_AT_MOST:
        return (
            f"expected a slope below {_GRADIENT_AT_MOST:g} per customer; after {end.iterations} of at most "
            f"{max_iter} steps it is {end.gradient_norm:.2g} ({values}). "
            "Raise max_iter, or use penalizer=0.001"
        )
    if not end.bends_down:
        return (
            f"expected a maximum of the likelihood; where the search ended ({values}) it is flat or a "
            "saddle. Use more customers or a longer observation, a family with fewer parameters, "
            "or penalizer=0.001"
        )
    return ""


def check_setting(
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    whole: bool = False,
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
    whole : bool, default False
        Whether it must be a whole number.

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
        and not (whole and value != int(value))
    ):
        kind = "whole" if whole else "finite"
        raise SettingsError(f"expected {name} to be a {kind} number {bound}; got {value!r}")
