"""Values as plain JSON and back: the codec beneath `habitue.models.persistence`.

What it is for: one rule a kind of value, each of them exact. Numbers come back bit for bit, arrays with
dtype, shape and memory order (the order decides in which sequence sums are taken), tuples as tuples, NaN
as NaN. Every JSON object it writes carries a ``kind``, so nothing is ambiguous.

What it deliberately is not: a general serialiser. A value of another type, and an object whose class is
not on the allow-list, is refused with its place in the model.
"""

from __future__ import annotations

import datetime as dt
import inspect
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import numpy as np
import pandas as pd

from habitue.errors import DataError

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["Decoder", "Encoder", "Json"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_NUMERIC_KINDS = "biuf"
_TIME_KINDS = "mM"
_ARRAY_KINDS = _NUMERIC_KINDS + _TIME_KINDS + "UO"
_WIDEST_FLOAT = 8  # bytes; a long double has no exact decimal form in JSON
_INDEX_DTYPES = frozenset({"str", "object", "int64", "float64", "bool"})
_FITTED = re.compile(r"[A-Za-z]\w*_")
_NONFINITE = frozenset({"nan", "inf", "-inf"})


class Encoder:
    """Turn values into JSON, collecting the boosters met on the way.

    Parameters
    ----------
    allowed : Mapping[str, type]
        Classes that may be stored, by name.

    Attributes
    ----------
    boosters : list of lightgbm.Booster
        Boosters met so far; in the JSON each stands as its position in this list.

    Examples
    --------
    >>> Encoder({}).encode((1, float("nan")), where="example")
    {'kind': 'tuple', 'items': [1, {'kind': 'float', 'value': 'nan'}]}
    """

    def __init__(self, allowed: Mapping[str, type]) -> None:
        self.allowed = allowed
        self.boosters: list[Booster] = []

    def encode(self, value: object, *, where: str) -> Json:
        """Return the JSON form of one value.

        Parameters
        ----------
        value : object
            Any of the plain types, or an object of an allowed class.
        where : str
            The value's place in the model, for the message when it can't be stored.

        Returns
        -------
        Json
            What ``json.dumps`` accepts.

        Raises
        ------
        DataError
            If the value, or one inside it, is of a type that isn't stored.
        """
        if value is None or type(value) in (bool, int, str):
            return cast("Json", value)
        if type(value) is float:
            return value if math.isfinite(value) else {"kind": "float", "value": repr(value)}
        if isinstance(value, np.generic):
            return {"kind": "scalar", "array": self._array(np.asarray(value), where)}
        if type(value) is np.ndarray:
            return self._array(value, where)
        if type(value) is pd.Index:
            return self._index(value, where)
        if type(value) in (list, tuple, dict):
            return self._container(value, where)
        if isinstance(value, dt.date) and value is not pd.NaT:
            return _encode_time(value, where)
        if _is_booster(value):
            self.boosters.append(value)
            return {
                "kind": "booster",
                "number": len(self.boosters) - 1,
                "best_iteration": value.best_iteration,
            }
        return self.encode_object(value, where=where)

    def encode_object(self, value: object, *, where: str) -> Json:
        """Return the JSON form of an object of an allowed class: its parameters and what it learned.

        Parameters
        ----------
        value : object
            An estimator, a named tuple or a dataclass.
        where : str
            The value's place in the model.

        Returns
        -------
        Json
            Class name, constructor parameters, fitted attributes.

        Raises
        ------
        DataError
            If its class isn't allowed, or something inside can't be stored.
        """
        name = type(value).__name__
        if self.allowed.get(name) is not type(value):
            raise DataError(
                f"{where} is a {type(value).__module__}.{name}, which can't be stored. Stored are numbers, "
                "texts, dates, lists, tuples, dicts, numpy arrays, an Index of names, LightGBM boosters, and "
                "objects of classes marked with habitue.models.persistence.persistent"
            )
        params = _parameters(value, where)
        fitted = {
            key: item
            for key, item in getattr(value, "__dict__", {}).items()
            if _FITTED.fullmatch(key) and key not in params
        }
        return {
            "kind": "object",
            "class": name,
            "params": {key: self.encode(item, where=f"{where}.{key}") for key, item in params.items()},
            "fitted": {key: self.encode(item, where=f"{where}.{key}") for key, item in fitted.items()},
        }

    def _container(self, value: Any, where: str) -> Json:
        if isinstance(value, dict):
            pairs: list[Json] = [
                [self.encode(key, where=f"a key of {where}"), self.encode(item, where=f"{where}[{key!r}]")]
                for key, item in value.items()
            ]
            return {"kind": "dict", "items": pairs}
        items = [self.encode(item, where=f"{where}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"kind": "tuple", "items": items}

    def _array(self, array: np.ndarray[Any, Any], where: str) -> Json:
        dtype = array.dtype
        if dtype.kind not in _ARRAY_KINDS or (dtype.kind == "f" and dtype.itemsize > _WIDEST_FLOAT):
            raise DataError(f"{where} is an array of {dtype}, which can't be stored; convert it to float64")
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        flat = array.ravel(order=order)
        if dtype.kind in _TIME_KINDS:
            flat = flat.astype(dtype.newbyteorder("=")).view(np.int64)
        values: list[Any] = flat.tolist()
        if dtype.kind == "f" and not np.isfinite(flat).all():
            values = [item if math.isfinite(item) else repr(item) for item in values]
        if dtype.kind == "O":
            values = [self.encode(item, where=f"{where}[{i}]") for i, item in enumerate(values)]
        return {
            "kind": "array",
            "dtype": dtype.newbyteorder("=").str if dtype.kind == "U" else dtype.name,
            "shape": list(array.shape),
            "order": order,
            "values": values,
        }

    def _index(self, index: pd.Index, where: str) -> Json:
        if str(index.dtype) not in _INDEX_DTYPES:
            allowed = ", ".join(sorted(_INDEX_DTYPES))
            raise DataError(
                f"{where} is an Index of {index.dtype}, which can't be stored; stored are {allowed}"
            )
        return {
            "kind": "index",
            "dtype": str(index.dtype),
            "name": self.encode(index.name, where=f"the name of {where}"),
            "values": self.encode(index.tolist(), where=where),
        }


class Decoder:
    """Turn JSON back into the values it was made from.

    Parameters
    ----------
    allowed : Mapping[str, type]
        Classes that may be created, by name. No other class ever is.
    read_booster : Callable[[int], lightgbm.Booster]
        Returns the booster of a given number.

    Examples
    --------
    >>> Decoder({}, lambda number: None).decode({"kind": "tuple", "items": [1, 2]})
    (1, 2)
    """

    def __init__(self, allowed: Mapping[str, type], read_booster: Callable[[int], Booster]) -> None:
        self.allowed = allowed
        self.read_booster = read_booster
        self._kinds: dict[str, Callable[[dict[str, Any]], object]] = {
            "float": _decode_float,
            "scalar": lambda data: self._array(data["array"])[()],
            "array": self._array,
            "index": self._index,
            "tuple": lambda data: tuple(self.decode(item) for item in data["items"]),
            "dict": lambda data: {self.decode(key): self.decode(item) for key, item in data["items"]},
            "date": lambda data: dt.date.fromisoformat(data["value"]),
            "datetime": lambda data: dt.datetime.fromisoformat(data["value"]),
            "timestamp": lambda data: pd.Timestamp(data["value"]).as_unit(data["unit"]),
            "booster": self._booster,
            "object": self._object,
        }

    def decode(self, data: Any) -> Any:
        """Return the value that a piece of JSON stands for.

        Parameters
        ----------
        data : Json
            What `Encoder.encode` returned.

        Returns
        -------
        object
            An equal value of the same type.

        Raises
        ------
        DataError
            If it names a kind of value or a class that isn't known.
        """
        if isinstance(data, list):
            return [self.decode(item) for item in data]
        if not isinstance(data, dict):
            return data
        decode = self._kinds.get(data["kind"])
        if decode is None:
            raise DataError(f"unknown kind of value {data['kind']!r}; known are {', '.join(self._kinds)}")
        return decode(data)

    def _object(self, data: dict[str, Any]) -> object:
        name = data["class"]
        cls = self.allowed.get(name)
        if cls is None:
            known = ", ".join(sorted(self.allowed)) or "none"
            raise DataError(f"{name!r} is not a class that may be loaded; those are: {known}")
        params = {key: self.decode(item) for key, item in data["params"].items()}
        fitted = {key: self.decode(item) for key, item in data["fitted"].items()}
        if odd := [key for key in fitted if not _FITTED.fullmatch(key)]:
            raise DataError(f"{odd[0]!r} is no name of a fitted attribute of {name}: those end in '_'")
        if unknown := sorted(set(params) - set(inspect.signature(cls).parameters)):
            raise DataError(
                f"{name} has no parameter {unknown[0]!r}; it was stored by another version of habitue"
            )
        made = cls(**params)
        for key, item in fitted.items():
            setattr(made, key, item)
        return made

    def _array(self, data: dict[str, Any]) -> np.ndarray[Any, Any]:
        dtype = np.dtype(data["dtype"])
        values = data["values"]
        if dtype.kind not in _ARRAY_KINDS:
            raise DataError(f"an array of {dtype} is not among those that are stored")
        if dtype.kind == "O":
            flat = np.empty(len(values), dtype=object)
            for i, item in enumerate(values):
                flat[i] = self.decode(item)
        elif dtype.kind in _TIME_KINDS:
            flat = np.array(values, dtype=np.int64).view(dtype)
        else:
            flat = np.array(values, dtype=dtype)
        return flat.reshape(data["shape"], order=data["order"])

    def _index(self, data: dict[str, Any]) -> pd.Index:
        if data["dtype"] not in _INDEX_DTYPES:
            raise DataError(f"an Index of {data['dtype']!r} is not among those that are stored")
        return pd.Index(self.decode(data["values"]), dtype=data["dtype"], name=self.decode(data["name"]))

    def _booster(self, data: dict[str, Any]) -> Booster:
        booster = self.read_booster(int(data["number"]))
        # The text holds all trees, not where early stopping found the best: without it predictions differ.
        booster.best_iteration = int(data["best_iteration"])
        return booster


def _is_booster(value: object) -> TypeGuard[Booster]:
    # Whoever holds a booster has imported lightgbm; whoever holds none need not.
    lightgbm = sys.modules.get("lightgbm")
    return lightgbm is not None and type(value) is lightgbm.Booster


def _encode_time(value: dt.date, where: str) -> Json:
    if isinstance(value, dt.datetime) and value.tzinfo is not None and str(value.tzinfo) != "UTC":
        raise DataError(f"{where} is a time in the zone {value.tzinfo}; convert it to UTC to store it")
    if isinstance(value, pd.Timestamp):
        return {"kind": "timestamp", "value": value.isoformat(), "unit": value.unit}
    return {"kind": "datetime" if type(value) is dt.datetime else "date", "value": value.isoformat()}


def _decode_float(data: dict[str, Any]) -> float:
    if data["value"] not in _NONFINITE:
        raise DataError(f"{data['value']!r} is no float; written in words are only nan, inf and -inf")
    return float(data["value"])


def _parameters(value: Any, where: str) -> dict[str, Any]:
    """Return what the constructor was given, read back from the attributes of the same names."""
    if hasattr(value, "_asdict"):  # a named tuple
        return value._asdict()
    if hasattr(value, "get_params"):
        return value.get_params(deep=False)
    parameters = inspect.signature(type(value)).parameters.values()
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if lost := [p.name for p in parameters if p.kind in starred or not hasattr(value, p.name)]:
        raise DataError(
            f"{where} can't be stored: its constructor's parameter {lost[0]!r} is not kept as an attribute"
        )
    return {p.name: getattr(value, p.name) for p in parameters}
