"""What trials say of offers before a decision: effects measured, and uplift learned per customer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student
from sklearn.base import clone

from habitue.decisions.offers import Offer
from habitue.errors import AssumptionWarning, DataError, FitError, SettingsError
from habitue.experiments import RoundsTogether
from habitue.experiments.assignment import CONTROL
from habitue.models.uplift.model import UpliftModel
from habitue.pipelines.deciding.choosing import FittedLearner, fit_chosen
from habitue.pipelines.deciding.inputs import Scores
from habitue.pipelines.measuring.rounds import read_measured, rounds_together
from habitue.pipelines.offers import DecideSettings
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot
from habitue.snapshots.trials import Trials, take_trials

__all__ = ["Uplift", "learn_effects", "learned_offers", "spread_by_worth", "uplift_of"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_FEWEST = 200
"""Customers of an arm, and of its control, from which on effects are learned per customer."""
_CONFIDENCE = 0.9
_OF_THOSE_ALIKE = (
    "Intervals of learned effects are of the mean effect of customers who are predicted alike; what an offer "
    "does to one of them may lie further away."
)


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
    offers: Sequence[Offer],
    measured: Path | None,
    *,
    horizon: int,
    margin: float | None = None,
    reached: float = 1.0,
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
    margin : float, optional
        Share of spend that is margin: where no effect on margin was measured, that on spend is multiplied by
        it. Effects on spend are left out where None.
    reached : float
        Share of those who will be lost that is not gone yet, in [0, 1], taken to be that of the trials, too:
        whom an offer kept, it kept of those.

    Returns
    -------
    offers : tuple of Offer
        In their order.
    told : dict
        By offer, the metric, its effect and standard error, and the number of rounds.

    Warns
    -----
    AssumptionWarning
        Where something was measured of the offers, but within other horizons only; and where effects are on
        file under names that no offer has, such as those of an arm that made several offers, while of some
        offer there is none.

    Notes
    -----
    An offer that says whom it saves learns from `retained`, one that says what it adds from `margin`. Where
    those who leave and those who stay are taken to accept alike, how many took it up is learned as well.
    """
    if measured is None:
        return tuple(offers), {}
    _warn_of_other_horizons(offers, measured, horizon)
    _warn_of_other_names(offers, measured)
    found = {
        metric: rounds_together(measured, metric=metric, horizon=horizon)
        for metric in ("retained", "margin", "spend")
    }
    told: dict[str, Any] = {}
    learned: list[Offer] = []
    for offer in offers:
        one, share = _measured_of(offer, found, margin)
        p_leave = None if offer.saves is None or one is None else reached * (1.0 - one.control_mean)
        if one is None or not one.se > 0.0 or (p_leave is not None and not p_leave > 0.0):
            learned.append(offer)
            continue
        updated = offer.updated(one.effect * share, one.se * share, p_leave=p_leave)
        if offer.staying is None and one.n_asked:
            updated = updated.updated_acceptance(one.n_accepted, one.n_asked)
        learned.append(updated)
        told[offer.name] = {
            "metric": one.metric,
            "effect": one.effect * share,
            "se": one.se * share,
            "rounds": one.n_rounds,
        }
    return tuple(learned), told


def _warn_of_other_horizons(offers: Sequence[Offer], measured: Path, horizon: int) -> None:
    names = {offer.name for offer in offers}
    horizons = sorted({one.horizon for one in read_measured(measured) if one.offer in names})
    if horizons and horizon not in horizons:
        warnings.warn(
            f"{measured} holds effects within {', '.join(map(str, horizons))} days, the scores look "
            f"{horizon} days ahead: nothing that was measured counts. Read out with --horizon {horizon}.",
            AssumptionWarning,
            stacklevel=4,
        )


def _warn_of_other_names(offers: Sequence[Offer], measured: Path) -> None:
    """Say where effects are on file that are of no offer here, while nothing was measured of some offer."""
    names, there = {offer.name for offer in offers}, {one.offer for one in read_measured(measured)}
    if names <= there or not (others := sorted(there - names)):
        return
    warnings.warn(
        f"{measured} holds effects of {', '.join(map(repr, others))}, which no offer here is called: they "
        f"count for none, and of {', '.join(map(repr, sorted(names - there)))} nothing was measured. An arm "
        "that made several offers is read as one, as what each of them did cannot be told. Give every offer "
        "an arm of its own next time.",
        AssumptionWarning,
        stacklevel=4,
    )


