"""What `decision.json` says: what was decided, on what grounds, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue import __version__
from habitue.decisions.measured_effects import Measured
from habitue.decisions.plans import plan_profits, profit_of
from habitue.decisions.policies import compare_policies
from habitue.decisions.profit_curves import best_shares
from habitue.decisions.proposals import propose_experiments
from habitue.decisions.sensitivity import tornado
from habitue.experiments.assignment import CONTROL
from habitue.pipelines.deciding.assumed import assumed_of
from habitue.pipelines.deciding.curves import curves_of
from habitue.pipelines.deciding.parts import Parts
from habitue.vocabulary import one_or_many

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
        "value_days": parts.scores.value_days or parts.scores.horizon,
        "settings": parts.settings.model_dump(mode="json"),
        "offers": [asdict(offer) for offer in parts.offers],
        "customers": _customers(parts, assigned, eligible),
        "contacted": _contacted(parts, assigned, measured),
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
            parts.stakes, parts.assumptions, gains, plan.taken, measured=measured, interval=gains.interval
        ).to_dict("records"),
        "sensitivity": tornado(parts.stakes, parts.assumptions, plan.taken, measured=measured).to_dict(
            "records"
        ),
        "best_shares": [
            asdict(one) for one in best_shares(parts.stakes, parts.assumptions, eligible=eligible)
        ],
        "curves": curves_of(parts.stakes, parts.assumptions, gains, measured=measured),
        "experiments": [
            asdict(one)
            for one in propose_experiments(
                parts.stakes, parts.assumptions, horizon=parts.scores.horizon, eligible=eligible
            )
        ],
        "uplift": list(parts.uplift.told),
        "learned": sorted(measured),
        "measured": dict(told_of_trials),
        "assumed": assumed_of(
            parts.stated, parts.assumptions, told_of_trials, interval=parts.settings.interval
        ),
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


def _contacted(parts: Parts, assigned: pd.DataFrame, measured: dict[str, Measured]) -> dict[str, Any]:
    """Return what those are expected to gain and cost who are contacted: the plan less who is left alone."""
    made = _made(parts, assigned)
    profits = plan_profits(parts.stakes, parts.assumptions, made, measured=measured)
    whole = profit_of(profits, interval=parts.gains.interval)
    gain, cost = parts.gains.expected.to_numpy(), parts.gains.cost.to_numpy()
    by_offer = [
        {"offer": name, "n": int(its.sum()), "gain": gain[its, place].sum(), "cost": cost[its, place].sum()}
        for place, (name, its) in enumerate(zip(parts.plan.offers, made.T, strict=True))
    ]
    return {
        "n": int(made.any(axis=1).sum()),
        "gain": gain[made].sum(),
        "cost": cost[made].sum(),
        "lower": whole.lower,
        "upper": whole.upper,
        "p_loss": whole.p_loss,
        "by_offer": by_offer,
    }


def _made(parts: Parts, assigned: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return who is made which offer, one row a customer, after some were left alone or given another."""
    contacts = assigned.loc[assigned["arm"] != CONTROL]
    made = np.zeros(parts.gains.expected.shape, np.bool_)
    rows = parts.gains.expected.index.get_indexer(pd.Index(contacts["customer_id"]))
    made[rows, pd.Index(parts.plan.offers).get_indexer(pd.Index(contacts["arm"]))] = True
    return made


def _notes(parts: Parts) -> list[str]:
    said: list[str] = []
    if parts.scores.value_days is not None:
        said.append(
            f"What a customer is worth is told by the price of their contracts, for as long as they "
            f"are likely to run of the next {one_or_many(parts.scores.value_days, 'day')} "
            "(value_days in [decide])."
        )
    if parts.stakes.n_capped:
        said.append(
            f"The value of {one_or_many(parts.stakes.n_capped, 'customer')} likely to leave was held "
            "to four times their clv, or to what the middle one of those likely to stay brings."
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
