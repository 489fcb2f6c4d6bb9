"""What `habitue measure` found, as lines for a person and as plain data for a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.experiments import AACheck, Design
    from habitue.pipelines.measuring.measure import Read
    from habitue.terminal import Terminal

__all__ = ["HOW_TO_READ", "tell_checks", "tell_design", "tell_readout"]

HOW_TO_READ = (
    "One look: an interval for who reads once, on the day planned. Any look: for who reads before, too."
)
"""What the columns of intervals of a readout are for."""


def tell_design(terminal: Terminal, plan: Design) -> None:
    """Say what an experiment needs or can find.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    plan : Design
        Of `habitue.experiments.design`.
    """
    for sentence in plan.sentences:
        terminal.say(sentence)
    facts = asdict(plan) | {"n_by_arm": plan.n_by_arm, "relative_effect": plan.relative_effect}
    terminal.answer(facts | {"sentences": plan.sentences})


def tell_readout(terminal: Terminal, read: Read) -> None:
    """Say what an experiment says.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    read : Read
        Of `habitue.pipelines.measuring.measure.read_experiment`.
    """
    found = read.readout
    rows = [
        [
            f"{row['metric']}, {row['arm']}",
            _figure(row["control_mean"], row["is_share"]),
            _figure(row["effect"], row["is_share"], sign=True),
            _ends(row["lower"], row["upper"], row["is_share"]),
            _ends(row["sequential_lower"], row["sequential_upper"], row["is_share"]),
            _p(row["p_holm"]),
            f"{row['n']:,} / {row['n_control']:,}",
        ]
        for row in found.effects.to_dict("records")
    ]
    days = one_or_many(read.horizon, "day")
    title = f"{read.experiment}: {days} after assignment, {found.confidence:.0%} intervals"
    columns = ["metric, arm", "control", "effect", "one look", "any look", "p (Holm)", "customers"]
    terminal.table(title, columns, rows)
    shares = {row["metric"] for row in found.effects.to_dict("records") if row["is_share"]}
    for row in found.compliers.to_dict("records"):
        share = row["metric"] in shares
        ends = _ends(row["lower"], row["upper"], share) if row["is_bounded"] else "too few took it up to say"
        terminal.say(
            f"{row['metric']}, {row['arm']}: {row['uptake']:.1%} took it up; for those it changed "
            f"{_figure(row['effect'], share, sign=True)} ({ends})."
        )
    for row in found.guardrails.to_dict("records"):
        terminal.say(
            f"guardrail {row['metric']}, {row['arm']}: {row['verdict']} (effect {row['effect']:+.4g}, bound "
            f"{row['bound']:+.4g}, margin {row['margin']:.4g})"
        )
    for note in read.notes:
        terminal.say(f"  note: {note}")


def tell_checks(terminal: Terminal, checks: Sequence[AACheck], looks: int) -> None:
    """Say how often something was found where nothing was done.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    checks : sequence of AACheck
        One a metric.
    looks : int
        How often somebody peeked.
    """
    rows = [
        [
            one.metric,
            f"{one.error:.1%} ({one.error_lower:.1%} to {one.error_upper:.1%})",
            _p(one.p_uniform),
            f"{one.peeking_error:.1%}",
            f"{one.sequential_error:.1%}",
            f"{one.variance_kept:.0%}",
        ]
        for one in checks
    ]
    n, splits, level = (checks[0].n, checks[0].n_splits, checks[0].level) if checks else (0, 0, 0.05)
    title = f"{splits:,} splits of {n:,} customers to whom nothing was done; {level:.0%} is meant"
    columns = [
        "metric", "one look finds", "p of p-values", f"{looks} looks find", "safe intervals find",
        "variance kept",
    ]  # fmt: skip
    terminal.table(title, columns, rows)
    honest = [one.metric for one in checks if one.is_honest]
    if honest:
        terminal.say(f"As often as promised: {', '.join(honest)}.")
    for one in checks:
        if not one.is_honest:
            terminal.say(f"{one.metric} finds more than it may: take more customers.")
    terminal.say(
        "Intervals made for one look find too much when somebody looks often; safe ones hold at any look. "
        "Variance kept: what is left of it once what customers did before is taken into account."
    )
    terminal.answer({"checks": [one.to_dict() for one in checks]})


def _figure(value: Any, is_share: bool, *, sign: bool = False) -> str:
    if value != value:
        return "–"
    if is_share:
        return f"{100.0 * value:+.2f} pts" if sign else f"{value:.2%}"
    return _number(value, sign=sign)


def _ends(lower: float, upper: float, is_share: bool) -> str:
    if lower != lower:
        return "–"
    scale = 100.0 if is_share else 1.0
    return f"{_number(scale * lower, sign=True)} to {_number(scale * upper, sign=True)}"


def _number(value: float, *, sign: bool) -> str:
    """Write two decimals, and more where two would hide a small number."""
    plus = "+" if sign else ""
    return f"{value:{plus},.2f}" if abs(value) >= 0.1 or value == 0.0 else f"{value:{plus},.2g}"


def _p(value: float) -> str:
    if value != value:
        return "–"
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