def _measured_of(
    offer: Offer, found: Mapping[str, Mapping[str, RoundsTogether]], margin: float | None
) -> tuple[RoundsTogether | None, float]:
    """Return what was measured of an offer, and what it has to be multiplied by."""
    if offer.saves is not None:
        return found["retained"].get(offer.name), 1.0
    if margin is None or offer.name in found["margin"]:
        return found["margin"].get(offer.name), 1.0
    return found["spend"].get(offer.name), margin


def uplift_of(
    log: CustomerLog,
    scores: Scores,
    offers: Sequence[Offer],
    settings: DecideSettings,
    worth: pd.Series,
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
    worth : Series of shape (n_customers,)
        Expected margin of those whose effects are asked for, indexed by customer; 0 or more.
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
    if not wanted or "contacts" not in log.kinds or "transactions" not in log.kinds:
        return Uplift(None, None, ())  # without purchases a trial tells who stayed, which is read out
    names = [offer.name for offer in offers]
    try:
        # Of all offers that were made, whether they are made today or not: a new one has no trial yet.
        trials = take_trials(log, horizon=scores.horizon, until=scores.cutoff)
    except (DataError, SettingsError) as error:
        return Uplift(None, None, (f"No effect was learned from contacts: {error}",))
    learnable = _learnable(trials, names)
    if not learnable:
        few = f"No offer has {_FEWEST} customers and as many controls in trials that have run their course."
        return Uplift(None, None, (few, *trials.notes))
    tell(f"learning the effect of {', '.join(learnable)}")
    try:
        return _learned(log, scores, trials, learnable, settings, worth, seed)
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
    worth: pd.Series,
    seed: int,
) -> Uplift:
    window = Window(scores.cutoff, scores.horizon)
    X = take_snapshot(log, window, list(trials.features)).X.reindex(worth.index)
    found = learn_effects(trials, X, names, margin=settings.margin, random_state=seed)
    return spread_by_worth(replace(found, told=(*trials.notes, *found.told)), worth)


def spread_by_worth(found: Uplift, worth: pd.Series) -> Uplift:
    """Spread effects that are told the same of everybody in proportion to expected margin.

    Parameters
    ----------
    found : Uplift
        What was learned.
    worth : Series of shape (n_customers,)
        Expected margin of each customer, 0 or more, indexed like the effects.

    Returns
    -------
    Uplift
        With the same mean effect, and standard errors in the same proportion; effects that differ stay.

    Notes
    -----
    Where nothing tells who gains more, an average says what an offer adds, not to whom, and a customer who
    will spend next to nothing cannot have as much added as one who will spend. The effect is taken for a
    share of what is expected, of no more than the upper tenth of the customers begin with: nobody carries
    the average alone.
    """
    if found.effects is None or found.errors is None or not len(worth):
        return found
    flat = [name for name in found.effects if np.ptp(found.effects[name].to_numpy()) == 0.0]
    most = np.minimum(worth.to_numpy(dtype=np.float64), np.quantile(worth, 0.9))
    if not flat or not most.mean() > 0.0:
        return found
    share = most / most.mean()
    told = (
        f"The average effect of {', '.join(map(str, flat))} is spread in proportion to expected margin: "
        "nothing told who gains more."
    )
    return Uplift(
        found.effects.assign(**{name: found.effects[name] * share for name in flat}),
        found.errors.assign(**{name: found.errors[name] * share for name in flat}),
        (*found.told, told),
    )


