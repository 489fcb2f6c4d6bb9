"""What a page could tell and does not, with the command that makes it: said once, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from habitue.report.loop_facts import Loop

__all__ = ["Missing", "missing"]


@dataclass(frozen=True)
class Missing:
    """What one command would add to the page."""

    command: str
    what: str


def missing(loop: Loop, *, has_value: bool) -> tuple[Missing, ...]:
    """Return what is not on the page, in the order in which it is made.

    Parameters
    ----------
    loop : Loop
        As far as it was handed in.
    has_value : bool
        Whether the scores hold expected spend.

    Returns
    -------
    tuple of Missing

    Examples
    --------
    >>> [one.command for one in missing(Loop(), has_value=True)][:2]
    ['habitue scorecard', 'habitue decide offers.toml']
    """
    of_card = (
        "NPS, retention, churn and more, against targets; how cohorts come and leave; what goes with "
        "staying; what customers write about; who answers surveys"
    )
    every = (
        ("habitue train models/clv.toml", "what customers are expected to spend", not has_value),
        ("habitue scorecard", of_card, loop.scorecard is None),
        ("habitue decide offers.toml", "who gets which offer within the budget", loop.plan is None),
        ("habitue measure readout", "what the offers did", loop.proof is None),
        (
            "habitue measure simulate",
            "how often something is found where nothing was done",
            not loop.checks,
        ),
    )
    return tuple(Missing(command, what) for command, what, is_missing in every if is_missing)
