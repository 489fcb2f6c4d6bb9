"""Rolling-origin backtests: what each model would have said at past cutoffs, and how right it was.

Every score is computed from one tidy frame of predictions and outcomes. It is deliberately no
cross-validation: models are always tested on days after all that they learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import DataError, FitError, SettingsError
from habitue.evaluation.backtest_result import Backtest
from habitue.evaluation.learning import what_is_known
from habitue.evaluation.rivals import (
    BASELINES_TOLD_BY,
    TARGETS,
    Baselines,
    fit_before,
    named_models,
    needs_examples,
    needs_outcomes,
    predict_target,
    targets_of,
)
from habitue.evaluation.seasons import reads_day_of_year, with_day_of_year, with_season
from habitue.evaluation.segments import segment_of
from habitue.features import LITERATURE, features_for
from habitue.models import LogisticChurnClassifier
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot, Window, stack, training_cutoffs
from habitue.snapshots.snapshot import churn_told_by
from habitue.vocabulary import one_or_many

__all__ = ["Backtest", "backtest"]

Progress = Callable[[str], None]

_ROOM = 3
"""Horizons that a past needs: one of history, one of outcomes, one for cutoffs between."""


def backtest(
    log: CustomerLog,
    models: Mapping[str, BaseEstimator] | Sequence[BaseEstimator],
    *,
    cutoffs: Sequence[date | str],
    horizon: int,
    n_training: int = 4,
    step: int | None = None,
    features: Sequence[str] | None = None,
    churn: str | None = None,
    leave_out: bool = False,
    progress: Progress | None = None,
) -> Backtest:
    """Ask models at past cutoffs what would happen within the horizon, and compare with what did.

    Parameters
    ----------
    log : CustomerLog
        The records.
    models : mapping from name, or sequence, of unfitted estimators
        Churn classifiers, value regressors, or purchase models such as `BGNBD`. A parameter ``horizon`` is
        set to the backtest's.
    cutoffs : sequence of date or str
        When to ask; the horizon after each must lie inside the log.
    horizon : int
        Days ahead.
    n_training : int
        Earlier snapshots that models with outcomes learn from, at most.
    step : int, optional
        Days between those; half the horizon where None.
    features : sequence of str, optional
        Columns of X; all that the log allows where None.
    churn : {"transactions", "contracts"}, optional
        The records that tell who is a customer and who churned, as `habitue.snapshots.take_snapshot`;
        transactions where None and there are any.
    leave_out : bool
        Whether a model that cannot be fitted at one of the cutoffs is left out of all of them and told of in
        `Backtest.left_out`, instead of ending the backtest. Baselines are never left out.
    progress : callable, optional
        Called with one line before each step of work.

    Returns
    -------
    Backtest
        With the baselines of each target, always; but for those that learn from outcomes where the log is too
        short to have any before one of the cutoffs.

    Raises
    ------
    DataError
        Where a cutoff has no known future, or no known past for a model that needs one.
    FitError
        Where a model cannot be fitted, or with `leave_out` none can.
    SettingsError
        Where something is no model, or predicts what the records do not tell; where a cutoff is no day or
        there twice.

    Notes
    -----
    Training windows have the backtest's horizon and end on or before the cutoff; what features need to be
    learned of the population before is learned at the first of them (see `habitue.evaluation.learning`).
    A stack with a probability model inside answers for any horizon: where the past has no room for an
    example of this one, it learns from examples of a shorter one (a third of the past).
    Where `features` are chosen, models see these and the literature's four; baselines see what they need.
    A season that a model asks for (``season="yearly"``) is learned at each cutoff from what was known then;
    only models that read the day of the year of the cutoff see it (see `habitue.evaluation.seasons`).
    Where contracts tell churn, a baseline's column that the records do not allow is missing for everybody.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> tested = backtest(log, [hb.BGNBD()], cutoffs=["1998-03-31"], horizon=91)
    >>> sorted(tested.frame["model"].unique())
    ['BGNBD', 'hiatus heuristic', 'last-period repeat', 'logistic regression', 'the mean', 'x/T*t', 'zero']
    """
    told_by = churn_told_by(log, churn)
    named, baselines = named_models(models, told_by=told_by), BASELINES_TOLD_BY[told_by]
    windows = _windows(cutoffs, horizon)
    _refuse_unknown_futures(log, windows)
    training = [_training(log, window, named, n_training, step) for window in windows]
    rivals = [one for one in _rivals(named, baselines) if all(training) or not needs_examples(one.model)]
    columns = None if features is None else [*features, *_allowed(log, windows[0], baselines)]
    tell = progress or (lambda _: None)
    frames: list[pd.DataFrame] = []
    fitted: dict[tuple[date, str, str], BaseEstimator] = {}
    trained: dict[date, date] = {}
    left_out: dict[str, str] = {}
    silent: dict[date, Mapping[str, str]] = {}
    segments: dict[date, pd.Series | None] = {}
    for window, earlier in zip(windows, training, strict=True):
        tell(f"{window.cutoff}: snapshots")
        known = what_is_known(log, window, earlier, columns, keep=baselines.columns, churn=told_by)
        nearer = known
        if not earlier and any(needs_outcomes(one.model) for one in rivals):
            near, *shorter = _nearer(log, window, n_training)
            nearer = what_is_known(log, near, shorter, columns, keep=baselines.columns, churn=told_by)
        past = stack(nearer.past) if nearer.past else None
        silent[window.cutoff] = known.silent
        segments[window.cutoff] = _segments(known.now)
        trained[window.cutoff] = window.cutoff if past is None else past.window.end
        in_season: dict[str, BaseEstimator] = {}
        for rival in rivals:
            if rival.name in left_out:
                continue
            tell(f"{window.cutoff}: {rival.name} ({rival.target})")
            basis = nearer if needs_outcomes(rival.model) else known
            shown = features if _sees_features(rival) else baselines.columns
            seen = _seen_by(rival, basis.now, shown)
            learned = None if past is None else _seen_by(rival, past, shown)
            try:
                model = _in_season(rival, log, window.cutoff, in_season)
                ready = fit_before(model, rival.target, seen, learned, basis.now.window.horizon)
                prediction = predict_target(ready, rival.target, seen.X, horizon)
            except (DataError, FitError) as error:
                if rival.is_baseline or not leave_out:
                    raise
                left_out[rival.name] = str(error)
                continue
            fitted[window.cutoff, rival.target, rival.name] = ready
            frames.append(_tidy(known.now, rival, prediction))
    _refuse_nobody_left(named, left_out)
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.loc[~frame["model"].isin(list(left_out))].reset_index(drop=True)
    kept = {key: model for key, model in fitted.items() if key[2] not in left_out}
    return Backtest(
        frame,
        horizon,
        MappingProxyType(kept),
        MappingProxyType(trained),
        left_out,
        silent,
        told_by,
        _together(segments),
    )


def _segments(now: Snapshot) -> pd.Series | None:
    try:
        return segment_of(now.X, horizon=now.window.horizon)
    except DataError:  # the features that were chosen tell of none
        return None


def _together(segments: Mapping[date, pd.Series | None]) -> pd.Series | None:
    """Put the segments of all cutoffs under each other, where each has them."""
    told = [one for one in segments.values() if one is not None]
    return pd.concat(told, keys=list(segments), names=["cutoff"]) if len(told) == len(segments) else None


def _refuse_nobody_left(named: Mapping[str, BaseEstimator], left_out: Mapping[str, str]) -> None:
    if all(name in left_out for name in named):
        told = " ".join(f"{name}: {why.rstrip('.')}." for name, why in left_out.items())
        raise FitError(f"No model could be fitted. {told}")


class _Rival(NamedTuple):
    """One model asked for one column of y."""

    target: str
    name: str
    model: BaseEstimator
    is_baseline: bool


def _rivals(named: Mapping[str, BaseEstimator], baselines: Baselines) -> list[_Rival]:
    """Return models and the baselines of their targets, in the order of tables."""
    rivals: list[_Rival] = []
    # A logistic regression that competes itself is not asked a second time.
    challenging = {type(model) for model in named.values()} & {LogisticChurnClassifier}
    for target in TARGETS:
        asked = [_Rival(target, name, model, False) for name, model in named.items()]
        asked = [rival for rival in asked if target in targets_of(rival.name, rival.model)]
        beside = baselines.by_target[target].items() if asked else ()
        rivals += asked + [
            _Rival(target, name, model, True) for name, model in beside if type(model) not in challenging
        ]
    return rivals


def _allowed(log: CustomerLog, window: Window, baselines: Baselines) -> list[str]:
    """Return the columns of baselines that the log's records allow."""
    possible = {one.name for one in features_for(log.until(window.cutoff))}
    return [name for name in baselines.columns if name in possible]


