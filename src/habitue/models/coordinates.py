"""Where a probability model's parameters are looked for: numbers without bounds, and the way back.

Most parameters are positive, and their logarithm is searched. The two of a Beta distribution of leaving are
searched as its mean (log-odds) and its concentration a + b (logarithm): these are what data speak about one
by one, and what a covariate of leaving moves. This module knows how parameters are written, not what they
mean: no likelihood, no customer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

__all__ = ["Coordinates"]

FloatArray = npt.NDArray[np.float64]


class Coordinates(NamedTuple):
    """How the natural parameters of one family follow from unconstrained ones.

    Attributes
    ----------
    names : tuple of str
        Natural parameters.
    unit_powers : tuple of int
        Power of the unit (of time, or money) that each carries: 1 for a scale such as alpha, 0 for a shape.
    beta_pair : tuple of int, optional
        Positions (a, b) of the parameters of a Beta distribution, searched as log(a / b) and log(a + b).
    floors : tuple of float
        Lower bounds; empty means 0 for all.

    Examples
    --------
    >>> bgnbd = Coordinates(("r", "alpha", "a", "b"), (0, 1, 0, 0), beta_pair=(2, 3))
    >>> natural = bgnbd.natural(np.zeros(4))
    >>> natural
    array([1. , 1. , 0.5, 0.5])
    >>> bgnbd.unconstrained(natural)
    array([0., 0., 0., 0.])
    """

    names: tuple[str, ...]
    unit_powers: tuple[int, ...]
    beta_pair: tuple[int, int] | None = None
    floors: tuple[float, ...] = ()

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the unconstrained parameters, as a message tells them."""
        if self.beta_pair is None:
            return self.names
        a, b = self.beta_pair
        first, second = self.names[a], self.names[b]
        renamed = {a: f"{first}/({first}+{second})", b: f"{first}+{second}"}
        return tuple(renamed.get(at, name) for at, name in enumerate(self.names))

    def natural(self, xi: FloatArray, unit: float = 1.0) -> FloatArray:
        """Return the natural parameters.

        Parameters
        ----------
        xi : ndarray of shape (..., n_parameters)
            Unconstrained parameters, with time (or money) in units.
        unit : float, default 1.0
            Length of the unit.

        Returns
        -------
        ndarray of shape (..., n_parameters)
            Natural parameters in the unit 1.
        """
        values = np.exp(xi)
        if self.beta_pair is not None:
            a, b = self.beta_pair
            concentration = values[..., b].copy()
            values[..., b] = concentration * expit(-xi[..., a])
            values[..., a] = concentration * expit(xi[..., a])
        if self.floors:
            values = values + np.array(self.floors)
        return values if unit == 1.0 else values * unit ** np.array(self.unit_powers, dtype=np.float64)

    def unconstrained(self, natural: FloatArray, unit: float = 1.0) -> FloatArray:
        """Return the unconstrained parameters of natural ones.

        Parameters
        ----------
        natural : ndarray of shape (..., n_parameters)
            Natural parameters.
        unit : float, default 1.0
            Length of the unit of time (or money) of what is returned.

        Returns
        -------
        ndarray of shape (..., n_parameters)
            Unconstrained parameters.
        """
        values = natural / unit ** np.array(self.unit_powers, dtype=np.float64)
        values = np.log(values - np.array(self.floors) if self.floors else values)
        if self.beta_pair is not None:
            a, b = self.beta_pair
            log_a, log_b = values[..., a].copy(), values[..., b].copy()
            values[..., a], values[..., b] = log_a - log_b, np.logaddexp(log_a, log_b)
        return values

    def jacobian(self, natural: FloatArray) -> FloatArray:
        """Return how natural parameters move with unconstrained ones.

        Parameters
        ----------
        natural : ndarray of shape (..., n_parameters)
            Natural parameters.

        Returns
        -------
        ndarray of shape (..., n_parameters, n_parameters)
            Row: natural parameter; column: unconstrained one.
        """
        slopes = natural - np.array(self.floors) if self.floors else natural
        jacobian = slopes[..., None, :] * np.eye(len(self.names))
        if self.beta_pair is not None:
            i, j = self.beta_pair
            a, b = natural[..., i], natural[..., j]
            shift = a * b / (a + b)
            jacobian[..., i, i], jacobian[..., j, i] = shift, -shift
            jacobian[..., i, j], jacobian[..., j, j] = a, b
        return jacobian

    def chain(
        self, natural: FloatArray, gradient: FloatArray, hessian: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return derivatives with respect to unconstrained parameters.

        Parameters
        ----------
        natural : ndarray of shape (..., n_parameters)
            Where they were taken.
        gradient, hessian : ndarray of shape (..., n_parameters) and (..., n_parameters, n_parameters)
            Derivatives of some function with respect to the natural parameters.

        Returns
        -------
        gradient, hessian : ndarray
            Of the same shapes.
        """
        jacobian = self.jacobian(natural)
        across = np.swapaxes(jacobian, -1, -2)
        slope = (across @ gradient[..., None])[..., 0]
        curvature = across @ hessian @ jacobian
        own = np.arange(len(self.names))
        bend = slope.copy()  # the second derivative of exp is its first
        if self.beta_pair is not None:
            i, j = self.beta_pair
            a, b = natural[..., i], natural[..., j]
            towards_a = (gradient[..., i] - gradient[..., j]) * a * b / (a + b)
            bend[..., i] = towards_a * (b - a) / (a + b)
            curvature[..., i, j] += towards_a
            curvature[..., j, i] += towards_a
        curvature[..., own, own] += bend
        return slope, curvature
