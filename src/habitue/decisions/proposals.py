"""The experiment that would settle whether an offer pays: which, with how many, how long, and what it costs.

An experiment is worth what it lets one do better afterwards, less what it costs to leave half of the
customers without the offer, or to make it to those with whom it loses. Both are worked out from the
assumptions as they stand, so that an offer that is surely good, or surely bad, has no experiment proposed.
How to run one is for `habitue.experiments`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.assumptions import Assumptions
from habitue.decisions.offers import Offer
from habitue.decisions.sensitivity import value_of_information
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import SettingsError
from habitue.experiments.baseline import Baseline
from habitue.experiments.design import design
from habitue.vocabulary import one_or_many

__all__ = ["Proposal", "propose_experiments"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_FEWEST: Final = 100  # customers: of fewer nothing can be said of a share
_SIZES: Final = 15  # sizes that are compared
_RECKONED: Final = 5_000  # customers that sums are made over; more are scaled up from an even part
_CONTROL: Final = 0.5  # equal arms tell most


@dataclass(frozen=True)
class Proposal:
    """An experiment with one offer, or why there is none.

    Attributes
    ----------
    offer : str
        Name.
    metric : str
        "retained" (share who stay) or "margin" (money of margin a customer) within the horizon.
    n : int
        Customers in both arms together; 0 where none is proposed.
    arms : dict of str to float
        Share of the customers in each.
    days : int
        From the first contact to the last outcome.
    cost : float
        Margin that the experiment gives up, against doing what is best by the assumptions.
    worth : float
        Margin that better choices are expected to bring, with the customers who are not in it.
    net : float
        Worth less cost.
    perfect : float
        What it would be worth to know everything about the offer; no experiment is worth more.
    expected_effect, break_even_effect, detectable_effect : float
        On the metric: what is assumed, from which on the offer pays on average, and what the experiment finds
        with a chance of 80 %.
    p_pays : float
        Probability, as assumed, that the offer pays on average.
    decision : str
        What it would change, or why it is not worth it.
    """

    offer: str
    metric: str
    n: int
    arms: dict[str, float]
    days: int
    cost: float
    worth: float
    net: float
    perfect: float
    expected_effect: float
    break_even_effect: float
    detectable_effect: float
    p_pays: float
    decision: str

    @property
    def is_worth_it(self) -> bool:
        """Whether the experiment is expected to bring more than it costs."""
        return self.n > 0 and self.net > 0.0


def propose_experiments(
    stakes: Stakes,
    assumptions: Assumptions,
    *,
    horizon: int,
    eligible: pd.DataFrame | None = None,
    rounds: int = 1,
    margin_sd: float | None = None,
    per_week: float | None = None,
) -> list[Proposal]:
    r"""Return an experiment for each offer, the one that is worth most first.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    horizon : int
        Days until an outcome is known, 1 or more.
    eligible : DataFrame of bool of shape (n_customers, n_offers), optional
        Who may have what, in the customers' order; all where None.
    rounds : int, default 1
        Campaigns of this size in which what was learned is of use, 1 or more.
    margin_sd : float, optional
        Standard deviation of customers' margin within the horizon, from their past; worked out from the
        scores where None, which leaves out what no score foresees.
    per_week : float, optional
        Customers who can be contacted a week; all at once where None.

    Returns
    -------
    list of Proposal
        One an offer.

    Raises
    ------
    SettingsError
        Where a number is out of range.

    Notes
    -----
    Customers of the experiment are drawn from those with whom the offer pays as expected, or on average over
    the tenth of the draws that is best for it. With n of them, half in control, the effect is measured with
    the standard error se(n); where the assumptions put it at a standard deviation tau, the expectation
    follows the truth by :math:`f = \tau / \sqrt{\tau^2 + se^2}`, and the worth is `value_of_information` at
    f, of the customers who are not in the experiment. The size is the one with the highest worth less cost.
    Each offer is told of as if there were no other.
    """
    if horizon < 1 or rounds < 1 or (margin_sd is not None and not margin_sd > 0.0):
        raise SettingsError(
            f"horizon and rounds must be 1 or more and margin_sd above 0; got {horizon}, {rounds} and "
            f"{margin_sd!r}."
        )
    if per_week is not None and not per_week > 0.0:
        raise SettingsError(f"per_week must be above 0 customers; got {per_week!r}.")
    told: list[Proposal] = []
    for offer in assumptions.offers:
        given = None if eligible is None else eligible[offer.name]
        may = np.ones(len(stakes), np.bool_) if given is None else given.to_numpy(dtype=np.bool_)
        trial = _Trial.of(stakes, assumptions, offer, may, margin_sd)
        if trial.size < 2 * _FEWEST or not trial.perfect:
            told.append(_nothing_to_learn(trial, anybody=bool(may.any())))
        else:
            told.append(_proposal(trial, horizon, rounds, per_week))
    return sorted(told, key=lambda one: (not one.n, -one.net, one.offer))


class _Trial(NamedTuple):
    """Who may be in an experiment with an offer, and what is believed of it with them."""

    stakes: Stakes
    assumptions: Assumptions
    offer: Offer
    size: int
    """How many they are."""
    rows: BoolArray
    """Those of them that are reckoned with: all, or an even part of many."""
    gains: FloatArray
    """Mean gain a customer, a draw each."""
    effects: FloatArray
    """Mean effect on the metric, a draw each."""
    sd: float
    """Of one customer's outcome."""
    perfect: float

    @classmethod
    def of(
        cls, stakes: Stakes, assumptions: Assumptions, offer: Offer, may: BoolArray, margin_sd: float | None
    ) -> _Trial:
        """Return those with whom the offer may pay, and what is believed of it with them."""
        weights = assumptions.net(offer.name, leaver_share=stakes.leaver_share)
        size, rows = _in_question(stakes, offer, may, weights)
        if not size:
            nothing = np.zeros(assumptions.n_draws)
            return cls(stakes, assumptions, offer, 0, rows, nothing, nothing, 0.0, 0.0)
        p, reached = float(stakes.p_leave[rows].mean()), float(stakes.p_reached[rows].mean())
        drawn, expected = assumptions.draws[offer.name], assumptions.expected[offer.name]
        effects = drawn.uplift if offer.uplift is not None else reached * drawn.kept
        exact = float(expected.uplift[0]) if offer.uplift is not None else reached * float(expected.kept[0])
        sd = math.sqrt(p * (1.0 - p)) if offer.uplift is None else margin_sd or _margin_sd(stakes, rows)
        perfect = value_of_information(stakes, assumptions, offer.name, eligible=rows) * size / rows.sum()
        gains = stakes.terms()[rows].mean(axis=0) @ weights
        centred = effects + (exact - effects.mean())
        return cls(stakes, assumptions, offer, size, rows, gains, centred, sd, float(perfect))

    @property
    def metric(self) -> str:
        """What is measured."""
        return "retained" if self.offer.uplift is None else "margin"

    def worth(self, n: int, rounds: int) -> float:
        """Return what an experiment of n customers lets one gain with the others."""
        tau, se = float(self.effects.std()), self.sd * math.sqrt(1.0 / _CONTROL / (1.0 - _CONTROL) / n)
        learned = tau / math.hypot(tau, se) if tau else 0.0
        each = value_of_information(
            self.stakes, self.assumptions, self.offer.name, eligible=self.rows, learned=learned
        )
        return each * self.size / float(self.rows.sum()) * ((1.0 - n / self.size) + (rounds - 1))

    def cost(self, n: int) -> float:
        """Return what it gives up, against making the offer to those with whom it is expected to pay."""
        weights = self.assumptions.net(self.offer.name, leaver_share=self.stakes.leaver_share).mean(axis=1)
        gain = self.stakes.terms()[self.rows] @ weights
        return n * float(np.maximum(gain, 0.0).mean() - (1.0 - _CONTROL) * gain.mean())

    def break_even(self) -> float:
        """Return the effect on the metric at which the mean gain is nought, all else as expected."""
        expected = self.assumptions.expected[self.offer.name]
        gain, effect = float(self.gains.mean()), float(self.effects.mean())
        if self.offer.uplift is not None:
            return effect - gain
        at_risk = float((self.stakes.p_reached * self.stakes.value)[self.rows].mean())
        share = self.stakes.leaver_share
        per_kept = at_risk * (1.0 + self.offer.margin_effect - share * (1.0 + self.offer.margin_effect))
        kept = float(expected.kept[0]) - gain / per_kept if per_kept > 0.0 else math.nan
        return kept * float(self.stakes.p_reached[self.rows].mean())


