"""Satisfaction: what customers say, and how they are helped."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term, in_windows

__all__ = ["TERMS", "TICKET_DAYS"]

_P = Pillar.SATISFACTION
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES

TICKET_DAYS = (30, 90, 365)
"""Trailing windows, in days before the cutoff, in which tickets are counted."""

_NO_TICKET = "no ticket so far"
_NO_ANSWERED_TICKET = "no ticket with a first response"
_NO_CLOSED_TICKET = "no ticket closed so far"
_NO_REVIEW = "no review with a score on record"
_NO_OPINION = "no text with a sentiment on record"


def _of_survey(survey: str, name: str, unit: str, scale: str, told: str) -> dict[str, Term]:
    """Return the lines of one survey; `scale` says what its scores are, `told` how a score is said."""
    a_name = f"an {name}" if name in {"NPS", "effort"} else f"a {name}"
    never, unscored = f"never answered {a_name} survey", f"no {name} score on record"
    once = f"no two {name} scores to compare"
    return {
        f"{survey}_last": Term(
            f"Score of the last answer to {a_name} survey, {scale}.", unit, _P, _STAYS,
            f"last {name} answer: {told}", unscored,
        ),
        f"{survey}_mean": Term(
            f"Mean score of all answers to {name} surveys, {scale}.", unit, _P, _STAYS,
            f"{name} answers average {told}", unscored,
        ),
        f"{survey}_worst": Term(
            f"Lowest score ever given in {a_name} survey, {scale}.", unit, _P, _STAYS,
            f"worst {name} answer: {told}", unscored,
        ),
        f"{survey}_change": Term(
            f"Score of the last answer to {a_name} survey less the mean of those before it, {scale}.",
            unit, _P, _STAYS,
            f"last {name} answer differs by {{value}} from those before", once,
            f"last {name} answer as those before",
        ),
        f"n_{survey}": Term(
            f"Answers to {name} surveys.", "count", _P,
            phrase=f"{{value}} answers to {name} surveys", zero=never,
        ),
        f"days_since_{survey}": Term(
            f"Days since the last answer to {a_name} survey.", "day", _P,
            phrase=f"last answered {a_name} survey {{value}} ago", missing=never,
            zero=f"answered {a_name} survey on the last day",
        ),
        f"{survey}_never_answered": Term(
            f"1 where the customer has never answered {a_name} survey, 0 otherwise.", "flag", _P, _LEAVES,
            f"never answered {a_name} survey: {{value}}", zero=f"has answered {a_name} survey",
        ),
    }  # fmt: skip


def _tickets_in_window(days: int, span: str) -> dict[str, Term]:
    return {
        f"n_tickets_{days}d": Term(
            f"Tickets opened {span} before the cutoff.", "count", _P, _LEAVES,
            f"{{value}} tickets opened {span}", zero=f"no ticket {span}",
        ),
    }  # fmt: skip


_TICKETS: Mapping[str, Term] = {
    "n_tickets": Term(
        "Tickets opened so far.", "count", _P, _LEAVES, "{value} tickets opened", zero=_NO_TICKET,
    ),
    **in_windows(_tickets_in_window, TICKET_DAYS),
    "n_tickets_open": Term(
        "Tickets that are open at the cutoff.", "count", _P, _LEAVES,
        "{value} tickets open", zero="no ticket is open",
    ),
    "days_since_ticket": Term(
        "Days since the last ticket was opened.", "day", _P, _STAYS,
        "last ticket opened {value} ago", _NO_TICKET, "opened a ticket on the last day",
    ),
    "first_response_hours_mean": Term(
        "Mean hours from opening a ticket to the first response, over tickets that had one.",
        "hour", _P, _LEAVES, "first response after {value} hours on average", _NO_ANSWERED_TICKET,
    ),
    "first_response_hours_worst": Term(
        "Longest time in hours from opening a ticket to the first response.", "hour", _P, _LEAVES,
        "longest wait for a first response: {value} hours", _NO_ANSWERED_TICKET,
    ),
    "resolution_hours_mean": Term(
        "Mean hours from opening a ticket to closing it, over closed tickets.", "hour", _P, _LEAVES,
        "tickets closed after {value} hours on average", _NO_CLOSED_TICKET,
    ),
    "n_escalations": Term(
        "Closed tickets that had been escalated.", "count", _P, _LEAVES,
        "{value} tickets escalated", zero="no ticket escalated",
    ),
    "n_reopenings": Term(
        "Closed tickets that had been opened again.", "count", _P, _LEAVES,
        "{value} tickets reopened", zero="no ticket reopened",
    ),
    "reopened_share": Term(
        "Share of closed tickets that had been opened again, of those where it is known.",
        "share", _P, _LEAVES,
        "{value} of closed tickets reopened", "not known whether tickets were reopened",
        "no ticket reopened",
    ),
    "severe_ticket_share": Term(
        "Share of tickets whose severity is high, urgent, critical or severe, of those that tell it.",
        "share", _P, _LEAVES,
        "{value} of tickets were severe", "no ticket with a severity", "no severe ticket",
    ),
    "n_ticket_topics": Term(
        "Different topics of tickets.", "count", _P, _LEAVES,
        "tickets on {value} topics", zero="no ticket with a topic",
    ),
}  # fmt: skip

TERMS: Mapping[str, Term] = {
    **_of_survey("nps", "NPS", "score", "from 0 to 10", "{value} of 10"),
    **_of_survey("csat", "CSAT", "share", "as a share of the way up its scale", "{value} of the scale"),
    "review_last": Term(
        "Score of the last review, as a share of the way up its scale.", "share", _P, _STAYS,
        "last review: {value} of the scale", _NO_REVIEW,
    ),
    "review_mean": Term(
        "Mean score of all reviews, as a share of the way up the scale.", "share", _P, _STAYS,
        "reviews average {value} of the scale", _NO_REVIEW,
    ),
    **_TICKETS,
    "sentiment_last": Term(
        "Sentiment of the last text the customer wrote, from -1 to 1.", "score", _P, _STAYS,
        "sentiment of the last text: {value}", _NO_OPINION, "last text is neutral",
    ),
    "sentiment_mean": Term(
        "Mean sentiment of the customer's texts, from -1 to 1.", "score", _P, _STAYS,
        "sentiment averages {value}", _NO_OPINION, "texts are neutral on average",
    ),
    "sentiment_worst": Term(
        "Sentiment of the customer's most negative text, from -1 to 1.", "score", _P, _STAYS,
        "sentiment of the worst text: {value}", _NO_OPINION, "most negative text is neutral",
    ),
}  # fmt: skip
