"""`habitue forget`: removes customers from everything that habitue stored.

Rows are removed from tables and a report that lists a customer is deleted, since it can be made anew. Each
file is written beside and renamed, so that a run that was killed is simply run again.

It deliberately leaves alone what is yours (the sources) and what cannot be taken out (what models learned
from all customers together), and says so.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from habitue.errors import DataError, SettingsError
from habitue.files import safe_cell, sha256_of
from habitue.pipelines.erasing import Wanted, after_forgetting, count_rows, write_without
from habitue.pipelines.files import write_beside, write_text
from habitue.pipelines.scoring.files import json_in, sidecar_of
from habitue.pipelines.stored import Places, half_written, mentions, places_of, stored_files
from habitue.records.pseudonyms import as_customer_id, pseudonym

__all__ = ["Forgotten", "Found", "forget"]

_LISTED = re.compile(r'"customer_id":("(?:[^"\\]|\\.)*")')
_UNDERWAY = "forgetting"
_TOLD_AT_MOST = 5


@dataclass(frozen=True)
class Found:
    """One file in which customers were found.

    Attributes
    ----------
    path : Path
        The file.
    what : str
        What it is.
    n_rows : int
        Their rows; 0 where it is no table.
    action : {"rows removed", "file deleted"}
        What was done, or would be.
    """

    path: Path
    what: str
    n_rows: int
    action: Literal["rows removed", "file deleted"]


@dataclass(frozen=True)
class Forgotten:
    """What was found and removed, and what was not.

    Attributes
    ----------
    found : tuple of Found
        Empty where nothing that is stored held them.
    n_files : int
        Files looked through.
    dry_run : bool
        Whether nothing was changed.
    remains : tuple of str
        Sentences: what cannot be removed, and what lies outside.
    """

    found: tuple[Found, ...]
    n_files: int
    dry_run: bool
    remains: tuple[str, ...]


def forget(
    ids: Sequence[str],
    *,
    settings: Path | None = None,
    files: Sequence[Path] = (),
    id_columns: Sequence[str] = (),
    key: bytes | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Forgotten:
    """Remove customers from everything that is stored.

    Parameters
    ----------
    ids : sequence of str
        Who, as the source names them (``7`` and ``7.0`` are one, ``007`` is another), or their pseudonyms.
    settings : Path, optional
        A `habitue.toml`: says where scores, report and MLflow's home are. Whatever else habitue wrote into
        the folders of scores and settings is found too.
    files : sequence of Path
        Further CSV or Parquet tables, reports, or folders of them, whoever wrote them.
    id_columns : sequence of str
        Columns that hold ids, besides ``customer_id`` and that of the settings.
    key : bytes, optional
        With the key of `habitue pseudonymise`, the pseudonyms of `ids` are removed too.
    dry_run : bool
        Whether to change nothing and only say what would go.
    progress : callable, optional
        Called with one line before each file.

    Returns
    -------
    Forgotten

    Raises
    ------
    SettingsError
        Where nobody is named, there is neither a settings file nor a file, or a file cannot be written.
    SchemaError
        Where a file handed in has no id column.
    DataError
        Where a file handed in does not exist or is damaged. Others are left as they are, and told of.
    """
    tell = progress or (lambda _: None)
    names = _names(ids, key)
    places = places_of(settings, files)
    wanted = Wanted(names, frozenset({"customer_id", *places.id_columns, *id_columns}))
    found: list[Found] = []
    troubles: list[str] = []
    n_files = 0
    for path, what in stored_files(places, wanted):
        tell(f"looking through {path.name}")
        n_files += 1
        try:
            one = _forget_in(path, what, wanted, dry_run=dry_run)
            found += [one] if one else []
        except DataError as error:
            if path in places.handed_in:
                raise
            troubles.append(f"Not looked through: {error}")
    for path in half_written(places):
        found.append(Found(path, "left by an interrupted run", 0, "file deleted"))
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    tell("looking through MLflow's home")
    named = _named_in_mlflow(places.home, wanted, {one.path for one in found})
    return Forgotten(
        tuple(found), n_files, dry_run, (*places.not_looked_at, *troubles, *named, *_limits(places, wanted))
    )


def _names(ids: Sequence[str], key: bytes | None) -> frozenset[str]:
    """List all names by which the customers may be stored."""
    told = [as_customer_id(one) for one in ids]
    names = {one for one in told if one is not None}
    if not names or None in told:
        raise SettingsError("Name the customers to forget by their ids, such as: habitue forget 10042 10077")
    if key is not None:
        names |= {pseudonym(key, one) for one in names}
    return frozenset(names | set(map(safe_cell, names)))  # as CSV files hold them


def _forget_in(path: Path, what: str, wanted: Wanted, *, dry_run: bool) -> Found | None:
    """Remove customers from one file; None where they are not in it."""
    if path.suffix.lower() == ".html":
        if not _is_listed(path, wanted):
            return None
        if not dry_run:
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        return Found(path, what, 0, "file deleted")
    if not dry_run:
        _bring_up_to_date(path)
    n_rows = count_rows(path, wanted)
    if n_rows and not dry_run:
        _rewrite(path, wanted, n_rows)
    return Found(path, what, n_rows, "rows removed") if n_rows else None


def _is_listed(page: Path, wanted: Wanted) -> bool:
    content = page.read_bytes()
    listed = _LISTED.findall(content.decode("utf-8", "replace"))
    return any(wanted.means(json.loads(one)) for one in listed) or wanted.stands_in(content)


# --- scores and their manifest


def _rewrite(path: Path, wanted: Wanted, n_rows: int) -> None:
    """Write a table anew, and the manifest of a scores file with it.

    A kill between the two would part them. So the manifest is first told what is to come, and
    `_bring_up_to_date` finishes it, now or when the command is run again.
    """
    target, manifest = path.resolve(), _manifest(path)
    if manifest.get("sha256") != sha256_of(target):
        manifest = {}  # it belongs to other scores, and must not be made to fit these

    def write(to: Path) -> None:
        write_without(target, wanted, to)
        shutil.copymode(target, to)
        if manifest:
            change = {**after_forgetting(manifest, n_rows), "sha256": sha256_of(to)}
            _write_manifest(path, {**manifest, _UNDERWAY: change})

    write_beside(target, write)
    _bring_up_to_date(path)


def _bring_up_to_date(path: Path) -> None:
    manifest = _manifest(path)
    change = manifest.pop(_UNDERWAY, None)
    if change is not None:
        came_true = change["sha256"] == sha256_of(path)
        _write_manifest(path, {**manifest, **change} if came_true else manifest)


def _manifest(path: Path) -> dict[str, Any]:
    """Read what lies beside a scores file; empty where there is none."""
    manifest = json_in(sidecar_of(path)) or {}
    return manifest if manifest.get("file") == path.name else {}


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    write_text(sidecar_of(path), json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


# --- what is not done


def _named_in_mlflow(home: Path | None, wanted: Wanted, changed: set[Path]) -> list[str]:
    """Tell of files of MLflow's home that name a customer and are not ours to change."""
    named = [str(path) for path in mentions(home, wanted, changed)] if home else []
    if not named:
        return []
    more = f" and {len(named) - _TOLD_AT_MOST} more" if len(named) > _TOLD_AT_MOST else ""
    told = f"{', '.join(named[:_TOLD_AT_MOST])}{more}"
    return [f"A customer is named in {told}: not changed. Delete these runs or versions with MLflow."]