def _sees_features(rival: _Rival) -> bool:
    """Tell whether it reads what the models read, and not columns of its own."""
    return not rival.is_baseline or isinstance(rival.model, LogisticChurnClassifier)


def _in_season(
    rival: _Rival, log: CustomerLog, cutoff: date, known: dict[str, BaseEstimator]
) -> BaseEstimator:
    """Return the model with the season known at the cutoff, which is learned once for all its targets."""
    if rival.is_baseline:
        return rival.model
    if rival.name not in known:
        known[rival.name] = with_season(rival.model, log, cutoff)
    return known[rival.name]


def _seen_by(rival: _Rival, snapshot: Snapshot, features: Sequence[str] | None) -> Snapshot:
    """Return the snapshot without the columns that only baselines were to see; they see all they need."""
    if features is not None:
        chosen = dict.fromkeys([*(literature.name for literature in LITERATURE), *features])
        there = [one for one in chosen if one in snapshot.X or (rival.is_baseline and one in features)]
        snapshot = replace(snapshot, X=snapshot.X.reindex(columns=there))
    return with_day_of_year(snapshot) if reads_day_of_year(rival.model) else snapshot


def _windows(cutoffs: Sequence[date | str], horizon: int) -> list[Window]:
    if isinstance(cutoffs, str) or not cutoffs:
        raise SettingsError(f"cutoffs must be a list of at least one day; got {cutoffs!r}.")
    windows = [Window(cutoff, horizon) for cutoff in cutoffs]
    if len(set(windows)) < len(windows):
        raise SettingsError(f"Each cutoff may be there once; got {', '.join(map(str, cutoffs))}.")
    return windows


