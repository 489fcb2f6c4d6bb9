"""`habitue train`: challengers are tested on held-out days, logged, registered, and the better one crowned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import DataError, FitError, HabitueError
from habitue.evaluation import SCORES, Backtest, backtest, decile_table, gains, reliability
from habitue.evaluation.rivals import fit_before, predict_target
from habitue.models import BGNBD, ChurnAnswers, ValueAnswers, ValueInterval
from habitue.pipelines.recipes import Recipe
from habitue.records import CustomerLog
from habitue.report import charts
from habitue.report.curves import read_curves
from habitue.report.rivals import read_leaderboard
from habitue.snapshots import Snapshot, Window, stack, take_snapshot, training_cutoffs

if TYPE_CHECKING:
    from habitue.tracking import ModelVersion, Store

__all__ = ["Choice", "Trained", "backtest_recipe", "choose_champion", "evaluation_cutoffs", "train"]

Progress = Callable[[str], None]

_EVERY = 5
"""One customer in so many is kept from a model to learn its interval from."""


@dataclass(frozen=True)
class Choice:
    """Which challenger won, and why, in one sentence."""

    label: str
    why: str


@dataclass(frozen=True)
class Trained:
    """What a training left behind.

    Attributes
    ----------
    recipe : Recipe
        What was trained.
    horizon : int
        Days ahead.
    tested : Backtest
        Predictions and outcomes of all models.
    scores : DataFrame
        target, model, score, value, lower, upper.
    curves : Mapping[str, DataFrame]
        reliability, gains and deciles of the challengers and baselines.
    choice : Choice
        The champion's label and why.
    version : ModelVersion
        Its registered version.
    versions : Mapping[str, int]
        Registered version of every challenger.
    """

    recipe: Recipe
    horizon: int
    tested: Backtest
    scores: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    choice: Choice
    version: ModelVersion
    versions: Mapping[str, int]


def evaluation_cutoffs(log: CustomerLog, horizon: int, n_cutoffs: int = 1) -> list[date]:
    """Return the latest cutoffs whose horizon lies inside the log, one horizon apart, in order of time.

    Raises
    ------
    DataError
        Where the log is shorter than two horizons: one to learn from and one to be tested on.
    """
    latest = log.observed_until - timedelta(days=horizon)
    cutoffs = [latest - timedelta(days=horizon * place) for place in range(n_cutoffs)]
    usable = [cutoff for cutoff in cutoffs if cutoff - timedelta(days=horizon) > log.first_day]
    if not usable:
        days = (log.observed_until - log.first_day).days
        raise DataError(
            f"The log spans {days} days ({log.first_day} to {log.observed_until}); a horizon of {horizon} days "
            f"needs more than twice that many: one to learn from, one to be tested on. Choose a horizon below "
            f"{max(days // 2, 1)} days."
        )
    return sorted(usable)


def backtest_recipe(
    log: CustomerLog,
    recipe: Recipe,
    *,
    horizon: int,
    n_cutoffs: int | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Test a recipe's challengers and the baselines at past cutoffs.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        Challengers and when to test them.
    horizon : int
        Days ahead, where the recipe names none.
    n_cutoffs : int, optional
        Past cutoffs; the recipe's number where None.
    progress : callable, optional
        Called with one line before each step.
    """
    days = recipe.horizon or horizon
    return backtest(
        log,
        {challenger.name: challenger.build() for challenger in recipe.challengers},
        cutoffs=evaluation_cutoffs(log, days, n_cutoffs or recipe.evaluation.n_cutoffs),
        horizon=days,
        n_training=recipe.evaluation.n_training,
        step=recipe.evaluation.step,
        features=recipe.features,
        progress=progress,
    )


def train(
    log: CustomerLog,
    recipe: Recipe,
    *,
    horizon: int,
    store: Store,
    source: str,
    recipe_text: str,
    now: datetime,
    progress: Progress | None = None,
) -> Trained:
    """Test, log and register every challenger of a recipe, and set the alias champion to the better one.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        What to train.
    horizon : int
        Days ahead, where the recipe names none.
    store : Store
        MLflow's home.
    source : str
        The data, as people name them.
    recipe_text : str
        The recipe as it was written; kept with every run.
    now : datetime
        When; noted on the champion.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Trained
    """
    from habitue.tracking import set_champion

    tell = progress or (lambda _: None)
    days = recipe.horizon or horizon
    tested = backtest_recipe(log, recipe, horizon=days, progress=tell)
    tell("scores with bootstrap intervals")
    scores = tested.scores(n_replicates=recipe.evaluation.n_replicates)
    curves = _curves(tested, recipe.target)
    choice = choose_champion(tested, scores, recipe)
    window = Window(max(tested.trained_until), days)
    now_known = take_snapshot(log, window, recipe.features)
    purchases = _purchases(now_known)
    versions: dict[str, int] = {}
    for challenger in recipe.challengers:
        tell(f"{challenger.name}: logging and registering")
        versions[challenger.name] = _log(
            challenger.name,
            _answers(challenger.name, tested, log, recipe, now_known, purchases),
            tested=tested,
            scores=scores,
            curves=curves,
            choice=choice,
            recipe=recipe,
            recipe_text=recipe_text,
            now_known=now_known,
            fingerprint=log.fingerprint(),
            source=source,
            store=store,
        )
    version = set_champion(store, recipe.name, versions[choice.label], why=choice.why, when=now)
    return Trained(recipe, days, tested, scores, curves, choice, version, versions)


