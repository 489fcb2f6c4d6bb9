"""What all charts share: their look, their colours, and the way from a figure to SVG for a page.

Colours are drawn as numbers nobody else uses and then become the page's CSS variables, hence dark mode. Ids
carry the chart's name, so that several charts live on one page. The same chart gives the same SVG each time.
What is drawn is decided in :mod:`habitue.report.charts`.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from habitue.report.words_of_measures import cleaned

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

__all__ = [
    "BANDS",
    "GRID",
    "INK",
    "MAIN",
    "MUTED",
    "RISK",
    "RIVALS",
    "STYLE",
    "canvas",
    "drawable",
    "label",
    "to_svg",
]

# Each stands for a CSS variable of the page: no other use of these colours is likely, and none is made.
INK, MUTED, GRID, MAIN, RISK = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
RIVALS = ("#101112", "#131415", "#161718", "#191a1b")
_LAST_BAND = "#1c1d1e"
BANDS = (MAIN, RISK, RIVALS[0], RIVALS[1], RIVALS[3], _LAST_BAND)
"""Colours of parts of a whole; grey is not among them, as it is what is left over."""
_VARIABLES = {
    INK: "--ink", MUTED: "--muted", GRID: "--grid", MAIN: "--main", RISK: "--risk",
    RIVALS[0]: "--rival-1", RIVALS[1]: "--rival-2", RIVALS[2]: "--rival-3", RIVALS[3]: "--rival-4",
    _LAST_BAND: "--band-6",
}  # fmt: skip
_WIDTH, _HEIGHT = 4.7, 3.25
_LONGEST_LABEL = 24
_WHERE = "The numbers of this chart stand in a table right after it."
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10.0,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.constrained_layout.use": True,
}


def canvas(*, height: float = _HEIGHT) -> tuple[Figure, Axes]:
    """Open an empty, transparent figure with one pair of axes.

    Parameters
    ----------
    height : float
        In inches; the width is the same for all charts.

    Returns
    -------
    tuple of matplotlib.figure.Figure and matplotlib.axes.Axes
    """
    figure = Figure(figsize=(_WIDTH, height), facecolor="none")
    return figure, figure.add_subplot(facecolor="none")


def drawable(text: str) -> str:
    """Replace characters that the font lacks, which matplotlib would warn of; the page's tables have them.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str

    Examples
    --------
    >>> drawable("Umsatz in €"), drawable("日本")
    ('Umsatz in €', '□□')
    """
    font = get_font(findfont("DejaVu Sans"))
    return "".join(c if font.get_char_index(ord(c)) else "□" for c in cleaned(text))


def label(model: str) -> str:
    """Make a model's name fit beside a chart.

    Parameters
    ----------
    model : str
        The name.

    Returns
    -------
    str
        At most 24 characters.

    Examples
    --------
    >>> label("BG/NBD"), label("a model whose name never comes to an end")
    ('BG/NBD', 'a model whose name neve…')
    """
    # matplotlib leaves labels that begin with an underscore out of a legend.
    text = drawable(model).lstrip("_") or "□"
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def to_svg(figure: Figure, name: str, told: str) -> str:
    """Write a figure as SVG fit to stand inside a page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn with the style of this module.
    name : str
        What the chart's ids begin with; no two charts of a page may share it.
    told : str
        What the chart shows, for those who cannot see it: its title, to which the description adds where the
        numbers are.

    Returns
    -------
    str
        One ``svg`` element.
    """
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # A style element would reach out of the drawing to the whole page; metadata tells nobody anything.
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = text.replace("url(#", f"url(#{name}-")
    text = re.sub("|".join(_VARIABLES), lambda found: f"var({_VARIABLES[found.group()]})", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    size, told = r' (?:width|height)="[\d.]+pt"', cleaned(told)
    head, rest = text.split(">", 1)
    head = re.sub(size, "", head).replace(
        "<svg", f'<svg class="chart" role="img" aria-label="{escape(told)}" aria-describedby="{name}-desc"', 1
    )
    said = f'<title>{escape(told)}</title><desc id="{name}-desc">{_WHERE}</desc>'
    return f"{head}>{said}{rest}".strip()
