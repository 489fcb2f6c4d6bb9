"""Charts of the loop: cohorts, the bridge, the quadrant, ways to choose, offers, assumptions and effects.

As :mod:`habitue.report.charts`: SVG of matplotlib's Figure, colours of the page, text as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, sin
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator

from habitue.report.audit_facts import SMALL_COHORTS, Bands, Bridge
from habitue.report.drawing import BANDS, INK, MAIN, MUTED, RISK, STYLE, canvas, drawable, label, to_svg
from habitue.report.drivers_facts import DriversFacts
from habitue.report.offer_curves import OfferCurve
from habitue.report.plan_facts import Policy, Swing
from habitue.report.proof_facts import Effect
from habitue.report.wording import money, percent
from habitue.report.words_of_measures import difference

__all__ = ["bands", "bridge", "effects", "offer_curve", "policies", "quadrant", "swings"]

_ROW = 0.36
"""Height of a row of dots or bars, in inches."""


def bands(told: Bands, *, currency: str) -> str:
    """Draw spend by period, parted by when customers came.

    Parameters
    ----------
    told : Bands
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context({**STYLE, "hatch.linewidth": 0.5}):
        figure, axes = canvas()
        low = [0.0] * len(told.periods)
        x = list(range(len(told.periods)))
        for place, (name, amounts) in enumerate(zip(told.bands, told.amounts, strict=True)):
            color = MUTED if name == SMALL_COHORTS else BANDS[place % len(BANDS)]
            axes.bar(x, amounts, bottom=low, width=0.86, color=color, linewidth=0, label=label(name))
            low = [a + b for a, b in zip(low, amounts, strict=True)]
        step = max(1, -(-len(x) // 4))
        axes.set_xticks(x[::step], [told.periods[at] for at in x[::step]])
        axes.tick_params(axis="x", length=0)
        _money_on(axes.yaxis, currency)
        axes.grid(axis="y")
        axes.set(ylabel="spend")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper left", ncols=4, handlelength=1.1, columnspacing=1.0,
            fontsize=9.0,
        )  # fmt: skip
        said = f"Spend by period from {told.periods[0]} to {told.periods[-1]}, by when customers came."
        return to_svg(figure, "cohort-bands", said)


def bridge(told: Bridge, *, currency: str) -> str:
    """Draw the steps from one period's money to the next.

    Parameters
    ----------
    told : Bridge
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=0.9 + _ROW * len(told.steps))
        level, most = 0.0, max(abs(step.amount) for step in told.steps) or 1.0
        for place, step in enumerate(told.steps):
            start = 0.0 if step.is_total else level
            level = step.amount if step.is_total else level + step.amount
            color = MUTED if step.is_total else MAIN if step.amount >= 0.0 else RISK
            axes.barh([place], [level - start], left=[start], height=0.62, color=color, linewidth=0)
            said = (
                money(step.amount, currency) if step.is_total else difference(step.amount, "money", currency)
            )
            axes.text(max(level, start) + 0.015 * most, place, drawable(said), va="center", fontsize=9.0)
        axes.set_yticks(range(len(told.steps)), [drawable(step.step) for step in told.steps], color=INK)
        axes.set_ylim(len(told.steps) - 0.4, -0.6)
        axes.set_xlim(right=axes.get_xlim()[1] * 1.22)
        _sparse(axes, currency)
        return to_svg(
            figure, "bridge", f"From {money(told.steps[0].amount, currency)} of {told.money} in the period "
            f"before to {money(told.steps[-1].amount, currency)}, step by step."
        )  # fmt: skip


def quadrant(told: DriversFacts) -> str:
    """Draw importance against performance of each pillar.

    Parameters
    ----------
    told : DriversFacts

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=3.7)
        axes.axhline(told.lines[0], color=MUTED, linewidth=1.0, linestyle=(0, (3, 2)))
        axes.axvline(told.lines[1], color=MUTED, linewidth=1.0, linestyle=(0, (3, 2)))
        spots = _spots(told)
        for row, spot in zip(told.rows, spots, strict=True):
            color = MAIN if row.sure else MUTED
            across, up = (row.performance, row.performance), (row.importance, row.importance)
            if row.performance_lower is not None and row.performance_upper is not None:
                axes.plot([row.performance_lower, row.performance_upper], up, color=color, linewidth=1.3)
            if row.importance_lower is not None and row.importance_upper is not None:
                axes.plot(across, [row.importance_lower, row.importance_upper], color=color, linewidth=1.3)
            axes.plot(
                [row.performance], [row.importance], "o" if row.sure else "D", color=color, markersize=6
            )
            axes.annotate(
                str(spot.number), (row.performance, row.importance), xytext=spot.offset, ha="center",
                va="center", textcoords="offset points", fontweight="bold",
            )  # fmt: skip
        for x, y, words in (
            (0, 1, "concentrate here"),
            (1, 1, "keep up"),
            (0, 0, "low priority"),
            (1, 0, "possible overkill"),
        ):
            axes.text(
                0.015 + 0.97 * x, 0.985 * y + 0.01, words, transform=axes.transAxes, fontsize=9.0,
                color=MUTED, ha="right" if x else "left", va="top" if y else "bottom",
            )  # fmt: skip
        top = max([told.lines[0], *(row.importance_upper or row.importance for row in told.rows)])
        axes.set(xlabel="performance, 0 to 100", ylabel="importance", ylim=(0.0 - 0.08 * top, 1.18 * top))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share) if share >= 0 else ""))
        axes.margins(x=0.16)
        where = "; ".join(f"{row.pillar}: {row.quadrant}" for row in told.rows)
        return to_svg(figure, "quadrant", f"Importance against performance, an association: {where}.")


