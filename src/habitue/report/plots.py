"""Pictures of how well a purchase model fits, for notebooks: facts in, matplotlib axes out.

Each function draws one frame of :mod:`habitue.evaluation.fit_curves`; its title says what the picture shows
(:mod:`habitue.report.plot_titles`), its lines carry their names. They draw on the axes handed in, or on a new
figure; nothing global is changed but that figure. The report's own charts, which follow the page's colours,
are :mod:`habitue.report.charts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.report.plot_style import ACTUAL, INK, MODEL, MUTED, axes_of, styled
from habitue.report.plot_titles import expects, fits, most_expected, speaks_for_leaving, tracked
from habitue.report.wording import count, percent
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["conditional_expectations", "frequencies", "recency_frequency", "tracking"]

_MAPPED: Final = {
    "p_alive": "probability to be still a customer",
    "expected_purchases": "expected purchases in {horizon}",
}


def tracking(facts: pd.DataFrame, *, cumulative: bool = True, ax: Axes | None = None) -> Axes:
    r"""Draw repeat purchases over calendar time, actual and expected, through the holdout.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.tracking` returned.
    cumulative : bool, default True
        Whether purchases since the beginning are drawn, or those of each period. Periods cut short are left
        out of the latter.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture.

    Examples
    --------
    >>> import habitue as hb
    >>> from habitue.evaluation import fit_curves
    >>> log, window = hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)
    >>> model = hb.BGNBD().fit(hb.take_snapshot(log, window).X)
    >>> tracking(fit_curves.tracking(log, model, window)).get_title(loc="left")
    'The model foretells 11\xa0% fewer purchases after the cutoff than came'
    """
    with styled():
        axes = axes_of(ax)
        full = facts if cumulative else facts.loc[facts["n_days"] == facts["n_days"].max()]
        ends = full["end"].to_numpy()
        suffix = "_cumulative" if cumulative else ""
        actual, expected = (full[f"{name}{suffix}"].to_numpy() for name in ("actual", "expected"))
        axes.plot(ends, actual, color=ACTUAL, linewidth=2.2 if cumulative else 1.5)
        axes.plot(ends, expected, color=MODEL, linewidth=2.0, linestyle=(0, (5, 2)))
        _cutoff(axes, facts)
        _dates(axes)
        every = int(facts["n_days"].to_numpy().max())
        period = "week" if every == 7 else "day" if every == 1 else f"{every} days"
        axes.set_ylabel(
            "repeat purchases since the start" if cumulative else f"repeat purchases per {period}"
        )
        axes.set_ylim(bottom=0.0)
        _thousands(axes)
        axes.grid(axis="y")
        _name_lines(axes, ends, {"actual": (actual, ACTUAL), "model": (expected, MODEL)})
        axes.set_title(tracked(facts), loc="left")
    return axes


def frequencies(facts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many customers made how many repeat purchases, and how many the model expects.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.frequencies` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: bars are customers, dots the model, with the range that chance allows.

    Examples
    --------
    >>> facts = pd.DataFrame({"label": ["0", "1+"], "actual": [60, 40], "expected": [58.0, 42.0],
    ...                       "lower": [49.0, 33.0], "upper": [67.0, 51.0]})
    >>> frequencies(facts).get_title(loc="left")
    'No count of customers is off by more than chance'
    """
    with styled():
        axes = axes_of(ax)
        places = np.arange(len(facts))
        axes.bar(places, facts["actual"], width=0.76, color=ACTUAL, alpha=0.45, linewidth=0, label="actual")
        _with_ranges(axes, places, facts, "expected", name="model, 95 % range", colour=MODEL)
        axes.set_xticks(places, facts["label"])
        axes.tick_params(axis="x", length=0)
        axes.set(xlabel="repeat purchases", ylabel="customers")
        axes.margins(y=0.08)
        axes.set_ylim(bottom=0.0)
        _thousands(axes)
        axes.grid(axis="y")
        axes.legend(loc="upper right", reverse=True)
        for place, n, upper in zip(places, facts["actual"], facts["upper"], strict=True):
            axes.annotate(
                count(n), (place, max(n, upper)), xytext=(0, 3), textcoords="offset points", ha="center",
                color=ACTUAL, fontsize=9.0,
            )  # fmt: skip
        outside = ~facts["actual"].between(facts["lower"], facts["upper"])
        axes.set_title(fits(list(facts.loc[outside, "label"])), loc="left")
    return axes


def conditional_expectations(facts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw purchases after the cutoff, group by group: the mean that came and the mean expected.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.conditional_expectations` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: actual means with 95 % intervals, and the model's; the number of customers is below each.

    Examples
    --------
    >>> facts = pd.DataFrame({"by": "frequency", "label": ["0", "1+"], "n": [60, 40],
    ...                       "mean_actual": [0.2, 2.0], "mean_expected": [0.5, 2.1],
    ...                       "lower": [0.1, 1.5], "upper": [0.3, 2.5]})
    >>> conditional_expectations(facts).get_title(loc="left")
    'Too much is expected of customers with frequency 0'
    """
    with styled():
        axes = axes_of(ax)
        places = np.arange(len(facts))
        _with_ranges(axes, places - 0.09, facts, "mean_actual", name="actual, 95 % interval", colour=ACTUAL)
        axes.plot(places + 0.09, facts["mean_expected"], "D", color=MODEL, markersize=6.5, label="model")
        labels = [f"{name}\n{count(n)}" for name, n in zip(facts["label"], facts["n"], strict=True)]
        axes.set_xticks(places, labels)
        axes.tick_params(axis="x", length=0)
        by_frequency = facts["by"].iloc[0] == "frequency"
        what = (
            "repeat purchases up to the cutoff"
            if by_frequency
            else "days from the first to the last purchase"
        )
        axes.set(xlabel=f"{what}, and how many customers", ylabel="purchases after the cutoff, mean")
        axes.set_ylim(bottom=0.0)
        axes.grid(axis="y")
        axes.legend(loc="upper left")
        axes.set_title(expects(facts), loc="left")
    return axes


