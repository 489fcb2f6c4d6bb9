"""What each offer is expected to gain with each customer, net of its costs, with an interval.

Customers are to be contacted for what the contact changes, not for how likely they are to leave: one who is
sure to leave may be beyond saving, or worth less than the offer. The gain is told in margin within the
horizon, per contact, against no contact. Who may have an offer is decided before, by
`habitue.decisions.eligibility`; who gets one under a budget afterwards, by `habitue.decisions.allocating`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from habitue.decisions.assumptions import Assumptions
from habitue.decisions.measured_effects import Measured, measured_effects
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import DataError, SchemaError, SettingsError

__all__ = ["Gains", "expected_gains", "gain_bounds"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_AT_ONCE: Final = 1 << 17
"""Numbers drawn at once: they stay in the processor's cache, and memory does not grow with the draws."""


@dataclass(frozen=True, eq=False)
class Gains:
    """Expected gains, customers by offers; all money is margin within the horizon per contact.

    Attributes
    ----------
    expected : DataFrame of shape (n_customers, n_offers)
        Net of costs; NaN where the customer may not have the offer.
    lower, upper : DataFrame of shape (n_customers, n_offers)
        Between them the expected gain lies, as far as the assumptions and the customer's value are known.
    cost : DataFrame of shape (n_customers, n_offers)
        Money that a contact is expected to cost, accepted or not.
    interval : float
        Probability that the ends hold.
    """

    expected: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    cost: pd.DataFrame
    interval: float

    def best(self) -> npt.NDArray[np.intp]:
        """Return each customer's best offer by position, whatever it gains; -1 where none may be had."""
        gain = self.expected.to_numpy()
        filled = np.where(np.isnan(gain), -np.inf, gain)
        best = filled.argmax(axis=1)
        return np.where(np.isneginf(filled.max(axis=1)), -1, best)


def expected_gains(
    stakes: Stakes,
    assumptions: Assumptions,
    *,
    eligible: pd.DataFrame | None = None,
    effects: pd.DataFrame | None = None,
    effect_errors: pd.DataFrame | None = None,
    blend: bool = False,
    interval: float = 0.8,
    random_state: int = 0,
) -> Gains:
    r"""Return what each offer is expected to gain with each customer.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    eligible : DataFrame of bool of shape (n_customers, n_offers), optional
        Who may have what, indexed by customer; all where None.
    effects : DataFrame of shape (n_customers, n_measured), optional
        Margin that a contact adds within the horizon, before costs, as an uplift model measured it: a column
        for each offer measured, indexed by customer. Takes the place of the assumptions; NaN leaves them.
    effect_errors : DataFrame of shape (n_customers, n_measured), optional
        Standard errors of the effects, of the same columns; 0 where None.
    blend : bool, default False
        Whether measured effects and assumptions are weighed by precision, where both are there.
    interval : float, default 0.8
        Probability that lower and upper are to hold, in (0, 1).
    random_state : int, default 0
        Seed of the draws of customers' own values.

    Returns
    -------
    Gains

    Raises
    ------
    SchemaError
        Where a table has no column for an offer, or one for no offer.
    DataError
        Where a table lacks customers, or an error is below 0.
    SettingsError
        Where the interval is none, or errors are given without effects.

    Notes
    -----
    The formula is in `habitue.numerics.offer_gain`. The expected gain is exact: it is linear in the
    assumptions and in the customer's value, which are taken to be independent. The interval is of draws of
    both: one draw of the assumptions for all customers with one of each customer's own value. It is not about
    the toss of the coin whether this customer leaves and accepts, which no assumption can settle.

    With measured effects e_i, their errors take the place of the assumed gain before costs; costs stay
    assumed. Blended, with the assumed gain g_i and its variance over the draws v_i, the gain before costs is
    :math:`(g_i / v_i + e_i / se_i^2) / (1 / v_i + 1 / se_i^2)`.

    References
    ----------
    Lemmens and Gupta (2020), Managing churn to maximize profits, Marketing Science 39(5): target by the lift
    in profit, not by the risk of leaving. Neslin et al. (2006), Journal of Marketing Research 43(2).

    Examples
    --------
    >>> from habitue.decisions.assumptions import draw_assumptions
    >>> from habitue.decisions.beliefs import Share
    >>> from habitue.decisions.offers import Offer
    >>> from habitue.decisions.value_at_stake import value_at_stake
    >>> scores = pd.DataFrame({"churn_probability": [0.1, 0.5], "clv": [450.0, 250.0]}, index=["a", "b"])
    >>> call = Offer("call", cost=4.0, acceptance=Share(0.4, worth=50), saves=Share(0.5, worth=20))
    >>> gains = expected_gains(value_at_stake(scores, margin=0.4), draw_assumptions([call]))
    >>> gains.expected["call"].round(2).tolist()
    [0.0, 16.0]
    """
    if not 0.0 < interval < 1.0:
        raise SettingsError(f"interval must lie between 0 and 1, e.g. 0.8; got {interval!r}.")
    names = [offer.name for offer in assumptions.offers]
    allowed = _allowed(eligible, stakes, names)
    measured = measured_effects(effects, effect_errors, stakes=stakes, names=names)
    weights = _Weights.of(assumptions, stakes, names)
    z = _tosses(assumptions.n_draws, random_state)
    lower, upper = gain_bounds(stakes, weights.gross - weights.cost, allowed, z, interval=interval)
    terms = stakes.terms()
    cost = terms @ weights.cost.mean(axis=2).T
    gain = terms @ weights.gross.mean(axis=2).T - cost
    half = float(ndtri(0.5 + interval / 2.0))
    for name, one in measured.items():
        at = names.index(name)
        told = _blended(stakes, weights.gross[at], one) if blend else one
        known = ~np.isnan(told.effect)
        gain[known, at] = told.effect[known] - cost[known, at]
        sure = half * np.hypot(told.error, _sd(terms, weights.cost[at]))[known]
        lower[known, at], upper[known, at] = gain[known, at] - sure, gain[known, at] + sure
    # Narrow numbers must not put the expectation of a certain gain outside its own interval.
    tables = (gain, np.minimum(lower, gain), np.maximum(upper, gain), cost)
    told_of = (np.where(allowed, table, np.nan) for table in tables)
    frames = [pd.DataFrame(table, index=stakes.customers, columns=names) for table in told_of]
    return Gains(frames[0], frames[1], frames[2], frames[3], interval)


