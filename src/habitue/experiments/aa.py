"""Experiments in which nothing was done, on one's own customers, and how often something is found.

Past customers are split at random over and over. Whoever doubts an interval, because spend is skewed or
customers are few, sees here what it does on those very customers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.stats import kstest

from habitue.errors import DataError, SettingsError
from habitue.experiments.effects import FEWEST, Trial, effect_rows
from habitue.numerics.shares import wilson_interval

__all__ = ["AACheck", "simulate_aa"]

_FEWEST_SPLITS: Final = 20


@dataclass(frozen=True)
class AACheck:
    """How often something was found where nothing was done.

    Attributes
    ----------
    metric : str
        Its name.
    n : int
        Customers.
    n_splits : int
        Random splits.
    level : float
        How often something should be found at most.
    error, error_lower, error_upper : float
        How often it was at one look, with Wilson's 95 % interval over splits.
    p_uniform : float
        P-value of p-values being as often in each tenth as in another (Kolmogorov-Smirnov).
    peeking_error : float
        How often the fixed interval left out 0 at some look, of so many as were taken.
    sequential_error, sequential_lower, sequential_upper : float
        The same of the interval that allows peeking, with Wilson's interval.
    se : float
        Mean standard error, in the unit of the metric.
    variance_kept : float
        Variance after making use of what was known before, over that without.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = simulate_aa("spend", rng.gamma(0.5, 40.0, 2000), n_splits=100, random_state=0)
    >>> found.is_honest
    True
    """

    metric: str
    n: int
    n_splits: int
    level: float
    error: float
    error_lower: float
    error_upper: float
    p_uniform: float
    peeking_error: float
    sequential_error: float
    sequential_lower: float
    sequential_upper: float
    se: float
    variance_kept: float

    @property
    def is_honest(self) -> bool:
        """Whether errors are not more often than promised, beyond what chance makes of so many splits."""
        return self.error_lower <= self.level and self.sequential_lower <= self.level

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self) | {"is_honest": self.is_honest}


def simulate_aa(
    metric: str,
    values: npt.ArrayLike,
    *,
    before: npt.ArrayLike | None = None,
    share: float = 0.5,
    n_splits: int = 500,
    n_looks: int = 10,
    confidence: float = 0.95,
    random_state: int | np.random.Generator = 0,
) -> AACheck:
    """Split customers at random over and over, and count what would have been found.

    Parameters
    ----------
    metric : str
        Its name.
    values : array_like of shape (n,)
        What it was of past customers, to whom nothing was done.
    before : array_like of shape (n, p), optional
        What was known of them before.
    share : float, default 0.5
        Of customers in the control.
    n_splits : int, default 500
        How often.
    n_looks : int, default 10
        How often somebody peeks, at equal steps, while outcomes come in; 1 and more.
    confidence : float, default 0.95
        Of the intervals.
    random_state : int or Generator, default 0
        Source of chance.

    Returns
    -------
    AACheck

    Raises
    ------
    DataError
        Fewer than 50 customers, a missing value, or all are the same.
    SettingsError
        A share outside (0, 1), fewer than 20 splits, or no look.
    """
    y = np.asarray(values, dtype=np.float64)
    _check(metric, y, share, n_splits, n_looks)
    known = None if before is None else np.asarray(before, dtype=np.float64)
    draw = np.random.default_rng(random_state)
    found: dict[str, npt.NDArray[np.float64]] = _columns(
        [_split(metric, y, known, share, n_looks, confidence, draw) for _ in range(n_splits)]
    )
    level = 1.0 - confidence
    wrong, sequential = (float(np.mean(found[name] <= level)) for name in ("p", "least_sequential"))
    ends, ends_of_all = (wilson_interval([rate], [float(n_splits)]) for rate in (wrong, sequential))
    uniform: Any = kstest(found["p"], "uniform")
    return AACheck(
        metric,
        y.size,
        n_splits,
        level,
        wrong,
        float(ends[0][0]),
        float(ends[1][0]),
        float(uniform.pvalue),
        float(np.mean(found["least"] <= level)),
        sequential,
        float(ends_of_all[0][0]),
        float(ends_of_all[1][0]),
        float(np.mean(found["se"])),
        float(np.mean(found["kept"])),
    )


def _columns(rows: list[dict[str, float]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _split(
    metric: str,
    y: npt.NDArray[np.float64],
    known: npt.NDArray[np.float64] | None,
    share: float,
    n_looks: int,
    confidence: float,
    draw: np.random.Generator,
) -> dict[str, float]:
    """Run one experiment in which nothing is done, and look at it several times."""
    order = draw.permutation(y.size)
    arm = (draw.uniform(size=y.size) >= share).astype(np.intp)
    names = ("control", "other")
    trial = Trial(arm, names, None if known is None else known[order], None, None, float(y.size), confidence)
    looks = np.unique(np.ceil(np.arange(1, n_looks + 1) / n_looks * y.size).astype(np.intp))
    told: list[dict[str, Any]] = []
    for n in looks:
        there = np.arange(y.size) < n
        if np.bincount(arm[:n], minlength=2).min() >= min(FEWEST, y.size // 5):
            told += effect_rows(metric, y[order][:n], trial.of(there), sequential=True)
    p = [1.0 if np.isnan(one["p_value"]) else one["p_value"] for one in told]
    sequential = [1.0 if np.isnan(one["sequential_p"]) else one["sequential_p"] for one in told]
    last = told[-1]
    return {
        "p": p[-1],
        "least": min(p),
        "least_sequential": min(sequential),
        "se": last["se"],
        "kept": last["variance_kept"],
    }


def _check(metric: str, y: npt.NDArray[np.float64], share: float, n_splits: int, n_looks: int) -> None:
    if y.size < 50 or not np.isfinite(y).all() or np.ptp(y) == 0.0:
        raise DataError(
            f"{metric} must be known of at least 50 customers and vary between them; got {y.size} values, "
            f"{int((~np.isfinite(y)).sum())} of them missing. Choose an earlier cutoff or another metric."
        )
    if not 0.0 < share < 1.0 or n_splits < _FEWEST_SPLITS or n_looks < 1:
        raise SettingsError(
            f"An A/A check needs a control share in (0, 1), {_FEWEST_SPLITS} splits and a look or more; "
            f"got share {share!r}, {n_splits!r} splits and {n_looks!r} looks."
        )
