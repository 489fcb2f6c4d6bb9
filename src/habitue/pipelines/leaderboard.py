"""`habitue leaderboard`: every rival on every data set, and what came of it on one page.

Results are kept beside the page as soon as a data set is done, under a key made of its content, its settings
and the code: a run that was stopped goes on where it was, and what has changed is run again.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

import habitue
from habitue.errors import DataError, HabitueWarning, SettingsError
from habitue.evaluation import BASELINES, backtest
from habitue.evaluation.comparison import PURCHASE_FAMILIES
from habitue.evaluation.leaderboard import standings
from habitue.evaluation.rivals import needs_examples
from habitue.files import sha256_of
from habitue.models import BTYDValueRegressor
from habitue.models.logistic_churn import LogisticChurnClassifier
from habitue.pipelines.files import write_text
from habitue.pipelines.leaderboard_page import Result, write_page
from habitue.pipelines.leaderboard_settings import (
    LeaderboardSettings,
    OneTable,
    TransactionData,
    own_models,
    read_leaderboard,
)
from habitue.pipelines.leaderboard_tables import Judged, run_table
from habitue.pipelines.settings import located
from habitue.records import CustomerLog, DuckDBEngine, read_records
from habitue.snapshots import Window, training_cutoffs
from habitue.vocabulary import one_or_many

__all__ = ["Leaderboard", "leaderboard"]

_LOGISTIC = "logistic regression"
_CODE = ("numerics", "records", "features", "snapshots", "models", "evaluation")
"""Packages that results depend on, beside the modules of the leaderboard itself."""

_NOTHING_LEARNED = (
    "No earlier cutoff has outcomes of this horizon before the one that is tested: models and baselines that "
    "learn from outcomes are missing."
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Leaderboard:
    """What a run left behind.

    Attributes
    ----------
    settings : LeaderboardSettings
        What was asked for.
    results : Mapping[str, Result]
        By data set, in the order of the settings.
    skipped : Mapping[str, str]
        Data sets without a result, and why.
    page, table : Path
        The Markdown page and the CSV.
    """

    settings: LeaderboardSettings
    results: Mapping[str, Result]
    skipped: Mapping[str, str]
    page: Path
    table: Path


def leaderboard(
    path: Path,
    out: Path,
    *,
    folder: Path | None = None,
    only: Collection[str] = (),
    stage: Say,
    step: Say,
) -> Leaderboard:
    """Run every rival on every data set, and write the page anew after each.

    Parameters
    ----------
    path : Path
        The TOML file of data sets.
    out : Path
        The Markdown page; a CSV and the kept results lie beside it.
    folder : Path, optional
        Where the data lie; else the file says it.
    only : collection of str
        Names of data sets to run; the others stand as they were found before. All where empty.
    stage : callable
        Called with a line when a data set is done.
    step : callable
        Called with what is being done now.

    Returns
    -------
    Leaderboard

    Raises
    ------
    SettingsError
        Where the file says something impossible, or there is no data set of a name.
    DataError, FitError
        Where a data set cannot be read, or no model can be fitted to it.
    """
    settings = read_leaderboard(path, folder=folder)
    if unknown := [name for name in only if name not in settings.data]:
        raise SettingsError(
            f"{path} has no data set {', '.join(unknown)}; there are {', '.join(settings.data)}."
        )
    kept = _Kept(out.with_name(f".{out.stem}-results.json"))
    results: dict[str, Result] = {}
    skipped: dict[str, str] = {}
    for name, data in settings.data.items():
        source = located(data.source, settings.folder)
        if only and name not in only:
            if (before := kept.of(name)) is not None:
                results[name] = before
            else:
                skipped[name] = "not asked for, and not run before"
        elif isinstance(source, Path) and not source.exists():
            skipped[name] = f"{data.source} is not in {settings.folder}"
            stage(f"{name}: skipped, {skipped[name]}")
        else:
            results[name] = _run(name, settings, kept, stage, step)
        write_page(out, settings, results, skipped)
    return Leaderboard(settings, results, skipped, out, out.with_suffix(".csv"))


def _run(name: str, settings: LeaderboardSettings, kept: _Kept, stage: Say, step: Say) -> Result:
    """Return what was found of a data set before, or find it now and keep it."""
    step(f"{name}: reading")
    began = time.perf_counter()
    with _heard() as told:
        content, judge = _opened(settings.data[name], settings)
        key = _key(content, settings.data[name], settings)
        if (before := kept.of(name)) is not None and before.key == key:
            stage(f"{name}: as found before, in {before.seconds:.0f} s")
            return before
        found = judge(lambda line: step(f"{name}: {line}"))
        step(f"{name}: scores with bootstrap intervals")
        stood = standings(found.frame, _names(settings), n_replicates=settings.n_replicates)
    seconds = round(time.perf_counter() - began, 1)
    result = Result(key, stood, found.left_out, (*found.notes, *told), seconds)
    kept.keep(name, result)
    stage(f"{name}: {one_or_many(len(set(stood.scores['model'])), 'model')} in {seconds:.0f} s")
    return result


def _opened(
    data: TransactionData | OneTable, settings: LeaderboardSettings
) -> tuple[str, Callable[[Say], Judged]]:
    """Return a hash of the content, and what judges all models on it."""
    if isinstance(data, TransactionData):
        log = _log(data, settings.folder)
        return log.fingerprint(), lambda say: _run_log(log, data, settings, say)
    path = settings.folder / data.source
    ours = own_models(settings, "churned")
    return sha256_of(path), lambda say: run_table(path, data, ours, progress=say)


def _names(settings: LeaderboardSettings) -> list[str]:
    return [one.name for one in settings.ours]


def _log(data: TransactionData, folder: Path) -> CustomerLog:
    rates = data.rates
    return read_records(
        {"transactions": data.of_kind("transactions", folder)},
        timezone=data.timezone,
        observed_until=data.observed_until,
        rates=located(rates, folder) if isinstance(rates, str) else rates,
        engine=DuckDBEngine(memory_limit=data.memory_limit),
    )


def _run_log(log: CustomerLog, data: TransactionData, settings: LeaderboardSettings, say: Say) -> Judged:
    """Backtest one's own models and all rivals; those that find nothing to learn from are told of."""
    models = _models(data, settings)
    too_early = _no_past(log, data)
    left_out = {name: too_early for name, model in models.items() if too_early and needs_examples(model)}
    tested = backtest(
        log,
        {name: model for name, model in models.items() if name not in left_out},
        cutoffs=data.cutoffs,
        horizon=data.horizon,
        n_training=data.n_training,
        step=data.step,
        leave_out=True,
        progress=say,
    )
    frame = tested.frame.loc[tested.frame["target"].isin(list(data.targets))]
    cutoffs = ", ".join(map(str, data.cutoffs))
    customers = one_or_many(len(set(frame["customer_id"])), "customer")
    told = f"{customers}; cutoff {cutoffs}, {one_or_many(data.horizon, 'day')} ahead."
    notes = (told, _NOTHING_LEARNED) if too_early else (told,)
    return Judged(frame, notes, left_out | dict(tested.left_out))


