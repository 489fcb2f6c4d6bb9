"""What `decision.json` says: what was decided, on what grounds, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from habitue import __version__
from habitue.decisions.measured_effects import Measured
from habitue.decisions.policies import compare_policies
from habitue.decisions.profit_curves import best_shares
from habitue.decisions.proposals import propose_experiments
from habitue.decisions.sensitivity import tornado
from habitue.experiments.assignment import CONTROL
from habitue.pipelines.deciding.parts import Parts

__all__ = ["facts_of", "plain"]


def facts_of(
    parts: Parts, assigned: pd.DataFrame, measured: dict[str, Measured], told_of_trials: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together what there is to say of a decision.

    Parameters
    ----------
    parts : Parts
        What was worked out on the way.
    assigned : DataFrame
        Of `habitue.decisions.actions.assignments`.
    measured : dict of str to Measured
        Effects that were learned per customer.
    told_of_trials : Mapping[str, object]
        Effects that earlier rounds measured.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    plan, gains, asked = parts.plan, parts.gains, parts.asked
    eligible = gains.expected.notna()
    facts: dict[str, Any] = {
        "habitue": __version__,
        "round": asdict(asked),
        "cutoff": parts.scores.cutoff,
        "horizon": parts.scores.horizon,
        "settings": parts.settings.model_dump(mode="json"),
        "offers": [asdict(offer) for offer in parts.offers],
        "customers": _customers(parts, assigned, eligible),
        "expected_gain": plan.objective,
        "bound": plan.bound,
        "gap": plan.gap,
        "status": plan.status,
        "spent": float(gains.cost.to_numpy()[plan.taken].sum()),
        "limits": plan.limits.reset_index().to_dict("records"),
        "n_tied": plan.n_tied,
        "sentences": [*plan.sentences, *_notes(parts)],
        "by_offer": _by_offer(parts, assigned),
        "policies": compare_policies(
            parts.stakes, parts.assumptions, gains, plan.chosen, measured=measured, interval=gains.interval
        ).to_dict("records"),
        "sensitivity": tornado(parts.stakes, parts.assumptions, plan.chosen, measured=measured).to_dict(
            "records"
        ),
        "best_shares": [
            asdict(one) for one in best_shares(parts.stakes, parts.assumptions, eligible=eligible)
        ],
        "experiments": [
            asdict(one)
            for one in propose_experiments(
                parts.stakes, parts.assumptions, horizon=parts.scores.horizon, eligible=eligible
            )
        ],
        "uplift": list(parts.uplift.told),
        "measured": dict(told_of_trials),
    }
    return plain(facts)


def _customers(parts: Parts, assigned: pd.DataFrame, eligible: pd.DataFrame) -> dict[str, int]:
    control = (assigned["arm"] == CONTROL).to_numpy(dtype=np.bool_)
    return {
        "scored": len(parts.stakes),
        "never_contacted": len(parts.known.never),
        "eligible": int(eligible.any(axis=1).sum()),
        "planned": parts.plan.n_treated,
        "treated": len(set(assigned["customer_id"].to_numpy()[~control])),
        "held_out": len(set(assigned["customer_id"].to_numpy()[control])),
    }


def _notes(parts: Parts) -> list[str]:
    said: list[str] = []
    if parts.stakes.n_capped:
        said.append(
            f"The value of {parts.stakes.n_capped:,} customers was cut to what customers likely to stay "
            "bring at most."
        )
    held = parts.settings.holdout if parts.asked.holdout is None else parts.asked.holdout
    if not held:
        said.append("Nobody is held out: what this round does cannot be measured.")
    return said


def _by_offer(parts: Parts, assigned: pd.DataFrame) -> list[dict[str, Any]]:
    plan, gains = parts.plan, parts.gains
    planned = plan.taken.sum(axis=0)
    return [
        {
            "offer": name,
            "eligible": int(gains.expected[name].notna().to_numpy().sum()),
            "planned": int(planned[place]),
            "treated": int((assigned["arm"] == name).to_numpy().sum()),
            "expected_gain": float(gains.expected.to_numpy()[:, place][plan.taken[:, place]].sum()),
            "cost": float(gains.cost.to_numpy()[:, place][plan.taken[:, place]].sum()),
        }
        for place, name in enumerate(plan.offers)
    ]


def plain(value: Any) -> Any:
    """Return plain data: days as text, numbers of NumPy as numbers, what is no number as None.

    Parameters
    ----------
    value : object
        Dictionaries and lists of anything.

    Examples
    --------
    >>> plain({"a": [np.float64(1.5), float("nan")]})
    {'a': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)
