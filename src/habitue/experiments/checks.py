"""Whether an experiment can be believed: sizes of its arms, lost outcomes, single customers who decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2_contingency, norm

from habitue.errors import SettingsError
from habitue.experiments.effects import Trial, effect_rows
from habitue.numerics.sample_ratio import sample_ratio_p, sequential_sample_ratio_p

__all__ = ["BROKEN", "SampleRatio", "attrition_table", "check_sample_ratio", "is_even", "outlier_table"]

BROKEN: Final = 0.001
"""P-value of the sizes of arms below which something lost or doubled customers."""
_TOP: Final = 0.99


@dataclass(frozen=True)
class SampleRatio:
    """Whether arms are as large as was meant.

    Attributes
    ----------
    counts : Mapping[str, int]
        Customers by arm, those included whose outcome is not known yet.
    expected : Mapping[str, float]
        What was meant; empty where nobody said.
    p_value : float
        Of one look; NaN where nobody said what was meant.
    sequential_p : float
        That may be looked at any time; NaN where chances differ between customers.
    notes : tuple of str
        What it comes to, where something is wrong or untold.

    Examples
    --------
    >>> SampleRatio({"control": 50, "call": 50}, {"control": 50.0, "call": 50.0}, 1.0, 1.0).is_sound
    True
    """

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    p_value: float
    sequential_p: float
    notes: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against the sizes."""
        return not self.p_value < BROKEN

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "counts": dict(self.counts),
            "expected": dict(self.expected),
            "p_value": self.p_value,
            "sequential_p": self.sequential_p,
            "is_sound": self.is_sound,
        }


def is_even(chance: npt.NDArray[np.float64], code: npt.NDArray[np.intp]) -> bool:
    """Tell whether all customers were drawn with the same chances.

    Parameters
    ----------
    chance : ndarray of shape (n,)
        Chance of the arm that was drawn.
    code : ndarray of int of shape (n,)
        Number of the arm.

    Notes
    -----
    Chances that are the same within arms and do not sum to 1 belong to different draws.

    Examples
    --------
    >>> is_even(np.array([0.3, 0.7, 0.7]), np.array([0, 1, 1]))
    True
    """
    arms = [chance[code == number] for number in np.unique(code)]
    same = all(float(np.ptp(one)) < 1e-9 for one in arms)
    return same and abs(sum(float(one[0]) for one in arms) - 1.0) < 1e-6


def check_sample_ratio(
    code: npt.NDArray[np.intp],
    names: tuple[str, ...],
    *,
    shares: Mapping[str, float] | None,
    propensity: npt.NDArray[np.float64] | None,
) -> SampleRatio:
    """Hold the sizes of arms against what was meant.

    Parameters
    ----------
    code : ndarray of int of shape (n,)
        Number of each customer's arm.
    names : tuple of str
        Of the arms.
    shares : Mapping[str, float] or None
        What share of customers each was meant to get.
    propensity : ndarray of shape (n,) or None
        Chance of the arm that was drawn.

    Returns
    -------
    SampleRatio

    Raises
    ------
    SettingsError
        Where shares name other arms than those found, or do not sum to 1.

    Notes
    -----
    Where chances differ between customers, 1 / chance summed over an arm estimates the number of all
    customers, with variance sum((1 - chance) / chance^2); the p-value is that of the worst arm times the
    number of arms.

    Examples
    --------
    >>> code = np.repeat([0, 1], [400, 600])
    >>> check_sample_ratio(code, ("control", "call"), shares={"control": 0.5, "call": 0.5},
    ...                    propensity=None).is_sound
    False
    """
    counts = np.bincount(code, minlength=len(names))
    told = {name: int(count) for name, count in zip(names, counts, strict=True)}
    meant: npt.NDArray[np.float64] | None = None
    if shares is not None:
        meant = _meant(shares, names)
    elif propensity is not None and is_even(propensity, code):
        meant = np.array([propensity[code == number][0] for number in range(len(names))])
    if meant is not None:
        p, sequential = sample_ratio_p(counts, meant), sequential_sample_ratio_p(counts, meant)
        expected = dict(zip(names, (counts.sum() * meant).tolist(), strict=True))
        return SampleRatio(told, expected, p, sequential, _why(p, told, expected))
    if propensity is None:
        said = "Nobody said what share of customers each arm was meant to get: their sizes are not checked."
        return SampleRatio(told, {}, np.nan, np.nan, (said,))
    p = _weighted_p(propensity, code, len(names))
    return SampleRatio(told, {}, p, np.nan, _why(p, told, {}))