def _in_question(stakes: Stakes, offer: Offer, may: BoolArray, weights: FloatArray) -> tuple[int, BoolArray]:
    """Return with how many the offer may pay, and which of them are reckoned with.

    It pays as expected, or on average over the tenth of the draws that is best for it. Of more than there is
    capacity for, the best are taken.
    """
    terms = stakes.terms()
    mean, gain = terms.mean(axis=0) @ weights, terms @ weights.mean(axis=1)
    best = weights[:, mean >= np.quantile(mean, 0.9)]
    found = np.flatnonzero(may & ((terms @ best.mean(axis=1) > 0.0) | (gain > 0.0)))
    found = found[np.argsort(-gain[found], kind="stable")]
    size = len(found) if offer.capacity is None else min(len(found), offer.capacity)
    rows = np.zeros(len(stakes), np.bool_)
    # Evenly from the best to the last, so that the part is like the whole.
    rows[
        found[:size] if size <= _RECKONED else found[np.linspace(0, size - 1, _RECKONED).astype(np.intp)]
    ] = True
    return size, rows


def _margin_sd(stakes: Stakes, rows: BoolArray) -> float:
    """Return how far customers' margins lie apart, as far as their scores foresee it."""
    p, value, spread = stakes.p_leave[rows], stakes.value[rows], stakes.spread[rows]
    reached = stakes.p_reached[rows]
    squares = ((1.0 - p) + reached * stakes.leaver_share**2) * value**2 * np.exp(spread**2)
    return math.sqrt(max(float(squares.mean() - stakes.clv[rows].mean() ** 2), 1e-12))


