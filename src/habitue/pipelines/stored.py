"""Where customers may be stored: which files habitue wrote, and which of them name customers.

What habitue wrote is known by its columns, its data dictionary or its sign in a page: the same folders may
hold files that are none of its business. Nothing is changed here; that is `habitue.pipelines.forget`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from habitue.errors import DataError, SettingsError
from habitue.files import is_running, without_password
from habitue.pipelines.erasing import QUARANTINE, Wanted, columns_of, is_table
from habitue.pipelines.scoring.batches import BATCH
from habitue.pipelines.scoring.files import manifest_in
from habitue.pipelines.scoring.work import is_left
from habitue.pipelines.settings import located, read_settings

__all__ = ["Places", "half_written", "mentions", "places_of", "stored_files"]

_OURS = {
    "scores": frozenset({"customer_id", "cutoff", "horizon", "scored_at"}),
    "predictions of a backtest": frozenset({"customer_id", "cutoff", "target", "model", "prediction"}),
    "rows set aside": QUARANTINE,
}
_PAGE_SIGN = b'<meta name="generator" content="habitue">'
_HALF_WRITTEN = re.compile(r"\.(?P<name>.+\.(csv|parquet|html|json)(\.gz|\.bz2|\.xz)?)\.(?P<run>\w+)\.part")
_BLOCK, _OVERLAP = 1 << 24, 1 << 12


@dataclass(frozen=True)
class Places:
    """Where to look for customers.

    Attributes
    ----------
    handed_in : tuple of Path
        Files and folders that the user names.
    named : tuple of Path
        Scores and report of the settings.
    folders : tuple of Path
        Folders in which habitue writes.
    home : Path or None
        MLflow's home, where it is a folder of this machine.
    sources : tuple of str
        The user's own data, of every kind of record, without passwords; empty where they are not known.
    id_columns : tuple of str
        What the sources call the customer id.
    not_looked_at : tuple of str
        Sentences.
    """

    handed_in: tuple[Path, ...]
    named: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    home: Path | None = None
    sources: tuple[str, ...] = ()
    id_columns: tuple[str, ...] = ("customer_id",)
    not_looked_at: tuple[str, ...] = ()


def places_of(settings: Path | None, handed_in: Sequence[Path]) -> Places:
    """Say where to look.

    Parameters
    ----------
    settings : Path, optional
        A `habitue.toml`; it may be missing where files are handed in.
    handed_in : sequence of Path
        Files and folders that the user names.

    Raises
    ------
    SettingsError
        Where there is neither.
    DataError
        Where what is handed in is no table, page or folder.
    """
    for path in handed_in:
        if not path.is_dir() and not (path.is_file() and (is_table(path) or _is_page(path))):
            raise DataError(f"{path} is no .csv, .parquet or .html file, and no folder.")
    if settings is None or (handed_in and not settings.is_file()):
        if not handed_in:
            raise SettingsError("Say where to look: a settings file, or files with --file.")
        return Places(
            tuple(handed_in),
            not_looked_at=("Without a settings file only what was handed in was looked at.",),
        )
    known, base = read_settings(settings), settings.parent
    in_a_database = known.scores.startswith(("postgresql:", "postgres:", "duckdb:")) or known.scores.endswith(
        (".duckdb", ".db")
    )
    named = (*(() if in_a_database else (base / known.scores,)), base / known.report)
    home = _home(known.mlruns, base)
    elsewhere = [f"MLflow's home {without_password(known.mlruns)} is no folder and was not looked at."]
    kept = [
        f"The scores in {without_password(known.scores)} were not looked at: DELETE FROM scores WHERE "
        "customer_id = ... removes a customer there."
    ]
    return Places(
        handed_in=tuple(handed_in),
        named=named,
        folders=tuple(dict.fromkeys(folder for path in (settings, *named) for folder in _written_to(path))),
        home=home,
        sources=tuple(dict.fromkeys(_source(table.source, base) for table in known.tables().values())),
        id_columns=known.id_columns(),
        not_looked_at=(
            *(elsewhere if home is None and "://" in known.mlruns else ()),
            *(kept if in_a_database else ()),
        ),
    )


def _written_to(path: Path) -> list[Path]:
    """List the folders in which habitue writes because of a file, or of a folder of batches, by cutoff."""
    batches = sorted(path.glob("cutoff=*")) if path.is_dir() else []
    return [
        folder for folder in (path.parent, *([path] if path.is_dir() else []), *batches) if folder.is_dir()
    ]


def _home(mlruns: str, base: Path) -> Path | None:
    """Return MLflow's home where it is a folder of this machine."""
    path = base / mlruns.removeprefix("sqlite:///")
    folder = path.parent if mlruns.startswith("sqlite:///") else path
    return folder if "://" not in mlruns.removeprefix("sqlite:///") and folder.is_dir() else None


