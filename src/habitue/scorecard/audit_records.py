"""What the audit of the customer base reads: one row a customer, or one a cohort and period, summed in SQL.

Purchases and contracts answer the same questions. Bought: an order is a day with a purchase, spend has
returns taken off, a customer is active in a period with an order in it. Under contract: an order is a
contract in force, spend is its price for the days in the period, and active is who has one running when the
period ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal, TypeAlias

import pandas as pd

from habitue.errors import SettingsError
from habitue.records import History
from habitue.records.history import main_kind

__all__ = ["PERIODS", "PRODUCTS", "Period", "cohort_periods", "customer_values", "price_a_day", "two_periods"]

Period: TypeAlias = Literal["week", "month", "quarter", "year"]

PERIODS: dict[str, str] = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
"""Lengths of a period of the calendar, and how pandas names them."""

_BOUGHT = """
SELECT customer_id, MIN(day) AS first_day, {sums}
FROM ({records}) AS known GROUP BY customer_id
"""

_BOUGHT_WITHIN = """
    COUNT(DISTINCT CASE WHEN {within} AND amount >= 0 THEN day END) AS n_orders{n},
    CAST(COALESCE(SUM(CASE WHEN {within} THEN amount END), 0) AS DOUBLE) AS spend{n},
    COUNT(CASE WHEN {within} THEN 1 END) AS n_records{n}"""

_MARGIN_WITHIN = """,
    CAST(COALESCE(SUM(CASE WHEN {within} THEN margin END), 0) AS DOUBLE) AS margin{n}"""

# A contract covers its first day and not the day on which it ended.
_DAYS = (
    "GREATEST(DATE_DIFF('day', GREATEST(day, $after{n}), "
    "LEAST(COALESCE(CAST(ended_at AS DATE), $before{n}), $before{n})), 0)"
)
_PRICE_A_DAY = "CAST(price AS DOUBLE) / {length}"

_BOUGHT_BY_COHORT = """
WITH cells AS (
    SELECT customer_id, CAST(DATE_TRUNC('{period}', day) AS DATE) AS period,
        COUNT(DISTINCT CASE WHEN amount >= 0 THEN day END) AS n_orders, SUM(amount) AS spend{margin}
    FROM ({records}) AS known GROUP BY customer_id, CAST(DATE_TRUNC('{period}', day) AS DATE)
), starts AS (
    SELECT customer_id, MIN(period) AS cohort, CAST(ARG_MIN(spend, period) AS DOUBLE) AS at_first
    FROM cells GROUP BY customer_id
)
SELECT cohort, period, COUNT(*) AS n_recorded, COUNT(CASE WHEN n_orders > 0 THEN 1 END) AS n_active,
    CAST(SUM(n_orders) AS BIGINT) AS n_orders, CAST(SUM(spend) AS DOUBLE) AS spend{margins}{products}
FROM cells JOIN starts USING (customer_id) GROUP BY cohort, period ORDER BY cohort, period
"""

_HELD_BY_COHORT = """
WITH known AS ({records}), periods AS ({periods}), cells AS (
    SELECT customer_id, period, COUNT(CASE WHEN days > 0 THEN 1 END) AS n_orders, SUM(days * a_day) AS spend,
        COUNT(CASE WHEN runs THEN 1 END) AS n_running
    FROM (
        SELECT customer_id, period, {price} AS a_day,
            GREATEST(DATE_DIFF('day', GREATEST(day, period),
                LEAST(COALESCE(CAST(ended_at AS DATE), after_it), after_it)), 0) AS days,
            ended_at IS NULL OR CAST(ended_at AS DATE) >= after_it AS runs
        FROM known JOIN periods ON day < after_it AND (ended_at IS NULL OR CAST(ended_at AS DATE) >= period)
    ) AS spans GROUP BY customer_id, period
), starts AS (
    SELECT customer_id, MIN(period) AS cohort, ARG_MIN(spend, period) AS at_first
    FROM cells GROUP BY customer_id
)
SELECT cohort, period, COUNT(*) AS n_recorded, COUNT(CASE WHEN n_running > 0 THEN 1 END) AS n_active,
    CAST(SUM(n_orders) AS BIGINT) AS n_orders, SUM(spend) AS spend{products}
FROM cells JOIN starts USING (customer_id) GROUP BY cohort, period ORDER BY cohort, period
"""


_POWERS = {"yy": "y * y", "yx": "y * x", "yyy": "y * y * y", "yyx": "y * y * x", "yxx": "y * x * x"}

PRODUCTS: tuple[str, ...] = tuple(_POWERS)
"""Columns of sums over customers of products of what they spent, y, and spent at age 0, x."""


def _products(wanted: bool) -> str:
    """Return SQL for the sums that intervals of a cohort's revenue are made from."""
    names = str.maketrans({"y": "CAST(spend AS DOUBLE)", "x": "at_first"})
    told = (f", SUM({power.translate(names)}) AS {name}" for name, power in _POWERS.items())
    return "".join(told) if wanted else ""


