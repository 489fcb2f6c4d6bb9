"""From transactions to a customer's features, against lifetimes' summary of the same log."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from benchmarks.customers import transactions
from benchmarks.measuring import Measured, Row, best
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot

CUTOFF = "2024-12-31"
_LITERATURE = ["frequency", "recency", "T", "monetary_value"]


def rows(n_customers: int) -> Iterator[Row]:
    """Yield the comparisons."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes warns of its own old calls while it is imported and used
        from lifetimes.utils import summary_data_from_transaction_data

        frame = transactions(n_customers)
        log = CustomerLog(transactions=frame, observed_until=CUTOFF)
        window = Window(CUTOFF, 91)
        customers = len(take_snapshot(log, window, _LITERATURE).X)
        size = f"{len(frame):,} transactions, {customers:,} customers"
        theirs = Measured(
            best(
                lambda: summary_data_from_transaction_data(
                    frame, "customer_id", "timestamp", "amount", observation_period_end=CUTOFF
                )
            ),
            None,
            {},
        )
        yield Row(
            f"frequency, recency, T, monetary_value: {size}",
            Measured(best(lambda: take_snapshot(log, window, _LITERATURE)), None, {}),
            "lifetimes",
            theirs,
            None,
            "Nearly all is DuckDB's one statement: visits by customer and day, then customers.",
        )
        yield Row(
            f"the same with all features: {size}",
            Measured(best(lambda: take_snapshot(log, window)), None, {}),
            "lifetimes, 4 columns",
            theirs,
            None,
            "Nine tenths are DuckDB's one statement: windows of days, gaps between visits.",
        )
