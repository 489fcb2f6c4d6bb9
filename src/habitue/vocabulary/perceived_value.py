"""Perceived value: whether it was worth the money."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["TERMS", "TREND_DAYS"]

TREND_DAYS = 90
"""The last days, cutoff included, whose prices are compared with those before."""

_P = Pillar.PERCEIVED_VALUE
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_NO_USUAL_PRICE = "bought nothing whose usual price is known"

TERMS: Mapping[str, Term] = {
    "discount_share": Term(
        "Discounts over what the purchases would have cost without them; where none is named there was none.",
        "share", _P, _LEAVES,
        "{value} off what was bought", "nothing bought that could be discounted", "never had a discount",
    ),
    "full_price_share": Term(
        "Share of purchased lines without a discount.", "share", _P, _STAYS,
        "{value} of purchases at full price", zero="never bought at full price",
    ),
    "list_price_ratio": Term(
        "Amount paid over list price times quantity, for the purchased lines that name both.",
        "ratio", _P, _STAYS,
        "paid {value} times the list price", "bought nothing whose list price is known", "paid nothing",
    ),
    "usual_price_ratio": Term(
        "Amount paid over what the same products usually cost: the median price learned for each.",
        "ratio", _P, _STAYS, "paid {value} times the usual prices", _NO_USUAL_PRICE,
    ),
    "usual_price_trend": Term(
        f"Amount paid over the usual prices, in the last {TREND_DAYS} days against the time before.",
        "ratio", _P, _STAYS,
        "pays {value} times as much as before, measured by usual prices",
        "too few purchases with a usual price to tell a trend",
    ),
    "margin_total": Term(
        "Margin of all purchases so far, that of returns taken off.", "money", _P, _STAYS,
        "{value} of margin in total", "no margin on record", "no margin in total",
    ),
    "margin_share": Term(
        "Margin over amount, for the purchased lines whose margin is known.", "share", _P, _STAYS,
        "{value} of the amount is margin", "no margin on record", "bought without margin",
    ),
    "returns_share": Term(
        "Amount returned over amount purchased.", "share", _P, _LEAVES,
        "returned {value} of what was bought", "nothing bought that could be returned",
        "never returned anything",
    ),
    "n_returns": Term(
        "Lines sent back so far.", "count", _P, _LEAVES,
        "{value} returns so far", zero="never returned anything",
    ),
    "days_since_return": Term(
        "Days since something was last sent back.", "day", _P, _STAYS,
        "last return {value} ago", "never returned anything", "returned something on the last day",
    ),
    "n_return_reasons": Term(
        "Different reasons for which something was sent back.", "count", _P, _LEAVES,
        "returned things for {value} reasons", zero="no return with a reason",
    ),
    "lines_per_visit": Term(
        "Mean number of lines bought on a day, over days on which products are named.",
        "ratio", _P, _STAYS, "{value} lines per purchase", "no product named in any purchase",
    ),
    "products_per_visit": Term(
        "Mean number of different products bought on a day, over days on which products are named.",
        "ratio", _P, _STAYS, "{value} different products per purchase", "no product named in any purchase",
    ),
    "categories_per_visit": Term(
        "Mean number of different categories bought from on a day, over days on which they are named.",
        "ratio", _P, _STAYS, "{value} categories per purchase", "no category named in any purchase",
    ),
    "category_entropy": Term(
        "Entropy of the categories bought from, counted in days: 0 for one, ln n for n used equally.",
        "score", _P, _STAYS,
        "spreads purchases over categories (entropy {value})", "no category named in any purchase",
        "buys from a single category",
    ),
}  # fmt: skip
