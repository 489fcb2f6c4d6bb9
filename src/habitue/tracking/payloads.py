"""What a request may hold: read strictly, and refused in a sentence that repeats none of it.

What it is for: everything about a body that can be told before a model sees it. MLflow's server takes what it
can and answers what it cannot with the rows themselves and a traceback; rows are personal data, and
tracebacks are nobody's business.

What it deliberately is not: a reader of tables. MLflow makes the table; whatever passes here, it can read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.types import DataType

__all__ = ["LONGEST_HORIZON", "Asked", "Limits", "Refusal", "check_json", "check_table"]

LONGEST_HORIZON = 3_653
"""Days ahead that may be asked for: ten years. Some models take time for each period until then."""

_FORMS = ("dataframe_split", "dataframe_records")
_NUMBERS = frozenset({int, float, type(None)})
_SINGLE = _NUMBERS | {str, bool}


class Refusal(Exception):  # noqa: N818  (it is an answer, not a failure)
    """What is answered instead of predictions.

    Parameters
    ----------
    status : int
        HTTP's: 4xx where the request is wrong, 5xx where the server is.
    sentence : str
        What is wrong and what would be right. Holds nothing of the request.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True)
class Limits:
    """How much may be asked at once.

    Attributes
    ----------
    max_rows : int
        Customers in one request.
    max_bytes : int
        Bytes of one body.
    """

    max_rows: int = 10_000
    max_bytes: int = 16 * 2**20


class Asked(NamedTuple):
    """What a model reads and can be asked.

    Attributes
    ----------
    columns : tuple of str
        Those that the model reads, all of them numbers.
    params : Mapping[str, mlflow.types.DataType]
        What may be asked for beside, and as what.
    """

    columns: tuple[str, ...]
    params: Mapping[str, DataType]


def check_json(body: bytes, asked: Asked, *, max_rows: int) -> None:
    """Refuse a JSON body that is anything but one table of numbers and known parameters.

    Parameters
    ----------
    body : bytes
        As it came.
    asked : Asked
        What the model reads.
    max_rows : int
        Customers that one request may ask about.

    Raises
    ------
    Refusal
        Where it is malformed, lacks a column, or holds too many rows, unknown parameters, values that are no
        finite numbers, or anything nested.

    Examples
    --------
    >>> asked = Asked(("T",), {"reasons": DataType.boolean})
    >>> check_json(b'{"dataframe_records": [{"T": 39}], "params": {"reasons": true}}', asked, max_rows=1)
    >>> check_json(b'{"dataframe_records": [{"T": "39"}]}', asked, max_rows=1)
    Traceback (most recent call last):
    ...
    habitue.tracking.payloads.Refusal: the column T must hold finite numbers or null only.
    """
    read = _parsed(body)
    forms = [name for name in _FORMS if name in read] if isinstance(read, dict) else []
    if len(forms) != 1 or set(read) - {*forms, "params"}:
        raise Refusal(
            400,
            "The body must be a JSON object with dataframe_split or dataframe_records, and params where "
            "wanted; nothing else.",
        )
    _check_params(read.get("params"), asked.params)
    table = read[forms[0]]
    names, n_rows, column = _split(table) if forms[0] == "dataframe_split" else _records(table)
    _check_size(n_rows, max_rows)
    _check_names(names, asked.columns)
    reads = set(asked.columns)
    for name in names:
        _check_column(name if name in reads else None, column(name))


def check_table(frame: pd.DataFrame, asked: Asked, *, max_rows: int) -> pd.DataFrame:
    """Return what the model reads of a table, as MLflow made it; refuse one that it cannot read.

    Parameters
    ----------
    frame : DataFrame
        One row a customer.
    asked : Asked
        What the model reads.
    max_rows : int
        Customers that one request may ask about.

    Returns
    -------
    DataFrame
        The model's columns in its order, as float64; missing values are NaN.

    Raises
    ------
    Refusal
        Where it lacks or repeats a column, has too many rows or none, or holds what is no finite number.

    Examples
    --------
    >>> check_table(pd.DataFrame({"T": [39.0, np.inf]}), Asked(("T",), {}), max_rows=2)
    Traceback (most recent call last):
    ...
    habitue.tracking.payloads.Refusal: the column T must hold finite numbers or null only.
    """
    _check_size(len(frame), max_rows)
    _check_names([str(name) for name in frame.columns], asked.columns)
    table: pd.DataFrame = frame.loc[:, list(asked.columns)]
    values = table.to_numpy()
    if values.dtype.kind not in "iuf":
        # Somewhere is something else: a column of nothing but null, or one that is to be named.
        values = np.column_stack([_numbers(name, table[name].to_numpy()) for name in asked.columns])
    values = np.asarray(values, dtype=np.float64, order="F")
    if (infinite := np.isinf(values).any(axis=0)).any():
        raise _no_numbers(asked.columns[int(np.argmax(infinite))])
    return pd.DataFrame(values, columns=list(asked.columns), index=frame.index)


