"""Did it work: design, assignment, readout of experiments, and effects to begin the next round with."""

from habitue.experiments.aa import AACheck, simulate_aa
from habitue.experiments.assignment import assign
from habitue.experiments.baseline import Baseline
from habitue.experiments.checks import SampleRatio
from habitue.experiments.design import Design, design
from habitue.experiments.guardrails import Guardrail
from habitue.experiments.measured import MeasuredEffect, RoundsTogether, combine_rounds, measured_effects
from habitue.experiments.readout import Readout, read_out

__all__ = [
    "AACheck",
    "Baseline",
    "Design",
    "Guardrail",
    "MeasuredEffect",
    "Readout",
    "RoundsTogether",
    "SampleRatio",
    "assign",
    "combine_rounds",
    "design",
    "measured_effects",
    "read_out",
    "simulate_aa",
]
