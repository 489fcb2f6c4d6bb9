"""What an experiment says, read and checked: outcomes, the arm each customer drew, and by what chance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import AssumptionWarning, DataError
from habitue.models.outcomes import read_amounts, refuse_other_rows
from habitue.models.purchase_history import CustomerTable, read_weights

__all__ = ["FEWEST", "Experiment", "check_overlap", "deal_folds", "read_experiment", "read_propensity"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

FEWEST = 50
"""Rows of an arm, at least, that its effect can be learned from."""
_RARE = 0.01
"""Chance of an arm below which its outcomes weigh more than a hundred others."""
_SURPRISE = 5.0
"""Standard errors by which chances on record may be off before that is told."""


class Experiment(NamedTuple):
    """Outcomes of customers who drew an arm.

    Attributes
    ----------
    y : ndarray of shape (n_customers,)
        Outcomes.
    arms : list of str
        The control first, then the others in the order of their names.
    drawn : ndarray of int, shape (n_customers,)
        Place of the drawn arm in `arms`.
    weights : ndarray of shape (n_customers,)
        How much each row counts.
    clusters : ndarray of int, shape (n_customers,), optional
        Whose row it is, from 0; None where every row is a customer's own.
    """

    y: FloatArray
    arms: list[str]
    drawn: IntArray
    weights: FloatArray
    clusters: IntArray | None


def read_experiment(
    X: CustomerTable,
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    control: str,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
) -> Experiment:
    """Read who drew what, and what came of it.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        Its rows are those that the others speak of.
    y : array_like of shape (n_customers,)
        Outcomes, finite.
    arm : array_like of str, shape (n_customers,)
        Names of the arms that were drawn.
    control : str
        The name of the arm that others are compared with.
    groups : array_like of shape (n_customers,), optional
        Whose row it is; one customer's rows stay together.
    sample_weight : array_like of shape (n_customers,), optional
        How much each row counts.

    Raises
    ------
    DataError
        Where rows do not match, an outcome or a label is missing, there is no control or nothing but the
        control, or an arm has too few rows.

    Examples
    --------
    >>> arm = ["control", "call"] * 50
    >>> read_experiment(np.zeros((100, 1)), np.ones(100), arm, control="control").arms
    ['control', 'call']
    """
    n = len(X) if isinstance(X, pd.DataFrame) else len(np.asarray(X))
    for given, called in ((y, "y"), (arm, "arm"), (groups, "groups"), (sample_weight, "sample_weight")):
        refuse_other_rows(X, given, called=called)
    outcomes = read_amounts(y, n)
    labels = _labels(arm, n, called="arm")
    weights = read_weights(sample_weight, n)
    arms = _arms(labels, control)
    drawn = pd.Index(arms).get_indexer(pd.Index(labels)).astype(np.intp)
    _refuse_small(arms, drawn[weights > 0.0])
    clusters = None if groups is None else _codes(groups, n, called="groups")
    return Experiment(outcomes, arms, drawn, weights, clusters)


def read_propensity(
    experiment: Experiment, propensity: npt.ArrayLike | None, strata: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the chance of the arm that each customer drew.

    Parameters
    ----------
    experiment : Experiment
        Who drew what.
    propensity : array_like of shape (n_customers,) or None
        The chance of the arm that was drawn, as recorded at the draw; None: the share of each arm.
    strata : array_like of shape (n_customers,), optional
        Within which arms were drawn with one chance for all; only where propensity is None.

    Raises
    ------
    DataError
        Where a chance is missing or not above 0 and below 1, or a stratum lacks an arm.

    Warns
    -----
    AssumptionWarning
        Where chances are very small, or do not add up as chances of what was drawn would.

    Examples
    --------
    >>> arm = ["control", "call", "call", "call"] * 50
    >>> experiment = read_experiment(np.zeros((200, 1)), np.ones(200), arm, control="control")
    >>> read_propensity(experiment, None)[:2]
    array([0.25, 0.75])
    """
    if propensity is None:
        chance = _shares(experiment, strata)
        check_overlap(experiment, chance)
        return chance
    chance = _chances(propensity, len(experiment.y))
    check_overlap(experiment, chance)
    _warn_of_chances_that_do_not_add_up(experiment, chance)
    return chance


def check_overlap(experiment: Experiment, chance: FloatArray) -> None:
    """Warn where an arm was drawn although it hardly ever is by such customers.

    Parameters
    ----------
    experiment : Experiment
        Who drew what.
    chance : ndarray of shape (n_customers,)
        Chances of the drawn arms.

    Warns
    -----
    AssumptionWarning
        Names the arm, and how many customers' worth its rows are.
    """
    for place, name in enumerate(experiment.arms):
        rows = (experiment.drawn == place) & (experiment.weights > 0.0)
        weight = experiment.weights[rows] / chance[rows]
        if chance[rows].min() < _RARE:
            worth = weight.sum() ** 2 / (weight**2).sum()
            warnings.warn(
                f"arm {name!r} was drawn with a chance as low as {chance[rows].min():.2g}: its "
                f"{rows.sum()} rows "
                f"tell as much as {worth:.0f} of equal chance. Leave out customers who could hardly draw it.",
                AssumptionWarning,
                stacklevel=5,
            )


