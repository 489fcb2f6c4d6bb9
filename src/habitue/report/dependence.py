"""How a model's predictions go with one feature: the values and what they did, as a frame and as a picture.

Each customer has a value and the contribution that it made to the prediction; both are told by bins of the
value, with the spread among customers of a bin, which is what other features change about it. A picture of
the model, and deliberately not of the world: what a feature does to a prediction is no effect on customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.report.wording import count
from habitue.vocabulary import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

__all__ = ["dependence", "draw_dependence"]

_ONE_WAY: Final = 0.7  # of the way that medians go: less of it is no direction
_SIZE: Final = (7.2, 4.0)
_LINE_LENGTH: Final = 64  # characters of a label that fit below half a page
# The colours of `habitue.report.plots`.
_INK, _MUTED, _LINE, _MISSING = "#1c1b19", "#5f5b54", "#0f5f66", "#ad4522"
_STYLE: Final[dict[RcKeyType, Any]] = {
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 11.5,
    "grid.color": "#e6e1d8",
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "figure.constrained_layout.use": True,
}


def dependence(
    contributions: pd.DataFrame, X: pd.DataFrame, feature: str, *, n_bins: int = 10, coverage: float = 0.8
) -> pd.DataFrame:
    """Tell what each value of a feature does to the predictions, bin by bin.

    Parameters
    ----------
    contributions : DataFrame of shape (n_customers, n_features)
        What each feature adds to each prediction.
    X : DataFrame of shape (n_customers, n_features)
        The values that they come from; same index.
    feature : str
        A column of both.
    n_bins : int
        Bins of about as many customers each, at most; equal values stay together.
    coverage : float
        Share of the customers of a bin between `lower` and `upper`, in (0, 1).

    Returns
    -------
    DataFrame
        feature, n, value, value_min, value_max, contribution, lower, upper: medians and quantiles by bin, in
        the order of values; customers without a value come last, with nan for it.

    Raises
    ------
    SchemaError
        Where one of the two lacks the feature.
    DataError
        Where they describe different customers, or none.
    SettingsError
        Where a setting is out of range.

    References
    ----------
    .. [1] Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
       AI for trees. Nature Machine Intelligence 2, 56-67.

    Examples
    --------
    >>> X = pd.DataFrame({"inactivity": [1.0, 2.0, 90.0, 92.0, None]})
    >>> moved = pd.DataFrame({"inactivity": [-1.0, -0.5, 1.0, 1.5, 0.25]})
    >>> dependence(moved, X, "inactivity", n_bins=2)[["n", "value", "contribution"]]
       n  value  contribution
    0  2    1.5         -0.75
    1  2   91.0          1.25
    2  1    NaN          0.25
    """
    _check(contributions, X, feature, n_bins=n_bins, coverage=coverage)
    value, moved = (one[feature].to_numpy(dtype=np.float64) for one in (X, contributions))
    known = np.isfinite(value)
    inner = np.arange(1, n_bins) / n_bins
    edges = np.unique(np.quantile(value[known], inner, method="lower")) if known.any() else np.empty(0)
    place = np.where(known, np.searchsorted(edges, value, side="left"), n_bins)
    tail = (1.0 - coverage) / 2.0
    rows: list[dict[str, object]] = []
    for one in np.unique(place):
        some = place == one
        lower, middle, upper = np.quantile(moved[some], [tail, 0.5, 1.0 - tail])
        is_known = one < n_bins
        ends = np.quantile(value[some], [0.5, 0.0, 1.0]) if is_known else np.full(3, np.nan)
        rows.append(
            {"feature": feature, "n": int(some.sum()), "value": ends[0], "value_min": ends[1],
             "value_max": ends[2], "contribution": middle, "lower": lower, "upper": upper}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _check(
    contributions: pd.DataFrame, X: pd.DataFrame, feature: str, *, n_bins: int, coverage: float
) -> None:
    for told, table in (("contributions", contributions), ("X", X)):
        if feature not in table.columns:
            there = ", ".join(map(str, table.columns)) or "none"
            raise SchemaError(f"The {told} lack the feature {feature}; there are: {there}.")
    if not contributions.index.equals(X.index) or not len(X):
        raise DataError(
            "Contributions and X must describe the same customers in the same order, at least one."
        )
    if n_bins < 1 or not 0.0 < coverage < 1.0:
        raise SettingsError(
            f"n_bins must be 1 or more and coverage between 0 and 1; got {n_bins} and {coverage}."
        )


def draw_dependence(facts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each value of a feature does to the predictions.

    Parameters
    ----------
    facts : DataFrame
        What `dependence` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.

    Returns
    -------
    matplotlib.axes.Axes
        The picture: medians over the value, with the range of most customers; a dot at the right end for
        those without a value.

    Examples
    --------
    >>> facts = pd.DataFrame({"feature": "inactivity", "n": [50, 50], "value": [1.5, 91.0],
    ...                       "contribution": [-0.75, 1.25], "lower": [-1.0, 1.0], "upper": [-0.5, 1.5]})
    >>> draw_dependence(facts).get_title(loc="left")
    'The more inactivity, the higher the prediction'
    """
    from matplotlib import pyplot, rc_context

    name = str(facts["feature"].iloc[0])
    known = facts.loc[facts["value"].notna()]
    with rc_context(_STYLE):
        axes = pyplot.subplots(figsize=_SIZE)[1] if ax is None else ax
        axes.axhline(0.0, color=_MUTED, linewidth=0.8)
        axes.fill_between(
            known["value"], known["lower"], known["upper"], color=_LINE, alpha=0.18, linewidth=0
        )
        axes.plot(known["value"], known["contribution"], "o-", color=_LINE, linewidth=2.0, markersize=4.5)
        for gap in facts.loc[facts["value"].isna()].to_dict("records"):
            _draw_missing(axes, gap)
        axes.set(xlabel=_meaning(name), ylabel="moves the prediction by")
        axes.grid(axis="y")
        axes.set_title(_finding(known, name.replace("_", " ")), loc="left")
    return axes


def _meaning(name: str) -> str:
    """Tell what a feature means as an axis does: without a full stop before the unit, on short lines."""
    return fill(describe(name).replace(". [", " ["), _LINE_LENGTH)


def _draw_missing(axes: Axes, gap: Mapping[Any, Any]) -> None:
    """Draw those without a value right of all others."""
    left, right = axes.get_xlim()
    at = right + 0.06 * (right - left)
    axes.vlines([at], [gap["lower"]], [gap["upper"]], color=_MISSING, linewidth=1.8)
    axes.plot([at], [gap["contribution"]], "D", color=_MISSING, markersize=6.0)
    axes.annotate(
        f"missing ({count(gap['n'])})", (at, gap["upper"]), xytext=(0, 4), textcoords="offset points",
        ha="right", color=_MISSING, fontsize=9.0,
    )  # fmt: skip


def _finding(known: pd.DataFrame, name: str) -> str:
    """Say which way the medians go."""
    steps = np.diff(known["contribution"].to_numpy(dtype=np.float64))
    way, length = steps.sum(), np.abs(steps).sum()
    if length == 0.0:
        return f"Whatever {name} is, it does the same to the prediction"
    if abs(way) < _ONE_WAY * length:
        return f"More {name} moves the prediction up and down"
    return f"The more {name}, the {'higher' if way > 0.0 else 'lower'} the prediction"
