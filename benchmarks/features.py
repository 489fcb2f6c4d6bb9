"""From a file of purchases to features: against SQL written by hand, against lifetimes, and all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import Measured, Row, alone
from benchmarks.purchases import MEMORY, stored_purchases

_FOUR = "frequency, recency, T, monetary_value"
_HAND = "DuckDB SQL by hand, from the file"


def rows(folder: Path, *, quick: bool, long: bool) -> Iterator[Row]:
    """Yield the comparisons."""
    n_rows = 2_000_000 if quick else 20_000_000
    path = stored_purchases(folder, n_rows)
    size = f"{n_rows:,} purchases in Parquet"
    by_hand = alone("by_hand", path)
    yield Row(
        f"{_FOUR}, log read before: {size}",
        alone("from_log", path),
        _HAND,
        by_hand,
        None,
        "Both are one hash table of visits, then one of customers; the log is in memory, in days.",
    )
    yield Row(
        f"{_FOUR}, door and all: {size}",
        alone("from_file", path),
        _HAND,
        by_hand,
        None,
        "What it takes longer is the door: each row is read, judged, searched for repeats and kept.",
    )
    yield against_lifetimes(folder, n_rows if long else n_rows // 10)
    four, everything = alone("literature_to_file", path), alone("everything_to_file", path)
    yield Row(
        f"all features into a file, log read before: {size}",
        everything,
        "the four alone, into a file",
        four,
        None,
        f"In parts of the customers, DuckDB held to {MEMORY}: the whole process peaked at "
        f"{everything.facts['peak']:,.0f} MB. Limited by sums over trailing windows and by the sort of "
        "visits that gaps need.",
    )
    if long:
        path.unlink()
        yield hundred_million(folder)


def against_lifetimes(folder: Path, n_rows: int) -> Row:
    """Return the comparison with lifetimes, both of what was read before."""
    path = stored_purchases(folder, n_rows)
    ours, theirs = alone("from_log", path), alone("by_lifetimes", path, repeats=1)
    peaks = f"{ours.facts['peak']:,.0f} MB and {theirs.facts['peak']:,.0f} MB"
    return Row(
        f"{_FOUR}, log read before: {n_rows:,} purchases in Parquet",
        ours,
        "lifetimes, frame read before",
        theirs,
        None,
        f"The whole processes, data included, peaked at {peaks}.",
    )


def hundred_million(folder: Path) -> Row:
    """Return all features of a log that lies on disk."""
    path = stored_purchases(folder, 100_000_000)
    done: Measured = alone("everything_to_file_on_disk", path, repeats=1)
    return Row(
        "all features into a file, log on disk: 100,000,000 purchases",
        done,
        "",
        None,
        None,
        f"The whole process peaked at {done.facts['peak']:,.0f} MB.",
    )
