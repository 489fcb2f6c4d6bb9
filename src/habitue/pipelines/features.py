"""`habitue features`: the matrix of what was known at a cutoff, and a dictionary of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from habitue.errors import SettingsError
from habitue.features import FEATURES, LITERATURE, Feature, matrix, statement
from habitue.files import safe_cells
from habitue.pipelines.files import write_beside, write_text
from habitue.records import CustomerLog, History
from habitue.records.csv_cells import without_formulas
from habitue.records.dialects import translated
from habitue.records.engine import literal
from habitue.snapshots import Population, learn_population
from habitue.vocabulary import Pillar

__all__ = ["Matrix", "choose_features", "data_dictionary", "feature_sql", "find_population", "write_features"]

_FORMATS = {".parquet": "(FORMAT parquet)", ".csv": "(FORMAT csv, HEADER)"}


class Matrix(NamedTuple):
    """What `write_features` wrote.

    Attributes
    ----------
    path : Path
        The matrix: one row a customer.
    dictionary : Path
        One row a column of it: meaning, unit, pillar, expected direction, records it is made from.
    n_customers, n_features : int
        Its shape.
    """

    path: Path
    dictionary: Path
    n_customers: int
    n_features: int


def choose_features(
    history: History,
    *,
    names: Sequence[str] = (),
    pillars: Sequence[str] = (),
    population: Population | None = None,
) -> tuple[Feature, ...]:
    """Return the features that a log's records allow, or those of them that are asked for.

    Parameters
    ----------
    history : History
        Says which records there are.
    names : sequence of str
        Features by name; the literature's four are added where the log has transactions.
    pillars : sequence of str
        Pillars whose features are wanted.
    population : Population, optional
        What was learned before; it allows more.

    Raises
    ------
    SettingsError
        Where a name or pillar is unknown, or nothing is left.
    """
    possible = (population or Population()).features(history)
    there = {one.name for one in possible}
    unknown = sorted(set(names) - there - {one.name for one in FEATURES})
    if unknown:
        raise SettingsError(f"There is no feature {', '.join(unknown)}; `habitue features --list` shows all.")
    strange = sorted(set(pillars) - set(Pillar))
    if strange:
        raise SettingsError(f"There is no pillar {', '.join(strange)}; known are {', '.join(Pillar)}.")
    if not names and not pillars:
        return possible
    lacking = [name for name in names if name not in there]
    if lacking:
        raise SettingsError(
            f"The log's records do not allow {', '.join(lacking)}; see `--list`. Some features have to be "
            "learned from a population first: see `--learn`."
        )
    wanted = {one.name for one in LITERATURE} | set(names)
    chosen = tuple(one for one in possible if one.name in wanted or one.pillar in pillars)
    if not chosen:
        raise SettingsError(f"The log's records allow no feature of {', '.join(pillars)}.")
    return chosen


def feature_sql(history: History, features: Sequence[Feature], dialect: str, *, horizon: int) -> str:
    """Return the statement that computes features, for a database of your own.

    Parameters
    ----------
    history : History
        What was known.
    features : sequence of Feature
        Columns wanted.
    dialect : str
        One of `habitue.records.dialects.DIALECTS`.
    horizon : int
        Days; the length of the last period that some features look back on.
    """
    values = {"cutoff": history.cutoff, "horizon": horizon}
    return translated(statement(history, features), dialect, values, pretty=True)


def data_dictionary(features: Sequence[Feature]) -> pd.DataFrame:
    """Return one row a feature: what it means, and what it is made from.

    Parameters
    ----------
    features : sequence of Feature
        In the order of the rows.
    """
    return pd.DataFrame(
        {
            "name": [one.name for one in features],
            "meaning": [one.term.meaning for one in features],
            "unit": [one.unit for one in features],
            "pillar": [one.pillar.value for one in features],
            "expected": [one.term.expected.value for one in features],
            "records": [one.kind for one in features],
            "columns": [", ".join(one.needs) for one in features],
            "where_there_is_no_record": [
                "missing" if one.absent is None else f"{one.absent:g}" for one in features
            ],
            "sql": [one.sql for one in features],
        }
    )


def find_population(
    log: CustomerLog, *, learn: date | None = None, learned: Path | None = None
) -> Population | None:
    """Learn what features need to know of a population, or read what was learned before.

    Parameters
    ----------
    log : CustomerLog
        The records.
    learn : date, optional
        Learn it from what was known on this day.
    learned : Path, optional
        Read it from this file.

    Returns
    -------
    Population or None
        None where neither is asked for.

    Raises
    ------
    SettingsError
        Where both are asked for, or there is no such file.
    DataError
        Where the file holds no population.
    """
    if learn is not None and learned is not None:
        raise SettingsError("Either learn a population or name one that was learned, not both.")
    if learned is not None:
        if not learned.is_file():
            raise SettingsError(f"There is no {learned}; make one with: habitue features --learn DAY")
        return Population.from_json(learned.read_text(encoding="utf-8"))
    return None if learn is None else learn_population(log.until(learn))


def write_features(
    log: CustomerLog,
    cutoff: date,
    features: Sequence[Feature],
    path: Path,
    *,
    horizon: int,
    population: Population | None = None,
) -> Matrix:
    """Write the matrix and its dictionary; each beside and renamed.

    Parameters
    ----------
    log : CustomerLog
        The records.
    cutoff : date
        The last day whose records may be read.
    features : sequence of Feature
        Columns wanted.
    path : Path
        A .parquet or .csv file; the dictionary gets its name with ``.dictionary.csv``.
    horizon : int
        Days; the length of the last period that some features look back on.
    population : Population, optional
        What some features need to know; it is written beside, with ``.population.json``.

    Raises
    ------
    SettingsError
        Where the file is of another sort or cannot be written.
    """
    options = _FORMATS.get(path.suffix.lower())
    if options is None:
        raise SettingsError(f"{path.name} is neither .parquet nor .csv; name a file of one of these sorts.")
    history = log.until(cutoff)
    known = population or Population()
    with (
        known.readable_in(history.engine),
        matrix(history, features, horizon=horizon) as (query, values),
    ):
        sql = translated(query, "duckdb", values)
        if "csv" in options:
            sql = without_formulas(history.engine, sql)
        # Streamed from the engine to the file: the matrix is never in memory as a whole.
        write_beside(path, lambda to: history.engine.execute(f"COPY ({sql}) TO {literal(str(to))} {options}"))
    dictionary = path.with_name(f"{path.stem}.dictionary.csv")
    write_beside(dictionary, lambda to: safe_cells(data_dictionary(features)).to_csv(to, index=False))
    if population is not None:
        write_text(path.with_name(f"{path.stem}.population.json"), population.to_json() + "\n")
    n_customers = history.engine.rows(f"SELECT count(*) FROM {literal(str(path))}")[0][0]
    return Matrix(path, dictionary, int(n_customers), len(features))