def gain_bounds(
    stakes: Stakes, weights: FloatArray, allowed: BoolArray, z: FloatArray, *, interval: float
) -> tuple[FloatArray, FloatArray]:
    """Return between what ends the gain of each customer with each offer lies, over draws.

    Parameters
    ----------
    stakes : Stakes
        Of n customers.
    weights : ndarray of shape (n_offers, 5, D)
        Of the gains, see `habitue.numerics.offer_gain`; a column a draw.
    allowed : ndarray of bool of shape (n, n_offers)
        Who may have what.
    z : ndarray of shape (D,)
        Standard Normal draws of customers' own values.
    interval : float
        In (0, 1).

    Returns
    -------
    tuple of two ndarrays of shape (n, n_offers)
        Empirical quantiles over the draws, without interpolation; NaN where the offer may not be had.

    Notes
    -----
    All customers share the z of a draw. That is right for what is told of each of them alone, and must not be
    summed over customers.
    """
    ends = np.full((2, *allowed.shape), np.nan)
    n_draws, narrow, tosses = len(z), weights.astype(np.float32), z.astype(np.float32)
    first = int(np.floor(n_draws * (0.5 - interval / 2.0)))
    terms, spread = stakes.terms().astype(np.float32), stakes.spread.astype(np.float32)[:, None]
    for piece in _pieces(len(stakes), n_draws):
        own = np.exp(spread[piece] * tosses - spread[piece] ** 2 / 2)
        for place, of_offer in enumerate(narrow):
            rows = np.flatnonzero(allowed[piece, place])
            part = terms[piece][rows]
            drawn = part[:, :2] @ of_offer[:2]
            drawn *= own[rows]
            drawn += part[:, 2:] @ of_offer[2:]
            drawn.sort(axis=1)
            ends[:, piece.start + rows, place] = drawn[:, [first, n_draws - 1 - first]].T
    return ends[0], ends[1]


class _Weights(NamedTuple):
    """What the terms of customers are weighed with, of all offers: shape (n_offers, 4, D)."""

    gross: FloatArray
    cost: FloatArray

    @classmethod
    def of(cls, assumptions: Assumptions, stakes: Stakes, names: list[str]) -> _Weights:
        """Return the weights of all offers."""
        gross = [assumptions.gross(name, leaver_share=stakes.leaver_share) for name in names]
        return cls(np.stack(gross), np.stack([assumptions.cost(name) for name in names]))


def _tosses(n_draws: int, random_state: int) -> FloatArray:
    """Return Normal draws of customers' own values, in equal strata."""
    return ndtri((np.random.default_rng(random_state).permutation(n_draws) + 0.5) / n_draws)


def _blended(stakes: Stakes, gross: FloatArray, measured: Measured) -> Measured:
    """Weigh what was measured with what is assumed, by precision."""
    terms = stakes.terms()
    assumed = terms @ gross.mean(axis=1)
    own = np.expm1(stakes.spread**2) * np.einsum("nk,nk->n", terms, terms @ _second_moments(gross))
    variance = _sd(terms, gross) ** 2 + own
    together = variance + measured.error**2
    weight = np.divide(variance, together, out=np.ones_like(together), where=together > 0.0)
    blended = assumed + weight * (measured.effect - assumed)
    return Measured(blended, np.sqrt(weight) * measured.error)


def _second_moments(weights: FloatArray) -> FloatArray:
    return weights @ weights.T / weights.shape[1]


def _sd(terms: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how far each customer's figure may be off for what is assumed of all."""
    away = weights - weights.mean(axis=1, keepdims=True)
    variance = np.einsum("nk,nk->n", terms, terms @ _second_moments(away))
    return np.sqrt(np.maximum(variance, 0.0))


def _pieces(n: int, n_draws: int) -> Generator[slice]:
    step = max(_AT_ONCE // n_draws, 1)
    yield from (slice(at, at + step) for at in range(0, n, step))


def _allowed(eligible: pd.DataFrame | None, stakes: Stakes, names: list[str]) -> BoolArray:
    """Return who may have what, in the order of the customers and offers."""
    if eligible is None:
        return np.ones((len(stakes), len(names)), dtype=np.bool_)
    if lacking := [name for name in names if name not in eligible.columns]:
        raise SchemaError(
            f"The table of who is eligible needs a column for each offer; it lacks {', '.join(lacking)}."
        )
    if not eligible.index.is_unique or not stakes.customers.isin(eligible.index).all():
        raise DataError("The table of who is eligible needs one row for each customer that is scored.")
    return eligible.reindex(stakes.customers)[names].to_numpy(dtype=np.bool_)
