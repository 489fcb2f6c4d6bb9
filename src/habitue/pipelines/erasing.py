"""A stored table or page without some customers: are they in it, and what is left when they are gone.

Tables are read in chunks. Of a CSV file the other rows stay byte for byte as they were; a Parquet file is
written anew, statistics and all. Nothing is decided here about which files to look at: that is
`habitue.pipelines.forget`.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from habitue.errors import DataError, SchemaError
from habitue.pipelines.scoring.files import manifest_in, with_manifest
from habitue.records.csv_files import OPENERS, CsvDialect, sniff_csv
from habitue.records.pseudonyms import as_customer_id

__all__ = [
    "QUARANTINE",
    "Wanted",
    "after_forgetting",
    "columns_of",
    "count_rows",
    "is_table",
    "write_without",
]

QUARANTINE = frozenset({"row", "reason", "raw"})
"""Columns of a table of rows set aside; ``raw`` is the row as it came, JSON or a line of text."""

_CHUNK = 50_000
_LONGEST_RECORD = 1 << 20
_SHORTEST_TOLD_APART = 4
_SEPARATORS = re.compile(r"[,;\t|\"]")


@dataclass(frozen=True)
class Wanted:
    """The customers to be found, under all names that they may be stored by.

    Attributes
    ----------
    ids : frozenset of str
        Written as the door does: ids and pseudonyms.
    columns : frozenset of str
        Columns that may hold them.
    """

    ids: frozenset[str]
    columns: frozenset[str]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Those ids that are known wherever they stand: a number such as 42 may mean anything."""
        long = (one for one in self.ids if len(one) >= _SHORTEST_TOLD_APART)
        return tuple(sorted(one for one in long if any(sign.isalpha() for sign in one)))

    @cached_property
    def pattern(self) -> re.Pattern[bytes] | None:
        """What finds `words` in the bytes of any file, but not inside longer words; None without any."""
        if not self.words:
            return None
        words = {re.escape(form) for one in self.words for form in _written(one)}
        return re.compile(rb"(?<![0-9A-Za-z_-])(?:" + b"|".join(sorted(words)) + rb")(?![0-9A-Za-z_-])")

    def means(self, value: object) -> bool:
        """Tell whether a value of an id column is one of them.

        Parameters
        ----------
        value : object
            Text, a number or None.
        """
        return as_customer_id(value) in self.ids

    def stands_in(self, content: bytes) -> bool:
        """Tell whether one of `words` stands anywhere.

        Parameters
        ----------
        content : bytes
            UTF-8, as a file has it.
        """
        return self.pattern is not None and self.pattern.search(content) is not None

    def is_set_aside(self, raw: object) -> bool:
        """Tell whether a row in quarantine is of one of them.

        Parameters
        ----------
        raw : object
            The row as it came: JSON, or a line that is no row.
        """
        text = str(raw or "")
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            # A broken line has no columns: any of its values may be the id. Better one row too many.
            values: Iterable[Any] = _SEPARATORS.split(text)
        else:
            named = cast("dict[str, Any]", row)
            values = [named[name] for name in self.columns if name in named] or named.values()
        return any(map(self.means, values)) or self.stands_in(text.encode("utf-8", "surrogatepass"))


def _written(word: str) -> set[bytes]:
    """List the ways in which a word stands in files: as it is, in JSON, in HTML."""
    html = word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = html.replace('"', "&#34;").replace("'", "&#39;")
    forms = {word, quoted, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]}
    return {form.encode("utf-8", "surrogatepass") for form in forms}


def is_table(path: Path) -> bool:
    """Tell by its name whether a file is one that can be read here.

    Parameters
    ----------
    path : Path
        A file.
    """
    plain = path.with_suffix("") if path.suffix.lower() in OPENERS else path
    return plain.suffix.lower() == ".csv" or path.suffix.lower() == ".parquet"


