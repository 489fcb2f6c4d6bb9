"""Satisfaction: what customers say, and how they are helped.

Scores are put on one scale: NPS from 0 to 10, everything else as a share of the way up its own scale
(``scale_min`` and ``scale_max``; 0 to 10 for NPS and 1 to 5 for other surveys where they are not given). Of
answers of the same instant the lowest is the last.
"""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.vocabulary.satisfaction import TICKET_DAYS

__all__ = ["FEATURES", "SEVERE"]

SEVERE = ("high", "urgent", "critical", "severe")
"""Severities that count as severe, in lower case, in capitals, or with a capital first letter."""

_EXACT = "DECIMAL(18, 12)"  # sums of doubles would depend on the order of the rows


def _of_survey(survey: str, top: int) -> tuple[Feature, ...]:
    """Return what the answers to one survey say, on a scale from 0 to `top`."""

    def among(aggregate: str, more: str = "") -> str:
        return f"{aggregate} FILTER (WHERE survey = '{survey}'{more})"

    def mean(more: str = "") -> str:
        return f"{top} * ({among(f'SUM(CAST(share AS {_EXACT}))', more)} / {among('COUNT(share)', more)})"

    last = f"{top} * {among('MAX(share)', ' AND nth_last = 1')}"
    told = {
        f"{survey}_last": last,
        f"{survey}_mean": mean(),
        f"{survey}_worst": f"{top} * {among('MIN(share)')}",
        f"{survey}_change": f"{last} - {mean(' AND nth_last > 1')}",
        f"n_{survey}": among("COUNT(*)"),
        f"days_since_{survey}": f"DATE_DIFF('day', {among('MAX(day)')}, $cutoff)",
    }
    never = f"CASE WHEN {among('COUNT(*)')} = 0 THEN 1 ELSE 0 END"
    return (
        *(Feature(name, "answers", sql) for name, sql in told.items()),
        Feature(f"{survey}_never_answered", "answers", never, absent=1),
    )


@feature("answers")
def review_last() -> str:
    """Score of the last review."""
    return "MAX(share) FILTER (WHERE survey = 'review' AND nth_last = 1)"


@feature("answers")
def review_mean() -> str:
    """Mean score of all reviews."""
    reviews = "FILTER (WHERE survey = 'review')"
    return f"SUM(CAST(share AS {_EXACT})) {reviews} / COUNT(share) {reviews}"


@feature("cases")
def n_tickets() -> str:
    """Tickets so far."""
    return "COUNT(*)"


def _tickets_in_window(days: int) -> Feature:
    """Tickets opened in the last `days` days."""
    inside = f"DATE_DIFF('day', day, $cutoff) < {days}"
    return Feature(f"n_tickets_{days}d", "cases", f"COUNT(*) FILTER (WHERE {inside})")


@feature("cases")
def n_tickets_open() -> str:
    """Tickets not closed yet."""
    return "COUNT(*) FILTER (WHERE is_open = 1)"


@feature("cases")
def days_since_ticket() -> str:
    """Days since the last complaint."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("cases")
def first_response_hours_mean() -> str:
    """Mean wait for a first response; one from before the ticket was opened is none."""
    answered = "FILTER (WHERE response_seconds >= 0)"
    return f"SUM(response_seconds) {answered} / COUNT(*) {answered} / 3600"


@feature("cases")
def first_response_hours_worst() -> str:
    """Longest wait for a first response."""
    return "MAX(response_seconds) FILTER (WHERE response_seconds >= 0) / 3600"


@feature("cases")
def resolution_hours_mean() -> str:
    """Mean time from opening a ticket to closing it."""
    closed = "FILTER (WHERE resolution_seconds >= 0)"
    return f"SUM(resolution_seconds) {closed} / COUNT(*) {closed} / 3600"


@feature("cases")
def n_escalations() -> str:
    """Tickets that were escalated, as far as they are closed: before, nobody can tell when it was."""
    return "COUNT(*) FILTER (WHERE escalated)"


@feature("cases")
def n_reopenings() -> str:
    """Tickets that were opened again, as far as they are closed."""
    return "COUNT(*) FILTER (WHERE reopened)"


@feature("cases")
def reopened_share() -> str:
    """Share of closed tickets that were opened again."""
    return "COUNT(*) FILTER (WHERE reopened) / COUNT(reopened)"


@feature("cases")
def severe_ticket_share() -> str:
    """Share of severe tickets."""
    written = (form for word in SEVERE for form in (word, word.capitalize(), word.upper()))
    severe = ", ".join(f"'{form}'" for form in written)
    return f"COUNT(*) FILTER (WHERE severity IN ({severe})) / COUNT(severity)"


@feature("cases")
def n_ticket_topics() -> str:
    """Different topics of tickets."""
    return "COUNT(DISTINCT topic)"


@feature("voices")
def sentiment_last() -> str:
    """Sentiment of the last text; of texts of the same instant the most negative is the last."""
    return "MAX(sentiment) FILTER (WHERE nth_last = 1)"


@feature("voices")
def sentiment_mean() -> str:
    """Mean sentiment of all texts."""
    return "SUM(sentiment) / COUNT(sentiment)"


@feature("voices")
def sentiment_worst() -> str:
    """Sentiment of the most negative text."""
    return "MIN(sentiment)"


FEATURES: tuple[Feature, ...] = (
    *_of_survey("nps", 10),
    *_of_survey("csat", 1),
    review_last,
    review_mean,
    n_tickets,
    *(_tickets_in_window(days) for days in TICKET_DAYS),
    n_tickets_open,
    days_since_ticket,
    first_response_hours_mean,
    first_response_hours_worst,
    resolution_hours_mean,
    n_escalations,
    n_reopenings,
    reopened_share,
    severe_ticket_share,
    n_ticket_topics,
    sentiment_last,
    sentiment_mean,
    sentiment_worst,
)
