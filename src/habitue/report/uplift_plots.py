"""Pictures of what a treatment does and what a policy is worth, for notebooks: facts in, matplotlib axes out.

Each function draws one frame of the evaluation of effects and says in its title what the frame shows, no more
than its intervals allow. They draw on the axes handed in, or on a new figure, and change nothing global.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.report.plot_style import ACTUAL, INK, MODEL, MUTED, axes_of, styled
from habitue.report.wording import listing, percent
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["budget_curve", "gain_curve", "policy_advantages", "predicted_effects"]


def gain_curve(facts: pd.DataFrame, *, unit: str = "", ax: Axes | None = None) -> Axes:
    r"""Draw what treating more and more customers brings, those with the highest predicted effect first.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.uplift_curves.uplift_curve` returned.
    unit : str
        Of the outcome, for the axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture.

    Examples
    --------
    >>> facts = pd.DataFrame({"share": [0.5, 1.0], "uplift": [0.3, 0.2], "gain": [0.15, 0.2],
    ...                       "lower": [0.12, 0.15], "upper": [0.18, 0.25], "random": [0.1, 0.2]})
    >>> gain_curve(facts).get_title(loc="left")
    'The first 50\xa0% gain 1.5 times as much each as all do'
    """
    with styled():
        axes = axes_of(ax)
        _band(axes, facts, "gain", name="by predicted effect")
        axes.set_xlabel("share treated, highest predicted effect first")
        axes.set_ylabel(f"gain per customer of the base{f', {unit}' if unit else ''}")
        axes.set_title(_ranked(facts), loc="left")
    return axes


def budget_curve(facts: pd.DataFrame, *, unit: str = "money", ax: Axes | None = None) -> Axes:
    r"""Draw what a policy earns, costs taken off, as more and more customers are treated.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.policy_value.value_by_budget` returned.
    unit : str
        Of the outcome, for the axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture.

    Examples
    --------
    >>> facts = pd.DataFrame({"share": [0.5, 1.0], "gain": [0.15, -0.2], "lower": [0.12, -0.3],
    ...                       "upper": [0.18, -0.1], "random": [-0.1, -0.2]})
    >>> budget_curve(facts).get_title(loc="left")
    'Most is earned where 50\xa0% are treated'
    """
    with styled():
        axes = axes_of(ax)
        _band(axes, facts, "gain", name="by predicted effect")
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.set_xlabel("share treated, highest predicted effect first")
        axes.set_ylabel(f"{unit} per customer, over treating nobody")
        axes.set_title(_earned(facts), loc="left")
    return axes


def policy_advantages(facts: pd.DataFrame, *, unit: str = "money", ax: Axes | None = None) -> Axes:
    """Draw by how much a policy is ahead of each other one, with the intervals of the differences.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.policy_value.compare_policies` returned; the reference comes first.
    unit : str
        Of the outcome, for the axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: right of the line, the policy is ahead.

    Examples
    --------
    >>> facts = pd.DataFrame({"policy": ["by effect", "nobody"], "advantage": [0.0, 0.3],
    ...                       "advantage_lower": [0.0, 0.1], "advantage_upper": [0.0, 0.5]})
    >>> policy_advantages(facts).get_title(loc="left")
    'by effect: ahead of nobody'
    """
    name, others = str(facts["policy"].to_numpy()[0]), facts.iloc[1:]
    rivals = others.sort_index(ascending=False)
    with styled():
        axes = axes_of(ax)
        places = np.arange(len(rivals))
        axes.hlines(places, rivals["advantage_lower"], rivals["advantage_upper"], color=ACTUAL, linewidth=1.8)
        axes.plot(rivals["advantage"], places, "o", color=ACTUAL, markersize=6.0)
        axes.axvline(0.0, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.set_yticks(places, rivals["policy"].astype(str).tolist())
        axes.set_ylim(-0.6, len(rivals) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel(f"{unit} per customer that {name} is ahead, 95 % interval")
        axes.set_title(_compared(name, others), loc="left")
    return axes


def predicted_effects(facts: pd.DataFrame, *, unit: str = "", ax: Axes | None = None) -> Axes:
    """Draw the effect that was observed in groups of customers against the one that was predicted.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.effect_calibration.effect_calibration` returned.
    unit : str
        Of the outcome, for the axes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: on the line, predictions mean what they say.

    Examples
    --------
    >>> facts = pd.DataFrame({"predicted": [0.1, 0.2], "observed": [0.1, 0.4], "lower": [0.0, 0.3],
    ...                       "upper": [0.2, 0.5]})
    >>> predicted_effects(facts).get_title(loc="left")
    'Off by more than chance in 1 of 2 groups'
    """
    suffix = f", {unit}" if unit else ""
    with styled():
        axes = axes_of(ax)
        seen = facts.dropna(subset=["lower", "upper"])
        ends = [seen[["predicted", "lower"]].to_numpy().min(), seen[["predicted", "upper"]].to_numpy().max()]
        axes.plot(ends, ends, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.vlines(seen["predicted"], seen["lower"], seen["upper"], color=ACTUAL, linewidth=1.8)
        axes.plot(seen["predicted"], seen["observed"], "o", color=ACTUAL, markersize=6.0)
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.grid(axis="y")
        axes.set_xlabel(f"predicted effect{suffix}")
        axes.set_ylabel(f"observed effect, 95 % interval{suffix}")
        axes.set_title(_calibrated(seen), loc="left")
    return axes


def _band(axes: Axes, facts: pd.DataFrame, column: str, *, name: str) -> None:
    """Draw a curve from treating nobody on, with its interval, and what a random order brings."""
    drawn = _columns(facts, "share", column, "lower", "upper", "random")
    if drawn[0][0] > 0.0:
        drawn = [np.r_[0.0, one] for one in drawn]
    share, height, lower, upper, random = drawn
    share = 100.0 * share
    axes.fill_between(share, lower, upper, color=ACTUAL, alpha=0.18, linewidth=0)
    axes.plot(share, height, color=ACTUAL, linewidth=2.2, label=f"{name}, 95 % interval")
    axes.plot(share, random, color=MODEL, linewidth=1.6, linestyle=(0, (5, 2)), label="at random")
    axes.set_xlim(0.0, 100.0)
    axes.xaxis.set_major_formatter("{x:.0f} %")
    axes.grid(axis="y")
    axes.legend(loc="best")


def _columns(facts: pd.DataFrame, *names: str) -> list[npt.NDArray[np.float64]]:
    return [facts[name].to_numpy(dtype=np.float64) for name in names]


def _ranked(facts: pd.DataFrame) -> str:
    share, uplift, gain, lower, random = _columns(facts, "share", "uplift", "gain", "lower", "random")
    inner = share < 1.0
    if not (inner & (lower > random)).any():
        return "Not told apart from a random order"
    best = int(np.argmax(np.where(inner, gain - random, -np.inf)))
    if gain[-1] <= 0.0:
        return f"The first {percent(share[best])} gain, where all together do not"
    return f"The first {percent(share[best])} gain {uplift[best] / gain[-1]:.1f} times as much each as all do"


def _earned(facts: pd.DataFrame) -> str:
    share, gain, lower = _columns(facts, "share", "gain", "lower")
    best = int(np.argmax(gain))
    if not lower[best] > 0.0:
        return "No share is told apart from treating nobody"
    if share[best] >= 1.0:
        return "Most is earned where all are treated"
    return f"Most is earned where {percent(share[best])} are treated"


def _compared(name: str, rivals: pd.DataFrame) -> str:
    lower, upper = _columns(rivals, "advantage_lower", "advantage_upper")
    names, ahead, behind = rivals["policy"].astype(str).to_numpy(), lower > 0.0, upper < 0.0
    first = (
        f"ahead of {'all' if ahead.all() else f'{int(ahead.sum())} of'} {len(names)}"
        if len(names) > 1
        else ""
    )
    words = [first or f"ahead of {names[0]}"] if ahead.any() else []
    if behind.any():
        words.append(f"behind {listing(names[behind].tolist())}")
    if (~ahead & ~behind).any():
        words.append(f"not told apart from {listing(names[~ahead & ~behind].tolist())}")
    return f"{name}: {', '.join(words)}"


def _calibrated(seen: pd.DataFrame) -> str:
    predicted, lower, upper = _columns(seen, "predicted", "lower", "upper")
    off = int(((predicted < lower) | (predicted > upper)).sum())
    if off == 0:
        return "In no group is the effect off by more than chance"
    return f"Off by more than chance in {off} of {one_or_many(len(seen), 'group')}"