def _limits(places: Places, wanted: Wanted) -> list[str]:
    """Say what cannot be removed, and what lies outside."""
    told = [
        "Models keep what they learned from all customers together (parameters, trees, quartiles), and runs "
        "their sums, scores and charts: no rows of anybody. To be rid of their influence, train anew.",
        "Copies elsewhere were not reached: backups, reports sent, files that were not handed in.",
    ]
    handed_in = {str(path) for path in places.handed_in}
    yours = [source for source in places.sources if source not in handed_in]
    if len(yours) == 1:
        told.insert(
            0,
            f"The source {yours[0]} is yours and was not changed: remove the customers there too, or the "
            "next `habitue score` brings them back.",
        )
    elif yours:
        told.insert(
            0,
            f"The sources {', '.join(yours)} are yours and were not changed: remove the customers in each of "
            "them too, or the next `habitue score` brings them back.",
        )
    folders = (*places.folders, *(path for path in places.handed_in if path.is_dir()))
    logs = sorted({str(path) for folder in folders for path in folder.glob("*.duckdb")} - set(places.sources))
    if logs:
        told.append(
            f"Not opened: {', '.join(logs)}. A log that is kept in a file holds its customers: delete it and "
            "read the sources anew."
        )
    if len(wanted.words) < len(wanted.ids):
        told.append("Ids without a letter, or shorter than 4, were looked for in id columns only.")
    return told
