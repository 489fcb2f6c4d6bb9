"""The files of a round: a folder that is there whole, or not at all.

``actions.csv`` (or .parquet) is for those who make the offers, ``assignments.parquet`` for the next log, and
``decision.json`` says how it came about, with the checksums of both and of all that went in.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from habitue.errors import SettingsError, UnavailableError
from habitue.files import DISK_FULL, is_running, safe_cells, sha256_of
from habitue.pipelines.deciding.decide import Decision
from habitue.pipelines.files import writable_folder

__all__ = ["Format", "check_round_name", "folder_of", "there_already", "write_decision", "write_table"]

Format = Literal["csv", "parquet"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MANIFEST = "decision.json"
_CONTROL_SIGNS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


def check_round_name(name: str) -> str:
    """Return the name of a round, or say why it can be none: it becomes the name of a folder.

    Parameters
    ----------
    name : str
        Such as ``2024-12-31`` or ``spring``.

    Raises
    ------
    SettingsError
        Where it holds other signs than letters, digits, ``_``, ``.`` and ``-``, or begins with one of these.

    Examples
    --------
    >>> check_round_name("2024-12-31")
    '2024-12-31'
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"A round is named by letters, digits, _ . and -, beginning with a letter or digit; got {name!r}."
        )
    return name


def folder_of(output: Path, name: str) -> Path:
    """Return the folder of a round.

    Parameters
    ----------
    output : Path
        Where rounds are.
    name : str
        Of the round.
    """
    return output / check_round_name(name)


def there_already(folder: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a round decided that is there already and was made of the same.

    Parameters
    ----------
    folder : Path
        Of the round.
    inputs : Mapping[str, object]
        What it would be made of.

    Returns
    -------
    dict or None
        None where there is none, or it was made of something else, or is damaged.
    """
    _sweep(folder)
    try:
        told = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        whole = all(sha256_of(folder / name) == sha for name, sha in told["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return told if whole and told.get("inputs") == json.loads(json.dumps(inputs)) else None


def write_decision(
    decision: Decision,
    folder: Path,
    *,
    inputs: Mapping[str, Any],
    format: Format = "csv",  # noqa: A002 - the word that people use
    replace: bool = False,
) -> dict[str, Any]:
    """Write a round, whole or not at all.

    Parameters
    ----------
    decision : Decision
        What was decided.
    folder : Path
        Of the round.
    inputs : Mapping[str, object]
        What it was made of, as JSON can hold it.
    format : {"csv", "parquet"}
        Of the action list.
    replace : bool
        Whether a round of this name that was made of something else is replaced.

    Returns
    -------
    dict
        What decision.json holds.

    Raises
    ------
    SettingsError
        Where there is another round of this name, or nothing can be written there.
    UnavailableError
        Where the disk is full.
    """
    _sweep(folder)
    if folder.exists() and not replace:
        raise SettingsError(
            f"{folder} holds a round that was decided on something else. Its customers may have been "
            "contacted; name another round (--round), or replace it (--replace)."
        )
    writable_folder(folder.parent)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir()
        facts = _written(decision, beside, inputs, format)
        _take_place(beside, folder)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise UnavailableError(
                f"{folder} could not be written: the disk is full. Nothing of the round is there; make room "
                "and run it again."
            ) from error
        raise SettingsError(f"{folder} could not be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return facts


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    r"""Write a table; in a CSV file no cell is a formula, and every row is told from the next.

    Parameters
    ----------
    frame : DataFrame
        Any table.
    path : Path
        Ends in .csv or .parquet.

    Notes
    -----
    Texts that begin like a formula get an apostrophe in front, as OWASP advises; numbers stay numbers. Signs
    that steer a terminal are left out; line breaks stay, within quotation marks. UTF-8.
    """
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False, compression="zstd")
        return path
    clean = frame.copy(deep=False)
    for name in frame.columns:
        if frame[name].dtype.name in {"object", "str", "string"}:
            values = frame[name]
            texts = values.map(lambda value: isinstance(value, str)).to_numpy(bool)
            if texts.any():
                clean[name] = [
                    re.sub(_CONTROL_SIGNS, "", value) if is_text else value
                    for value, is_text in zip(values.tolist(), texts.tolist(), strict=True)
                ]
    # All texts in quotation marks: a lone carriage return would end the row for some readers.
    safe_cells(clean).to_csv(path, index=False, encoding="utf-8", quoting=csv.QUOTE_NONNUMERIC)
    return path


def _written(decision: Decision, folder: Path, inputs: Mapping[str, Any], format: Format) -> dict[str, Any]:  # noqa: A002
    made = (
        write_table(decision.actions, folder / f"actions.{format}"),
        write_table(decision.assignments, folder / "assignments.parquet"),
    )
    facts = {
        **decision.facts,
        "inputs": json.loads(json.dumps(inputs)),
        "files": {path.name: sha256_of(path) for path in made},
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / _MANIFEST).write_text(text, encoding="utf-8")
    for path in (*made, folder / _MANIFEST):
        with path.open("rb") as file:
            os.fsync(file.fileno())  # on disk before it takes its name
    return facts


def _take_place(beside: Path, folder: Path) -> None:
    """Give a folder its name; what had it before goes when that is done."""
    if not folder.exists():
        beside.rename(folder)
        return
    before = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.rename(before)
    try:
        beside.rename(folder)
    except OSError:
        before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left of this round; bring back what one was about to replace."""
    for left in folder.parent.glob(".*.*"):
        parts = re.fullmatch(rf"\.{re.escape(folder.name)}\.(\d+)\.(part|old)", left.name)
        if parts is None or is_running(int(parts[1])):
            continue
        if parts[2] == "old" and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)
