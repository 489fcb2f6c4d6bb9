"""What last month's actions achieved, as the page shows it: effects, compliers, guardrails.

Read from `readout.json` of `habitue measure readout`, and from what `habitue measure simulate --json` prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from habitue.report.plain_data import day_of, number, text
from habitue.report.words_of_measures import label_of, unit_of

__all__ = [
    "Checked",
    "Complier",
    "Effect",
    "Experiment",
    "Guarded",
    "ProofFacts",
    "read_checks",
    "read_proof",
]

MOST_EXPERIMENTS = 12
MOST_ROWS = 60


@dataclass(frozen=True)
class Effect:
    """What an arm changed, of those who were offered it, whatever they did with it.

    Attributes
    ----------
    metric, label, unit, arm : str
    n, n_control : int
    control_mean, effect : float or None
    se : float or None
        Standard error of the effect.
    lower, upper : float or None
        Of the one look that was planned.
    any_lower, any_upper : float or None
        That hold however often one looks.
    p_value : float or None
        Corrected for the several metrics and arms.
    is_effect : bool
        Whether the interval that allows peeking leaves out 0.
    """

    metric: str
    label: str
    unit: str
    arm: str
    n: int
    n_control: int
    control_mean: float | None
    effect: float | None
    se: float | None
    lower: float | None
    upper: float | None
    any_lower: float | None
    any_upper: float | None
    p_value: float | None
    is_effect: bool


@dataclass(frozen=True)
class Complier:
    """What an arm did for those who took it up because it was offered."""

    label: str
    unit: str
    arm: str
    n_offered: int
    n_complied: int
    uptake: float | None
    effect: float | None
    lower: float | None
    upper: float | None
    is_bounded: bool


@dataclass(frozen=True)
class Guarded:
    """Whether a metric that must not get worse did."""

    label: str
    unit: str
    arm: str
    margin: float | None
    effect: float | None
    bound: float | None
    verdict: str


@dataclass(frozen=True)
class Experiment:
    """One experiment, read out."""

    name: str
    start: date | None
    end: date | None
    horizon: int
    n: int
    n_immature: int
    confidence: float
    is_sound: bool
    effects: tuple[Effect, ...]
    compliers: tuple[Complier, ...]
    guardrails: tuple[Guarded, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ProofFacts:
    """What was measured; the newest experiment first."""

    experiments: tuple[Experiment, ...]
    n_left_out: int


@dataclass(frozen=True)
class Checked:
    """How often something was found where nothing was done."""

    label: str
    n_splits: int
    level: float
    error: float
    error_lower: float
    error_upper: float
    peeking_error: float
    sequential_error: float
    is_honest: bool


def read_proof(told: Mapping[str, Any]) -> ProofFacts:
    """Read readouts.

    Parameters
    ----------
    told : mapping
        What `readout.json` holds.

    Returns
    -------
    ProofFacts
    """
    every = [_experiment(one) for one in told["experiments"]]
    newest = sorted(every, key=lambda one: (one.end or date.min, one.name), reverse=True)
    return ProofFacts(tuple(newest[:MOST_EXPERIMENTS]), max(len(newest) - MOST_EXPERIMENTS, 0))


def read_checks(told: Mapping[str, Any]) -> tuple[Checked, ...]:
    """Read experiments in which nothing was done.

    Parameters
    ----------
    told : mapping
        What `habitue measure simulate --json` printed.

    Returns
    -------
    tuple of Checked
    """
    names = ("level", "error", "error_lower", "error_upper", "peeking_error", "sequential_error")
    return tuple(
        Checked(
            label=label_of(text(one["metric"])),
            n_splits=int(one["n_splits"]),
            is_honest=bool(one["is_honest"]),
            **{name: float(one[name]) for name in names},
        )
        for one in told["checks"][:MOST_ROWS]
    )


def _experiment(told: Mapping[str, Any]) -> Experiment:
    measured: Sequence[Mapping[str, Any]] = told["measured"]
    starts = sorted(text(one["start"]) for one in measured)
    ends = sorted(text(one["end"]) for one in measured)
    guarded = {(one["metric"], one["arm"]) for one in told["guardrails"]}
    units = {
        text(one["metric"]): unit_of(one["metric"], is_share=bool(one["is_share"])) for one in told["effects"]
    }
    shown = [one for one in told["effects"] if (one["metric"], one["arm"]) not in guarded]
    return Experiment(
        name=text(told["experiment"]),
        start=day_of(starts[0]) if starts else None,
        end=day_of(ends[-1]) if ends else None,
        horizon=int(told["horizon"]),
        n=int(told["n"]),
        n_immature=int(told["n_immature"]),
        confidence=float(told["confidence"]),
        is_sound=bool(told["is_sound"]),
        effects=tuple(_effect(one, units) for one in shown[:MOST_ROWS]),
        compliers=tuple(_complier(one, units) for one in told["compliers"][:MOST_ROWS]),
        guardrails=tuple(_guarded(one, units) for one in told["guardrails"][:MOST_ROWS]),
        notes=tuple(map(str, told["notes"])),
    )


def _effect(row: Mapping[str, Any], units: Mapping[str, str]) -> Effect:
    low, high = number(row["sequential_lower"]), number(row["sequential_upper"])
    return Effect(
        metric=text(row["metric"]),
        label=label_of(text(row["metric"])),
        unit=units[text(row["metric"])],
        arm=text(row["arm"]),
        n=int(row["n"]),
        n_control=int(row["n_control"]),
        control_mean=number(row["control_mean"]),
        effect=number(row["effect"]),
        se=number(row.get("se")),
        lower=number(row["lower"]),
        upper=number(row["upper"]),
        any_lower=low,
        any_upper=high,
        p_value=number(row["p_holm"]),
        is_effect=low is not None and high is not None and (low > 0.0 or high < 0.0),
    )


def _complier(row: Mapping[str, Any], units: Mapping[str, str]) -> Complier:
    bounded = bool(row["is_bounded"])
    return Complier(
        label=label_of(text(row["metric"])),
        unit=units[text(row["metric"])],
        arm=text(row["arm"]),
        n_offered=int(row["n_offered"]),
        n_complied=int(row["n_complied"]),
        uptake=number(row["uptake"]),
        effect=number(row["effect"]),
        lower=number(row["lower"]) if bounded else None,
        upper=number(row["upper"]) if bounded else None,
        is_bounded=bounded,
    )


def _guarded(row: Mapping[str, Any], units: Mapping[str, str]) -> Guarded:
    metric = text(row["metric"])
    return Guarded(
        label=label_of(metric),
        unit=units.get(metric, "number"),
        arm=text(row["arm"]),
        margin=number(row["margin"]),
        effect=number(row["effect"]),
        bound=number(row["bound"]),
        verdict=text(row["verdict"]),
    )
