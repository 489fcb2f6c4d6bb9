"""Emotional connection without SQL."""

from __future__ import annotations

import math

import pandas as pd
from known import Known, Row

_REFERRED = {"referral", "referred", "refer_a_friend", "invite_sent"}
_SHARED = {"share", "shared", "social_share"}
_POSTED = {"community_post", "community_reply", "forum_post", "forum_reply"}


def features_of(known: Known) -> dict[str, float]:
    """Return the features of one customer."""

    def since(rows: list[Row]) -> float:
        return known.age(max(row["day"] for row in rows)) if rows else math.nan

    def within_a_year(rows: list[Row]) -> int:
        return sum(known.age(row["day"]) < 365 for row in rows)

    groups = [
        [row for row in known.rows("events") if row["event"] in names]
        for names in (_REFERRED, _SHARED, _POSTED)
    ]
    advocacy = [row for group in groups for row in group]
    reviews = [row for row in known.rows("feedback") if row["survey"] == "review"]
    answers, promoting = _answers(known)
    asked = [row for row in answers if _place(row) is not None]
    return {
        "n_referrals": len(groups[0]),
        "n_shares": len(groups[1]),
        "n_community_posts": len(groups[2]),
        "n_advocacy_365d": within_a_year(advocacy),
        "days_since_advocacy": since(advocacy),
        "days_since_referral": since(groups[0]),
        "n_reviews": len(reviews),
        "n_reviews_365d": within_a_year(reviews),
        "days_since_review": since(reviews),
        "is_promoter_now": float(answers[-1] in promoting)
        if answers and _place(answers[-1]) is not None
        else math.nan,
        "is_promoter_always": float(len(promoting) == len(asked)) if asked else math.nan,
        "days_since_promoting": since(promoting),
    }


def _place(row: Row) -> float | None:
    """Return how far up its scale an answer is, None where it is not on it."""
    lowest, highest = float(row.get("scale_min") or 0), float(row.get("scale_max") or 10)
    place = (float(row["score"]) - lowest) / (highest - lowest)
    return place if 0 <= place <= 1 else None


def _answers(known: Known) -> tuple[list[Row], list[Row]]:
    """Return answers to the NPS question in order, the lowest of one moment last, and the promoters' ones."""
    asked = [row for row in known.rows("feedback") if row["survey"] == "nps"]
    if not asked:
        return [], []
    frame = pd.DataFrame(
        {"at": [row["timestamp"] for row in asked], "score": [float(row["score"]) for row in asked]}
    )
    order = frame.sort_values(["at", "score"], ascending=[True, False], kind="stable").index
    asked = [asked[place] for place in order]
    return asked, [row for row in asked if (_place(row) or 0) >= 0.85]
