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
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from habitue.decisions.reasons import whom_to_tell
from habitue.errors import RegistryError, SettingsError
from habitue.pipelines.files import writable_folder, write_beside, write_text
from habitue.pipelines.score_answers import answer_of, reasons_of
from habitue.pipelines.score_columns import SCORE_COLUMNS, in_order
from habitue.records import CustomerLog, TableCheck
from habitue.snapshots import Population, Window, take_snapshot
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel, ModelVersion, Store

__all__ = ["SCORE_COLUMNS", "Scored", "check_target", "manifest_of", "score_customers", "write_scores"]

Progress = Callable[[str], None]

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "transactions": ("frequency", "inactivity", "spend_total"),
    "contracts": ("contract_tenure",),
}
"""Features that stand beside the answers, by the kind of record that tells who is a customer."""


@dataclass(frozen=True)
class Scored:
    """Scores of every customer, and what they were made of.

    Attributes
    ----------
    frame : DataFrame
        One row a customer, columns of `SCORE_COLUMNS`.
    manifest : dict
        Plain data: cutoff, horizon, whether there are reasons, rows, data check, models.
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
    horizon: int | None = None,
    reasons: bool = True,
    reasons_from: float | None = None,
    reasons_top: float | None = None,
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
    horizon : int, optional
        Days ahead; those that the models learned where None.
    reasons : bool
        Whether to add the three main reasons: why a customer may leave, or without a churn model why they are
        worth that much.
    reasons_from : float, optional
        Reasons are told from this answer on: a chance of leaving, or money without a churn model.
    reasons_top : float, optional
        Reasons are told for this share of customers, in (0, 1], whose answers are the highest.
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
        Models that answer the same question, or learned different horizons and none is named, stand together;
        or one of them cannot answer for the horizon that is named.
    """
    from habitue.tracking import load

    tell = progress or (lambda _: None)
    tell("loading the models")
    # An alias is resolved once: the version that it meant then is what answers, whatever happens meanwhile.
    loaded = [load(store, version) for version in _resolved(store, references)]
    window = Window(cutoff or log.observed_until, _one_horizon(loaded, horizon))
    tell(f"features as of {window.cutoff}")
    tables = _features(log, window.cutoff, loaded)
    explained = _first(loaded)
    some = reasons_from is not None or reasons_top is not None
    answers = [
        answer_of(X, one, window.horizon, reasons=reasons and not some and one is explained, tell=tell)
        for X, one in zip(tables, loaded, strict=True)
    ]
    if reasons and some:
        place = loaded.index(explained)
        value = answers[place]["churn_probability" if _is_churn(explained) else "clv"]
        who = whom_to_tell(value, at_least=reasons_from, top_share=reasons_top)
        words = reasons_of(tables[place], who, explained, window.horizon, tell=tell)
        answers[place] = answers[place].join(words)
    frame = _complete(_side_by_side(answers, loaded), tables, window, loaded, now)
    return Scored(frame, _manifest(log, window, loaded, frame, now, reasons=reasons))


class _Base(NamedTuple):
    """What features are made of: the records that tell who is a customer, and what was learned with."""

    churn: str
    population: str
    horizon: int


def _base(one: LoadedModel) -> _Base:
    answers = one.answers
    return _Base(getattr(answers, "churn", "transactions"), answers.population, int(answers.horizon))


def _features(log: CustomerLog, cutoff: date, loaded: Sequence[LoadedModel]) -> list[pd.DataFrame]:
    """Build what each model reads as it learned it, once where models share that.

    Some features look as far back as the horizon looks ahead: that is the one learned, whatever is asked for.
    """
    read: dict[_Base, list[str]] = {}
    for one in loaded:
        read.setdefault(_base(one), list(_KNOWN[_base(one).churn])).extend(one.answers.input_columns_)
    built = {
        base: take_snapshot(
            log,
            Window(cutoff, base.horizon),
            wanted,
            population=Population.from_json(base.population) if base.population else None,
            churn=base.churn,
        ).X
        for base, wanted in read.items()
    }
    return [built[_base(one)] for one in loaded]


