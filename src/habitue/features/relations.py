"""What a feature may read: the records up to the cutoff, and what is derived of them, customer by customer.

A relation is a query in DuckDB's dialect over relations before it. ``{key}`` stands for the columns that tell
rows of X apart, ``$cutoff`` and ``$horizon`` are bound. Every relation that orders records does so totally,
so that the order in which they came changes nothing.

Numbers of records are exact decimals here, because a sum of exact numbers does not depend on their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from habitue.records.engine import quoted
from habitue.records.scales import SURVEY, scale_ends
from habitue.records.schema import SCHEMAS, ColumnKind

__all__ = ["PERIOD_DAYS", "RELATIONS", "WIDE", "Relation", "records_sql", "with_what_they_read"]

PERIOD_DAYS = 30
"""Length of the periods, counted back from the cutoff, in which habits and trends are measured."""

_EXACT = "DECIMAL(18, 6)"
WIDE = "DECIMAL(19, 6)"
"""Type of one factor of a product of decimals: two of 18 digits are multiplied in 64 bits, and overflow."""
_TYPES: Mapping[ColumnKind, str] = MappingProxyType(
    {
        "id": "VARCHAR",
        "instant": "TIMESTAMP",
        "money": _EXACT,
        "number": _EXACT,
        "text": "VARCHAR",
        "flag": "BOOLEAN",
    }
)


@dataclass(frozen=True)
class Relation:
    """A table that features aggregate, one group a customer.

    Attributes
    ----------
    name : str
        How features and other relations name it.
    kind : str
        Kind of record that it is made from.
    sql : str
        The query; empty for the records themselves.
    columns : Mapping[str, tuple of str]
        Column to the optional columns of the records that it is made from.
    reads : tuple of str
        Relations that the query reads.
    learned : str
        Table that has to be learned from a population before, as `habitue.snapshots.Population` holds it.
    """

    name: str
    kind: str
    sql: str = ""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    reads: tuple[str, ...] = ()
    learned: str = ""


def _records(kind: str) -> Relation:
    """Return the records of a kind as they are known at the cutoff."""
    schema = SCHEMAS[kind]
    columns: dict[str, tuple[str, ...]] = {"day": ()} if schema.instant else {}
    for column in schema.columns:
        columns[column.name] = () if column.required else (column.name,)
    return Relation(kind, kind, columns=columns)


_VISITS = """
SELECT {key}, day, SUM(amount) AS amount FROM transactions WHERE amount >= 0 GROUP BY {key}, day
"""

_GAPS = """
SELECT {key}, day, amount, nth, DATE_DIFF('day', day_before, day) AS gap, day_before,
    DATE_DIFF('day', day_2_before, day_before) AS gap_before
FROM (
    SELECT {key}, day, amount, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY day) AS nth,
        LAG(day) OVER (PARTITION BY {key} ORDER BY day) AS day_before,
        LAG(day, 2) OVER (PARTITION BY {key} ORDER BY day) AS day_2_before FROM visits
) AS numbered WHERE nth > 1
"""

_PERIODS = f"""
SELECT {{key}}, DATE_DIFF('day', day, $cutoff) // {PERIOD_DAYS} AS period, COUNT(*) AS n_visits,
    SUM(amount) AS amount
FROM visits GROUP BY {{key}}, DATE_DIFF('day', day, $cutoff) // {PERIOD_DAYS}
"""

_STREAKS = """
SELECT {key}, MIN(period) AS last_period, COUNT(*) AS length FROM (
    SELECT {key}, period, period - ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY period) AS run FROM periods
) AS runs GROUP BY {key}, run
"""

_BASKETS = """
SELECT {key}, day, COUNT(*) AS n_lines, COUNT(DISTINCT product_id) AS n_products,
    COUNT(DISTINCT category) AS n_categories, SUM(quantity) AS quantity, SUM(amount) AS amount,
    SUM(COALESCE(discount, 0)) AS discount
