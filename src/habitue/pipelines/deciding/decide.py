"""`habitue decide`: who gets which offer in a round, why, and what was left to chance.

Scores say who is about to leave and what they are worth; `offers.toml` says what can be done and what it is
assumed to do. Here both become a plan within the limits, a holdout and an action list. The same round decided
again is the same, file for file: nothing looks at the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from habitue.decisions.actions import action_list, assignments
from habitue.decisions.allocating.allocation import Allocation, allocate
from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.eligibility import eligible_for, not_tired
from habitue.decisions.fairness_limits import FairnessLimit, parity
from habitue.decisions.gains import Gains, expected_gains
from habitue.decisions.holdout import Explore, draw_round
from habitue.decisions.measured_effects import measured_effects
from habitue.decisions.offers import Offer
from habitue.decisions.value_at_stake import reached_share, value_at_stake
from habitue.errors import SettingsError
from habitue.pipelines.deciding.contract_prices import worth_of_contracts
from habitue.pipelines.deciding.inputs import Known, Scores, contacts_made, known_customers
from habitue.pipelines.deciding.measured import learned_offers, uplift_of
from habitue.pipelines.deciding.parts import Parts, Round
from habitue.pipelines.deciding.telling import facts_of
from habitue.pipelines.offers import DecideSettings, Offers
from habitue.records import CustomerLog
from habitue.vocabulary import one_or_many

__all__ = ["Decision", "Round", "decide"]

_LEAST = 0.01
"""Money: a contact that gains less is left out."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Decision:
    """What was decided.

    Attributes
    ----------
    round : Round
        Which.
    actions, assignments : DataFrame
        Of `habitue.decisions.actions`.
    plan : Allocation
        Before the holdout was drawn.
    gains : Gains
        What was expected of whom.
    facts : dict
        All that `decision.json` says, as JSON can hold it.
    """

    round: Round
    actions: pd.DataFrame = field(repr=False)
    assignments: pd.DataFrame = field(repr=False)
    plan: Allocation = field(repr=False)
    gains: Gains = field(repr=False)
    facts: dict[str, Any] = field(repr=False)


def decide(
    log: CustomerLog,
    scores: Scores,
    offers: Offers,
    asked: Round,
    *,
    measured: Path | None = None,
    progress: Progress | None = None,
) -> Decision:
    """Decide who gets which offer.

    Parameters
    ----------
    log : CustomerLog
        The records that were scored.
    scores : Scores
        Of `habitue.pipelines.deciding.inputs.newest_scores`.
    offers : Offers
        Of `habitue.pipelines.offers.read_offers`.
    asked : Round
        What is asked for.
    measured : Path, optional
        `measured.json` of `habitue measure`: what trials found of offers.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Decision

    Raises
    ------
    SettingsError
        Where offers, conditions or limits are impossible.
    DataError
        Where scores cannot be used.
    """
    tell = progress or (lambda _: None)
    _check(asked, scores.cutoff)
    scores, settings = worth_of_contracts(log, scores, offers.decide)
    learned, told_of_trials = learned_offers(
        offers.offers,
        measured,
        horizon=scores.horizon,
        margin=settings.margin,
        reached=reached_share(scores.frame),
    )
    tell("looking at who may be contacted")
    known = known_customers(log, scores, learned, settings)
    may = _may(log, known, learned, settings, asked.day, scores.cutoff)
    tell("working out gains")
    stakes = value_at_stake(
        known.table,
        margin=settings.margin,
        leaver_share=settings.leaver_share,
        interval=scores.interval or 0.8,
        consistent=scores.value_days is not None,
    )
    assumptions = draw_assumptions(learned, value_error=settings.value_error, random_state=asked.seed)
    worth = pd.Series(stakes.clv, stakes.customers)
    uplift = uplift_of(log, scores, learned, settings, worth, seed=asked.seed, tell=tell, wanted=asked.uplift)
    gains = expected_gains(
        stakes,
        assumptions,
        eligible=may,
        effects=uplift.effects,
        effect_errors=uplift.errors,
        interval=settings.interval,
        random_state=asked.seed,
    )
    tell("choosing within the limits")
    plan = _plan(gains, learned, settings, asked, known)
    tell("drawing the holdout")
    drawn = _drawn(plan, gains, learned, settings, asked)
    tell("telling")
    return _decision(
        Parts(
            scores,
            learned,
            settings,
            asked,
            known,
            stakes,
            assumptions,
            gains,
            plan,
            drawn,
            uplift,
            stated=offers.offers,
        ),
        told_of_trials,
    )


def _check(asked: Round, cutoff: date) -> None:
    if not 0.0 <= asked.explore < 1.0 or asked.valid_days < 0:
        raise SettingsError(
            f"Exploring needs a probability in [0, 1), and a list is valid for 0 days or more; got "
            f"{asked.explore!r} and {asked.valid_days!r}."
        )
    if asked.day < cutoff:
        raise SettingsError(
            f"Contacts are made after the cutoff of the scores, {cutoff}; got the day {asked.day}. Name a "
            "later day, or scores of an earlier cutoff."
        )


