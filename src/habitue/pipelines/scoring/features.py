"""What models read of everybody: built from records, or taken from a table that was prepared before.

A batch has it in one Parquet file, in order of customer_id, which the engine writes without holding all of it
in memory; a notebook has it in frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.features import FEATURES, Feature, build, matrix
from habitue.pipelines.scoring.answers import Chunk
from habitue.pipelines.scoring.models import Base, Models
from habitue.records import CustomerLog, DuckDBEngine, Engine, History, TableCheck
from habitue.records.csv_cells import as_it_was
from habitue.records.dialects import translated
from habitue.records.engine import literal, quoted
from habitue.snapshots import Population
from habitue.snapshots.snapshot import churn_told_by, history_of

__all__ = ["FeatureFile", "Prepared", "Records", "Source", "frames_of", "recorded"]

_KEY = "customer_id"
_MEMORY = "1GB"
"""What DuckDB may take to read and sort a prepared table; beyond it goes to a temporary folder."""
_ROWS_TOGETHER = 50_000
"""Rows of a group in the file of features: what reading it holds in memory."""


class Source(Protocol):
    """Where features come from."""

    @property
    def cutoff(self) -> date:
        """The last day that counts."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of all that was handed in."""
        ...

    def recorded(self) -> dict[str, Any]:
        """Say what was handed in and what was set aside, as a manifest tells it."""
        ...

    def write(self, models: Models, to: Path) -> None:
        """Write the features of everybody, in order of customer_id.

        Parameters
        ----------
        models : Models
            Who reads them.
        to : Path
            A Parquet file, as `FeatureFile` reads it.
        """
        ...


@dataclass(frozen=True)
class Records:
    """Records: features are built of what was known at a cutoff.

    Attributes
    ----------
    log : CustomerLog
        The records, in DuckDB.
    cutoff : date
        The last day that counts.
    """

    log: CustomerLog
    cutoff: date

    def fingerprint(self) -> str:
        """See `Source.fingerprint`."""
        return self.log.fingerprint()

    def recorded(self) -> dict[str, Any]:
        """See `Source.recorded`."""
        return recorded(self.log)

    def write(self, models: Models, to: Path) -> None:
        """See `Source.write`.

        Parameters
        ----------
        models : Models
            Who reads them.
        to : Path
            A Parquet file.
        """
        engine = self.log.engine
        parts: list[Path] = []
        for place, base in enumerate(models.bases):
            one = to if len(models.bases) == 1 else to.with_name(f"{to.name}.{place}")
            history, population, chosen = _asked(self.log, self.cutoff, base, models.columns(base))
            with (
                population.readable_in(engine),
                matrix(history, chosen, horizon=base.horizon) as (query, values),
            ):
                _copy(engine, translated(query, "duckdb", values), one)
            parts.append(one)
        if len(parts) > 1:
            _copy(engine, _side_by_side(parts, models), to)
            for one in parts:
                one.unlink()


