"""Where the files of the loop lie, read for the page: scorecard, decision with its action list, readout."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from habitue.errors import DataError
from habitue.files import sha256_of
from habitue.report.loop_facts import Loop, read_loop
from habitue.report.plan_facts import MOST_ACTIONS

__all__ = ["LoopFiles", "gather_loop", "newest_decision"]


@dataclass(frozen=True)
class LoopFiles:
    """Where the files of the loop lie; what is not there is left out, unless somebody named it.

    Attributes
    ----------
    scorecard : Path or None
        `scorecard.json`.
    decision : Path or None
        `decision.json`, or the folder of a round, or the folder of all rounds, of which the newest counts.
    readout : Path or None
        `readout.json`; `simulation.json` is looked for beside it.
    named : frozenset of str
        Which of these somebody asked for: they must be there.
    """

    scorecard: Path | None = None
    decision: Path | None = None
    readout: Path | None = None
    named: frozenset[str] = frozenset()


def gather_loop(files: LoopFiles, *, cutoff: date, scores_sha256: str | None = None) -> Loop:
    """Read the files of the loop.

    Parameters
    ----------
    files : LoopFiles
        Where they lie.
    cutoff : datetime.date
        Of the scores on the page.
    scores_sha256 : str, optional
        Of the scores on the page.

    Returns
    -------
    Loop

    Raises
    ------
    DataError
        Where a file that was named is not there, or one cannot be read.
    """
    scorecard = _content(files.scorecard, "scorecard", "habitue scorecard", files.named)
    decided = newest_decision(files.decision) if files.decision is not None else None
    decision = _content(decided or files.decision, "decision", "habitue decide", files.named)
    readout = _content(files.readout, "readout", "habitue measure readout", files.named)
    checks = None
    if files.readout is not None:
        simulated = files.readout.with_name("simulation.json")
        checks = _content(simulated, "simulation", "habitue measure simulate --json", frozenset())
    actions: list[dict[str, Any]] = []
    n_actions = 0
    if decision is not None and decided is not None:
        actions, n_actions = _actions(decided.parent, decision)
    return read_loop(
        cutoff=cutoff,
        scorecard=scorecard,
        decision=decision,
        actions=actions,
        n_actions=n_actions,
        readout=readout,
        rounds=() if decided is None or readout is None else _rounds(decided.parent.parent),
        checks=checks,
        scores_sha256=scores_sha256,
    )


def newest_decision(place: Path) -> Path | None:
    """Return the decision at a place: a file, that of a round's folder, or of several rounds the newest.

    Parameters
    ----------
    place : Path
        File or folder.

    Returns
    -------
    Path or None
        None where there is none. The newest is that of the latest day of contacts, then of the latest cutoff;
        of several, the one that was decided last.
    """
    if place.is_file():
        return place
    if (place / "decision.json").is_file():
        return place / "decision.json"
    found = sorted(place.glob("*/decision.json")) if place.is_dir() else []
    dated = [(_age_of(path), path) for path in found if not path.parent.name.startswith(".")]
    return max(dated)[1] if dated else None


def _age_of(path: Path) -> tuple[str, str, int]:
    """Return the day of the contacts, the cutoff, and when it was written; empty if the file tells none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["round"]["day"]), str(told["cutoff"]), path.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError):
        return "", "", 0


def _rounds(place: Path) -> list[dict[str, Any]]:
    """Return the decisions of all rounds; one that cannot be read promised nothing that could be told."""
    found: list[dict[str, Any]] = []
    for path in sorted(place.glob("*/decision.json")):
        with suppress(DataError):
            found.append(_content(path, "decision", "habitue decide", frozenset()) or {})
    return found


def _content(path: Path | None, what: str, command: str, named: frozenset[str]) -> dict[str, Any] | None:
    if path is None or not path.is_file():
        if what in named:
            raise DataError(f"There is no {what} at {path}. Make it with: {command}")
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}). Make it again: {command}") from error
    if not isinstance(told, dict):
        raise DataError(f"{path} holds no {what}. Make it again: {command}")
    return told


def _actions(folder: Path, decision: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Read the top of a round's action list, and how long it is; a list that was changed is not shown."""
    sums: Any = decision.get("files")
    for name in ("actions.csv", "actions.parquet"):
        path = folder / name
        if not isinstance(sums, Mapping) or name not in sums or not path.is_file():
            continue
        if sha256_of(path) != sums[name]:
            raise DataError(
                f"{path} was changed since it was decided, and would not be what the decision tells of. "
                "Decide again: habitue decide --replace"
            )
        return _of_parquet(path) if path.suffix == ".parquet" else _of_csv(path)
    return [], 0


def _of_csv(path: Path) -> tuple[list[dict[str, Any]], int]:
    numbers = ("expected_gain", "gain_lower", "gain_upper")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        first = list(islice(rows, MOST_ACTIONS))
        rest = sum(1 for _ in rows)
    told = [{**row, **{name: float(row[name]) if row[name] else None for name in numbers}} for row in first]
    return told, len(first) + rest


def _of_parquet(path: Path) -> tuple[list[dict[str, Any]], int]:
    with pq.ParquetFile(path) as table:
        batch = next(table.iter_batches(batch_size=MOST_ACTIONS), None)
        return ([] if batch is None else batch.to_pylist()), table.metadata.num_rows
