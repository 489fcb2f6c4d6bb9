"""What trials say of offers before a decision: effects measured, and uplift learned per customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from habitue.decisions.offers import Offer
from habitue.errors import DataError, FitError, SettingsError
from habitue.experiments.assignment import CONTROL
from habitue.models.uplift import UpliftModel
from habitue.pipelines.decide_inputs import Scores
from habitue.pipelines.measure_rounds import rounds_together
from habitue.pipelines.offers import DecideSettings
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot
from habitue.snapshots.trials import Trials, take_trials

__all__ = ["Uplift", "learned_offers", "uplift_of"]

_FEWEST = 200
"""Customers of an arm, and of its control, from which on effects are learned per customer."""
_CONFIDENCE = 0.9


@dataclass(frozen=True)
class Uplift:
    """Effects learned per customer.

    Attributes
    ----------
    effects, errors : DataFrame or None
        Margin that a contact adds, and its standard error: a column for each offer that was learned about.
    told : tuple of str
        What was learned from what, or why nothing was.
    """

    effects: pd.DataFrame | None
    errors: pd.DataFrame | None
    told: tuple[str, ...]


def learned_offers(
    offers: Sequence[Offer], measured: Path | None, *, horizon: int
) -> tuple[tuple[Offer, ...], dict[str, Any]]:
    """Add to offers what earlier rounds measured of them.

    Parameters
    ----------
    offers : sequence of Offer
        As they are assumed.
    measured : Path, optional
        `measured.json`; nothing is added where None or where there is no such file.
    horizon : int
        Days; effects within other horizons are left out.

    Returns
    -------
    offers : tuple of Offer
        In their order.
    told : dict
        By offer, the effect, its standard error and the number of rounds.
    """
    if measured is None:
        return tuple(offers), {}
    found = {
        metric: rounds_together(measured, metric=metric, horizon=horizon) for metric in ("retained", "margin")
    }
    told: dict[str, Any] = {}
    learned: list[Offer] = []
    for offer in offers:
        metric = "retained" if offer.saves is not None else "margin"
        one = found[metric].get(offer.name)
        if one is None or not one.se > 0.0:
            learned.append(offer)
            continue
        p_leave = 1.0 - one.control_mean
        if metric == "retained" and not p_leave > 0.0:
            learned.append(offer)
            continue
        updated = offer.updated(one.effect, one.se, p_leave=p_leave if metric == "retained" else None)
        learned.append(updated)
        told[offer.name] = {"metric": metric, "effect": one.effect, "se": one.se, "rounds": one.n_rounds}
    return tuple(learned), told


def uplift_of(
    log: CustomerLog,
    scores: Scores,
    offers: Sequence[Offer],
    settings: DecideSettings,
    customers: pd.Index,
    *,
    seed: int,
    tell: Callable[[str], None],
    wanted: bool = True,
) -> Uplift:
    """Learn from randomised contacts on record what each offer changes for each customer.

    Parameters
    ----------
    log : CustomerLog
        The records.
    scores : Scores
        Cutoff and horizon.
    offers : sequence of Offer
        Those of which something is to be known.
    settings : DecideSettings
        The share of spend that is margin, where transactions do not tell their margin.
    customers : Index
        Whose effects are asked for.
    seed : int
        Of the learner.
    tell : callable
        Called with one line before what takes long.
    wanted : bool
        Whether to learn at all.

    Returns
    -------
    Uplift
        Nothing where no trial of the offers has run its course; the offers' assumptions count then.
    """
    if not wanted or "contacts" not in log.kinds:
        return Uplift(None, None, ())
    names = [offer.name for offer in offers]
    try:
        trials = take_trials(log, horizon=scores.horizon, offers=names, until=scores.cutoff)
    except (DataError, SettingsError) as error:
        return Uplift(None, None, (f"No effect was learned from contacts: {error}",))
    learnable = _learnable(trials, names)
    if not learnable:
        few = f"No offer has {_FEWEST} customers and as many controls in trials that have run their course."
        return Uplift(None, None, (few, *trials.notes))
    tell(f"learning the effect of {', '.join(learnable)}")
    try:
        return _learned(log, scores, trials, learnable, settings, customers, seed)
    except (DataError, FitError, SettingsError) as error:
        return Uplift(None, None, (f"No effect was learned from contacts: {error}",))


def _learnable(trials: Trials, names: Sequence[str]) -> list[str]:
    """Return the offers with enough customers in their arm and beside it."""
    campaign, arm = trials.campaign.to_numpy(), trials.arm.to_numpy(dtype=object)
    enough: list[str] = []
    for name in names:
        own = np.isin(campaign, np.unique(campaign[arm == name].astype(str)))
        if (arm == name).sum() >= _FEWEST and (own & (arm == CONTROL)).sum() >= _FEWEST:
            enough.append(name)
    return enough


def _learned(
    log: CustomerLog,
    scores: Scores,
    trials: Trials,
    names: Sequence[str],
    settings: DecideSettings,
    customers: pd.Index,
    seed: int,
) -> Uplift:
    """Fit one model for each set of campaigns, of all arms of these."""
    money = trials.y["margin"] if "margin" in trials.y else trials.y["spend"] * settings.margin
    window = Window(scores.cutoff, scores.horizon)
    X = take_snapshot(log, window, list(trials.features)).X.reindex(customers)
    campaign, arm = trials.campaign.to_numpy(), trials.arm.to_numpy(dtype=object)
    effects, errors, told = pd.DataFrame(index=customers), pd.DataFrame(index=customers), list(trials.notes)
    half = 2.0 * float(ndtri(0.5 + _CONFIDENCE / 2.0))
    fitted: dict[bytes, UpliftModel] = {}
    for name in names:
        # All arms of its campaigns: propensities are chances among all of them.
        own = np.isin(campaign, np.unique(campaign[arm == name].astype(str)))
        arms, counts = np.unique(arm[own].astype(str), return_counts=True)
        own &= np.isin(arm, [one for one, n in zip(arms, counts, strict=True) if n >= _FEWEST])
        model = fitted.get(own.tobytes())
        if model is None:
            model = UpliftModel(learner="DR", random_state=seed).fit(
                trials.X[own].reset_index(drop=True),
                money.to_numpy(dtype=np.float64)[own],
                arm[own].astype(str),
                trials.propensity.to_numpy(dtype=np.float64)[own],
                groups=trials.customer_id.to_numpy()[own],
            )
            fitted[own.tobytes()] = model
        effects[name] = model.predict(X)[name]
        bounds = model.predict_interval(X, _CONFIDENCE)
        errors[name] = ((bounds.upper[name] - bounds.lower[name]) / half).clip(lower=1e-9)
        told.append(
            f"The effect of {name} was learned from {int(own.sum()):,} customers of trials; it takes the "
            "place of what the offer is assumed to do."
        )
    return Uplift(effects, errors, tuple(told))
