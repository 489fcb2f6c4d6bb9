"""`measured.json`: effects of all experiments so far, which `habitue decide` begins its next round with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from habitue.errors import SettingsError
from habitue.experiments import MeasuredEffect, RoundsTogether, combine_rounds
from habitue.pipelines.files import write_text

__all__ = ["read_measured", "rounds_together", "write_measured"]

_FORMAT: Final = 1


def read_measured(path: Path) -> list[MeasuredEffect]:
    """Read the effects that were measured so far.

    Parameters
    ----------
    path : Path
        What `write_measured` wrote.

    Returns
    -------
    list of MeasuredEffect
        Empty where there is no such file.

    Raises
    ------
    SettingsError
        Where it is none of these.
    """
    if not path.exists():
        return []
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} could not be read: {error}. Move it away and measure again.") from error
    if (
        not isinstance(told, dict)
        or told.get("format") != _FORMAT
        or not isinstance(told.get("effects"), list)
    ):
        raise SettingsError(
            f"{path} holds no measured effects of this version; move it away and measure again."
        )
    return [MeasuredEffect.from_dict(one) for one in told["effects"]]


def write_measured(path: Path, found: Sequence[MeasuredEffect]) -> list[MeasuredEffect]:
    """Add effects to those measured so far; a later readout of an experiment replaces an earlier one.

    Parameters
    ----------
    path : Path
        The file, made where there is none.
    found : sequence of MeasuredEffect
        Of one readout or several.

    Returns
    -------
    list of MeasuredEffect
        All that the file holds now.
    """
    again = {one.experiment for one in found}
    kept = [one for one in read_measured(path) if one.experiment not in again]
    every = sorted(
        [*kept, *found], key=lambda one: (one.end, one.experiment, one.offer, one.metric, one.horizon)
    )
    told: dict[str, Any] = {
        "format": _FORMAT,
        "effects": [one.to_dict() for one in every],
        "together": [asdict(one) for one in combine_rounds(every)],
    }
    write_text(path, json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return every


def rounds_together(
    path: Path, *, metric: str, horizon: int | None = None, half_life: float | None = None
) -> dict[str, RoundsTogether]:
    """Return what all rounds say of each offer, by its name: what `habitue decide` asks for.

    Parameters
    ----------
    path : Path
        ``measured.json``.
    metric : str
        Such as "margin" or "retained".
    horizon : int, optional
        Days; of the horizons measured the longest where None.
    half_life : float, optional
        Days after which a round counts half.

    Returns
    -------
    dict of RoundsTogether
        Empty where nothing was measured.
    """
    found = combine_rounds(read_measured(path), half_life=half_life)
    fitting = [one for one in found if one.metric == metric and horizon in (None, one.horizon)]
    return {one.offer: one for one in sorted(fitting, key=lambda one: one.horizon)}