def columns_of(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file.

    Raises
    ------
    DataError
        Where it is damaged.
    """
    if path.suffix.lower() != ".parquet":
        return list(sniff_csv(path).header)
    with _parquet(path) as table:
        return list(table.schema_arrow.names)


def count_rows(path: Path, wanted: Wanted) -> int:
    """Count the rows of the wanted customers.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file.
    wanted : Wanted
        Who.

    Raises
    ------
    SchemaError
        Where no column could hold them; names the columns there.
    DataError
        Where the file is damaged.
    """
    ids, raw = _places(path, wanted)
    if path.suffix.lower() != ".parquet":
        with _csv(path) as (source, dialect):
            next(_records(source, path), None)
            return sum(_is_row(one, dialect, ids, raw, wanted, path) for one in _records(source, path))
    with _parquet(path) as table:
        names = table.schema_arrow.names
        chosen = [names[place] for place in [*ids, *raw]]
        here = list(range(len(ids))), list(range(len(ids), len(chosen)))
        batches = table.iter_batches(batch_size=_CHUNK, columns=chosen)
        return sum(sum(_mask(batch.select(chosen), *here, wanted)) for batch in batches)


def write_without(path: Path, wanted: Wanted, to: Path) -> int:
    """Write a table without the rows of the wanted customers, and return how many rows are left.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file.
    wanted : Wanted
        Who.
    to : Path
        What is written, in the same format.
    """
    ids, raw = _places(path, wanted)
    if path.suffix.lower() == ".parquet":
        return _write_parquet(path, wanted, to, ids, raw)
    left = 0
    opened = OPENERS.get(path.suffix.lower(), open)
    with _csv(path) as (source, dialect):
        how: dict[str, Any] = {"encoding": dialect.encoding, "errors": "surrogateescape", "newline": ""}
        with opened(to, "wt", **how) as out:
            out.write(next(_records(source, path), ""))
            for record in _records(source, path):
                if not _is_row(record, dialect, ids, raw, wanted, path):
                    out.write(record)
                    left += bool(record.strip())
    return left


def _places(path: Path, wanted: Wanted) -> tuple[list[int], list[int]]:
    """Say at which places ids stand, and at which a whole row that was set aside."""
    names = columns_of(path)
    ids = [place for place, name in enumerate(names) if name in wanted.columns]
    raw = [names.index("raw")] if set(names) >= QUARANTINE else []
    if not ids and not raw:
        raise SchemaError(
            f"{path} has no column {' or '.join(sorted(wanted.columns))}; say with --id-column which one "
            f"holds customer ids. Its columns are: {', '.join(names)}."
        )
    return ids, raw


# --- CSV


@contextmanager
def _csv(path: Path) -> Generator[tuple[IO[str], CsvDialect]]:
    """Open a CSV file so that writing what was read gives the same bytes."""
    dialect = sniff_csv(path)
    how: dict[str, Any] = {"encoding": dialect.encoding, "errors": "surrogateescape", "newline": ""}
    with OPENERS.get(path.suffix.lower(), open)(path, "rt", **how) as source:
        try:
            yield source, dialect
        except (EOFError, UnicodeError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise DataError(f"{path} is damaged and could not be read to its end: {error}.") from error


def _records(source: IO[str], path: Path) -> Generator[str]:
    """Yield records as they stand: lines, joined while a quote is open."""
    record, open_quote = "", False
    for line in source:
        record += line
        open_quote ^= line.count('"') % 2 == 1
        if not open_quote:
            yield record
            record = ""
        elif len(record) > _LONGEST_RECORD:
            raise DataError(
                f"{path} could not be split into rows: a quote in it never closes. Mend it first."
            )
    if record:
        yield record


def _is_row(
    record: str, dialect: CsvDialect, ids: Sequence[int], raw: Sequence[int], wanted: Wanted, path: Path
) -> bool:
    """Tell whether a record is of a wanted customer; one with too few values is looked at as a whole."""
    try:
        values = next(csv.reader([record], delimiter=dialect.delimiter), [])
    except csv.Error as error:
        raise DataError(f"{path} could not be split into rows: {error}.") from error
    if len(values) != len(dialect.header):
        return wanted.is_set_aside(record)
    return any(wanted.means(values[place]) for place in ids) or any(
        wanted.is_set_aside(values[place]) for place in raw
    )


# --- Parquet


@contextmanager
def _parquet(path: Path) -> Generator[pq.ParquetFile]:
    try:
        # Without pre-buffering: it keeps all that was read until the end.
        with pq.ParquetFile(path, pre_buffer=False) as table:
            yield table
    except pa.ArrowException as error:
        raise DataError(f"{path} could not be read as Parquet: {str(error).splitlines()[0]}") from error


def _write_parquet(path: Path, wanted: Wanted, to: Path, ids: Sequence[int], raw: Sequence[int]) -> int:
    left = 0
    with _parquet(path) as table, pq.ParquetWriter(to, _told_anew(path, table.schema_arrow, wanted)) as out:
        for batch in table.iter_batches(batch_size=_CHUNK):
            kept = batch.filter(pa.array([not one for one in _mask(batch, ids, raw, wanted)], pa.bool_()))
            out.write_batch(kept)
            left += kept.num_rows
    return left


def _told_anew(path: Path, schema: pa.Schema, wanted: Wanted) -> pa.Schema:
    """Let the manifest that a file of scores holds within say how many customers are left in it."""
    told = manifest_in(path)
    if told is None:
        return schema
    gone = count_rows(path, wanted)
    return with_manifest(schema, {**told, **after_forgetting(told, gone)})


def after_forgetting(manifest: Mapping[str, Any], gone: int) -> dict[str, int]:
    """Return what a manifest of scores says otherwise when customers were removed.

    Parameters
    ----------
    manifest : Mapping[str, object]
        As it was.
    gone : int
        Rows removed.
    """
    return {
        "n_customers": int(manifest["n_customers"]) - gone,
        "forgotten": int(manifest.get("forgotten", 0)) + gone,
    }


def _mask(batch: pa.RecordBatch, ids: Sequence[int], raw: Sequence[int], wanted: Wanted) -> list[bool]:
    """Tell for each row whether it is of a wanted customer; each distinct value is judged once."""
    judged = [(place, wanted.means) for place in ids] + [(place, wanted.is_set_aside) for place in raw]
    meant = [False] * batch.num_rows
    for place, judge in judged:
        encoded = batch.column(place).dictionary_encode()
        verdicts = [judge(one) for one in encoded.dictionary.to_pylist()]
        if any(verdicts):
            found = pa.array(verdicts).take(encoded.indices).fill_null(False).to_pylist()
            meant = [before or now for before, now in zip(meant, found, strict=True)]
    return meant
