"""What a decision is asked for, and what is worked out on the way to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from habitue.decisions.allocating.allocation import Allocation
from habitue.decisions.assumptions import Assumptions
from habitue.decisions.gains import Gains
from habitue.decisions.offers import Offer
from habitue.decisions.value_at_stake import Stakes
from habitue.pipelines.deciding.inputs import Known, Scores
from habitue.pipelines.deciding.measured import Uplift
from habitue.pipelines.offers import DecideSettings

__all__ = ["Parts", "Round"]

VALID_DAYS = 14
"""Days on which an action list may be used, where nothing else is said."""


@dataclass(frozen=True)
class Round:
    """What a round is asked to be; what is None is as `offers.toml` says.

    Attributes
    ----------
    name : str
        Of the round: what it draws by lot hangs on it.
    day : date
        Of the contacts.
    budget, holdout : float, optional
        In the place of those of the file.
    explore : float
        Probability of another offer that is nearly as good.
    seed : int
        Of all that is drawn.
    valid_days : int
        Days on which the list may be used.
    uplift : bool
        Whether effects are learned from the randomised contacts on record.
    """

    name: str
    day: date
    budget: float | None = None
    holdout: float | None = None
    explore: float = 0.0
    seed: int = 0
    valid_days: int = VALID_DAYS
    uplift: bool = True


@dataclass(frozen=True)
class Parts:
    """What was worked out on the way to a decision.

    Attributes
    ----------
    scores : Scores
        Who was scored.
    offers : tuple of Offer
        With what was measured of them.
    settings : DecideSettings
        The table ``[decide]``.
    asked : Round
        What was asked for.
    known : Known
        Attributes, and who must not be contacted.
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        What offers are taken to do.
    gains : Gains
        What is expected of whom.
    plan : Allocation
        Who was chosen.
    drawn : DataFrame
        What the lot made of the plan.
    uplift : Uplift
        Effects learned per customer.
    stated : tuple of Offer
        As `offers.toml` states them; what was assumed is not told where there are none.
    """

    scores: Scores
    offers: tuple[Offer, ...]
    settings: DecideSettings
    asked: Round
    known: Known
    stakes: Stakes
    assumptions: Assumptions
    gains: Gains
    plan: Allocation
    drawn: pd.DataFrame
    uplift: Uplift
    stated: tuple[Offer, ...] = ()
