"""What has to be learned from many customers before one customer can be described.

A product's usual price, the levels of an attribute and the reasons of returns are facts about the population.
They are learned once, from what was known when a model was trained, and carried along with it: scoring looks
them up and never learns them again, so that a customer's row depends on nobody else's records.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from habitue.errors import DataError
from habitue.features import Feature, features_for
from habitue.features.context import attribute_features, attributes
from habitue.features.perceived_value import return_reason_features
from habitue.features.relations import records_sql
from habitue.records import Engine, History
from habitue.records.dialects import canonical
from habitue.records.engine import quoted
from habitue.records.history import main_kind
from habitue.vocabulary.learned import RETURN_REASON

__all__ = ["LEAST_CUSTOMERS", "LEAST_SHARE", "MOST_LEVELS", "Population", "learn_population"]

LEAST_CUSTOMERS, LEAST_SHARE, MOST_LEVELS = 10, 0.01, 20
"""A level is learned where so many customers, and so large a share of them, have it; at most so many. The
same holds for the reasons of returns, among customers with returns."""

_PRICES = pa.schema([("product_id", pa.string()), ("usual_price", pa.decimal128(18, 6))])

# A price that only one customer ever paid would be compared with itself.
_USUAL_PRICES = """
SELECT product_id, CAST(QUANTILE_DISC(unit_price, 0.5) AS DECIMAL(18, 6)) AS usual_price FROM (
    SELECT customer_id, product_id, TRY_CAST(amount / quantity AS DECIMAL(18, 6)) AS unit_price
    FROM ({records}) AS records
    WHERE amount > 0 AND quantity > 0 AND product_id IS NOT NULL
) AS sold
WHERE unit_price > 0
GROUP BY product_id
HAVING MIN(customer_id) < MAX(customer_id)
ORDER BY product_id
"""

_CUSTOMERS = """
FROM ({customers}) AS records
WHERE customer_id IN (SELECT customer_id FROM ({main}) AS known)
"""

_RETURNS = "FROM ({transactions}) AS records WHERE amount < 0"

_LEVELS = """
SELECT level FROM (
    SELECT CAST({column} AS VARCHAR) AS level, COUNT(DISTINCT customer_id) AS n_customers {known} GROUP BY 1
) AS counted
WHERE level IS NOT NULL AND n_customers >= $least
ORDER BY n_customers DESC, level
LIMIT $most
"""


@dataclass(frozen=True)
class Population:
    """What was learned from many customers.

    Attributes
    ----------
    product_prices : pyarrow.Table
        ``product_id`` and ``usual_price`` (DECIMAL(18, 6)): the median price of one unit.
    levels : Mapping[str, tuple of str]
        Column of text in `customers` to the levels that have a feature.
    return_reasons : tuple of str
        Reasons of returns that have a feature.
    """

    product_prices: pa.Table = field(default_factory=_PRICES.empty_table)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    return_reasons: tuple[str, ...] = ()

    def features(self, history: History) -> tuple[Feature, ...]:
        """Return all features that the records of a log and what was learned allow.

        Parameters
        ----------
        history : History
            Says which records there are.

        Examples
        --------
        >>> from habitue.records.datasets import cdnow
        >>> [chosen.name for chosen in Population().features(cdnow(sample=True).until("1997-09-30"))][:2]
        ['frequency', 'recency']
        """
        return (
            *features_for(history, self.tables),
            *attribute_features(history, self.levels),
            *return_reason_features(history, self.return_reasons),
        )

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """Tables that features read, by the name under which they do; only those that hold something."""
        return {"product_prices": self.product_prices} if len(self.product_prices) else {}

    @contextmanager
    def readable_in(self, engine: Engine) -> Generator[None]:
        """Make the tables readable for features, as long as the block lasts.

        Parameters
        ----------
        engine : Engine
            Where features are built.

        Examples
        --------
        >>> from habitue.records import DuckDBEngine
        >>> population, engine = Population.from_json('{"product_prices": {"tea": "2.5"}}'), DuckDBEngine()
        >>> with population.readable_in(engine):
        ...     engine.rows("SELECT product_id FROM product_prices")
        [('tea',)]
        """
        tables = self.tables
        for name, table in tables.items():
            engine.register(name, table)
        try:
            yield
        finally:
            for name in tables:
                engine.unregister(name)

    def to_json(self) -> str:
        """Return all of it as text, prices exact."""
        columns = self.product_prices.to_pydict()
        prices = zip(columns["product_id"], map(str, columns["usual_price"]), strict=True)
        told = {
            "product_prices": dict(prices),
            "levels": {column: list(names) for column, names in self.levels.items()},
            "return_reasons": list(self.return_reasons),
        }
        return json.dumps(told, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Population:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Raises
        ------
        DataError
            Where it is no population.

        Examples
        --------
        >>> population = Population.from_json('{"levels": {"segment": ["gold", "silver"]}}')
        >>> population.levels["segment"]
        ('gold', 'silver')
        """
        try:
            told = json.loads(text)
            prices = {
                str(product): Decimal(price) for product, price in told.get("product_prices", {}).items()
            }
            levels = {str(column): _names(names) for column, names in told.get("levels", {}).items()}
            reasons = _names(told.get("return_reasons", []))
            return cls(_price_table(prices), MappingProxyType(levels), reasons)
        except (ValueError, TypeError, AttributeError, InvalidOperation, pa.ArrowException) as error:
            raise DataError(
                "This is no population as Population.to_json writes it "
                f"({type(error).__name__}: {error}); learn it again with learn_population."
            ) from error


