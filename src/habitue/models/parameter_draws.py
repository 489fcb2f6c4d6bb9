"""What data leave open of a family's parameters: draws from their posterior, and predictions over them.

It joins what knows no model (:mod:`habitue.models.priors`, :mod:`habitue.models.posterior`) to a fitted
family: the log density is the likelihood of all customers plus the prior's, the search's end is where draws
begin. Every draw is a possible customer base; what is predicted at each of them is the prediction's
uncertainty, shared by all customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.models.fitting import Fitted
from habitue.models.laplace import laplace
from habitue.models.likelihood import Design, Family
from habitue.models.persistence import persistent
from habitue.models.posterior import sample_posterior
from habitue.models.priors import Prior, complete_prior, default_prior, log_prior

__all__ = ["Posterior", "PosteriorRequest", "draw_posterior", "params_at", "row_of"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PosteriorRequest:
    """How many draws are wanted, under which prior, from which source of chance.

    Attributes
    ----------
    n_draws : int
        Draws; 0 asks for none.
    prior : Mapping of str to Distribution, optional
        What differs from the default prior of :func:`habitue.models.priors.default_prior`.
    random_state : int or numpy.random.Generator, optional
        Source of chance.
    """

    n_draws: int
    prior: Prior | None
    random_state: int | np.random.Generator | None


@persistent
class Posterior(NamedTuple):
    """Equally weighted draws of a family's parameters from their posterior, and how they were made.

    Attributes
    ----------
    names : tuple of str
        Parameters, then effects of covariates such as ``"rate:channel"``.
    draws : ndarray of shape (n_draws, n_names)
        Draws, times in days, in no particular order; one may occur more than once.
    method : str
        ``"importance sampling"``, or ``"mcmc"`` where its weights could not be trusted.
    k_hat : float
        Shape of the tail of the importance weights; above 0.7 they were not used.
    effective_sample_size : float
        How many independent draws tell as much.
    r_hat : float
        Largest R-hat of the chains for MCMC; 1 for importance sampling.
    """

    names: tuple[str, ...]
    draws: FloatArray
    method: str
    k_hat: float
    effective_sample_size: float
    r_hat: float

    def summary(self, confidence: float = 0.8) -> pd.DataFrame:
        """Return mean, standard deviation and interval of each parameter.

        Parameters
        ----------
        confidence : float, default 0.8
            Mass between lower and upper.

        Returns
        -------
        DataFrame
            One row a parameter: mean, sd, lower, upper.
        """
        ends = np.quantile(self.draws, (0.5 - confidence / 2.0, 0.5 + confidence / 2.0), axis=0)
        columns = {"mean": self.draws.mean(axis=0), "sd": self.draws.std(axis=0)}
        return pd.DataFrame(columns | {"lower": ends[0], "upper": ends[1]}, index=list(self.names))


def draw_posterior(fitted: Fitted, request: PosteriorRequest) -> Posterior:
    """Return draws from the posterior of a fitted family.

    Parameters
    ----------
    fitted : Fitted
        What the search found; draws begin there.
    request : PosteriorRequest
        How many, and under which prior.

    Returns
    -------
    Posterior
        Draws of natural parameters and effects.

    Raises
    ------
    SettingsError
        If the prior does not fit the family.
    ConvergenceError
        If Markov chains were needed and do not agree.

    Warns
    -----
    HabitueWarning
        If Markov chains were needed.

    Notes
    -----
    The default prior speaks of scales in units of the customers' mean T (or mean amount), and of the effect
    of a covariate per standard deviation: a change of units changes nothing.
    """
    likelihood, coordinates = fitted.likelihood, fitted.likelihood.family.coordinates
    own = len(coordinates.names)
    effects = tuple(f"{kind}:{name}" for kind, of_kind in fitted.effects.items() for name in of_kind)
    names = (*coordinates.names, *effects)
    prior = complete_prior(request.prior, _default(likelihood.family, effects), names)
    units = {
        name: fitted.unit**power
        for name, power in zip(coordinates.names, coordinates.unit_powers, strict=True)
        if power
    }
    floors = coordinates.floors or (0.0,) * own
    lower = dict(zip(coordinates.names, floors, strict=True)) | dict.fromkeys(effects, -np.inf)

    def log_density(thetas: FloatArray) -> FloatArray:
        natural = np.concatenate([coordinates.natural(thetas[:, :own], fitted.unit), thetas[:, own:]], axis=1)
        before = log_prior(prior, natural, names, units=units, lower=lower)
        return fitted.n_customers * likelihood.log_likelihoods(thetas) + before

    end = fitted.maximum
    covariance = np.asarray(np.linalg.inv(end.information) / fitted.n_customers, dtype=np.float64)
    about = laplace(log_density, end.theta, covariance)
    drawn = sample_posterior(
        log_density,
        about.mode,
        about.covariance,
        n_draws=request.n_draws,
        random_state=np.random.default_rng(request.random_state),
    )
    natural = coordinates.natural(drawn.theta[:, :own], fitted.unit)
    draws = np.concatenate([natural, drawn.theta[:, own:] / fitted.spreads], axis=1)
    return Posterior(names, draws, drawn.method, drawn.k_hat, drawn.effective_sample_size, drawn.r_hat)


def _default(family: Family, effects: tuple[str, ...]) -> Prior:
    """Return the family's default prior."""
    coordinates = family.coordinates
    pair = coordinates.beta_pair
    floored = zip(coordinates.names, coordinates.floors, strict=False)
    return default_prior(
        (*coordinates.names, *effects),
        beta_pairs=[] if pair is None else [(coordinates.names[pair[0]], coordinates.names[pair[1]])],
        effects=effects,
        above_one=[name for name, floor in floored if floor == 1.0],
    )


def params_at(family: Family, draws: FloatArray, design: Design) -> Any:
    """Return the parameters of customers at each draw.

    Parameters
    ----------
    family : Family
        Whose.
    draws : ndarray of shape (n_draws, n_parameters + n_effects)
        Natural parameters, then effects.
    design : Design
        Covariates of the customers, as they came.

    Returns
    -------
    NamedTuple
        Fields of shape (n_draws, 1), or (n_draws, n_customers) where a covariate moves them.
    """
    coordinates, own = family.coordinates, len(family.coordinates.names)
    fields = [column[:, None] for column in draws[:, :own].T]
    if design.moves.size:
        xi = coordinates.unconstrained(draws[:, :own])[:, None, :].repeat(len(design.columns), axis=1)
        for at, sign, effect, column in zip(
            design.moves, design.signs, draws[:, own:].T, design.columns.T, strict=True
        ):
            xi[..., at] += sign * effect[:, None] * column
        natural = coordinates.natural(xi)
        pair = coordinates.beta_pair or ()
        moved = {*design.moves.tolist(), *(pair if set(pair) & set(design.moves.tolist()) else ())}
        fields = [natural[..., at] if at in moved else field for at, field in enumerate(fields)]
    return family.make(*fields)


def row_of(params: Any, n_rows: int) -> Any:
    """Return the parameters of one draw, one a row where covariates move them.

    Parameters
    ----------
    params : NamedTuple
        Of `params_at` with one draw.
    n_rows : int
        Rows that it was called with.

    Returns
    -------
    NamedTuple
        Fields are numbers, or of shape (n_rows,).
    """
    return type(params)(
        *(
            field if np.ndim(field) == 0 else float(field[0, 0]) if field.shape[1] == 1 < n_rows else field[0]
            for field in params
        )
    )
