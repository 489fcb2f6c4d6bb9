"""What somebody would say on Monday: what changed, which targets are at risk, what is proposed, what it did.

At most four sentences, made of facts; what is not known is not said.
"""

from __future__ import annotations

from habitue.report.loop_facts import Loop
from habitue.report.plan_facts import PlanFacts
from habitue.report.proof_facts import ProofFacts
from habitue.report.round_facts import Together
from habitue.report.scorecard_facts import MeasureFacts, ScorecardFacts
from habitue.report.wording import count, listing, money, percent
from habitue.report.words_of_measures import cleaned, difference, month_in_words, quantity
from habitue.vocabulary import one_or_many

__all__ = ["in_short", "round_in_words"]

_MOST_NAMED = 3
_AT_RISK = ("at risk", "off track", "missed")


def in_short(loop: Loop, currency: str) -> list[str]:
    """Tell the loop in sentences.

    Parameters
    ----------
    loop : Loop
        As far as it was handed in.
    currency : str
        What money is counted in.

    Returns
    -------
    list of str
        None where nothing was handed in.

    Examples
    --------
    >>> in_short(Loop(), "€")
    []
    """
    said: list[str] = []
    if loop.scorecard is not None:
        said += _changes(loop.scorecard, currency)
        said += _targets(loop.scorecard)
    if loop.plan is not None:
        said.append(_plan(loop.plan, currency))
    if loop.proof is not None:
        said += _proof(loop, currency)
    return said


def _changes(card: ScorecardFacts, currency: str) -> list[str]:
    known = [one for one in card.measures if one.change is not None and one.change.is_change is not None]
    if not known:
        return []
    changed = card.changed
    after = month_in_words(known[0].change.after) if known[0].change else ""
    if not changed:
        n = one_or_many(len(known), "measure")
        return [f"In {after} none of {n} moved beyond chance against the month before."]
    named = [_moved(one, currency) for one in changed[:_MOST_NAMED]]
    rest = len(changed) - len(named)
    more = f", and {one_or_many(rest, 'measure')} more" if rest else ""
    return [f"In {after} against the month before: {'; '.join(named)}{more}."]


def _moved(one: MeasureFacts, currency: str) -> str:
    change = one.change
    if change is None:
        return one.label
    now = next((month.value for month in one.months if month.group == change.after), None)
    step = difference(change.difference, one.unit, currency)
    return f"{one.label} {step} to {quantity(now, one.unit, currency)}"


def _targets(card: ScorecardFacts) -> list[str]:
    if not card.targets:
        return []
    wrong = [one for one in card.targets if one.status in _AT_RISK]
    of = one_or_many(len(card.targets), "target")
    if not wrong:
        return [f"Of {of} none is at risk."]
    names = [f"{cleaned(' of '.join(filter(None, (one.label, one.whom))))} ({one.status})" for one in wrong]
    named = names[:_MOST_NAMED]
    if len(names) > len(named):
        named.append(f"{len(names) - len(named)} more")
    are = "is" if len(wrong) == 1 else "are"
    return [f"Of {of} {count(len(wrong))} {are} not on track: {listing(named)}."]


def _plan(plan: PlanFacts, currency: str) -> str:
    if not plan.n_planned:
        return "This week nothing is proposed: no offer is worth making within the limits."
    gain = money(plan.gain, currency)
    span = ""
    if plan.gain_lower is not None and plan.gain_upper is not None:
        ends = f"{money(plan.gain_lower, currency)} to {money(plan.gain_upper, currency)}"
        span = f" ({percent(plan.interval)} interval {ends})"
    who = one_or_many(plan.n_treated, "customer")
    alone = "nobody is left alone to learn from"
    if plan.n_held_out:
        alone = (
            f"{count(plan.n_held_out)} more ({percent(plan.n_held_out / plan.n_planned)} of those planned)"
        )
        alone += " are left alone by lot, to learn from"
    return (
        f"Proposed this week: contact {who} for {money(plan.cost, currency)}, expected to gain {gain} of "
        f"margin net of it{span}; {alone}."
    )


def _proof(loop: Loop, currency: str) -> list[str]:
    if loop.proof is None or not loop.proof.experiments:
        return []
    said = round_in_words(loop.together, currency)
    return [said] if said else _without_a_sum(loop.proof, currency)


def round_in_words(found: Together | None, currency: str) -> str:
    """Say what the offers of a round brought together, and which did best and worst.

    Parameters
    ----------
    found : Together or None
        The round.
    currency : str
        What money is counted in.

    Returns
    -------
    str
        Nothing where nothing could be added up.
    """
    if found is None:
        return ""
    told = _brought(found, currency) + _ranked(found, currency) + _unsound(found)
    return f"What the round {cleaned(found.name)} did: {told}"


def _brought(found: Together, currency: str) -> str:
    """Say what the offers of a round brought together, and what was promised of them."""
    unit = "count" if found.unit == "share" else found.unit
    ends = f"{quantity(found.lower, unit, currency)} to {quantity(found.upper, unit, currency)}"
    what = "customers who stayed" if found.unit == "share" else found.label.lower()
    more = "+" if found.total > 0.0 else ""
    chance = "" if found.is_effect else ", which may be chance"
    said = (
        f"{more}{quantity(found.total, unit, currency)} of {what} from "
        f"{one_or_many(found.n, 'customer')} contacted ({percent(found.confidence)} interval {ends}){chance}"
    )
    if found.promised is None or found.margin is None:
        return f"{said}."
    promised = f"{money(found.promised, currency)} of margin before costs"
    if found.label == "Margin":
        return f"{said}; promised were {promised}."
    return (
        f"{said}. That is {money(found.margin, currency)} of margin before costs; promised were {promised}."
    )


def _ranked(found: Together, currency: str) -> str:
    """Name the best and the worst offer of a round."""
    if len(found.arms) < 2:
        return ""
    best, worst = (
        f"{cleaned(one.arm)} ({difference(one.effect, one.unit, currency)} per customer"
        f"{'' if one.is_effect else ', not beyond chance'})"
        for one in (found.arms[0], found.arms[-1])
    )
    return f" Best was {best}, worst {worst}."


def _unsound(found: Together) -> str:
    if not found.unsound:
        return ""
    return f" Left out, as the arms are not as large as was meant: {cleaned(listing(list(found.unsound)))}."


def _without_a_sum(proof: ProofFacts, currency: str) -> list[str]:
    """Tell the newest experiment where nothing can be added up."""
    last = proof.experiments[0]
    name = f"Last measured, {cleaned(last.name)}"
    if not last.is_sound:
        return [f"{name}: the arms are not as large as was meant, and no effect of it is to be believed."]
    found = [one for one in last.effects if one.is_effect]
    if not found:
        return [f"{name}: no effect beyond chance so far ({one_or_many(last.n, 'customer')})."]
    named = [
        f"{one.label} {difference(one.effect, one.unit, currency)} per customer ({cleaned(one.arm)})"
        for one in found[:_MOST_NAMED]
    ]
    return [f"{name}: {listing(named)}."]