def _numbers(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return a column as numbers; one of nothing but null holds objects."""
    if values.dtype.kind == "O" and all(one is None for one in values):
        return np.full(len(values), np.nan)
    if values.dtype.kind not in "iuf":
        raise _no_numbers(name)
    return values.astype(np.float64)


def _parsed(body: bytes) -> Any:
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32, too.
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The body is not valid JSON in UTF-8; NaN and Infinity are not JSON.") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_params(given: Any, known: Mapping[str, DataType]) -> None:
    """Refuse what MLflow would drop with a warning, or turn into something else."""
    if given is None:
        return
    if not isinstance(given, dict) or set(given) - set(known):
        raise Refusal(400, f"params must be an object; this model knows {_listed(known)}.")
    for name, value in given.items():
        told, holds = _RULES[known[name]]
        if not holds(value):
            raise Refusal(400, f"The parameter {name} must be {told}.")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)


def _is_days(value: Any) -> bool:
    return type(value) is int and 0 < value <= LONGEST_HORIZON


_RULES: dict[DataType, tuple[str, Callable[[Any], bool]]] = {
    DataType.boolean: ("true or false", lambda value: type(value) is bool),
    DataType.double: ("a finite number", _is_number),
    DataType.long: (f"a whole number from 1 to {LONGEST_HORIZON}", _is_days),
}


def _split(table: Any) -> tuple[Sequence[str], int, Callable[[str], Iterable[Any]]]:
    """Return names, number of rows, and what gives the values of a column."""
    if not isinstance(table, dict) or set(table) - {"columns", "data", "index"}:
        raise _no_split()
    names, rows, index = (table.get(key) for key in ("columns", "data", "index"))
    if not isinstance(names, list) or not isinstance(rows, list) or set(map(type, names)) != {str}:
        raise _no_split()
    if any(type(row) is not list or len(row) != len(names) for row in rows):
        raise _no_split()
    if index is not None and not _is_index(index, len(rows)):
        raise _no_split()
    columns: list[Any] = list(zip(*rows, strict=True))
    return names, len(rows), lambda name: columns[names.index(name)]


def _records(table: Any) -> tuple[Sequence[str], int, Callable[[str], Iterable[Any]]]:
    """Return names, number of rows, and what gives the values of a column."""
    if not isinstance(table, list) or any(type(row) is not dict for row in table):
        raise Refusal(400, "dataframe_records must be a list of objects, one a customer.")
    names = list(table[0]) if table else []
    if any(row.keys() != table[0].keys() for row in table):
        raise Refusal(400, "The objects of dataframe_records must all have the same columns.")
    return names, len(table), lambda name: [row[name] for row in table]


def _no_split() -> Refusal:
    return Refusal(
        400,
        "dataframe_split must be an object with columns, a list of names, and data, a list of rows with one "
        "value a column; index, where it is given, has one number or text a row.",
    )


def _is_index(index: Any, n_rows: int) -> bool:
    """Tell whether these are labels as pandas writes them: numbers or texts, one a row."""
    if not isinstance(index, list) or len(index) != n_rows or not set(map(type, index)) <= {int, str}:
        return False
    return all(type(one) is str or abs(one) < 2**63 for one in index)


def _check_size(n_rows: int, max_rows: int) -> None:
    if n_rows > max_rows:
        raise Refusal(413, f"At most {max_rows} customers can be asked about at once; send fewer rows.")
    if not n_rows:
        raise Refusal(400, "The table has no rows; send one row a customer.")


def _check_names(names: Sequence[str], columns: Sequence[str]) -> None:
    there = set(names)
    if missing := [name for name in columns if name not in there]:
        raise Refusal(
            400, f"Missing columns: {_listed(missing)}. GET /version names all that the model reads."
        )
    if len(there) < len(names):
        raise Refusal(400, "A column is there more than once; keep one of each.")


def _check_column(name: str | None, values: Iterable[Any]) -> None:
    """Refuse what is no number in a column that the model reads; in others, what is nested."""
    kinds = set(map(type, values))
    if name is None:
        if not kinds <= _SINGLE:
            raise Refusal(400, "Columns that the model does not read may hold single values only.")
        return
    if not kinds <= _NUMBERS:
        raise _no_numbers(name)
    try:
        numbers = np.array(list(values), dtype=np.float64)
    except OverflowError as error:
        raise _no_numbers(name) from error
    if np.isinf(numbers).any():
        raise _no_numbers(name)


def _no_numbers(name: str) -> Refusal:
    return Refusal(400, f"the column {name} must hold finite numbers or null only.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