def _proposal(trial: _Trial, horizon: int, rounds: int, per_week: float | None) -> Proposal:
    sizes = np.unique(np.geomspace(2 * _FEWEST, trial.size, _SIZES).astype(np.intp)).tolist()
    worth = {n: trial.worth(n, rounds) for n in sizes}
    n = max(sizes, key=lambda size: worth[size] - trial.cost(size))
    cost = trial.cost(n)
    return Proposal(
        offer=trial.offer.name,
        metric=trial.metric,
        n=n,
        arms={"control": _CONTROL, trial.offer.name: 1.0 - _CONTROL},
        days=horizon + (0 if per_week is None else math.ceil(7.0 * n / per_week)),
        cost=cost,
        worth=worth[n],
        net=worth[n] - cost,
        perfect=trial.perfect,
        expected_effect=float(trial.effects.mean()),
        break_even_effect=trial.break_even(),
        detectable_effect=_detectable(trial, n),
        p_pays=float((trial.gains > 0.0).mean()),
        decision=_decision(trial, worth[n] - cost),
    )


def _decision(trial: _Trial, net: float) -> str:
    """Say what the experiment would change."""
    expected, needed = (_in_words(one, trial.metric) for one in (trial.effects.mean(), trial.break_even()))
    pays = trial.gains.mean() > 0.0
    if net <= 0.0:
        done = "make the offer to those with whom it is expected to pay" if pays else "leave the offer"
        return f"An experiment would cost more than it can bring: {done}, and keep a holdout."
    now = "pays on average, as it is assumed" if pays else "does not pay on average, as it is assumed"
    other = "fewer customers, or none, get it" if pays else "more customers get it"
    side = "below" if pays else "above"
    return (
        f"The offer {now} ({expected} against {needed} needed); if the effect is found {side} {needed}, "
        f"{other}."
    )


def _in_words(effect: float, metric: str) -> str:
    if metric == "retained":
        return f"{100.0 * effect:.1f} points of retention"
    return f"{effect:,.2f} of margin a customer"


def _nothing_to_learn(trial: _Trial, *, anybody: bool) -> Proposal:
    """Say why an experiment would change nothing."""
    offer, nan = trial.offer, math.nan
    if offer.capacity == 0:
        why = "The offer has no capacity, so that nobody can try it."
    elif not anybody:
        why = "Nobody may have the offer: look at its conditions, its days, and who may be contacted."
    elif not trial.size:
        why = "The offer pays with nobody even if its assumptions turn out well: change the offer."
    elif trial.size < 2 * _FEWEST:
        why = (
            f"It could pay with {one_or_many(trial.size, 'customer')} only, too few to measure anything: "
            "keep a holdout."
        )
    else:
        why = "Whatever is found out, the same customers would get it: keep a holdout to see that it holds."
    pays = float((trial.gains > 0.0).mean())
    return Proposal(
        offer.name, trial.metric, 0, {}, 0, 0.0, 0.0, 0.0, trial.perfect, nan, nan, nan, pays, why
    )


def _detectable(trial: _Trial, n: int) -> float:
    """Return what is found with a chance of 80 %; NaN where nothing can be."""
    stays = 1.0 - float(trial.stakes.p_leave[trial.rows].mean())
    try:
        if trial.metric == "retained":
            baseline = Baseline.of_share("retained", stays)
        else:
            baseline = Baseline("margin", float(trial.stakes.clv[trial.rows].mean()), trial.sd)
        arms = {"control": _CONTROL, "offer": 1.0 - _CONTROL}
        return float(design(baseline, arms=arms, n=n).effect)
    except SettingsError:
        return math.nan
