"""How long a piece of work takes, how much memory it needs, and how quick it could be at best.

Models are measured in a process of their own (:mod:`benchmarks.alone`), so that one line's memory is not
another's, and what lifetimes does when it is imported touches nobody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

REPEATS = 3
LOGS_PER_HISTORY = 3  # log(alpha + T), log(alpha + t_x), log of their sum: no BTYD likelihood has fewer


class Measured(NamedTuple):
    """What one piece of work took.

    Attributes
    ----------
    seconds : float
        Best of the repeats, as what else the machine does can only add to it.
    megabytes : float or None
        Peak memory that it added to what the process held when its data were loaded.
    facts : dict
        What it found, such as its log-likelihood.
    """

    seconds: float
    megabytes: float | None
    facts: dict[str, Any]


class Row(NamedTuple):
    """One comparison.

    Attributes
    ----------
    what : str
        The work.
    ours : Measured or None
        None where it was not run.
    peer : str
        Who else did it; empty where nobody.
    theirs : Measured or None
        None where the peer was not run.
    floor : float or None
        Seconds that the logs alone would take which the work cannot do without.
    limit : str
        What limits it, and what was found besides: sentences.
    """

    what: str
    ours: Measured | None
    peer: str
    theirs: Measured | None
    floor: float | None
    limit: str


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest wall time of a few runs, in seconds."""
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def alone(work: str, data: Path, *, repeats: int = REPEATS) -> Measured:
    """Measure a piece of work, by its name in `benchmarks.alone`, in a fresh process."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", work, str(data), str(repeats)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"{work} failed:\n{ran.stderr}")
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def seconds_per_log() -> float:
    """Time of one logarithm in an array that fits the processor's cache."""
    values, out = np.linspace(1.0, 1000.0, 32_768), np.empty(32_768)

    def work() -> None:
        for _ in range(50):
            np.log(values, out=out)

    return best(work, 5) / (50 * values.size)
