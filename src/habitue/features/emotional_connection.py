"""Emotional connection: what customers do for the business without being paid.

Referrals, shares and posts are events; which names of an event mean them is said here, and names are taken
as they are written. A review is an answer to the survey ``review``. A promoter gives 9 or 10 of 10 when asked
whether they would recommend the business (survey ``nps``).
"""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.features.relationship import named

__all__ = ["FEATURES", "POSTED", "REFERRED", "SHARED"]

REFERRED = ("referral", "referred", "refer_a_friend", "invite_sent")
"""Events that say that the customer recommended the business to somebody."""

SHARED = ("share", "shared", "social_share")
"""Events that say that the customer showed something to others."""

POSTED = ("community_post", "community_reply", "forum_post", "forum_reply")
"""Events that say that the customer wrote to the community."""

_ADVOCACY = named((*REFERRED, *SHARED, *POSTED))
_YEAR = 365

# 9 on a scale that begins at 0, and on one that begins at 1; 8 is below on both.
_IS_PROMOTER = "CASE WHEN share >= 0.85 THEN 1 ELSE 0 END"
_ASKED = "survey = 'nps' AND share IS NOT NULL"


@feature("events")
def n_referrals() -> str:
    """Count how often the customer recommended the business."""
    return f"COUNT(*) FILTER (WHERE {named(REFERRED)})"


@feature("events")
def n_shares() -> str:
    """Count how often the customer showed something to others."""
    return f"COUNT(*) FILTER (WHERE {named(SHARED)})"


@feature("events")
def n_community_posts() -> str:
    """Count how often the customer wrote to the community."""
    return f"COUNT(*) FILTER (WHERE {named(POSTED)})"


@feature("events")
def n_advocacy_365d() -> str:
    """Referrals, shares and posts in the last year."""
    return f"COUNT(*) FILTER (WHERE {_ADVOCACY} AND DATE_DIFF('day', day, $cutoff) < {_YEAR})"


@feature("events")
def days_since_advocacy() -> str:
    """Days since the last referral, share or post."""
    return f"DATE_DIFF('day', MAX(day) FILTER (WHERE {_ADVOCACY}), $cutoff)"


@feature("events")
def days_since_referral() -> str:
    """Days since the last referral."""
    return f"DATE_DIFF('day', MAX(day) FILTER (WHERE {named(REFERRED)}), $cutoff)"


@feature("answers")
def n_reviews() -> str:
    """Reviews written."""
    return "COUNT(*) FILTER (WHERE survey = 'review')"


@feature("answers")
def n_reviews_365d() -> str:
    """Reviews written in the last year."""
    return f"COUNT(*) FILTER (WHERE survey = 'review' AND DATE_DIFF('day', day, $cutoff) < {_YEAR})"


@feature("answers")
def days_since_review() -> str:
    """Days since the last review."""
    return "DATE_DIFF('day', MAX(day) FILTER (WHERE survey = 'review'), $cutoff)"


@feature("answers")
def is_promoter_now() -> str:
    """Return 1 where the last answer was a promoter's, 0 where it was not."""
    return f"MAX({_IS_PROMOTER}) FILTER (WHERE {_ASKED} AND nth_last = 1)"


@feature("answers")
def is_promoter_always() -> str:
    """Return 1 where every answer was a promoter's, 0 where one was not."""
    return f"MIN({_IS_PROMOTER}) FILTER (WHERE {_ASKED})"


@feature("answers")
def days_since_promoting() -> str:
    """Days since the customer last answered as a promoter."""
    return f"DATE_DIFF('day', MAX(day) FILTER (WHERE {_ASKED} AND share >= 0.85), $cutoff)"


FEATURES: tuple[Feature, ...] = (
    n_referrals,
    n_shares,
    n_community_posts,
    n_advocacy_365d,
    days_since_advocacy,
    days_since_referral,
    n_reviews,
    n_reviews_365d,
    days_since_review,
    is_promoter_now,
    is_promoter_always,
    days_since_promoting,
)
