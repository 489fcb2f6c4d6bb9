"""Returns matched to the purchase that they take back.

Notes
-----
A return is a negative amount. It belongs to the latest purchase that is free, not later than the return, at
least as large, of the same customer, and of the same product_id where the source has one (else of the same
order_id where it has one; and of the same currency). A purchase is taken back once: returns choose in the
order in which they became known, larger ones first within an instant. A purchase that was recorded after the
return is not known to it, so that no later record changes a match.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.schema import RECORDED_AT, Column
from habitue.records.staging import KEPT, ROW
from habitue.vocabulary import one_or_many

__all__ = ["match_returns", "returns_note"]

_CHUNK = 1_000_000


class _Record(NamedTuple):
    """A purchase or a return: row, instant, amount in millionths, day on which it became known."""

    row: int
    instant: int
    amount: int
    known: int


def match_returns(engine: DuckDBEngine, columns: Sequence[Column]) -> tuple[int, int]:
    """Make the table ``returned`` (row, return_of_day) from ``read_rows``; count matched and all returns.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows`` of transactions.
    columns : sequence of Column
        Those that ``read_rows`` has.

    Returns
    -------
    tuple of int
        Returns matched, and all. Where none was matched there is no table.
    """
    n_returns = engine.rows(f"SELECT count(*) FROM read_rows WHERE {KEPT} AND amount < 0")[0][0]
    if not n_returns:
        return 0, 0
    rows, days = array("q"), array("i")
    for purchases, returns in _groups(engine, [column.name for column in columns]):
        for row, instant in _matched(purchases, returns):
            rows.append(row)
            days.append(instant // 86_400_000_000)
    if not rows:
        return 0, n_returns
    dates = pa.array(days, pa.int32()).cast(pa.date32())
    engine.register("found_returns", pa.table({"row": pa.array(rows, pa.int64()), "return_of_day": dates}))
    engine.execute("CREATE OR REPLACE TEMP TABLE returned AS SELECT * FROM found_returns")
    engine.unregister("found_returns")
    return len(rows), n_returns


def returns_note(matched: int, n_returns: int) -> tuple[str, ...]:
    """Say how many returns have a purchase, if any has.

    Parameters
    ----------
    matched, n_returns : int
        Returns that have one, and all.
    """
    if not matched:
        return ()
    return (f"{matched:,} of {one_or_many(n_returns, 'return')} matched to the purchase taken back.",)


def _groups(engine: DuckDBEngine, names: list[str]) -> Iterator[tuple[list[_Record], list[_Record]]]:
    """Yield purchases and returns of whoever returned something, apart for each customer and product."""
    same = next((name for name in ("product_id", "order_id") if name in names), None)
    key = ", ".join(quoted(name) for name in ("customer_id", same, "currency") if name in names)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE exchanges AS SELECT * FROM read_rows WHERE {KEPT} "
        f"AND amount <> 0 AND hash({key}) IN (SELECT hash({key}) FROM read_rows WHERE {KEPT} "
        "AND amount < 0)"
    )
    chunks = engine.rows("SELECT count(*) FROM exchanges")[0][0] // _CHUNK + 1
    day = "CAST(timestamp AS DATE)"
    known = f"greatest({day}, CAST({RECORDED_AT} AS DATE))" if RECORDED_AT in names else day
    # Ordered by all columns, so that the order of the rows decides nothing.
    everything = ", ".join(map(quoted, names))
    try:
        for chunk in range(chunks):
            rows = engine.rows(
                f"SELECT dense_rank() OVER (ORDER BY {key}) AS place, {ROW}, epoch_us(timestamp), "
                f"CAST(amount * 1000000 AS BIGINT), CAST({known} - DATE '1970-01-01' AS INTEGER) AS known "
                f"FROM exchanges WHERE hash({key}) % {chunks} = {chunk} "
                f"ORDER BY place, timestamp, amount DESC, known, {everything}"
            )
            for _, members in groupby(rows, key=lambda row: row[0]):
                records = [_Record(*row[1:]) for row in members]
                yield [one for one in records if one.amount > 0], [one for one in records if one.amount < 0]
    finally:
        engine.execute("DROP TABLE exchanges")


def _matched(purchases: Sequence[_Record], returns: Sequence[_Record]) -> Iterator[tuple[int, int]]:
    """Yield the row of each return that has a purchase, and the purchase's instant."""
    free = _Free(len(purchases))
    instants = [purchase.instant for purchase in purchases]
    waiting = sorted(range(len(purchases)), key=lambda place: purchases[place].known, reverse=True)
    for one in sorted(returns, key=lambda one: (one.known, one.instant, one.amount)):
        while waiting and purchases[waiting[-1]].known <= one.known:
            place = waiting.pop()
            free.put(place, purchases[place].amount)
        place = free.last(bisect_right(instants, one.instant), -one.amount)
        if place >= 0:
            free.put(place, 0)
            yield one.row, instants[place]


class _Free:
    """Amounts at places, the largest of every stretch known: the last large enough is found in log time."""

    def __init__(self, n_places: int) -> None:
        self._half = 1 << n_places.bit_length()
        self._largest = [0] * (2 * self._half)

    def put(self, place: int, amount: int) -> None:
        node = place + self._half
        self._largest[node] = amount
        while node > 1:
            node //= 2
            self._largest[node] = max(self._largest[2 * node], self._largest[2 * node + 1])

    def last(self, end: int, amount: int) -> int:
        """Return the last place before `end` with at least an amount; -1 where there is none."""
        node = end + self._half
        while node > 1 and not (node % 2 and self._largest[node - 1] >= amount):
            node //= 2
        if node <= 1:
            return -1
        node -= 1
        while node < self._half:
            node = 2 * node + (self._largest[2 * node + 1] >= amount)
        return node - self._half