@dataclass(frozen=True)
class Prepared:
    """A table of features that was made before, such as by `habitue features`.

    Attributes
    ----------
    path : Path
        A .parquet or .csv file, or a folder of Parquet files.
    cutoff : date
        The last day that it knows of.
    engine : DuckDBEngine
        What reads it.
    """

    path: Path
    cutoff: date
    engine: DuckDBEngine = field(repr=False)

    @classmethod
    def at(cls, path: Path, cutoff: date | None, *, memory_limit: str | None = None) -> Prepared:
        """Look at a table, and find its cutoff where none is named.

        Parameters
        ----------
        path : Path
            A .parquet or .csv file, or a folder of Parquet files.
        cutoff : date or None
            The last day that it knows of; a column ``cutoff`` says it where None.
        memory_limit : str, optional
            For example ``"2GB"``, of what sorting takes; 1 GB where None. More goes to a temporary folder.

        Raises
        ------
        SettingsError
            Where there is no such file, or nothing says the cutoff.
        SchemaError
            Where the table has no customer_id.
        """
        engine = DuckDBEngine(memory_limit=memory_limit or _MEMORY)
        there = _columns(engine, path)
        if _KEY not in there:
            raise SchemaError(f"{path} has no column {_KEY}; it has {', '.join(there)}.")
        days = _days(engine, path) if "cutoff" in there else []
        if cutoff is None and len(days) != 1:
            told = f"holds {len(days)} cutoffs" if days else "does not say as of which day"
            raise SettingsError(f"{path} {told} customers are described; name it with --cutoff.")
        if cutoff is not None and days and cutoff not in days:
            raise DataError(f"{path} describes nobody as of {cutoff}; it has {', '.join(map(str, days))}.")
        return cls(path, cutoff or days[0], engine)

    def fingerprint(self) -> str:
        """See `Source.fingerprint`."""
        n_rows, total, xor = self.engine.digest(f"({self._rows()})")
        return f"{n_rows}-{total:x}-{xor:x}"

    def recorded(self) -> dict[str, Any]:
        """See `Source.recorded`."""
        there = _columns(self.engine, self.path)
        oldest = 'max("T")' if "T" in there else "0"
        n, admitted, days = self.engine.rows(
            f"SELECT count(*), count({_KEY}), {oldest} FROM ({self._rows()})"
        )[0]
        aside = {"customer_id is missing": n - admitted} if n > admitted else {}
        data = {
            "source": self.path.name, "n_rows": n, "n_admitted": admitted, "quarantined": aside, "notes": [],
        }  # fmt: skip
        return {
            # Who was there first came T days before the cutoff.
            "first_day": str(self.cutoff - timedelta(days=int(days or 0))),
            "observed_until": str(self.cutoff),
            "data": dict(data),
            "records": {"features": data},
        }

    def write(self, models: Models, to: Path) -> None:
        """See `Source.write`.

        Parameters
        ----------
        models : Models
            Who reads them; all of them read this table.
        to : Path
            A Parquet file.

        Notes
        -----
        What models read and the table lacks is left out: the contract says so.
        """
        there = _columns(self.engine, self.path)
        wanted = [name for base in models.bases for name in models.columns(base) if name in there]
        selected = ", ".join(map(quoted, dict.fromkeys([_KEY, *wanted])))
        order = "" if self._is_in_order() else f" ORDER BY {_KEY}"
        _copy(self.engine, f"SELECT {selected} FROM ({self._rows()}) WHERE {_KEY} IS NOT NULL{order}", to)

    def _is_in_order(self) -> bool:
        """Tell whether rows come in order of ids, as `habitue features` writes them: sorting takes long."""
        before = f"SELECT {_KEY} AS id, lag({_KEY}) OVER () AS before FROM ({self._rows()})"
        return (
            self.engine.rows(f"SELECT count(*) FROM ({before}) WHERE id < before OR before IS NULL")[0][0]
            <= 1
        )

    def _rows(self) -> str:
        """Return a query for the rows of the cutoff."""
        known = f" WHERE CAST(cutoff AS DATE) = DATE '{self.cutoff.isoformat()}'"
        there = _columns(self.engine, self.path)
        in_text = self.path.suffix.lower() == ".csv" and not self.path.is_dir()
        ids = f" REPLACE ({as_it_was(_KEY)} AS {_KEY})" if in_text else ""
        return f"SELECT *{ids} FROM {_relation(self.path)}{known if 'cutoff' in there else ''}"


