"""Did it work: experiments read out of a log, and what they measured kept for the next round."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from habitue.errors import DataError
from habitue.experiments import Guardrail, MeasuredEffect, Readout, measured_effects, read_out
from habitue.pipelines.files import write_text
from habitue.pipelines.measuring.assignments import Assignments
from habitue.pipelines.measuring.outcomes import observe
from habitue.pipelines.measuring.rounds import write_measured
from habitue.records import CustomerLog

__all__ = ["Read", "read_experiment", "write_readouts"]

_UNASKED: Final = ("n_returns", "n_tickets", "opted_out", "has_contract")
"""Metrics that nobody hopes to move: read out only where they are asked for or guarded."""


@dataclass(frozen=True)
class Read:
    """One experiment, read out.

    Attributes
    ----------
    experiment : str
        Its name.
    readout : Readout
        What it says.
    measured : tuple of MeasuredEffect
        What is kept for the next round.
    horizon : int
        Days after assignment within which outcomes were counted.
    notes : tuple of str
        What has to be known to read it.
    """

    experiment: str
    readout: Readout
    measured: tuple[MeasuredEffect, ...]
    horizon: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "experiment": self.experiment,
            "horizon": self.horizon,
            **self.readout.to_dict(),
            "notes": list(self.notes),
            "measured": [one.to_dict() for one in self.measured],
        }


def read_experiment(
    log: CustomerLog,
    assigned: Assignments,
    *,
    horizon: int,
    metrics: tuple[str, ...] = (),
    guardrails: Sequence[Guardrail] = (),
    confidence: float = 0.95,
    adjusted: bool = True,
    planned: int | None = None,
) -> Read:
    """Read one experiment out of a log.

    Parameters
    ----------
    log : CustomerLog
        The records.
    assigned : Assignments
        Who was assigned to what, when.
    horizon : int
        Days after assignment within which outcomes count.
    metrics : tuple of str, default ()
        Which; margin, spend, retained and purchases, as the log has them, where empty.
    guardrails : sequence of Guardrail, default ()
        Metrics that must not get worse.
    confidence : float, default 0.95
        Of every interval.
    adjusted : bool, default True
        Whether what customers did before is made use of.
    planned : int, optional
        As `habitue.experiments.read_out`.

    Returns
    -------
    Read

    Raises
    ------
    DataError
        Where nobody's outcome is known yet, ids are not those of the log, or the list is no experiment.
    SettingsError
        Where the log cannot give a metric.
    """
    seen = observe(log, assigned.frame, horizon=horizon)
    guarded = tuple(one.metric for one in guardrails)
    wanted = metrics or tuple(name for name in seen.outcomes if name not in _UNASKED)
    columns = list(dict.fromkeys([*wanted, *guarded]))
    lacking = [name for name in columns if name not in seen.outcomes]
    if lacking:
        observe(log, assigned.frame.head(1), horizon=horizon, metrics=tuple(lacking))
    frame = assigned.frame.iloc[seen.rows]
    _refuse_immature(frame, seen.matured, log, horizon)
    readout = read_out(
        seen.outcomes.loc[:, columns],
        frame["arm"].to_numpy(dtype=object),
        propensity=_chances(frame),
        baseline=seen.baseline if adjusted else None,
        complied=_uptake(frame),
        matured=seen.matured,
        guardrails=guardrails,
        confidence=confidence,
        planned=planned,
    )
    measured = measured_effects(
        readout,
        experiment=assigned.experiment,
        offers=assigned.offers,
        start=frame["day"].min().date(),
        end=frame["day"].max().date(),
        horizon=horizon,
    )
    notes = (*assigned.notes, *seen.notes, *readout.notes)
    return Read(assigned.experiment, readout, tuple(measured), horizon, notes)


def _refuse_immature(frame: pd.DataFrame, matured: Any, log: CustomerLog, horizon: int) -> None:
    if matured.any():
        return
    first = (frame["day"].min() + pd.Timedelta(days=horizon)).date()
    raise DataError(
        f"No outcome is known yet of {len(frame):,} customers: the first horizon ends on {first}, and "
        f"the log on {log.observed_until}. Wait, or read out with a shorter horizon."
    )


def _chances(frame: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Return the chances where they are known of everybody."""
    chances = frame["propensity"].to_numpy(dtype=np.float64)
    return None if np.isnan(chances).any() else chances


def _uptake(frame: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    accepted: Any = frame["accepted"]
    if accepted.isna().all():
        return None
    return accepted.fillna(False).to_numpy(dtype=np.bool_)


def write_readouts(read: Sequence[Read], folder: Path) -> tuple[Path, Path]:
    """Write what was read out, and add what was measured to what is known.

    Parameters
    ----------
    read : sequence of Read
        One or several experiments.
    folder : Path
        Where ``readout.json`` and ``measured.json`` lie.

    Returns
    -------
    tuple of Path
        The two files.
    """
    told = json.dumps(_finite({"experiments": [one.to_dict() for one in read]}), indent=2, ensure_ascii=False)
    readout = write_text(folder / "readout.json", told + "\n")
    write_measured(folder / "measured.json", [effect for one in read for effect in one.measured])
    return readout, folder / "measured.json"


def _finite(value: Any) -> Any:
    """Return plain data as JSON knows it: what is no number, or has no end, is null."""
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
