"""The scores behind CLV and customer equity: those of the last day, and how far off they may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import DataError, RegistryError, UnavailableError

if TYPE_CHECKING:
    from habitue.pipelines.scoring.batches import Target as ScoresTarget
    from habitue.tracking import Store

__all__ = ["DayScores", "scores_at"]

_COLUMNS = ("customer_id", "cutoff", "horizon", "clv", "clv_lower", "clv_upper")
_LEFT_OUT = "CLV and customer equity are left out"


@dataclass(frozen=True)
class DayScores:
    """The scores of a day.

    Attributes
    ----------
    frame : DataFrame or None
        customer_id, cutoff, horizon, clv and, if they are there, clv_lower and clv_upper; None where there
        are no scores.
    level : float
        Probability that clv_lower and clv_upper hold.
    bias : tuple of float or None
        Ends of the interval for the model's total over the actual one, less 1, on held-out days.
    notes : tuple of str
        Why there are no scores.
    """

    frame: pd.DataFrame | None = None
    level: float = 0.8
    bias: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def scores_at(
    scores: ScoresTarget | None, end: date, *, store: Callable[[], Store] | None = None
) -> DayScores:
    """Return the scores as of a day, or say why there are none.

    Parameters
    ----------
    scores : scoring target or None
        Where batches are.
    end : datetime.date
        The day.
    store : callable, optional
        Opens MLflow's home, where it stands how far off the model was on held-out days.
    """
    if scores is None:
        return DayScores()
    try:
        keys = scores.batches()
        for key in reversed([one for one in keys if one.cutoff == end]):
            frame = scores.read(key, list(_COLUMNS))
            if "clv" in frame and len(frame):
                model = _value_model(scores.finished(key))
                return DayScores(frame, float(model.get("interval") or 0.8), _bias(model, store))
    except (DataError, UnavailableError) as error:
        return DayScores(notes=(f"{_LEFT_OUT}: {error}",))
    if not keys:
        why = f"there are no scores in {scores.label}. Make some: habitue score --cutoff {end}"
        return DayScores(notes=(f"{_LEFT_OUT}: {why}",))
    told = (
        f"the scores as of {end} have no clv"
        if any(one.cutoff == end for one in keys)
        else f"the newest scores in {scores.label} are as of {keys[-1].cutoff}, the scorecard ends on {end}"
    )
    return DayScores(notes=(f"{_LEFT_OUT}: {told}. Score as of that day: habitue score --cutoff {end}",))


def _value_model(manifest: dict[str, Any] | None) -> dict[str, Any]:
    models: list[dict[str, Any]] = (manifest or {}).get("models", [])
    return next((one for one in models if one.get("role") == "clv"), {})


def _bias(model: dict[str, Any], store: Callable[[], Store] | None) -> tuple[float, float] | None:
    """Return how far off the model's total was when it was tested; None where nobody kept it."""
    if store is None or not {"run_id", "label"} <= set(model):
        return None
    from habitue.tracking import logged_tables

    try:
        tested = logged_tables(store(), str(model["run_id"])).get("scores", pd.DataFrame())
    except (RegistryError, UnavailableError):
        return None
    if not {"model", "score", "lower", "upper"} <= set(tested.columns):
        return None
    mine = tested.loc[(tested["score"] == "bias") & (tested["model"] == model["label"])]
    ends = tuple(float(one) for name in ("lower", "upper") for one in mine[name].head(1))
    return ends if len(ends) == 2 and all(map(math.isfinite, ends)) and ends[0] > -1.0 else None
