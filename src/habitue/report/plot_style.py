"""How pictures for notebooks look: the page's colours in light mode, set for one picture and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

__all__ = ["ACTUAL", "INK", "MODEL", "MUTED", "axes_of", "styled"]

# A dark teal and a rust, apart in hue for the colour-blind too.
INK: Final = "#1c1b19"
MUTED: Final = "#5f5b54"
ACTUAL: Final = "#0f5f66"
MODEL: Final = "#ad4522"
_SIZE: Final = (7.2, 4.0)
_STYLE: Final[dict[RcKeyType, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.titlepad": 12.0,
    "grid.color": "#e6e1d8",
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100.0,
}


def styled() -> Any:
    """Return a context in which pictures are drawn in the project's style.

    Returns
    -------
    context manager
    """
    from matplotlib import rc_context

    return rc_context(_STYLE)


def axes_of(ax: Axes | None) -> Axes:
    """Return the axes handed in, or those of a new figure, which a notebook shows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=_SIZE)[1]
