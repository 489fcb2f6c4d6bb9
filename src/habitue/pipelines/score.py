"""`habitue score`: registered models answer for every customer, into one Parquet file.

The file is written beside and renamed, with a manifest (``<name>.manifest.json``) that says what it was made
of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import RegistryError, SettingsError
from habitue.numerics.many_rows import blocks
from habitue.pipelines.files import writable_folder, write_beside, write_text
from habitue.records import CustomerLog, TableCheck
from habitue.snapshots import Population, Window, take_snapshot
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel, ModelVersion, Store

__all__ = ["SCORE_COLUMNS", "Scored", "check_target", "manifest_of", "score_customers", "write_scores"]

Progress = Callable[[str], None]

_CHUNK = 50_000
"""Customers answered at a time: memory stays bounded, and progress can be told."""

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "transactions": ("frequency", "inactivity", "spend_total"),
    "contracts": ("contract_tenure",),
}
"""Features that stand beside the answers, by the kind of record that tells who is a customer."""

SCORE_COLUMNS = (
    "customer_id",
    "cutoff",
    "horizon",
    "p_alive",
    "churn_probability",
    "expected_purchases",
    "clv",
    "clv_lower",
    "clv_upper",
    "decile",
    "reason_1",
    "reason_2",
    "reason_3",
    "frequency",
    "inactivity",
    "spend_total",
    "contract_tenure",
    "model_name",
    "model_version",
    "run_id",
    "clv_model_name",
    "clv_model_version",
    "clv_run_id",
    "scored_at",
)
"""Columns of a scores file, in order; those that no model of the run answers are left out."""


@dataclass(frozen=True)
class Scored:
    """Scores of every customer, and what they were made of.

    Attributes
    ----------
    frame : DataFrame
        One row a customer, columns of `SCORE_COLUMNS`.
    manifest : dict
        Plain data: cutoff, horizon, rows, data check, models.
    """

    frame: pd.DataFrame
    manifest: dict[str, Any]


def score_customers(
    log: CustomerLog,
    references: Sequence[str],
    *,
    store: Store,
    now: datetime,
    cutoff: date | None = None,
    reasons: bool = True,
    progress: Progress | None = None,
) -> Scored:
    """Let registered models answer for every customer as known at a cutoff.

    Where one model speaks of those who bought and another of those who have contracts, what one of them does
    not answer of a customer is missing.

    Parameters
    ----------
    log : CustomerLog
        The records.
    references : sequence of str
        One or two models, such as ``habitue-churn@champion``; a churn model and a value model may stand
        together.
    store : Store
        MLflow's home.
    now : datetime
        Written to scored_at.
    cutoff : date, optional
        The last day of the log where None.
    reasons : bool
        Whether to add the three main reasons: why a customer may leave, or without a churn model why they are
        worth that much.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Scored

    Raises
    ------
    RegistryError
        There is no such model, version or alias.
    SettingsError
        Models that answer the same question, or for different horizons, stand together.
    """
    from habitue.tracking import load

    tell = progress or (lambda _: None)
    tell("loading the models")
    # An alias is resolved once: the version that it meant then is what answers, whatever happens meanwhile.
    loaded = [load(store, version) for version in _resolved(store, references)]
    horizon = _one_horizon(loaded)
    window = Window(cutoff or log.observed_until, horizon)
    tell(f"features as of {window.cutoff}")
    tables = _features(log, window, loaded)
    explained = next((one for one in loaded if _is_churn(one)), loaded[0])
    answers = [
        _answer(X, one, reasons=reasons and one is explained, tell=tell)
        for X, one in zip(tables, loaded, strict=True)
    ]
    frame = _complete(_side_by_side(answers, loaded), tables, window, loaded, now)
    return Scored(frame, _manifest(log, window, loaded, frame, now))


def _features(log: CustomerLog, window: Window, loaded: Sequence[LoadedModel]) -> list[pd.DataFrame]:
    """Build what each model reads with what it learned of its population, once where models share that."""
    read: dict[tuple[str, str], list[str]] = {}
    for one in loaded:
        read.setdefault(_base(one), list(_KNOWN[_base(one)[0]])).extend(one.answers.input_columns_)
    built = {
        (churn, text): take_snapshot(
            log, window, wanted, population=Population.from_json(text) if text else None, churn=churn
        ).X
        for (churn, text), wanted in read.items()
    }
    return [built[_base(one)] for one in loaded]


def _base(one: LoadedModel) -> tuple[str, str]:
    """Return what a model's customers are made of: the records that tell who is one, and its population."""
    return getattr(one.answers, "churn", "transactions"), one.answers.population


def _resolved(store: Store, references: Sequence[str]) -> list[ModelVersion]:
    from habitue.tracking import resolve

    try:
        return [resolve(store, reference) for reference in references]
    except RegistryError as error:
        raise RegistryError(
            f"{error}. Train it with `habitue train` and its recipe, or choose another with --model."
        ) from error


def _one_horizon(loaded: Sequence[LoadedModel]) -> int:
    horizons = {one.version.label: int(one.answers.horizon) for one in loaded}
    if len(set(horizons.values())) > 1:
        told = ", ".join(f"{label} {one_or_many(days, 'day')}" for label, days in horizons.items())
        raise SettingsError(
            f"These models look ahead by different horizons ({told}); score them one at a time."
        )
    return next(iter(horizons.values()))


def _answer(X: pd.DataFrame, one: LoadedModel, *, reasons: bool, tell: Progress) -> pd.DataFrame:
    """Let one model answer, some customers at a time."""
    parts: list[pd.DataFrame] = []
    for rows in blocks(len(X), _CHUNK):
        tell(f"customers {rows.start + 1:,} to {rows.stop:,} of {len(X):,}")
        parts.append(one.predict(X.iloc[rows], reasons=reasons))
    return pd.concat(parts)


