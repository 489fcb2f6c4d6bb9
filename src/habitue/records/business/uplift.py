r"""What an offer truly changes for each customer of a simulated business: expectations, not draws.

Given what a customer is like and when the last order was, the next days are a Markov chain: stages of an
Erlang gap, run through at a speed that offers change, up to an exponential end whose hazard they change too.
Its expectations are integrals over time of smooth functions, which are taken by quadrature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from habitue.errors import SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.records.business.baskets import RETURN_DELAY, RETURN_WAIT, returned_share
from habitue.records.business.chance import IntArray
from habitue.records.business.effects import Clock
from habitue.records.business.future import Future
from habitue.records.business.purchases import pending_margin

__all__ = ["TrueEffects", "true_effects"]

_PANEL, _NODES = 7.0, 6  # days of a part of the horizon, and points in it
_LATER = 6  # points over the time after which a line is sent back
_TOGETHER = 2_000  # customers at a time


@dataclass(frozen=True)
class TrueEffects:
    """What each offer is expected to change within a horizon, against no contact.

    All frames have one row a customer (customer_id) and one column an offer. Of who left nothing changes.

    Attributes
    ----------
    margin : DataFrame
        Expected difference in margin of orders less returns, in money; costs of the offer not taken off.
    leaving : DataFrame
        Difference in the chance to have left by the end of the horizon, for whatever reason.
    acceptance : DataFrame
        Chance to accept.
    cost : DataFrame
        Expected money for contact and acceptance.
    untreated : DataFrame
        Columns ``margin`` and ``leaving``: what is expected without a contact.
    """

    margin: pd.DataFrame
    leaving: pd.DataFrame
    acceptance: pd.DataFrame
    cost: pd.DataFrame
    untreated: pd.DataFrame

    @property
    def gain(self) -> pd.DataFrame:
        """Expected difference in margin less what the offer costs."""
        return self.margin - self.cost


class _Change(NamedTuple):
    """What changes from now on for some days: one number a customer."""

    log_hazard: FloatArray
    log_rate: FloatArray
    discount: float
    lasts: float

    def of(self, who: IntArray) -> _Change:
        return self._replace(log_hazard=self.log_hazard[who], log_rate=self.log_rate[who])


class _Grid(NamedTuple):
    """Points in the horizon with their weights, and when what was bought there may come back."""

    time: FloatArray
    weight: FloatArray
    back: FloatArray
    back_weight: FloatArray


def true_effects(future: Future, horizon: int, offers: Sequence[str] | None = None) -> TrueEffects:
    r"""Return what each offer would change for each customer, were it made as the next day begins.

    Parameters
    ----------
    future : Future
        The business as it is now.
    horizon : int
        Days from now.
    offers : sequence of str, optional
        Names; all where None.

    Raises
    ------
    SettingsError
        If the horizon is not a day or an offer is unknown.

    Notes
    -----
    With S(t) the chance to be there at t, h(t) the rate of orders of who is there, m(t) the mean margin of
    an order, :math:`\rho` the share of lines sent back and f the density of the days until then, the margin
    is expected to be

    .. math:: \int_0^H h(t) m(t) \Big[S(t) - \rho \int_0^{H - t} f(x) S(t + x)\,dx\Big] dt

    less what lines bought before now lose when they come back. For Erlang gaps of k stages, where the
    customer is in stage j now and the clock of orders shows :math:`\tau(t)` stages,

    .. math:: h(t) = \tau'(t) \frac1k \sum_{r < k} \omega^{r (j + 1)} e^{-\tau(t) (1 - \omega^r)},
        \quad \omega = e^{2 \pi i / k}.

    Money is taken as exact, which in the records is rounded to cents.

    References
    ----------
    Cox (1962), Renewal Theory, section 4.4: the renewal density of Erlang gaps.
    """
    if horizon < 1:
        raise SettingsError(f"expected horizon to be 1 or more days; got {horizon!r}")
    names = list(future.offers) if offers is None else list(offers)
    unknown = [name for name in names if name not in future.offers]
    if unknown:
        raise SettingsError(f"The business offers {', '.join(future.offers)}; got {', '.join(unknown)}.")
    now = _Now.of(future, float(horizon), [future.offers[name].lasts for name in names])
    nothing = np.zeros(now.n)
    margin, leaving = now.expected(_Change(nothing, nothing, 0.0, 1.0))
    told: dict[str, dict[str, FloatArray]] = {
        name: {} for name in ("margin", "leaving", "acceptance", "cost")
    }
    for name in names:
        offer, customers = future.offers[name], future.customers
        accepts = np.where(now.is_there, offer.p_accept(customers), 0.0)
        put_off = offer.log_hazard(customers, accepted=False)
        kept = offer.log_hazard(customers, accepted=True)
        contacted = now.expected(_Change(put_off, nothing, 0.0, offer.lasts))
        taken = now.expected(_Change(kept, offer.log_rate(customers), offer.discount, offer.lasts))
        told["margin"][name] = accepts * taken[0] + (1.0 - accepts) * contacted[0] - margin
        told["leaving"][name] = accepts * taken[1] + (1.0 - accepts) * contacted[1] - leaving
        told["acceptance"][name] = accepts
        told["cost"][name] = offer.contact_cost + accepts * offer.accepted_cost
    index = future.customers.truth().index
    frames = {key: pd.DataFrame(columns, index=index) for key, columns in told.items()}
    untreated = pd.DataFrame({"margin": margin, "leaving": leaving}, index=index)
    return TrueEffects(**frames, untreated=untreated)


@dataclass(frozen=True)
class _Now:
    """The business at the end of its log: what the days ahead depend on, one number a customer."""

    at: float
    grid: _Grid
    is_there: np.ndarray[tuple[int], np.dtype[np.bool_]]
    hazard: FloatArray
    involuntary: float
    shape: IntArray
    scale: FloatArray
    stages_ago: FloatArray
    margin: FloatArray
    value: FloatArray
    returned: FloatArray
    pending: tuple[IntArray, FloatArray, FloatArray]
    future: Future

    @classmethod
    def of(cls, future: Future, horizon: float, lasts: Sequence[int]) -> _Now:
        customers, past, effects = future.customers, future.past.purchases, future.effects
        at, rhythm = float(customers.days_observed), past.rhythm
        last = np.zeros(customers.n)
        sold = [past, future.purchases] if future.days else [past]
        for purchases in sold:  # in order of customer and time, so that the last one stays
            last[purchases.orders.customer] = purchases.orders.time
        everybody = np.arange(customers.n)
        clock = effects.order_clock
        since = clock.reading(everybody, np.full(customers.n, at)) - clock.reading(everybody, last)
        is_there = np.isnan(customers.left)
        owed = [pending_margin(purchases, at) for purchases in sold]
        who, back_at, lost = (np.concatenate(column) for column in zip(*owed, strict=True))
        is_owed = is_there[who] & (back_at < at + horizon)
        margin, value = past.tastes.margins(past.prices)
        ends = effects.changes.end - at
        return cls(
            at=at,
            grid=_grid(horizon, [*map(float, lasts), *np.unique(ends[ends > 0.0]).tolist()]),
            is_there=is_there,
            hazard=customers.hazard,
            involuntary=customers.params.involuntary_hazard,
            shape=rhythm.shape.astype(np.int64),
            scale=rhythm.scale,
            stages_ago=since / rhythm.scale,
            margin=margin,
            value=value,
            returned=returned_share(customers),
            pending=(who[is_owed], back_at[is_owed] - at, lost[is_owed]),
            future=future,
        )

    @property
    def n(self) -> int:
        """Number of customers."""
        return self.hazard.size

    def expected(self, change: _Change) -> tuple[FloatArray, FloatArray]:
        """Return the expected margin and the chance to leave of each customer, 0 of who left."""
        margin, leaving = np.zeros(self.n), np.zeros(self.n)
        for who in self._parts():
            margin[who], leaving[who] = self._expected(who, change.of(who))
        who, back_at, lost = self.pending
        alive = self._survival(who, back_at[:, None], change.of(who))[:, 0]
        return margin - np.bincount(who, weights=lost * alive, minlength=self.n), leaving

    def _parts(self) -> Iterator[IntArray]:
        """Yield customers who are there and have the same number of stages, some at a time."""
        for k in np.unique(self.shape[self.is_there]):
            who = np.flatnonzero(self.is_there & (self.shape == k))
            yield from np.array_split(who, -(-who.size // _TOGETHER))

    def _expected(self, who: IntArray, change: _Change) -> tuple[FloatArray, FloatArray]:
        grid, effects = self.grid, self.future.effects
        alive = self._survival(who, grid.time, change)
        back = self._survival(who, grid.back.ravel(), change).reshape(who.size, *grid.back.shape)
        kept = alive - self.returned[who, None] * (back * grid.back_weight).sum(axis=2)
        people, times = np.repeat(who, grid.time.size), np.tile(self.at + grid.time, who.size)
        works = grid.time < change.lasts
        off = effects.discount(people, times).reshape(alive.shape) + change.discount * works
        earned = self.margin[who, None] - np.clip(off, 0.0, 0.9) * self.value[who, None]
        margin = (self._order_rate(who, change) * earned * kept) @ grid.weight
        end = np.array([grid.weight.sum()])
        return margin, 1.0 - self._survival(who, end, change)[:, 0]

    def _survival(self, who: IntArray, ahead: FloatArray, change: _Change) -> FloatArray:
        """Return the chance to be there still, shape (n_customers, n_times)."""
        run = _run(self.future.effects.leaving_clock, self.at, who, ahead, change.log_hazard, change.lasts)
        return np.exp(-self.hazard[who, None] * run - self.involuntary * ahead)

    def _order_rate(self, who: IntArray, change: _Change) -> FloatArray:
        """Return how many orders a day are expected at each time of who is there."""
        time, clock = self.grid.time, self.future.effects.order_clock
        run = _run(clock, self.at, who, time, change.log_rate, change.lasts) / self.scale[who, None]
        k, people = int(self.shape[who[0]]), np.repeat(who, time.size)
        place = clock.steps.place(people, np.tile(self.at + time, who.size), clock.steps.start)
        speed = clock.speed[place].reshape(run.shape)
        speed = speed * np.where(time < change.lasts, np.exp(change.log_rate)[:, None], 1.0)
        return renewal_density(k, self.stages_ago[who], run) * speed / self.scale[who, None]


def renewal_density(k: int, ago: FloatArray, ahead: FloatArray) -> FloatArray:
    """Return the rate of orders a stage, given how long ago the last one was.

    Parameters
    ----------
    k : int
        Stages of a gap, each of mean 1.
    ago : ndarray of shape (n_customers,)
        Time since the last order, within which there was none.
    ahead : ndarray of shape (n_customers, n_times)
        Time from now.

    Returns
    -------
    ndarray of shape (n_customers, n_times)
        Tends to 1 / k.

    Examples
    --------
    >>> renewal_density(1, np.array([3.0]), np.array([[0.5, 2.0]])).tolist()
    [[1.0, 1.0]]
    """
    stage = np.arange(k)
    with np.errstate(divide="ignore"):
        log_share = special.xlogy(stage, ago[:, None]) - special.gammaln(stage + 1.0)
    share = special.softmax(log_share, axis=1)
    root = np.exp(2j * np.pi * np.arange(k) / k)
    weight = share @ root[None, :] ** (stage[:, None] + 1) / k
    density = np.zeros(ahead.shape)
    for r in range(k):
        density += (weight[:, r, None] * np.exp(-ahead * (1.0 - root[r]))).real
    return density


def _run(
    clock: Clock, at: float, who: IntArray, ahead: FloatArray, log_speed: FloatArray, lasts: float
) -> FloatArray:
    """Return by how much clocks run on, faster for the first days; shape (n_customers, n_times)."""
    begin = clock.reading(who, np.full(who.size, at))[:, None]

    def plain(times: FloatArray) -> FloatArray:
        shape = np.broadcast_shapes((who.size, 1), times.shape)
        people = np.broadcast_to(who[:, None], shape)
        return (
            clock.reading(people.ravel(), np.broadcast_to(at + times, shape).ravel()).reshape(shape) - begin
        )

    early = plain(np.minimum(ahead, lasts))
    return plain(ahead) + np.expm1(log_speed)[:, None] * early


def _grid(horizon: float, kinks: Sequence[float]) -> _Grid:
    """Cut the horizon where something ends, and into short parts; Gauss-Legendre points in each."""
    cuts = {0.0, horizon, horizon - RETURN_DELAY, *kinks, *(kink - RETURN_DELAY for kink in kinks)}
    edges = np.unique([*np.clip(list(cuts), 0.0, horizon), *np.arange(0.0, horizon, _PANEL)])
    x, w = special.roots_legendre(_NODES)
    half = np.diff(edges)[:, None] / 2.0
    time = (edges[:-1, None] + half * (x + 1.0)).ravel()
    weight = (half * w).ravel()
    x, w = special.roots_legendre(_LATER)
    chance = -np.expm1(-np.maximum(horizon - time - RETURN_DELAY, 0.0) / RETURN_WAIT)[:, None]
    wait = -RETURN_WAIT * np.log1p(-chance * (x + 1.0) / 2.0)
    return _Grid(time, weight, time[:, None] + RETURN_DELAY + wait, chance * w / 2.0)
