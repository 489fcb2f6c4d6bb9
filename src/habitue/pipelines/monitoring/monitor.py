"""`habitue monitor`: whether registered models still speak of the customers they learned from.

One page for people, one MLflow run a model for whoever looks back, and alarms for schedulers. It decides
nothing: whether to train again is for `habitue retrain`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.evaluation.drift import judged
from habitue.numerics.many_rows import blocks
from habitue.pipelines.files import write_text
from habitue.pipelines.monitoring.matured import Batch, batches_of
from habitue.pipelines.monitoring.model import look
from habitue.pipelines.monitoring.monitored import ALARM_KINDS, Alarm, Monitored
from habitue.pipelines.monitoring.records import RecordsFound, records_found
from habitue.pipelines.monitoring.seen import Learned, Seen, answer_column
from habitue.records import CustomerLog
from habitue.report.monitor_facts import ModelFacts, MonitorFacts
from habitue.report.monitor_page import render_monitor

if TYPE_CHECKING:
    from habitue.pipelines.scoring.targets import Target
    from habitue.tracking import LoadedModel, ModelVersion, Store

__all__ = ["FALSE_ALARM_RATE", "FLOOR", "MonitoredModel", "Monitoring", "monitor", "write_page"]

Progress = Callable[[str], None]

FALSE_ALARM_RATE: Final = 0.01
"""Probability of any false alarm of a call, if nothing has changed."""

FLOOR: Final = 0.1
"""Population stability index, and relative change of the law of buying, from which on one matters."""


_CHUNK: Final = 100_000
"""Customers that a model is asked about at a time."""


@dataclass(frozen=True)
class MonitoredModel:
    """What was found of one version.

    Attributes
    ----------
    version : ModelVersion
        Which one.
    monitored : Monitored
        Cutoff, version and alarms, as `last_monitored` of `monitored` reads them back.
    facts : ModelFacts
        All of it.
    run_id : str
        The run in the experiment "<name> monitoring".
    """

    version: ModelVersion
    monitored: Monitored
    facts: ModelFacts
    run_id: str


@dataclass(frozen=True)
class Monitoring:
    """What was found of all of them.

    Attributes
    ----------
    cutoff : date
        As of which day.
    models : tuple of MonitoredModel
        In the order of the references.
    page : str
        HTML.
    """

    cutoff: date
    models: tuple[MonitoredModel, ...]
    page: str

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Of all models; one that several raised counts once."""
        return tuple(dict.fromkeys(alarm for one in self.models for alarm in one.monitored.alarms))


def monitor(
    log: CustomerLog,
    references: Sequence[str],
    *,
    store: Store,
    now: datetime,
    source: str,
    cutoff: date | None = None,
    target: Target | None = None,
    rate: float = FALSE_ALARM_RATE,
    floor: float = FLOOR,
    progress: Progress | None = None,
) -> Monitoring:
    """Look at registered models as of a day, and remember what was found.

    Parameters
    ----------
    log : CustomerLog
        The records.
    references : sequence of str
        Such as ``habitue-churn@champion``.
    store : Store
        MLflow's home.
    now : datetime
        Written on the page.
    source : str
        The records, as people name them.
    cutoff : date, optional
        The last day that counts; that of the log where None.
    target : Target, optional
        Where batches of scores are, whose outcomes may be known by now.
    rate : float
        Probability of any false alarm of all models together if nothing has changed, in (0, 1).
    floor : float
        Population stability index, and relative change of the law of buying, from which on a difference
        matters; above 0.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Monitoring

    Raises
    ------
    SettingsError
        Where rate or floor are out of range, or no model is named.
    RegistryError
        Where there is no such model, version or alias, or the run that trained it is gone.
    DataError
        Where the cutoff is no day of the log, or a version was not registered by `habitue train`.
    """
    from habitue.tracking import load, resolve

    _check(references, rate, floor)
    tell = progress or (lambda _: None)
    tell("loading the models")
    loaded = [load(store, resolve(store, reference)) for reference in references]
    day = cutoff or log.observed_until
    looked = [_look(log, one, store, day, target, floor, tell) for one in loaded]
    tables = [judged([*seen.checks, *records.checks], rate=rate / len(loaded)) for _, seen, records in looked]
    facts = [
        _facts(one, learned, seen, table)
        for one, (learned, seen, _), table in zip(loaded, looked, tables, strict=True)
    ]
    records = looked[0][2]
    whole = MonitorFacts(source, day, rate, floor, tuple(facts), records.weekly, records.kinds, now)
    tell("drawing the page")
    page = render_monitor(whole)
    tell("remembering")
    models = [
        _remember(store, one, told, seen_records, day, page, {"rate": rate, "floor": floor})
        for one, told, (_, _, seen_records) in zip(loaded, facts, looked, strict=True)
    ]
    return Monitoring(day, tuple(models), page)