def customer_values(history: History, *, start: date, end: date | None = None) -> pd.DataFrame:
    """Return what each customer of a period ordered, spent and earned us in it.

    Parameters
    ----------
    history : History
        What was known.
    start : datetime.date
        The day before the period: it is (start, end].
    end : datetime.date, optional
        Its last day; the cutoff where None.

    Returns
    -------
    DataFrame
        Indexed by customer_id, in its order, who has a record in the period: ``first_day`` (of the first
        record ever), ``n_orders``, ``spend`` (money, returns taken off) and, where it is on record,
        ``margin`` (money). Who only returned something has 0 orders.

    Raises
    ------
    SettingsError
        Where the period is empty or ends after the cutoff.

    Examples
    --------
    >>> from datetime import date
    >>> from habitue.records.datasets import cdnow
    >>> values = customer_values(cdnow(sample=True).until("1997-12-31"), start=date(1997, 6, 30))
    >>> len(values), int(values.n_orders.sum()), round(float(values.spend.sum()))
    (619, 1456, 55097)
    """
    last = history.cutoff if end is None else end
    frame = _values(history, [(start, last)])
    return frame.set_axis([name.removesuffix("_1") for name in frame.columns], axis=1)


def two_periods(history: History, *, first: tuple[date, date], second: tuple[date, date]) -> pd.DataFrame:
    """Return what each customer ordered, spent and earned us in either of two periods.

    Parameters
    ----------
    history : History
        What was known.
    first, second : tuple of datetime.date
        Each (start, end]; the second begins when the first has ended or later.

    Returns
    -------
    DataFrame
        As `customer_values`, of who has a record in one of them, with ``_1`` and ``_2`` behind the names; and
        ``is_new``: whether there was no record before the first period.

    Raises
    ------
    SettingsError
        Where a period is empty, ends after the cutoff, or both overlap.

    Examples
    --------
    >>> from datetime import date
    >>> from habitue.records.datasets import cdnow
    >>> halves = (date(1996, 12, 31), date(1997, 6, 30)), (date(1997, 6, 30), date(1997, 12, 31))
    >>> both = two_periods(cdnow(sample=True).until("1997-12-31"), first=halves[0], second=halves[1])
    >>> int((both.n_orders_1 > 0).sum()), int(((both.n_orders_1 > 0) & (both.n_orders_2 > 0)).sum())
    (2357, 619)
    """
    if first[1] > second[0]:
        raise SettingsError(
            f"The second period must begin when the first has ended ({first[1]}); got {second[0]}."
        )
    frame = _values(history, [first, second])
    return frame.assign(is_new=frame["first_day"] > pd.Timestamp(first[0]))


def _values(history: History, spans: Sequence[tuple[date, date]]) -> pd.DataFrame:
    kind = main_kind(history.kinds)
    for start, end in spans:
        if not start < end <= history.cutoff:
            raise SettingsError(
                f"A period is (start, end] and ends by the cutoff {history.cutoff}; got ({start}, {end}]."
            )
    there = history.columns(kind)
    within = _bought_within if kind == "transactions" else _held_within
    sums = ",".join(within(place, there) for place in range(1, len(spans) + 1))
    values = dict(history.values)
    for place, (start, end) in enumerate(spans, start=1):
        values |= {f"after_{place}": start + timedelta(days=1), f"before_{place}": end + timedelta(days=1)}
    any_record = " + ".join(f"n_records_{place}" for place in range(1, len(spans) + 1))
    sql = _BOUGHT.format(sums=sums, records=history.relation(kind))
    frame = history.engine.frame(
        f"SELECT * FROM ({sql}) AS summed WHERE {any_record} > 0 ORDER BY customer_id", values
    )
    kept = [name for name in frame.columns if not name.startswith("n_records")]
    return frame[kept].set_index("customer_id")


def _bought_within(place: int, there: dict[str, str]) -> str:
    text = _BOUGHT_WITHIN + (_MARGIN_WITHIN if "margin" in there else "")
    return text.format(within=f"day >= $after_{place} AND day < $before_{place}", n=f"_{place}")


def _held_within(place: int, there: dict[str, str]) -> str:
    days = _DAYS.format(n=f"_{place}")
    return (
        f"COUNT(CASE WHEN {days} > 0 THEN 1 END) AS n_orders_{place}, "
        f"SUM({days} * {price_a_day(there)}) AS spend_{place}, "
        f"COUNT(CASE WHEN {days} > 0 THEN 1 END) AS n_records_{place}"
    )


def price_a_day(there: dict[str, str]) -> str:
    """Return SQL for what a contract costs a day; it is billed every 30 days where it does not say.

    Parameters
    ----------
    there : dict of str to str
        Columns of the contracts on record.
    """
    length = "COALESCE(NULLIF(billing_period_days, 0), 30)" if "billing_period_days" in there else "30"
    return _PRICE_A_DAY.format(length=f"CAST({length} AS DOUBLE)")