def choose_champion(tested: Backtest, scores: pd.DataFrame, recipe: Recipe) -> Choice:
    """Choose by the recipe's rule: the best by one score, or the simplest that the data cannot tell from it.

    Parameters
    ----------
    tested : Backtest
        For the paired comparison.
    scores : DataFrame
        Of `Backtest.scores`.
    recipe : Recipe
        Challengers from simple to complex, and the rule.
    """
    metric, target = recipe.champion.metric, recipe.target
    labels = [challenger.name for challenger in recipe.challengers]
    score = next(one for one in SCORES[target] if one.name == metric)
    rows = scores[(scores["target"] == target) & (scores["score"] == metric)].set_index("model")["value"]

    def loss(value: float) -> float:
        if score.greater_is_better is None:
            return abs(value - (score.ideal or 0.0))
        return -value if score.greater_is_better else value

    ranked = sorted(labels, key=lambda label: loss(rows[label]))
    best = ranked[0]
    told = ", ".join(f"{label} {rows[label]:.4f}" for label in ranked)
    for simpler in labels[: labels.index(best)]:
        difference = tested.compare(best, simpler, metric, target=target, confidence=recipe.champion.confidence)
        if difference.lower <= 0.0 <= difference.upper:
            return Choice(
                simpler,
                f"{simpler}: by {metric} ({told}) {best} is not better beyond chance ({difference.value:+.4f}, "
                f"{recipe.champion.confidence:.0%} interval {difference.lower:+.4f} to {difference.upper:+.4f}), "
                f"and {simpler} is the simpler of the two.",
            )
    return Choice(best, f"{best}: best by {metric} on held-out days ({told}).")


def _purchases(now_known: Snapshot) -> BGNBD:
    """Fit the model behind p_alive and expected_purchases, with a little ridge where there is no inner optimum."""
    try:
        return BGNBD().fit(now_known.X)
    except FitError:
        return BGNBD(penalizer=0.01).fit(now_known.X)


def _answers(
    label: str, tested: Backtest, log: CustomerLog, recipe: Recipe, now_known: Snapshot, purchases: BGNBD
) -> ChurnAnswers | ValueAnswers:
    """Bundle what is registered: the model of the last cutoff, and what stands beside its answer."""
    cutoff = now_known.window.cutoff
    model: Any = tested.models[cutoff, recipe.target, label]
    if recipe.target == "churned":
        return ChurnAnswers(classifier=model, purchases=purchases, horizon=tested.horizon)
    interval = _interval(model, log, recipe, now_known.window)
    return ValueAnswers(regressor=model, purchases=purchases, interval=interval, horizon=tested.horizon)


def _interval(model: BaseEstimator, log: CustomerLog, recipe: Recipe, window: Window) -> ValueInterval:
    """Learn the interval from customers kept from a copy of the model, all before the cutoff."""
    cutoffs = training_cutoffs(
        log, window, n_cutoffs=recipe.evaluation.n_training, step=recipe.evaluation.step
    )
    snapshots = [take_snapshot(log, Window(cutoff, window.horizon), recipe.features) for cutoff in cutoffs]
    kept = _every(snapshots[-1].X.index)
    learned = [_only(snapshot, ~snapshot.X.index.isin(kept)) for snapshot in snapshots]
    try:
        copy = fit_before(model, recipe.target, learned[-1], stack(learned), window.horizon)
    except HabitueError:
        # Too few customers to part: an interval learned from those it was fitted on is too narrow, yet finite.
        copy, kept = model, snapshots[-1].X.index
    judged = _only(snapshots[-1], snapshots[-1].X.index.isin(kept))
    predicted = predict_target(copy, recipe.target, judged.X, window.horizon)
    return ValueInterval(confidence=recipe.interval).fit(predicted, judged.outcomes["spend"])


