"""Dependence: bins hold everybody once and tell medians; the picture says what they say."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.report.dependence import dependence, draw_dependence
from habitue.vocabulary import describe


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    with mpl.rc_context({"backend": "Agg"}):
        plt.switch_backend("Agg")
        yield
        plt.close("all")


def moved(*, slope: float = 1.0, n: int = 200, missing: int = 20) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"inactivity": rng.integers(0, 90, n).astype(float)})
    told = pd.DataFrame({"inactivity": slope * X["inactivity"] + rng.normal(size=n)})
    X.loc[: missing - 1, "inactivity"] = np.nan
    return told, X


@given(
    values=st.lists(st.none() | st.integers(-3, 3).map(float) | st.floats(-9, 9), min_size=1, max_size=50),
    n_bins=st.integers(1, 12),
)
@settings(max_examples=50)
def test_bins_hold_everybody_once_in_order(values: list[float | None], n_bins: int) -> None:
    X = pd.DataFrame({"age": values}, dtype="float64")
    told = pd.DataFrame({"age": np.arange(float(len(X)))})
    facts = dependence(told, X, "age", n_bins=n_bins)
    known = facts[facts["value"].notna()]
    assert facts["n"].sum() == len(X)
    assert len(known) <= n_bins
    assert (known["value_min"].to_numpy()[1:] > known["value_max"].to_numpy()[:-1]).all()
    assert facts["contribution"].between(facts["lower"], facts["upper"]).all()
    for row in known.to_dict("records"):
        inside = X["age"].between(row["value_min"], row["value_max"])
        assert row["contribution"] == pytest.approx(told.loc[inside, "age"].median())
    assert facts["value"].isna().sum() == int(X["age"].isna().any())


@pytest.mark.parametrize(
    ("slope", "title"),
    [
        (1.0, "The more inactivity, the higher the prediction"),
        (-1.0, "The more inactivity, the lower the prediction"),
        (0.0, "More inactivity moves the prediction up and down"),
    ],
)
def test_the_title_says_what_the_medians_do(slope: float, title: str) -> None:
    before = dict(mpl.rcParams)
    facts = dependence(*moved(slope=slope), "inactivity")
    axes = draw_dependence(facts)
    assert axes.get_title(loc="left") == title
    assert dict(mpl.rcParams) == before
    drawn = axes.lines[1].get_xydata()
    np.testing.assert_allclose(drawn, facts.loc[facts["value"].notna(), ["value", "contribution"]])
    assert [text.get_text() for text in axes.texts] == ["missing (20)"]
    axes.figure.canvas.draw()


def test_the_axis_tells_the_meaning_and_the_unit_on_short_lines() -> None:
    facts = dependence(*moved(), "inactivity")
    label = draw_dependence(facts).get_xlabel()
    assert label == "Days since the last purchase [day]"
    long = draw_dependence(facts.assign(feature="clumpiness")).get_xlabel()
    assert " ".join(long.split("\n")) == describe("clumpiness").replace(". [", " [")
    assert len(long.split("\n")) > 1


def test_what_moves_nothing_is_said_so_and_a_given_place_is_used() -> None:
    told, X = moved(missing=0)
    axes = plt.subplots()[1]
    assert draw_dependence(dependence(told * 0.0, X, "inactivity"), ax=axes) is axes
    assert "does the same" in axes.get_title(loc="left")
    assert not axes.texts


def test_what_does_not_fit_is_said() -> None:
    told, X = moved()
    with pytest.raises(SchemaError, match="X lack the feature age"):
        dependence(told.assign(age=1.0), X, "age")
    with pytest.raises(DataError, match="same customers"):
        dependence(told.iloc[1:], X, "inactivity")
    with pytest.raises(SettingsError, match="n_bins"):
        dependence(told, X, "inactivity", n_bins=0)