def _source(source: str, base: Path) -> str:
    return without_password(source) if "://" in source else str(located(source, base))


def stored_files(places: Places, wanted: Wanted) -> Generator[tuple[Path, str]]:
    """Yield each file that may name customers once, and what it is.

    Parameters
    ----------
    places : Places
        Where to look.
    wanted : Wanted
        Says which columns hold ids.
    """
    # The sources are the user's own: they are only touched where they are handed in.
    seen = {Path(source).resolve() for source in places.sources}
    handed_in = [path for path in places.handed_in if not path.is_dir()]
    seen -= {path.resolve() for path in handed_in}
    every = [(path, "handed in") for path in handed_in]
    every += [(path, "handed in") for path in places.handed_in for path in _with_customers(path, wanted)]
    every += [(path, _kind(path)) for folder in places.folders for path in sorted(folder.iterdir())]
    every += [(path, "named in the settings") for path in places.named]
    if places.home is not None:
        every += [(path, "table of an MLflow run") for path in _with_customers(places.home, wanted)]
    for path, what in every:
        if what and path.is_file() and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path, what


def _kind(path: Path) -> str:
    """Say what a file is if habitue wrote it; else nothing."""
    if not path.is_file():
        return ""
    if _is_page(path):
        return "report" if _PAGE_SIGN in path.read_bytes() else ""
    columns = _columns(path)
    if "customer_id" in columns and (manifest_in(path) or {}).get(BATCH):
        return "scores"
    if "customer_id" in columns and path.with_name(f"{path.stem}.dictionary.csv").is_file():
        return "features"
    return next((what for what, needed in _OURS.items() if columns >= needed), "")


def _is_page(path: Path) -> bool:
    return path.suffix.lower() == ".html"


def _columns(path: Path) -> set[str]:
    """Return the columns of a table; none where it is no table or cannot be read."""
    with suppress(DataError, OSError):
        return set(columns_of(path)) if is_table(path) else set()
    return set()


def _with_customers(folder: Path, wanted: Wanted) -> Generator[Path]:
    """Yield the tables with customers' rows and the reports in a folder, but never a file of a model.

    The checksums of those are registered: `habitue.tracking` refuses to load a model that was changed.
    """
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_file() or _is_of_model(path, folder):
            continue
        columns = _columns(path)
        if columns & wanted.columns or columns >= QUARANTINE or (_is_page(path) and _kind(path)):
            yield path


def _is_of_model(path: Path, folder: Path) -> bool:
    inside = (parent for parent in path.parents if parent.is_relative_to(folder))
    return any((parent / "MLmodel").is_file() for parent in inside)


def half_written(places: Places) -> list[Path]:
    """List what interrupted runs left half-written; it may hold anybody.

    Parameters
    ----------
    places : Places
        Where to look.
    """
    parts = {path for folder in places.folders for path in folder.glob(".*.part")}
    worked_on = {path for folder in places.folders for path in folder.glob(".habitue-*-*") if path.is_dir()}
    for path in [*places.handed_in, *([places.home] if places.home else [])]:
        parts |= set(path.rglob(".*.part") if path.is_dir() else path.parent.glob(f".{path.name}.*.part"))
    matches = {path: _HALF_WRITTEN.fullmatch(path.name) for path in sorted(parts)}
    left = [path for path, match in matches.items() if match and not _runs(match["run"])]
    return [*left, *(path for path in sorted(worked_on) if is_left(path))]


def _runs(run: str) -> bool:
    """Tell whether the process that writes a file is still at it."""
    if not run.isdecimal() or int(run) == os.getpid():
        return False
    return is_running(int(run))


def mentions(home: Path, wanted: Wanted, leave_out: set[Path]) -> list[Path]:
    """List the files of MLflow's home in whose bytes a customer is named.

    Parameters
    ----------
    home : Path
        MLflow's home.
    wanted : Wanted
        Only ids that are known wherever they stand can be found so.
    leave_out : set of Path
        Files that need not be looked at.
    """
    if wanted.pattern is None:
        return []
    there = [path for path in sorted(home.rglob("*")) if path.is_file() and path not in leave_out]
    return [path for path in there if _stands_in(path, wanted)]


def _stands_in(path: Path, wanted: Wanted) -> bool:
    """Look through the bytes of a file of any size."""
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if wanted.stands_in(tail + block):
                return True
            tail = block[-_OVERLAP:]
    return False
