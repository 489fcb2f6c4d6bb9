"""What the template needs of a scorecard beside its facts: pillars, months and small pictures."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from habitue.report.facts import Facts
from habitue.report.scorecard_facts import MeasureFacts, ScorecardFacts
from habitue.report.sparklines import sparkline
from habitue.report.words_of_measures import pillar_label, quantity

__all__ = ["scorecard_context"]


def scorecard_context(facts: Facts) -> dict[str, Any]:
    """Return what the template shows of the scorecard.

    Parameters
    ----------
    facts : Facts
        What the report says.

    Returns
    -------
    dict
        pillars (label and measures), months (labels), month_notes, and sparks by name; empty ones where there
        is no scorecard.
    """
    card = facts.loop.scorecard
    if card is None:
        return {"pillars": [], "months": [], "month_notes": [], "sparks": defaultdict(str)}
    labels = dict.fromkeys(one.pillar for one in card.measures)
    months = sorted({month.group for one in card.measures for month in one.months})
    empty = [
        month.note for one in card.measures for month in one.months if month.value is None and month.note
    ]
    return {
        "pillars": [
            (pillar_label(pillar), [one for one in card.measures if one.pillar == pillar])
            for pillar in labels
        ],
        "months": months,
        "month_notes": list(dict.fromkeys(empty)),
        "sparks": defaultdict(str, _sparks(card, facts.currency)),
    }


def _sparks(card: ScorecardFacts, currency: str) -> dict[str, Markup]:
    """Draw each measure once for the table, and again for its tile: ids stand once on a page."""
    named = [(f"tile-{place}", one) for place, one in enumerate(card.tiles)]
    named += [(f"row-{one.name}", one) for one in card.measures]
    drawn = ((name, _spark(one, f"spark-{at}", currency)) for at, (name, one) in enumerate(named))
    return {name: Markup(svg) for name, svg in drawn if svg}


def _spark(one: MeasureFacts, name: str, currency: str) -> str:
    said = [quantity(month.value, one.unit, currency) for month in one.months]
    return sparkline(one.months, name=name, label=one.label, said=said)
