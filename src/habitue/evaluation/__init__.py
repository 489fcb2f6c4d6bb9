"""How good, and when: scores per customer, calibration, ranking, rolling-origin backtests, comparison."""

from habitue.evaluation import fit_curves
from habitue.evaluation.backtest import Backtest, backtest
from habitue.evaluation.bootstrap import Difference, compare, evaluate
from habitue.evaluation.curves import decile_table, gains, reliability
from habitue.evaluation.rivals import BASELINES
from habitue.evaluation.scores import SCORES, Score

__all__ = [
    "BASELINES",
    "SCORES",
    "Backtest",
    "Difference",
    "Score",
    "backtest",
    "compare",
    "decile_table",
    "evaluate",
    "fit_curves",
    "gains",
    "reliability",
]
