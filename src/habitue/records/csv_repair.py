"""Which lines of a CSV file are rows, where a parser alone cannot be trusted to say.

A quote that never closes makes a parser take all that follows for one value. Here a file is gone through by
the grammar of RFC 4180, a block at a time: runs of sound lines are taken over as they are, a value may span
lines if its quotes close within `LOOK_AHEAD` lines and its row then has as many values as the header, and any
other line is set aside alone. Nothing is changed but line ends, and nothing is read as a value.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import IO, NamedTuple

__all__ = ["LOOK_AHEAD", "Repair", "Unreadable"]

LOOK_AHEAD = 50
"""Lines over which one quoted value may stretch."""

_BLOCK_BYTES = 1 << 24
_BLANK = re.compile(rb"^\n", re.MULTILINE)


class Unreadable(NamedTuple):
    """A line that is no row: its number in the file, why, and its beginning."""

    line: int
    reason: str
    text: str


@dataclass
class Repair:
    """One pass over a file that parts rows from lines that are none.

    Attributes
    ----------
    delimiter, encoding : str
        How the file is written; every encoding in which a quote and a line end are one byte will do.
    width : int
        Values in a row.
    unreadable : list of Unreadable
        Lines set aside.
    removed : list of int
        Numbers of the lines that the target lacks.
    n_records : int
        Records in the target, the header among them.
    """

    delimiter: str
    encoding: str
    width: int
    unreadable: list[Unreadable] = field(default_factory=list["Unreadable"])
    removed: list[int] = field(default_factory=list[int])
    n_records: int = 0
    _line: int = 0

    def run(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Write the rows of `source` to `target` and remember the rest.

        Parameters
        ----------
        source, target : binary file
            The file as it came, and its repaired copy.
        """
        lines, record = _grammar(self.delimiter)
        waiting, more = b"", True
        while more:
            block = source.read(_BLOCK_BYTES)
            more = len(block) > 0
            # A carriage return at the very end may belong to a line feed not read yet.
            waiting = (waiting + block).replace(b"\r\n", b"\n")
            if not more and waiting and not waiting.endswith(b"\n"):
                waiting += b"\n"
            waiting = waiting[self._take(waiting, lines, record, target, at_end=not more) :]

    def _take(
        self,
        text: bytes,
        lines: re.Pattern[bytes],
        record: re.Pattern[bytes],
        target: IO[bytes],
        *,
        at_end: bool,
    ) -> int:
        """Take over what can be judged already; return how many bytes that were."""
        end, place = text.rfind(b"\n") + 1, 0
        plain = text.find(b'"', 0, end) < 0 and text.find(b"\r", 0, end) < 0
        while place < end:
            stop = end if plain else _end_of(lines.match(text, place, end))
            self._keep(text[place:stop], target)
            place = stop
            if place < end:
                reach = _after_lines(text, place, LOOK_AHEAD)
                if reach is None and not at_end:
                    break
                place = self._odd(text, place, reach or end, record, target)
        return place

    def _keep(self, rows: bytes, target: IO[bytes]) -> None:
        """Write whole lines; blank ones are no records, and before the header they go."""
        if self.n_records == 0:
            blank = len(rows) - len(rows.lstrip(b"\n"))
            self.removed.extend(range(self._line + 1, self._line + blank + 1))
            self._line += blank
            rows = rows[blank:]
        target.write(rows)
        count = rows.count(b"\n")
        self._line += count
        blanks = len(_BLANK.findall(rows)) if rows.startswith(b"\n") or b"\n\n" in rows else 0
        self.n_records += count - blanks

    def _odd(self, text: bytes, place: int, reach: int, record: re.Pattern[bytes], target: IO[bytes]) -> int:
        """Judge the line at `place`, which is no row by itself; return where the next one starts."""
        found = record.match(text, place, reach)
        if found is not None and self._width(found[0]) == self.width:
            target.write(found[0])
            self._line += found[0].count(b"\n")
            self.n_records += 1
            return found.end()
        stop = text.index(b"\n", place) + 1
        self._line += 1
        beginning = text[place : min(stop, place + 300)].decode(self.encoding, errors="replace").strip()
        self.unreadable.append(Unreadable(self._line, "line is no row: its quotes do not match", beginning))
        self.removed.append(self._line)
        return stop

    def _width(self, record: bytes) -> int:
        text = io.StringIO(record.decode(self.encoding, errors="replace"), newline="")
        return len(next(csv.reader(text, delimiter=self.delimiter)))

    def original_line(self, line: int) -> int:
        """Return the number in the source of a line of the target.

        Parameters
        ----------
        line : int
            Counted from 1, the header among them.
        """
        for number in self.removed:
            if number > line:
                break
            line += 1
        return line


def _grammar(delimiter: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Compile what a run of one-line records looks like, and what one record of any height does."""
    mark = re.escape(delimiter).encode()
    # A quote opens a value only at its beginning (blanks aside); elsewhere it is a character like any other.
    bare = rb'(?! *")[^%b\r\n]*+' % mark

    def value(inside: bytes) -> bytes:
        return rb'(?: *"(?:%b++|"")*+" *|%b)' % (inside, bare)

    def row(inside: bytes) -> bytes:
        return rb"%b(?:%b%b)*+\n" % (value(inside), mark, value(inside))

    return re.compile(rb"(?:%b)*+" % row(rb'[^"\r\n]')), re.compile(row(rb'[^"]'))


def _end_of(match: re.Match[bytes] | None) -> int:
    return match.end() if match else 0


def _after_lines(text: bytes, place: int, count: int) -> int | None:
    """Return where the line after the next `count` lines begins; None where there are fewer."""
    for _ in range(count):
        place = text.find(b"\n", place) + 1
        if place == 0:
            return None
    return place
