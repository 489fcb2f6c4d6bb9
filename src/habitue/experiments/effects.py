"""The effect of each arm on one metric: as large as it is, how sure, and whether one may have peeked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from habitue.numerics.adjusted_means import ArmMeans, adjusted_means, contrast
from habitue.numerics.compliers import complier_effect
from habitue.numerics.confidence_sequences import always_valid_p, sequential_half_width
from habitue.numerics.two_shares import score_statistic, two_shares_interval

__all__ = ["FEWEST", "Trial", "complier_rows", "effect_rows", "guard_bounds"]

FEWEST: Final = 100
"""Customers in an arm below which peeking is not allowed: the sequence holds as customers grow many."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Customers of an experiment, and what is known of them whatever the metric.

    Attributes
    ----------
    arm : ndarray of int of shape (n,)
        Number of each customer's arm; 0 is the control.
    names : tuple of str
        Of the arms, by number.
    covariates : ndarray of shape (n, p) or None
        What was known before.
    propensity : ndarray of shape (n,) or None
        Chance of the arm that was drawn, where it differs within arms.
    clusters : ndarray of int of shape (n,) or None
        Number of each customer's household.
    planned : float
        Customers at whose number the sequential interval is tightest.
    confidence : float
        Of each interval.
    """

    arm: npt.NDArray[np.intp]
    names: tuple[str, ...]
    covariates: FloatArray | None
    propensity: FloatArray | None
    clusters: npt.NDArray[np.intp] | None
    planned: float
    confidence: float

    @property
    def is_plain(self) -> bool:
        """Whether customers are independent and drawn with one chance, so that shares can be counted."""
        return self.propensity is None and self.clusters is None

    def of(self, rows: npt.NDArray[np.bool_]) -> Trial:
        """Return it for some of the customers.

        Parameters
        ----------
        rows : ndarray of bool of shape (n,)
            Which.
        """
        clusters = None
        if self.clusters is not None:
            clusters = np.unique(self.clusters[rows], return_inverse=True)[1].astype(np.intp)
        return Trial(
            self.arm[rows],
            self.names,
            None if self.covariates is None else self.covariates[rows],
            None if self.propensity is None else self.propensity[rows],
            clusters,
            self.planned,
            self.confidence,
        )

    def means(self, y: FloatArray, *, adjusted: bool = True) -> ArmMeans:
        """Return the mean of each arm.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Outcomes.
        adjusted : bool, default True
            Whether what was known before is made use of.
        """
        return adjusted_means(
            y,
            self.arm,
            len(self.names),
            covariates=self.covariates if adjusted else None,
            propensity=self.propensity,
            clusters=self.clusters,
        )


def effect_rows(metric: str, y: FloatArray, trial: Trial, *, sequential: bool) -> list[dict[str, Any]]:
    """Return a row for each arm but the control.

    Parameters
    ----------
    metric : str
        Its name.
    y : ndarray of shape (n,)
        Outcomes, none missing.
    trial : Trial
        The customers.
    sequential : bool
        Whether intervals that allow peeking are wanted.

    Returns
    -------
    list of dict
        As `habitue.experiments.readout.Readout.effects`.
    """
    is_share = bool(np.isin(y, (0.0, 1.0)).all())
    plain, means = trial.means(y, adjusted=False), trial.means(y)
    n_by_arm = np.bincount(trial.arm, minlength=len(trial.names))
    rows: list[dict[str, Any]] = []
    for number in range(1, len(trial.names)):
        row: dict[str, Any] = {
            "metric": metric,
            "arm": trial.names[number],
            "is_share": is_share,
            "n": int(n_by_arm[number]),
            "n_control": int(n_by_arm[0]),
            "mean": float(means.mean[number]),
            "control_mean": float(means.mean[0]),
        }
        unadjusted = _fixed(y, trial, plain, number, is_share and trial.is_plain)
        is_adjusted = trial.covariates is not None
        fixed = _fixed(y, trial, means, number, counted=False) if is_adjusted else unadjusted
        row |= fixed | _ratio(means, number, trial.confidence)
        looked = sequential and n_by_arm[[0, number]].min() >= FEWEST
        row |= _any_time(fixed["effect"], fixed["se"], len(y), trial, known=looked)
        row |= {f"unadjusted_{key}": unadjusted[key] for key in ("effect", "lower", "upper")}
        row["variance_kept"] = (fixed["se"] / unadjusted["se"]) ** 2 if unadjusted["se"] > 0.0 else np.nan
        rows.append(row)
    return rows


def _fixed(y: FloatArray, trial: Trial, means: ArmMeans, number: int, counted: bool) -> dict[str, float]:
    """Return effect, standard error, interval and p-value of the one look that was planned."""
    found = contrast(means, number, 0)
    if counted:
        treated, control = (trial.arm == one for one in (number, 0))
        counts = y[treated].sum(), treated.sum(), y[control].sum(), control.sum()
        ends = two_shares_interval(*counts, confidence=trial.confidence)
        p = 2.0 * norm.sf(abs(score_statistic(*counts)))
        return {
            "effect": found.difference,
            "se": found.se,
            "lower": float(ends[0]),
            "upper": float(ends[1]),
            "p_value": float(p),
        }
    # Nobody differs from anybody: nothing is known of the spread, and nothing is said.
    se = found.se if found.se > 0.0 else np.nan
    half = float(t.ppf(0.5 + trial.confidence / 2.0, found.freedom)) * se
    return {
        "effect": found.difference,
        "se": found.se,
        "lower": found.difference - half,
        "upper": found.difference + half,
        "p_value": float(2.0 * t.sf(abs(found.difference) / se, found.freedom)),
    }


def _ratio(means: ArmMeans, number: int, confidence: float) -> dict[str, float]:
    """Return the arm's mean over the control's, less 1, with its interval."""
    found = contrast(means, number, 0)
    half = float(norm.ppf(0.5 + confidence / 2.0)) * found.log_ratio_se
    ends = found.log_ratio + np.array([0.0, -half, half])
    return dict(zip(("ratio", "ratio_lower", "ratio_upper"), np.expm1(ends).tolist(), strict=True))


def _any_time(effect: float, se: float, n: int, trial: Trial, *, known: bool) -> dict[str, float]:
    """Return interval and p-value that hold at every look."""
    if not known or not se > 0.0:
        return {"sequential_lower": np.nan, "sequential_upper": np.nan, "sequential_p": np.nan}
    half = float(sequential_half_width(n, trial.planned, confidence=trial.confidence)) * se
    p = always_valid_p(effect / se, n, trial.planned, confidence=trial.confidence)
    return {"sequential_lower": effect - half, "sequential_upper": effect + half, "sequential_p": float(p)}


def complier_rows(metric: str, y: FloatArray, complied: FloatArray, trial: Trial) -> list[dict[str, Any]]:
    """Return what each offer did for those who took it up.

    Parameters
    ----------
    metric : str
        Its name.
    y : ndarray of shape (n,)
        Outcomes, none missing.
    complied : ndarray of shape (n,)
        1 for who took the offer up, else 0.
    trial : Trial
        The customers.

    Returns
    -------
    list of dict
        As `habitue.experiments.readout.Readout.compliers`.
    """
    of_y, of_uptake = trial.means(y), trial.means(complied)
    critical = float(norm.ppf(0.5 + trial.confidence / 2.0))
    rows: list[dict[str, Any]] = []
    for number in range(1, len(trial.names)):
        moved = of_y.influence[:, number] - of_y.influence[:, 0]
        taken = of_uptake.influence[:, number] - of_uptake.influence[:, 0]
        n2 = float(len(moved)) ** 2
        uptake = float(of_uptake.mean[number] - of_uptake.mean[0])
        effect = float(of_y.mean[number] - of_y.mean[0])
        variances = float(moved @ moved) / n2, float(moved @ taken) / n2, float(taken @ taken) / n2
        found = complier_effect(effect, uptake, *variances, critical=critical)
        rows.append(
            {
                "metric": metric,
                "arm": trial.names[number],
                "n_offered": int((trial.arm == number).sum()),
                "n_complied": int(complied[trial.arm == number].sum()),
                "uptake": uptake,
                **found._asdict(),
            }
        )
    return rows


def guard_bounds(y: FloatArray, trial: Trial, number: int, *, sequential: bool) -> dict[str, float]:
    """Return one-sided bounds of an arm's effect, each at the trial's confidence.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes, none missing.
    trial : Trial
        The customers.
    number : int
        Of the arm.
    sequential : bool
        Whether bounds that allow peeking are wanted.

    Returns
    -------
    dict of float
        effect, lower and upper, and sequential_lower and sequential_upper; NaN where nothing is known.
    """
    both = 2.0 * trial.confidence - 1.0
    wide = Trial(
        trial.arm, trial.names, trial.covariates, trial.propensity, trial.clusters, trial.planned, both
    )
    is_share = bool(np.isin(y, (0.0, 1.0)).all())
    # Of rare events nobody's covariates say much: shares are counted, which holds with none at all.
    counted = is_share and trial.is_plain
    found = _fixed(y, wide, trial.means(y, adjusted=not counted), number, counted)
    enough = min((trial.arm == one).sum() for one in (0, number)) >= FEWEST
    looked = _any_time(found["effect"], found["se"], len(y), wide, known=sequential and bool(enough))
    return {key: found[key] for key in ("effect", "lower", "upper")} | {
        key: looked[key] for key in ("sequential_lower", "sequential_upper")
    }