@dataclass(frozen=True)
class FeatureFile:
    """The features of everybody, some customers at a time.

    Attributes
    ----------
    path : Path
        What a `Source` wrote.
    models : Models
        Who reads them.
    """

    path: Path
    models: Models

    @property
    def n_customers(self) -> int:
        """Rows."""
        return pq.ParquetFile(self.path).metadata.num_rows

    @property
    def ids(self) -> pa.DataType:
        """The type of customer_id."""
        return pq.read_schema(self.path).field(_KEY).type

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield what is known of the next customers.

        Parameters
        ----------
        size : int
            Customers at most. The same size cuts the same file the same way.
        """
        with pq.ParquetFile(self.path) as file:
            for part in file.iter_batches(batch_size=size):
                rows = part.to_pandas().set_index(_KEY)
                yield Chunk(rows.index, self._apart(rows))

    def of(self, one: Any, size: int) -> Iterator[pd.DataFrame]:
        """Yield what one model reads, some customers at a time.

        Parameters
        ----------
        one : LoadedModel
            Of the models.
        size : int
            Customers at most.
        """
        for chunk in self.chunks(size):
            X = chunk.tables[self.models.place(one)]
            yield X.loc[:, [name for name in one.input_columns if name in X]]

    def _apart(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        bases = self.models.bases
        if "0" not in rows:
            return [rows] * len(bases)
        found: list[pd.DataFrame] = []
        for place in range(len(bases)):
            own = rows.loc[rows[str(place)].astype(bool)].filter(regex=f"^{place}\\.")
            found.append(own.rename(columns=lambda name: str(name).partition(".")[2]))
        return found


def frames_of(log: CustomerLog, cutoff: date, models: Models) -> list[pd.DataFrame]:
    """Build what models read in memory, one frame for each base.

    Parameters
    ----------
    log : CustomerLog
        The records.
    cutoff : date
        The last day that counts.
    models : Models
        Who reads it.
    """
    frames: list[pd.DataFrame] = []
    for base in models.bases:
        history, population, chosen = _asked(log, cutoff, base, models.columns(base))
        with population.readable_in(log.engine):
            frames.append(build(history, chosen, horizon=base.horizon))
    return frames


def recorded(log: CustomerLog) -> dict[str, Any]:
    """Say what the door found in the source of each kind of record.

    Parameters
    ----------
    log : CustomerLog
        The records.
    """
    records = {kind: _of_check(check) for kind, check in log.checks.items()}
    main = "transactions" if "transactions" in records else "contracts"
    return {
        "first_day": str(log.first_day),
        "observed_until": str(log.observed_until),
        "data": dict(records[main]),
        "records": records,
    }


def _of_check(check: TableCheck) -> dict[str, Any]:
    return {
        "source": check.source,
        "n_rows": check.n_rows,
        "n_admitted": check.n_admitted,
        "quarantined": dict(check.quarantined),
        "notes": list(check.notes),
    }


def _asked(
    log: CustomerLog, cutoff: date, base: Base, wanted: Sequence[str]
) -> tuple[History, Population, list[Feature]]:
    """Return what features are built from, and which.

    Some features look as far back as the horizon looks ahead: that is the one learned, whatever is asked for.
    """
    history = history_of(log, cutoff, churn_told_by(log, base.churn))
    population = Population.from_json(base.population) if base.population else Population()
    # What the records do not allow is known too: building says what is missing for it.
    known = {one.name: one for one in (*FEATURES, *population.features(history))}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SettingsError(f"There is no feature {', '.join(unknown)}. Known are: {', '.join(known)}.")
    return history, population, [known[name] for name in wanted]


def _copy(engine: Engine, query: str, to: Path) -> None:
    options = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS_TOGETHER})"
    engine.execute(f"COPY ({query}) TO {literal(str(to))} {options}")


def _side_by_side(parts: Sequence[Path], models: Models) -> str:
    """Join the features of several bases: "0" says who is in the first, "0.T" is T as it has it."""
    selected, joined = [_KEY], ""
    for place, (path, base) in enumerate(zip(parts, models.bases, strict=True)):
        name = f"base_{place}"
        selected.append(f"{name}.{_KEY} IS NOT NULL AS {quoted(str(place))}")
        selected += [
            f"{name}.{quoted(column)} AS {quoted(f'{place}.{column}')}" for column in models.columns(base)
        ]
        table = f"read_parquet({literal(str(path))}) AS {name}"
        joined += f" FULL JOIN {table} USING ({_KEY})" if place else f"FROM {table}"
    return f"SELECT {', '.join(selected)} {joined} ORDER BY {_KEY}"


def _relation(path: Path, *, types: str = f", types = {{'{_KEY}': 'VARCHAR'}}") -> str:
    """Return how SQL reads a table; ids in a CSV are text, as 0042 is no number."""
    if path.is_dir():
        return f"read_parquet({literal(str(path / '**' / '*.parquet'))}, hive_partitioning = true)"
    if path.suffix.lower() == ".parquet":
        return f"read_parquet({literal(str(path))}, hive_partitioning = false)"
    return f"read_csv({literal(str(path))}, header = true{types})"


def _columns(engine: DuckDBEngine, path: Path) -> dict[str, str]:
    if not path.is_dir() and path.suffix.lower() not in {".parquet", ".csv"}:
        raise SettingsError(f"{path} is no table of features; expected a .parquet or .csv file, or a folder.")
    if not path.exists():
        raise SettingsError(f"There is no {path}. Make it with: habitue features --output {path}")
    try:
        return engine.columns(_relation(path, types=""))
    except duckdb.Error as error:
        raise DataError(f"{path} could not be read as a table: {str(error).splitlines()[0]}") from error


def _days(engine: DuckDBEngine, path: Path) -> list[date]:
    rows = engine.rows(f"SELECT DISTINCT CAST(cutoff AS DATE) FROM {_relation(path)} ORDER BY 1")
    return [day for (day,) in rows if day is not None]
