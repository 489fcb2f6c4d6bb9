"""What the plan goes by, as the page shows it: what was assumed of offers, and what was measured since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from habitue.report.plain_data import number, text
from habitue.report.words_of_measures import label_of, unit_of

__all__ = ["Assumed", "Belief", "Trials", "read_assumed"]

MOST_OFFERS = 50
_WHAT = ("acceptance", "saves", "uplift")


@dataclass(frozen=True)
class Belief:
    """An assumption: as it was stated, and as it is believed since something was measured."""

    stated: float | None
    learned: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Trials:
    """What rounds measured of an offer together, with the 95 % interval."""

    rounds: int
    label: str
    unit: str
    effect: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Assumed:
    """What is assumed of an offer, what earlier rounds measured of it, and whether that was per customer."""

    offer: str
    acceptance: Belief | None
    saves: Belief | None
    uplift: Belief | None
    measured: Trials | None
    is_learned: bool = False


def read_assumed(told: Mapping[str, Any]) -> tuple[Assumed, ...]:
    """Read what a decision went by.

    Parameters
    ----------
    told : mapping
        What `decision.json` holds.

    Returns
    -------
    tuple of Assumed
        In the order of the offers.
    """
    measured, learned = told.get("measured") or {}, set(told.get("learned", ()))
    beliefs = {(row["offer"], row["what"]): _belief(row) for row in told.get("assumed", ())}
    found: list[Assumed] = []
    for offer in told["offers"][:MOST_OFFERS]:
        name = offer["name"]
        acceptance, saves, uplift = (
            beliefs.get((name, what)) if beliefs else _as_listed(offer.get(what)) for what in _WHAT
        )
        found.append(
            Assumed(text(name), acceptance, saves, uplift, _trials(measured.get(name)), name in learned)
        )
    return tuple(found)


def _belief(row: Mapping[str, Any]) -> Belief:
    return Belief(*(number(row[name]) for name in ("stated", "learned", "learned_lower", "learned_upper")))


def _as_listed(share: Mapping[str, Any] | None) -> Belief | None:
    """Read an assumption from the list of offers, where nothing is told of what was stated."""
    return None if share is None else Belief(number(share.get("mean")))


def _trials(found: Mapping[str, Any] | None) -> Trials | None:
    if found is None:
        return None
    half, effect, metric = 1.96 * float(found["se"]), float(found["effect"]), text(found["metric"])
    return Trials(
        int(found["rounds"]),
        label_of(metric),
        unit_of(metric, is_share=False),
        effect,
        effect - half,
        effect + half,
    )
