from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from habitue.errors import DataError
from habitue.models.persistence import MODELS, load_model, persistent, save_model


@persistent
class PlainRates(NamedTuple):
    r: float
    alpha: float


@persistent
@dataclass(frozen=True)
class PlainSpan:
    start: dt.date
    days: int


@persistent
class PlainBox(BaseEstimator):
    """Holds any value: what the laws below are tried on."""

    def __init__(self, param: Any = None) -> None:
        self.param = param


def boxed(value: object) -> PlainBox:
    box = PlainBox(param=value)
    box.learned_ = value
    return box


def same(a: object, b: object) -> bool:
    """Equal in type, value and bits; NaN equals NaN, -0.0 does not equal 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        x, y = np.asarray(a), np.asarray(b)
        shaped = x.dtype == y.dtype and x.shape == y.shape
        if x.dtype.kind == "O":
            return shaped and all(same(p, q) for p, q in zip(x.flat, y.flat, strict=True))
        nan = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
        kept = np.array_equal(nan, np.isnan(y)) if x.dtype.kind == "f" else True
        return shaped and kept and x[~nan].tobytes() == y[~nan].tobytes()
    if isinstance(a, float):
        return same(np.array(a), np.array(b))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b, strict=True))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, pd.Index):
        return a.equals(b) and a.dtype == b.dtype and a.name == b.name
    return bool(a == b)


arrays = hnp.arrays(
    dtype=st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="="),
        hnp.floating_dtypes(endianness="="),
        hnp.datetime64_dtypes(max_period="s", min_period="ns", endianness="="),
        hnp.timedelta64_dtypes(max_period="s", min_period="ns", endianness="="),
        hnp.unicode_string_dtypes(endianness="="),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    text,
    st.dates(),
    st.datetimes(),
    st.floats().map(np.float64),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.booleans().map(np.bool_),
    st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2200, 1, 1)).map(pd.Timestamp),
    st.builds(PlainRates, r=st.floats(), alpha=st.floats()),
    st.builds(PlainSpan, start=st.dates(), days=st.integers()),
    st.lists(text, max_size=3).map(lambda names: pd.Index(names, dtype="str", name="feature")),
    st.lists(text, max_size=3).map(lambda names: np.array(names, dtype=object)),
    arrays,
)
values = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(text, st.integers(), st.tuples(text, text)), inner, max_size=3),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(value=values)
def test_whatever_is_stored_comes_back_the_same(
    value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("law") / "model"
    save_model(boxed(value), folder)
    back = load_model(folder)
    assert type(back) is PlainBox
    assert same(back.param, value)
    assert same(back.learned_, value)


def test_memory_order_is_kept_because_sums_depend_on_it(tmp_path: Path) -> None:
    A = np.asfortranarray(np.random.default_rng(0).normal(size=(50, 40)))
    save_model(boxed(A), tmp_path / "m")
    back = load_model(tmp_path / "m").learned_
    assert back.flags.f_contiguous
    assert not back.flags.c_contiguous
    assert back.tobytes(order="A") == A.tobytes(order="A")


def test_bytes_in_the_other_order_are_stored_by_value(tmp_path: Path) -> None:
    other = np.array(["2024-02-29", "NaT"], dtype="datetime64[s]")
    other = other.astype(other.dtype.newbyteorder("S"))
    save_model(boxed(other), tmp_path / "m")
    np.testing.assert_array_equal(load_model(tmp_path / "m").learned_, other)


def test_private_state_is_not_stored(tmp_path: Path) -> None:
    box = PlainBox(1)
    box._cache_ = object()
    box.note = object()
    save_model(box, tmp_path / "m")
    assert vars(load_model(tmp_path / "m")) == {"param": 1}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (lambda x: x, "PlainBox.param"),
        ([1, {"a": {1, 2}}], r"PlainBox.param\[1\]\['a'\]"),
        (pd.DataFrame({"a": [1]}), "DataFrame"),
        (np.array([1 + 2j]), "array of complex128"),
        (np.array([1.5], dtype=np.longdouble), "float128"),
        (pd.Index([1 + 2j]), "Index of complex128"),
        (pd.NaT, "NaTType"),
        (pd.Timestamp("2024-05-01", tz="Europe/Madrid"), "Europe/Madrid"),
        (LogisticRegression(), "LogisticRegression"),
        (lightgbm.LGBMClassifier(), "LGBMClassifier"),
        (type("PlainBox", (PlainBox,), {})(), "PlainBox"),
    ],
)
def test_what_cannot_be_written_plainly_is_refused_with_its_place(
    value: object, place: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=place):
        save_model(PlainBox(value), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_utc_is_the_one_zone(tmp_path: Path) -> None:
    moments = [pd.Timestamp("2024-05-01", tz="UTC"), dt.datetime(2024, 5, 1, tzinfo=dt.UTC)]
    save_model(PlainBox(moments), tmp_path / "m")
    assert load_model(tmp_path / "m").param == moments


def test_a_model_that_contains_itself_is_refused(tmp_path: Path) -> None:
    box = PlainBox()
    box.param = [box]
    with pytest.raises(DataError, match="contains itself"):
        save_model(box, tmp_path / "m")


def test_a_constructor_that_forgets_its_parameter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful:
        def __init__(self, kept: int, lost: int) -> None:
            self.kept = kept

    monkeypatch.setitem(MODELS, "Forgetful", Forgetful)
    with pytest.raises(DataError, match="'lost' is not kept"):
        save_model(Forgetful(1, 2), tmp_path / "m")
