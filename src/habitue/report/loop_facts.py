"""The loop as the page tells it: where loyalty stands, what goes with it, what to do, and what that did.

Each part is there only where its file was handed in. A file of another day than the scores is shown with a
warning that names both days: numbers of two days are never told as if they were of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from habitue.report.audit_facts import AuditFacts, read_audit
from habitue.report.drivers_facts import (
    DriversFacts,
    OnStaying,
    Theme,
    ThemesFacts,
    read_drivers,
    read_effects,
    read_themes,
    read_topics,
)
from habitue.report.plain_data import day_of, read_or_refuse
from habitue.report.plan_facts import PlanFacts, read_plan
from habitue.report.proof_facts import Checked, ProofFacts, read_checks, read_proof
from habitue.report.round_facts import Together, together
from habitue.report.scorecard_facts import ScorecardFacts, read_scorecard
from habitue.report.wording import day

__all__ = ["Loop", "read_loop"]


@dataclass(frozen=True)
class Loop:
    """The parts of the loop; None where there is no file.

    Attributes
    ----------
    scorecard : ScorecardFacts or None
    audit : AuditFacts or None
    drivers : DriversFacts or None
    themes : ThemesFacts or None
    topics : tuple of Theme
        What tickets are about.
    on_staying : tuple of OnStaying
        What randomised contacts changed in who stays.
    movers_notes : tuple of str
        What could not be told of all this, and why.
    plan : PlanFacts or None
    proof : ProofFacts or None
    together : Together or None
        What the newest round that was read out brought as a whole.
    checks : tuple of Checked
        Experiments in which nothing was done.
    """

    scorecard: ScorecardFacts | None = None
    audit: AuditFacts | None = None
    drivers: DriversFacts | None = None
    themes: ThemesFacts | None = None
    topics: tuple[Theme, ...] = ()
    on_staying: tuple[OnStaying, ...] = ()
    movers_notes: tuple[str, ...] = ()
    plan: PlanFacts | None = None
    proof: ProofFacts | None = None
    together: Together | None = None
    checks: tuple[Checked, ...] = ()


def read_loop(
    *,
    cutoff: date,
    scorecard: Mapping[str, Any] | None = None,
    decision: Mapping[str, Any] | None = None,
    actions: Sequence[Mapping[str, Any]] = (),
    n_actions: int = 0,
    readout: Mapping[str, Any] | None = None,
    rounds: Sequence[Mapping[str, Any]] = (),
    checks: Mapping[str, Any] | None = None,
    scores_sha256: str | None = None,
) -> Loop:
    """Read what the commands of the loop wrote.

    Parameters
    ----------
    cutoff : datetime.date
        Of the scores on the page.
    scorecard, decision, readout : mapping or None
        Contents of `scorecard.json`, `decision.json` and `readout.json`.
    actions : sequence of mapping
        The first lines of the action list.
    n_actions : int
        Lines that it has in all.
    rounds : sequence of mapping
        Each `decision.json` there is: what a round brought is held against what it promised.
    checks : mapping or None
        What `habitue measure simulate --json` printed.
    scores_sha256 : str or None
        Of the scores on the page, where it is known.

    Returns
    -------
    Loop

    Raises
    ------
    DataError
        Where a file is of another version; says which command makes it again.
    """
    card: Any = scorecard or {}
    read_card = partial(read_scorecard, warning=_card_warning(card, cutoff))
    read_decision = partial(
        read_plan,
        actions=actions,
        n_actions=n_actions,
        warning=_plan_warning(decision, cutoff, scores_sha256),
    )
    # Under "movers", or beside the measures.
    movers: Any = card["movers"] if isinstance(card.get("movers"), Mapping) else card
    of_card, of_plan = ("scorecard", "habitue scorecard"), ("decision", "habitue decide")
    proof: ProofFacts | None = _read(read_proof, readout, ("readout", "habitue measure readout"))
    return Loop(
        scorecard=_read(read_card, scorecard, of_card),
        audit=_read(read_audit, _part(card, "audit"), of_card),
        drivers=_read(read_drivers, _part(movers, "drivers"), of_card),
        themes=_read(read_themes, _part(movers, "themes"), of_card),
        topics=_read(read_topics, _part(movers, "topics"), of_card) or (),
        on_staying=_read(read_effects, _part(movers, "effects"), of_card) or (),
        movers_notes=tuple(map(str, movers.get("notes", ()))) if movers is not card else (),
        plan=_read(read_decision, decision, of_plan),
        proof=proof,
        together=None if proof is None else together(proof.experiments, rounds),
        checks=_read(read_checks, checks, ("simulation", "habitue measure simulate --json")) or (),
    )


def _read(read: Any, told: Mapping[str, Any] | None, of: tuple[str, str]) -> Any:
    return read_or_refuse(read, told, what=of[0], command=of[1])


def _part(card: Any, name: str) -> Mapping[str, Any] | None:
    """Return a part of the scorecard that holds something."""
    part = card.get(name) if isinstance(card, Mapping) else None
    if not isinstance(part, Mapping):
        return None
    return part if "rows" in part or name == "audit" else None


def _card_warning(card: Any, cutoff: date) -> str:
    end = _day_in(card, "end")
    if end is None or end == cutoff:
        return ""
    return (
        f"The scorecard ends on {day(end)}, the scores are as of {day(cutoff)}: the two do not belong to one "
        f"day. For a scorecard of that day: habitue scorecard --end {cutoff}"
    )


def _plan_warning(decision: Any, cutoff: date, sha256: str | None) -> str:
    decided = _day_in(decision, "cutoff")
    if decided is not None and decided != cutoff:
        return (
            f"This was decided on scores as of {day(decided)}, the page shows those of {day(cutoff)}: decide "
            "again before anybody is contacted. habitue decide"
        )
    try:
        of = decision["inputs"]["scores"]["sha256"]
    except (KeyError, TypeError):
        return ""
    if not of or not sha256 or of == sha256:
        return ""
    return (
        f"This was decided on other scores of {day(cutoff)} than the page shows: decide again before anybody "
        "is contacted. habitue decide"
    )


def _day_in(told: Any, name: str) -> date | None:
    try:
        return day_of(told[name])
    except (KeyError, TypeError, ValueError):
        return None