def _training(
    log: CustomerLog, window: Window, named: Mapping[str, BaseEstimator], n_training: int, step: int | None
) -> list[Window]:
    """Windows to learn from; none where the log is too short for any and only baselines would need them."""
    if n_training < 1 or (step is not None and step < 1):
        raise SettingsError(f"n_training and step must be 1 or more; got {n_training} and {step}.")
    try:
        cutoffs = training_cutoffs(log, window, n_cutoffs=n_training, step=step)
    except DataError:
        if any(needs_examples(model) for model in named.values()):
            raise
        return []
    return [Window(cutoff, window.horizon) for cutoff in cutoffs]


def _nearer(log: CustomerLog, window: Window, n_training: int) -> list[Window]:
    """Return a window of as many days as the past has room to teach, and those to learn it from.

    As many again lie before the first of those, so that there is some history to learn from.
    """
    days = max(1, (window.cutoff - log.first_day).days // _ROOM)
    near = Window(window.cutoff, days)
    return [near, *(Window(cutoff, days) for cutoff in training_cutoffs(log, near, n_cutoffs=n_training))]


def _tidy(now: Snapshot, rival: _Rival, prediction: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cutoff": now.window.cutoff,
            "customer_id": now.X.index,
            "target": rival.target,
            "model": rival.name,
            "prediction": prediction,
            "outcome": now.outcomes[rival.target].to_numpy(dtype="float64"),
        }
    )


def _refuse_unknown_futures(log: CustomerLog, windows: Sequence[Window]) -> None:
    for window in windows:
        if window.end > log.observed_until:
            latest = log.observed_until - timedelta(days=window.horizon)
            days = one_or_many(window.horizon, "day")
            raise DataError(
                f"What happens in {window} is not known: the log ends on {log.observed_until}. "
                f"With a horizon of {days} the latest cutoff that can be tested is {latest}."
            )
