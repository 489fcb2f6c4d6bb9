"""Looks at all values of a column: how many fit which way of reading, in all batches of a source together.

How dates are written and which currency stands with amounts is decided by such counts. Counts add up: the
batches of a source lead to the decision that all its rows at once lead to.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.records.engine import DuckDBEngine

__all__ = ["begin_looks", "keep_looks", "kept_looks", "look"]

_KEPT = "kept.looks"


def begin_looks(engine: DuckDBEngine, kind: str, *, anew: bool) -> None:
    """Make the table ``looks`` of what earlier batches of a source showed.

    Parameters
    ----------
    engine : DuckDBEngine
        Reads the source.
    kind : str
        Kind of record.
    anew : bool
        Whether the rows at hand are all that there are.
    """
    engine.execute(f"CREATE TABLE IF NOT EXISTS {_KEPT} (kind VARCHAR, name VARCHAR, fits VARCHAR, n BIGINT)")
    earlier = "kind = $kind" if not anew else "kind = $kind AND false"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE looks AS SELECT name, fits, n, true AS earlier FROM {_KEPT} "
        f"WHERE {earlier}",
        {"kind": kind},
    )


def look(
    engine: DuckDBEngine, name: str, found: Mapping[str, int]
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Add counts to those of earlier batches; return the earlier ones, and all together.

    Parameters
    ----------
    engine : DuckDBEngine
        Reads the source.
    name : str
        Canonical column.
    found : Mapping[str, int]
        Way of reading to number of values that fit, in the rows at hand.
    """
    engine.execute(
        "INSERT INTO looks SELECT $name, unnest($fits), unnest($n), false",
        {"name": name, "fits": list(found), "n": list(found.values())},
    )
    counted = engine.rows(
        "SELECT fits, CAST(sum(n) FILTER (earlier) AS BIGINT), CAST(sum(n) AS BIGINT) FROM looks "
        "WHERE name = $name GROUP BY fits",
        {"name": name},
    )
    return (
        {fits: before for fits, before, _ in counted if before is not None},
        {fits: total for fits, _, total in counted},
    )


def keep_looks(engine: DuckDBEngine, kind: str) -> None:
    """Keep what was seen for the next batch.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``looks``.
    kind : str
        Kind of record.
    """
    engine.execute(f"DELETE FROM {_KEPT} WHERE kind = $kind", {"kind": kind})
    engine.execute(
        f"INSERT INTO {_KEPT} SELECT $kind, name, fits, sum(n) FROM looks GROUP BY ALL", {"kind": kind}
    )
    engine.execute("DROP TABLE looks")


def kept_looks(engine: DuckDBEngine, kind: str, beginning: str) -> list[tuple[str, str, int]]:
    """Return what was kept of ways of reading whose name begins so: column, rest of the name, and count.

    Parameters
    ----------
    engine : DuckDBEngine
        Has kept them.
    kind : str
        Kind of record.
    beginning : str
        Of the name.

    Returns
    -------
    list of tuple of (str, str, int)
        By column, the most frequent first.
    """
    rows = engine.rows(
        f"SELECT name, substr(fits, length($beginning) + 1), n FROM {_KEPT} WHERE kind = $kind "
        "AND starts_with(fits, $beginning) AND n > 0 ORDER BY name, n DESC, fits",
        {"kind": kind, "beginning": beginning},
    )
    return [(name, rest, int(count)) for name, rest, count in rows]
