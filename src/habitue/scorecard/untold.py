"""What a scorecard was asked for, or could have told, and does not: said in a sentence, not passed over."""

from __future__ import annotations

from habitue.records.scales import SURVEY
from habitue.scorecard.plan import Plan
from habitue.scorecard.windows import Period

__all__ = ["untold"]

_WITH_CHANNEL = {
    "transactions": ("active_customers", "average_order_value"),
    "contacts": ("contacts_answered",),
}
_MOST_SURVEYS = 5
_OTHERS = f"""
SELECT DISTINCT {SURVEY} AS survey FROM ({{feedback}}) AS known
WHERE day > $start AND day <= $end AND {SURVEY} NOT IN ('nps', 'csat', 'review') ORDER BY survey
"""


def untold(plan: Plan, period: Period) -> tuple[str, ...]:
    """Return what no number of the scorecard tells, and why.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    return (*_of_channels(plan), *_of_surveys(plan, period))


def _of_channels(plan: Plan) -> list[str]:
    """Say what has no channel on record, where numbers by channel are asked for."""
    if "channel" not in plan.by:
        return []
    told = [name for kind, names in _WITH_CHANNEL.items() if plan.has(kind, "channel") for name in names]
    if not told:
        return ["nothing is told by channel: neither transactions nor contacts have the column channel"]
    silent = [kind for kind in ("contracts", "feedback", "tickets", "rewards") if plan.has(kind)]
    why = (
        f"; {', '.join(silent)} {'has' if len(silent) == 1 else 'have'} no channel on record"
        if silent
        else ""
    )
    return [f"by channel there are {', '.join(told)} only{why}"]


def _of_surveys(plan: Plan, period: Period) -> list[str]:
    """Name the surveys that are neither nps, csat nor review."""
    if not plan.has("feedback"):
        return []
    history = plan.history
    others = _OTHERS.format(feedback=history.relation("feedback"))
    found = history.engine.frame(others, {**history.values, "start": period.start, "end": period.end})
    names = [str(name) for name in found["survey"]]
    if not names:
        return []
    more = f" and {len(names) - _MOST_SURVEYS} more" if len(names) > _MOST_SURVEYS else ""
    return [
        f"answers to {', '.join(names[:_MOST_SURVEYS])}{more} are not measured: the surveys known here are "
        "nps, csat and review"
    ]
