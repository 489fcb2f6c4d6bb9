"""What was assumed of each offer, beside what is believed now that rounds were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from habitue.decisions.assumptions import Assumptions, draw_assumptions
from habitue.decisions.offers import Offer
from habitue.vocabulary import one_or_many

__all__ = ["assumed_of"]

FloatArray = npt.NDArray[np.float64]

_WORDS = {"acceptance": "accept", "saves": "of those who accept stay because of it"}


def assumed_of(
    stated: Sequence[Offer], believed: Assumptions, told_of_trials: Mapping[str, Any], *, interval: float
) -> list[dict[str, Any]]:
    """Return each assumption as it was stated, and as it is believed after what was measured.

    Parameters
    ----------
    stated : sequence of Offer
        As `offers.toml` states them.
    believed : Assumptions
        Of the same offers, with what was measured of them.
    told_of_trials : Mapping[str, object]
        By offer, how many rounds measured it.
    interval : float
        Of all ranges, in (0, 1).

    Returns
    -------
    list of dict
        offer, what (acceptance, saves or uplift), stated, stated_lower, stated_upper, and learned,
        learned_lower, learned_upper, rounds, said: None, 0 and "" where nothing was measured. acceptance is
        of those who would leave, saves of those of them who accept; uplift is money.

    Notes
    -----
    Ranges are quantiles of the draws that the decision was made with. Effects that were learned per customer
    replace both, and are told under "uplift". What no trial said anything of counts as not measured.
    """
    if not stated:
        return []
    before = draw_assumptions(stated)
    rows: list[dict[str, Any]] = []
    for offer in stated:
        rounds = int(told_of_trials[offer.name]["rounds"]) if offer.name in told_of_trials else 0
        after = _drawn(believed, offer) if rounds else {}
        for what, draws in _drawn(before, offer).items():
            is_learned = rounds > 0 and _is_learned(offer, believed.offer(offer.name), what)
            now = _summary("learned", after[what] if is_learned else None, interval)
            row = {"offer": offer.name, "what": what, **_summary("stated", draws, interval), **now}
            told = {"rounds": rounds, "said": _said(row, rounds)} if is_learned else {"rounds": 0, "said": ""}
            rows.append(row | told)
    return rows


def _is_learned(stated: Offer, now: Offer, what: str) -> bool:
    """Return whether a trial says something of an assumption."""
    if what == "acceptance" and now.uplift is not None:
        return now.acceptance != stated.acceptance
    return now.measured.precision > 0.0 or now.acceptance != stated.acceptance


def _drawn(assumptions: Assumptions, offer: Offer) -> dict[str, tuple[float, FloatArray]]:
    """Return mean and draws of each assumption that an offer states."""
    draws, mean = assumptions.draws[offer.name], assumptions.expected[offer.name]
    found = {"acceptance": (float(mean.acceptance[0]), draws.acceptance)}
    if offer.saves is not None:
        accepted = draws.acceptance > 0.0
        saves = np.divide(draws.kept, draws.acceptance, out=np.zeros_like(draws.kept), where=accepted)
        found["saves"] = (float(saves.mean()), saves)
    if offer.uplift is not None:
        found["uplift"] = (float(mean.uplift[0]), draws.uplift)
    return found


def _summary(name: str, drawn: tuple[float, FloatArray] | None, interval: float) -> dict[str, float | None]:
    ends: Sequence[float | None] = (None, None, None)
    if drawn is not None:
        lower, upper = np.quantile(drawn[1], [0.5 - interval / 2.0, 0.5 + interval / 2.0])
        ends = (drawn[0], float(lower), float(upper))
    return dict(zip((name, f"{name}_lower", f"{name}_upper"), ends, strict=True))


def _said(row: Mapping[str, Any], rounds: int) -> str:
    """Say what was assumed, and what is believed after so many rounds."""
    after = f"after {one_or_many(rounds, 'round')}"
    names = ("stated", "learned", "learned_lower", "learned_upper")
    if row["what"] == "uplift":
        stated, learned, lower, upper = (f"{row[name]:,.2f}" for name in names)
        return f"{row['offer']}: assumed to add {stated} of margin, {after} {learned} ({lower} to {upper})."
    stated, learned, lower, upper = (f"{100.0 * row[name]:.3g}" for name in names)
    return (
        f"{row['offer']}: assumed {stated} % {_WORDS[row['what']]}, {after} {learned} % "
        f"({lower} to {upper} %)."
    )