def _may(
    log: CustomerLog,
    known: Known,
    offers: Sequence[Offer],
    settings: DecideSettings,
    day: date,
    cutoff: date,
) -> pd.DataFrame:
    """Say who may have what: conditions, consent, fatigue, and nobody who must not be contacted."""
    may = eligible_for(known.table, offers, protected=settings.protected, consent=settings.consent, on=day)
    made = contacts_made(log, cutoff)
    if made is not None and any(offer.fatigue for offer in offers):
        may &= not_tired(known.table.index, offers, made, on=day)
    may.loc[known.never] = False
    return may


def _plan(
    gains: Gains, offers: Sequence[Offer], settings: DecideSettings, asked: Round, known: Known
) -> Allocation:
    fairness = _fairness(settings, known)
    groups = {limit.attribute: known.attributes[limit.attribute].to_numpy(dtype=object) for limit in fairness}
    idle = (gains.expected >= 0.0) & (gains.expected < _LEAST)
    return allocate(
        gains.expected.mask(idle),
        gains.cost,
        budget=settings.budget if asked.budget is None else asked.budget,
        capacity={offer.name: offer.capacity for offer in offers if offer.capacity is not None},
        channels=[offer.channel for offer in offers],
        channel_capacity={
            channel: places
            for channel, places in settings.channels.items()
            if channel in {offer.channel for offer in offers}
        },
        max_per_customer=settings.max_per_customer,
        groups=groups,
        fairness=fairness,
        random_state=asked.seed,
    )


def _fairness(settings: DecideSettings, known: Known) -> list[FairnessLimit]:
    limits: list[FairnessLimit] = []
    for one in settings.fairness:
        if one.attribute not in known.attributes:
            there = ", ".join(map(str, known.attributes.columns)) or "none"
            raise SettingsError(
                f"A fairness limit names the attribute {one.attribute!r} of customers, which is not on "
                f"record; there are: {there}."
            )
        levels = sorted({str(level) for level in known.attributes[one.attribute].dropna()})
        if one.at_least_ratio is not None:
            limits += parity(one.attribute, levels, ratio=one.at_least_ratio)
        if one.at_least_share is not None:
            limits += [FairnessLimit(one.attribute, level, at_least=one.at_least_share) for level in levels]
    return limits


def _drawn(
    plan: Allocation, gains: Gains, offers: Sequence[Offer], settings: DecideSettings, asked: Round
) -> pd.DataFrame:
    return draw_round(
        plan,
        name=asked.name,
        share=settings.holdout if asked.holdout is None else asked.holdout,
        explore=Explore(asked.explore),
        gain=gains.expected,
        cost=gains.cost,
        alternatives=_places(plan, offers, settings),
        random_state=asked.seed,
    )


def _places(plan: Allocation, offers: Sequence[Offer], settings: DecideSettings) -> pd.DataFrame:
    """Return the places that the plan leaves free."""
    made = dict(zip(plan.offers, plan.taken.sum(axis=0).tolist(), strict=True))
    through: dict[str, int] = {}
    for offer in offers:
        through[offer.channel] = through.get(offer.channel, 0) + made[offer.name]
    return pd.DataFrame(
        {
            "capacity": [np.inf if one.capacity is None else one.capacity - made[one.name] for one in offers],
            "channel": [one.channel for one in offers],
            "channel_capacity": [
                settings.channels.get(one.channel, np.inf) - through[one.channel] for one in offers
            ],
        },
        index=[one.name for one in offers],
    )


def _decision(parts: Parts, told_of_trials: Mapping[str, Any]) -> Decision:
    asked, gains = parts.asked, parts.gains
    assigned = assignments(parts.drawn, parts.offers, gains.cost, name=asked.name, day=asked.day)
    actions = action_list(
        assigned,
        parts.offers,
        gains.expected,
        gains.lower,
        gains.upper,
        parts.known.table,
        valid_until=asked.day + timedelta(days=asked.valid_days),
        protected=parts.settings.protected,
        never=parts.known.never,
    )
    used = measured_effects(
        parts.uplift.effects,
        parts.uplift.errors,
        stakes=parts.stakes,
        names=[offer.name for offer in parts.offers],
    )
    facts = facts_of(parts, assigned, used, told_of_trials)
    facts["sentences"] = [*parts.known.notes, *facts["sentences"], *_several(parts.plan)]
    return Decision(asked, actions, assigned, parts.plan, gains, facts)


def _several(plan: Allocation) -> list[str]:
    """Say what cannot be known where customers get several offers at once."""
    n = int((plan.taken.sum(axis=1) > 1).sum())
    if not n:
        return []
    return [
        f"{one_or_many(n, 'customer gets', plural='customers get')} several offers: their gains are added up "
        "as if one did not change what another does, and what each did cannot be told apart afterwards."
    ]
