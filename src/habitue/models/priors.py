"""What is believed of a customer base before its customers are seen, and its density where draws are made.

A `Prior` names *coordinates*, functions of a family's parameters that mean something by themselves, and
gives each a distribution. It knows names, not families::

    "r", "p"       a parameter
    "q-1"          what a parameter exceeds one by: gamma-gamma's mean is infinite for q <= 1
    "a/(a+b)"      the mean of a Beta distribution, such as the probability to leave after a purchase,
    "a+b"          and its concentration, small where customers differ a lot; both or neither

Scales are divided by a unit of time or money before a distribution sees them, so that a prior does not
depend on whether days or weeks are counted; `InUnit` fixes the unit where a published prior has one::

    prior = {**default_prior(("r", "alpha", "a", "b"), beta_pairs=[("a", "b")]),
             "alpha": InUnit(Weibull(2.0, 10.0), unit=7.0)}          # 10 weeks, in days
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from habitue.errors import SettingsError
from habitue.models.distributions import Distribution, InUnit, LogNormal, Normal, Uniform
from habitue.numerics.arrays import FloatArray

__all__ = [
    "Prior",
    "check_prior",
    "complete_prior",
    "default_prior",
    "log_prior",
]

_SHARE = re.compile(r"(\w+)/\(\1\+(\w+)\)")
_SUM = re.compile(r"(\w+)\+(\w+)")


Prior: TypeAlias = Mapping[str, Distribution]
"""A distribution for each coordinate; independent of each other."""


def default_prior(
    names: Sequence[str],
    *,
    beta_pairs: Sequence[tuple[str, str]] = (),
    effects: Collection[str] = (),
    above_one: Collection[str] = (),
) -> dict[str, Distribution]:
    """Return a prior that says little: what a thousand customers say drowns it.

    Parameters
    ----------
    names : sequence of str
        Parameters of the family.
    beta_pairs : sequence of (str, str), default ()
        Those of them that are the two parameters of a Beta distribution.
    effects : collection of str, default ()
        Those that are effects of covariates, the logarithm of a factor.
    above_one : collection of str, default ()
        Those that exceed one, such as gamma-gamma's q.

    Returns
    -------
    dict of str to Distribution
        One entry a coordinate.

    Notes
    -----
    - Shapes: ``LogNormal(1, 2)``; 95 % between 1/50 and 50. A shape of 1/50 means that almost all purchases
      are made by a few customers, one of 50 that all buy at nearly the same rate.
    - Scales: the same in units of the mean T (of the mean amount for money): between 1/50 of the time that
      customers were observed and 50 times that.
    - Means of Beta distributions: ``Uniform()``; every mean probability is as likely as any other.
    - Their concentration: ``LogNormal(1, 2)``; at 1/50 a customer almost surely has a probability near 0 or
      1, at 50 all have nearly the same.
    - Effects of covariates: ``Normal(0, 1)``; 95 % between a seventh and seven times the rate per unit.

    Examples
    --------
    >>> for coordinate, belief in default_prior(("r", "alpha", "a", "b"), beta_pairs=[("a", "b")]).items():
    ...     print(coordinate, belief)
    r LogNormal(median=1.0, sigma=2.0)
    alpha LogNormal(median=1.0, sigma=2.0)
    a/(a+b) Uniform()
    a+b LogNormal(median=1.0, sigma=2.0)
    """
    broad = LogNormal(1.0, 2.0)
    paired = {name for pair in beta_pairs for name in pair}
    prior: dict[str, Distribution] = {}
    for name in names:
        if name in effects:
            prior[name] = Normal(0.0, 1.0)
        elif name not in paired:
            prior[f"{name}-1" if name in above_one else name] = broad
    for first, second in beta_pairs:
        prior[f"{first}/({first}+{second})"] = Uniform()
        prior[f"{first}+{second}"] = broad
    return prior


def complete_prior(prior: Prior | None, default: Prior, names: Sequence[str]) -> dict[str, Distribution]:
    """Return a prior with the default for what it does not speak of.

    Parameters
    ----------
    prior : Mapping of str to Distribution, or None
        What the user believes, of some coordinates or none.
    default : Mapping of str to Distribution
        A complete prior.
    names : sequence of str
        Parameters of the family.

    Returns
    -------
    dict of str to Distribution
        The user's entries, and those of the default that share no parameter with them in another form.

    Raises
    ------
    SettingsError
        If an entry speaks of no parameter of the family, or its parameters are left half determined.

    Examples
    --------
    >>> default = default_prior(("r", "alpha"))
    >>> complete_prior({"r": LogNormal(0.3, 0.5)}, default, ("r", "alpha"))
    {'r': LogNormal(median=0.3, sigma=0.5), 'alpha': LogNormal(median=1.0, sigma=2.0)}
    """
    wanted = dict(prior or {})
    replaced = {
        name
        for coordinate in wanted
        if coordinate not in default
        for name in _parameters_of(coordinate, names)
    }
    kept = {
        coordinate: belief
        for coordinate, belief in default.items()
        if coordinate not in wanted and not replaced.intersection(_parameters_of(coordinate, names))
    }
    complete = wanted | kept
    check_prior(complete, names)
    return complete


def check_prior(prior: Prior, names: Sequence[str]) -> None:
    """Refuse a prior that does not determine every parameter exactly once.

    Parameters
    ----------
    prior : Mapping of str to Distribution
        What the user believes.
    names : sequence of str
        Parameters of the family.

    Raises
    ------
    SettingsError
        If a parameter has no prior or two, or an entry is no distribution or no coordinate.

    Examples
    --------
    >>> check_prior({"r": LogNormal(1.0, 2.0)}, ("r", "alpha"))
    Traceback (most recent call last):
    habitue.errors.SettingsError: expected a prior for each of r, alpha; got r, which leaves out alpha
    """
    said = ", ".join(prior) or "nothing"
    counts = dict.fromkeys(names, 0.0)
    for coordinate, belief in prior.items():
        parameters = _parameters_of(coordinate, names)
        if unknown := [name for name in parameters if name not in names]:
            raise SettingsError(
                f"expected coordinates made of {', '.join(names)}, such as 'r', 'q-1', 'a/(a+b)' or 'a+b'; "
                f"got {coordinate!r}, and {unknown[0]!r} is none of them"
            )
        if not hasattr(belief, "log_density"):
            raise SettingsError(
                f"expected a distribution of habitue.models.distributions for {coordinate!r}, such as "
                f"LogNormal(1.0, 2.0); got {belief!r}"
            )
        for name in parameters:
            counts[name] += 1.0 / len(parameters)  # a share and a sum determine half each
    wanted = f"for each of {', '.join(names)}; got {said}, which"
    if missing := [name for name, count in counts.items() if count < 1.0]:
        raise SettingsError(f"expected a prior {wanted} leaves out {', '.join(missing)}")
    if double := [name for name, count in counts.items() if count > 1.0]:
        raise SettingsError(f"expected one prior {wanted} says two things of {', '.join(double)}")


def log_prior(
    prior: Prior,
    natural: npt.ArrayLike,
    names: Sequence[str],
    *,
    units: Mapping[str, float] | None = None,
    lower: Mapping[str, float] | None = None,
) -> FloatArray:
    """Return the log density of the prior over the unconstrained parameters.

    Parameters
    ----------
    prior : Mapping of str to Distribution
        One entry a coordinate.
    natural : array_like of shape (..., n_params)
        Parameters as the family knows them, in the order of names.
    names : sequence of str
        Their names.
    units : Mapping of str to float, optional
        Unit of each scale (alpha, beta: the mean T; v: the mean amount), by name; 1 where absent. An entry
        with its own unit (`InUnit`) goes before.
    lower : Mapping of str to float, optional
        Lower end of a parameter; 0 where absent, 1 for gamma-gamma's q, -inf for effects of covariates. The
        unconstrained parameter is log(x - lower), or x itself where there is no lower end.

    Returns
    -------
    ndarray of shape (...)
        Log densities, normalised; -inf where the prior excludes the parameters.

    Notes
    -----
    The sum over coordinates c of log f_c, plus the log of the Jacobian of the coordinates by the
    parameters (1 / unit for a scale, 1 / (a + b) for a pair), plus that of the parameters by the
    unconstrained ones (x - lower).

    Examples
    --------
    The density of log r where r is LogNormal is Normal:

    >>> round(float(log_prior({"r": LogNormal(1.0, 2.0)}, [3.0], ("r",))), 6)
    -1.762954
    >>> round(float(Normal(0.0, 2.0).log_density(np.log(3.0))), 6)
    -1.762954
    """
    values = np.asarray(natural, dtype=np.float64)
    of = {name: values[..., i] for i, name in enumerate(names)}
    ends, unit_of = lower or {}, units or {}
    total = np.zeros(values.shape[:-1])
    for name, value in of.items():
        if (end := ends.get(name, 0.0)) > -math.inf:
            total = total + _log(value - end)
    for coordinate, belief in prior.items():
        value, log_jacobian = _coordinate(coordinate, of)
        if coordinate in unit_of and not hasattr(belief, "unit"):
            belief = InUnit(belief, unit_of[coordinate])
        total = total + belief.log_density(value) + log_jacobian
    return total


def _parameters_of(coordinate: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the parameters that a coordinate is made of; a covariate may be called "a+b"."""
    if coordinate in names:
        return (coordinate,)
    if pair := _SHARE.fullmatch(coordinate) or _SUM.fullmatch(coordinate):
        return pair[1], pair[2]
    return (coordinate.removesuffix("-1"),)


def _coordinate(coordinate: str, of: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray | float]:
    """Return a coordinate's value, and its part of the log Jacobian by the parameters."""
    if coordinate in of:
        return of[coordinate], 0.0
    if share := _SHARE.fullmatch(coordinate):
        return of[share[1]] / (of[share[1]] + of[share[2]]), 0.0
    if pair := _SUM.fullmatch(coordinate):
        total = of[pair[1]] + of[pair[2]]
        return total, -_log(total)  # of the share and the sum together
    return of[coordinate.removesuffix("-1")] - 1.0, 0.0


def _log(values: FloatArray) -> FloatArray:
    """Return logarithms, -inf where rounding has put a value on its lower end."""
    return np.log(values, out=np.full_like(values, -np.inf), where=values > 0.0)
