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
- Numbers such as 43861 (a spreadsheet's day) or 1577836800 (seconds) are not guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.errors import SchemaError
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.looks import look

__all__ = ["instant_sql", "iso_sql"]

_CLOCK = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
_OFFSET = r" ?(Z|[+-]\d{2}(:?\d{2})?)"
_PATTERNS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_PAIRS = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"), ("%d/%m/%y", "%m/%d/%y"))
_SWAPPED = dict(_PAIRS) | {swapped: pattern for pattern, swapped in _PAIRS}
_FILLED, _LOCAL, _OFFSET_TOLD, _SWAPPED_ONLY = "filled", "iso", "iso with offset", "day and month swapped"
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
    if not is_iso:
        return _best_reading(engine, source, text, column)
    if not offset:
        return iso_sql(text)
    return f"CASE WHEN {iso_sql(text)} IS NOT NULL THEN {iso_sql(text)} ELSE {_with_offset(text, zone)} END"


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


def _strptime(text: str, patterns: list[str]) -> str:
    return f"CAST(try_strptime({text}, [{', '.join(map(literal, patterns))}]) AS TIMESTAMP)"


def _best_reading(engine: DuckDBEngine, source: str, text: str, column: str) -> str:
    """Choose the format that fits most values; refuse where swapping day and month might be meant."""
    readings = {pattern: _strptime(text, [pattern + time for time in _TIMES]) for pattern in _PATTERNS}
    # A year such as 0020 is no fit: two digits were read as four.
    fits = ", ".join(f"count(*) FILTER ({sql} >= TIMESTAMP '1900-01-01')" for sql in readings.values())
    earlier, counts = look(
        engine, column, dict(zip(readings, engine.rows(f"SELECT {fits} FROM raw_rows")[0], strict=True))
    )
    tied, before = _best_fits(counts), _best_fits(earlier)
    if len(tied) > 1:
        raise SchemaError(
            f"{source!r} (for {column}) can be read in more than one way: {' or '.join(tied)} fit its values "
            f"equally well. Say which with timestamp_format={tied[0]!r}."
        )
    if earlier.get(_FILLED) and tied != before:
        raise _changed(source, column)
    if not tied:
        return "CAST(NULL AS TIMESTAMP)"
    best = tied[0]
    swapped = _SWAPPED.get(best)
    if swapped is not None:
        fits_only = f"SELECT count({readings[swapped]}) FROM raw_rows WHERE {readings[best]} IS NULL"
        _, found = look(engine, column, {_SWAPPED_ONLY: engine.rows(fits_only)[0][0]})
        only, filled = found[_SWAPPED_ONLY], found[_FILLED]
        if 100 * only > filled:
            raise SchemaError(
                f"{source!r} (for {column}) seems to mix {best} and {swapped}: {only:,} of {filled:,} values "
                f"fit the second alone. Mend the source, or say with timestamp_format={best!r} which is "
                "meant: values that do not fit are then set aside."
            )
    return readings[best]


def _best_fits(counts: Mapping[str, int]) -> list[str]:
    """Return the formats that fit most values; none where no value fits any."""
    most = max(counts.get(pattern, 0) for pattern in _PATTERNS)
    return [pattern for pattern in _PATTERNS if most and counts[pattern] == most]
