"""Covariates that change over time, read from frames: promotions, seasons, prices, contacts per customer.

A frame says what held for which customer from which day on; purchases say when each customer's own clock
began. Here both become the few constant pieces that :mod:`habitue.numerics.covariate_paths` computes with.
What is missing, doubled or interrupted is answered with a sentence, since a week without covariates has no
likelihood. Nothing is learned here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.models.covariate_calendar import (
    FOR_EVER,
    CovariateRows,
    Days,
    Visits,
    covariate_names,
    date_of,
    day_number,
    read_rows,
    read_visits,
    refuse_gaps,
)
from habitue.models.distinct_rows import grouped_rows
from habitue.numerics.covariate_paths import IntArray, Paths, ragged
from habitue.numerics.pareto_nbd_paths import Histories
from habitue.records.days import as_day

__all__ = ["CovariatePaths"]

FloatArray = npt.NDArray[np.float64]


class _Compact(TypedDict):
    """The fields of `CovariatePaths` that rows determine."""

    path: IntArray
    offsets: IntArray
    starts: FloatArray
    values: FloatArray
    reach: FloatArray


@dataclass(frozen=True, eq=False)
class CovariatePaths:
    """What held for each customer when, since the first purchase; made by `from_frames` or `constant`.

    Attributes
    ----------
    customers : pandas.Index
        Customers with a purchase by the cutoff.
    columns : tuple of str
        Covariates.
    cutoff : date
        Last day that is known of.
    history : DataFrame
        frequency, recency and T in days, one row a customer: what an estimator takes as X.
    first_days : ndarray of int of shape (n_customers,)
        Day of the first purchase, counted from 1970.
    at_purchases : ndarray of shape (n_customers, n_covariates)
        Covariates summed over the repeat purchases.
    path : ndarray of int of shape (n_customers,)
        Path of each customer.
    offsets : ndarray of int of shape (n_paths + 1,)
        Where each path's pieces begin.
    starts : ndarray of shape (n_pieces,)
        When each piece begins, in days since the first purchase.
    values : ndarray of shape (n_pieces, n_covariates)
        Covariates along it.
    reach : ndarray of shape (n_customers,)
        Days since the first purchase until which the covariates are known.
    period : int
        Days that the last row of a calendar is taken to hold; 0 where rows say when they end.
    """

    customers: pd.Index
    columns: tuple[str, ...]
    cutoff: date
    history: pd.DataFrame
    first_days: Days
    at_purchases: FloatArray
    path: IntArray
    offsets: IntArray
    starts: FloatArray
    values: FloatArray
    reach: FloatArray
    period: int

    @classmethod
    def from_frames(
        cls,
        purchases: pd.DataFrame,
        covariates: pd.DataFrame,
        *,
        cutoff: date | str,
        columns: Sequence[str] | None = None,
    ) -> CovariatePaths:
        """Read paths from purchases and a long frame of covariates.

        Parameters
        ----------
        purchases : DataFrame
            Columns customer_id and timestamp; one visit a day counts, those after the cutoff do not.
        covariates : DataFrame
            Columns customer_id, starts_at and the covariates: what holds from that day on. With a column
            ends_at (the first day on which the row holds no more; missing means for ever) rows may be of any
            length. Without it they follow a calendar: a row holds until the next day at which any row
            starts, and the last ones as long as most. Rows after the cutoff are the planned future.
        cutoff : date or str
            Last day of the observation.
        columns : sequence of str, optional
            Covariates; all other columns where left out.

        Returns
        -------
        CovariatePaths
            One path a customer with a purchase.

        Raises
        ------
        SettingsError
            If the cutoff is no day.
        SchemaError
            If a column is missing or not numeric.
        DataError
            If a customer has no path, or one with a gap or an overlap, or from after the first purchase,
            or not until the cutoff; or a value is missing.

        Examples
        --------
        >>> purchases = pd.DataFrame(
        ...     {"customer_id": ["ann", "ann"], "timestamp": pd.to_datetime(["2024-01-03", "2024-01-10"])}
        ... )
        >>> weeks = pd.DataFrame(
        ...     {
        ...         "customer_id": "ann",
        ...         "starts_at": pd.date_range("2024-01-01", periods=4, freq="7D"),
        ...         "promotion": [0, 1, 1, 0],
        ...     }
        ... )
        >>> paths = CovariatePaths.from_frames(purchases, weeks, cutoff="2024-01-20")
        >>> paths.starts.tolist(), paths.values.ravel().tolist(), paths.reach.tolist()
        ([0.0, 5.0, 19.0], [0.0, 1.0, 0.0], [26.0])
        """
        names = covariate_names(covariates, columns)
        last = as_day(cutoff, "cutoff")
        visits = read_visits(purchases, last)
        rows, period = read_rows(covariates, names, visits.customers, period=0)
        return _build(visits, last, names, rows, period)

    @classmethod
    def constant(
        cls,
        purchases: pd.DataFrame,
        attributes: pd.DataFrame,
        *,
        cutoff: date | str,
        columns: Sequence[str] | None = None,
    ) -> CovariatePaths:
        """Read paths of covariates that never change.

        Parameters
        ----------
        purchases : DataFrame
            Columns customer_id and timestamp.
        attributes : DataFrame
            Column customer_id and the covariates, one row a customer.
        cutoff : date or str
            Last day of the observation.
        columns : sequence of str, optional
            Covariates; all other columns where left out.

        Returns
        -------
        CovariatePaths
            Paths of one piece, known for ever.

        Raises
        ------
        SchemaError
            If a column is missing or not numeric.
        DataError
            If a customer has no row or two, or a value is missing.

        Examples
        --------
        >>> purchases = pd.DataFrame({"customer_id": ["ann"], "timestamp": pd.to_datetime(["2024-01-03"])})
        >>> attributes = pd.DataFrame({"customer_id": ["ann"], "online": [1]})
        >>> CovariatePaths.constant(purchases, attributes, cutoff="2024-01-20").reach
        array([inf])
        """
        names = covariate_names(attributes, columns)
        last = as_day(cutoff, "cutoff")
        visits = read_visits(purchases, last)
        always = attributes.assign(starts_at=pd.Timestamp(0), ends_at=pd.NaT)
        rows, _ = read_rows(always, names, visits.customers, period=0)
        rows = rows._replace(start=np.full_like(rows.start, visits.first_days.min(initial=0)))
        return _build(visits, last, names, rows, 0)

    def extended(self, covariates: pd.DataFrame) -> CovariatePaths:
        """Return paths that reach further ahead.

        Parameters
        ----------
        covariates : DataFrame
            Rows of the time to come, with the columns of `from_frames`. They follow what is known without
            a gap; what they say of days that are known already is passed over.

        Returns
        -------
        CovariatePaths
            The same customers and histories. Those whom the frame does not speak of keep their reach.

        Raises
        ------
        SchemaError
            If a column is missing or not numeric.
        DataError
            If there is a gap or an overlap, or a value is missing.
        """
        rows, period = read_rows(covariates, self.columns, self.customers, period=self.period)
        known = np.where(np.isinf(self.reach), FOR_EVER, self.first_days + np.minimum(self.reach, 1e9))
        news = rows.end > known[rows.owner]
        rows = rows.at(news)
        start = np.maximum(rows.start, known.astype(np.int64)[rows.owner])
        old = self._pieces()
        merged = CovariateRows(
            np.concatenate([old.owner, rows.owner]),
            np.concatenate([old.start, start]),
            np.concatenate([old.end, rows.end]),
            np.concatenate([old.values, rows.values]),
        )
        order = np.lexsort((merged.start, merged.owner))
        merged = merged.at(order)
        refuse_gaps(merged, self.customers)
        return replace(self, period=period, **_compact(merged, self.first_days))

    def select(
        self, customers: pd.Index, rate: Sequence[str], dropout: Sequence[str]
    ) -> tuple[Histories, Paths, FloatArray]:
        """Return what the formulas need of some customers.

        Parameters
        ----------
        customers : Index
            Whose, in this order.
        rate, dropout : sequence of str
            Covariates of the purchase rate, and of the rate of leaving.

        Returns
        -------
        histories : Histories
            Of the customers.
        paths : Paths
            Distinct paths of these covariates alone.
        reach : ndarray of shape (n_customers,)
            Days since the first purchase until which they are known.

        Raises
        ------
        SchemaError
            If a covariate is missing.
        DataError
            If a customer has no path.
        """
        self._refuse_unknown(rate, dropout)
        who = self.customers.get_indexer(customers)
        if (who < 0).any():
            raise DataError(
                f"expected a covariate path for every customer of X; {int((who < 0).sum())} of {len(who)} "
                f"have none, the first is {customers[int(np.argmax(who < 0))]!r}. Make the paths from the "
                "purchases of all customers, with customer_id of the same type"
            )
        wanted = list(dict.fromkeys((*rate, *dropout)))
        at = [self.columns.index(name) for name in wanted]
        owner = np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))
        path, offsets, starts, values = _distinct(
            owner, self.starts, self.values[:, at], self.offsets.size - 1
        )
        by_rate, by_dropout = ([wanted.index(name) for name in names] for names in (rate, dropout))
        history = self.history.to_numpy(dtype=np.float64)[who]
        sums = self.at_purchases[who][:, [self.columns.index(name) for name in rate]]
        frequency, recency, T = history.T
        histories = Histories(frequency, recency, T, path[self.path[who]], sums)
        paths = Paths(offsets, starts, values[:, by_rate], values[:, by_dropout])
        return histories, paths, self.reach[who]

    def _refuse_unknown(self, *kinds: Sequence[str]) -> None:
        """Refuse covariates that the paths do not have."""
        if missing := [name for names in kinds for name in names if name not in self.columns]:
            raise SchemaError(
                f"expected the covariates {', '.join(dict.fromkeys(missing))} in the paths; there are: "
                f"{', '.join(self.columns) or 'none'}. Add them to the frame the paths are made from"
            )

    def _pieces(self) -> CovariateRows:
        """Return the pieces of every customer as rows of a calendar."""
        owner, step = ragged(np.diff(self.offsets)[self.path])
        index = self.offsets[self.path][owner] + step
        start = self.first_days[owner] + self.starts[index].astype(np.int64)
        ends = np.where(np.isinf(self.reach), FOR_EVER, self.first_days + np.minimum(self.reach, 1e9))
        is_last = np.diff(owner, append=-1) != 0
        end = np.where(is_last, ends.astype(np.int64)[owner], np.append(start[1:], 0))
        return CovariateRows(owner, start, end, self.values[index])


def _build(
    visits: Visits, cutoff: date, names: tuple[str, ...], rows: CovariateRows, period: int
) -> CovariatePaths:
    """Return the paths, once they are known to cover every customer's history."""
    last_day = day_number(cutoff)
    rows = rows.at(rows.end > visits.first_days[rows.owner])
    _refuse_uncovered(visits, rows, last_day)
    counts = np.bincount(visits.owner, minlength=len(visits.customers))
    is_first = np.diff(visits.owner, prepend=-1) != 0
    last_visit = visits.days[np.cumsum(counts) - 1]
    history = pd.DataFrame(
        {
            "frequency": counts - 1,
            "recency": (last_visit - visits.first_days).astype(np.float64),
            "T": (last_day - visits.first_days).astype(np.float64),
        },
        index=visits.customers,
    )
    return CovariatePaths(
        visits.customers,
        names,
        cutoff,
        history,
        visits.first_days,
        _at_purchases(visits, rows, ~is_first),
        **_compact(rows, visits.first_days),
        period=period,
    )


