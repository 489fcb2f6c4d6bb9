"""Activity: how often, how recently, how much."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term, in_windows

__all__ = ["TERMS"]

_P = Pillar.ACTIVITY
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_ONE_PURCHASE = "bought only once, so there is no rhythm yet"
_TOO_NEW = "a customer for too short a time to show a trend"
_NOTHING_SPENT = "nothing spent so far"


def _in_window(days: int, span: str) -> dict[str, Term]:
    return {
        f"n_purchases_{days}d": Term(
            f"Days with a purchase {span} before the cutoff.",
            "count", _P, _STAYS, f"{{value}} purchases {span}", zero=f"no purchase {span}",
        ),
        f"spend_{days}d": Term(
            f"Amount purchased {span} before the cutoff.",
            "money", _P, _STAYS, f"spent {{value}} {span}", zero=f"spent nothing {span}",
        ),
    }  # fmt: skip


TERMS: Mapping[str, Term] = {
    # activity: the literature's four
    "frequency": Term(
        "Repeat purchases: days with a purchase, less the first.", "count", _P, _STAYS,
        "{value} repeat purchases so far", zero="bought only once so far",
    ),
    "recency": Term(
        "Days from the first to the last purchase.", "day", _P, _STAYS,
        "{value} from first to last purchase", zero="bought only once so far",
    ),
    "T": Term(
        "Days from the first purchase to the cutoff.", "day", _P,
        phrase="customer for {value}", zero="first bought on the last day",
    ),
    "monetary_value": Term(
        "Mean amount of the repeat purchases; 0 where there is none.", "money", _P, _STAYS,
        "{value} per repeat purchase", zero="nothing spent on repeat purchases",
    ),
    # activity: where the customer stands today
    "inactivity": Term(
        "Days since the last purchase.", "day", _P, _LEAVES,
        "last bought {value} ago", zero="bought on the last day",
    ),
    "inactivity_ratio": Term(
        "Days since the last purchase over the customer's own mean gap.", "ratio", _P, _LEAVES,
        "silent for {value} times the usual gap", _ONE_PURCHASE, "bought on the last day",
    ),
    "n_purchases_last_period": Term(
        "Days with a purchase in the period before the cutoff that is as long as the horizon.",
        "count", _P, _STAYS,
        "{value} purchases in the last period", zero="no purchase in the last period",
    ),
    "spend_last_period": Term(
        "Amount purchased in the period before the cutoff that is as long as the horizon.",
        "money", _P, _STAYS, "spent {value} in the last period", zero="spent nothing in the last period",
    ),
    "spend_total": Term("Amount of all purchases so far.", "money", _P, _STAYS, "spent {value} in total"),
    "spend_mean": Term("Mean amount of a purchase.", "money", _P, _STAYS, "{value} per purchase"),
    "spend_max": Term("Largest purchase of one day.", "money", _P, _STAYS, "largest purchase {value}"),
    "spend_first": Term("Amount of the first purchase.", "money", _P, _STAYS, "first purchase {value}"),
    "spend_last": Term("Amount of the last purchase.", "money", _P, _STAYS, "last purchase {value}"),
    "spend_last_over_mean": Term(
        "Amount of the last purchase over the mean of all.", "ratio", _P, _STAYS,
        "last purchase {value} times the usual one", _NOTHING_SPENT, "last purchase was free",
    ),
    "spend_cv": Term(
        "Standard deviation of the purchases' amounts over their mean.", "ratio", _P,
        phrase="amounts vary by {value} of their mean", missing="too few purchases to tell how amounts vary",
        zero="always spends the same",
    ),
    # activity: how it began
    "days_to_second_purchase": Term(
        "Days from the first to the second purchase.", "day", _P, _LEAVES,
        "came back {value} after the first purchase", "never came back after the first purchase",
    ),
    "n_products_first": Term(
        "Different products in the first purchase.", "count", _P, _STAYS,
        "{value} products in the first purchase", zero="no product named in the first purchase",
    ),
    "discount_share_first": Term(
        "Discounts of the first purchase over what it would have cost without them.", "share", _P, _LEAVES,
        "{value} off the first purchase", "first purchase was free", "no discount on the first purchase",
    ),
    # activity: silence against the customer's own rhythm, and trends
    "inactivity_over_gap_median": Term(
        "Days since the last purchase over the customer's own median gap.", "ratio", _P, _LEAVES,
        "silent for {value} times the median gap", _ONE_PURCHASE, "bought on the last day",
    ),
    "inactivity_over_gap_p90": Term(
        "Days since the last purchase over the gap that nine in ten of the customer's own do not exceed.",
        "ratio", _P, _LEAVES,
        "silent for {value} times a long gap of their own", _ONE_PURCHASE, "bought on the last day",
    ),
    "purchases_trend_ratio": Term(
        "Repeat purchases of the last 90 days over those of the 90 days before, one added to each.",
        "ratio", _P, _STAYS, "buys {value} times as often as in the 90 days before", _TOO_NEW,
    ),
    "purchases_trend_score": Term(
        "Laplace's test of a trend in buying: above 0 it quickens, below 0 it slows, beyond 2 not by chance.",
        "score", _P, _STAYS,
        "pace of buying changed by a score of {value}", _ONE_PURCHASE, "pace of buying is steady",
    ),
    "spend_trend_ratio": Term(
        "Spend on repeat purchases of the last 90 days over that of the 90 days before, one mean purchase "
        "added to each.",
        "ratio", _P, _STAYS, "spends {value} times as much as in the 90 days before",
        "too short a time, or too little spent, to show a trend of spend",
    ),
    "spend_trend_slope": Term(
        "Change of spend from one period of 30 days to the next, fitted to the last six.",
        "money", _P, _STAYS,
        "spend changes by {value} every 30 days", _TOO_NEW, "spend neither rises nor falls",
    ),
    "season_share": Term(
        "Share of the earlier purchases that were made within 45 days of this time of the year.", "share", _P,
        _STAYS, "{value} of earlier purchases at this time of the year",
        "a customer for too short a time to show a season", "never bought at this time of the year before",
    ),
    **in_windows(_in_window),
}  # fmt: skip
