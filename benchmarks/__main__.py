"""Measures habitue against peers, in one run on one machine: ratios, not promises.

``python -m benchmarks`` prints each line when it is measured, and writes all of them to benchmarks/README.md
at the end. ``--quick`` takes a tenth of the customers and writes nothing; ``--only fits answers`` runs some
groups and writes nothing; ``--long`` adds what takes minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import allocation, answers, features, fits, posteriors, records, scorecard, scoring
from benchmarks.measuring import LOGS_PER_HISTORY, Measured, Row, seconds_per_log

README = Path(__file__).with_name("README.md")

_HEAD = """# Benchmarks

habitue against peers, measured in one run on one machine by `make bench`, which writes this page:

{machine}

| what | habitue | peer | its time | times faster | times its floor | memory added |
|---|---|---|---|---|---|---|
"""

_FOOT = """
Below 1 in "times faster" the peer is the faster one. Times are the best of a few runs; what takes minutes
runs once. "Times its floor" is our time over that of the logarithms alone that the work cannot do without,
{nanoseconds:.1f} ns each in this run: {logs} for each distinct history at each pass of a fit or draw of a
posterior, {logs} a customer for an answer. Memory is the peak that the work adds to a process that holds its
data, of the peer's in brackets. Customers are simulated by the story of the model: acquired over a year,
observed to the end of the second, one visit a day (or a week) counting. Logs of transactions are simulated by
the story of BG/NBD.

## What limits each, and what was found

"""


def groups(
    folder: Path, per_log: float, *, quick: bool, long: bool
) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the groups of comparisons by name, in the order of the table."""
    return {
        "records": lambda: records.rows(40_000 if quick else 400_000),
        "features": lambda: features.rows(folder, quick=quick, long=long),
        "answers": lambda: answers.rows(folder, per_log, quick=quick),
        "bgnbd": lambda: fits.bgnbd_rows(folder, per_log, quick=quick),
        "pareto": lambda: fits.pareto_rows(folder, per_log, quick=quick),
        "paths": fits.paths_rows,
        "posteriors": lambda: posteriors.rows(folder, per_log, quick=quick, long=long),
        "scoring": lambda: scoring.rows(folder, quick=quick, long=long),
        "scorecard": lambda: scorecard.rows(folder, quick=quick),
        "decisions": lambda: allocation.rows(folder, quick=quick, long=long),
    }


def line(row: Row) -> str:
    """Return a row of the table."""
    faster = f"{row.theirs.seconds / row.ours.seconds:.3g}" if row.ours and row.theirs else ""
    floor = f"{row.ours.seconds / row.floor:.3g}" if row.ours and row.floor else ""
    theirs = _seconds(row.theirs) if row.theirs else ("not run" if row.peer else "")
    ours = _seconds(row.ours) if row.ours else "not run"
    return f"| {row.what} | {ours} | {row.peer} | {theirs} | {faster} | {floor} | {_memory(row)} |"


def _seconds(measured: Measured) -> str:
    """Return a time as it is read best."""
    return f"{measured.seconds:.3g} s"


def _memory(row: Row) -> str:
    """Return our peak, the peer's in brackets."""
    if row.ours is None or row.ours.megabytes is None:
        return ""
    theirs = row.theirs.megabytes if row.theirs else None
    return f"{row.ours.megabytes:,.0f} MB" + (f" ({theirs:,.0f} MB)" if theirs is not None else "")


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="a tenth of the customers; writes nothing")
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="some groups; writes nothing")
    asked = parser.parse_args()
    load = f"load when it began {os.getloadavg()[0]:.1f}"
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {load}"
    print(machine, flush=True)
    per_log, done = seconds_per_log(), list[Row]()
    with tempfile.TemporaryDirectory() as folder:
        there = groups(Path(folder), per_log, quick=asked.quick, long=asked.long)
        if unknown := set(asked.only or ()) - set(there):
            parser.error(f"unknown groups: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
        for name in asked.only or there:
            for row in there[name]():
                print(f"{line(row)}\n    {row.limit}", flush=True)
                done.append(row)
    if not (asked.quick or asked.only):
        README.write_text(page(machine, per_log, done), encoding="utf-8")


def page(machine: str, per_log: float, done: list[Row]) -> str:
    """Return the page."""
    table = "".join(f"{line(row)}\n" for row in done)
    limits = "".join(f"- **{row.what}.** {row.limit}\n" for row in done)
    foot = _FOOT.format(nanoseconds=1e9 * per_log, logs=LOGS_PER_HISTORY)
    return _HEAD.format(machine=machine) + table + foot + limits


if __name__ == "__main__":
    main()