def _names(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"levels and reasons must be lists of text; got {names!r}")
    return tuple(names)


def _price_table(prices: Mapping[str, Decimal]) -> pa.Table:
    columns = {"product_id": list(prices), "usual_price": list(prices.values())}
    return pa.table(columns, schema=_PRICES)


def learn_population(history: History) -> Population:
    """Learn the usual price of each product, the levels of each attribute and the reasons of returns.

    Parameters
    ----------
    history : History
        What was known when the model is trained.

    Returns
    -------
    Population
        The usual price is the exact median of amount over quantity among a product's purchased lines, the
        lower one of two in the middle; products that only one customer bought have none. Levels are those
        of customers known by the cutoff; a level that few of them have is left out, and so names, addresses
        and other text that hardly repeats has no level. Reasons that few customers with returns gave are
        left out alike.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.records import CustomerLog
    >>> log = CustomerLog(transactions=pd.DataFrame(
    ...     {"customer_id": [1, 1, 2], "timestamp": ["2024-01-01"] * 3, "amount": [2.0, 5.0, 3.0],
    ...      "product_id": "tea", "quantity": [1, 2, 1]}))
    >>> learn_population(log.until("2024-01-01")).product_prices.to_pylist()
    [{'product_id': 'tea', 'usual_price': Decimal('2.500000')}]
    """
    prices, levels = _price_table(_usual_prices(history)), MappingProxyType(_levels(history))
    return Population(prices, levels, _return_reasons(history))


def _usual_prices(history: History) -> dict[str, Decimal]:
    if "transactions" not in history.kinds:
        return {}
    there = history.engine.columns("transactions")
    if not {"product_id", "quantity"} <= there.keys():
        return {}
    records = records_sql("transactions", history.relation("transactions"), there)
    sql = canonical(_USUAL_PRICES.format(records=records)).sql("duckdb")
    return dict(history.engine.rows(sql, {"cutoff": history.cutoff}))


def _levels(history: History) -> dict[str, tuple[str, ...]]:
    columns = [column for column, kind in attributes(history).items() if kind == "text"]
    if not columns:
        return {}
    main = main_kind(history.kinds)
    known = _CUSTOMERS.format(customers=history.relation("customers"), main=history.relation(main))
    return {column: found for column in columns if (found := _common(history, column, known))}


def _return_reasons(history: History) -> tuple[str, ...]:
    kind = "transactions"
    if kind not in history.kinds or RETURN_REASON not in history.engine.columns(kind):
        return ()
    return _common(history, RETURN_REASON, _RETURNS.format(transactions=history.relation(kind)))


def _common(history: History, column: str, known: str) -> tuple[str, ...]:
    """Return what enough customers have in a column of text, in the order of the alphabet."""
    cutoff = {"cutoff": history.cutoff}
    n_customers = int(history.engine.rows(f"SELECT COUNT(DISTINCT customer_id) {known}", cutoff)[0][0])
    bounds = cutoff | {"least": max(LEAST_CUSTOMERS, LEAST_SHARE * n_customers), "most": MOST_LEVELS}
    sql = _LEVELS.format(column=quoted(column), known=known)
    return tuple(sorted(str(name) for (name,) in history.engine.rows(sql, bounds)))
