"""How good, and when: scores per customer, calibration, ranking, rolling-origin backtests, comparison."""

from habitue.evaluation import fit_curves
from habitue.evaluation.backtest import Backtest, backtest
from habitue.evaluation.bootstrap import Difference, compare, evaluate
from habitue.evaluation.curves import decile_table, gains, reliability, totals, tracking_error
from habitue.evaluation.fairness import FairnessAudit, audit_fairness
from habitue.evaluation.future_records import FutureProbe, future_changes_nothing
from habitue.evaluation.intervals import (
    coverage_table,
    crps_from_quantiles,
    decile_groups,
    interval_score,
)
from habitue.evaluation.leakage import leakage_suspects
from habitue.evaluation.leakage_probe import LeakageProbe, leakage_probe
from habitue.evaluation.paired import Judged, comparison_table, judge, score_table
from habitue.evaluation.profit import Campaign, Offer, expected_maximum_profit, maximum_profit
from habitue.evaluation.rivals import BASELINES
from habitue.evaluation.scores import SCORES, Score, profit_score
from habitue.evaluation.seasons import season_of
from habitue.evaluation.segments import scores_by_segment, segment_of

__all__ = [
    "BASELINES",
    "SCORES",
    "Backtest",
    "Campaign",
    "Difference",
    "FairnessAudit",
    "FutureProbe",
    "Judged",
    "LeakageProbe",
    "Offer",
    "Score",
    "audit_fairness",
    "backtest",
    "compare",
    "comparison_table",
    "coverage_table",
    "crps_from_quantiles",
    "decile_groups",
    "decile_table",
    "evaluate",
    "expected_maximum_profit",
    "fit_curves",
    "future_changes_nothing",
    "gains",
    "interval_score",
    "judge",
    "leakage_probe",
    "leakage_suspects",
    "maximum_profit",
    "profit_score",
    "reliability",
    "score_table",
    "scores_by_segment",
    "season_of",
    "segment_of",
    "totals",
    "tracking_error",
]