def _resolved(store: Store, references: Sequence[str]) -> list[ModelVersion]:
    from habitue.tracking import resolve

    try:
        return [resolve(store, reference) for reference in references]
    except RegistryError as error:
        raise RegistryError(
            f"{error}. Train it with `habitue train` and its recipe, or choose another with --model."
        ) from error


def _one_horizon(loaded: Sequence[LoadedModel], asked: int | None) -> int:
    """Return the days ahead that all models answer for: those asked for, or those that all learned."""
    for one in loaded:
        try:
            one.answers.check_horizon(asked)
        except SettingsError as error:
            raise SettingsError(f"{one.version.label}: {error}") from error
    if asked is not None:
        return asked
    horizons = {one.version.label: int(one.answers.horizon) for one in loaded}
    if len(set(horizons.values())) > 1:
        told = ", ".join(f"{label} {one_or_many(days, 'day')}" for label, days in horizons.items())
        raise SettingsError(
            f"These models look ahead by different horizons ({told}); score them one at a time, or name one "
            "horizon with --horizon if they can answer for it."
        )
    return next(iter(horizons.values()))


def _side_by_side(answers: Sequence[pd.DataFrame], loaded: Sequence[LoadedModel]) -> pd.DataFrame:
    """Join the answers of all models; that of the first counts where both tell p_alive."""
    joined, *others = _named_apart(answers, loaded)
    for more, one in zip(others, loaded[1:], strict=True):
        twice = set(joined) & set(more)
        if twice - {"p_alive"}:
            raise SettingsError(
                f"{one.version.label} answers what another model of this run answers "
                f"({', '.join(sorted(twice - {'p_alive'}))}); score them one at a time."
            )
        joined = joined.join(more.drop(columns=list(twice)), how="outer")
    return joined


def _named_apart(answers: Sequence[pd.DataFrame], loaded: Sequence[LoadedModel]) -> list[pd.DataFrame]:
    """Say of which model who answered, as the columns of lineage do."""
    return [
        told if one is _first(loaded) else told.rename(columns={"answered_by": "clv_answered_by"})
        for told, one in zip(answers, loaded, strict=True)
    ]


def _is_churn(one: LoadedModel) -> bool:
    return hasattr(one.answers, "classifier")


def _first(loaded: Sequence[LoadedModel]) -> LoadedModel:
    """Return the model that columns name plainly, and whose reasons are told: that of churn, if any."""
    return next((one for one in loaded if _is_churn(one)), loaded[0])


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
    return frame.loc[:, in_order(frame.columns)]


def _lineage(loaded: Sequence[LoadedModel]) -> dict[str, Any]:
    """Name the model behind the churn answer plainly, and a value model beside it with the prefix clv."""
    first = _first(loaded)
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
    log: CustomerLog,
    window: Window,
    loaded: Sequence[LoadedModel],
    frame: pd.DataFrame,
    now: datetime,
    *,
    reasons: bool,
) -> dict[str, Any]:
    records = {kind: _recorded(check) for kind, check in log.checks.items()}
    main = "transactions" if "transactions" in records else "contracts"
    return {
        "cutoff": str(window.cutoff),
        "horizon": window.horizon,
        "reasons": reasons,
        "scored_at": now.isoformat(),
        "n_customers": len(frame),
        "first_day": str(log.first_day),
        "observed_until": str(log.observed_until),
        "data": {**records[main], "fingerprint": log.fingerprint()},
        "records": records,
        "models": [_model(one, window.horizon) for one in loaded],
    }


def _model(one: LoadedModel, horizon: int) -> dict[str, Any]:
    """Say which model answered, what it learned, and how sure its interval is, or why it has none."""
    version, answers = one.version, one.answers
    why_no_interval = "" if _is_churn(one) else answers.why_no_interval(horizon)
    return {
        "role": "churn" if _is_churn(one) else "clv",
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "label": version.tags.get("habitue.label", ""),
        "why": version.tags.get("habitue.champion_why", ""),
        "learned_horizon": int(answers.horizon),
        "interval": None if _is_churn(one) or why_no_interval else answers.interval.confidence,
        "why_no_interval": why_no_interval,
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
