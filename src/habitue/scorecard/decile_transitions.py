"""Who moved up, down, out or in between two periods: transitions between tenths by value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.numerics.shares import wilson_interval
from habitue.scorecard.measures import check_confidence

__all__ = ["RETURNED_ONLY", "decile_transitions", "value_deciles"]

RETURNED_ONLY = "returns only"
"""State of who has records in a period and ordered nothing in it."""

_TENTHS = [str(one) for one in range(1, 11)]


def value_deciles(values: pd.DataFrame) -> pd.Categorical:
    """Return each customer's tenth by spend, "1" the best.

    Parameters
    ----------
    values : DataFrame
        ``n_orders`` and ``spend`` (money) of each customer, ordered by customer.

    Returns
    -------
    Categorical
        "1" to "10", or "returns only" where nothing was ordered.

    Notes
    -----
    Of n customers with an order the r-th by spend, from 0, is in the tenth floor(10 r / n) + 1: tenths hold
    the same number of customers or one less. Where spend is equal, who comes first in the table is ahead.

    Examples
    --------
    >>> list(value_deciles(pd.DataFrame({"n_orders": [1, 0, 2], "spend": [5.0, -3.0, 9.0]})))
    ['6', 'returns only', '1']
    """
    ordered = values["n_orders"].to_numpy() > 0
    spend = values["spend"].to_numpy(np.float64)
    codes = np.full(len(values), len(_TENTHS))
    who = np.flatnonzero(ordered)
    ranked = who[np.argsort(-spend[who], kind="stable")]
    codes[ranked] = 10 * np.arange(len(who)) // max(len(who), 1)
    return pd.Categorical.from_codes(codes.tolist(), [*_TENTHS, RETURNED_ONLY], ordered=True)


def decile_transitions(both: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return how many customers went from each tenth of one period to each tenth of the next.

    Parameters
    ----------
    both : DataFrame
        Of `habitue.scorecard.audit_records.two_periods`.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        ``origin`` ("1" to "10" by spend in the first period, "came back", "new"), ``destination`` ("1" to
        "10" in the second, "gone"), ``n``, ``share`` of the origin in [0, 1] with ``lower`` and ``upper``
        (Wilson's), NaN where nobody was in the origin. All 132 rows are there; nobody is both new and gone.

    Raises
    ------
    DataError
        Where nobody ordered in either period.
    SettingsError
        Where the confidence is none.

    Notes
    -----
    Whoever is at the top by chance tends to be lower the next time, with nothing changed: a customer who
    falls one tenth need not have cooled off. "new" and "came back" are as
    `habitue.scorecard.audit.base_changes` has them; who ordered in neither period is left out.

    Examples
    --------
    >>> both = pd.DataFrame({"n_orders_1": [1, 1, 0], "n_orders_2": [1, 0, 1], "spend_1": [9.0, 5.0, 0.0],
    ...                      "spend_2": [9.0, 0.0, 4.0], "is_new": [False, False, True]})
    >>> moves = decile_transitions(both)
    >>> moves.loc[moves.n > 0, ["origin", "destination", "n", "share"]].to_numpy().tolist()
    [['1', '1', 1, 1.0], ['6', 'gone', 1, 1.0], ['new', '6', 1, 1.0]]
    """
    check_confidence(confidence)
    ordered = both.loc[(both["n_orders_1"] > 0) | (both["n_orders_2"] > 0)]
    if ordered.empty:
        raise DataError(
            "Nobody ordered in either period; choose periods in which customers bought something."
        )
    entered = np.where(ordered["is_new"].to_numpy(bool), "new", "came back")
    origin, destination = _place(ordered, 1, entered), _place(ordered, 2, np.full(len(ordered), "gone"))
    origins, destinations = [*_TENTHS, "came back", "new"], [*_TENTHS, "gone"]
    counts = pd.crosstab(origin, destination).reindex(index=origins, columns=destinations, fill_value=0)
    return _shares(counts, confidence)


def _place(both: pd.DataFrame, period: int, otherwise: npt.NDArray[np.str_]) -> npt.NDArray[np.object_]:
    """Return each customer's tenth in a period, or what stands for not being there."""
    values = pd.DataFrame({name: both[f"{name}_{period}"] for name in ("n_orders", "spend")})
    tenths = np.asarray(value_deciles(values), dtype=object)
    return np.where(tenths == RETURNED_ONLY, otherwise.astype(object), tenths)


def _shares(counts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    n = counts.to_numpy(np.int64)
    of = np.repeat(n.sum(axis=1), n.shape[1]).astype(np.float64)
    of[of == 0.0] = np.nan
    share = n.ravel() / of
    lower, upper = wilson_interval(share, of, confidence=confidence)
    return pd.DataFrame(
        {
            "origin": np.repeat(counts.index.to_numpy(object), n.shape[1]),
            "destination": np.tile(counts.columns.to_numpy(object), n.shape[0]),
            "n": n.ravel(),
            "share": share,
            "lower": lower,
            "upper": upper,
        }
    )
