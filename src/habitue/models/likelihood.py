"""What a family of probability models is to the search: its formulas, and the likelihood of a customer base.

A `Family` names the formulas and how their parameters are searched; a `Likelihood` is the mean
log-likelihood of customers under it, with derivatives, in unconstrained parameters: the family's own, then
one effect for each covariate. It is a weighted sum over distinct rows, taken block by block, so its cost
follows the number of distinct histories and its memory is bounded. Nothing is searched here: that is
:mod:`habitue.models.maximum_likelihood`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from habitue.models.coordinates import Coordinates
from habitue.models.maximum_likelihood import Evaluation
from habitue.numerics.many_rows import blocks

__all__ = ["Design", "Family", "Formulas", "Likelihood", "no_design"]

FloatArray = npt.NDArray[np.float64]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_ROWS_AT_ONCE = 65_536  # what formulas look up in tables over counts is made anew for each block
_ROWS_WITH_EFFECTS = (
    8_192  # no tables there, and several copies of Hessians: small ones stay near the processor
)
_ELEMENTS_AT_ONCE = 2**18  # points times rows whose log-likelihoods lie in memory at a time
_POINTS_WORTH_A_CALL = 32  # below, one by one in threads
_N_THREADS = min(4, os.cpu_count() or 1)
_REHEARSAL_FROM = 8_000
_REHEARSAL = 3_000


class Formulas(Protocol):
    """What the search needs of a module of `habitue.numerics`: functions of parameters and columns."""

    @property
    def log_likelihood(self) -> Callable[..., FloatArray]:
        """Of shape (n_rows,)."""
        ...

    @property
    def gradient(self) -> Callable[..., FloatArray]:
        """Of shape (n_rows, n_parameters)."""
        ...

    @property
    def hessian(self) -> Callable[..., FloatArray]:
        """Of shape (n_rows, n_parameters, n_parameters)."""
        ...


class Family(NamedTuple):
    """One family of probability models, as the search sees it.

    Attributes
    ----------
    make : callable
        The family's ``Params``: natural parameters in, a NamedTuple out.
    formulas : module
        Its formulas.
    coordinates : Coordinates
        How its parameters are searched.
    scaled : tuple of int
        Columns of a row that carry the unit (time, or money); the last of them sets the unit, by its mean.
    moved : Mapping
        For each kind of covariates the position of the parameter that they move, and the sign.
    is_dear : bool
        Whether an answer about a customer costs an integral, so that customers alike are better found first.
    """

    make: Callable[..., Any]
    formulas: Formulas
    coordinates: Coordinates
    scaled: tuple[int, ...] = (1, 2)
    moved: Mapping[str, tuple[int, float]] = MappingProxyType({})
    is_dear: bool = True


class Design(NamedTuple):
    """Covariates of customers, and which parameter each moves.

    Attributes
    ----------
    columns : ndarray of shape (n_rows, n_effects)
        Covariates, each divided by its spread, so that effects are of order one.
    moves : ndarray of int of shape (n_effects,)
        Position of the unconstrained parameter that each moves.
    signs : ndarray of shape (n_effects,)
        1 where a larger effect makes the parameter larger, -1 where smaller.
    """

    columns: FloatArray
    moves: npt.NDArray[np.intp]
    signs: FloatArray

    def at(self, rows: slice) -> Design:
        """Return the design of some rows.

        Parameters
        ----------
        rows : slice
            Which.
        """
        return self._replace(columns=self.columns[rows])

    def shift(self, xi: FloatArray, effects: FloatArray) -> FloatArray:
        """Return the family's unconstrained parameters of each row.

        Parameters
        ----------
        xi : ndarray of shape (n_parameters,)
            Those of a row whose covariates are 0.
        effects : ndarray of shape (n_effects,)
            Effects of the covariates as they stand in `columns`.

        Returns
        -------
        ndarray of shape (n_rows, n_parameters)
            Parameters.
        """
        shifted = np.repeat(xi[None, :], len(self.columns), axis=0)
        for at, sign, effect, column in zip(self.moves, self.signs, effects, self.columns.T, strict=True):
            shifted[:, at] += sign * effect * column
        return shifted


def no_design(n_rows: int) -> Design:
    """Return a design without covariates.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Examples
    --------
    >>> no_design(5).columns.shape
    (5, 0)
    """
    return Design(np.empty((n_rows, 0)), np.empty(0, dtype=np.intp), np.empty(0))


@dataclass(frozen=True)
class Likelihood:
    """The penalised mean log-likelihood of a customer base, with time in units of its mean.

    Attributes
    ----------
    family : Family
        Whose formulas.
    rows : ndarray of shape (n_rows, n_columns)
        Distinct rows, such as frequency, recency, T, in units.
    shares : ndarray of shape (n_rows,)
        Share of the customers with each; sums to 1.
    design : Design
        Their covariates.
    penalties : ndarray of shape (n_parameters + n_effects,)
        What is taken off for the square of each unconstrained parameter.
    """

    family: Family
    rows: FloatArray
    shares: FloatArray
    design: Design
    penalties: FloatArray

    def __call__(self, theta: FloatArray) -> Evaluation:
        """Return the mean and its derivatives: what `maximise` climbs."""
        n_own = len(self.family.coordinates.names)
        if theta.size > n_own:
            of_rows, at_once = self._with_effects, _ROWS_WITH_EFFECTS
        else:
            of_rows, at_once = self._without_effects, _ROWS_AT_ONCE
        parts = [of_rows(theta, rows) for rows in blocks(len(self.rows), at_once)]
        value = math.fsum(part[0] for part in parts)
        slope = np.sum([part[1] for part in parts], axis=0)
        curvature = np.sum([part[2] for part in parts], axis=0)
        if theta.size == n_own:
            natural = self.family.coordinates.natural(theta)
            slope, curvature = self.family.coordinates.chain(natural, slope, curvature)
        return Evaluation(value, slope, curvature).penalised(theta, self.penalties)

    def log_likelihoods(self, thetas: FloatArray) -> FloatArray:
        """Return the mean log-likelihood at many points, penalties not taken off.

        Parameters
        ----------
        thetas : ndarray of shape (n_points, n_parameters + n_effects)
            Unconstrained parameters.

        Returns
        -------
        ndarray of shape (n_points,)
            Means per customer.
        """
        n_own = len(self.family.coordinates.names)
        if len(thetas) == 1:
            return np.array([self._mean(thetas[0])])
        at_once = _ELEMENTS_AT_ONCE // len(self.rows)
        if self.design.moves.size or at_once < _POINTS_WORTH_A_CALL:
            return np.array(_in_threads(self._mean, list(thetas)))
        natural = self.family.coordinates.natural(thetas[:, :n_own])
        parts = [
            self.family.formulas.log_likelihood(self.family.make(*some.T[:, :, None]), *self.rows.T)
            @ self.shares
            for some in np.split(natural, range(at_once, len(natural), at_once))
        ]
        return np.concatenate(parts)

    def rehearsal(self) -> Likelihood | None:
        """Return the likelihood of every m-th distinct row, None where the rows are few anyway."""
        if len(self.rows) < _REHEARSAL_FROM:
            return None
        some = slice(None, None, len(self.rows) // _REHEARSAL)
        shares = self.shares[some]
        return Likelihood(
            self.family, self.rows[some], shares / shares.sum(), self.design.at(some), self.penalties
        )

    def _mean(self, theta: FloatArray) -> float:
        """Return the mean at one point; the formulas take rows in blocks by themselves."""
        rows = slice(None)
        values = self.family.formulas.log_likelihood(self._params(theta, rows)[0], *self.rows.T)
        return float(self.shares @ values)

    def _params(self, theta: FloatArray, rows: slice) -> tuple[Any, FloatArray]:
        """Return the parameters of some rows: numbers where no covariate moves them."""
        coordinates, n_own = self.family.coordinates, len(self.family.coordinates.names)
        if theta.size == n_own:
            natural = coordinates.natural(theta)
            return self.family.make(*natural.tolist()), natural
        natural = coordinates.natural(self.design.at(rows).shift(theta[:n_own], theta[n_own:]))
        fixed = (natural == natural[:1]).all(axis=0)
        fields = [float(column[0]) if same else column for column, same in zip(natural.T, fixed, strict=True)]
        return self.family.make(*fields), natural

    def _derivatives(self, params: Any, rows: slice) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return value, gradient and Hessian of some rows, in natural parameters."""
        columns, formulas = self.rows[rows].T, self.family.formulas
        at_once = getattr(formulas, "value_gradient_hessian", None)  # where they share most of the work
        if at_once is not None:
            return at_once(params, *columns)
        return (
            formulas.log_likelihood(params, *columns),
            formulas.gradient(params, *columns),
            formulas.hessian(params, *columns),
        )

    def _without_effects(self, theta: FloatArray, rows: slice) -> tuple[float, FloatArray, FloatArray]:
        """Return what some rows add to value and derivatives, in natural parameters, which all rows share."""
        shares = self.shares[rows]
        values, gradient, hessian = self._derivatives(self._params(theta, rows)[0], rows)
        return float(shares @ values), shares @ gradient, np.tensordot(shares, hessian, axes=1)

    def _with_effects(self, theta: FloatArray, rows: slice) -> tuple[float, FloatArray, FloatArray]:
        """Return what some rows add to value and derivatives, in unconstrained parameters and effects.

        Every entry of theta moves one unconstrained parameter of a row by a factor: 1 for the family's own,
        the signed covariate for an effect.
        """
        shares, design = self.shares[rows], self.design.at(rows)
        n_own = len(self.family.coordinates.names)
        params, natural = self._params(theta, rows)
        values, gradient, hessian = self._derivatives(params, rows)
        gradient, hessian = self.family.coordinates.chain(natural, gradient, hessian)
        moves = np.concatenate([np.arange(n_own), design.moves])
        factors = np.concatenate([np.ones((len(shares), n_own)), design.signs * design.columns], axis=1)
        both = hessian[:, moves][:, :, moves]
        curvature = np.einsum("n,ni,nj,nij->ij", shares, factors, factors, both, optimize=True)
        return float(shares @ values), shares @ (gradient[:, moves] * factors), curvature


def _in_threads(function: Callable[[_In], _Out], inputs: Sequence[_In]) -> list[_Out]:
    """Return the function of each input, in order; numpy lets go of the interpreter while it counts."""
    if len(inputs) == 1 or _N_THREADS == 1:
        return [function(one) for one in inputs]
    with ThreadPoolExecutor(min(_N_THREADS, len(inputs))) as pool:
        return list(pool.map(function, inputs))
