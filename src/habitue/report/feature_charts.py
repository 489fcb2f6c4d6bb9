"""What the features that move predictions most do to them, as SVG: for a run, beside its other charts.

The picture is that of :mod:`~habitue.report.dependence`; here it is drawn without a notebook.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from habitue.report.dependence import dependence, draw_dependence
from habitue.report.drawing import STYLE, drawable, to_svg

__all__ = ["feature_charts"]

_SIZE: Final = (7.2, 4.0)


def feature_charts(
    contributions: pd.DataFrame, values: pd.DataFrame, *, n_features: int = 3
) -> dict[str, str]:
    """Draw the features that move predictions most.

    Parameters
    ----------
    contributions : DataFrame of shape (n_customers, n_features)
        What each feature adds to each prediction.
    values : DataFrame of shape (n_customers, n_values)
        What the contributions speak of; same index. A feature whose values are not there is passed over.
    n_features : int
        So many, at most; those that move nothing are not drawn.

    Returns
    -------
    dict of str
        Feature to SVG, the one that moves predictions most first.

    Examples
    --------
    >>> values = pd.DataFrame({"inactivity": [1.0, 40.0, 90.0], "T": [9.0, 9.0, 9.0]})
    >>> moved = pd.DataFrame({"inactivity": [-1.0, 0.5, 1.5], "T": [0.0, 0.0, 0.0]})
    >>> charts = feature_charts(moved, values)
    >>> list(charts), charts["inactivity"].startswith("<svg")
    (['inactivity'], True)
    """
    sizes = contributions.abs().mean().sort_values(ascending=False, kind="stable")
    names = [str(name) for name, size in sizes.items() if size > 0.0 and name in values.columns]
    return {name: _chart(contributions, values, name) for name in names[:n_features]}


def _chart(contributions: pd.DataFrame, values: pd.DataFrame, name: str) -> str:
    facts = dependence(contributions, values, name)
    with rc_context(STYLE):
        figure = Figure(figsize=_SIZE, facecolor="none")
        axes = draw_dependence(facts, ax=figure.add_subplot(facecolor="none"))
        finding = axes.get_title(loc="left")
        axes.set_title(drawable(finding), loc="left")
        axes.set_xlabel(drawable(axes.get_xlabel()))
        return to_svg(figure, f"dependence-{name}", finding)
