"""How good, and when: scores per customer, calibration, ranking, rolling-origin backtests, comparison."""

from habitue.evaluation import fit_curves
from habitue.evaluation.backtest import Backtest, backtest
from habitue.evaluation.bootstrap import Difference, compare, evaluate
from habitue.evaluation.curves import decile_table, gains, reliability, totals, tracking_error
from habitue.evaluation.effect_calibration import effect_calibration
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
from habitue.evaluation.policies import by_effect, by_score, for_all, random_like, rival_policies
from habitue.evaluation.policy_value import PolicyValue, compare_policies, policy_value, value_by_budget
from habitue.evaluation.profit import Campaign, RetentionOffer, expected_maximum_profit, maximum_profit
from habitue.evaluation.rivals import BASELINES
from habitue.evaluation.scores import SCORES, Score, profit_score
from habitue.evaluation.seasons import season_of
from habitue.evaluation.segments import scores_by_segment, segment_of
from habitue.evaluation.uplift_choice import UpliftChoice, choose_uplift
from habitue.evaluation.uplift_curves import compare_uplift, evaluate_uplift, uplift_curve
from habitue.evaluation.uplift_scores import LIBRARY_SCORES, UPLIFT_SCORES

__all__ = [
    "BASELINES",
    "LIBRARY_SCORES",
    "SCORES",
    "UPLIFT_SCORES",
    "Backtest",
    "Campaign",
    "Difference",
    "FairnessAudit",
    "FutureProbe",
    "Judged",
    "LeakageProbe",
    "PolicyValue",
    "RetentionOffer",
    "Score",
    "UpliftChoice",
    "audit_fairness",
    "backtest",
    "by_effect",
    "by_score",
    "choose_uplift",
    "compare",
    "compare_policies",
    "compare_uplift",
    "comparison_table",
    "coverage_table",
    "crps_from_quantiles",
    "decile_groups",
    "decile_table",
    "effect_calibration",
    "evaluate",
    "evaluate_uplift",
    "expected_maximum_profit",
    "fit_curves",
    "for_all",
    "future_changes_nothing",
    "gains",
    "interval_score",
    "judge",
    "leakage_probe",
    "leakage_suspects",
    "maximum_profit",
    "policy_value",
    "profit_score",
    "random_like",
    "reliability",
    "rival_policies",
    "score_table",
    "scores_by_segment",
    "season_of",
    "segment_of",
    "totals",
    "tracking_error",
    "uplift_curve",
    "value_by_budget",
]
