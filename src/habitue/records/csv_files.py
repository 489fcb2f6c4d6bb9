"""CSV files, read so that a broken line costs that line and nothing else.

Values are read as text only: the door decides what they are. A fast parser reads the file while its physical
lines are counted. Where they do not add up to the rows read (a quote that never closes makes a parser swallow
what follows), or the parser gives up, the file is gone through by `habitue.records.csv_repair` and read
again.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import lzma
import re
import tempfile
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import duckdb

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.csv_repair import Repair, Unreadable
from habitue.records.engine import DuckDBEngine, literal

__all__ = ["OPENERS", "CsvDialect", "CsvFile", "refuse_bad_names", "sniff_csv"]

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""How compressed files are opened, by the end of their name."""

_FAST_ENCODINGS = {"utf-8": "utf-8", "latin-1": "latin-1", "cp1252": "latin-1"}
"""What DuckDB reads by itself, and as what; bytes that only cp1252 has it refuses, for the careful way."""
_BROKEN_ARCHIVE = (OSError, EOFError, lzma.LZMAError, zlib.error)
_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 1 << 16
_BLANK_LINE = re.compile(rb"(?<=\n)\r?\n")


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written: what separates values, its encoding, its header."""

    delimiter: str
    encoding: str
    header: tuple[str, ...]


@dataclass(frozen=True)
class CsvFile:
    """A CSV file and how it is written."""

    path: Path
    dialect: CsvDialect

    def reader(self, path: Path) -> str:
        """Return SQL that reads a file written like this one as text and keeps lines that are no rows.

        Parameters
        ----------
        path : Path
            This file, or a repaired copy.
        """
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.dialect.header)
        encoding = _FAST_ENCODINGS.get(self.dialect.encoding, self.dialect.encoding)
        return (
            f"read_csv({literal(str(path))}, auto_detect = false, header = true, columns = {{{columns}}}, "
            f"delim = {literal(self.dialect.delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
            f"encoding = {literal(encoding)}, store_rejects = true, rejects_limit = 0, "
            "rejects_table = 'csv_rejects', rejects_scan = 'csv_scans')"
        )

    def copy_rows(self, engine: DuckDBEngine, selected: str) -> list[Unreadable]:
        """Copy the rows to ``raw_rows``; return the lines that are none.

        Parameters
        ----------
        engine : DuckDBEngine
            Where to.
        selected : str
            What stands after SELECT.
        """
        # What DuckDB cannot decompress or decode, and what it cannot make sense of, is taken line by line.
        fast = self.dialect.encoding in _FAST_ENCODINGS and self.path.suffix.lower() not in {".bz2", ".xz"}
        rows = -1
        unreadable: list[Unreadable] = []
        if fast:
            with contextlib.suppress(duckdb.Error):
                rows, unreadable = self._copy(engine, self.path, selected)
            if rows >= 0 and rows + len(unreadable) == _count_lines(self.path) - 1:
                return unreadable
        return self._copy_carefully(engine, selected, rows + len(unreadable), unreadable)

    def sample(self, n_rows: int) -> dict[str, list[str]]:
        """Return the first values of each column, empty ones left out; broken lines are passed over.

        Parameters
        ----------
        n_rows : int
            At most so many, and no more than the beginning of the file holds.
        """
        text = _beginning(self.path).decode(self.dialect.encoding, errors="replace").lstrip("\ufeff \r\n")
        lines = text.splitlines()[: n_rows + 1]
        # The last line of the sample may be cut.
        rows = list(csv.reader(lines[1:-1] or lines[1:], delimiter=self.dialect.delimiter))
        whole = [row for row in rows if len(row) == len(self.dialect.header)]
        columns = list(zip(*whole, strict=True)) or [() for _ in self.dialect.header]
        pairs = zip(self.dialect.header, columns, strict=True)
        return {name: [value for value in values if value.strip()] for name, values in pairs}

    def _copy(self, engine: DuckDBEngine, path: Path, selected: str) -> tuple[int, list[Unreadable]]:
        engine.execute("DROP TABLE IF EXISTS csv_rejects")
        engine.execute("DROP TABLE IF EXISTS csv_scans")
        engine.execute(f"CREATE OR REPLACE TEMP TABLE raw_rows AS SELECT {selected} FROM {self.reader(path)}")
        rejects = engine.rows(
            "SELECT line, min(error_message), min(left(csv_line, 300)) FROM csv_rejects "
            "GROUP BY line ORDER BY 1"
        )
        rows = int(engine.rows("SELECT count(*) FROM raw_rows")[0][0])
        return rows, [Unreadable(int(line), _reject_reason(why), text.strip()) for line, why, text in rejects]

    def _copy_carefully(
        self, engine: DuckDBEngine, selected: str, n_fast: int, fast: list[Unreadable]
    ) -> list[Unreadable]:
        """Go through the file by the grammar; read it again unless what the fast way read stands the test."""
        repair = Repair(self.dialect.delimiter, self._plain_encoding, len(self.dialect.header))
        with tempfile.TemporaryDirectory(prefix="habitue-") as folder:
            target = Path(folder) / "repaired.csv"
            with self._bytes() as source, target.open("wb") as out:
                repair.run(source, out)
            if not repair.unreadable and n_fast == repair.n_records - 1:
                return fast
            plain = replace(self, dialect=replace(self.dialect, encoding=self._plain_encoding))
            try:
                rows, more = plain._copy(engine, target, selected)
            except duckdb.Error as error:
                raise DataError(
                    f"{self.path} could not be read as CSV: {str(error).splitlines()[0]}"
                ) from error
        if rows + len(more) != repair.n_records - 1:
            raise DataError(
                f"{self.path} could not be split into rows: it has {repair.n_records - 1:,} records, and "
                f"{rows + len(more):,} were found. Check its delimiter ({self.dialect.delimiter!r}) and its "
                "quotes."
            )
        moved = [Unreadable(repair.original_line(line), why, text) for line, why, text in more]
        return sorted(repair.unreadable + moved)

    @property
    def _plain_encoding(self) -> str:
        """The encoding in which the careful way reads: one byte for a quote and for a line end."""
        return "latin-1" if self.dialect.encoding == "latin-1" else "utf-8"

    @contextlib.contextmanager
    def _bytes(self) -> Generator[IO[bytes]]:
        """Open the file as bytes of `_plain_encoding`."""
        with _opened(self.path) as stream:
            if self.dialect.encoding == self._plain_encoding:
                yield stream
            else:
                yield cast("IO[bytes]", codecs.EncodedFile(stream, "utf-8", self.dialect.encoding, "replace"))


def _opened(path: Path) -> IO[bytes]:
    return OPENERS.get(path.suffix.lower(), open)(path, "rb")


def _beginning(path: Path) -> bytes:
    try:
        with _opened(path) as stream:
            return stream.read(_SAMPLE_BYTES)
    except _BROKEN_ARCHIVE as error:
        raise DataError(f"{path} could not be opened: {error}") from error


def _count_lines(path: Path) -> int:
    """Count the physical lines of a file that are not blank, as far as counting line ends can tell."""
    lines, last = 0, b"\n"
    with _opened(path) as stream:
        while chunk := stream.read(1 << 24):
            ends = chunk.count(b"\n")
            whole = last + chunk
            if b"\n\n" in whole or b"\n\r\n" in whole:
                ends -= len(_BLANK_LINE.findall(whole))
            lines += ends
            # The last two bytes tell whether the next chunk begins with a blank line.
            last = chunk[-2:] if chunk.endswith(b"\n\r") else chunk[-1:]
    return lines + (last != b"\n")


def sniff_csv(path: Path, *, delimiter: str | None = None, encoding: str | None = None) -> CsvDialect:
    """Find out how a CSV file is written by looking at its beginning.

    Parameters
    ----------
    path : Path
        A CSV file, plain or compressed.
    delimiter, encoding : str, optional
        Taken as given where not None.

    Raises
    ------
    SettingsError
        Where the delimiter is not one character, or the encoding is unknown.
    SchemaError
        Where a column name stands twice in the header.
    DataError
        Where the file cannot be opened, or holds no text.

    Notes
    -----
    A column without a name (pandas writes its index so) is called ``column_1``, ``column_2``, ... by its
    place.
    """
    _check_settings(delimiter, encoding)
    beginning = _beginning(path)
    encoding = codecs.lookup(encoding).name if encoding else _encoding(beginning)
    encoding = {"iso8859-1": "latin-1", "ascii": "utf-8", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    text = beginning.decode(encoding, errors="replace").lstrip("\ufeff \r\n")
    if not text.strip():
        raise DataError(f"{path} holds nothing but white space; a header and at least one row are needed.")
    if "\r" in text and "\n" not in text:
        raise DataError(
            f"{path} ends its lines with CR alone, as old Macs did; save it with line ends LF or CRLF."
        )
    candidates = (delimiter,) if delimiter else _DELIMITERS
    headers = {candidate: _header(text, candidate) for candidate in candidates}
    best = max(headers, key=lambda candidate: len(headers[candidate]))
    refuse_bad_names(headers[best], str(path))
    return CsvDialect(best, encoding, tuple(headers[best]))


def _check_settings(delimiter: str | None, encoding: str | None) -> None:
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n'):
        raise SettingsError(f"delimiter must be one character such as ',' or ';'; got {delimiter!r}.")
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise SettingsError(
                f"encoding {encoding!r} is unknown; give a name such as 'utf-8', 'latin-1' or 'cp1252'."
            ) from error


def _encoding(beginning: bytes) -> str:
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        beginning[: len(beginning) - 4].decode("utf-8") if len(beginning) > 4 else beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        # A multi-byte character cut at the end of the sample is no sign of another encoding.
        if error.start < len(beginning) - 8:
            return "cp1252"
    return "utf-8"


def _header(text: str, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        names = [text.splitlines()[0]]
    return [name.strip() or f"column_{place}" for place, name in enumerate(names, start=1)]


def refuse_bad_names(names: list[str], where: str) -> None:
    """Raise SchemaError where a column name stands twice, upper and lower case aside as in SQL.

    Parameters
    ----------
    names : list of str
        Columns of a source.
    where : str
        The source, for the message.
    """
    folded = [name.casefold() for name in names]
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if twice:
        raise SchemaError(
            f"{where} has columns of the same name: {', '.join(repr(name) for name in twice)}. "
            "Rename or remove one, so that it is plain which is meant."
        )


def _reject_reason(message: str) -> str:
    """Say in our words why DuckDB could not split a line."""
    told = {
        "expected number of columns": "it has another number of values than the header",
        "encoding": "its characters are not of the file's encoding",
        "unicode": "its characters are not of the file's encoding",
        "line size": "it is longer than any line may be",
        "quote": "its quotes do not match",
    }
    why = next((words for sign, words in told.items() if sign in message.lower()), message.splitlines()[0])
    return f"line is no row: {why}"
