"""What somebody would say on Monday: what changed, which targets are at risk, what is proposed, what it did.

At most four sentences, made of facts; what is not known is not said.
"""

from __future__ import annotations

from habitue.report.loop_facts import Loop
from habitue.report.plan_facts import PlanFacts
from habitue.report.proof_facts import ProofFacts
from habitue.report.scorecard_facts import MeasureFacts, ScorecardFacts
from habitue.report.wording import count, listing, money, percent
from habitue.report.words_of_measures import cleaned, difference, month_in_words, quantity
from habitue.vocabulary import one_or_many

__all__ = ["in_short"]

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
        said += _proof(loop.proof, currency)
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
    who = one_or_many(plan.n_planned, "customer")
    return (
        f"Proposed this week: offers to {who} for {money(plan.spent, currency)}, expected to gain {gain} of "
        f"margin net of it{span}; {count(plan.n_held_out)} of them are left alone to learn from."
    )


def _proof(proof: ProofFacts, currency: str) -> list[str]:
    if not proof.experiments:
        return []
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
