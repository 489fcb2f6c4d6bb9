"""`habitue score`: a batch of scores of any size, written whole or not at all.

First a plan, then a lock; then the features of everybody in one file, the contract check, answers chunk by
chunk, and at last one stream to the target. Whatever happens in between, a reader sees nothing of it, and the
next run with the same plan goes on where this one stopped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from habitue.errors import SettingsError
from habitue.pipelines.scoring import answers as score_answers
from habitue.pipelines.scoring.answers import AskedReasons
from habitue.pipelines.scoring.batches import BatchKey, Target
from habitue.pipelines.scoring.features import Source
from habitue.pipelines.scoring.making import Making
from habitue.pipelines.scoring.models import Models, models_of
from habitue.pipelines.scoring.plan import Plan, plan_of
from habitue.pipelines.scoring.targets_files import FileTarget
from habitue.pipelines.scoring.work import Work, lock_of, locked, place_of, sweep

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["Batch", "load_models", "score_batch"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Batch:
    """What came of it.

    Attributes
    ----------
    key : BatchKey
        Which batch.
    manifest : dict
        What it was made of; completed by the target where it was written.
    outcome : str
        "written", "found" (a whole one of the same plan was there, and nothing was written) or "tried" (a dry
        run).
    """

    key: BatchKey
    manifest: dict[str, Any]
    outcome: str


def load_models(
    open_store: Callable[[], Store],
    references: Sequence[str],
    *,
    horizon: int | None = None,
    discount_rate: float = 0.0,
    cache: Path | None = None,
    allow_cached: bool = False,
) -> Models:
    """Load registered models that answer together.

    Parameters
    ----------
    open_store : callable
        Opens MLflow's home.
    references : sequence of str
        One or two, such as ``habitue-churn@champion``.
    horizon : int, optional
        Days ahead; those that the models learned where None.
    discount_rate : float
        What a year takes off money, 0 or above: 0.10 for ten percent.
    cache : Path, optional
        Where verified copies are kept; none are where None.
    allow_cached : bool
        Whether a verified copy may answer where the registry does not.

    Raises
    ------
    RegistryError
        There is no such model, version or alias, or it is not what was registered.
    SettingsError
        They cannot answer together, or not for that horizon, or have no money to discount.
    UnavailableError
        The registry does not answer, and no copy may.
    """
    from habitue.tracking.model_cache import load_reference

    loaded = [
        load_reference(open_store, reference, cache=cache, allow_cached=allow_cached)
        for reference in references
    ]
    return models_of(loaded, horizon, discount_rate)


def score_batch(
    source: Source,
    models: Models,
    target: Target,
    *,
    work: Path,
    now: datetime,
    reasons: AskedReasons | None = None,
    replace: bool = False,
    allow_breaches: bool = False,
    dry_run: bool = False,
    wait: float = 0.0,
    progress: Progress | None = None,
) -> Batch:
    """Let models answer for everybody of a source, and write the batch.

    Parameters
    ----------
    source : Source
        Records, or a prepared table of features.
    models : Models
        Who answers.
    target : Target
        Where to.
    work : Path
        Folder in which a hidden one is made for what was done so far.
    now : datetime
        Written to scored_at where the batch begins now.
    reasons : AskedReasons, optional
        Who is told why; everybody where None.
    replace : bool, default False
        Whether a finished batch of the same key that was made of something else is replaced.
    allow_breaches : bool, default False
        Whether it goes on where the features are not such as the models learned from.
    dry_run : bool, default False
        Whether to stop before the first answer, leaving nothing.
    wait : float, default 0
        Seconds to wait for another job at the same batch.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Batch

    Raises
    ------
    DataError
        Where nobody was a customer, or the contract is breached.
    SettingsError
        Where another batch of that key is there and may not be replaced, or nothing can be written.
    UnavailableError
        Where another job is at it, or there is no room, or the target does not answer.
    """
    began, tell = time.perf_counter(), progress or (lambda _: None)
    target.check()
    tell("looking through what was handed in")
    plan = plan_of(models, source, reasons or AskedReasons(), now=now)
    make = partial(Making, source, models, plan, tell)
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="habitue-") as scratch:
            making = make(Work(Path(scratch), now))
            return Batch(plan.key, making.facts(making.features(), allow_breaches=allow_breaches), "tried")
    place = place_of(work, _where(target), plan.key)
    over = replace or isinstance(target, FileTarget)
    with locked(lock_of(place, any_batch=isinstance(target, FileTarget)), wait=wait, what=plan.key.label):
        there = _found(target, plan, replace=over)
        outcome = "found" if there else "written"
        if not there:
            making = make(Work.begun(place, plan.identity, now, chunk=score_answers.CHUNK))
            file = making.features()
            manifest = making.facts(file, allow_breaches=allow_breaches)
            schema, rows = making.scores(file)
            tell(f"writing {target.label}")
            manifest["seconds"] = round(time.perf_counter() - began, 3)
            there = target.write(plan.key, rows, schema, manifest, replace=over)
        Work(place, now).remove()
        sweep(place, plan.key)
    return Batch(plan.key, there, outcome)


def _found(target: Target, plan: Plan, *, replace: bool) -> dict[str, Any] | None:
    """Return the manifest of a finished batch that is the planned one; refuse another that may not go."""
    there = target.finished(plan.key)
    differs = plan.differs_in(None if there is None else there.get("plan"))
    if there is None or not differs:
        return there
    if not replace:
        raise SettingsError(
            f"{target.label} has a finished batch of {plan.key.label}, made of {differs}. It stays as it is; "
            "replace it with --replace."
        )
    return None


def _where(target: Target) -> str:
    """Return where a target is, the same for everybody who names it: a path may be told in many ways."""
    place = getattr(target, "path", None) or getattr(target, "folder", None)
    return target.label if place is None else str(Path(place).resolve())