FROM transactions WHERE amount >= 0 GROUP BY {key}, day
"""

_CATEGORIES = """
SELECT {key}, category, SUM(amount) AS amount, COUNT(DISTINCT day) AS n_visits
FROM transactions WHERE amount >= 0 AND category IS NOT NULL GROUP BY {key}, category
"""

_PRICED = """
SELECT {key}, day, amount, quantity, list_price, usual_price
FROM transactions JOIN product_prices USING (product_id)
WHERE amount > 0 AND quantity > 0 AND usual_price > 0
"""

_TERMS = """
SELECT {key}, day, started_at, ended_at, price, plan, billing_period_days, auto_renew, termination_fee,
    ended_reason, DATE_DIFF('day', day, $cutoff) AS age,
    CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END AS is_active,
    DATE_DIFF('day', day, COALESCE(CAST(ended_at AS DATE), $cutoff)) AS days_held,
    CASE WHEN ended_at IS NULL THEN billing_period_days
        - DATE_DIFF('day', day, $cutoff) % NULLIF(billing_period_days, 0) END AS days_left,
    ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY started_at DESC, price DESC, plan, ended_at) AS nth_last
FROM contracts
"""

_MEMBERS = """
SELECT {key} FROM contracts WHERE ended_at IS NULL GROUP BY {key}
"""

# Days that no contract before covered, and whether a day costs more (1) or less (-1) than it did under the
# contract before, where that had ended. Prices are compared by products, which are exact, not by quotients.
_SUCCESSIONS = """
SELECT {key}, day,
    GREATEST(DATE_DIFF('day', GREATEST(day, COALESCE(covered_until, day)), until), 0) AS days_added,
    CASE WHEN ended_before <= started_at THEN
        CASE WHEN price * CAST(period_before AS {wide}) > price_before * CAST(period AS {wide}) THEN 1
            WHEN price * CAST(period_before AS {wide}) < price_before * CAST(period AS {wide}) THEN -1
            ELSE 0 END END AS price_change
FROM (
    SELECT {key}, day, started_at, until, price, period, MAX(until) OVER (PARTITION BY {key}
            ORDER BY started_at, ended_at, price, period ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        AS covered_until,
        LAG(ended_at) OVER (PARTITION BY {key} ORDER BY started_at, ended_at, price, period) AS ended_before,
        LAG(price) OVER (PARTITION BY {key} ORDER BY started_at, ended_at, price, period) AS price_before,
        LAG(period) OVER (PARTITION BY {key} ORDER BY started_at, ended_at, price, period) AS period_before
    FROM (
        SELECT {key}, day, started_at, ended_at, price, COALESCE(billing_period_days, 30) AS period,
            COALESCE(CAST(ended_at AS DATE), $cutoff) AS until FROM contracts
    ) AS spans
) AS ordered
""".replace("{wide}", WIDE)

# A score that is not on its scale says nothing: it is an answer without a score.
_LOWEST, _HIGHEST = scale_ends()
_ANSWERS = f"""
SELECT {{key}}, day, timestamp, survey, score, text, product_id, sentiment,
    CASE WHEN place >= 0 AND place <= 1 THEN place END AS share,
    ROW_NUMBER() OVER (PARTITION BY {{key}}, survey ORDER BY timestamp DESC, score, place) AS nth_last
FROM (
    SELECT {{key}}, day, timestamp, survey, score, text, product_id, sentiment,
        (score - {_LOWEST}) / ({_HIGHEST} - {_LOWEST}) AS place
    FROM feedback
) AS placed
"""

_VOICES = """
SELECT {key}, day, sentiment,
    ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY timestamp DESC, sentiment) AS nth_last
FROM feedback WHERE sentiment IS NOT NULL
"""

_CASES = """
SELECT {key}, day, opened_at, closed_at, first_response_at, topic, severity, escalated, reopened,
    CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END AS is_open,
    DATE_DIFF('second', DATE_TRUNC('second', opened_at), DATE_TRUNC('second', first_response_at))
        AS response_seconds,
    DATE_DIFF('second', DATE_TRUNC('second', opened_at), DATE_TRUNC('second', closed_at))
        AS resolution_seconds
