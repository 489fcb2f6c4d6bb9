"""What the offers of the newest round brought together, as the page shows it.

A round is read out offer by offer; what somebody wants to know first is what it did as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from habitue.report.plain_data import number
from habitue.report.proof_facts import Effect, Experiment

__all__ = ["Together", "n_newest", "promised_by", "round_of", "together"]

_FIRST = ("margin", "spend", "retained")


@dataclass(frozen=True)
class Together:
    """What a round brought.

    Attributes
    ----------
    name : str
        Of the round.
    label, unit : str
        Of what was measured: margin where that is known, else spend, else who stayed.
    n : int
        Customers who were offered something.
    total, lower, upper : float
        What all of them did more than if they had been left alone, and its interval; of shares, customers.
    confidence : float
        Of the interval.
    margin, promised : float or None
        `total` as margin before the costs of the offers, and what was expected of as many, where the decision
        of the round tells.
    arms : tuple of Effect
        The highest effect per customer first.
    unsound : tuple of str
        Experiments of the round that are left out, as no effect of them is to be believed.
    """

    name: str
    label: str
    unit: str
    n: int
    total: float
    lower: float
    upper: float
    confidence: float
    margin: float | None
    promised: float | None
    arms: tuple[Effect, ...]
    unsound: tuple[str, ...]

    @property
    def is_effect(self) -> bool:
        """Whether the interval leaves out nought."""
        return self.lower > 0.0 or self.upper < 0.0


def round_of(experiment: str) -> str:
    """Return the round that an experiment belongs to: what stands before its offer.

    Parameters
    ----------
    experiment : str
        Its name.

    Examples
    --------
    >>> round_of("spring: care call"), round_of("spring")
    ('spring', 'spring')
    """
    return experiment.partition(": ")[0]


def n_newest(experiments: Sequence[Experiment]) -> int:
    """Return how many experiments, the newest first, belong to the newest round.

    Parameters
    ----------
    experiments : sequence of Experiment
        The newest first.
    """
    names = [round_of(one.name) for one in experiments]
    return next((at for at, name in enumerate(names) if name != names[0]), len(names))


def together(experiments: Sequence[Experiment], rounds: Sequence[Mapping[str, Any]] = ()) -> Together | None:
    r"""Add up what the offers of the newest round did.

    Parameters
    ----------
    experiments : sequence of Experiment
        The newest first.
    rounds : sequence of mapping
        What each `decision.json` there is holds; that of the round is looked for by its name.

    Returns
    -------
    Together or None
        None where no metric was measured in every sound experiment of the round.

    Notes
    -----
    The total is the sum over arms of effect times customers, :math:`\sum_a n_a d_a`. Arms of one experiment
    share their control: with an arm's variance :math:`v_a = s_a^2 / (1/n_a + 1/n_c)` taken to be that of its
    control, the variance of the sum is :math:`\sum_a n_a v_a + (\sum_a n_a \sqrt{v_a / n_c})^2`.
    Experiments are independent. The interval is that of the one look that was planned.

    References
    ----------
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, Journal
    of the American Statistical Association 50(272), on comparisons that share a control.
    """
    if not experiments:
        return None
    name = round_of(experiments[0].name)
    own = experiments[: n_newest(experiments)]
    sound = [one for one in own if one.is_sound]
    metric = _metric(sound)
    arms = [_arms(one, metric) for one in sound]
    every = sorted((effect for found in arms for effect in found), key=lambda one: -(one.effect or 0.0))
    if not every:
        return None
    confidence = min(one.confidence for one in sound)
    total = sum(one.n * (one.effect or 0.0) for one in every)
    half = NormalDist().inv_cdf(0.5 + confidence / 2.0) * math.sqrt(sum(map(_variance, arms)))
    margin, promised = promised_by(_decision_of(name, rounds), every, horizon=sound[0].horizon)
    share = {"margin": 1.0, "spend": margin}.get(metric)
    return Together(
        name=name,
        label=every[0].label,
        unit=every[0].unit,
        n=sum(one.n for one in every),
        total=total,
        lower=total - half,
        upper=total + half,
        confidence=confidence,
        margin=None if share is None or promised is None else share * total,
        promised=None if share is None else promised,
        arms=tuple(every),
        unsound=tuple(one.name for one in own if not one.is_sound),
    )


def _decision_of(name: str, rounds: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    for told in rounds:
        asked = told.get("round")
        if isinstance(asked, Mapping) and asked.get("name") == name:
            return told
    return None


def promised_by(
    decision: Mapping[str, Any] | None, arms: Sequence[Effect], *, horizon: int
) -> tuple[float | None, float | None]:
    """Return the margin of spend that a decision reckoned with, and what it expected of these arms.

    Parameters
    ----------
    decision : mapping or None
        What `decision.json` holds; it tells who was contacted from this version on.
    arms : sequence of Effect
        What was measured.
    horizon : int
        Days within which it was measured.

    Returns
    -------
    tuple of (float or None, float or None)
        The margin in [0, 1]; and money before costs, for as many as were measured. None where the decision
        tells nothing of an arm, or looked ahead another number of days.
    """
    if decision is None or "contacted" not in decision:
        return None, None
    if (decision.get("value_days") or decision.get("horizon")) != horizon:
        return None, None
    told: dict[Any, Mapping[str, Any]] = {
        row["offer"]: row for row in decision["contacted"]["by_offer"] if row["n"]
    }
    if any(one.arm not in told for one in arms):
        return None, None
    expected = (one.n / told[one.arm]["n"] * _before_costs(told[one.arm]) for one in arms)
    return number(decision["settings"]["margin"]), sum(expected)


def _before_costs(row: Mapping[str, Any]) -> float:
    return float(row["gain"]) + float(row["cost"])


def _metric(experiments: Sequence[Experiment]) -> str:
    """Return what was measured in all of them: margin, spend or who stayed; else nothing."""
    there = [{one.metric for one in experiment.effects} for experiment in experiments]
    return next((one for one in _FIRST if there and all(one in names for names in there)), "")


def _arms(experiment: Experiment, metric: str) -> list[Effect]:
    return [one for one in experiment.effects if one.metric == metric and one.effect is not None and one.se]


def _variance(arms: Sequence[Effect]) -> float:
    """Return the variance of the sum over the arms of one experiment."""
    v = [(one.se or 0.0) ** 2 / (1.0 / one.n + 1.0 / one.n_control) for one in arms]
    shared = sum(one.n * math.sqrt(its / one.n_control) for one, its in zip(arms, v, strict=True))
    return sum(one.n * its for one, its in zip(arms, v, strict=True)) + shared**2
