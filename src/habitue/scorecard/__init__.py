"""Where loyalty stands: measures with intervals, counts and definitions, targets, and what moves them."""

from habitue.scorecard.audit import (
    base_changes,
    decile_table,
    growth_drivers,
    order_distribution,
    profit_bridge,
    value_quantiles,
)
from habitue.scorecard.audit_cohorts import cohorts_compared, one_cohort, whole_base
from habitue.scorecard.audit_records import cohort_periods, customer_values, two_periods
from habitue.scorecard.decile_transitions import decile_transitions
from habitue.scorecard.drivers import Drivers, drivers
from habitue.scorecard.log_drivers import drivers_of
from habitue.scorecard.measures import Measure
from habitue.scorecard.retention_triangles import retention_triangle
from habitue.scorecard.scorecard import Scorecard, scorecard
from habitue.scorecard.surveys import csat_mean, csat_top_two, nps
from habitue.scorecard.targets import Assessment, Target, assess_targets
from habitue.scorecard.themes import Themes, find_themes
from habitue.scorecard.value_concentration import lorenz_curve, value_concentration

__all__ = [
    "Assessment",
    "Drivers",
    "Measure",
    "Scorecard",
    "Target",
    "Themes",
    "assess_targets",
    "base_changes",
    "cohort_periods",
    "cohorts_compared",
    "csat_mean",
    "csat_top_two",
    "customer_values",
    "decile_table",
    "decile_transitions",
    "drivers",
    "drivers_of",
    "find_themes",
    "growth_drivers",
    "lorenz_curve",
    "nps",
    "one_cohort",
    "order_distribution",
    "profit_bridge",
    "retention_triangle",
    "scorecard",
    "two_periods",
    "value_concentration",
    "value_quantiles",
    "whole_base",
]