def _meant(shares: Mapping[str, float], names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    lost = sorted(set(names) - set(shares))
    meant = np.array([shares.get(name, np.nan) for name in names])
    if lost or not (meant > 0.0).all() or abs(meant.sum() - 1.0) > 1e-6:
        raise SettingsError(
            f"shares must name the arms {', '.join(names)} and sum to 1; got {dict(shares)}. An arm that was "
            "meant and has no customers is missing altogether."
        )
    return meant


def _weighted_p(propensity: npt.NDArray[np.float64], code: npt.NDArray[np.intp], n_arms: int) -> float:
    """Return the p-value of the worst arm, by the sum of its customers' weights."""
    found: list[float] = []
    for number in range(n_arms):
        chance = propensity[code == number]
        spread = float(((1.0 - chance) / chance**2).sum())
        if spread > 0.0:
            z = ((1.0 / chance).sum() - code.size) / np.sqrt(spread)
            found.append(float(2.0 * norm.sf(abs(z))))
    return min(1.0, n_arms * min(found)) if found else 1.0


def _why(p: float, counts: Mapping[str, int], expected: Mapping[str, float]) -> tuple[str, ...]:
    if not p < BROKEN:
        return ()
    sizes = ", ".join(
        f"{name} {count:,}" + (f" instead of {expected[name]:,.0f}" if name in expected else "")
        for name, count in counts.items()
    )
    return (
        f"The arms are not as large as was meant ({sizes}; p = {p:.2g}): somewhere customers of an arm got "
        "lost or doubled, and no effect is to be believed before it is known where.",
    )


def attrition_table(table: pd.DataFrame, arm: npt.NDArray[np.intp], names: tuple[str, ...]) -> pd.DataFrame:
    """Tell for each metric with missing outcomes whether they are missing alike in all arms.

    Parameters
    ----------
    table : DataFrame of shape (n, m)
        Outcomes.
    arm : ndarray of int of shape (n,)
        Number of each customer's arm.
    names : tuple of str
        Of the arms.

    Returns
    -------
    DataFrame
        metric, n_missing, share_control, largest_share, p_value.
    """
    rows: list[dict[str, Any]] = []
    sizes = np.bincount(arm, minlength=len(names))
    for metric in table.columns:
        lost = np.bincount(arm, table[metric].isna().to_numpy(dtype=np.float64), len(names))
        if not lost.any():
            continue
        tested: Any = (
            None
            if lost.sum() == sizes.sum()
            else chi2_contingency(np.array([lost, sizes - lost]), correction=False)
        )
        share = lost / sizes
        rows.append(
            {
                "metric": str(metric),
                "n_missing": int(lost.sum()),
                "share_control": float(share[0]),
                "largest_share": float(share.max()),
                "p_value": 1.0 if tested is None else float(tested.pvalue),
            }
        )
    return pd.DataFrame(rows, columns=["metric", "n_missing", "share_control", "largest_share", "p_value"])


def outlier_table(table: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """Tell how much few customers hold, and what the effect is with them cut off.

    Parameters
    ----------
    table : DataFrame of shape (n, m)
        Outcomes.
    trial : Trial
        The same customers.

    Returns
    -------
    DataFrame
        metric, arm, top_share, cap, effect_capped, lower_capped, upper_capped; shares have
        none.

    Notes
    -----
    The cap is the 99th percentile of all arms together. The capped effect answers another question, what an
    offer does short of its largest customers: where it differs much from the effect, few customers decide.
    """
    rows: list[dict[str, Any]] = []
    for metric in table.columns:
        y = table[metric].to_numpy(dtype=np.float64)
        there = np.isfinite(y)
        y, own = y[there], trial.of(there)
        few = np.bincount(own.arm, minlength=len(own.names)).min() < 2
        if few or np.isin(y, (0.0, 1.0)).all():
            continue
        cap = float(np.quantile(y, _TOP))
        total = float(np.abs(y).sum())
        held = float(y[y >= cap].sum()) / total if total > 0.0 else np.nan
        for found in effect_rows(str(metric), np.minimum(y, cap), own, sequential=False):
            capped = {f"{key}_capped": found[key] for key in ("effect", "lower", "upper")}
            rows.append({"metric": str(metric), "arm": found["arm"], "top_share": held, "cap": cap} | capped)
    columns = ["metric", "arm", "top_share", "cap", "effect_capped", "lower_capped", "upper_capped"]
    return pd.DataFrame(rows, columns=columns)
