"""What the records of a period say about each customer: SQL in the log's engine, one row a customer back.

Only what was known at the end of the scorecard is read (`CustomerLog.until`). Rows come in the order of
customers, so that the order of the records changes nothing.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from habitue.features.relations import RELATIONS, records_sql
from habitue.records import History
from habitue.records.engine import literal, quoted
from habitue.records.history import main_kind
from habitue.records.scales import scale_ends
from habitue.scorecard.windows import Period

__all__ = [
    "CUSTOMER",
    "UNKNOWN",
    "answers",
    "asked",
    "contacts",
    "contracts",
    "labels",
    "points",
    "purchases",
    "purchases_by_channel",
    "reviews",
    "tickets",
]

CUSTOMER = "customer_id"
UNKNOWN = "unknown"
"""Group of customers of whom the attribute is not on record."""

_NOW = "FILTER (WHERE day > $start)"
_BEFORE = "FILTER (WHERE day <= $start)"

_VISITS = """
SELECT customer_id, {channel} day, SUM(amount) AS amount, {orders} AS n_orders
FROM {rows} WHERE amount >= 0 AND day <= $end AND day > {since} GROUP BY customer_id, {channel} day
"""
_ORDERS = """
(SELECT customer_id, {channel} day, order_id, SUM(amount) AS amount FROM known
WHERE amount >= 0 AND day <= $end AND day > {since} GROUP BY customer_id, {channel} day, order_id) AS orders
"""


def _visits(history: History, since: str, channel: str = "") -> str:
    """Return the query for days with a purchase, and the orders of each.

    An order is an order number of a day; rows of a day without one are one order. Grouped twice, as counting
    different values takes twice as long; and not at all where there are no numbers.
    """
    if "order_id" not in history.columns("transactions"):
        return _VISITS.format(channel=channel, since=since, orders="1", rows="known")
    rows = _ORDERS.format(channel=channel, since=since)
    return _VISITS.format(channel=channel, since=since, orders="COUNT(*)", rows=rows)


def _run(history: History, period: Period | None, sql: str) -> pd.DataFrame:
    """Run a query with those values that it names."""
    values: dict[str, Any] = dict(history.values)
    if period is not None:
        values |= {"start": period.start, "end": period.end, "before": period.before}
    return history.engine.frame(sql, {name: one for name, one in values.items() if f"${name}" in sql})


def _known(history: History, kind: str) -> str:
    return records_sql(kind, history.relation(kind), history.columns(kind))


def purchases(history: History, period: Period) -> pd.DataFrame:
    """Return what customers bought in a period and in the one before; who bought in neither is left out.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id: visits and visits_before (days with a purchase), spend and spend_before,
        orders, first_day and last_day (of the period), last_before (of all days up to the start).
    """
    visits = _visits(history, "$before")
    sql = f"""
    WITH known AS ({_known(history, "transactions")}),
    visits AS ({visits}),
    recent AS (
        SELECT customer_id, COUNT(*) {_NOW} AS visits, COUNT(*) {_BEFORE} AS visits_before,
            COALESCE(CAST(SUM(amount) {_NOW} AS DOUBLE), 0) AS spend,
            COALESCE(CAST(SUM(amount) {_BEFORE} AS DOUBLE), 0) AS spend_before,
            COALESCE(CAST(SUM(n_orders) {_NOW} AS DOUBLE), 0) AS orders,
            MIN(day) {_NOW} AS first_day, MAX(day) {_NOW} AS last_day, MAX(day) {_BEFORE} AS last_before
        FROM visits GROUP BY customer_id
    ),
    past AS (SELECT customer_id, MAX(day) AS long_ago FROM known WHERE amount >= 0 AND day <= $before
        GROUP BY customer_id)
    SELECT customer_id, visits, visits_before, spend, spend_before, orders, first_day, last_day,
        COALESCE(last_before, long_ago) AS last_before
    FROM recent LEFT JOIN past USING (customer_id) ORDER BY customer_id
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def purchases_by_channel(history: History, period: Period) -> pd.DataFrame:
    """Return what customers bought in a period through each channel.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id: channel, spend and orders.
    """
    channel = f"COALESCE(channel, {literal(UNKNOWN)})"
    visits = _visits(history, "$start", "channel,")
    sql = f"""
    WITH known AS ({_known(history, "transactions")}), visits AS ({visits})
    SELECT customer_id, {channel} AS channel, CAST(SUM(amount) AS DOUBLE) AS spend,
        CAST(SUM(n_orders) AS DOUBLE) AS orders
    FROM visits GROUP BY customer_id, {channel} ORDER BY customer_id, {channel}
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def contracts(history: History, period: Period) -> pd.DataFrame:
    """Return which contracts of customers ran at the start and at the end of a period.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id: n_start and n_end (contracts running), price_start and price_end (money per
        day of these; a term without a length is 30 days), ran (on some day of the period).

    Notes
    -----
    A contract does not run on the day on which it ends, as everywhere in this project.
    """
    running = "day <= {day} AND (ended_at IS NULL OR CAST(ended_at AS DATE) > {day})"
    at_start, at_end = (f"FILTER (WHERE {running.format(day=day)})" for day in ("$start", "$end"))
    price = "CAST(price AS DOUBLE) / COALESCE(NULLIF(billing_period_days, 0), 30)"
    sql = f"""
    WITH known AS ({_known(history, "contracts")})
    SELECT customer_id, COUNT(*) {at_start} AS n_start, COUNT(*) {at_end} AS n_end,
        COALESCE(SUM(per_day) {at_start}, 0) AS price_start, COALESCE(SUM(per_day) {at_end}, 0) AS price_end,
        MAX(CASE WHEN ended_at IS NULL OR CAST(ended_at AS DATE) > $start THEN 1 ELSE 0 END) AS ran
    FROM (SELECT customer_id, day, ended_at, CAST({price} AS DECIMAL(38, 12)) AS per_day FROM known) AS priced
    WHERE day <= $end GROUP BY customer_id ORDER BY customer_id
    """
    return (
        _run(history, period, sql)
        .astype({"price_start": "float64", "price_end": "float64"})
        .set_index(CUSTOMER)
    )


def labels(history: History, attributes: tuple[str, ...], cohort: str) -> pd.DataFrame:
    """Return what customers are cut by: their attributes, and the month or quarter in which they came.

    Parameters
    ----------
    history : History
        What was known.
    attributes : tuple of str
        Columns of customers.
    cohort : str
        "month" or "quarter" of the first purchase, or of the first contract in a log without purchases.

    Returns
    -------
    DataFrame of categories
        Indexed by customer_id: cohort, and each attribute; `UNKNOWN` where it is not on record.
    """
    main = main_kind(history.kinds)
    bought = "WHERE amount >= 0" if main == "transactions" else ""
    month = "lpad(CAST(EXTRACT(month FROM first_day) AS VARCHAR), 2, '0')"
    part = month if cohort == "month" else "'Q' || CAST(EXTRACT(quarter FROM first_day) AS VARCHAR)"
    named = "".join(
        f", COALESCE(CAST({quoted(name)} AS VARCHAR), {literal(UNKNOWN)}) AS {quoted(name)}"
        for name in attributes
    )
    people = (
        f"LEFT JOIN ({history.relation('customers')}) AS people USING (customer_id)" if attributes else ""
    )
    sql = f"""
    WITH known AS ({_known(history, main)}),
    came AS (SELECT customer_id, MIN(day) AS first_day FROM known {bought} GROUP BY customer_id)
    SELECT customer_id, CAST(EXTRACT(year FROM first_day) AS VARCHAR) || '-' || {part} AS "cohort"{named}
    FROM came {people} ORDER BY customer_id
    """
    return _run(history, None, sql).set_index(CUSTOMER).astype("category")


def answers(history: History, period: Period) -> pd.DataFrame:
    """Return the last answer of each customer to each survey in a period.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id: survey (nps, csat), score, low and high (ends of the scale). A scale told from
        its best answer to its worst is turned round. Of answers of one instant the lowest counts.
    """
    sql = f"""
    WITH known AS ({_known(history, "feedback")})
    SELECT customer_id, survey, score, low, high FROM ({_scored()}) AS scored
    WHERE survey IN ('nps', 'csat') AND nth_last = 1 ORDER BY customer_id, survey
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def _scored() -> str:
    first, last = (f"CAST({end} AS DOUBLE)" for end in scale_ends())
    return f"""
    SELECT customer_id, survey, sentiment, low, high, score,
        ROW_NUMBER() OVER (PARTITION BY customer_id, survey ORDER BY timestamp DESC, score) AS nth_last
    FROM (
        SELECT customer_id, survey, timestamp, sentiment, LEAST({first}, {last}) AS low,
            GREATEST({first}, {last}) AS high,
            CASE WHEN {first} > {last} THEN {first} + {last} - CAST(score AS DOUBLE)
                ELSE CAST(score AS DOUBLE) END AS score
        FROM known WHERE day > $start AND day <= $end AND score IS NOT NULL
    ) AS turned
    """