def _refuse_uncovered(visits: Visits, rows: CovariateRows, last_day: int) -> None:
    """Refuse customers whose covariates are not known from the first purchase to the cutoff."""
    n_customers = len(visits.customers)
    begins, ends = np.full(n_customers, FOR_EVER), np.full(n_customers, -FOR_EVER)
    np.minimum.at(begins, rows.owner, rows.start)
    np.maximum.at(ends, rows.owner, rows.end)
    for bad, what in (
        (ends == -FOR_EVER, "have none"),
        (begins > visits.first_days, "have them only from after the first purchase on"),
        (ends < last_day, "have them not until the cutoff"),
    ):
        if bad.any():
            raise DataError(
                f"expected covariates of every customer from the first purchase to {date_of(last_day)}; "
                f"{int(bad.sum())} of {n_customers} {what}, the first is "
                f"{visits.customers[int(np.argmax(bad))]!r}. Add the rows, or leave those customers out"
            )


def _at_purchases(visits: Visits, rows: CovariateRows, is_repeat: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the covariates summed over the repeat purchases of each customer."""
    owner, days = visits.owner[is_repeat], visits.days[is_repeat]
    begin = np.searchsorted(rows.owner, owner)
    times = np.unique(rows.start)
    keys = rows.owner * (len(times) + 1) + np.searchsorted(times, rows.start) + 1
    found = np.searchsorted(
        keys, owner * (len(times) + 1) + np.searchsorted(times, days, side="right"), "right"
    )
    sums = np.zeros((len(visits.customers), rows.values.shape[1]))
    np.add.at(sums, owner, rows.values[np.maximum(found - 1, begin)])
    return sums


def _compact(rows: CovariateRows, first_days: Days) -> _Compact:
    """Return distinct paths of rows that cover each customer's time without a gap, and their reach."""
    starts = np.maximum(rows.start - first_days[rows.owner], 0).astype(np.float64)
    path, offsets, piece_starts, values = _distinct(rows.owner, starts, rows.values, len(first_days))
    last = np.searchsorted(rows.owner, np.arange(len(first_days)), side="right") - 1
    end = rows.end[last]
    reach = np.where(
        end == FOR_EVER, np.inf, (np.where(end == FOR_EVER, first_days, end) - first_days).astype(float)
    )
    return {"path": path, "offsets": offsets, "starts": piece_starts, "values": values, "reach": reach}


def _distinct(
    owner: IntArray, starts: FloatArray, values: FloatArray, n_owners: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return the distinct paths among those of owners: path of each owner, offsets, starts, values.

    Neighbouring pieces with equal covariates become one.
    """
    distinct, code = grouped_rows(values) if values.shape[1] else (values[:1], np.zeros(len(values), np.intp))
    changes = np.ones(len(owner), dtype=np.bool_)
    changes[1:] = (owner[1:] != owner[:-1]) | (code[1:] != code[:-1])
    owner, starts, code = owner[changes], starts[changes], code[changes]
    content = np.stack([starts, code.astype(np.float64)], axis=1)
    bounds = np.searchsorted(owner, np.arange(n_owners + 1))
    known: dict[bytes, int] = {}
    pieces: list[tuple[int, int]] = []
    path = np.empty(n_owners, dtype=np.intp)
    for one, (low, high) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        path[one] = known.setdefault(content[low:high].tobytes(), len(known))
        if len(pieces) < len(known):
            pieces.append((low, high))
    index = np.concatenate([np.arange(low, high) for low, high in pieces])
    offsets = np.concatenate([[0], np.cumsum([high - low for low, high in pieces])]).astype(np.intp)
    return path, offsets, starts[index], distinct[code[index]]
