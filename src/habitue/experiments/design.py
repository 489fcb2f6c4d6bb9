"""How many customers an experiment needs, before it begins: or what it can find with those there are.

What customers show without an offer is a `habitue.experiments.baseline.Baseline`, learned from the log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from scipy.optimize import brentq
from scipy.stats import norm

from habitue.errors import SettingsError
from habitue.experiments.assignment import check_arms
from habitue.experiments.baseline import Baseline
from habitue.numerics.confidence_sequences import sequential_half_width
from habitue.numerics.power import design_effect, dunnett_critical, mean_power, share_power

__all__ = ["Correction", "Design", "design"]

Correction = Literal["dunnett", "bonferroni", "none"]
"""How several arms are kept from finding something by chance."""

_MOST: Final = 1e10
"""Customers beyond which nobody goes on looking."""


@dataclass(frozen=True)
class Design:
    """An experiment as it is planned.

    Attributes
    ----------
    baseline : Baseline
        What the metric is without an offer.
    arms : Mapping[str, float]
        Share of customers by arm, control first.
    effect : float
        What can be found: the difference of an arm to the control, in the unit of the metric.
    n : int
        Customers in all arms together.
    power : float
        Chance of finding it, in the smallest arm.
    confidence : float
        Chance of finding nothing in any arm where nothing is.
    critical : float
        Standard errors from which on an arm is believed.
    correction : str
        How several arms are kept from finding something by chance.
    deflation : float
        What the variance is multiplied by for what is known beforehand and for households.
    n_unadjusted : int
        Customers that it would take without what is known beforehand.
    n_sequential : int
        Customers that it takes if one looks as often as one likes.
    weeks : float or None
        Until the last outcome is known, where it is told how many customers come a week.
    """

    baseline: Baseline
    arms: Mapping[str, float]
    effect: float
    n: int
    power: float
    confidence: float
    critical: float
    correction: Correction
    deflation: float
    n_unadjusted: int
    n_sequential: int
    weeks: float | None = None

    @property
    def relative_effect(self) -> float:
        """The effect over the mean without an offer; NaN where that is 0."""
        return self.effect / self.baseline.mean if self.baseline.mean else math.nan

    @property
    def n_by_arm(self) -> dict[str, int]:
        """Customers in each arm, rounded up."""
        return {name: math.ceil(self.n * share - 1e-9) for name, share in self.arms.items()}

    @property
    def sentences(self) -> list[str]:
        """What it comes to, for who decides."""
        name, known = self.baseline.name, self.baseline.explained
        unit = "points" if self.baseline.is_share else "per customer"
        size = 100.0 * self.effect if self.baseline.is_share else self.effect
        mean = f"{self.baseline.mean:.1%}" if self.baseline.is_share else f"{self.baseline.mean:,.4g}"
        sizes = ", ".join(f"{arm} {n:,}" for arm, n in self.n_by_arm.items())
        said = [
            f"With {self.n:,} customers ({sizes}) a change of {name} by {size:+,.3g} {unit}, from {mean}, is "
            f"found with a chance of {self.power:.0%}; where nothing is, something is found with a chance of "
            f"{100.0 * (1.0 - self.confidence):.3g}%."
        ]
        if len(self.arms) > 2 and self.correction != "none":
            said.append(
                f"{len(self.arms) - 1} arms share the control, so that each is believed from "
                f"{self.critical:.2f} standard errors on ({self.correction.capitalize()})."
            )
        if known > 0.0:
            said.append(
                f"What is known beforehand explains {known:.0%} of {name}; without it, it would take "
                f"{self.n_unadjusted:,} customers."
            )
        if self.baseline.cap is not None:
            said.append(
                f"{name} is cut off at {self.baseline.cap:,.6g} per customer: what lies above does not count."
            )
        said.append(
            f"To look as often as you like and stop when you like, plan {self.n_sequential:,} customers."
        )
        if self.weeks is not None:
            said.append(f"The last outcome is known after {self.weeks:.1f} weeks.")
        return said


@dataclass(frozen=True)
class _Question:
    """What stays the same while customers or the effect are sought."""

    baseline: Baseline
    shares: dict[str, float]
    deflation: float

    def power(self, effect: float, n: float, critical: float, *, deflation: float | None = None) -> float:
        control, *others = self.shares.values()
        by = self.deflation if deflation is None else deflation
        sizes = n * control, n * min(others)
        if self.baseline.is_share:
            return share_power(self.baseline.mean, effect, *sizes, critical=critical, deflation=by)
        sd = self.baseline.sd
        return mean_power(effect, sd, sd, *sizes, critical=critical, deflation=by)

    def n_for(self, effect: float, power: float, critical: float, *, deflation: float | None = None) -> int:
        def missing(log_n: float) -> float:
            return self.power(effect, math.exp(log_n), critical, deflation=deflation) - power

        least = math.log(2.0 * len(self.shares))
        if missing(least) >= 0.0:
            return 2 * len(self.shares)
        if missing(math.log(_MOST)) < 0.0:
            raise SettingsError(
                f"An effect of {effect!r} on {self.baseline.name} cannot be found with any number of "
                "customers; look for a larger one."
            )
        found: Any = brentq(missing, least, math.log(_MOST), xtol=1e-12)
        return math.ceil(math.exp(float(found)) - 1e-6)

    def effect_for(self, n: float, power: float, critical: float) -> float:
        most = 1.0 - self.baseline.mean if self.baseline.is_share else self.baseline.sd * 1e3
        most *= 1.0 - 1e-9

        def missing(effect: float) -> float:
            return self.power(effect, n, critical) - power

        if missing(most) < 0.0:
            raise SettingsError(
                f"With {n:,.0f} customers no change of {self.baseline.name} can be found with a chance of "
                f"{power:.0%}; take more customers, or arms of more equal size."
            )
        found: Any = brentq(missing, most * 1e-9, most, xtol=1e-12 * most)
        return float(found)


def design(
    baseline: Baseline,
    *,
    arms: Mapping[str, float],
    effect: float | None = None,
    n: int | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    correction: Correction = "dunnett",
    cluster_size: float = 1.0,
    cluster_correlation: float = 0.0,
    per_week: float | None = None,
    horizon: int = 0,
) -> Design:
    """Plan an experiment: give the effect and get the customers, or the customers and get the effect.

    Parameters
    ----------
    baseline : Baseline
        What the metric is without an offer.
    arms : Mapping[str, float]
        Share of customers by arm; one is "control".
    effect : float, optional
        Change of the metric that matters, in its unit (0.02 for two points of a share).
    n : int, optional
        Customers there are, in all arms together. With both, the power is told.
    power : float, default 0.8
        Chance of finding the effect; not used where effect and n are both given.
    confidence : float, default 0.95
        Chance of finding nothing in any arm where nothing is.
    correction : {"dunnett", "bonferroni", "none"}, default "dunnett"
        How several arms are kept from finding something by chance.
    cluster_size : float, default 1
        Customers that are drawn together, such as households, on average.
    cluster_correlation : float, default 0
        Of the outcomes of two of them.
    per_week : float, optional
        Customers who come into the experiment a week.
    horizon : int, default 0
        Days until an outcome is known.

    Returns
    -------
    Design

    Raises
    ------
    SettingsError
        Neither effect nor n, an impossible share, power or effect, or an effect that no number can find.

    Notes
    -----
    Power is that of the smallest treated arm against the control. What is known beforehand takes off the
    share `explained` of the variance (CUPED), households multiply it by 1 + (size - 1) correlation. With few
    hundred customers and very skewed spend, the mean is not yet normal and power is only about right:
    `habitue measure simulate` tries it on your own customers.

    References
    ----------
    Deng, Xu, Kohavi and Walker (2013), Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, WSDM.
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, JASA 50.

    Examples
    --------
    >>> plan = design(Baseline.of_share("retained", 0.6), arms={"control": 0.5, "call": 0.5}, effect=0.05)
    >>> plan.n, plan.n_by_arm
    (2941, {'control': 1471, 'call': 1471})
    >>> smaller = design(plan.baseline, arms=plan.arms, n=1000)
    >>> round(smaller.effect, 3)
    0.085
    """
    shares = check_arms(arms)
    _check(baseline, effect, n, power, confidence)
    clusters = design_effect(cluster_size, cluster_correlation)
    question = _Question(baseline, shares, (1.0 - baseline.explained) * clusters)
    critical = _critical(shares, confidence, correction)
    if effect is None:
        effect = question.effect_for(float(n or 0), power, critical)
    customers = question.n_for(effect, power, critical) if n is None else n
    reached = question.power(effect, customers, critical)
    wanted = power if n is None else min(max(reached, 0.01), 0.999)
    # Several arms looked at at any time: Bonferroni, since Dunnett's is of one look.
    each = 1.0 - (1.0 - confidence) / (1 if correction == "none" else len(shares) - 1)
    peeking = float(sequential_half_width(1.0, 1.0, confidence=each))
    return Design(
        baseline,
        shares,
        effect,
        customers,
        reached,
        confidence,
        critical,
        correction,
        question.deflation,
        n_unadjusted=question.n_for(effect, wanted, critical, deflation=clusters),
        n_sequential=question.n_for(effect, wanted, peeking),
        weeks=None if not per_week else customers / per_week + horizon / 7.0,
    )


def _critical(shares: Mapping[str, float], confidence: float, correction: Correction) -> float:
    control, *others = shares.values()
    level = 1.0 - confidence
    if correction == "dunnett":
        return dunnett_critical([share / control for share in others], confidence=confidence)
    return float(norm.isf(level / 2.0 / (len(others) if correction == "bonferroni" else 1)))


def _check(baseline: Baseline, effect: float | None, n: int | None, power: float, confidence: float) -> None:
    if effect is None and n is None:
        raise SettingsError(
            "Say which effect matters, and the number of customers is told; or how many customers there are."
        )
    wrong: dict[str, Any] = {
        name: value
        for name, value in {"power": power, "confidence": confidence}.items()
        if not 0.0 < value < 1.0
    }
    if wrong:
        raise SettingsError(f"{' and '.join(wrong)} must lie between 0 and 1, such as 0.8; got {wrong}.")
    if n is not None and n < 2:
        raise SettingsError(f"n must be 2 customers or more; got {n!r}.")
    if effect is not None and (effect == 0.0 or not math.isfinite(effect)):
        raise SettingsError("An effect of 0 cannot be found; say the smallest one that would matter.")
    if effect is not None and baseline.is_share and not 0.0 <= baseline.mean + effect <= 1.0:
        raise SettingsError(
            f"A share of {baseline.mean:.3g} cannot change by {effect:+.3g}; it has to stay between 0 and 1. "
            "Say the effect as a difference of shares, such as 0.02 for two points."
        )
