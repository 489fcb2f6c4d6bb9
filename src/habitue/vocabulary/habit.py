"""Habit: the rhythm of buying, and what has become routine."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["TERMS"]

_P = Pillar.HABIT
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_ONE_PURCHASE = "bought only once, so there is no rhythm yet"
_FEW_PURCHASES = "too few purchases to tell a rhythm"

TERMS: Mapping[str, Term] = {
    "gap_mean": Term(
        "Mean days between purchases.", "day", _P, _LEAVES, "usually buys every {value}", _ONE_PURCHASE
    ),
    "gap_median": Term(
        "Median days between purchases.", "day", _P, _LEAVES,
        "half of the waits last up to {value}", _ONE_PURCHASE,
    ),
    "gap_p90": Term(
        "Days between purchases that nine in ten of the customer's waits do not exceed.", "day", _P, _LEAVES,
        "nine in ten waits last up to {value}", _ONE_PURCHASE,
    ),
    "gap_max": Term(
        "Longest wait between two purchases.", "day", _P, _LEAVES,
        "longest gap so far {value}", _ONE_PURCHASE,
    ),
    "gap_last": Term(
        "Days between the last two purchases.", "day", _P, _LEAVES,
        "{value} between the last two purchases", _ONE_PURCHASE,
    ),
    "gap_cv": Term(
        "Standard deviation of the gaps over their mean: 0 is clockwork, 1 is chance.",
        "ratio", _P, _LEAVES,
        "gaps vary by {value} of their mean", _FEW_PURCHASES,
        "always waits equally long between purchases",
    ),
    "gap_geometric_mean": Term(
        "Geometric mean of the days between purchases, which one long wait moves little.",
        "day", _P, _LEAVES, "typically waits {value} between purchases", _ONE_PURCHASE,
    ),
    "regularity_ml": Term(
        "Regularity of the gaps, by likelihood: 1 is chance, 100 (the most told) is clockwork.",
        "ratio", _P, _STAYS, "regularity {value}, where 1 is chance", _FEW_PURCHASES,
    ),
    "regularity_wheat_morrison": Term(
        "Regularity of the gaps, from how alike two in a row are: 1 is chance, 100 (the most told) is "
        "clockwork.",
        "ratio", _P, _STAYS,
        "regularity of gaps in a row {value}, where 1 is chance", _FEW_PURCHASES,
    ),
    "clumpiness": Term(
        "How far repeat purchases come in clumps: 0 is evenly spaced, near 1 all at once.", "share", _P,
        phrase="purchases are clumped by {value}", missing=_ONE_PURCHASE, zero="purchases are evenly spaced",
    ),
    "days_to_next_expected_purchase": Term(
        "Days until the next purchase is due by the customer's mean gap; negative where it is overdue.",
        "day", _P, _STAYS,
        "{value} to the next expected purchase", _ONE_PURCHASE, "next purchase expected today",
        "next purchase overdue by {value}",
    ),
    "streak_now": Term(
        "Periods of 30 days in a row, up to the cutoff, with a purchase.", "count", _P, _STAYS,
        "a purchase in each of the last {value} periods of 30 days",
        zero="no purchase in the last 30 days",
    ),
    "streak_longest": Term(
        "Most periods of 30 days in a row with a purchase.", "count", _P, _STAYS,
        "at best a purchase in each of {value} periods of 30 days in a row",
    ),
    "active_period_share": Term(
        "Share of the periods of 30 days since the first purchase with a purchase.", "share", _P, _STAYS,
        "bought in {value} of the periods of 30 days",
    ),
    "weekend_share": Term(
        "Share of purchase days on a Saturday or Sunday.", "share", _P,
        phrase="{value} of purchases at weekends", zero="never buys at weekends",
    ),
    "subscription_share": Term(
        "Share of the days since the first contract that a contract covered.", "share", _P, _STAYS,
        "under contract on {value} of the days since the first", zero="never under contract",
    ),
    "auto_renew_share": Term(
        "Share of the contracts held now that renew by themselves.", "share", _P, _STAYS,
        "{value} of the contracts renew by themselves", "no contract held now that says whether it renews",
        "no contract renews by itself",
    ),
    "n_points_earned_days": Term(
        "Days on which reward points were earned.", "count", _P, _STAYS,
        "earned points on {value} days", zero="never earned points",
    ),
    "points_earned_90d": Term(
        "Reward points earned in the last 90 days before the cutoff.", "points", _P, _STAYS,
        "{value} points earned in the last 90 days", zero="no points earned in the last 90 days",
    ),
    "points_redeemed_90d": Term(
        "Reward points redeemed in the last 90 days before the cutoff.", "points", _P, _STAYS,
        "{value} points redeemed in the last 90 days", zero="no points redeemed in the last 90 days",
    ),
    "redemption_share": Term(
        "Reward points redeemed over those earned.", "share", _P, _STAYS,
        "{value} of the points redeemed", "never earned points", "never redeemed points",
    ),
    "days_since_redemption": Term(
        "Days since reward points were last redeemed.", "day", _P, _LEAVES,
        "last redeemed points {value} ago", "never redeemed points", "redeemed points on the last day",
    ),
}  # fmt: skip