def write_page(found: Monitoring, path: Path) -> Path:
    """Write the page, beside and renamed.

    Parameters
    ----------
    found : Monitoring
        Of `monitor`.
    path : Path
        Ends in .html.

    Raises
    ------
    SettingsError
        Where it has another ending, or cannot be written to.
    """
    if path.suffix != ".html":
        raise SettingsError(f"The page is written to a .html file; got {path.name!r}.")
    return write_text(path, found.page)


def _check(references: Sequence[str], rate: float, floor: float) -> None:
    if not references:
        raise SettingsError("There is no model to monitor; name one, such as habitue-churn@champion.")
    if not 0.0 < rate < 1.0:
        raise SettingsError(f"The rate of false alarms must lie between 0 and 1, e.g. 0.01; got {rate}.")
    if not floor > 0.0:
        raise SettingsError(f"The floor must be above 0, e.g. 0.1; got {floor}.")


def _look(
    log: CustomerLog,
    one: LoadedModel,
    store: Store,
    day: date,
    target: Target | None,
    floor: float,
    tell: Progress,
) -> tuple[Learned, Seen, RecordsFound]:
    from habitue.tracking.monitoring import last_monitoring, training_of

    version = one.version
    tell(f"{version.label}: features, answers and law as of {day}")
    learned = Learned.of_run(*training_of(store, version), version.version)
    batches: list[Batch] = []
    if target is not None:
        batches = batches_of(target, version.name, answer_column(one.answers), until=day)

    def ask(X: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([one.predict(X.iloc[rows]) for rows in blocks(len(X), _CHUNK)])

    seen = look(log, one.answers, learned, day, floor=floor, batches=batches, ask=ask)
    before = _records_before(last_monitoring(store, version.name))
    return learned, seen, records_found(log, day, before=before)


def _records_before(text: str | None) -> tuple[date, dict[str, Any]] | None:
    """Return what the last monitoring counted, where there was one."""
    if text is None:
        return None
    told = json.loads(text)
    return date.fromisoformat(told["cutoff"]), dict(told.get("records", {}))


def _facts(one: LoadedModel, learned: Learned, seen: Seen, table: pd.DataFrame) -> ModelFacts:
    return ModelFacts(
        name=one.version.name,
        version=one.version.version,
        label=one.version.tags.get("habitue.label", ""),
        trained_at=learned.cutoff,
        compared_with=seen.compared_with,
        last_year=seen.last_year,
        n_customers=seen.n_customers,
        n_compared=seen.n_compared,
        checks=table,
        matured=seen.matured,
        law=seen.law,
        frequencies=seen.frequencies,
        answers=seen.answers,
        notes=seen.notes,
    )


def _remember(
    store: Store,
    one: LoadedModel,
    facts: ModelFacts,
    records: RecordsFound,
    day: date,
    page: str,
    params: dict[str, object],
) -> MonitoredModel:
    from habitue.tracking.monitoring import log_monitoring

    alarms = tuple(Alarm(row["kind"], str(row["what"]), str(row["told"])) for row in facts.alarms)
    monitored = Monitored(day, facts.version, alarms)
    told = {
        **json.loads(monitored.to_json()),
        "name": facts.name,
        **params,
        "trained_at": facts.trained_at.isoformat(),
        "n_customers": facts.n_customers,
        "n_compared": facts.n_compared,
        "notes": list(facts.notes),
        "records": {kind: dict(found) for kind, found in records.kinds.items()},
    }
    run_id = log_monitoring(
        store,
        one.version,
        day.isoformat(),
        found=json.dumps(told, ensure_ascii=False, indent=1),
        metrics=_metrics(facts),
        tables=_tables(facts, records),
        params=params,
        page=page,
    )
    return MonitoredModel(one.version, monitored, facts, run_id)


def _metrics(facts: ModelFacts) -> dict[str, float]:
    """Return numbers that can be drawn over time in MLflow; what is not finite is left out."""
    found: dict[str, float] = {"n_alarms": float(len(facts.alarms)), "n_customers": float(facts.n_customers)}
    for kind in ALARM_KINDS:
        rows = facts.of_kind(kind)
        found[f"n_alarms_{kind}"] = float(sum(bool(row["alarm"]) for row in rows))
        if rows:
            found[f"smallest_p_{kind}"] = min(float(row["adjusted"]) for row in rows)
    found["largest_psi"] = max((float(row["effect"]) for row in facts.of_kind("input")), default=np.nan)
    if len(facts.matured):
        latest = facts.matured.loc[facts.matured["cutoff"] == facts.matured["cutoff"].max()]
        found |= {
            str(name): float(value) for name, value in zip(latest["score"], latest["value"], strict=True)
        }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _tables(facts: ModelFacts, records: RecordsFound) -> dict[str, pd.DataFrame]:
    tables = {
        "checks": facts.checks,
        "matured": facts.matured,
        "law": facts.law,
        "frequencies": facts.frequencies,
        "answers": facts.answers,
        "records": records.weekly,
    }
    return {name: table for name, table in tables.items() if len(table)}
