"""Measures of service: how fast tickets are answered and closed, contacts answered, points owed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from habitue.errors import DataError
from habitue.numerics.waiting import median_wait
from habitue.scorecard.estimates import (
    FULL_COUNT,
    Estimate,
    Evidence,
    by_customer,
    column,
    ratio_of,
    shares_of,
    where,
)
from habitue.scorecard.plan import Plan
from habitue.scorecard.voices import off_scale_note
from habitue.vocabulary import one_or_many

__all__ = ["of_contacts", "of_points", "of_reviews", "of_tickets"]


def of_tickets(opened: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return the measures of tickets.

    Parameters
    ----------
    opened : DataFrame
        `tallies.tickets`, with the columns to cut by.
    plan : Plan
        What was asked for.
    """
    found: list[Evidence] = []
    waits = (
        ("first_response_hours", "first_response_at", "response_hours", "is_answered"),
        ("resolution_hours", "closed_at", "resolution_hours", "is_closed"),
    )
    for measure, needed, hours, is_over in waits:
        if plan.has("tickets", needed):
            told = _wait(hours, is_over, plan.confidence)
            found.append(Evidence(measure, where(opened, column(opened, hours) >= 0), told, size=_customers))
    for measure, flag in (("ticket_reopened_share", "reopened"), ("ticket_escalated_share", "escalated")):
        if plan.has("tickets", flag, "closed_at"):
            said = opened[flag].to_numpy(dtype=np.float64, na_value=np.nan)
            closed = where(opened.assign(flagged=said, closed=1.0), ~np.isnan(said))
            told = _by_customer(shares_of("flagged", "closed", confidence=plan.confidence))
            found.append(Evidence(measure, closed, told, size=_customers))
    return found


def _customers(rows: pd.DataFrame) -> int:
    return int(rows.index.nunique())


def _wait(hours: str, is_over: str, confidence: float) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the median wait."""

    def estimate(rows: pd.DataFrame) -> Estimate:
        codes, names = pd.factorize(rows.index)
        told = median_wait(column(rows, hours), rows[is_over].to_numpy(), codes, confidence=confidence)
        note = "" if math.isfinite(told.value) else "fewer than half are over: no median yet"
        return Estimate(*told, len(names), note)

    return estimate


def _by_customer(told: Callable[[pd.DataFrame], Estimate]) -> Callable[[pd.DataFrame], Estimate]:
    """Sum records of a customer first: customers, not tickets, are the units."""

    def estimate(rows: pd.DataFrame) -> Estimate:
        return told(by_customer(rows, ("flagged", "closed")))

    return estimate


def of_contacts(got: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return the share of contacts answered.

    Parameters
    ----------
    got : DataFrame
        `tallies.contacts`, with the columns to cut by.
    plan : Plan
        What was asked for.
    """
    cuts = [name for name in plan.cuts if name in got]
    summed = by_customer(got, ("n", "answered"))
    first = where(got, ~got.index.duplicated())
    by = {name: first[name].to_numpy() for name in cuts}
    told = shares_of("answered", "n", confidence=plan.confidence)
    return [
        Evidence(
            "contacts_answered",
            summed.assign(**{name: pd.Categorical(one) for name, one in by.items()}),
            told,
        )
    ]


def of_reviews(written: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return what reviews say, by their scores and by their words.

    Parameters
    ----------
    written : DataFrame
        `tallies.reviews`, with the columns to cut by.
    plan : Plan
        What was asked for.

    Raises
    ------
    DataError
        Where reviews are off their scale, and are to be refused.
    """
    is_off = column(written, "n_off") > 0
    n_off = int(column(written, "n_off").sum())
    if n_off and plan.off_scale == "refuse":
        raise DataError(
            f"{one_or_many(n_off, 'review is', plural='reviews are')} off the scale, such as that of "
            f"customer {written.index[is_off][0]}: it goes from 1 to 5 unless scale_min and scale_max say "
            'otherwise. Mend the records, or leave such scores out: off_scale = "leave_out" in '
            "[scorecard], or --off-scale leave_out."
        )
    scored, worded = (where(written, column(written, name) > 0) for name in ("n", "n_texts"))
    net = ratio_of("net", "n", confidence=plan.confidence, ends=(-1.0, 1.0), times=100.0)
    mood = ratio_of("sentiment", "n_texts", confidence=plan.confidence, ends=(-1.0, 1.0))
    note = off_scale_note(n_off)
    found = [Evidence("review_net", scored, net, note=note)] if len(scored) else []
    return [*found, Evidence("review_sentiment", worded, mood)] if len(worded) else found


def of_points(held: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return the points owed, in money where a point's worth is given.

    Parameters
    ----------
    held : DataFrame
        `tallies.points`, with the columns to cut by.
    plan : Plan
        What was asked for.
    """
    worth = 1.0 if plan.point_value is None else plan.point_value

    def estimate(rows: pd.DataFrame) -> Estimate:
        owed = worth * math.fsum(column(rows, "points"))
        return Estimate(owed, math.nan, math.nan, len(rows), FULL_COUNT)

    return [Evidence("reward_liability", held, estimate)]