def reviews(history: History, period: Period) -> pd.DataFrame:
    """Return what customers' reviews in a period say, all of them.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id: n (reviews on their scale), net (good less bad ones), n_texts and sentiment
        (their sum), n_off (off their scale).
    """
    place = "(score - low) / NULLIF(high - low, 0)"
    sql = f"""
    WITH known AS ({_known(history, "feedback")})
    SELECT customer_id, COUNT(*) FILTER (WHERE place BETWEEN 0 AND 1) AS n,
        COUNT(*) FILTER (WHERE place > 0.6 AND place <= 1)
            - COUNT(*) FILTER (WHERE place < 0.4 AND place >= 0)
            AS net,
        COUNT(sentiment) AS n_texts, COALESCE(CAST(SUM(sentiment) AS DOUBLE), 0) AS sentiment,
        COUNT(*) FILTER (WHERE place IS NULL OR place < 0 OR place > 1) AS n_off
    FROM (SELECT customer_id, sentiment, {place} AS place FROM ({_scored()}) AS scored
        WHERE survey = 'review') AS placed
    GROUP BY customer_id ORDER BY customer_id
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def asked(history: History, period: Period, event: str) -> pd.Index:
    """Return the customers with an event in a period, such as that of a survey sent.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.
    event : str
        Name of the event.
    """
    sql = (
        f"SELECT DISTINCT customer_id FROM ({history.relation('events')}) AS known "
        f"WHERE event = {literal(event)} AND day > $start AND day <= $end ORDER BY customer_id"
    )
    return pd.Index(_run(history, period, sql)[CUSTOMER])


def tickets(history: History, period: Period) -> pd.DataFrame:
    """Return the tickets opened in a period, each with its waits as far as they were seen.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id, one row a ticket: response_hours, resolution_hours, is_answered, is_closed,
        reopened, escalated. Waits that begin before the ticket was opened are missing. One closed without a
        first answer waited for it up to then.
    """
    seen = "CAST($cutoff AS TIMESTAMP) + INTERVAL 1 DAY"

    def hours(until: str) -> str:
        return f"DATE_DIFF('second', DATE_TRUNC('second', opened_at), DATE_TRUNC('second', {until})) / 3600.0"

    sql = f"""
    WITH known AS ({_known(history, "tickets")})
    SELECT customer_id, CAST({hours(f"COALESCE(first_response_at, closed_at, {seen})")} AS DOUBLE)
            AS response_hours,
        CAST({hours(f"COALESCE(closed_at, {seen})")} AS DOUBLE) AS resolution_hours,
        CASE WHEN first_response_at IS NULL THEN 0 ELSE 1 END AS is_answered,
        CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END AS is_closed,
        CASE WHEN reopened THEN 1 WHEN reopened IS NOT NULL THEN 0 END AS reopened,
        CASE WHEN escalated THEN 1 WHEN escalated IS NOT NULL THEN 0 END AS escalated
    FROM known WHERE day > $start AND day <= $end ORDER BY customer_id, 2, 3
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def contacts(history: History, period: Period) -> pd.DataFrame:
    """Return how many contacts customers got in a period through each channel, and answered; no controls.

    Parameters
    ----------
    history : History
        What was known.
    period : Period
        Of which days.

    Returns
    -------
    DataFrame
        Indexed by customer_id, one row a channel: channel, n, answered.
    """
    channel = f"COALESCE(channel, {literal(UNKNOWN)})"
    sql = f"""
    WITH contacts AS ({_known(history, "contacts")}),
    touches AS ({RELATIONS["touches"].sql.format(key=CUSTOMER)})
    SELECT customer_id, {channel} AS channel, COUNT(*) AS n, CAST(SUM(responded) AS BIGINT) AS answered
    FROM touches WHERE day > $start AND day <= $end
    GROUP BY customer_id, {channel} ORDER BY customer_id, {channel}
    """
    return _run(history, period, sql).set_index(CUSTOMER)


def points(history: History) -> pd.DataFrame:
    """Return the points that customers hold at the cutoff, as the feature points_balance counts them.

    Parameters
    ----------
    history : History
        What was known.

    Returns
    -------
    DataFrame
        Indexed by customer_id: points, of those who hold any.
    """
    sql = f"""
    WITH rewards AS ({_known(history, "rewards")}),
    points_days AS ({RELATIONS["points_days"].sql.format(key=CUSTOMER)})
    SELECT customer_id, points FROM (
        SELECT customer_id, CAST(SUM(earned) - SUM(redeemed)
            - GREATEST(MAX(shortfall) FILTER (WHERE day <= $cutoff), 0) AS DOUBLE) AS points
        FROM points_days GROUP BY customer_id
    ) AS held WHERE points > 0 ORDER BY customer_id
    """
    return _run(history, None, sql).set_index(CUSTOMER)
