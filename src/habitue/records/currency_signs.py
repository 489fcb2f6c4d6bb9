"""Currencies that are written with amounts: two in one column are refused, since amounts cannot be added."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.errors import DataError
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.looks import look
from habitue.records.money import money_sql
from habitue.vocabulary import one_or_many

__all__ = ["refuse_currency_signs"]


def refuse_currency_signs(
    engine: DuckDBEngine, name: str, given: str, types: Mapping[str, str], decimal: str
) -> None:
    """Refuse amounts whose own text names several currencies, in ``raw_rows`` and the batches before.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows``.
    name : str
        Canonical column.
    given : str
        The source's column, or arithmetic.
    types : Mapping[str, str]
        SQL type of each column of the source.
    decimal : str
        ``"."`` or ``","``.

    Raises
    ------
    DataError
        Where it does; names them and how many rows each has.
    """
    if types.get(given) != "VARCHAR":
        return
    column = quoted(given)
    found = engine.rows(
        rf"SELECT sign, count(*) FROM (SELECT regexp_replace({column}, '[^\p{{Sc}}A-Z]+', '', 'g') AS sign "
        f"FROM raw_rows WHERE TRY_CAST({column} AS DOUBLE) IS NULL AND {money_sql(given, types, decimal)} "
        "IS NOT NULL) WHERE sign <> '' GROUP BY 1"
    )
    _, signs = look(engine, name, dict(found))
    if len(signs) > 1:
        ordered = sorted(signs.items(), key=lambda pair: (-pair[1], pair[0]))
        told = ", ".join(f"{sign} ({one_or_many(count, 'row')})" for sign, count in ordered)
        raise DataError(
            f"Amounts in {given!r} come in several currencies: {told}. Convert them to one, or read one "
            "currency at a time."
        )
