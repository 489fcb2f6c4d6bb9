"""Whether predictions came true as well as the backtest promised, once their outcomes are known.

Scores of each cutoff with bootstrap intervals stand beside those of the backtest. Only the latest cutoff can
raise an alarm: the earlier ones were judged when they were the latest. A difference counts by what chance
makes of both, the promise being an estimate too, and by a floor below which nobody would act on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

import numpy as np
import pandas as pd
from scipy.stats import norm

from habitue.evaluation.bootstrap import evaluate
from habitue.evaluation.drift import Check
from habitue.evaluation.scores import SCORES

__all__ = ["PROMISES", "Promise", "matured_checks", "matured_scores"]

_HALF: Final = norm.ppf(0.975)
"""Half the width of a 95 % interval in standard errors."""


@dataclass(frozen=True)
class Promise:
    """From when on a score that is other than promised matters.

    Attributes
    ----------
    floor : float
        Difference in the score's own unit.
    worse : int
        1 where only a larger value is worse, -1 where only a smaller one is, 0 where either is.
    """

    floor: float
    worse: int


PROMISES: Final[Mapping[str, Mapping[str, Promise]]] = MappingProxyType(
    {
        "churned": {
            "auc": Promise(0.03, -1),
            "log_loss": Promise(0.03, 1),
            "calibration_intercept": Promise(0.2, 0),
            "calibration_slope": Promise(0.2, 0),
        },
        "spend": {"bias": Promise(0.1, 0), "spearman": Promise(0.05, -1)},
    }
)
"""By target, the scores that are held against the backtest."""

_COLUMNS: Final = ("cutoff", "source", "n", "score", "value", "lower", "upper", "promised", "promised_lower",
                   "promised_upper")  # fmt: skip


def matured_scores(
    frame: pd.DataFrame,
    target: str,
    promised: Mapping[str, float],
    *,
    n_replicates: int = 200,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score what was predicted at each cutoff, beside what the backtest promised.

    Parameters
    ----------
    frame : DataFrame
        cutoff, source (where predictions are from), prediction, outcome: a row a customer and cutoff.
    target : {"churned", "spend"}
        What was predicted.
    promised : Mapping[str, float]
        Metrics of the champion's run: ``auc``, ``auc_lower``, ``auc_upper`` and so on.
    n_replicates : int
        Bootstrap draws.
    random_state : int
        Seed.

    Returns
    -------
    DataFrame
        cutoff, source, n, score, value, lower, upper, promised, promised_lower, promised_upper; NaN where
        nothing is known.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=400)
    >>> rows = pd.DataFrame({"cutoff": "2024-01-01", "source": "batch", "prediction": p,
    ...                      "outcome": rng.uniform(size=400) < p})
    >>> scores = matured_scores(rows, "churned", {"auc": 0.83}, n_replicates=50)
    >>> scores.loc[0, "score"], float(scores.loc[0, "promised"]), len(scores)
    ('auc', 0.83, 4)
    """
    wanted = [one for one in SCORES[target] if one.name in PROMISES[target]]
    tables: list[pd.DataFrame] = []
    for key, rows in frame.groupby(["cutoff", "source"], sort=True):
        cutoff, source = cast("tuple[object, str]", key)
        table = evaluate(
            rows["outcome"].to_numpy(dtype=np.float64),
            rows["prediction"].to_numpy(dtype=np.float64),
            wanted,
            n_replicates=n_replicates,
            random_state=random_state,
        )
        beside = {
            f"promised{end}": [promised.get(f"{name}{end}", np.nan) for name in table["score"]]
            for end in ("", "_lower", "_upper")
        }
        tables.append(table.assign(cutoff=cutoff, source=source, n=len(rows), **beside))
    if not tables:
        return pd.DataFrame(columns=list(_COLUMNS))
    return pd.concat(tables, ignore_index=True).loc[:, list(_COLUMNS)]


def matured_checks(scores: pd.DataFrame, target: str) -> list[Check]:
    """Hold the scores of the latest cutoff against the promise.

    Parameters
    ----------
    scores : DataFrame
        Of `matured_scores`.
    target : {"churned", "spend"}
        What was predicted.

    Returns
    -------
    list of Check
        One a score that is known on both sides.

    Notes
    -----
    p is normal: the difference over the root of both variances, each read from the longer half of its 95 %
    interval, since scores of few customers stray further to one side. Where the metrics lack an interval the
    promise is taken for certain.
    """
    if scores.empty:
        return []
    latest = scores.loc[scores["cutoff"] == scores["cutoff"].max()]
    found: list[Check] = []
    for row in latest.to_dict("records"):
        name, promise = str(row["score"]), PROMISES[target][str(row["score"])]
        value, promised = float(row["value"]), float(row["promised"])
        spread = np.hypot(
            _spread(value, row["lower"], row["upper"]),
            _spread(promised, row["promised_lower"], row["promised_upper"]),
        )
        difference = value - promised
        if not (np.isfinite(difference) and spread > 0.0):
            continue
        z = difference / float(spread)
        p = 2.0 * norm.sf(abs(z)) if promise.worse == 0 else norm.sf(promise.worse * z)
        effect = abs(difference) if promise.worse == 0 else max(promise.worse * difference, 0.0)
        told = (
            f"{name} of the predictions of {row['cutoff']} is {value:.3f} ({row['lower']:.3f} to "
            f"{row['upper']:.3f}); the backtest promised {promised:.3f}."
        )
        found.append(Check("performance", name, "bootstrap", float(p), effect, "score", promise.floor, told))
    return found


def _spread(value: float, lower: float, upper: float) -> float:
    """Return the standard error that the longer half of a 95 % interval speaks of; 0 where there is none."""
    half = max(value - lower, upper - value) / _HALF
    return float(half) if np.isfinite(half) else 0.0