def _side_by_side(answers: Sequence[pd.DataFrame], loaded: Sequence[LoadedModel]) -> pd.DataFrame:
    """Join the answers of all models; that of the first counts where both tell p_alive."""
    joined = answers[0]
    for more, one in zip(answers[1:], loaded[1:], strict=True):
        twice = set(joined) & set(more)
        if twice - {"p_alive"}:
            raise SettingsError(
                f"{one.version.label} answers what another model of this run answers "
                f"({', '.join(sorted(twice - {'p_alive'}))}); score them one at a time."
            )
        joined = joined.join(more.drop(columns=list(twice)), how="outer")
    return joined


def _is_churn(one: LoadedModel) -> bool:
    return hasattr(one.answers, "classifier")


def _complete(
    answers: pd.DataFrame,
    tables: Sequence[pd.DataFrame],
    window: Window,
    loaded: Sequence[LoadedModel],
    now: datetime,
) -> pd.DataFrame:
    """Add who, when and by which model, and put the columns in order."""
    known = {name: X[name] for X, one in zip(tables, loaded, strict=True) for name in _KNOWN[_base(one)[0]]}
    ranked = pd.Series(answers["clv" if "clv" in answers else "churn_probability"])
    extra: dict[str, Any] = {
        "cutoff": window.cutoff,
        "horizon": window.horizon,
        "decile": _deciles(ranked),
        **_lineage(loaded),
        "scored_at": pd.Timestamp(now),
    }
    frame = answers.assign(**known, **extra).rename_axis("customer_id").reset_index()
    return frame.loc[:, [name for name in SCORE_COLUMNS if name in frame.columns]]


def _lineage(loaded: Sequence[LoadedModel]) -> dict[str, Any]:
    """Name the model behind the churn answer plainly, and a value model beside it with the prefix clv."""
    first = next((one for one in loaded if _is_churn(one)), loaded[0])
    columns = _identity("", first.version)
    for other in loaded:
        if other is not first:
            columns |= _identity("clv_", other.version)
    return columns


def _identity(prefix: str, version: ModelVersion) -> dict[str, Any]:
    return {
        f"{prefix}model_name": version.name,
        f"{prefix}model_version": version.version,
        f"{prefix}run_id": version.run_id,
    }


def _deciles(values: pd.Series) -> pd.Series:
    """Tenths of those who have a value, 1 the highest; equal values stay in order of customer_id."""
    known = values.dropna()
    tenths = ((-known).rank(method="first") - 1) * 10 // len(known) + 1
    return tenths.astype("int64" if len(known) == len(values) else "Int64").reindex(values.index)


def _manifest(
    log: CustomerLog, window: Window, loaded: Sequence[LoadedModel], frame: pd.DataFrame, now: datetime
) -> dict[str, Any]:
    records = {kind: _recorded(check) for kind, check in log.checks.items()}
    main = "transactions" if "transactions" in records else "contracts"
    return {
        "cutoff": str(window.cutoff),
        "horizon": window.horizon,
        "scored_at": now.isoformat(),
        "n_customers": len(frame),
        "first_day": str(log.first_day),
        "observed_until": str(log.observed_until),
        "data": {**records[main], "fingerprint": log.fingerprint()},
        "records": records,
        "models": [
            {
                "role": "churn" if _is_churn(one) else "clv",
                "name": one.version.name,
                "version": one.version.version,
                "run_id": one.version.run_id,
                "label": one.version.tags.get("habitue.label", ""),
                "why": one.version.tags.get("habitue.champion_why", ""),
                "interval": None if _is_churn(one) else one.answers.interval.confidence,
            }
            for one in loaded
        ],
    }


def _recorded(check: TableCheck) -> dict[str, Any]:
    """Say what the door found in the source of one kind of record."""
    return {
        "source": check.source,
        "n_rows": check.n_rows,
        "n_admitted": check.n_admitted,
        "quarantined": dict(check.quarantined),
        "notes": list(check.notes),
    }


def write_scores(scored: Scored, path: Path) -> Path:
    """Write the scores and their manifest, each beside and renamed; the manifest last.

    Parameters
    ----------
    scored : Scored
        What to write.
    path : Path
        Ends in .parquet or .csv.

    Returns
    -------
    Path
        Where the manifest lies.

    Raises
    ------
    SettingsError
        Where the ending is another, or the folder cannot be written to.
    """
    check_target(path)
    if path.suffix == ".csv":
        write_beside(path, lambda to: scored.frame.to_csv(to, index=False))
    else:
        write_beside(path, lambda to: scored.frame.to_parquet(to, index=False))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text = json.dumps({**scored.manifest, "file": path.name, "sha256": digest}, indent=2, ensure_ascii=False)
    return write_text(manifest_of(path), text + "\n")


def check_target(path: Path) -> Path:
    """Make sure, before any work, that scores can be written there.

    Parameters
    ----------
    path : Path
        Must end in .parquet or .csv; its folder is made if need be.

    Raises
    ------
    SettingsError
        Where the ending is another, it is a folder, or its folder cannot be written to.
    """
    if path.suffix not in {".parquet", ".csv"} or path.is_dir():
        raise SettingsError(f"Scores are written to a .parquet or .csv file; got {path.name!r}.")
    writable_folder(path.parent)
    return path


def manifest_of(path: Path) -> Path:
    """Return where the manifest of a scores file lies.

    Parameters
    ----------
    path : Path
        The scores file.
    """
    return path.with_name(f"{path.stem}.manifest.json")
