"""Perceived value: whether it was worth the money.

A line of a purchase has an amount of 0 or more, a return one below 0. A discount is the money taken off a
line, and a line that names none was sold without; a list price is that of one unit. For which reasons things
are sent back differs from shop to shop: those with a feature are learned from a population before
(`return_reason_features`).
"""

from __future__ import annotations

from collections.abc import Sequence

from habitue.features.feature import Feature, feature
from habitue.features.relations import WIDE
from habitue.records import History
from habitue.records.engine import literal
from habitue.vocabulary.learned import RETURN_REASON, learned_name, return_reason_term
from habitue.vocabulary.perceived_value import TREND_DAYS

__all__ = ["FEATURES", "return_reason_features"]

_BOUGHT = "FILTER (WHERE amount >= 0)"
_RETURNED = "FILTER (WHERE amount < 0)"


@feature("transactions")
def discount_share() -> str:
    """Discounts over what the purchases would have cost without them."""
    return f"COALESCE(SUM(discount) {_BOUGHT}, 0) / SUM(amount + COALESCE(discount, 0)) {_BOUGHT}"


@feature("transactions")
def full_price_share() -> str:
    """Share of purchased lines without a discount."""
    return f"COUNT(*) FILTER (WHERE amount >= 0 AND COALESCE(discount, 0) <= 0) / COUNT(*) {_BOUGHT}"


@feature("transactions")
def list_price_ratio() -> str:
    """Amount paid over the list price, for the lines that have one."""
    listed = "FILTER (WHERE amount >= 0 AND quantity > 0 AND list_price > 0)"
    return f"SUM(amount) {listed} / SUM(CAST(quantity AS {WIDE}) * list_price) {listed}"


@feature("priced")
def usual_price_ratio() -> str:
    """Amount paid over what the same products usually cost."""
    return f"SUM(amount) / SUM(CAST(quantity AS {WIDE}) * usual_price)"


@feature("priced")
def usual_price_trend() -> str:
    """Return that ratio in the last days over the one before."""

    def ratio(span: str) -> str:
        inside = f"FILTER (WHERE DATE_DIFF('day', day, $cutoff) {span})"
        return f"(SUM(amount) {inside} / SUM(CAST(quantity AS {WIDE}) * usual_price) {inside})"

    return f"{ratio(f'< {TREND_DAYS}')} / {ratio(f'>= {TREND_DAYS}')}"


@feature("transactions")
def margin_total() -> str:
    """Margin of all purchases, that of returns taken off."""
    return "SUM(margin)"


@feature("transactions")
def margin_share() -> str:
    """Margin over amount, for the purchased lines whose margin is known."""
    known = "FILTER (WHERE amount >= 0 AND margin IS NOT NULL)"
    return f"SUM(margin) {known} / SUM(amount) {known}"


@feature("transactions")
def returns_share() -> str:
    """Amount returned over amount purchased."""
    return f"COALESCE(-SUM(amount) {_RETURNED}, 0) / SUM(amount) {_BOUGHT}"


@feature("transactions")
def n_returns() -> str:
    """Lines sent back."""
    return f"COUNT(*) {_RETURNED}"


@feature("transactions")
def days_since_return() -> str:
    """Days since something was last sent back."""
    return f"DATE_DIFF('day', MAX(day) {_RETURNED}, $cutoff)"


@feature("transactions")
def n_return_reasons() -> str:
    """Different reasons for which something was sent back."""
    return f"COUNT(DISTINCT return_reason) {_RETURNED}"


@feature("baskets")
def lines_per_visit() -> str:
    """Mean number of lines bought on a day on which products are named."""
    # Where no product is named, a line may as well be a whole order.
    return "SUM(n_lines) FILTER (WHERE n_products > 0) / COUNT(*) FILTER (WHERE n_products > 0)"


@feature("baskets")
def products_per_visit() -> str:
    """Mean number of different products bought on a day."""
    return "SUM(n_products) / COUNT(*) FILTER (WHERE n_products > 0)"


@feature("baskets")
def categories_per_visit() -> str:
    """Mean number of different categories bought from on a day."""
    return "SUM(n_categories) / COUNT(*) FILTER (WHERE n_categories > 0)"


@feature("categories")
def category_entropy() -> str:
    """Return the entropy of the categories bought from: ln S − Σ n·ln n / S, where S = Σ n counts days."""
    # Logarithms are summed as decimals, so that their order does not matter.
    weighed = "SUM(CAST(n_visits * LN(n_visits) AS DECIMAL(28, 12)))"
    return (
        "CASE WHEN COUNT(*) = 1 THEN 0 "
        f"ELSE LN(CAST(SUM(n_visits) AS DOUBLE)) - {weighed} / SUM(n_visits) END"
    )


FEATURES: tuple[Feature, ...] = (
    discount_share,
    full_price_share,
    list_price_ratio,
    usual_price_ratio,
    usual_price_trend,
    margin_total,
    margin_share,
    returns_share,
    n_returns,
    days_since_return,
    n_return_reasons,
    lines_per_visit,
    products_per_visit,
    categories_per_visit,
    category_entropy,
)


def return_reason_features(history: History, reasons: Sequence[str]) -> tuple[Feature, ...]:
    """Return a feature for each reason: its share of the customer's returns with a reason.

    Parameters
    ----------
    history : History
        Says whether its records tell reasons; no feature is made where they do not.
    reasons : sequence of str
        As the records write them; `habitue.snapshots.learn_population` learns those that are common.

    Returns
    -------
    tuple of Feature
        Missing for a customer of whom no return has a reason.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.records import CustomerLog
    >>> log = CustomerLog(transactions=pd.DataFrame(
    ...     {"customer_id": [1, 1], "timestamp": ["2024-01-01", "2024-01-05"], "amount": [5, -5],
    ...      "return_reason": [None, "too small"]}))
    >>> [one.name for one in return_reason_features(log.until("2024-01-05"), ["too small"])]
    ['return_reason_is_too_small']
    """
    if "transactions" not in history.kinds or RETURN_REASON not in history.engine.columns("transactions"):
        return ()
    made: dict[str, Feature] = {}
    for reason in reasons:
        name = learned_name(RETURN_REASON, reason, taken=made)
        given = f"COUNT(*) FILTER (WHERE amount < 0 AND {RETURN_REASON} = {literal(reason)})"
        sql = f"{given} / COUNT({RETURN_REASON}) {_RETURNED}"
        made[name] = Feature(name, "transactions", sql, own_term=return_reason_term(reason))
    return tuple(made.values())