def _every(customers: pd.Index) -> pd.Index:
    return customers[np.arange(len(customers)) % _EVERY == 0]


def _only(snapshot: Snapshot, chosen: Any) -> Snapshot:
    return Snapshot(snapshot.window, snapshot.X[chosen], snapshot.outcomes[chosen])


def _curves(tested: Backtest, target: str) -> dict[str, pd.DataFrame]:
    """Curves of every model at the last cutoff, for charts."""
    last = tested.frame[tested.frame["cutoff"] == max(tested.trained_until)]
    parts: dict[str, list[pd.DataFrame]] = {}
    for model, rows in last[last["target"] == target].groupby("model", sort=False):
        pair = rows["outcome"].to_numpy(), rows["prediction"].to_numpy()
        made = {"gains": gains(*pair)}
        made |= {"reliability": reliability(*pair)} if target == "churned" else {"deciles": decile_table(*pair)}
        for name, frame in made.items():
            parts.setdefault(name, []).append(frame.assign(model=model))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _log(
    label: str,
    answers: ChurnAnswers | ValueAnswers,
    *,
    tested: Backtest,
    scores: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    choice: Choice,
    recipe: Recipe,
    recipe_text: str,
    now_known: Snapshot,
    fingerprint: str,
    source: str,
    store: Store,
) -> int:
    """Write one challenger's run and register its model; return the version."""
    from habitue.tracking import log_training

    challenger = next(one for one in recipe.challengers if one.name == label)
    cutoff = now_known.window.cutoff
    own = scores[scores["model"] == label]
    metrics = dict(zip(own["score"], own["value"], strict=True))
    metrics |= {f"{name}_{end}": value for end in ("lower", "upper") for name, value in zip(own["score"], own[end], strict=True)}
    logged = log_training(
        store,
        experiment=recipe.name,
        run_name=f"{label} {cutoff}",
        params={
            "model": challenger.model,
            "target": recipe.target,
            "horizon": tested.horizon,
            "cutoff": str(cutoff),
            "cutoffs_tested": [str(day) for day in tested.trained_until],
            "trained_until": str(tested.trained_until[cutoff]),
            "n_training": recipe.evaluation.n_training,
            "n_customers": len(now_known.X),
            "n_features": now_known.X.shape[1],
            "features": list(now_known.X.columns),
            **{f"model.{key}": value for key, value in _params(answers).items()},
        },
        metrics={name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        tags={
            "habitue.data_source": source,
            "habitue.data_fingerprint": fingerprint,
            "habitue.label": label,
            "habitue.champion_rule": choice.why,
        },
        tables={"scores": scores, **curves},
        figures=_figures(scores, curves, label, recipe.target),
        texts={"recipe.toml": recipe_text},
        datasets={"evaluation": now_known.X, "records": fingerprint},
        model=answers,
        registered_name=recipe.name,
        input_example=_example(now_known.X, answers.input_columns_),
    )
    if logged.version is None:
        raise HabitueError(f"MLflow gave {recipe.name} no version.")
    return logged.version


def _params(answers: ChurnAnswers | ValueAnswers) -> dict[str, Any]:
    model: Any = answers.classifier if isinstance(answers, ChurnAnswers) else answers.regressor
    return model.get_params(deep=False)


def _example(X: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows that show what goes in: quartiles of each column, nobody's own row."""
    quartiles = X[list(columns)].quantile([0.25, 0.5, 0.75]).reset_index(drop=True)
    whole = [name for name in ("frequency", "recency", "T") if name in quartiles]
    quartiles[whole] = quartiles[whole].round()
    quartiles["recency"] = np.where(quartiles["frequency"] > 0, quartiles[["recency", "T"]].min(axis=1), 0.0)
    return quartiles


def _figures(
    scores: pd.DataFrame, curves: Mapping[str, pd.DataFrame], label: str, target: str
) -> dict[str, str]:
    """Draw what the report draws, with this challenger in front."""
    churn, value = ([label], []) if target == "churned" else ([], [label])
    read = read_curves(curves, churn_champions=churn, value_champions=value)
    board = read_leaderboard(scores, question="churn" if target == "churned" else "value", champions=[label])
    figures = {f"score-{one.score}": charts.leaderboard(one, name=one.score) for one in board.boards}
    figures["gains"] = charts.gains(read.gains, captured="leavers" if target == "churned" else "spend")
    if read.calibration:
        figures["calibration"] = charts.calibration(read.calibration)
    if read.deciles:
        figures["deciles"] = charts.deciles(read.deciles[0], currency="")
    return figures