def deal_folds(experiment: Experiment, n_folds: int, random_state: int) -> IntArray:
    """Deal customers into folds of equal size in which each arm has its share.

    Parameters
    ----------
    experiment : Experiment
        Who drew what; rows of one cluster go to one fold.
    n_folds : int
        At least 3.
    random_state : int
        Seed.

    Returns
    -------
    ndarray of int, shape (n_customers,)
        In 0 to n_folds - 1.

    Raises
    ------
    DataError
        Where there are fewer customers than needed for each fold to have every arm.
    """
    n = len(experiment.y)
    clusters = np.arange(n) if experiment.clusters is None else experiment.clusters
    _, first = np.unique(clusters, return_index=True)
    order = np.random.default_rng(random_state).permutation(len(first))
    order = order[np.argsort(experiment.drawn[first][order], kind="stable")]
    of_cluster = np.empty(len(first), dtype=np.intp)
    of_cluster[order] = np.arange(len(first)) % n_folds
    fold = of_cluster[np.searchsorted(clusters[first], clusters)]
    counted = experiment.weights > 0.0
    table = np.zeros((n_folds, len(experiment.arms)))
    np.add.at(table, (fold[counted], experiment.drawn[counted]), 1.0)
    if not table.all():
        place = int(np.flatnonzero(~table.all(axis=0))[0])
        raise DataError(
            f"expected customers of every arm in each of {n_folds} folds; those of "
            f"{experiment.arms[place]!r} are "
            "too few, or belong together by groups. Lower n_folds, or join arms."
        )
    return fold


def _labels(given: npt.ArrayLike, n: int, *, called: str) -> list[str]:
    column = pd.Series(np.asarray(given, dtype=object).ravel())
    if len(column) != n:
        raise DataError(f"{called} must hold one label for each of {n} rows of X, got {len(column)}.")
    if n_missing := int(column.isna().sum()):
        raise DataError(
            f"{called} must name what each customer drew; {n_missing} of {n} labels are missing. Leave "
            "these rows out."
        )
    return [str(one) for one in column]


def _codes(given: npt.ArrayLike, n: int, *, called: str) -> IntArray:
    return pd.factorize(np.array(_labels(given, n, called=called), dtype=object))[0].astype(np.intp)


def _arms(labels: Sequence[str], control: str) -> list[str]:
    there = sorted(set(labels))
    told = ", ".join(repr(one) for one in there[:8])
    if control not in there:
        raise DataError(
            f"expected rows of the arm {control!r} to compare others with; there are {told}. Without "
            "customers left "
            "alone by chance no effect can be told: name the control by control=, or keep a holdout next "
            "time."
        )
    if len(there) == 1:
        raise DataError(
            f"expected rows of an arm beside {control!r}; all {len(labels)} are of it. Add those who were "
            "treated."
        )
    return [control, *(one for one in there if one != control)]


def _refuse_small(arms: Sequence[str], drawn: IntArray) -> None:
    n_each = np.bincount(drawn, minlength=len(arms))
    if (n_each < FEWEST).any():
        place = int(n_each.argmin())
        raise DataError(
            f"expected at least {FEWEST} rows of each arm; {arms[place]!r} has {n_each[place]}. Leave its "
            "rows out, "
            "or join it with a similar arm."
        )


def _shares(experiment: Experiment, strata: npt.ArrayLike | None) -> FloatArray:
    n, n_arms = len(experiment.y), len(experiment.arms)
    stratum = np.zeros(n, dtype=np.intp) if strata is None else _codes(strata, n, called="strata")
    mass = np.zeros((int(stratum.max()) + 1, n_arms))
    np.add.at(mass, (stratum, experiment.drawn), experiment.weights)
    if not mass.all():
        lacking, place = (int(at[0]) for at in np.nonzero(mass == 0.0))
        first = int(np.flatnonzero(stratum == lacking)[0])
        raise DataError(
            f"expected every arm in each stratum; that of row {first} has none of "
            f"{experiment.arms[place]!r}. Join "
            "strata, or leave out that stratum."
        )
    share = mass / mass.sum(axis=1, keepdims=True)
    return share[stratum, experiment.drawn]


def _chances(propensity: npt.ArrayLike, n: int) -> FloatArray:
    try:
        chance = np.asarray(propensity, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"propensity must hold numbers between 0 and 1; {error}.") from error
    if chance.shape == ():
        chance = np.full(n, float(chance))
    if chance.shape != (n,):
        raise DataError(
            f"propensity must hold the chance of the arm that was drawn, one number for each of {n} rows "
            "of X; got "
            f"shape {chance.shape}."
        )
    # Written so that NaN is among the bad.
    bad = np.flatnonzero(~((chance > 0.0) & (chance < 1.0)))
    if len(bad):
        raise DataError(
            f"propensity must be the chance of the arm that was drawn, above 0 and below 1; {len(bad)} of "
            f"{n} are "
            f"not, the first {chance[bad[0]]:g} in row {bad[0]}. Leave out rows that were not left to chance."
        )
    return chance


def _warn_of_chances_that_do_not_add_up(experiment: Experiment, chance: FloatArray) -> None:
    n = len(chance)
    for place, name in enumerate(experiment.arms):
        drawn = chance[experiment.drawn == place]
        total, error = (1.0 / drawn).sum(), np.sqrt(((1.0 - drawn) / drawn**2).sum())
        if abs(total - n) > max(_SURPRISE * error, 0.05 * n):
            warnings.warn(
                f"the chances of those who drew {name!r} stand for {total:.0f} customers, where there are "
                f"{n}: "
                "propensity must be the chance of the arm that was drawn, not that of being treated.",
                AssumptionWarning,
                stacklevel=4,
            )
