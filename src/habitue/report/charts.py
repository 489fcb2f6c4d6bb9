"""Charts of the facts, as SVG text that takes its colours from the page around it.

Drawn with matplotlib's Figure object, never through pyplot, so nothing global is touched; matplotlib is
imported only here. The SVG is deterministic, its ids carry the chart's name so that several live on one page,
its colours are CSS variables (hence dark mode), its text is text. What the chart shows is said in its label;
the numbers themselves stand in a table on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from habitue.report.curves import Calibration, DecileCurve, Gains
from habitue.report.customers import Bin, Concentration
from habitue.report.drawing import INK, MAIN, MUTED, RISK, RIVALS, STYLE, canvas, drawable, label, to_svg
from habitue.report.rivals import Entry, ScoreBoard
from habitue.report.scores import AT_RISK_ABOVE
from habitue.report.wording import band, count, money, percent
from habitue.report.wording import figure as figure_of
from habitue.report.wording import score as say_score

__all__ = [
    "calibration",
    "deciles",
    "gains",
    "leaderboard",
    "lorenz",
    "risk_distribution",
    "value_distribution",
]

_PERCENT = FuncFormatter(lambda share, _: percent(share))
_DASHES = ("--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_MOST_RIVALS = len(RIVALS)


def risk_distribution(bins: Sequence[Bin]) -> str:
    """Draw how many customers have which churn probability.

    Parameters
    ----------
    bins : sequence of Bin
        Bands of churn probability.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        edges = [(b.lower or 0.0, 1.0 if b.upper is None else b.upper) for b in bins]
        axes.bar(
            [low for low, _ in edges],
            [b.n for b in bins],
            width=[high - low - 0.006 for low, high in edges],
            align="edge",
            color=[RISK if low >= AT_RISK_ABOVE else MAIN for low, _ in edges],
        )
        axes.axvline(AT_RISK_ABOVE - 0.003, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
        axes.set(xlabel="churn probability", ylabel="customers", xlim=(0.0, 1.0))
        axes.xaxis.set_major_formatter(_PERCENT)
        _counts(axes)
        _side_notes(axes)
        likely = sum(b.n for b, (low, _) in zip(bins, edges, strict=True) if low >= AT_RISK_ABOVE)
        told = (
            f"Customers by churn probability; {count(likely)} of {count(sum(b.n for b in bins))} above 50 %."
        )
        return to_svg(figure, "risk", told)


def _side_notes(axes: Axes) -> None:
    for x, words, align in ((0.485, "likelier to stay", "right"), (0.515, "likelier to leave", "left")):
        axes.text(x, 1.0, words, transform=axes.transAxes, ha=align, va="bottom", fontsize=9.5, color=MUTED)


def value_distribution(bins: Sequence[Bin], *, currency: str) -> str:
    """Draw how many customers are expected to spend how much.

    Parameters
    ----------
    bins : sequence of Bin
        Bands of expected spend.
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        places = range(len(bins))
        axes.bar(places, [b.n for b in bins], width=0.86, color=MAIN)
        axes.set_xticks(
            list(places), [_short_band(b) for b in bins], rotation=35, ha="right", rotation_mode="anchor"
        )
        unit = f" ({drawable(currency)})" if currency else ""
        axes.set(xlabel=f"expected spend{unit}", ylabel="customers")
        axes.tick_params(axis="x", length=0)
        _counts(axes)
        top = max(bins, key=lambda b: b.n)
        told = f"Customers by expected spend; most, {count(top.n)}, between: {band(top.lower, top.upper)}."
        return to_svg(figure, "value", told)


def lorenz(concentration: Concentration) -> str:
    """Draw which share of customers holds which share of expected spend.

    Parameters
    ----------
    concentration : Concentration

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        x, y = concentration.share_of_customers, concentration.share_of_spend
        axes.fill_between(x, x, y, color=MAIN, alpha=0.12, linewidth=0)
        axes.plot(x, y, color=MAIN, linewidth=2.2)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
        share = concentration.top_tenth_share
        axes.plot([0.1], [share], "o", color=RISK, markersize=6)
        axes.annotate(
            f"top 10 % hold {percent(share)}",
            (0.1, share),
            xytext=(10, -4),
            textcoords="offset points",
            va="top",
        )
        axes.text(0.62, 0.56, "if all were equal", color=MUTED, fontsize=9.5, va="top")
        _unit_square(axes, "share of customers, most valuable first", "share of expected spend")
        return to_svg(
            figure,
            "lorenz",
            f"The most valuable tenth of customers holds {percent(share)} of expected spend.",
        )


def calibration(curves: Sequence[Calibration]) -> str:
    """Draw predicted against observed shares of leavers, the champion with intervals.

    Parameters
    ----------
    curves : sequence of Calibration
        The champion's first; at most four rivals are drawn.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
        for place, curve in enumerate(curves[1 : 1 + _MOST_RIVALS]):
            x, y = [p.mean_prediction for p in curve.points], [p.observed_rate for p in curve.points]
            axes.plot(
                x, y, color=RIVALS[place], linewidth=1.5, linestyle=_DASHES[place], label=label(curve.model)
            )
        main = curves[0]
        for p in main.points:
            if p.lower is not None and p.upper is not None:
                axes.plot([p.mean_prediction] * 2, [p.lower, p.upper], color=MAIN, linewidth=1.4)
        x, y = [p.mean_prediction for p in main.points], [p.observed_rate for p in main.points]
        axes.plot(x, y, "o-", color=MAIN, linewidth=2.0, markersize=5, label=label(main.model))
        _unit_square(axes, "predicted churn probability", "share that really left")
        _legend(axes, "upper left")
        gap = figure_of(100.0 * main.mean_gap)
        told = f"{main.model}: predicted and observed shares of leavers differ by {gap} points on average."
        return to_svg(figure, "calibration", told)


def gains(curves: Sequence[Gains], *, captured: str) -> str:
    """Draw what the top of each model's list captures.

    Parameters
    ----------
    curves : sequence of Gains
        The champion's first; at most four rivals are drawn.
    captured : str
        What is captured, e.g. "leavers".

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--", label="at random")
        for place, curve in enumerate(curves[1 : 1 + _MOST_RIVALS]):
            axes.plot(
                curve.share_contacted,
                curve.share_captured,
                color=RIVALS[place],
                linewidth=1.5,
                linestyle=_DASHES[place],
                label=label(curve.model),
            )
        main = curves[0]
        axes.plot(
            main.share_contacted, main.share_captured, color=MAIN, linewidth=2.3, label=label(main.model)
        )
        axes.plot([0.2], [main.captured_at_20], "o", color=RISK, markersize=6)
        first = "riskiest" if captured == "leavers" else "most valuable"
        _unit_square(axes, f"share of customers contacted, {first} first", f"share of {captured} reached")
        _legend(axes, "lower right")
        told = f"{main.model}: a fifth of the customers holds {percent(main.captured_at_20)} of {captured}."
        return to_svg(figure, "gains", told)


def deciles(curve: DecileCurve, *, currency: str) -> str:
    """Draw predicted against actual spend in each tenth of the customers.

    Parameters
    ----------
    curve : DecileCurve
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas()
        x = [p.decile for p in curve.points]
        actual = [p.mean_actual for p in curve.points]
        axes.bar(x, actual, width=0.72, color=MAIN, alpha=0.35, label="actual", linewidth=0)
        for p in curve.points:
            if p.lower is not None and p.upper is not None:
                axes.plot([p.decile] * 2, [p.lower, p.upper], color=MAIN, linewidth=1.6)
        predicted = [p.mean_prediction for p in curve.points]
        axes.plot(x, predicted, "D", color=RISK, markersize=6, label="predicted")
        axes.set_xticks(x, [str(d) for d in x])
        axes.set(xlabel="decile by predicted value (1 = most valuable)", ylabel="mean spend per customer")
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: drawable(money(value, currency).removesuffix(".00")))
        )
        axes.grid(axis="y")
        axes.tick_params(axis="x", length=0)
        _legend(axes, "upper right")
        return to_svg(
            figure, "deciles", f"{curve.model}: mean predicted and actual spend per decile, with intervals."
        )


def leaderboard(board: ScoreBoard, *, name: str) -> str:
    """Draw every model's score as a dot with its interval.

    Parameters
    ----------
    board : ScoreBoard
    name : str
        A name for this chart that no other chart of the page has.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=0.95 + 0.34 * len(board.entries))
        for place, entry in enumerate(board.entries):
            _dot(axes, entry, place)
        labels = [label(entry.model) for entry in board.entries]
        axes.set_yticks(range(len(labels)), labels, color=INK)
        for tick, entry in zip(axes.get_yticklabels(), board.entries, strict=True):
            tick.set_fontweight("bold" if entry.is_champion else "normal")
        axes.set(xlabel=f"{drawable(board.label)}{f' ({board.best})' if board.best else ''}")
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        values = "; ".join(f"{entry.model} {say_score(entry.value)}" for entry in board.entries)
        return to_svg(figure, name, f"{board.label} of every model: {values}.")


def _dot(axes: Axes, entry: Entry, place: int) -> None:
    color = MAIN if entry.is_champion else MUTED
    if entry.lower is not None and entry.upper is not None:
        axes.plot(
            [entry.lower, entry.upper],
            [place, place],
            color=color,
            linewidth=2.4 if entry.is_champion else 1.6,
        )
    axes.plot([entry.value], [place], "o", color=color, markersize=8 if entry.is_champion else 6)


def _counts(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: count(n) if n == round(n) else ""))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")


def _unit_square(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xlabel=xlabel, ylabel=ylabel)
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.grid()


def _legend(axes: Axes, where: Literal["upper left", "upper right", "lower right"]) -> None:
    handles, labels = axes.get_legend_handles_labels()
    # The champion is drawn last, to lie on top, and named first.
    axes.legend(handles[::-1], labels[::-1], loc=where, handlelength=2.4)


def _short_band(b: Bin) -> str:
    words = band(b.lower, b.upper)
    return words.replace("under ", "< ") if b.upper is not None else words.replace(" and more", "+")
