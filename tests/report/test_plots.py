"""Pictures say in words what the facts say, draw what they hold, and leave nothing global behind."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from habitue.errors import SettingsError
from habitue.report import plots


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    with mpl.rc_context({"backend": "Agg"}):
        plt.switch_backend("Agg")
        yield
        plt.close("all")


def tracked(*, ahead: float = 1.0, known: bool = True) -> pd.DataFrame:
    ends = pd.date_range("2024-01-07", periods=10, freq="7D")
    holdout = np.arange(10) >= 6
    actual = np.full(10, 100.0)
    if not known:
        actual[holdout] = np.nan
    expected = np.where(holdout, 100.0 * ahead, 100.0)
    return pd.DataFrame(
        {
            "end": ends,
            "n_days": [3, *[7] * 9],
            "is_holdout": holdout,
            "actual": actual,
            "expected": expected,
            "actual_cumulative": actual.cumsum(),
            "expected_cumulative": expected.cumsum(),
        }
    )


def counted(actual: tuple[int, int, int] = (60, 30, 10)) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_purchases": range(3),
            "label": ["0", "1", "2+"],
            "actual": actual,
            "expected": [58.0, 31.0, 11.0],
            "lower": [50.0, 24.0, 6.0],
            "upper": [66.0, 38.0, 16.0],
        }
    )


def grouped(expected: tuple[float, ...] = (0.2, 2.0, 3.0)) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "by": "frequency",
            "label": ["0", "1", "2+"],
            "n": [1411, 20, 30],
            "mean_actual": [0.2, 2.0, 3.0],
            "mean_expected": expected,
            "lower": [0.1, 1.0, 2.0],
            "upper": [0.3, 3.0, 4.0],
        }
    )


def mapped(*, T: float = 100.0) -> pd.DataFrame:
    recency, frequency = (axis.ravel() for axis in np.meshgrid(np.linspace(0, T, 11), np.arange(4.0)))
    alive = np.where((frequency == 0) == (recency == 0), recency / T, np.nan)
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "horizon": 30.0,
            "p_alive": alive,
            "expected_purchases": alive * frequency,
        }
    )


def title(axes: plt.Axes) -> str:
    return axes.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (tracked(ahead=0.8), "The model foretells 20 % fewer purchases after the cutoff than came"),
        (tracked(ahead=1.5), "The model foretells 50 % more purchases after the cutoff than came"),
        (tracked(), "The model foretells as many purchases after the cutoff as came"),
        (tracked(known=False), "The model counts as many purchases up to the cutoff as came"),
        (tracked().assign(actual=0.0), "The model foretells 400 purchases after the cutoff; none came"),
    ],
)
def test_tracking_says_how_the_totals_compare(facts: pd.DataFrame, told: str) -> None:
    assert title(plots.tracking(facts)) == told


def test_tracking_draws_all_periods_or_the_whole_ones() -> None:
    facts = tracked(ahead=0.8)
    summed, single = plots.tracking(facts), plots.tracking(facts, cumulative=False)
    np.testing.assert_allclose(summed.lines[0].get_ydata(), facts["actual_cumulative"])
    np.testing.assert_allclose(summed.lines[1].get_ydata(), facts["expected_cumulative"])
    np.testing.assert_allclose(single.lines[1].get_ydata(), facts["expected"].iloc[1:])
    assert single.get_ylabel() == "repeat purchases per week"
    assert {"actual", "model", "calibration", "holdout"} <= {text.get_text() for text in summed.texts}


def test_frequencies_name_the_counts_that_are_off() -> None:
    assert title(plots.frequencies(counted())) == "No count of customers is off by more than chance"
    axes = plots.frequencies(counted((80, 15, 5)))
    assert title(axes) == "Off by more than chance: customers with 0, 1 and 2+ repeat purchases"
    assert [bar.get_height() for bar in axes.patches] == [80, 15, 5]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2+"]


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ((0.2, 2.0, 3.0), "In every group the model's mean is within the noise"),
        ((0.5, 2.0, 3.0), "Too much is expected of customers with frequency 0"),
        ((0.2, 0.5, 1.0), "Too little is expected of customers with frequency 1 and 2+"),
        ((0.5, 2.0, 1.0), "Expected is too much of frequency 0, too little of frequency 2+"),
    ],
)
def test_conditional_expectations_name_the_groups_that_are_off(
    expected: tuple[float, ...], told: str
) -> None:
    axes = plots.conditional_expectations(grouped(expected))
    assert title(axes) == told
    assert axes.get_xticklabels()[0].get_text() == "0\n1,411"


def test_maps_say_how_much_silence_is_too_much_and_where_most_is_expected() -> None:
    assert title(plots.recency_frequency(mapped())) == (
        "After 2 repeat purchases, more than 50 silent days speak for leaving"
    )
    axes = plots.recency_frequency(mapped(), answer="expected_purchases")
    assert title(axes) == "Up to 3.0 purchases in 30 days, at frequency 3 and recency 100"
    drawn = axes.images[0].get_array()
    assert drawn is not None
    assert drawn.shape == (4, 11)
    with pytest.raises(SettingsError, match="p_alive"):
        plots.recency_frequency(mapped(), answer="colour")  # pyright: ignore


def test_a_map_where_silence_says_nothing_says_so() -> None:
    facts = mapped().assign(p_alive=lambda one: one["p_alive"].where(one["p_alive"].isna(), 0.9))
    assert "hardly changes" in title(plots.recency_frequency(facts))


def test_many_groups_that_are_off_are_counted_not_listed() -> None:
    many = pd.concat([counted((90, 60, 40)), counted((90, 60, 40))], ignore_index=True)
    many["label"] = [*"0123", "4", "5+"]
    assert title(plots.frequencies(many)).endswith("customers with 0, 1, 2 and 3 more repeat purchases")


def test_they_draw_where_they_are_told_and_change_nothing_else() -> None:
    before = dict(mpl.rcParams)
    figure = Figure(figsize=(10, 8), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    drawn = [
        plots.tracking(tracked(), ax=panels[0]),
        plots.frequencies(counted(), ax=panels[1]),
        plots.conditional_expectations(grouped(), ax=panels[2]),
        plots.recency_frequency(mapped(), ax=panels[3]),
    ]
    assert drawn == list(panels)
    assert plt.get_fignums() == []
    figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    assert len(plots.frequencies(counted()).figure.axes) == 1
    assert len(plt.get_fignums()) == 1