def recency_frequency(
    facts: pd.DataFrame,
    *,
    answer: Literal["p_alive", "expected_purchases"] = "p_alive",
    ax: Axes | None = None,
) -> Axes:
    """Draw what a model says of every frequency and recency, as a map.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.recency_frequency` returned.
    answer : {"p_alive", "expected_purchases"}, default "p_alive"
        Which answer is drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: the brighter the more; blank where nobody can be.

    Raises
    ------
    SettingsError
        If `answer` is something else.

    Examples
    --------
    >>> facts = pd.DataFrame({"frequency": [0.0, 0.0, 1.0, 1.0], "recency": [0.0, 9.0, 0.0, 9.0], "T": 9.0,
    ...                       "horizon": 9.0, "p_alive": [1.0, np.nan, np.nan, 0.8]})
    >>> recency_frequency(facts).get_xlabel()
    'days from the first to the last purchase, of 9 observed'
    """
    if answer not in _MAPPED:
        raise SettingsError(f"answer must be one of {', '.join(_MAPPED)}; got {answer!r}.")
    grid = facts.pivot_table(
        index="frequency", columns="recency", values=answer, dropna=False, observed=False
    )
    T, horizon = float(facts["T"].iloc[0]), float(facts["horizon"].iloc[0])
    is_chance = answer == "p_alive"
    with styled():
        axes = axes_of(ax)
        half = T / (2.0 * max(grid.shape[1] - 1, 1))
        image = axes.imshow(
            grid.to_numpy(),
            origin="lower",
            aspect="auto",
            cmap="cividis",
            vmin=0.0,
            vmax=1.0 if is_chance else None,
            extent=(-half, T + half, -0.5, len(grid) - 0.5),
            interpolation="nearest",
        )
        axes.spines[:].set_visible(False)
        axes.yaxis.set_major_locator(_whole())
        axes.set(
            xlabel=f"days from the first to the last purchase, of {T:g} observed", ylabel="repeat purchases"
        )
        bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(_MAPPED[answer].format(horizon=one_or_many(horizon, "day")))
        if is_chance:
            _halfway(axes, grid)
        axes.set_title(speaks_for_leaving(grid, T) if is_chance else most_expected(grid, horizon), loc="left")
    return axes


def _whole() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def _cutoff(axes: Axes, facts: pd.DataFrame) -> None:
    """Mark where the holdout begins."""
    if not facts["is_holdout"].to_numpy().any():
        return
    at: Any = facts.loc[~facts["is_holdout"], "end"].max()
    axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    for words, align, offset in (("calibration", "right", -5), ("holdout", "left", 5)):
        axes.annotate(
            words, (at, 1.0), xycoords=("data", "axes fraction"), xytext=(offset, -2), ha=align, va="top",
            textcoords="offset points", color=MUTED, fontsize=9.0,
        )  # fmt: skip


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _thousands(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))


def _name_lines(axes: Axes, ends: Any, lines: dict[str, tuple[Any, str]]) -> None:
    """Write each line's name at its end, the higher one above."""
    last = {name: values[np.isfinite(values)] for name, (values, _) in lines.items()}
    ranked = sorted((name for name in last if last[name].size), key=lambda name: last[name][-1])
    for place, name in enumerate(ranked):
        values, colour = lines[name]
        at = int(np.flatnonzero(np.isfinite(values))[-1])
        shift = 0 if len(ranked) == 1 else (-6, 6)[place]
        axes.annotate(
            name, (ends[at], values[at]), xytext=(6, shift), textcoords="offset points", va="center",
            color=colour, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _halfway(axes: Axes, grid: pd.DataFrame) -> None:
    """Draw where still a customer and gone are equally likely, if that is anywhere."""
    values = np.ma.masked_invalid(grid.to_numpy())
    if min(grid.shape) < 2 or not values.min() < 0.5 < values.max():
        return
    lines = axes.contour(grid.columns, grid.index, values, levels=[0.5], colors="white", linewidths=1.3)
    axes.clabel(lines, fmt=lambda level: percent(level), fontsize=9.0)


def _with_ranges(
    axes: Axes, places: Any, facts: pd.DataFrame, column: str, *, name: str, colour: str
) -> None:
    """Draw a column as dots, with the ranges beside it."""
    axes.vlines(places, facts["lower"], facts["upper"], color=colour, linewidth=1.8)
    axes.plot(places, facts[column], "o", color=colour, markersize=6.0, label=name)