FROM tickets
"""

_POINTS = """
SELECT {key}, day, timestamp, points, tier, expires_at,
    DATE_DIFF('day', $cutoff, CAST(expires_at AS DATE)) AS days_to_expiry,
    ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY CASE WHEN tier IS NULL THEN 1 ELSE 0 END,
        timestamp DESC, tier) AS nth_last_tier
FROM rewards
"""

# One row a day on which points came, went or expire (days after the cutoff included). Points are spent in the
# order in which they expire; `shortfall` is by how much more had expired than was spent by the day's end, and
# its maximum, where above 0, is what was lost.
_POINTS_DAYS = """
SELECT {key}, day, earned, redeemed, expiring,
    SUM(expiring - redeemed) OVER (PARTITION BY {key} ORDER BY day ROWS UNBOUNDED PRECEDING) AS shortfall
FROM (
    SELECT {key}, day, SUM(earned) AS earned, SUM(redeemed) AS redeemed, SUM(expiring) AS expiring FROM (
        SELECT {key}, day, CASE WHEN points > 0 THEN points ELSE 0 END AS earned,
            CASE WHEN points < 0 THEN -points ELSE 0 END AS redeemed, 0 AS expiring FROM rewards
        UNION ALL
        SELECT {key}, GREATEST(day, CAST(expires_at AS DATE)) AS day, 0 AS earned, 0 AS redeemed,
            points AS expiring FROM rewards WHERE points > 0 AND expires_at IS NOT NULL
    ) AS movements GROUP BY {key}, day
) AS daily
"""

_TIERS = """
SELECT {key}, day, CASE WHEN tier_before = tier THEN 0 ELSE 1 END AS is_new FROM (
    SELECT {key}, day, tier, LAG(tier) OVER (PARTITION BY {key} ORDER BY timestamp, tier DESC) AS tier_before
    FROM rewards WHERE tier IS NOT NULL
) AS ordered
"""

# Controls of an experiment are on record so that its effect can be measured; they were not contacted.
_TOUCHES = """
SELECT {key}, day, timestamp, campaign, channel, offer, cost, arm, responded_at,
    CASE WHEN responded_at IS NULL THEN 0 ELSE 1 END AS responded,
    CAST(responded_at AS DATE) AS responded_on