def cohort_periods(history: History, *, period: Period = "month", products: bool = False) -> pd.DataFrame:
    """Return what the customers of each cohort did in each period of the calendar.

    Parameters
    ----------
    history : History
        What was known.
    period : {"week", "month", "quarter", "year"}
        Of the calendar; a cohort is who had the first record in one. Weeks begin on Mondays.
    products : bool
        Whether to return `PRODUCTS`, too.

    Returns
    -------
    DataFrame
        A row for each cohort and each period from then on, up to that of the cutoff: ``cohort`` and
        ``period`` (their first days), ``age`` (periods since the cohort's own), ``complete`` (whether the
        period had ended at the cutoff), ``n_customers`` (of the cohort), ``n_active``, ``n_orders``,
        ``spend`` and, where it is on record, ``margin`` (money). 0 where nothing was done.

    Raises
    ------
    SettingsError
        Where there is no such period.

    Notes
    -----
    Who bought before the log begins is taken to be new with the log: its first cohorts hold old customers.
    Who begins with a return, which is of an order before the log, is in the cohort and not active in it.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> cells = cohort_periods(cdnow(sample=True).until("1997-12-31"), period="quarter")
    >>> cells[["age", "n_customers", "n_active", "n_orders"]].to_numpy().tolist()
    [[0, 2357, 2357, 3169], [1, 2357, 524, 920], [2, 2357, 418, 725], [3, 2357, 404, 731]]
    """
    if period not in PERIODS:
        raise SettingsError(f"A period is one of {', '.join(PERIODS)}; got {period!r}.")
    kind = main_kind(history.kinds)
    summed = _bought_by_cohort if kind == "transactions" else _held_by_cohort
    sql, values = summed(history, period, _products(products))
    found = history.engine.frame(sql, values)
    return _every_cell(found, period, history.cutoff)


def _bought_by_cohort(history: History, period: Period, products: str) -> tuple[str, dict[str, object]]:
    has_margin = "margin" in history.columns("transactions")
    sql = _BOUGHT_BY_COHORT.format(
        period=period,
        records=history.relation("transactions"),
        margin=", SUM(margin) AS margin" if has_margin else "",
        margins=", CAST(COALESCE(SUM(margin), 0) AS DOUBLE) AS margin" if has_margin else "",
        products=products,
    )
    return sql, dict(history.values)


def _held_by_cohort(history: History, period: Period, products: str) -> tuple[str, dict[str, object]]:
    records = history.relation("contracts")
    first = history.engine.rows(f"SELECT MIN(day) FROM ({records}) AS known", history.values)[0][0]
    spans = pd.period_range(first, history.cutoff, freq=PERIODS[period])
    values: dict[str, object] = dict(history.values)
    rows: list[str] = []
    for place, span in enumerate(spans):
        after = min(span.end_time.date(), history.cutoff) + timedelta(days=1)
        values |= {f"period_{place}": span.start_time.date(), f"after_{place}": after}
        rows.append(f"SELECT $period_{place} AS period, $after_{place} AS after_it")
    sql = _HELD_BY_COHORT.format(
        records=records,
        periods=" UNION ALL ".join(rows),
        period=period,
        price=price_a_day(history.columns("contracts")),
        products=products,
    )
    return sql, values


def _every_cell(found: pd.DataFrame, period: Period, cutoff: date) -> pd.DataFrame:
    """Add the cells in which nothing was done, ages, and the size of each cohort."""
    freq = PERIODS[period]
    cohort = pd.PeriodIndex(pd.to_datetime(found["cohort"]), freq=freq)
    spent = pd.PeriodIndex(pd.to_datetime(found["period"]), freq=freq)
    found = found.assign(cohort=cohort, period=spent).set_index(["cohort", "period"])
    sizes = found.loc[cohort == spent, "n_recorded"].droplevel("period")
    last = pd.Period(cutoff, freq=freq)
    pairs = [(one, at) for one in sizes.index for at in pd.period_range(one, last, freq=freq)]
    cells = found.drop(columns="n_recorded").reindex(
        pd.MultiIndex.from_tuples(pairs, names=found.index.names)
    )
    cells = cells.fillna(0).reset_index()
    ages = [(at - one).n for one, at in pairs]
    cells.insert(2, "age", ages)
    cells.insert(3, "complete", [at.end_time.date() <= cutoff for _, at in pairs])
    cells.insert(4, "n_customers", cells["cohort"].map(sizes).astype("int64"))
    cells = cells.astype({"n_active": "int64", "n_orders": "int64"})
    days = {name: [one.start_time.date() for one in cells[name]] for name in ("cohort", "period")}
    return cells.assign(**days)
