"""Repeat purchases over calendar time, and those that a model expects: the numbers of the tracking picture.

What came is counted in SQL where the records are; what was to come follows from a model's parameters and the
days on which customers were acquired. Nothing here draws (see :mod:`habitue.report.plots`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from habitue.errors import DataError, SettingsError
from habitue.evaluation.newcomers import CELLS_AT_ONCE, cohorts_of, covariates_of, params_of_newcomers
from habitue.evaluation.ranking import FloatArray
from habitue.numerics.many_rows import blocks
from habitue.records import CustomerLog
from habitue.snapshots import Window

__all__ = ["tracking"]

_REPEATS = """
WITH history AS ({history}),
visits AS (SELECT DISTINCT customer_id, day FROM history WHERE amount >= 0{chosen}),
firsts AS (SELECT customer_id, MIN(day) AS first FROM visits GROUP BY customer_id)
SELECT DATE_DIFF('day', $acquired_by, day) AS ahead,
    COUNT(*) FILTER (WHERE day > first) AS repeats,
    COUNT(*) FILTER (WHERE day = first) AS acquired
FROM visits JOIN firsts USING (customer_id)
WHERE first <= $acquired_by
GROUP BY day
ORDER BY day
"""
_CHOSEN = " AND customer_id IN (SELECT customer_id FROM tracked_customers)"


def tracking(
    log: CustomerLog, model: Any, window: Window, *, X: pd.DataFrame | None = None, step: int = 7
) -> pd.DataFrame:
    """Count repeat purchases over calendar time, and those that a model expects.

    Parameters
    ----------
    log : CustomerLog
        What happened; may end before the window does.
    model : estimator
        A fitted purchase model.
    window : Window
        Customers acquired by its cutoff are followed until its end.
    X : DataFrame, optional
        Customers to follow, a snapshot's X at the cutoff with T and the model's covariates; all where left
        out. Needed where the model has covariates.
    step : int, default 7
        Days in a period. Periods end on the cutoff and every `step` days before and after it.

    Returns
    -------
    DataFrame
        One row a period: end (its last day), n_days (fewer in the first and the last where they are cut
        short), is_holdout, actual and expected (repeat purchases within it), actual_cumulative and
        expected_cumulative. actual is NaN where a period ends after the log does.

    Raises
    ------
    DataError
        If the cutoff lies outside the log, the model has covariates and X is missing, or X has none of the
        log's customers.
    SettingsError
        If `step` is below 1.

    Notes
    -----
    Expected until day t is the sum over customers acquired on day d <= cutoff of E[purchases in (0, t - d]]
    of a customer just acquired: what the model says from its parameters alone, in the holdout without a look
    at what each customer did before. Purchases are days with a purchase, as everywhere.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting Your Customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24, 275-284, figures 2 and 3.

    Examples
    --------
    >>> import habitue as hb
    >>> log, window = hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)
    >>> weeks = tracking(log, hb.BGNBD().fit(hb.take_snapshot(log, window).X), window)
    >>> len(weeks), int(weeks["actual"].sum()), round(weeks["expected"].sum())
    (78, 4339, 4161)
    """
    if step < 1:
        raise SettingsError(f"step must be a whole number of days of at least 1; got {step!r}.")
    names = covariates_of(model)
    if names and X is None:
        raise DataError(
            f"expected X with T and the covariates {', '.join(names)}, which the model reads; hand in the X "
            "of the snapshot at the cutoff"
        )
    repeats = _repeats(log, window, None if X is None else X.index)
    if X is None:
        known = repeats.loc[repeats["acquired"] > 0]
        customers = pd.DataFrame({"T": -known["ahead"], "n": known["acquired"]})
    else:
        customers = X.loc[:, ["T", *names]].assign(n=1)
    cohorts = cohorts_of(customers, names)
    ends, n_days = _periods(window, oldest=int(cohorts["T"].to_numpy().max()), step=step)
    expected = _expected_until(model, cohorts, ends)
    actual = _within(repeats, ends)
    known_until = (log.observed_until - window.cutoff).days
    actual[ends > known_until] = np.nan
    return pd.DataFrame(
        {
            "end": pd.to_datetime([window.cutoff + timedelta(days=int(day)) for day in ends]),
            "n_days": n_days,
            "is_holdout": ends > 0,
            "actual": actual,
            "expected": np.diff(expected, prepend=0.0),
            "actual_cumulative": np.cumsum(actual),
            "expected_cumulative": expected,
        }
    )


def _repeats(log: CustomerLog, window: Window, chosen: pd.Index | None) -> pd.DataFrame:
    """Return, for each day on which customers acquired by the cutoff bought, what they bought.

    Columns: ahead (days after the cutoff), repeats (purchases that were not the first), acquired (first).
    """
    log.until(window.cutoff)  # refuses a cutoff outside the log
    history = log.until(min(window.end, log.observed_until))
    sql = _REPEATS.format(history=history.relation("transactions"), chosen="" if chosen is None else _CHOSEN)
    values = {"cutoff": history.cutoff, "acquired_by": window.cutoff}
    if chosen is None:
        return log.engine.frame(sql, values)
    log.engine.register("tracked_customers", pa.table({"customer_id": pa.array(chosen)}))
    try:
        found = log.engine.frame(sql, values)
    finally:
        log.engine.unregister("tracked_customers")
    if found.empty:
        raise DataError("expected X to be indexed by the log's customer_id; none of its customers is there")
    return found


def _periods(window: Window, *, oldest: int, step: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the last day of each period, counted from the cutoff, and how many days each has."""
    before = -(oldest // step)  # the period of the first day ends on before * step
    ends = np.arange(before, window.horizon // step + 1) * step
    if ends[-1] < window.horizon:
        ends = np.append(ends, window.horizon)
    return ends, np.diff(ends, prepend=max(ends[0] - step, -oldest - 1))


def _expected_until(model: Any, cohorts: pd.DataFrame, ends: npt.NDArray[np.intp]) -> FloatArray:
    """Return how many repeat purchases are expected by the end of each period."""
    params, formula = params_of_newcomers(model, cohorts), model._formulas().expected_purchases_new
    T, n = (cohorts[name].to_numpy(dtype=np.float64) for name in ("T", "n"))
    expected = np.empty(ends.size)
    at_once = max(1, CELLS_AT_ONCE // T.size)
    for some in blocks(ends.size, at_once):
        age = ends[some, None] + T
        expected[some] = np.where(age > 0.0, formula(params, np.maximum(age, 1.0)), 0.0) @ n
    return expected


def _within(repeats: pd.DataFrame, ends: npt.NDArray[np.intp]) -> FloatArray:
    """Return the repeat purchases of each period."""
    place = np.searchsorted(ends, repeats["ahead"].to_numpy())
    counts = np.zeros(ends.size)
    np.add.at(counts, place, repeats["repeats"].to_numpy(dtype=np.float64))
    return counts
