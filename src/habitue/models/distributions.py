"""Distributions of one number, for priors: each knows its log density, and nothing else is asked of it.

Which of a family's parameters a distribution speaks of is said in :mod:`habitue.models.priors`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from habitue.models.persistence import persistent
from habitue.numerics.arrays import FloatArray

__all__ = [
    "Distribution",
    "Gamma",
    "HalfNormal",
    "InUnit",
    "LogNormal",
    "Normal",
    "Pareto",
    "Uniform",
    "Weibull",
]

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_LARGEST_EXPONENT = 700.0


class Distribution(Protocol):
    """A distribution of one number."""

    def log_density(self, x: npt.ArrayLike) -> FloatArray:
        """Return the log of the density at each x, -inf where x is impossible.

        Parameters
        ----------
        x : array_like
            Where.

        Returns
        -------
        ndarray
            Of x's shape.
        """
        ...


class _Formula(Distribution):
    """A distribution that is told by a formula, and where that holds: above 0 unless it says otherwise."""

    def log_density(self, x: npt.ArrayLike) -> FloatArray:
        values = np.asarray(x, dtype=np.float64)
        possible = self._is_possible(values)
        return np.where(possible, self._log_density(np.where(possible, values, 1.0)), -np.inf)

    def _is_possible(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which x are possible."""
        return x > 0.0

    @abstractmethod
    def _log_density(self, x: FloatArray) -> FloatArray:
        """Return the log of the density at each x > 0 or possible."""


@persistent
@dataclass(frozen=True)
class LogNormal(_Formula):
    """A positive number known up to a factor: its logarithm is Normal.

    Attributes
    ----------
    median : float
        Half of the mass lies on each side, > 0.
    sigma : float
        Standard deviation of the logarithm, > 0; 95 % lie within a factor of exp(1.96 sigma) of the median.

    Examples
    --------
    >>> round(float(LogNormal(1.0, 2.0).log_density(1.0)), 6)
    -1.612086
    """

    median: float
    sigma: float

    def _log_density(self, x: FloatArray) -> FloatArray:
        logs = np.log(x)
        z = (logs - math.log(self.median)) / self.sigma
        return -0.5 * z**2 - logs - math.log(self.sigma) - _LOG_ROOT_2PI


@persistent
@dataclass(frozen=True)
class Weibull(_Formula):
    """A positive number with density proportional to x^(shape - 1) exp(-(x / scale)^shape).

    Attributes
    ----------
    shape : float
        Above 1 the density is 0 at 0 and has a peak, > 0.
    scale : float
        63 % of the mass lie below it, > 0.

    Examples
    --------
    >>> round(float(Weibull(2.0, 10.0).log_density(10.0)), 6)
    -2.609438
    """

    shape: float
    scale: float

    def _log_density(self, x: FloatArray) -> FloatArray:
        logs = np.log(x)
        z = self.shape * (logs - math.log(self.scale))
        return math.log(self.shape) + z - logs - np.exp(np.minimum(z, _LARGEST_EXPONENT))


@persistent
@dataclass(frozen=True)
class Gamma(_Formula):
    """A positive number with density proportional to x^(shape - 1) exp(-rate x).

    Attributes
    ----------
    shape : float
        Above 1 the density is 0 at 0 and has a peak, > 0.
    rate : float
        The mean is shape / rate, > 0.

    Examples
    --------
    >>> round(float(Gamma(1.0, 2.0).log_density(3.0)), 6)
    -5.306853
    """

    shape: float
    rate: float

    def _log_density(self, x: FloatArray) -> FloatArray:
        constant = self.shape * math.log(self.rate) - float(gammaln(self.shape))
        return constant + (self.shape - 1.0) * np.log(x) - self.rate * x


@persistent
@dataclass(frozen=True)
class Pareto(_Formula):
    """A number not below a minimum, with density proportional to x^-(shape + 1).

    Attributes
    ----------
    shape : float
        How fast the tail falls, > 0; at 1 or below there is no mean.
    minimum : float
        The smallest possible value, > 0.

    Examples
    --------
    >>> Pareto(1.0, 1.0).log_density([0.5, 1.0]).tolist()
    [-inf, 0.0]
    """

    shape: float
    minimum: float

    def _is_possible(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        return x >= self.minimum

    def _log_density(self, x: FloatArray) -> FloatArray:
        constant = math.log(self.shape) + self.shape * math.log(self.minimum)
        return constant - (self.shape + 1.0) * np.log(x)


@persistent
@dataclass(frozen=True)
class Uniform(_Formula):
    """A share between 0 and 1, any as likely as any other.

    Examples
    --------
    >>> Uniform().log_density([0.3, 1.2]).tolist()
    [0.0, -inf]
    """

    def _is_possible(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        return (x >= 0.0) & (x <= 1.0)

    def _log_density(self, x: FloatArray) -> FloatArray:
        return np.zeros_like(x)


@persistent
@dataclass(frozen=True)
class HalfNormal(_Formula):
    """A positive number, likely small: the size of a Normal around 0.

    Attributes
    ----------
    sd : float
        Standard deviation of that Normal, > 0; 95 % lie below 1.96 sd.

    Examples
    --------
    >>> round(float(HalfNormal(1.0).log_density(0.0)), 6)
    -0.225791
    """

    sd: float

    def _is_possible(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        return x >= 0.0

    def _log_density(self, x: FloatArray) -> FloatArray:
        return math.log(2.0) + Normal(0.0, self.sd).log_density(x)


@persistent
@dataclass(frozen=True)
class Normal(_Formula):
    """Any number, likely near a mean: for effects of covariates, which may be negative.

    Attributes
    ----------
    mean : float
        Its mean.
    sd : float
        Its standard deviation, > 0.

    Examples
    --------
    >>> round(float(Normal(0.0, 1.0).log_density(0.0)), 6)
    -0.918939
    """

    mean: float
    sd: float

    def _is_possible(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        return np.ones_like(x, dtype=np.bool_)

    def _log_density(self, x: FloatArray) -> FloatArray:
        z = np.clip((x - self.mean) / self.sd, -1e150, 1e150)  # squares overflow
        return -0.5 * z**2 - math.log(self.sd) - _LOG_ROOT_2PI


@persistent
@dataclass(frozen=True)
class InUnit:
    """A distribution of a scale counted in a fixed unit, whatever the customers' own unit would be.

    Attributes
    ----------
    distribution : Distribution
        Of the scale divided by the unit.
    unit : float
        In days (or, for money, in the currency of the amounts), > 0; 7 means weeks.

    Examples
    --------
    Published for weeks, used for days:

    >>> weeks = InUnit(Weibull(2.0, 10.0), unit=7.0)
    >>> bool(np.isclose(weeks.log_density(30.0), Weibull(2.0, 70.0).log_density(30.0)))
    True
    """

    distribution: Distribution
    unit: float

    def log_density(self, x: npt.ArrayLike) -> FloatArray:
        """Return the log of the density at each x, in days.

        Parameters
        ----------
        x : array_like
            Where.

        Returns
        -------
        ndarray
            Of x's shape.
        """
        return self.distribution.log_density(np.asarray(x) / self.unit) - math.log(self.unit)