class _Spot(NamedTuple):
    """The number that stands for a pillar in the picture, and where it is written beside its dot."""

    number: int
    offset: tuple[float, float]


_AROUND = tuple((12.0 * cos(turn), 12.0 * sin(turn)) for turn in (0.8, 2.3, -0.8, -2.3))


def _spots(told: DriversFacts) -> list[_Spot]:
    """Write each number where it is furthest from other dots and from the numbers before it."""
    tall = max(row.importance for row in told.rows) or 1.0
    low = min(row.performance for row in told.rows)
    wide = max(row.performance for row in told.rows) - low or 1.0
    dots = [(220.0 * (row.performance - low) / wide, 160.0 * row.importance / tall) for row in told.rows]
    taken: list[tuple[float, float]] = list(dots)
    found: list[_Spot] = []
    for place, (x, y) in enumerate(dots):
        others = [one for at, one in enumerate(taken) if at != place]

        def room(by: tuple[float, float]) -> float:
            return min((hypot(x + by[0] - a, y + by[1] - b) for a, b in others), default=0.0)  # noqa: B023

        best = max(_AROUND, key=room)
        taken.append((x + best[0], y + best[1]))
        found.append(_Spot(place + 1, best))
    return found


def policies(told: Sequence[Policy], *, currency: str) -> str:
    """Draw what ways to choose are expected to earn, with intervals.

    Parameters
    ----------
    told : sequence of Policy
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=0.9 + _ROW * len(told))
        for place, one in enumerate(told):
            color = MAIN if one.policy == "chosen" else MUTED
            axes.barh(
                [place],
                [one.profit],
                height=0.56,
                color=color,
                alpha=0.12 if one.is_beyond else 0.4,
                linewidth=0,
            )
            axes.plot([one.lower, one.upper], [place, place], color=color, linewidth=2.0)
            axes.plot([one.profit], [place], "o", color=color, markersize=6)
        _rows_named(axes, [label(one.policy) + (" *" if one.is_beyond else "") for one in told])
        axes.axvline(0.0, color=MUTED, linewidth=0.8)
        axes.set(xlabel="expected gain, margin net of costs")
        _sparse(axes, currency)
        best = "; ".join(f"{one.policy} {money(one.profit, currency)}" for one in told)
        return to_svg(figure, "policies", f"Expected gain of ways to choose whom to contact: {best}.")


def offer_curve(told: OfferCurve, *, currency: str, name: str) -> str:
    """Draw what an offer earns by the share contacted: the best first, and the likeliest to leave first.

    Parameters
    ----------
    told : OfferCurve
    currency : str
        What money is counted in.
    name : str
        A name for this chart that no other chart of the page has.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=2.75)
        # As far as thrice the best share: what all would lose hides where the climb ends.
        seen = [one for one in told.points if one.share <= max(0.2, 3.0 * told.share)]
        share = [one.share for one in seen]
        lower, upper = [one.lower for one in seen], [one.upper for one in seen]
        axes.fill_between(share, lower, upper, color=MAIN, alpha=0.16, linewidth=0)
        axes.plot(share, [one.profit for one in seen], color=MAIN, linewidth=2.0, label="the best first")
        axes.plot(
            share, [one.by_risk for one in seen], color=RISK, linewidth=1.6, linestyle=(0, (4, 2)),
            label="by churn risk",
        )  # fmt: skip
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.plot([told.share], [told.profit], "o", color=MAIN, markersize=7, clip_on=False, zorder=5)
        axes.set(xlabel="contacted, of those who may have it", ylabel="expected gain", xlim=(0.0, share[-1]))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        _money_on(axes.yaxis, currency)
        axes.grid(axis="y")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, handlelength=1.8, borderpad=0.0)
        return to_svg(
            figure, name, f"{told.offer}: {money(told.profit, currency)} at best, with {percent(told.share)} "
            f"of those who may have it; as many by churn risk {money(told.by_risk, currency)}."
        )  # fmt: skip


