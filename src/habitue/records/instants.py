"""Instants: read from dates, timestamps and text, and turned into the days of one stated time zone.

Where day and month could be swapped, or where some values carry an offset and others do not, the source is
refused with the way out: a wrong day is worse than a question.

Notes
-----
Text is read by these rules.

- ISO 8601 is known without asking: ``2020-01-31``, ``2020/1/31``, ``2020-01-31 10:00[:00[.0]]`` with ``T`` or
  a blank, and with ``Z`` or an offset. ``2020-01-31 10:00 PM`` or a zone's name behind it is not, and is not
  read.
- Else one format is taken that fits most values, from a list with the year in four digits or last; if
  swapping day and month fits as many, or fits one in a hundred that it does not, the source is refused.
- What most values' format cannot read is read as well where nothing else can be meant: as ISO 8601, with
  the month as a word, or as ``31.01.2020`` (unless the others put the month first). A note says how many.
  ``31/01/2020`` among other dates could be the month of another, and is set aside.
- Numbers such as 43861 (a spreadsheet's day) or 1577836800 (seconds) are not guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.errors import SchemaError
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.looks import kept_looks, look
from habitue.vocabulary import one_or_many

__all__ = ["date_notes", "instant_sql", "iso_sql"]

_CLOCK = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
_OFFSET = r" ?(Z|[+-]\d{2}(:?\d{2})?)"
_PATTERNS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_PAIRS = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"), ("%d/%m/%y", "%m/%d/%y"))
_SWAPPED = dict(_PAIRS) | {swapped: pattern for pattern, swapped in _PAIRS}
_FILLED, _LOCAL, _OFFSET_TOLD, _SWAPPED_ONLY = "filled", "iso", "iso with offset", "day and month swapped"
_ALSO = "also as "
_DOTTED, _WORDED = "%d.%m.%Y", ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
_MONTH_FIRST = frozenset(swapped for _, swapped in _PAIRS)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")


def instant_sql(
    engine: DuckDBEngine, source: str, sql_type: str, *, column: str, timezone: str | None, given: str | None
) -> str:
    """Return SQL that reads a column of ``raw_rows`` as a local TIMESTAMP; NULL where it cannot be.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows``.
    source, sql_type : str
        The source's column and its SQL type.
    column : str
        Canonical name, for messages.
    timezone : str, optional
        Zone whose days count.
    given : str, optional
        ``strptime`` format, where the user stated one.

    Raises
    ------
    SchemaError
        Where values could be read in two ways.
    """
    name = quoted(source)
    zone = literal(timezone or "UTC")
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"({name} AT TIME ZONE {zone})"
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return f"TRY_CAST({name} AS TIMESTAMP)"
    text = f"trim(CAST({name} AS VARCHAR))"
    if given is not None:
        return _strptime(text, [given])
    counted = engine.rows(
        f"SELECT count(nullif({text}, '')), count({iso_sql(text)}), count({_with_offset(text, zone)}) "
        "FROM raw_rows"
    )[0]
    earlier, found = look(engine, column, dict(zip((_FILLED, _LOCAL, _OFFSET_TOLD), counted, strict=True)))
    local, offset = found[_LOCAL], found[_OFFSET_TOLD]
    if local and offset and timezone is None:
        raise SchemaError(
            f"{source!r} (for {column}) mixes {offset:,} instants with a UTC offset and {local:,} without. "
            "Say in which zone the others are, and whose days count, with timezone=, for example "
            "timezone='Europe/Paris'."
        )
    is_iso, was_iso = _is_iso(found), _is_iso(earlier)
    if earlier.get(_FILLED) and is_iso != was_iso:
        raise _changed(source, column)
    if is_iso:
        best, sql = None, _any_iso(text, zone) if offset else iso_sql(text)
        n_read = counted[1] + counted[2]
    else:
        best, sql, n_read = _best_reading(engine, source, text, column)
    if n_read == counted[0]:
        return sql
    ways = {pattern: _read_as(text, pattern) for pattern in _also_clear(best)}
    if not is_iso:
        ways["ISO 8601"] = iso_sql(text) if timezone is None else _any_iso(text, zone)
    return _read_also(engine, text, column, sql, ways)


def date_notes(engine: DuckDBEngine, kind: str) -> list[str]:
    """Say which values were read though they are written otherwise than most of their column.

    Parameters
    ----------
    engine : DuckDBEngine
        Has kept the looks at the values.
    kind : str
        Kind of record.
    """
    return [
        f"{one_or_many(count, f'value of {column} is', plural=f'values of {column} are')} not written as "
        f"most are, but as {way}: read as well, as nothing else can be meant."
        for column, way, count in kept_looks(engine, kind, _ALSO)
    ]


def _also_clear(best: str | None) -> list[str]:
    """Return the formats of which each value is plain whatever the format of the others; None is ISO."""
    dotted = [] if best in _MONTH_FIRST else [_DOTTED]
    return [pattern for pattern in (*dotted, *_WORDED) if pattern != best]


def _read_also(engine: DuckDBEngine, text: str, column: str, sql: str, ways: Mapping[str, str]) -> str:
    """Return SQL that reads in further ways what it could not read; those that fit no value are left out."""
    counts = ", ".join(f"count({way})" for way in ways.values())
    row = engine.rows(f"SELECT {counts} FROM raw_rows WHERE {text} <> '' AND {sql} IS NULL")[0]
    found = {name: count for name, count in zip(ways, row, strict=True) if count}
    if not found:
        return sql
    look(engine, column, {_ALSO + name: count for name, count in found.items()})
    cases = " ".join(f"WHEN {ways[name]} IS NOT NULL THEN {ways[name]}" for name in found)
    return f"CASE WHEN {sql} IS NOT NULL THEN {sql} {cases} END"


def _is_iso(counts: Mapping[str, int]) -> bool:
    """Tell whether at least half of the values are ISO 8601."""
    return 2 * (counts.get(_LOCAL, 0) + counts.get(_OFFSET_TOLD, 0)) >= counts.get(_FILLED, 0)


def _changed(source: str, column: str) -> SchemaError:
    return SchemaError(
        f"With the new rows most values of {source!r} (for {column}) are written in another way than before, "
        "so that the rows that were read before would have to be read again. Read the log anew from all "
        "rows, or mend the new ones."
    )


def iso_sql(text: str) -> str:
    """Return SQL that reads ISO 8601 without an offset; only long values cost a pattern, short ones are days.

    Parameters
    ----------
    text : str
        SQL for the trimmed text.
    """
    return (
        f"CASE WHEN length({text}) <= 10 THEN TRY_CAST(CASE WHEN contains(substr({text}, 5, 1), '-') "
        f"OR contains(substr({text}, 5, 1), '/') THEN {text} END AS TIMESTAMP) "
        f"WHEN regexp_full_match({text}, {literal(_CLOCK)}) THEN TRY_CAST({text} AS TIMESTAMP) END"
    )


def _with_offset(text: str, zone: str) -> str:
    shape = literal(_CLOCK + _OFFSET)
    joined = rf"regexp_replace({text}, ' ([Z+-][0-9:]*)$', '\1')"
    return (
        f"CASE WHEN length({text}) > 10 THEN CASE WHEN regexp_full_match({text}, {shape}) "
        f"THEN TRY_CAST({joined} AS TIMESTAMP WITH TIME ZONE) AT TIME ZONE {zone} END END"
    )


def _any_iso(text: str, zone: str) -> str:
    return f"CASE WHEN {iso_sql(text)} IS NOT NULL THEN {iso_sql(text)} ELSE {_with_offset(text, zone)} END"


def _read_as(text: str, pattern: str) -> str:
    """Return SQL that reads a format with a year in four digits: 20 for 2020 would be the year 20."""
    sql = _strptime(text, [pattern + time for time in _TIMES])
    return f"CASE WHEN {sql} >= TIMESTAMP '1900-01-01' THEN {sql} END"


def _strptime(text: str, patterns: list[str]) -> str:
    # Without a digit it is a word such as "epoch" or "infinity", which fits every format.
    sql = f"CAST(try_strptime({text}, [{', '.join(map(literal, patterns))}]) AS TIMESTAMP)"
    return f"CASE WHEN regexp_matches({text}, '[0-9]') THEN {sql} END"


def _best_reading(engine: DuckDBEngine, source: str, text: str, column: str) -> tuple[str | None, str, int]:
    """Choose the format that fits most values; refuse where swapping day and month might be meant.

    Returns the format, SQL that reads it, and how many of the rows at hand it fits.
    """
    readings = {pattern: _strptime(text, [pattern + time for time in _TIMES]) for pattern in _PATTERNS}
    # A year such as 0020 is no fit: two digits were read as four.
    fits = ", ".join(f"count(*) FILTER ({sql} >= TIMESTAMP '1900-01-01')" for sql in readings.values())
    fitting = dict(zip(readings, engine.rows(f"SELECT {fits} FROM raw_rows")[0], strict=True))
    earlier, counts = look(engine, column, fitting)
    tied, before = _best_fits(counts), _best_fits(earlier)
    if len(tied) > 1:
        raise SchemaError(
            f"{source!r} (for {column}) can be read in more than one way: {' or '.join(tied)} fit its values "
            f"equally well. Say which with timestamp_format={tied[0]!r}."
        )
    if earlier.get(_FILLED) and tied != before:
        raise _changed(source, column)
    if not tied:
        return None, "CAST(NULL AS TIMESTAMP)", 0
    best = tied[0]
    if best in _SWAPPED:
        _refuse_mixed_orders(engine, source, column, best, readings)
    return best, readings[best], fitting[best]


def _refuse_mixed_orders(
    engine: DuckDBEngine, source: str, column: str, best: str, readings: Mapping[str, str]
) -> None:
    """Refuse a column of which one value in a hundred can only be read with day and month swapped."""
    swapped = _SWAPPED[best]
    fits_only = f"SELECT count({readings[swapped]}) FROM raw_rows WHERE {readings[best]} IS NULL"
    _, found = look(engine, column, {_SWAPPED_ONLY: engine.rows(fits_only)[0][0]})
    only, filled = found[_SWAPPED_ONLY], found[_FILLED]
    if 100 * only > filled:
        raise SchemaError(
            f"{source!r} (for {column}) seems to mix {best} and {swapped}: {only:,} of {filled:,} values "
            f"fit the second alone. Mend the source, or say with timestamp_format={best!r} which is "
            "meant: values that do not fit are then set aside."
        )


def _best_fits(counts: Mapping[str, int]) -> list[str]:
    """Return the formats that fit most values; none where no value fits any."""
    most = max(counts.get(pattern, 0) for pattern in _PATTERNS)
    return [pattern for pattern in _PATTERNS if most and counts[pattern] == most]
