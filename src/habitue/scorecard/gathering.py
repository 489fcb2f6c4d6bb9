"""Which measures a log has evidence for, in a period."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.scorecard import tallies
from habitue.scorecard.buying import of_contracts, of_purchases
from habitue.scorecard.estimates import TOO_YOUNG, Evidence, column, where
from habitue.scorecard.plan import Plan
from habitue.scorecard.service import of_contacts, of_points, of_reviews, of_tickets
from habitue.scorecard.voices import active_base, of_surveys, on_scale
from habitue.scorecard.windows import Period

__all__ = ["NEEDS_THE_PERIOD_BEFORE", "evidence_of", "has_period_before"]

NEEDS_THE_PERIOD_BEFORE = ("retention_rate", "churn_rate", "revenue_churn")
"""Measures that compare with the period before."""

_LOOKING_BACK = ("purchase_interval",)
_LONG_ENOUGH = timedelta(days=365)


def has_period_before(plan: Plan, period: Period) -> bool:
    """Tell whether the log holds the whole of the period before.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    return period.before + timedelta(days=1) >= plan.first_day


def evidence_of(plan: Plan, period: Period, people: pd.DataFrame) -> list[Evidence]:
    """Return the evidence for each measure that the log has records for.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    people : DataFrame
        `tallies.labels`.
    """
    found: list[Evidence] = []
    active = pd.DataFrame()
    history = plan.history
    if plan.has("contracts"):
        held = _cut(tallies.contracts(history, period), people)
        found += of_contracts(held, plan)
        active = where(held, column(held, "ran") > 0)
    if plan.has("transactions"):
        bought = _cut(tallies.purchases(history, period), people)
        found = [*_with_beginning(of_purchases(bought, plan), plan, period), *found]
        active = where(bought, column(bought, "visits") > 0)
    if plan.has("feedback"):
        found += _of_feedback(plan, period, people, active)
    if plan.has("tickets"):
        found += of_tickets(_cut(tallies.tickets(history, period), people), plan)
    if plan.has("contacts", "responded_at"):
        found += of_contacts(_cut(tallies.contacts(history, period), people), plan)
    if plan.has("rewards"):
        # What is owed at the end of a month is what was known then.
        found += of_points(_cut(tallies.points(replace(history, cutoff=period.end)), people), plan)
    return found


def _with_beginning(found: list[Evidence], plan: Plan, period: Period) -> list[Evidence]:
    """Say of measures that look back at all purchases that the log may not reach back so far."""
    if period.start - plan.first_day >= _LONG_ENOUGH:
        return found
    return [replace(one, note=TOO_YOUNG) if one.measure in _LOOKING_BACK else one for one in found]


def _of_feedback(plan: Plan, period: Period, people: pd.DataFrame, active: pd.DataFrame) -> list[Evidence]:
    said, notes = on_scale(_cut(tallies.answers(plan.history, period), people), plan)
    were_asked = {
        survey: _cut(pd.DataFrame(index=tallies.asked(plan.history, period, event)), people)
        for survey, event in plan.asked.items()
    }
    written = _cut(tallies.reviews(plan.history, period), people)
    base = active_base(active, plan)
    return [*of_surveys(said, base, were_asked, notes, plan), *of_reviews(written, plan)]


def _cut(rows: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Put beside rows what they are cut by; records of people who never were customers have no group."""
    if both := sorted(set(rows.columns) & set(people.columns)):
        raise SettingsError(
            f"Customers cannot be cut by {', '.join(both)}: a column of the scorecard's own has that name. "
            "Rename the attribute."
        )
    told = rows.join(people)
    for name in people.columns:
        if bool(np.asarray(told[name].isna()).any()):
            told[name] = told[name].astype("object").fillna(tallies.UNKNOWN).astype("category")
    return told
