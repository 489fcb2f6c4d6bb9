"""What the backtest's curves say: can the predictions be believed, and is the order of customers right.

Three curves, each of the champion and of whatever rivals are named: calibration (what was predicted against
what happened), gains (how many leavers the top of the list holds) and value by decile. The curves are
computed elsewhere; here they are read, thinned and told in one sentence each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from habitue.errors import SchemaError

__all__ = ["Calibration", "CalibrationPoint", "Curves", "DecileCurve", "DecilePoint", "Gains", "read_curves"]

MOST_POINTS = 101
COLUMNS = {
    "reliability": ("mean_prediction", "observed_rate", "n", "lower", "upper"),
    "gains": ("share_contacted", "share_captured"),
    "deciles": ("decile", "n", "mean_prediction", "mean_actual", "lower", "upper"),
}


@dataclass(frozen=True)
class CalibrationPoint:
    """Customers of similar predicted risk: the mean prediction, the share that left, and its interval."""

    mean_prediction: float
    observed_rate: float
    n: int
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Calibration:
    """One model's calibration; ``mean_gap`` is the mean distance of predicted and observed share."""

    model: str
    is_champion: bool
    points: tuple[CalibrationPoint, ...]
    mean_gap: float


@dataclass(frozen=True)
class Gains:
    """One model's gains curve; ``captured_at_20`` is the share captured by contacting a fifth."""

    model: str
    is_champion: bool
    share_contacted: tuple[float, ...]
    share_captured: tuple[float, ...]
    captured_at_20: float


@dataclass(frozen=True)
class DecilePoint:
    """A tenth of the customers by predicted value: mean prediction, mean of what came, and its interval."""

    decile: int
    n: int
    mean_prediction: float
    mean_actual: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class DecileCurve:
    """One model's value by decile; ``bias`` is predicted over actual total less one, None if that is 0."""

    model: str
    is_champion: bool
    points: tuple[DecilePoint, ...]
    bias: float | None


@dataclass(frozen=True)
class Curves:
    """All curves, the champion's first in each."""

    calibration: tuple[Calibration, ...]
    gains: tuple[Gains, ...]
    deciles: tuple[DecileCurve, ...]


Curve = TypeVar("Curve", Calibration, Gains, DecileCurve)


def read_curves(
    curves: Mapping[str, pd.DataFrame], *, churn_champions: Sequence[str], value_champions: Sequence[str]
) -> Curves:
    """Read the backtest's curves, the champion's first.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        Any of "reliability" (mean_prediction, observed_rate, n, lower, upper), "gains" (share_contacted,
        share_captured), "deciles" (decile, n, mean_prediction, mean_actual, lower, upper), each with a column
        ``model`` unless it is the champion's alone.
    churn_champions, value_champions : sequence of str
        Names by which each champion may be known.

    Returns
    -------
    Curves

    Raises
    ------
    SchemaError
        If a curve has another name or lacks a column.

    Examples
    --------
    >>> gains = pd.DataFrame({"share_contacted": [0.0, 0.2, 1.0], "share_captured": [0.0, 0.5, 1.0]})
    >>> read_curves({"gains": gains}, churn_champions=["A"], value_champions=[]).gains[0].captured_at_20
    0.5
    """
    unknown = sorted(set(curves) - set(COLUMNS))
    if unknown:
        raise SchemaError(f"No curve is called {', '.join(unknown)}; the report draws: {', '.join(COLUMNS)}.")
    return Curves(
        calibration=_each(curves, "reliability", churn_champions, _calibration),
        gains=_each(curves, "gains", [*churn_champions, *value_champions], _gains),
        deciles=_each(curves, "deciles", value_champions, _deciles),
    )


def _each(
    curves: Mapping[str, pd.DataFrame],
    name: str,
    champions: Sequence[str],
    read: Callable[[str, bool, pd.DataFrame], Curve],
) -> tuple[Curve, ...]:
    if name not in curves or curves[name].empty:
        return ()
    frame, columns = curves[name], COLUMNS[name]
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise SchemaError(
            f"The curve {name} lacks {', '.join(missing)}; "
            f"its columns are: {', '.join(map(str, frame.columns))}."
        )
    if "model" not in frame.columns:
        frame = frame.assign(model=champions[0] if champions else "the model")
    # A bin nobody fell into, or a share that cannot be told, is no point on a curve.
    frame = frame.dropna(subset=[column for column in columns if column not in ("lower", "upper")])
    models = [str(model) for model in frame["model"].unique()]
    champion = next((model for model in champions if model in models), None)
    groups = frame.groupby(frame["model"].astype(str), sort=False)
    found = [read(str(model), str(model) == champion, rows) for model, rows in groups]
    return tuple(sorted(found, key=lambda curve: not curve.is_champion))


def _calibration(model: str, is_champion: bool, rows: pd.DataFrame) -> Calibration:
    rows = rows.sort_values("mean_prediction")
    points = tuple(
        CalibrationPoint(float(p), float(rate), int(n), _end(lower), _end(upper))
        for p, rate, n, lower, upper in rows[list(COLUMNS["reliability"])].itertuples(index=False)
    )
    n = sum(point.n for point in points)
    gap = sum(point.n * abs(point.mean_prediction - point.observed_rate) for point in points)
    return Calibration(model, is_champion, points, gap / n if n else 0.0)


def _gains(model: str, is_champion: bool, rows: pd.DataFrame) -> Gains:
    rows = rows.sort_values(["share_contacted", "share_captured"])
    contacted = rows["share_contacted"].to_numpy(dtype=float)
    captured = rows["share_captured"].to_numpy(dtype=float)
    at_20 = float(np.interp(0.2, contacted, captured))
    if contacted.size > MOST_POINTS:
        grid = np.linspace(0.0, 1.0, MOST_POINTS)
        contacted, captured = grid, np.interp(grid, contacted, captured)
    return Gains(model, is_champion, tuple(map(float, contacted)), tuple(map(float, captured)), at_20)


def _deciles(model: str, is_champion: bool, rows: pd.DataFrame) -> DecileCurve:
    rows = rows.sort_values("decile")
    points = tuple(
        DecilePoint(int(decile), int(n), float(predicted), float(actual), _end(lower), _end(upper))
        for decile, n, predicted, actual, lower, upper in rows[list(COLUMNS["deciles"])].itertuples(
            index=False
        )
    )
    predicted = sum(point.n * point.mean_prediction for point in points)
    actual = sum(point.n * point.mean_actual for point in points)
    return DecileCurve(model, is_champion, points, predicted / actual - 1.0 if actual > 0.0 else None)


def _end(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
