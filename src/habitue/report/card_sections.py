"""The sections of a model card, worded from its facts: what the model is, and its limits.

How good it is, and whether it can be trusted, is worded in ``card_evidence``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from habitue.report import card_evidence as evidence
from habitue.report.card_blocks import Block, Bullets, Section
from habitue.report.card_facts import CardFacts
from habitue.report.wording import count, day, listing
from habitue.vocabulary import one_or_many, term_of

__all__ = ["sections_of"]

_PURPOSE: Final[Mapping[str, str]] = {
    "churned": "the chance that a customer leaves within {horizon} after the cutoff: buys nothing or, where "
    "contracts are what is known, cancels",
    "spend": "the money that a customer is expected to spend within {horizon} after the cutoff",
    "n_purchases": "the purchases that a customer is expected to make within {horizon} after the cutoff",
}


def sections_of(facts: CardFacts) -> list[Section]:
    """Word all that a model card tells.

    Parameters
    ----------
    facts : CardFacts
        What it tells.

    Returns
    -------
    list of Section
        In the order of the card; what was not measured has its section, too.

    Raises
    ------
    SchemaError
        Where the scores lack a column.
    """
    horizon = one_or_many(facts.horizon, "day")
    return [
        Section("What it is for", [f"It predicts {_PURPOSE[facts.target].format(horizon=horizon)}."]),
        Section("What it learned from", _data(facts)),
        Section("What it reads", _features(facts)),
        Section("What it is", _model(facts)),
        Section("How good it is", evidence.quality(facts)),
        Section("For whom: segments", evidence.segments(facts)),
        Section("Do its intervals hold", evidence.coverage(facts)),
        Section("What it goes by", evidence.reasons(facts)),
        Section("Leakage", evidence.leakage(facts)),
        Section("Fairness", evidence.fairness(facts)),
        Section("Limits", _limits(facts)),
    ]


def _data(facts: CardFacts) -> list[Block]:
    span = f"{day(facts.first_day)} to {day(facts.last_day)}" if facts.first_day else None
    n_customers, aside = (
        None if one is None else count(one) for one in (facts.n_customers, facts.n_quarantined)
    )
    told = {
        "Records": facts.source,
        "Fingerprint": f"`{facts.fingerprint}`",
        "Days": span,
        "Customers at the last cutoff": n_customers,
        "Records set aside as unusable": aside,
        "Outcomes learned from, cutoffs": listing([day(one) for one in facts.learned_from]) or "none",
        "Last day known": day(facts.cutoff),
        "Tested at, each time on the days after": listing([day(one) for one in facts.tested_at]),
    }
    return [Bullets([f"{name}: {value or 'not told'}" for name, value in told.items()])]


def _features(facts: CardFacts) -> list[Block]:
    by_pillar: dict[str, list[str]] = {}
    for name in facts.features:
        pillar = term_of(name).pillar
        by_pillar.setdefault(pillar.value.replace("_", " ") if pillar else "other", []).append(name)
    told: list[Block] = [
        Bullets([f"{pillar} ({len(names)}): {', '.join(names)}" for pillar, names in by_pillar.items()])
    ]
    if facts.silent:
        left = ", ".join(f"{name} ({value})" for name, value in facts.silent.items())
        told.append(f"Left out, as they were the same for everybody: {left}.")
    return told if by_pillar or facts.silent else [evidence.NOT_DONE]


def _model(facts: CardFacts) -> list[Block]:
    calibration = facts.calibration or "nothing was done beyond what the model does by itself"
    return [
        f"{facts.label}: {facts.model}.",
        Bullets([f"{name}: {value}" for name, value in facts.params.items()]),
        f"Calibration of its answers: {calibration.rstrip('.')}.",
    ]


def _limits(facts: CardFacts) -> list[Block]:
    days, n_tested = one_or_many(facts.horizon, "day"), one_or_many(len(facts.tested_at), "cutoff")
    told = [
        f"It answers for {days} and for no other span.",
        f"It was tested at {n_tested}; of other times of the year nothing is known.",
        f"It knows nothing after {day(facts.cutoff)}. Where customers, prices or records change, it drifts: "
        "monitor it, and train it again.",
        "Of customers with a single purchase it knows little: see the table of segments.",
        "Reasons say what moved the prediction, not what would keep a customer: that takes an experiment.",
        "It must not decide on credit, insurance, housing, work or any right of a person, nor set prices for "
        "persons, and it is no ground for refusing service.",
        *facts.limits,
    ]
    return [Bullets(told)]