def swings(told: Sequence[Swing], *, currency: str) -> str:
    """Draw what the plan earns with each assumption low and high.

    Parameters
    ----------
    told : sequence of Swing
        The one that matters most first.
    currency : str
        What money is counted in.

    Returns
    -------
    str
        SVG.
    """
    with rc_context(STYLE):
        figure, axes = canvas(height=1.15 + _ROW * len(told))
        for place, one in enumerate(told):
            for end, color, hatch in ((one.profit_low, RISK, "//"), (one.profit_high, MAIN, "")):
                width = end - one.profit
                axes.barh(
                    [place], [width], left=[one.profit], height=0.56, color=color, alpha=0.75, hatch=hatch,
                    edgecolor=color, linewidth=0, label="low" if hatch else "high",
                )  # fmt: skip
        axes.axvline(told[0].profit, color=INK, linewidth=0.9)
        axes.axvline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
        _rows_named(axes, [str(place + 1) for place in range(len(told))])
        axes.set(xlabel="expected gain of the plan")
        _sparse(axes, currency)
        handles, _ = axes.get_legend_handles_labels()
        axes.legend(handles[:2], ["assumption low", "assumption high"], loc="lower center", ncols=2,
                    bbox_to_anchor=(0.45, 1.0), handlelength=1.2)  # fmt: skip
        return to_svg(
            figure, "swings", f"The plan's gain hangs most on {told[0].label}: "
            f"{money(told[0].profit_low, currency)} where it is low, "
            f"{money(told[0].profit_high, currency)} where it is high."
        )  # fmt: skip


def effects(told: Sequence[Effect], *, name: str) -> str:
    """Draw effects, each in the scale of its own interval, so that metrics of several units fit a picture.

    Parameters
    ----------
    told : sequence of Effect
        Of one experiment.
    name : str
        A name for this chart that no other chart of the page has.

    Returns
    -------
    str
        SVG; empty where no effect is known.
    """
    known = [
        one for one in told if one.effect is not None and one.lower is not None and one.upper is not None
    ]
    if not known:
        return ""
    with rc_context(STYLE):
        figure, axes = canvas(height=0.95 + 1.25 * _ROW * len(known))
        for place, one in enumerate(known):
            _effect(axes, one, place)
        _rows_named(axes, [f"{label(one.label)}\n{label(one.arm)}" for one in known])
        axes.axvline(0.0, color=INK, linewidth=0.9)
        axes.set(xlabel="less than control    |    more than control", xlim=(-2.05, 2.05))
        axes.set_xticks([])
        where = "; ".join(f"{one.label} {'moved' if one.is_effect else 'not beyond chance'}" for one in known)
        return to_svg(figure, name, f"Effects with intervals, each in its own scale: {where}.")


def _effect(axes: Axes, one: Effect, place: int) -> None:
    """Draw an effect in units of half its interval."""
    if one.effect is None or one.lower is None or one.upper is None:
        return
    ends = [one.effect, one.lower, one.upper, one.any_lower or 0.0, one.any_upper or 0.0]
    scale = 2.0 / (max(map(abs, ends)) or 1.0)
    color = MAIN if one.is_effect else MUTED
    if one.any_lower is not None and one.any_upper is not None:
        axes.plot([one.any_lower * scale, one.any_upper * scale], [place, place], color=color, linewidth=1.2)
    axes.plot([one.lower * scale, one.upper * scale], [place, place], color=color, linewidth=3.2)
    axes.plot([one.effect * scale], [place], "o" if one.is_effect else "D", color=color, markersize=7)


def _rows_named(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _sparse(axes: Axes, currency: str) -> None:
    """Write few amounts below, so that none touches the next."""
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    _money_on(axes.xaxis, currency)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _money_on(axis: Axis, currency: str) -> None:
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: drawable(money(value, currency).removesuffix(".00")))
    )
