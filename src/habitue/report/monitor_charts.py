"""Charts of a monitoring, as SVG in the page's own colours; the numbers stand in tables beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from habitue.report.drawing import INK, MAIN, MUTED, RISK, STYLE, canvas, drawable, label, to_svg
from habitue.report.monitor_facts import named
from habitue.report.wording import count, percent

__all__ = ["MOST_BARS", "answers_moved", "buying", "drift_bars", "matured", "records_a_week"]

MOST_BARS: Final = 12
"""Features drawn; the table has all."""

_PERCENT = FuncFormatter(lambda share, _: percent(share))


def drift_bars(rows: Sequence[Mapping[str, Any]], *, floor: float, name: str, then: str) -> str:
    """Draw how far the features lie from what they were, those furthest first.

    Parameters
    ----------
    rows : sequence of Mapping
        Checks of kind "input", largest effect first.
    floor : float
        From which on a difference matters.
    name : str
        A name for this chart that no other chart of the page has.
    then : str
        When they were so, such as "in training".

    Returns
    -------
    str
        SVG.
    """
    drawn = rows[:MOST_BARS]
    with rc_context(STYLE):
        figure, axes = canvas(height=0.9 + 0.26 * len(drawn))
        colors = [RISK if row["alarm"] else MAIN for row in drawn]
        axes.barh(range(len(drawn)), [row["effect"] for row in drawn], color=colors, height=0.72)
        axes.set_yticks(range(len(drawn)), [label(str(row["what"])) for row in drawn], color=INK)
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.axvline(floor, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
        axes.set(xlabel="population stability index")
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="x")
        told = "; ".join(f"{row['what']} {row['effect']:.2f}" for row in drawn)
        return to_svg(figure, name, f"Distance of features from those {then}, at most: {told}.")


def answers_moved(answers: pd.DataFrame, *, name: str, then: str) -> str:
    """Draw the predictions now and those for customers of the same age then.

    Parameters
    ----------
    answers : DataFrame
        answer, lower, upper, now, reference.
    name : str
        A name for this chart.
    then : str
        When they were so, such as "in training".

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        x = np.arange(len(answers))
        axes.bar(x, answers["now"], width=0.8, color=MAIN, alpha=0.45, label="now", linewidth=0)
        axes.plot(x, answers["reference"], "D", color=RISK, markersize=6, label=then)
        what = drawable(str(answers["answer"].iloc[0]).replace("_", " "))
        share = what.startswith("churn")
        spread = np.ptp(answers[["lower", "upper"]].to_numpy())
        digits = 0 if spread > 100 else 1 if spread > 10 else 2
        ticks = [percent(one) if share else f"{one:,.{digits}f}" for one in answers["lower"]]
        axes.set_xticks(x, ticks, rotation=35, ha="right", rotation_mode="anchor")
        axes.set(xlabel=f"{what}, from", ylabel="share of customers")
        axes.yaxis.set_major_formatter(_PERCENT)
        axes.grid(axis="y")
        axes.legend(loc="best")
        moved = float(np.abs(answers["now"] - answers["reference"]).sum()) / 2.0
        return to_svg(figure, name, f"Predictions now and {then}; {percent(moved)} of customers moved.")


def buying(frequencies: pd.DataFrame, *, name: str) -> str:
    """Draw customers by repeat purchases, and those that the model's law expects.

    Parameters
    ----------
    frequencies : DataFrame
        label, actual, expected, lower, upper.
    name : str
        A name for this chart.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        x = np.arange(len(frequencies))
        axes.bar(x, frequencies["actual"], width=0.8, color=MAIN, alpha=0.45, label="customers", linewidth=0)
        axes.vlines(x, frequencies["lower"], frequencies["upper"], color=RISK, linewidth=1.6)
        axes.plot(x, frequencies["expected"], "D", color=RISK, markersize=5, label="expected by the law")
        axes.set_xticks(x, list(frequencies["label"]))
        axes.set(xlabel="repeat purchases so far", ylabel="customers")
        _counts(axes)
        axes.legend(loc="upper right")
        return to_svg(figure, name, "Customers by repeat purchases, and as many as the model's law expects.")


def records_a_week(weeks: pd.DataFrame, *, kind: str, name: str) -> str:
    """Draw the records of a kind week by week.

    Parameters
    ----------
    weeks : DataFrame
        week, n.
    kind : str
        Of record.
    name : str
        A name for this chart.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=2.1)
        x = np.arange(len(weeks))
        axes.plot(x, weeks["n"], color=MAIN, linewidth=2.0)
        axes.fill_between(x, 0, weeks["n"], color=MAIN, alpha=0.12, linewidth=0)
        axes.axvspan(max(len(x) - 4.5, -0.5), len(x) - 0.5, color=MUTED, alpha=0.15, linewidth=0)
        places = np.unique(np.linspace(0, len(x) - 1, min(len(x), 4)).round().astype(int))
        axes.set_xticks(places, [str(weeks["week"].iloc[place]) for place in places])
        axes.set_ylim(bottom=0)
        axes.set(ylabel="records a week")
        _counts(axes)
        last = int(weeks["n"].iloc[-1])
        return to_svg(figure, name, f"{kind} a week, up to the cutoff; {count(last)} in the last one.")


def matured(rows: pd.DataFrame, *, score: str, name: str) -> str:
    """Draw a score of each cutoff with its interval, and what the backtest promised.

    Parameters
    ----------
    rows : DataFrame
        cutoff, value, lower, upper, promised, promised_lower, promised_upper: of one score.
    score : str
        Its name.
    name : str
        A name for this chart.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=2.4)
        x = np.arange(len(rows))
        promised = rows["promised"].dropna()
        if len(promised):
            axes.axhline(float(promised.iloc[-1]), color=RISK, linewidth=1.2, label="promised")
            band = rows[["promised_lower", "promised_upper"]].dropna()
            if len(band):
                axes.axhspan(*map(float, band.iloc[-1]), color=RISK, alpha=0.12, linewidth=0)
        axes.vlines(x, rows["lower"], rows["upper"], color=MAIN, linewidth=2.0)
        axes.plot(x, rows["value"], "o", color=MAIN, markersize=7, label="came true")
        axes.set_xticks(x, list(map(str, rows["cutoff"])), rotation=20, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.6, len(x) - 0.4)
        axes.set(ylabel=named(score))
        axes.grid(axis="y")
        axes.legend(loc="best")
        pairs = zip(rows["cutoff"], rows["value"], strict=True)
        told = "; ".join(f"{cutoff}: {value:.3f}" for cutoff, value in pairs)
        return to_svg(figure, name, f"{score} by cutoff: {told}.")


def _counts(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: count(n) if n == round(n) else ""))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y")
