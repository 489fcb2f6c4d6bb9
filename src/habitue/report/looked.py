"""What `habitue monitor` last found of the models on the page, in a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["Looked"]


@dataclass(frozen=True)
class Looked:
    """What the last look at a model found.

    Attributes
    ----------
    name : str
        The registered model.
    cutoff : datetime.date or None
        As of which day it was looked at; None where what was found cannot be read.
    version, scored_by : str
        The version that was looked at, and the one that made the scores.
    alarms : tuple of str
        What changed by more than chance explains, a sentence each; empty where all is quiet.
    problem : str
        Why what was found cannot be read; "" where it can.
    """

    name: str
    cutoff: date | None
    version: str
    scored_by: str
    alarms: tuple[str, ...] = ()
    problem: str = ""
