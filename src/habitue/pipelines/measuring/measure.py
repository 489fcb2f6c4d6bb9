"""Did it work: experiments read out of a log, and what they measured kept for the next round."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.experiments import Guardrail, MeasuredEffect, Readout, measured_effects, read_out
from habitue.pipelines.contact_rules import OPT_OUTS
from habitue.pipelines.files import write_text
from habitue.pipelines.measuring.assignments import Assignments
from habitue.pipelines.measuring.outcomes import Observed, observe
from habitue.pipelines.measuring.rounds import write_measured
from habitue.pipelines.measuring.segments import Segments
from habitue.records import CustomerLog

__all__ = ["Read", "read_each", "read_experiment", "write_readouts"]

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
    segments: Segments | None = None,
    opt_outs: tuple[str, ...] = OPT_OUTS,
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
    segments : Segments, optional
        Of `habitue.pipelines.measuring.segments.segments_of`: strata, households and covariates.
    opt_outs : tuple of str, optional
        Events that say that somebody opted out.

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
    seen = observe(log, assigned.frame, horizon=horizon, opt_outs=opt_outs)
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
        baseline=_before(seen, segments, adjusted=adjusted),
        complied=_uptake(frame),
        strata=None if segments is None else _rows(segments.strata, seen),
        clusters=None if segments is None else _rows(segments.clusters, seen),
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


def _rows(values: pd.Series | None, seen: Observed) -> npt.NDArray[np.object_] | None:
    """Return what is known of the customers who are read out."""
    return None if values is None else values.iloc[seen.rows].to_numpy(dtype=object)


def _before(seen: Observed, segments: Segments | None, *, adjusted: bool) -> pd.DataFrame | None:
    """Return the numbers that were known before: what customers did, and covariates that were named."""
    parts = [seen.baseline] if adjusted else []
    if segments is not None and segments.covariates is not None:
        parts.append(segments.covariates.iloc[seen.rows].set_axis(seen.baseline.index))
    return pd.concat(parts, axis=1) if parts else None


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


def read_each(
    found: Sequence[Assignments],
    none: Sequence[DataError],
    read_one: Callable[[Assignments], Read],
    *,
    named: bool,
) -> tuple[list[Read], list[str]]:
    """Read experiments out; one that cannot be is an error where it was asked for by name, else left out.

    Parameters
    ----------
    found : sequence of Assignments
        Experiments.
    none : sequence of DataError
        What is wrong with those that are none.
    read_one : callable
        Reads one out.
    named : bool
        Whether each was asked for by name.

    Returns
    -------
    tuple of (list of Read, list of str)
        One or more, and why the others were left out.

    Raises
    ------
    DataError
        Where none can be read out, or one that was asked for cannot.
    """
    read: list[Read] = []
    wrong = list(none)
    for one in found:
        try:
            read.append(read_one(one))
        except DataError as error:
            wrong.append(DataError(f"{one.experiment}: {error}"))
    if wrong and (named or not read):
        raise wrong[-1]
    return read, [str(one) for one in wrong]


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
