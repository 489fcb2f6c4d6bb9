"""Small pictures of a measure's months, as SVG that takes its colours from the page.

A line with the band of its intervals, and a dot where it ends: drawn by hand, as a page holds dozens of them.
Their numbers stand in a table of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from habitue.report.scorecard_facts import Point

__all__ = ["sparkline"]

_X = Callable[[int], float]
_Y = Callable[[float | None], float]

_WIDTH, _HEIGHT, _EDGE = 132.0, 34.0, 4.0


def sparkline(points: Sequence[Point], *, name: str, label: str, said: Sequence[str]) -> str:
    """Draw months as a line with its interval band.

    Parameters
    ----------
    points : sequence of Point
        In their order; a month without a value is a gap.
    name : str
        What its ids begin with; no two drawings of a page may share it.
    label : str
        Of the measure.
    said : sequence of str
        Each month's number as the page writes it.

    Returns
    -------
    str
        One ``svg`` element; empty where fewer than two months have a value.

    Examples
    --------
    >>> months = [Point(f"2026-0{m}", float(m), m - 1.0, m + 1.0, 9, "") for m in (1, 2, 3)]
    >>> svg = sparkline(months, name="s", label="NPS", said=["1", "2", "3"])
    >>> svg[:24], "from 1 in 2026-01 to 3 in 2026-03" in svg
    ('<svg class="spark" role=', True)
    """
    known = [at for at, point in enumerate(points) if point.value is not None]
    if len(known) < 2:
        return ""
    x, y = _scales(points)
    title = f"{label} by month"
    first, last = known[0], known[-1]
    desc = (
        f"{label}, {len(known)} months: from {said[first]} in {points[first].group} to {said[last]} in "
        f"{points[last].group}."
    )
    runs = _runs(points)
    band = "".join(_band(points, run, x, y) for run in runs)
    line = "".join(_line(points, run, x, y) for run in runs)
    end = f'<circle class="end" cx="{x(last):.1f}" cy="{y(points[last].value):.1f}" r="2.6"/>'
    size = f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}"'
    return (
        f'<svg class="spark" role="img" aria-labelledby="{name}-t {name}-d" {size}>'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(desc)}</desc>'
        f"{band}{line}{end}</svg>"
    )


def _scales(points: Sequence[Point]) -> tuple[_X, _Y]:
    """Return what places a month across, and a value upright."""
    ends = [one for p in points for one in (p.value, p.lower, p.upper) if one is not None]
    low, high = min(ends), max(ends)
    span = high - low or 1.0
    step = (_WIDTH - 2.0 * _EDGE) / max(len(points) - 1, 1)

    def x(at: int) -> float:
        return _EDGE + at * step

    def y(value: float | None) -> float:
        return _HEIGHT - _EDGE - ((value or 0.0) - low) / span * (_HEIGHT - 2.0 * _EDGE)

    return x, y


def _runs(points: Sequence[Point]) -> list[list[int]]:
    """Return stretches of months that have values."""
    runs: list[list[int]] = []
    for at, point in enumerate(points):
        if point.value is None:
            continue
        if runs and runs[-1][-1] == at - 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _band(points: Sequence[Point], run: Sequence[int], x: _X, y: _Y) -> str:
    inside = [at for at in run if points[at].lower is not None and points[at].upper is not None]
    if len(inside) < 2:
        return ""
    there = [f"{x(at):.1f},{y(points[at].upper):.1f}" for at in inside]
    back = [f"{x(at):.1f},{y(points[at].lower):.1f}" for at in reversed(inside)]
    return f'<polygon class="band" points="{" ".join([*there, *back])}"/>'


def _line(points: Sequence[Point], run: Sequence[int], x: _X, y: _Y) -> str:
    if len(run) == 1:
        return f'<circle class="dot" cx="{x(run[0]):.1f}" cy="{y(points[run[0]].value):.1f}" r="1.6"/>'
    return f'<polyline points="{" ".join(f"{x(at):.1f},{y(points[at].value):.1f}" for at in run)}"/>'
