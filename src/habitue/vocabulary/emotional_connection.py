"""Emotional connection: what customers do for the business without being paid."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["TERMS"]

_P = Pillar.EMOTIONAL_CONNECTION
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_NEVER_ASKED = "never said whether they would recommend the business"

TERMS: Mapping[str, Term] = {
    "n_referrals": Term(
        "Times the customer recommended the business to somebody.", "count", _P, _STAYS,
        "{value} referrals so far", zero="never referred anybody",
    ),
    "n_shares": Term(
        "Times the customer showed something of the business to others.", "count", _P, _STAYS,
        "{value} shares so far", zero="never shared anything",
    ),
    "n_community_posts": Term(
        "Times the customer wrote to the community.", "count", _P, _STAYS,
        "{value} community posts so far", zero="never wrote to the community",
    ),
    "n_advocacy_365d": Term(
        "Referrals, shares and community posts in the last 365 days before the cutoff.", "count", _P, _STAYS,
        "{value} referrals, shares and posts in the last 365 days",
        zero="no referral, share or post in the last 365 days",
    ),
    "days_since_advocacy": Term(
        "Days since the last referral, share or community post.", "day", _P, _LEAVES,
        "last referral, share or post {value} ago", "never referred, shared or posted anything",
        "referred, shared or posted on the last day",
    ),
    "days_since_referral": Term(
        "Days since the last referral.", "day", _P, _LEAVES,
        "last referral {value} ago", "never referred anybody", "referred somebody on the last day",
    ),
    "n_reviews": Term(
        "Reviews written so far.", "count", _P, _STAYS,
        "{value} reviews so far", zero="never wrote a review",
    ),
    "n_reviews_365d": Term(
        "Reviews written in the last 365 days before the cutoff.", "count", _P, _STAYS,
        "{value} reviews in the last 365 days", zero="no review in the last 365 days",
    ),
    "days_since_review": Term(
        "Days since the last review.", "day", _P, _LEAVES,
        "last review {value} ago", "never wrote a review", "wrote a review on the last day",
    ),
    "is_promoter_now": Term(
        "1 where the customer last gave 9 or 10 of 10 to recommending the business, 0 where less.",
        "flag", _P, _STAYS,
        "would recommend the business: {value}", _NEVER_ASKED, "would not clearly recommend the business",
    ),
    "is_promoter_always": Term(
        "1 where the customer always gave 9 or 10 of 10 to recommending the business, 0 where not.",
        "flag", _P, _STAYS,
        "always would have recommended the business: {value}", _NEVER_ASKED,
        "would not always have recommended the business",
    ),
    "days_since_promoting": Term(
        "Days since the customer last gave 9 or 10 of 10 to recommending the business.", "day", _P, _LEAVES,
        "last would recommend the business {value} ago", "never clearly recommended the business",
        "recommends the business as of the last day",
    ),
}  # fmt: skip
