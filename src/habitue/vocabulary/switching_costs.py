"""Switching costs: what a customer would lose by leaving."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["EXPIRY_DAYS", "TERMS"]

_P = Pillar.SWITCHING_COSTS
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES

EXPIRY_DAYS = (30, 90)
"""Windows, in days after the cutoff, in which points expire."""

_NO_CONTRACT = "never had a contract"
_NONE_ACTIVE = "no active contract"
_NO_TERM = "no active contract with a term"
_NO_TIER = "no tier so far"

_CONTRACTS: Mapping[str, Term] = {
    "contract_tenure": Term(
        "Days since the first contract began.", "day", _P, _STAYS,
        "under contract for {value}", _NO_CONTRACT, "first contract began on the last day",
    ),
    "contract_days_left_min": Term(
        "Days until the first of the active contracts comes to the end of its term.", "day", _P, _STAYS,
        "first contract up for renewal in {value}", _NO_TERM,
    ),
    "contract_days_left_max": Term(
        "Days until the last of the active contracts comes to the end of its term.", "day", _P, _STAYS,
        "bound by contract for {value}", _NO_TERM,
    ),
    "termination_fees": Term(
        "Fees for ending all active contracts at once.", "money", _P, _STAYS,
        "leaving costs {value}", "no active contract with a known fee", "leaving costs nothing",
    ),
    "contract_price_per_30_days": Term(
        "Price of all active contracts per 30 days.", "money", _P,
        phrase="pays {value} per 30 days by contract", missing=_NO_TERM, zero="pays nothing by contract",
    ),
    "n_contracts": Term(
        "Contracts so far.", "count", _P, _STAYS, "{value} contracts so far", zero=_NO_CONTRACT,
    ),
    "n_contracts_active": Term(
        "Contracts that run at the cutoff.", "count", _P, _STAYS,
        "{value} active contracts", zero=_NONE_ACTIVE,
    ),
    "n_plans_active": Term(
        "Different plans of active contracts: services in use.", "count", _P, _STAYS,
        "{value} services in use", zero="no service in use",
    ),
    "n_plans": Term(
        "Different plans of all contracts so far.", "count", _P, _STAYS,
        "{value} plans so far", zero="no plan on record",
    ),
    "n_contracts_ended_voluntarily": Term(
        "Contracts that the customer ended.", "count", _P, _LEAVES,
        "ended {value} contracts", zero="never ended a contract",
    ),
    "n_contracts_ended_involuntarily": Term(
        "Contracts that ended against the customer's will, such as by a failed payment.",
        "count", _P, _LEAVES,
        "{value} contracts ended involuntarily", zero="no contract ended involuntarily",
    ),
    "n_contract_upgrades": Term(
        "Contracts that followed an ended one at a higher price a day.", "count", _P, _STAYS,
        "{value} upgrades", zero="never upgraded",
    ),
    "n_contract_downgrades": Term(
        "Contracts that followed an ended one at a lower price a day.", "count", _P, _LEAVES,
        "{value} downgrades", zero="never downgraded",
    ),
}  # fmt: skip


def _points_expiring() -> dict[str, Term]:
    """Return one line per window after the cutoff."""
    return {
        f"points_expiring_{days}d": Term(
            f"Points of the balance that expire within {days} days after the cutoff.", "points", _P, _STAYS,
            f"{{value}} points expire within {days} days", zero=f"no points expire within {days} days",
        )
        for days in EXPIRY_DAYS
    }  # fmt: skip


_POINTS: Mapping[str, Term] = {
    "points_balance": Term(
        "Points that were earned and neither redeemed nor lost; spent in the order in which they expire.",
        "points", _P, _STAYS, "{value} points in hand", zero="no points in hand",
    ),
    **_points_expiring(),
    "has_tier": Term(
        "1 where the customer has had a tier of the loyalty programme, 0 otherwise.", "flag", _P, _STAYS,
        "has a tier: {value}", zero=_NO_TIER,
    ),
    "days_at_tier": Term(
        "Days since the first record of the present tier.", "day", _P, _STAYS,
        "at this tier for {value}", _NO_TIER, "reached this tier on the last day",
    ),
    "n_tier_changes": Term(
        "Changes from one tier to another.", "count", _P,
        phrase="{value} changes of tier", zero="tier never changed",
    ),
    "tier_rank": Term(
        "Rank of the customer's tier, 1 for the lowest; 0 where there is none that has a threshold.",
        "count", _P, _STAYS, "tier number {value}", zero=_NO_TIER,
    ),
    "points_to_next_tier": Term(
        "Points to earn until the next tier; missing at the highest and where no points are on record.",
        "points", _P,
        phrase="{value} points to the next tier", missing="no tier to reach",
        zero="has the points for the next tier",
    ),
}  # fmt: skip

TERMS: Mapping[str, Term] = {
    **_CONTRACTS,
    **_POINTS,
    "n_categories_bought": Term(
        "Different categories ever bought from.", "count", _P, _STAYS,
        "bought from {value} categories", zero="no category on record",
    ),
    "n_products_bought": Term(
        "Different products ever bought.", "count", _P, _STAYS,
        "bought {value} different products", zero="no product on record",
    ),
}  # fmt: skip
