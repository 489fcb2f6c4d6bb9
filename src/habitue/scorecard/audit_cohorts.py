"""The customer-base audit, lenses three to five: one cohort, cohorts compared, and the whole base over time.

All three read the same counts, a row a cohort and period, so that they cannot contradict one another: a
cohort's rows are those of lens three, and the columns of the whole base sum to the records.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from habitue.errors import DataError

__all__ = ["cohorts_compared", "one_cohort", "whole_base"]


def one_cohort(cells: pd.DataFrame, cohort: date) -> pd.DataFrame:
    """Return what the customers who came together did, period by period (lens 3).

    Parameters
    ----------
    cells : DataFrame
        Of `habitue.scorecard.audit_records.cohort_periods`.
    cohort : datetime.date
        The first day of the period in which they came.

    Returns
    -------
    DataFrame
        A row a period: ``period``, ``age``, ``complete``, ``n_customers``, ``n_active``, ``n_orders``,
        ``spend`` and ``margin`` (money; margin where it is on record), and what spend is made of:
        ``share_active``, ``orders_per_active`` and ``spend_per_order`` (NaN where nobody ordered). Spend is
        n_customers x share_active x orders_per_active x spend_per_order.

    Raises
    ------
    DataError
        Where there is no such cohort; names those there are.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> from habitue.scorecard.audit_records import cohort_periods
    >>> cells = cohort_periods(cdnow(sample=True).until("1997-12-31"))
    >>> one_cohort(cells, date(1997, 2, 1))[["age", "n_customers", "n_active", "n_orders"]].head(3)
       age  n_customers  n_active  n_orders
    0    0          857       857       981
    1    1          857       134       175
    2    2          857       110       139
    """
    rows = cells.loc[cells["cohort"] == cohort]
    if rows.empty:
        there = [str(one) for one in dict.fromkeys(cells["cohort"])]
        raise DataError(
            f"Nobody came in the period that begins on {cohort}. The cohorts are {_some_of(there)}."
        )
    return _taken_apart(rows).drop(columns="cohort").reset_index(drop=True)


def cohorts_compared(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cohorts side by side at the same age, with what a customer has brought so far (lens 4).

    Parameters
    ----------
    cells : DataFrame
        Of `habitue.scorecard.audit_records.cohort_periods`.

    Returns
    -------
    DataFrame
        As `one_cohort`, with ``cohort``; ``spend_per_customer`` and ``spend_per_customer_so_far`` (money per
        customer who came, still active or not; ``margin_...`` too where it is on record). Only periods that
        had ended at the cutoff.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> from habitue.scorecard.audit_records import cohort_periods
    >>> compared = cohorts_compared(cohort_periods(cdnow(sample=True).until("1997-12-31")))
    >>> compared.loc[compared.age == 5].set_index("cohort").spend_per_customer_so_far.round(1).tolist()
    [65.3, 65.6, 68.9]
    """
    table = _taken_apart(cells.loc[cells["complete"]]).reset_index(drop=True)
    for name in ("spend", "margin"):
        if name in table:
            so_far = table.groupby("cohort")[name].cumsum()
            table[f"{name}_per_customer"] = table[name] / table["n_customers"]
            table[f"{name}_per_customer_so_far"] = so_far / table["n_customers"]
    return table


def whole_base(cells: pd.DataFrame) -> pd.DataFrame:
    """Return what each period's money was made of, by when its customers came: the C3 chart (lens 5).

    Parameters
    ----------
    cells : DataFrame
        Of `habitue.scorecard.audit_records.cohort_periods`.

    Returns
    -------
    DataFrame
        A row a period and cohort: ``period``, ``cohort``, ``complete``, ``n_active``, ``n_orders``, ``spend``
        and ``margin`` (money), ``share_spend`` and ``share_active`` (of that period's), and ``is_new``,
        whether the cohort came in that very period. A period's rows sum to all that was recorded in it.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press. McCarthy and
    Fader (2018), Customer-based corporate valuation for publicly traded noncontractual firms, Journal of
    Marketing Research 55 (the customer cohort chart).

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> from habitue.scorecard.audit_records import cohort_periods
    >>> base = whole_base(cohort_periods(cdnow(sample=True).until("1997-12-31")))
    >>> base.loc[base.period == date(1997, 3, 1), ["cohort", "n_active", "is_new"]].to_numpy()[:, 1:].tolist()
    [[95, False], [134, False], [719, True]]
    """
    rows = cells.sort_values(["period", "cohort"], ignore_index=True)
    by_period = rows.groupby("period")
    for name, share in (("spend", "share_spend"), ("n_active", "share_active")):
        whole = by_period[name].transform("sum")
        rows[share] = rows[name] / whole.where(whole != 0)
    kept = [
        "period",
        "cohort",
        "complete",
        "n_active",
        "n_orders",
        "spend",
        "margin",
        "share_spend",
        "share_active",
    ]
    return rows[[name for name in kept if name in rows]].assign(is_new=rows["age"] == 0)


def _taken_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the factors of which spend is made."""
    return rows.assign(
        share_active=rows["n_active"] / rows["n_customers"],
        orders_per_active=rows["n_orders"] / rows["n_active"].where(rows["n_active"] > 0, np.nan),
        spend_per_order=rows["spend"] / rows["n_orders"].where(rows["n_orders"] > 0, np.nan),
    )


def _some_of(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])}, ... {', '.join(names[-2:])}"