def _models(data: TransactionData, settings: LeaderboardSettings) -> dict[str, BaseEstimator]:
    """Return one's own models, and the rivals that are no baselines."""
    targets = set(data.targets)
    models = {name: model for target in data.targets for name, model in own_models(settings, target).items()}
    if "churned" in targets and _LOGISTIC not in BASELINES["churned"]:
        models[_LOGISTIC] = LogisticChurnClassifier()
    if targets & {"churned", "n_purchases"}:
        models |= PURCHASE_FAMILIES
    if "spend" in targets:
        for name, family in PURCHASE_FAMILIES.items():
            purchases: Any = family
            models[f"{name} + gamma-gamma"] = BTYDValueRegressor(purchases=purchases)
    return models


def _no_past(log: CustomerLog, data: TransactionData) -> str:
    """Say why nothing can be learned from outcomes before the first cutoff; empty where something can."""
    try:
        training_cutoffs(log, Window(min(data.cutoffs), data.horizon), n_cutoffs=1)
    except DataError as error:
        return str(error)
    return ""


@contextmanager
def _heard() -> Generator[list[str]]:
    """Collect what the library warns of, once each: it belongs on the page, beside the result."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HabitueWarning)
        try:
            yield told
        finally:
            mine = [one for one in caught if issubclass(one.category, HabitueWarning)]
            others = [one for one in caught if not issubclass(one.category, HabitueWarning)]
            told += dict.fromkeys(str(one.message) for one in mine)
    for one in others:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _key(content: str, data: TransactionData | OneTable, settings: LeaderboardSettings) -> str:
    """Return what a result depends on, as one hash: the data, how they are judged, models and code."""
    parts = {
        "content": content,
        "data": data.model_dump(mode="json", exclude={"published", "title", "about", "source"}),
        "ours": [one.model_dump(mode="json") for one in settings.ours],
        "n_replicates": settings.n_replicates,
        "code": _code(),
        "versions": {one: metadata.version(one) for one in ("lightgbm", "scikit-learn", "numpy")},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _code() -> str:
    """Return a hash of the source that results depend on."""
    root = Path(habitue.__file__).parent
    files = [path for package in _CODE for path in (root / package).rglob("*.py")]
    files += [root / "pipelines" / f"{name}.py" for name in ("leaderboard", "leaderboard_tables")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class _Kept:
    """Results of data sets in a JSON file, written whole after each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, Any]] = _read(path)

    def of(self, name: str) -> Result | None:
        """Return what was kept of a data set."""
        return Result.from_plain(self._known[name]) if name in self._known else None

    def keep(self, name: str, result: Result) -> None:
        """Add a result, or put it in the place of an older one."""
        self._known[name] = result.plain()
        write_text(self.path, json.dumps(self._known, indent=1, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Read what was kept; nothing where there is none, or what is there cannot be read: it is found anew."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