def learn_effects(
    trials: Trials,
    X: pd.DataFrame,
    offers: Sequence[str],
    *,
    model: UpliftModel | None = None,
    margin: float = 1.0,
    random_state: int = 0,
) -> Uplift:
    """Learn what offers add to margin from all campaigns that drew them, and tell it of some customers.

    Parameters
    ----------
    trials : Trials
        Of `habitue.snapshots.take_trials`.
    X : DataFrame of shape (n_customers, n_features)
        Whose effects are asked for, with the features of the trials.
    offers : sequence of str
        Arms of the trials.
    model : UpliftModel, optional
        Its settings are used, with at least two replicates; it stays as it is. Where None, the learner is
        chosen that ranks unseen customers best.
    margin : float, default 1
        Share of spend that is margin, where the trials do not tell margin.
    random_state : int
        Seed of what is chosen; a model has its own.

    Returns
    -------
    Uplift
        A column for each offer, indexed like X.

    Raises
    ------
    DataError
        Where the trials cannot be learned from.

    Notes
    -----
    Offers that were drawn in the same campaigns are learned about together. Where everybody in a campaign had
    the same chances, arms other than control and those offers are left out of it, and the chance of an arm is
    its share of the chances of the arms that stay: a campaign of one offer then says nothing of the others,
    which nobody in it could have had.
    """
    effects, errors, told = pd.DataFrame(index=X.index), pd.DataFrame(index=X.index), list[str]()
    for together in _in_the_same_campaigns(trials, offers):
        n, (fitted, how) = _fitted(trials, together, model, margin, random_state)
        predicted, bounds = fitted.predict(X), fitted.predict_interval(X, _CONFIDENCE)
        # Bounds are as many standard errors apart as Student's distribution says.
        wide = 2.0 * float(student.ppf(0.5 + _CONFIDENCE / 2.0, max(fitted.n_replicates - 1, 1)))
        for name in together:
            effects[name] = predicted[name]
            errors[name] = ((bounds.upper[name] - bounds.lower[name]) / wide).clip(lower=1e-9)
            told.append(
                f"The effect of {name} was learned from {n:,} contacts and controls of trials; it takes "
                "the place of what the offer is assumed to do."
            )
        told += [how] if how else []
    told.append(_OF_THOSE_ALIKE)
    return Uplift(effects.loc[:, list(offers)], errors.loc[:, list(offers)], tuple(told))


def _in_the_same_campaigns(trials: Trials, names: Sequence[str]) -> list[list[str]]:
    """Put offers together that were drawn in the same campaigns: outcomes are then learned once."""
    campaign, arm = trials.campaign.to_numpy(), trials.arm.to_numpy(dtype=object)
    groups: dict[frozenset[str], list[str]] = {}
    for name in names:
        groups.setdefault(frozenset(campaign[arm == name].tolist()), []).append(name)
    return list(groups.values())


def _fitted(
    trials: Trials, names: Sequence[str], model: UpliftModel | None, margin: float, random_state: int
) -> tuple[int, FittedLearner]:
    """Learn what some offers do, from the campaigns that they were drawn in; say from how many rows."""
    money = trials.y["margin"] if "margin" in trials.y else trials.y["spend"] * margin
    rows, chance = _comparable(trials, names)
    X, arm = trials.X.loc[rows].reset_index(drop=True), trials.arm.to_numpy(dtype=object)[rows].astype(str)
    y, groups = money.to_numpy(dtype=np.float64)[rows], trials.customer_id.to_numpy()[rows]
    if model is None:
        fitted = fit_chosen(X, y, arm, chance[rows], groups, random_state=random_state)
    else:
        own = cast("UpliftModel", clone(model)).fit(X, y, arm, chance[rows], groups=groups)
        fitted = FittedLearner(own, "")
    return len(y), fitted


def _comparable(trials: Trials, names: Sequence[str]) -> tuple[BoolArray, FloatArray]:
    """Return the rows to learn from, and the chance of each arm among those.

    Where customers of a campaign had different chances, all arms stay, with chances as they are.
    """
    campaign, arm = trials.campaign.to_numpy(dtype=object), trials.arm.to_numpy(dtype=object)
    chance = trials.propensity.to_numpy(dtype=np.float64)
    own = np.isin(campaign, list(set(campaign[np.isin(arm, list(names))].tolist())))
    kept, among = own & np.isin(arm, [CONTROL, *names]), np.ones(len(chance))
    for one in set(campaign[own].tolist()):
        inside = campaign == one
        chances = [chance[inside & (arm == name)] for name in set(arm[inside & kept].tolist())]
        if any(not np.allclose(some, some[0], rtol=1e-9, atol=0.0) for some in chances):
            return own, chance
        among[inside] = sum(float(some[0]) for some in chances)
    return kept, chance / among
