"""What may be tuned within which bounds, and how Optuna walks through it under a budget.

Only here is Optuna imported, and only when something is tuned. It deliberately knows no model: a trial is
settings in, and losses out, fold by fold.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from habitue.errors import DataError, SettingsError
from habitue.models.persistence import persistent

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution

__all__ = ["BOOSTED_SPACE", "Between", "Space", "TuningTrial", "search"]

_DECIMALS = 9
"""Losses nearer than this are ties: another currency or number of threads moves them by rounding alone."""


@persistent
class Between(NamedTuple):
    """A range to search in; of whole numbers where both ends are whole numbers (int).

    Attributes
    ----------
    low, high : int or float
        Both ends belong to it.
    log : bool
        Whether orders of magnitude are tried evenly, for which `low` has to be above 0.

    Examples
    --------
    >>> Between(0.01, 0.2, log=True)
    Between(low=0.01, high=0.2, log=True)
    """

    low: float
    high: float
    log: bool = False


Space: TypeAlias = Mapping[str, Between | Sequence[Any]]
"""Settings to search over: a `Between`, or a list of choices."""

BOOSTED_SPACE: Space = MappingProxyType(
    {
        "num_leaves": Between(4, 64, log=True),
        "max_depth": Between(2, 8),
        "min_child_samples": Between(5, 500, log=True),
        "learning_rate": Between(0.01, 0.2, log=True),
        "reg_lambda": Between(1e-2, 100.0, log=True),
        "colsample_bytree": Between(0.3, 1.0),
    }
)
"""What is searched of a boosted model. The number of trees is not: early stopping finds it."""


@persistent
class TuningTrial(NamedTuple):
    """One set of settings and what it was worth.

    Attributes
    ----------
    number : int
        In order of trying; 0 is the estimator as it was given.
    state : str
        "complete", or "pruned" where it was given up before all folds had judged it.
    value : float
        Mean loss over all folds, less is better; NaN where it was pruned, as folds differ.
    n_folds : int
        How many judged it.
    seconds : float
        How long it took.
    params : dict
        The settings.
    """

    number: int
    state: str
    value: float
    n_folds: int
    seconds: float
    params: dict[str, Any]


def search(
    judge: Callable[[Mapping[str, Any]], Iterator[float]],
    space: Space,
    defaults: Mapping[str, Any],
    *,
    n_folds: int,
    n_trials: int,
    seconds: float | None,
    random_state: int,
    tell: Callable[[str], None],
) -> list[TuningTrial]:
    """Try settings one after another: first those given, then others near the best so far.

    Parameters
    ----------
    judge : callable
        Given settings, yields the mean loss over the folds so far, after each of `n_folds` folds.
    space : mapping
        What to search over.
    defaults : mapping
        The settings of trial 0, which is judged to its end whatever the budget.
    n_folds : int
        Folds of a whole trial.
    n_trials : int
        Trials, at most.
    seconds : float, optional
        No trial begins after so many.
    random_state : int
        Seed.
    tell : callable
        Called with one line after each trial.

    Returns
    -------
    list of TuningTrial
        At least one.

    Raises
    ------
    SettingsError
        Where Optuna is missing, or a range is impossible.
    DataError
        Where a loss is not a finite number.

    Notes
    -----
    The first ten trials are drawn at random, later ones by a tree-structured Parzen estimator [1]_. From the
    sixth trial on, one is given up after a fold where its mean loss is above the median of the whole ones at
    that fold.

    References
    ----------
    .. [1] Bergstra, J., Bardenet, R., Bengio, Y. & Kégl, B. (2011). Algorithms for hyper-parameter
       optimization. NeurIPS 24.
    """
    optuna = _load_optuna()
    distributions = _distributions(optuna, space)
    trials: list[TuningTrial] = []
    with _quiet(optuna):
        sampler = optuna.samplers.TPESampler(seed=random_state)
        study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner())
        # Given settings outside the space are judged all the same; the search just learns nothing from them.
        inside = all(_holds(space[name], value) for name, value in defaults.items())
        if inside:
            study.enqueue_trial(dict(defaults))
        while len(trials) < n_trials and not (trials and _is_spent(trials, seconds)):
            trial = study.ask(distributions if trials or inside else {})
            params = trial.params if trials else defaults
            loss, n_judged = _follow(trial, judge(params), n_folds)
            pruned = optuna.trial.TrialState.PRUNED if loss is None else None
            ended = study.tell(trial, loss, state=pruned)
            state, took = ended.state.name.lower(), ended.duration.total_seconds()
            value = np.nan if loss is None else loss
            trials.append(TuningTrial(trial.number, state, value, n_judged, took, dict(params)))
            tell(_line(trials, n_trials=n_trials, n_folds=n_folds))
    return trials


def _follow(trial: Trial, losses: Iterator[float], n_folds: int) -> tuple[float | None, int]:
    """Judge a trial fold by fold: its loss, or none where it is hopeless, and the folds that judged it."""
    loss, n_judged = np.nan, 0
    for n_judged, loss in enumerate(losses, start=1):
        if not np.isfinite(loss):
            raise DataError(
                f"The loss of trial {trial.number} is {loss}: tuning needs a finite number. Choose another "
                "scoring, or give more customers."
            )
        trial.report(loss, step=n_judged)
        if n_judged < n_folds and trial.should_prune():
            return None, n_judged
    return round(loss, _DECIMALS), n_judged


def _is_spent(trials: Sequence[TuningTrial], seconds: float | None) -> bool:
    return seconds is not None and sum(trial.seconds for trial in trials) >= seconds


def _line(trials: Sequence[TuningTrial], *, n_trials: int, n_folds: int) -> str:
    """Tell of the last trial, beside the best of those that were judged to their end."""
    last = trials[-1]
    best = min((trial for trial in trials if trial.state == "complete"), key=lambda trial: trial.value)
    whole = last.state == "complete"
    told = f"loss {last.value:.6f}" if whole else f"given up after {last.n_folds} of {n_folds} folds"
    best_so_far = f"best {best.value:.6f} (trial {best.number})"
    return f"trial {last.number} ({len(trials)} of {n_trials}): {told}; {best_so_far}"


def _load_optuna() -> Any:
    try:
        return import_module("optuna")
    except ImportError as error:
        raise SettingsError("Tuning needs one more package: pip install 'habitue[tune]'.") from error


@contextmanager
def _quiet(optuna: Any) -> Generator[None]:
    """Keep Optuna from telling of each trial by itself; what the caller had set comes back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distributions(optuna: Any, space: Space) -> dict[str, BaseDistribution]:
    """Return the space in Optuna's words."""
    found: dict[str, BaseDistribution] = {}
    for name, one in space.items():
        try:
            if not isinstance(one, Between):
                found[name] = optuna.distributions.CategoricalDistribution(list(one))
            elif _is_whole(one):
                found[name] = optuna.distributions.IntDistribution(one.low, one.high, log=one.log)
            else:
                found[name] = optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"{name} cannot be searched in {one}: {error} Give a Between(low, high) or a list of choices."
            ) from error
    return found


def _is_whole(one: Between) -> bool:
    return isinstance(one.low, int) and isinstance(one.high, int)


def _holds(one: Between | Sequence[Any], value: Any) -> bool:
    if not isinstance(one, Between):
        return value in one
    return isinstance(value, int if _is_whole(one) else int | float) and one.low <= value <= one.high
