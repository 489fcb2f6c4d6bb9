"""What `allocate` is handed, checked, and put in an order by lot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.allocating.problem import Limit, Problem
from habitue.decisions.fairness_limits import FairnessLimit, Groups
from habitue.decisions.lots import lots
from habitue.errors import DataError, SettingsError

__all__ = ["Asked", "asked"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Asked:
    """A question to the solver.

    Attributes
    ----------
    problem : Problem
        Customers in the order of the lot.
    order : ndarray of int, shape (n_customers,)
        Where each of them stood.
    offers : tuple of str
        Names.
    customers : Index
        As they were handed in.
    """

    problem: Problem
    order: IntArray
    offers: tuple[str, ...]
    customers: pd.Index


def asked(
    gain: Any,
    cost: Any,
    *,
    budget: float | None,
    capacity: Any,
    channels: Sequence[str] | None,
    channel_capacity: Mapping[str, float] | None,
    eligible: Any,
    max_per_customer: int,
    groups: Mapping[str, npt.ArrayLike] | pd.DataFrame | None,
    fairness: Sequence[FairnessLimit],
    random_state: int,
) -> Asked:
    """Check what `habitue.decisions.allocating.allocation.allocate` was handed, and put it in order.

    Parameters
    ----------
    gain, cost, capacity, eligible : object
        As there.
    budget : float or None
        As there.
    channels : sequence of str or None
        As there.
    channel_capacity : mapping of str to float or None
        As there.
    max_per_customer : int
        As there.
    groups : mapping of str to array_like, DataFrame or None
        As there.
    fairness : sequence of FairnessLimit
        As there.
    random_state : int
        As there.

    Raises
    ------
    DataError, SettingsError
        As there.
    """
    table, offers, customers = _gains(gain, eligible)
    n, m = table.shape
    costs = _costs(cost, table, offers, customers)
    if max_per_customer < 1:
        raise SettingsError(f"max_per_customer must be 1 or more; got {max_per_customer!r}.")
    sorts = Groups.of(groups if fairness else None, n)
    order = _order(customers if isinstance(gain, pd.DataFrame) else None, n, random_state)
    limits = [
        *_budget(budget),
        *_capacities(capacity, offers, sorts.n_codes),
        *_channels(channels, channel_capacity, offers, sorts.n_codes),
        *_shares(fairness, sorts, table, m),
    ]
    per_offer = costs.strides[0] == 0
    problem = Problem(
        table[order],
        costs if per_offer else costs[order],
        sorts.code[order],
        tuple(limits),
        max_per_customer,
    )
    return Asked(problem, order, offers, customers)


def _gains(gain: Any, eligible: Any) -> tuple[FloatArray, tuple[str, ...], pd.Index]:
    table = np.array(gain, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"Gains must have a row a customer and a column an offer; got shape {table.shape}.")
    n, m = table.shape
    named = isinstance(gain, pd.DataFrame)
    offers = tuple(map(str, gain.columns)) if named else tuple(f"offer {place}" for place in range(m))
    customers = gain.index if named else pd.RangeIndex(n)
    if len(set(offers)) < m:
        raise DataError(f"Each offer must have one column; got {', '.join(offers)}.")
    if not customers.is_unique:
        twice = customers[customers.duplicated()][0]
        raise DataError(
            f"Gains must have one row a customer; customer {twice} has several. Drop all but one."
        )
    if np.isposinf(table).any():
        raise DataError("A gain is infinite; gains must be money, or NaN where an offer may not be made.")
    if eligible is not None:
        may = np.asarray(
            eligible.reindex(index=customers, columns=list(offers)).fillna(False)
            if isinstance(eligible, pd.DataFrame) and named
            else eligible
        )
        if may.shape not in {(n,), (n, m)}:
            raise DataError(f"eligible must be of the {n} customers and {m} offers; got shape {may.shape}.")
        table[
            ~(may.astype(np.bool_) if may.ndim == 2 else np.repeat(may.astype(np.bool_), m).reshape(n, m))
        ] = np.nan
    table[np.isnan(table)] = -np.inf
    return table, offers, customers


def _costs(cost: Any, gain: FloatArray, offers: tuple[str, ...], customers: pd.Index) -> FloatArray:
    if isinstance(cost, pd.DataFrame):
        _none_missing(offers, cost.columns)
        values = cost.reindex(index=customers, columns=list(offers)).to_numpy(dtype=np.float64)
    elif isinstance(cost, (Mapping, pd.Series)):
        by_name = cast("Mapping[str, float]", cost)
        _none_missing(offers, by_name.keys())
        values = np.array([by_name[offer] for offer in offers], dtype=np.float64)
    else:
        values = np.asarray(cost, dtype=np.float64)
    try:
        costs = np.broadcast_to(values, gain.shape)
    except ValueError as error:
        raise DataError(
            f"Costs must be one an offer or one a customer and offer, {gain.shape}; got {values.shape}."
        ) from error
    counts = costs if values.ndim < 2 else np.where(np.isfinite(gain), costs, 0.0)
    if not (np.isfinite(counts).all() and (counts >= 0.0).all()):
        raise DataError("Costs must be money, 0 or more, wherever an offer may be made.")
    return costs if values.ndim < 2 else counts


def _none_missing(offers: Sequence[str], there: Any) -> None:
    if missing := [offer for offer in offers if offer not in there]:
        raise DataError(f"Each offer must have a cost; there is none for {', '.join(missing)}.")


def _order(customers: pd.Index | None, n: int, random_state: int) -> IntArray:
    """Put customers in an order by lot: by their names, where they have any."""
    if customers is None:
        return np.random.default_rng(random_state).permutation(n).astype(np.intp)
    return np.argsort(lots(customers, f"allocate|{random_state}"), kind="stable").astype(np.intp)


def _bound(value: float, name: str) -> float:
    if np.isnan(value) or value < 0.0:
        raise SettingsError(f"The {name} must be 0 or more; got {value!r}.")
    return float(value)


def _budget(budget: float | None) -> list[Limit]:
    if budget is None or np.isposinf(budget):
        return []
    return [Limit("budget", "budget", _bound(budget, "budget"))]


def _capacities(capacity: Any, offers: tuple[str, ...], n_codes: int) -> list[Limit]:
    if capacity is None:
        return []
    if isinstance(capacity, (Mapping, pd.Series)):
        by_name = cast("Mapping[str, float]", capacity)
        if unknown := [name for name in by_name.keys() if name not in offers]:  # noqa: SIM118 - a Series, too
            raise SettingsError(
                f"A capacity is given for {', '.join(map(str, unknown))}; the offers are {', '.join(offers)}."
            )
        values = [float(by_name.get(offer, np.nan)) for offer in offers]
    else:
        values = np.asarray(capacity, dtype=np.float64).tolist()
        if len(values) != len(offers):
            raise SettingsError(f"There must be one capacity an offer, {len(offers)}; got {len(values)}.")
    limits: list[Limit] = []
    for place, value in enumerate(values):
        if not np.isnan(value) and not np.isposinf(value):
            table = np.zeros((n_codes, len(offers)))
            table[:, place] = 1.0
            name = f"capacity of {offers[place]}"
            limits.append(Limit(name, "capacity", np.floor(_bound(value, name)), table))
    return limits


def _channels(
    channels: Sequence[str] | None,
    capacity: Mapping[str, float] | None,
    offers: tuple[str, ...],
    n_codes: int,
) -> list[Limit]:
    if not capacity:
        return []
    if channels is None or len(channels) != len(offers):
        raise SettingsError("Where channels have capacities, channels must name the channel of each offer.")
    if unknown := [name for name in capacity if name not in channels]:
        raise SettingsError(
            f"A capacity is given for channel {', '.join(unknown)}; the offers go through "
            f"{', '.join(dict.fromkeys(channels))}."
        )
    limits: list[Limit] = []
    for channel, value in capacity.items():
        table = np.tile([float(one == channel) for one in channels], (n_codes, 1))
        name = f"capacity of channel {channel}"
        limits.append(Limit(name, "channel", np.floor(_bound(value, name)), table))
    return limits


def _shares(
    fairness: Sequence[FairnessLimit], groups: Groups, gain: FloatArray, n_offers: int
) -> list[Limit]:
    if not fairness:
        return []
    possible = np.isfinite(gain).any(axis=1)
    may_be = np.bincount(groups.code[possible], minlength=groups.n_codes).astype(np.float64)
    return [
        Limit(name, "share", bound, np.tile(weights[:, np.newaxis], (1, n_offers)))
        for limit in fairness
        for weights, bound, name in groups.rows(limit, may_be)
    ]
