"""`habitue demo`: the whole journey on CDNOW, from a log to registered, scored and explained customers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log as ln
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from habitue.evaluation import backtest
from habitue.models import BGNBD, GammaGamma
from habitue.pipelines.files import writable_folder
from habitue.pipelines.recipes import built_in_recipe
from habitue.pipelines.scoring.in_memory import Scored, score_customers, write_scores
from habitue.pipelines.tell import tell
from habitue.pipelines.train import Trained, train
from habitue.records import CustomerLog, datasets
from habitue.snapshots import Window, take_snapshot, training_cutoffs
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["HORIZON", "Demo", "demo", "published_figures"]

HORIZON = 91
"""Days ahead, a quarter."""

_LITERATURE = Window("1997-09-30", 273)
_PUBLISHED = {
    "BG/NBD r": 0.2426,
    "BG/NBD alpha (weeks)": 4.4136,
    "BG/NBD a": 0.7930,
    "BG/NBD b": 2.4262,
    "BG/NBD log-likelihood": -9582.4292,
    "gamma-gamma p": 6.25,
    "gamma-gamma q": 3.74,
    "gamma-gamma v": 15.44,
}
"""Fader, Hardie & Lee (2005), Marketing Science 24(2), table 2; and note 025 on the gamma-gamma model."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """What the demo left behind.

    Attributes
    ----------
    log : CustomerLog
        CDNOW.
    trained : Mapping[str, Trained]
        By recipe: churn, clv.
    scored : Scored
        Every customer as of the last day.
    published : DataFrame
        Published figures beside those found here.
    scores_path, report_path : Path
        What was written.
    seconds : Mapping[str, float]
        Wall time of each stage.
    """

    log: CustomerLog
    trained: Mapping[str, Trained]
    scored: Scored
    published: pd.DataFrame
    scores_path: Path
    report_path: Path
    seconds: Mapping[str, float]


def demo(folder: Path, *, store: Store, now: datetime, stage: Say, step: Say) -> Demo:
    """Run the whole journey on CDNOW.

    Parameters
    ----------
    folder : Path
        Where scores and report go.
    store : Store
        MLflow's home.
    now : datetime
        When; written to scores and report.
    stage : callable
        Called with one line of plain language when a stage is done.
    step : callable
        Called with what is being done now.
    """
    # A folder that cannot be written to is told at once, not after all the work.
    writable_folder(folder)
    clock = _Clock()
    log = _read(stage, step)
    clock.lap("read")
    _tell_snapshots(log, stage, step)
    clock.lap("snapshots")
    published = published_figures(step)
    stage(_agreement(published))
    clock.lap("literature")
    trained = {name: _train(name, log, store, now, step) for name in ("churn", "clv")}
    for one in trained.values():
        stage(f"{one.recipe.name}: version {one.version.version} is {one.alias}. {one.choice.why}")
    clock.lap("train")
    references = [f"{one.recipe.name}@champion" for one in trained.values()]
    scored = score_customers(log, references, store=store, now=now, progress=step)
    scores_path = folder / "scores.parquet"
    write_scores(scored, scores_path)
    day = scored.manifest["cutoff"]
    everybody = one_or_many(len(scored.frame), "customer")
    stage(f"Scored all {everybody} as of {day} with the champions from the registry.")
    clock.lap("score")
    step("writing the report")
    report_path = _tell(scores_path, folder, store, now, published)
    stage(f"Wrote the report: {report_path}")
    clock.lap("report")
    return Demo(log, trained, scored, published, scores_path, report_path, clock.laps)


def _read(stage: Say, step: Say) -> CustomerLog:
    step("reading CDNOW")
    log = datasets.cdnow()
    check = log.checks["transactions"]
    stage(
        f"Read {one_or_many(check.n_rows, 'transaction')} of {one_or_many(log.n_customers, 'customer')}, "
        f"{log.first_day} to {log.observed_until}; {one_or_many(check.n_quarantined, 'row')} set aside. "
        f"{' '.join(check.notes)}"
    )
    return log


def _tell_snapshots(log: CustomerLog, stage: Say, step: Say) -> None:
    """Take the snapshot that models are tested on, and say which they learn from."""
    step("snapshots")
    evaluated = Window(log.observed_until - timedelta(days=HORIZON), HORIZON)
    learned = training_cutoffs(log, evaluated)
    features = take_snapshot(log, evaluated).X.shape[1]
    stage(
        f"Took snapshots of all customers at {', '.join(map(str, learned))} to learn from, and at "
        f"{evaluated.cutoff} to be tested on: {features} features each, computed in SQL, outcomes over "
        f"{HORIZON} days."
    )


def _agreement(published: pd.DataFrame) -> str:
    fitted = "Fitted BG/NBD and gamma-gamma on the literature's split"
    if not all(published["agrees"]):
        return f"{fitted}: NOT all published figures were recovered."
    return f"{fitted} (2,357 customers, 39 weeks): all {len(_PUBLISHED)} published figures recovered."


def _tell(scores: Path, folder: Path, store: Store, now: datetime, published: pd.DataFrame) -> Path:
    return tell(
        scores,
        folder / "report.html",
        store=store,
        money="$",
        title="CDNOW: who is about to leave, and what they are worth",
        now=now,
        published=published.drop(columns="agrees"),
    )


def _train(name: str, log: CustomerLog, store: Store, now: datetime, step: Say) -> Trained:
    recipe, text = built_in_recipe("churn" if name == "churn" else "clv")
    return train(
        log,
        recipe,
        horizon=HORIZON,
        store=store,
        source="CDNOW",
        recipe_text=text,
        now=now,
        progress=lambda line: step(f"{recipe.name}: {line}"),
    )


def published_figures(step: Say = lambda _: None) -> pd.DataFrame:
    """Fit the literature's models on the literature's split and set the published figures beside.

    Parameters
    ----------
    step : callable
        Called with what is being done now.

    Returns
    -------
    DataFrame
        figure, published, here, agrees (to the digits printed); the last three rows are purchases in the 39
        weeks after, which the papers plot but do not print.
    """
    step("BG/NBD and gamma-gamma on the literature's split")
    sample = datasets.cdnow(sample=True)
    tested = backtest(sample, {"BG/NBD": BGNBD()}, cutoffs=[_LITERATURE.cutoff], horizon=_LITERATURE.horizon)
    model = tested.models[_LITERATURE.cutoff, "n_purchases", "BG/NBD"]
    X = take_snapshot(sample, _LITERATURE).X
    spend = GammaGamma().fit(X).params_
    params = model.params_  # pyright: ignore[reportAttributeAccessIssue]
    # Published in weeks: alpha scales with time, and the density of each purchase time by a factor of 7.
    weekly = model.loglik_ + ln(7.0) * X["frequency"].sum()  # pyright: ignore[reportAttributeAccessIssue]
    here = [params.r, params.alpha / 7.0, params.a, params.b, weekly, spend.p, spend.q, spend.v]
    rows = [
        {"figure": name, "published": value, "here": found, "agrees": _agrees(value, found)}
        for (name, value), found in zip(_PUBLISHED.items(), here, strict=True)
    ]
    found = tested.of("n_purchases", "BG/NBD")
    rows += [
        {
            "figure": "purchases in the next 39 weeks, actual",
            "published": None,
            "here": found["outcome"].sum(),
        },
        {
            "figure": "purchases in the next 39 weeks, BG/NBD",
            "published": None,
            "here": found["prediction"].sum(),
        },
        {
            "figure": "mean absolute error per customer, BG/NBD",
            "published": None,
            "here": (found["prediction"] - found["outcome"]).abs().mean(),
        },
    ]
    return pd.DataFrame(rows).fillna({"agrees": True}).astype({"agrees": bool})


def _agrees(published: float, found: float) -> bool:
    """Whether a figure agrees to a thousandth, or to the digits that were printed."""
    digits = len(repr(published).partition(".")[2])
    return abs(found - published) <= max(1e-3 * min(abs(published), 1.0), 0.5 * 10.0**-digits)


class _Clock:
    """Wall time of stages."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now