FROM contacts WHERE arm IS NULL OR arm NOT IN ('control', 'holdout')
"""


def _derived(name: str, kind: str, sql: str, columns: str, *reads: str, learned: str = "") -> Relation:
    """Make a relation; `columns` lists names, each with the optional columns behind it: ``name:a,b``."""
    made: dict[str, tuple[str, ...]] = {}
    for told in columns.split():
        column, _, behind = told.partition(":")
        made[column] = tuple(filter(None, behind.split(",")))
    return Relation(name, kind, sql, made, reads or (kind,), learned)


RELATIONS: Mapping[str, Relation] = MappingProxyType(
    {
        relation.name: relation
        for relation in (
            *map(_records, SCHEMAS),
            _derived("visits", "transactions", _VISITS, "customer_id day amount"),
            _derived(
                "gaps",
                "transactions",
                _GAPS,
                "customer_id day amount nth gap day_before gap_before",
                "visits",
            ),
            _derived("periods", "transactions", _PERIODS, "customer_id period n_visits amount", "visits"),
            _derived("streaks", "transactions", _STREAKS, "customer_id last_period length", "periods"),
            _derived(
                "baskets",
                "transactions",
                _BASKETS,
                "customer_id day amount n_lines n_products:product_id n_categories:category "
                "quantity:quantity discount:discount",
            ),
            _derived(
                "categories",
                "transactions",
                _CATEGORIES,
                "customer_id category:category amount:category n_visits:category",
            ),
            _derived(
                "priced",
                "transactions",
                _PRICED,
                "customer_id day:product_id,quantity amount:product_id,quantity "
                "quantity:product_id,quantity list_price:list_price usual_price:product_id,quantity",
                learned="product_prices",
            ),
            _derived(
                "terms",
                "contracts",
                _TERMS,
                "customer_id day started_at price age ended_at:ended_at is_active:ended_at plan:plan "
                "days_held:ended_at days_left:ended_at,billing_period_days "
                "billing_period_days:billing_period_days "
                "auto_renew:auto_renew termination_fee:termination_fee ended_reason:ended_reason nth_last",
            ),
            _derived(
                "successions",
                "contracts",
                _SUCCESSIONS,
                "customer_id day days_added:ended_at price_change:ended_at",
            ),
            _derived("members", "contracts", _MEMBERS, "customer_id"),
            _derived(
                "answers",
                "feedback",
                _ANSWERS,
                "customer_id day timestamp survey score share nth_last text:text product_id:product_id "
                "sentiment:sentiment",
            ),
            _derived(
                "voices",
                "feedback",
                _VOICES,
                "customer_id day:sentiment sentiment:sentiment nth_last:sentiment",
            ),
            _derived(
                "cases",
                "tickets",
                _CASES,
                "customer_id day opened_at closed_at:closed_at first_response_at:first_response_at "
                "topic:topic severity:severity escalated:escalated,closed_at reopened:reopened,closed_at "
                "is_open:closed_at response_seconds:first_response_at resolution_seconds:closed_at",
            ),
            _derived(
                "points",
                "rewards",
                _POINTS,
                "customer_id day timestamp points tier:tier expires_at:expires_at "
                "days_to_expiry:expires_at nth_last_tier:tier",
            ),
            _derived(
                "points_days", "rewards", _POINTS_DAYS, "customer_id day earned redeemed expiring shortfall"
            ),
            _derived("tiers", "rewards", _TIERS, "customer_id day:tier is_new:tier"),
            _derived(
                "touches",
                "contacts",
                _TOUCHES,
                "customer_id day timestamp campaign channel:channel offer:offer cost:cost arm:arm "
                "responded_at:responded_at responded:responded_at responded_on:responded_at",
            ),
        )
    }
)
"""All relations, each after those that it reads."""


def records_sql(kind: str, known: str, there: Iterable[str]) -> str:
    """Return the query for the records of a kind: absent columns are empty, numbers exact, surveys in small.

    Parameters
    ----------
    kind : str
        Kind of record.
    known : str
        A query for the records up to the cutoff.
    there : iterable of str
        Columns that they have.

    Examples
    --------
    >>> sql = records_sql("events", "SELECT * FROM events", ["customer_id", "day", "timestamp", "event"])
    >>> 'CAST(NULL AS VARCHAR) AS "channel"' in sql
    True
    """
    schema, there = SCHEMAS[kind], dict.fromkeys(there)
    kinds: dict[str, ColumnKind] = {column.name: column.kind for column in schema.columns}
    exact = {
        name: f"TRY_CAST({quoted(name)} AS {_EXACT}) AS {quoted(name)}"
        for name, column_kind in kinds.items()
        if column_kind == "number"
    }
    written = {"survey": f"{SURVEY} AS survey"} if kind == "feedback" else {}
    selected = [(exact | written).get(name, quoted(name)) for name in there]
    selected += [
        f"CAST(NULL AS {_TYPES[column_kind]}) AS {quoted(name)}"
        for name, column_kind in kinds.items()
        if name not in there
    ]
    return f"SELECT {', '.join(selected)} FROM ({known}) AS known"


def with_what_they_read(names: Iterable[str]) -> list[Relation]:
    """Return relations and all that they are made from, in an order in which they can be computed.

    Parameters
    ----------
    names : iterable of str
        Keys of `RELATIONS`.

    Examples
    --------
    >>> [relation.name for relation in with_what_they_read(["gaps"])]
    ['transactions', 'visits', 'gaps']
    """
    wanted: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left.extend(RELATIONS[name].reads)
    return [relation for relation in RELATIONS.values() if relation.name in wanted]
