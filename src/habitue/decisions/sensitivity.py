"""How much a plan's profit hangs on what was assumed, and what it would be worth to know better.

Each assumption in turn is set to where it lies with a chance of one in ten, low and high, all else as
expected: the one that moves the profit most matters most. What it is worth to know more is told in money, by
how much better one could choose. Which experiment would find it out is for `habitue.decisions.proposals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.assumptions import Assumptions, Believed, cost_of, gross_of
from habitue.decisions.measured_effects import Measured
from habitue.decisions.offers import Offer
from habitue.decisions.plans import as_plan, plan_profits
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import SettingsError

__all__ = ["profit_grid", "tornado", "value_of_information"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_AT_ONCE: Final = 1 << 20  # numbers drawn at once


def tornado(
    stakes: Stakes,
    assumptions: Assumptions,
    chosen: npt.ArrayLike,
    *,
    measured: dict[str, Measured] | None = None,
    at: tuple[float, float] = (0.1, 0.9),
) -> pd.DataFrame:
    """Return what the plan earns with each assumption low and high, the one that matters most first.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    chosen : array_like
        The plan, as `habitue.decisions.plans.as_plan` takes it.
    measured : dict of str to Measured, optional
        Effects that take the place of the assumptions, by offer: of customers with one only costs hang on
        assumptions here; how far the effects themselves may be off is in the plan's interval.
    at : tuple of two floats, default (0.1, 0.9)
        Quantiles of the assumption, rising, in (0, 1).

    Returns
    -------
    DataFrame of shape (n_assumptions, 8)
        offer ("" for what is one for all), assumption (acceptance, acceptance_if_staying, saves, kept, uplift
        or value), low, high (of the assumption), profit_low, profit, profit_high (money), swing (the distance
        of the two profits). Assumptions that are certain, and offers made to nobody, are left out.

    Raises
    ------
    DataError
        As `habitue.decisions.plans.as_plan`.
    SettingsError
        Where the quantiles are none.

    Notes
    -----
    "kept" is acceptance times saves, and stands in the place of saves where a trial measured it.

    Examples
    --------
    >>> from habitue.decisions.assumptions import draw_assumptions
    >>> from habitue.decisions.beliefs import Share
    >>> from habitue.decisions.value_at_stake import value_at_stake
    >>> scores = pd.DataFrame({"churn_probability": [0.1, 0.5], "clv": [450.0, 250.0]})
    >>> call = Offer("call", cost=4.0, acceptance=Share(0.4, worth=200), saves=Share(0.5, worth=5))
    >>> table = tornado(value_at_stake(scores, margin=0.4), draw_assumptions([call]), [-1, 0])
    >>> table["assumption"].tolist()
    ['saves', 'value', 'acceptance']
    """
    if not 0.0 < at[0] < at[1] < 1.0:
        raise SettingsError(f"at holds two rising quantiles in (0, 1), e.g. (0.1, 0.9); got {at!r}.")
    plan = as_plan(chosen, n_customers=len(stakes), n_offers=len(assumptions.offers))
    expected = float(plan_profits(stakes, assumptions, plan, measured=measured).mean())
    rows: list[dict[str, str | float]] = []
    gross = 0.0
    for sums in _sums(stakes, assumptions, plan, measured):
        now = sums.profit(stakes, assumptions.expected[sums.offer.name])
        gross += sums.at_level(stakes, assumptions)
        for name, values in _varied(sums.offer, assumptions):
            low, high = map(float, np.quantile(values, at))
            if high > low:
                ends = [
                    expected - now + sums.profit(stakes, _set(assumptions, sums.offer, name, value))
                    for value in (low, high)
                ]
                rows.append(_bar(sums.offer.name, name, (low, high), (ends[0], expected, ends[1])))
    low, high = map(float, np.quantile(assumptions.level, at))
    if high > low and gross:
        ends = [expected + gross * (level - 1.0) for level in (low, high)]
        rows.append(_bar("", "value", (low, high), (ends[0], expected, ends[1])))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.sort_values("swing", ascending=False, kind="stable", ignore_index=True)


_COLUMNS: Final = ["offer", "assumption", "low", "high", "profit_low", "profit", "profit_high", "swing"]


def profit_grid(
    stakes: Stakes,
    assumptions: Assumptions,
    chosen: npt.ArrayLike,
    offer: str,
    *,
    acceptance: Sequence[float],
    effect: Sequence[float],
) -> pd.DataFrame:
    """Return what one offer of a plan earns by its acceptance and its effect, all else as expected.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    chosen : array_like
        The plan, as `habitue.decisions.plans.as_plan` takes it.
    offer : str
        Name of one of them.
    acceptance : sequence of float
        Values of acceptance, in [0, 1]: the rows.
    effect : sequence of float
        Values of saves, in [0, 1], or of the uplift, money: the columns.

    Returns
    -------
    DataFrame of shape (n_acceptance, n_effect)
        Money.

    Raises
    ------
    SettingsError
        Where a share is out of range, or there is no such offer.
    DataError
        As `habitue.decisions.plans.as_plan`.
    """
    one = assumptions.offer(offer)
    shares = [*acceptance, *([] if one.saves is None else effect)]
    if not all(0.0 <= share <= 1.0 for share in shares):
        raise SettingsError("Acceptance and saves are shares from 0 to 1.")
    plan = as_plan(chosen, n_customers=len(stakes), n_offers=len(assumptions.offers))
    rows = plan[:, assumptions.offers.index(one)]
    terms = stakes.terms()[rows].sum(axis=0)
    table = [[_at(stakes, assumptions, one, terms, a, e) for e in effect] for a in acceptance]
    return pd.DataFrame(
        table,
        index=pd.Index(acceptance, name="acceptance"),
        columns=pd.Index(effect, name="uplift" if one.saves is None else "saves"),
    )


def value_of_information(
    stakes: Stakes,
    assumptions: Assumptions,
    offer: str,
    *,
    eligible: npt.ArrayLike | None = None,
    learned: float = 1.0,
) -> float:
    r"""Return what it is worth to know better what an offer does, before choosing whom to make it.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    offer : str
        Name of one of them.
    eligible : array_like of bool of shape (n_customers,), optional
        Who may have it; all where None.
    learned : float, default 1
        How far the expectation will follow the truth, in [0, 1]: 1 where all is found out (perfect
        information), 0 where nothing is.

    Returns
    -------
    float
        Money, 0 or more, for one campaign.

    Raises
    ------
    SettingsError
        Where `learned` is out of range, or there is no such offer.

    Notes
    -----
    With g_i the gain of customer i in a draw, and f = `learned`,

    .. math:: \sum_i E[\max(\bar g_i + f (g_i - \bar g_i), 0)] - \max(\bar g_i, 0) .

    For f = 1 it is the expected value of perfect information; for a trial, f is the square root of the share
    of the prior variance that it explains, and this is the expected value of sample information by the
    Gaussian approximation. Customers of an offer with a capacity are the best of it by expected gain.

    References
    ----------
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory. Jalal and Alarid-Escudero (2018), A
    Gaussian approximation approach for value of information analysis, Medical Decision Making 38(2).
    """
    if not 0.0 <= learned <= 1.0:
        raise SettingsError(f"learned must lie in [0, 1]; got {learned!r}.")
    one = assumptions.offer(offer)
    weights = assumptions.net(offer, leaver_share=stakes.leaver_share)
    mean = weights.mean(axis=1, keepdims=True)
    terms = stakes.terms() if eligible is None else stakes.terms()[np.asarray(eligible, dtype=np.bool_)]
    now = (terms @ mean)[:, 0]
    if one.capacity is not None and one.capacity < len(now):
        first = np.argsort(-now, kind="stable")[: one.capacity]
        terms, now = terms[first], now[first]
    told, then = mean + learned * (weights - mean), 0.0
    step = max(_AT_ONCE // assumptions.n_draws, 1)
    for at in range(0, len(terms), step):
        drawn = terms[at : at + step] @ told
        then += float(np.maximum(drawn, 0.0, out=drawn).sum()) / assumptions.n_draws
    return max(then - float(np.maximum(now, 0.0).sum()), 0.0)


class _Sums(NamedTuple):
    """Sums over those customers that a plan makes an offer: of all, and of those whose effect is assumed."""

    offer: Offer
    treated: FloatArray
    assumed: FloatArray
    effect: float

    def profit(self, stakes: Stakes, believed: Believed) -> float:
        """Return what the offer earns at given values of its assumptions."""
        gross = self.assumed @ gross_of(self.offer, believed, leaver_share=stakes.leaver_share)
        return float((gross - self.treated @ cost_of(self.offer, believed))[0]) + self.effect

    def at_level(self, stakes: Stakes, assumptions: Assumptions) -> float:
        """Return the part of the gain that follows the level of all values."""
        if self.offer.uplift is not None:
            return 0.0
        expected = assumptions.expected[self.offer.name]
        return float((self.assumed @ gross_of(self.offer, expected, leaver_share=stakes.leaver_share))[0])


def _sums(
    stakes: Stakes, assumptions: Assumptions, plan: BoolArray, measured: dict[str, Measured] | None
) -> Iterator[_Sums]:
    """Return the sums of each offer that is made to somebody."""
    terms = stakes.terms()
    for place, offer in enumerate(assumptions.offers):
        rows = np.flatnonzero(plan[:, place])
        if rows.size:
            known = (measured or {}).get(offer.name)
            effect = np.full(rows.size, np.nan) if known is None else known.effect[rows]
            assumed = terms[rows[np.isnan(effect)]].sum(axis=0)
            yield _Sums(offer, terms[rows].sum(axis=0), assumed, float(np.nansum(effect)))


def _varied(offer: Offer, assumptions: Assumptions) -> Iterator[tuple[str, FloatArray]]:
    """Return each assumption of an offer with its draws."""
    drawn = assumptions.draws[offer.name]
    yield "acceptance", drawn.acceptance
    if offer.staying is not None:
        yield "acceptance_if_staying", drawn.staying
    if offer.uplift is not None:
        yield "uplift", drawn.uplift
    elif offer.measured.precision:
        yield "kept", drawn.kept
    else:
        accepted = drawn.acceptance
        yield "saves", np.divide(drawn.kept, accepted, out=np.zeros_like(accepted), where=accepted > 0.0)


def _set(assumptions: Assumptions, offer: Offer, name: str, value: float) -> Believed:
    """Return what is expected, with one assumption set."""
    expected, at = assumptions.expected[offer.name], np.array([value])
    if name in ("kept", "uplift"):
        return expected._replace(**{name: at})
    if name == "acceptance_if_staying":
        return expected._replace(staying=at)
    if name == "saves":
        return expected._replace(kept=expected.acceptance * at)
    staying = at if offer.staying is None else expected.staying
    # What was measured is the share kept, however many accept.
    saves = 0.0 if offer.saves is None else offer.saves.mean
    kept = expected.kept if offer.measured.precision else at * saves
    return expected._replace(acceptance=at, kept=kept, staying=staying)


def _at(
    stakes: Stakes, assumptions: Assumptions, offer: Offer, terms: FloatArray, accepted: float, effect: float
) -> float:
    """Return what an offer earns at one acceptance and one effect."""
    expected, share = assumptions.expected[offer.name], np.array([accepted])
    staying = share if offer.staying is None else expected.staying
    told = Believed(share, share * effect, staying, np.array([effect]))
    net = gross_of(offer, told, leaver_share=stakes.leaver_share) - cost_of(offer, told)
    return float((terms @ net)[0])


def _bar(
    offer: str, name: str, ends: tuple[float, float], profits: tuple[float, float, float]
) -> dict[str, str | float]:
    swing = abs(profits[2] - profits[0])
    return dict(zip(_COLUMNS, (offer, name, *ends, *profits, swing), strict=True))
