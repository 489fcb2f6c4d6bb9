"""Measures habitue against peers, in one run on one machine: ratios, not promises.

``make bench`` prints a table in Markdown; the last one stands in benchmarks/README.md. Each time is the best
of `REPEATS`, as what else the machine does can only add to it.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from habitue.models import BGNBD
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot

REPEATS = 3
CUTOFF = "2024-12-31"


class Row(NamedTuple):
    """One comparison, in seconds."""

    what: str
    ours: float
    peer: str
    theirs: float


def simulate_log(n_customers: int, seed: int = 0) -> pd.DataFrame:
    """Purchases of two years by the BG/NBD story: gamma rates, beta dropout after each purchase."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, 365, n_customers)
    rate = rng.gamma(0.8, 1 / 40, n_customers)
    dropout = rng.beta(0.8, 2.4, n_customers)
    lived = rng.geometric(np.clip(dropout, 1e-6, 1))
    who = np.repeat(np.arange(n_customers), np.minimum(lived, 200))
    wait = rng.exponential(1 / rate[who])
    first = np.r_[True, who[1:] != who[:-1]]
    wait[first] = born[who[first]]
    day = pd.Series(wait).groupby(who).cumsum().to_numpy()
    kept = day <= 730
    amount = np.round(rng.gamma(6, 5, kept.sum()), 2)
    when = pd.Timestamp("2023-01-01") + pd.to_timedelta(day[kept].astype("int64"), unit="D")
    return pd.DataFrame({"customer_id": who[kept], "timestamp": when, "amount": amount})


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest wall time of a few runs, in seconds."""
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure() -> Iterator[Row]:
    """Yield the comparisons, the quickest first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes warns of its own old calls while it is imported and used
        from lifetimes import BetaGeoFitter
        from lifetimes.utils import summary_data_from_transaction_data

        frame = simulate_log(400_000)
        log = CustomerLog(transactions=frame, observed_until=CUTOFF)
        window = Window(CUTOFF, 91)
        literature = ["frequency", "recency", "T", "monetary_value"]
        X = take_snapshot(log, window, literature).X
        size = f"{len(frame):,} transactions, {len(X):,} customers"
        theirs = best(
            lambda: summary_data_from_transaction_data(
                frame, "customer_id", "timestamp", "amount", observation_period_end=CUTOFF
            ),
        )
        yield Row(
            f"frequency, recency, T, monetary_value: {size}",
            best(lambda: take_snapshot(log, window, literature)),
            "lifetimes",
            theirs,
        )
        yield Row(
            f"the same with all features: {size}",
            best(lambda: take_snapshot(log, window)),
            "lifetimes, 4 columns",
            theirs,
        )
        some = X.iloc[:100_000]
        columns = [some[name] for name in literature[:3]]
        yield Row(
            "BG/NBD fit: 100,000 customers",
            best(lambda: BGNBD().fit(some)),
            "lifetimes",
            best(lambda: BetaGeoFitter().fit(*columns)),
        )
        ours, peer = BGNBD().fit(some), BetaGeoFitter().fit(*columns)
        yield Row(
            "BG/NBD expected purchases in 91 days: 100,000 customers",
            best(lambda: ours.expected_purchases(some, horizon=91)),
            "lifetimes",
            best(lambda: peer.conditional_expected_number_of_purchases_up_to_time(91, *columns)),
        )  # fmt: skip


def main() -> None:
    """Print the table."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, best of {REPEATS}\n")
    print("| what | habitue | peer | its time | times faster |\n|---|---|---|---|---|")
    for row in measure():
        times = f"{row.ours:.2f} s | {row.peer} | {row.theirs:.2f} s | {row.theirs / row.ours:.1f}"
        print(f"| {row.what} | {times} |", flush=True)


if __name__ == "__main__":
    main()
