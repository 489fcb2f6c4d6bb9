"""Where loyalty stands: measures with their intervals, counts and definitions."""

from habitue.scorecard.measures import Measure
from habitue.scorecard.surveys import csat_mean, csat_top_two, nps

__all__ = ["Measure", "csat_mean", "csat_top_two", "nps"]
