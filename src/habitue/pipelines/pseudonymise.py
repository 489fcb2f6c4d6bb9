"""`habitue pseudonymise`: copies of your files with pseudonyms for ids and without personal columns.

The sources are left as they are. All of them are looked at before the first copy is written, and each copy is
written beside and renamed. The key comes from a file or the environment; it is never printed, logged or
written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from habitue.errors import SchemaError, SettingsError
from habitue.pipelines.columns import one_spelling
from habitue.pipelines.files import write_beside
from habitue.records.csv_files import OPENERS
from habitue.records.engine import DuckDBEngine
from habitue.records.pseudonyms import Pseudonymised, check_key, copy_pseudonymised
from habitue.records.sources import open_source

__all__ = ["KEY_VARIABLE", "looks_personal", "pseudonymise", "read_key"]

KEY_VARIABLE = "HABITUE_KEY"
"""The environment variable that may hold the key."""

_MEMORY, _THREADS = "1GB", 4
_FORMATS: Mapping[str, Literal["csv", "parquet"]] = {".csv": "csv", ".parquet": "parquet"}
_CSV_SUFFIXES = {".csv", ".tsv", ".txt"}
_PERSONAL = re.compile(
    r"(^|_)(e_?mail|phone|mobile|tele(fon|phone)|fax|address|adresse|street|strasse|zip|post_?code|postal_code|plz|"
    r"birth(day|date)?|dob|geburtsdatum|iban|ssn|passport|ip|ip_address|latitude|longitude|"
    r"((first|last|full|given|family|sur|customer|user|contact|nick|maiden)_?)?name|vorname|nachname|nom|prenom|"
    r"apellidos?|card_number)$|(^|_)date_of_birth"
)
_NO_PERSON = re.compile(r"product|campaign|plan|item|category|file|store|shop|brand|company|event|segment")


def read_key(file: Path | None, environment: Mapping[str, str]) -> bytes:
    """Read the key from a file, or from the environment where no file is named.

    White space around it does not belong to it, so that a file with a line end and a variable without hold
    the same key.

    Parameters
    ----------
    file : Path or None
        A file that holds the key and nothing else.
    environment : Mapping[str, str]
        May hold `KEY_VARIABLE`.

    Returns
    -------
    bytes
        16 to 64 of them.

    Raises
    ------
    SettingsError
        Where there is no key, or it is too short or too long. The message never shows it.
    """
    if file is not None:
        try:
            key = file.read_bytes().strip()
        except OSError as error:
            # Not even what was given is shown: it may be the key, put there by mistake.
            raise SettingsError(
                f"What --key-file names could not be read ({error.strerror}); name a file that holds the key."
            ) from None
    elif environment.get(KEY_VARIABLE, "").strip():
        key = environment[KEY_VARIABLE].strip().encode("utf-8", "surrogateescape")
    else:
        raise SettingsError(
            f"Pseudonyms need a key: name its file with --key-file, or set {KEY_VARIABLE}. "
            'Make one with: python -c "import secrets; print(secrets.token_hex(32))" > habitue.key'
        )
    check_key(key)
    return key


def pseudonymise(
    sources: Sequence[Path],
    output: Path,
    *,
    key: bytes,
    ids: Sequence[str] = ("customer_id",),
    drop: Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[Path, Pseudonymised]:
    """Copy sources with pseudonyms for customer ids and without personal columns.

    Parameters
    ----------
    sources : sequence of Path
        CSV files (plain or .gz, .bz2, .xz), Parquet files, folders of Parquet files, DuckDB files.
    output : Path
        A .csv or .parquet file, for one source; else a folder, in which a CSV source becomes NAME.csv and any
        other NAME.parquet.
    key : bytes
        Of `read_key`. One key gives a customer one pseudonym in all files.
    ids : sequence of str
        Columns that hold customer ids. Every source must have one of them.
    drop : sequence of str
        Columns to leave out, in whichever source they are.
    delimiter, encoding : str, optional
        Of CSV sources; found by looking where None.
    progress : callable, optional
        Called with one line before each source.

    Returns
    -------
    dict of Path to Pseudonymised
        What was written, and what went into it.

    Raises
    ------
    SettingsError
        Where a copy would take the place of its source or of another copy, or the output cannot be written.
    SchemaError
        Where a named column is in none of the sources, or a source has no id column.
    DataError
        Where a source cannot be read.
    """
    check_key(key)
    targets = _targets(sources, output)
    read = {"delimiter": delimiter, "encoding": encoding}
    columns = {source: _columns(source, read) for source in sources}
    _check_columns(columns, ids, drop)
    done: dict[Path, Pseudonymised] = {}
    for source, target in targets.items():
        if progress is not None:
            progress(f"pseudonyms for {source.name}")
        own = {"ids": _among(ids, columns[source]), "drop": _among(drop, columns[source])}
        done[target] = _copy(source, target, key, own, read)
    return done


def looks_personal(columns: Sequence[str]) -> list[str]:
    """Return the columns whose names sound like a person's: name, e-mail, phone, address, birthday and such.

    Parameters
    ----------
    columns : sequence of str
        As the source calls them. Their values are not looked at: what this finds is a hint, and no list to
        rely on.

    Examples
    --------
    >>> looks_personal(["E-Mail", "order_date", "First name", "Product name", "notes"])
    ['E-Mail', 'First name']
    """
    spelt = {name: one_spelling(name) for name in columns}
    return [name for name in columns if _PERSONAL.search(spelt[name]) and not _NO_PERSON.search(spelt[name])]


def _targets(sources: Sequence[Path], output: Path) -> dict[Path, Path]:
    """Say where the copy of each source goes."""
    if output.suffix.lower() in _FORMATS and not output.is_dir():
        if len(sources) != 1:
            raise SettingsError(f"{output.name} is one file for {len(sources)} sources; name a folder.")
        targets = {sources[0]: output}
    else:
        targets = {source: output / _name_of_copy(source) for source in sources}
    paths = [target.resolve() for target in targets.values()]
    if len(set(paths)) < len(sources):
        raise SettingsError(f"Two sources have one name, so one would replace the other in {output}.")
    for source in sources:
        inside = any(path.is_relative_to(source.resolve()) for path in paths)
        if inside:
            raise SettingsError(f"The copy would go into its own source {source}; choose another --output.")
    return targets


def _name_of_copy(source: Path) -> str:
    """Name a copy after its source: orders.csv.gz gives orders.csv, anything but CSV gives Parquet."""
    if source.is_dir():
        return f"{source.resolve().name}.parquet"
    plain = source.with_suffix("") if source.suffix.lower() in OPENERS else source
    return f"{plain.stem}.{'csv' if plain.suffix.lower() in _CSV_SUFFIXES else 'parquet'}"


def _columns(source: Path, read: Mapping[str, Any]) -> list[str]:
    engine = DuckDBEngine(memory_limit=_MEMORY, threads=_THREADS)
    relation = open_source(engine, source, **read)
    try:
        return list(relation.types(engine))
    finally:
        relation.release()


def _among(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in columns]


def _check_columns(columns: Mapping[Path, Sequence[str]], ids: Sequence[str], drop: Sequence[str]) -> None:
    """Refuse a name that no source has: a misspelt personal column would be copied."""
    there = list(dict.fromkeys(name for names in columns.values() for name in names))
    missing = [name for name in [*ids, *drop] if name not in there]
    if missing:
        raise SchemaError(f"No column is called {', '.join(missing)}. Those there are: {', '.join(there)}.")
    for source, names in columns.items():
        if not _among(ids, names):
            raise SchemaError(
                f"{source} has no column {' or '.join(ids)}; name its id column with --id-column too. "
                f"Its columns are: {', '.join(names)}."
            )


def _copy(
    source: Path, target: Path, key: bytes, own: Mapping[str, Sequence[str]], read: Mapping[str, Any]
) -> Pseudonymised:
    engine = DuckDBEngine(memory_limit=_MEMORY, threads=_THREADS)
    relation = open_source(engine, source, **read)
    told: list[Pseudonymised] = []

    def write(to: Path) -> None:
        kind = _FORMATS[target.suffix.lower()]
        told.append(copy_pseudonymised(engine, relation, to, key=key, file_format=kind, **own))

    try:
        write_beside(target, write)
    finally:
        relation.release()
    return told[0]
