"""What an experiment says: the effect of each arm on each metric, and whether it can be believed.

Customers are compared as they were drawn, whatever they did with the offer (intention to treat): who took it
up chose to, and is no fair comparison. What it did for those is `Readout.compliers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.experiments.assignment import CONTROL
from habitue.experiments.checks import (
    SampleRatio,
    attrition_table,
    check_sample_ratio,
    is_even,
    outlier_table,
)
from habitue.experiments.covariates import covariates_of
from habitue.experiments.effects import FEWEST, Trial, complier_rows, effect_rows
from habitue.experiments.guardrails import Guardrail, guardrail_table
from habitue.experiments.participants import (
    as_arms,
    as_flags,
    as_households,
    as_outcomes,
    as_propensity,
    refuse_nobody,
)
from habitue.numerics.many_tests import holm
from habitue.vocabulary import one_or_many

__all__ = ["Readout", "read_out"]

_CHANCE: Final = 0.01
"""P-value from which on loss of customers is told."""


@dataclass(frozen=True)
class Readout:
    """What an experiment says.

    Attributes
    ----------
    effects : DataFrame
        A row a metric and arm: metric, arm, is_share, n, n_control, mean and control_mean (adjusted), effect
        (their difference) with se, lower, upper and p_value of the one look that was planned; p_holm over all
        rows that are not guardrails; ratio (the arm over the control, less 1) and its ends; sequential_lower,
        sequential_upper, sequential_p and sequential_p_holm, which hold however often one looks; the
        unadjusted effect and its ends; variance_kept (variance after adjustment over that before).
    compliers : DataFrame
        A row a metric and arm: n_offered, n_complied, uptake, effect on those who take it up because of the
        offer, lower, upper, is_bounded. Empty where uptake was not given.
    guardrails : DataFrame
        A row a guardrail and arm: metric, arm, harm, margin, effect, bound (one-sided), verdict ("holds",
        "broken" or "open"), sequential_bound and sequential_verdict.
    sample_ratio : SampleRatio
        Whether arms are as large as was meant.
    attrition : DataFrame
        A row a metric with missing outcomes: metric, n_missing, share_control, largest_share, p_value.
    outliers : DataFrame
        A row a metric of money or counts, and arm: metric, arm, top_share (of the total, held by the top
        percent of customers), cap (their least), effect_capped, lower_capped, upper_capped.
    n : int
        Customers whose outcomes are known.
    n_immature : int
        Customers left out since their outcome is not known yet.
    confidence : float
        Of every interval by itself.
    notes : tuple of str
        What has to be known to read it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before = rng.gamma(2.0, 50.0, 4000)
    >>> arm = np.where(rng.uniform(size=4000) < 0.5, "voucher", "control")
    >>> spend = before * rng.gamma(4.0, 0.25, 4000) + 10.0 * (arm == "voucher")
    >>> outcomes, known = pd.DataFrame({"spend": spend}), pd.DataFrame({"before": before})
    >>> found = read_out(outcomes, arm, baseline=known, shares={"control": 0.5, "voucher": 0.5})
    >>> row = found.effects.iloc[0]
    >>> bool(row["lower"] < 10.0 < row["upper"]), bool(row["variance_kept"] < 0.5)
    (True, True)
    """

    effects: pd.DataFrame
    compliers: pd.DataFrame
    guardrails: pd.DataFrame
    sample_ratio: SampleRatio
    attrition: pd.DataFrame
    outliers: pd.DataFrame
    n: int
    n_immature: int
    confidence: float
    notes: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether the arms came out as they were meant to, without which no effect is to be believed."""
        return self.sample_ratio.is_sound

    @property
    def broken(self) -> tuple[str, ...]:
        """Guardrails that are broken, as metric and arm."""
        wrong = self.guardrails.loc[self.guardrails["verdict"] == "broken"]
        return tuple(f"{m}, {a}" for m, a in zip(wrong["metric"], wrong["arm"], strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        tables = ("effects", "compliers", "guardrails", "attrition", "outliers")
        told = {name: getattr(self, name).to_dict("records") for name in tables}
        return told | {
            "sample_ratio": self.sample_ratio.to_dict(),
            "n": self.n,
            "n_immature": self.n_immature,
            "confidence": self.confidence,
            "is_sound": self.is_sound,
            "notes": list(self.notes),
        }


def read_out(
    outcomes: pd.DataFrame,
    arm: npt.ArrayLike,
    *,
    propensity: npt.ArrayLike | None = None,
    baseline: pd.DataFrame | None = None,
    complied: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    matured: npt.ArrayLike | None = None,
    shares: dict[str, float] | None = None,
    guardrails: Sequence[Guardrail] = (),
    confidence: float = 0.95,
    sequential: bool = True,
    planned: int | None = None,
    control: str = CONTROL,
) -> Readout:
    """Read an experiment out: what each arm changed, how surely, and whether it can be believed.

    Parameters
    ----------
    outcomes : DataFrame of shape (n, m)
        A column a metric, a row a customer who was assigned; NaN where the outcome got lost.
    arm : array_like of str of shape (n,)
        Arm that each was assigned to, whatever happened then.
    propensity : array_like of shape (n,), optional
        Chance of the arm that was drawn. Needed where it differs between customers of one arm.
    baseline : DataFrame of shape (n, p), optional
        Numbers known before the assignment, such as spend before: they take chance imbalance out.
    complied : array_like of bool of shape (n,), optional
        Who took the offer up.
    strata : array_like of shape (n,), optional
        Segment within which arms were drawn.
    clusters : array_like of shape (n,), optional
        Household, where households were drawn and not customers.
    matured : array_like of bool of shape (n,), optional
        Whose outcome is known in full; the others are left out and counted. All where None.
    shares : dict of float, optional
        What share of customers each arm was meant to get; told from `propensity` where None.
    guardrails : sequence of Guardrail, optional
        Metrics that must not get worse.
    confidence : float, default 0.95
        Of every interval by itself.
    sequential : bool, default True
        Whether to tell intervals that hold however often one looks.
    planned : int, optional
        Customers with known outcome at which that interval is tightest; all that were assigned where None.
        It must not be chosen after a look.
    control : str, default "control"
        The arm that gets nothing.

    Returns
    -------
    Readout

    Raises
    ------
    DataError
        No control, no other arm, a propensity of 0, lengths that differ, a customer twice, an outcome that is
        no number, or nobody whose outcome is known.
    SettingsError
        Confidence out of range, or a guardrail that is no metric.

    Notes
    -----
    Effects are differences of regression-adjusted means (`habitue.numerics.adjusted_means`) with robust
    standard errors and Welch's t; of shares without covariates, households or unequal chances it is the score
    interval. Decisions on several metrics and arms go by p_holm; each interval stands for itself. Sequential
    intervals are asymptotic confidence sequences and are told from 100 customers an arm on.

    References
    ----------
    Lin (2013), Annals of Applied Statistics 7. Waudby-Smith et al. (2024), Annals of Statistics 52.
    Kohavi, Tang and Xu (2020), Trustworthy online controlled experiments, Cambridge University Press.

    Examples
    --------
    >>> kept = pd.DataFrame({"retained": [1, 1, 1, 0] * 50 + [1, 0, 1, 0] * 50})
    >>> found = read_out(kept, ["call"] * 200 + ["control"] * 200)
    >>> found.effects.loc[0, ["effect", "lower", "upper"]].astype(float).round(3).tolist()
    [0.25, 0.156, 0.339]
    """
    _check(outcomes, confidence, guardrails)
    table = as_outcomes(outcomes)
    names, code = as_arms(arm, len(table), control)
    chance = as_propensity(propensity, len(table))
    sample_ratio = check_sample_ratio(code, names, shares=shares, propensity=chance)
    rows = as_flags(matured, len(table), "matured") == 1.0
    refuse_nobody(rows, code, names)
    covariates, said = covariates_of(baseline, strata, rows, code)
    trial = Trial(
        code[rows],
        names,
        covariates,
        None if chance is None or is_even(chance, code) else chance[rows],
        as_households(clusters, len(table), rows),
        float(planned or len(table)),
        confidence,
    )
    took = None if complied is None else as_flags(complied, len(table), "complied")[rows]
    effects, compliers, left = _metrics(table.loc[rows], trial, took, sequential=sequential)
    attrition = attrition_table(table.loc[rows], trial.arm, names)
    return Readout(
        _with_holm(effects, {one.metric for one in guardrails}),
        compliers,
        guardrail_table(table.loc[rows], trial, guardrails, sequential=sequential),
        sample_ratio,
        attrition,
        outlier_table(table.loc[rows], trial),
        len(trial.arm),
        int((~rows).sum()),
        confidence,
        (*_immature(rows), *sample_ratio.notes, *said, *left, *_lost(attrition), *_few(trial, sequential)),
    )


def _check(outcomes: pd.DataFrame, confidence: float, guardrails: Sequence[Guardrail]) -> None:
    if not 0.5 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0.5 and 1, such as 0.95; got {confidence!r}.")
    unknown = [one.metric for one in guardrails if one.metric not in outcomes.columns]
    if unknown:
        raise SettingsError(
            f"There is no metric {', '.join(unknown)} to guard; there are {', '.join(map(str, outcomes))}."
        )


def _metrics(
    table: pd.DataFrame, trial: Trial, took: npt.NDArray[np.float64] | None, *, sequential: bool
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read every metric out; say which could not be."""
    effects: list[dict[str, Any]] = []
    compliers: list[dict[str, Any]] = []
    notes: list[str] = []
    for metric in table.columns:
        y = table[metric].to_numpy(dtype=np.float64)
        there = np.isfinite(y)
        own = trial.of(there)
        if np.bincount(own.arm, minlength=len(trial.names)).min() < 2:
            notes.append(f"{metric} is known of fewer than two customers in an arm, and is left out.")
            continue
        effects += effect_rows(str(metric), y[there], own, sequential=sequential)
        if took is not None:
            compliers += complier_rows(str(metric), y[there], took[there], own)
    return pd.DataFrame(effects), pd.DataFrame(compliers), notes


def _with_holm(effects: pd.DataFrame, guarded: set[str]) -> pd.DataFrame:
    """Add p-values that hold for all decisions together."""
    if effects.empty:
        raise DataError("No metric is known of two customers in each arm; wait until outcomes are known.")
    for name, told in (("p_value", "p_holm"), ("sequential_p", "sequential_p_holm")):
        decided = ~effects["metric"].isin(list(guarded)) & effects[name].notna()
        effects[told] = np.nan
        effects.loc[decided, told] = holm(effects.loc[decided, name].to_numpy(dtype=np.float64))
    return effects


def _immature(rows: npt.NDArray[np.bool_]) -> list[str]:
    n_out = int((~rows).sum())
    if not n_out:
        return []
    return [f"{one_or_many(n_out, 'customer')} left out: the outcome is not known yet."]


def _lost(attrition: pd.DataFrame) -> list[str]:
    return [
        f"{row['metric']} is missing more often in one arm than in another (p = {row['p_value']:.2g}): its "
        "effect may be that of whom it is missing."
        for row in attrition.to_dict("records")
        if row["p_value"] < _CHANCE
    ]


def _few(trial: Trial, sequential: bool) -> list[str]:
    if not sequential or np.bincount(trial.arm, minlength=len(trial.names)).min() >= FEWEST:
        return []
    return [f"An arm has fewer than {FEWEST} customers: nothing is said of it that would allow peeking."]
