"""One log of everything: many awkward logs drawn by Hypothesis beside a simulated business.

Customers are renumbered, so that one statement on one log tries all of them.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from logs import CUTOFF, HORIZON, logs

from habitue.features import FEATURES, Feature, build, statement
from habitue.features.context import attribute_features
from habitue.features.perceived_value import return_reason_features
from habitue.records import CustomerLog, DuckDBEngine, History
from habitue.records.business import simulate_business
from habitue.snapshots.population import Population, learn_population

Frames = dict[str, pd.DataFrame]

OBSERVED_UNTIL = dt.date(2030, 1, 1)


class Everything(NamedTuple):
    """A log of all kinds of record, and what the embedded database makes of it."""

    folder: Path
    log: CustomerLog
    history: History
    population: Population
    features: tuple[Feature, ...]
    sql: str
    built: pd.DataFrame

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """Return the records by kind, and what was learned from them."""
        records = {kind: pq.read_table(self.folder / f"{kind}.parquet") for kind in self.log.kinds}
        return records | dict(self.population.tables)

    @property
    def values(self) -> dict[str, Any]:
        """Return what the statement's names stand for."""
        return {"cutoff": CUTOFF, "horizon": HORIZON}


def everything(folder: Path) -> Everything:
    """Make the log and build all features of it; its tables lie in the folder as Parquet files."""
    parts = [_written(_log(with_customers(many_logs(30))), folder / "drawn")]
    parts.append(_written(simulate_business(n_customers=200).log, folder / "business"))
    kinds = sorted({path.stem for part in parts for path in part.iterdir()})
    log = _log({kind: _together([part / f"{kind}.parquet" for part in parts]) for kind in kinds})
    _written(log, folder / "all")
    history = log.until(CUTOFF)
    population = learn_population(history)
    features = (
        *FEATURES,
        *attribute_features(history, population.levels),
        *return_reason_features(history, population.return_reasons),
    )
    with population.readable_in(log.engine):
        sql = statement(history, features)
        built = build(history, features, horizon=HORIZON)
    return Everything(folder / "all", log, history, population, features, sql, built)


def many_logs(n_logs: int) -> Frames:
    """Return the records of `n_logs` drawn logs; two of them share four customers."""
    drawn: list[Frames] = []

    @settings(
        max_examples=n_logs,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(logs())
    def draw(frames: Frames) -> None:
        drawn.append(frames)

    draw()
    parts: dict[str, list[pd.DataFrame]] = {}
    for place, frames in enumerate(drawn):
        for kind, frame in frames.items():
            moved = frame.assign(customer_id=frame["customer_id"] + 1_000_000 + 10 * (place // 2))
            parts.setdefault(kind, []).append(moved)
    return {kind: pd.concat(frames, ignore_index=True) for kind, frames in parts.items()}


def with_customers(frames: Frames) -> Frames:
    """Add the table of customers: some acquired long before, some attributes missing."""
    ids = sorted(frames["transactions"]["customer_id"].unique())
    places = range(len(ids))
    acquired = pd.Timestamp("2020-02-29") + pd.to_timedelta([37 * place % 1400 for place in places], "D")
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "acquired_at": acquired.where([place % 5 > 0 for place in places]).astype("datetime64[us]"),
            "segment": [["gold", "it's \\ odd", None][place % 3] for place in places],
            "age": [None if place % 4 == 0 else 20.5 + place for place in places],
            "is_member": pd.array([[True, False, None][place % 3] for place in places], dtype="boolean"),
        }
    )
    return frames | {"customers": customers}


def _together(files: Sequence[Path]) -> pa.Table:
    """Put tables on top of each other, without what the door adds and only one of them has to say."""
    table = pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")
    return table.drop_columns(
        [name for name in ("day", "return_of_day", "currency") if name in table.column_names]
    )


def _log(tables: Mapping[str, Any]) -> CustomerLog:
    """Read tables into the embedded database, whatever is set aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return CustomerLog(**tables, observed_until=OBSERVED_UNTIL, engine=DuckDBEngine(threads=1))


def _written(log: CustomerLog, folder: Path) -> Path:
    folder.mkdir()
    for kind in log.kinds:
        log.engine.execute(f"COPY {kind} TO '{folder / kind}.parquet' (FORMAT parquet)")
    return folder
