"""Switching costs: what a customer would lose by leaving.

Points are counted in points: what one is worth in money is no record, so multiply by your own rate. Tiers are
names: which is above which, and from how many points, is told by `tier_features`. The term of an active
contract is its billing period, renewed again and again; days over 30.4375 are months.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from habitue.errors import SettingsError
from habitue.features.feature import Feature, feature
from habitue.records.engine import literal
from habitue.vocabulary.switching_costs import EXPIRY_DAYS

__all__ = ["FEATURES", "tier_features"]

_ACTIVE = "FILTER (WHERE is_active = 1)"


@feature("terms")
def contract_tenure() -> str:
    """Days since the first contract began."""
    return "DATE_DIFF('day', MIN(day), $cutoff)"


@feature("terms")
def contract_days_left_min() -> str:
    """Days until the first active contract may be left."""
    return "MIN(days_left)"


@feature("terms")
def contract_days_left_max() -> str:
    """Days until all active contracts may be left."""
    return "MAX(days_left)"


@feature("terms")
def termination_fees() -> str:
    """Fees for ending all active contracts; those without a known fee add none."""
    return f"SUM(termination_fee) {_ACTIVE}"


@feature("terms")
def contract_price_per_30_days() -> str:
    """Price of the active contracts per 30 days; exact decimals, as the order of a sum must not matter."""
    price = "CAST(CAST(price AS DOUBLE) * 30 / billing_period_days AS DECIMAL(38, 12))"
    return f"SUM({price}) FILTER (WHERE is_active = 1 AND billing_period_days > 0)"


@feature("terms")
def n_contracts() -> str:
    """Contracts so far."""
    return "COUNT(*)"


@feature("terms")
def n_contracts_active() -> str:
    """Contracts that run at the cutoff."""
    return f"COUNT(*) {_ACTIVE}"


@feature("terms")
def n_plans_active() -> str:
    """Services in use."""
    return f"COUNT(DISTINCT plan) {_ACTIVE}"


@feature("terms")
def n_plans() -> str:
    """Services ever used."""
    return "COUNT(DISTINCT plan)"


@feature("terms")
def n_contracts_ended_voluntarily() -> str:
    """Contracts that the customer ended."""
    return "COUNT(*) FILTER (WHERE is_active = 0 AND ended_reason = 'voluntary')"


@feature("terms")
def n_contracts_ended_involuntarily() -> str:
    """Contracts that ended against the customer's will."""
    return "COUNT(*) FILTER (WHERE is_active = 0 AND ended_reason = 'involuntary')"


@feature("successions")
def n_contract_upgrades() -> str:
    """Contracts that cost more a day than the one before, which had ended."""
    return "COUNT(*) FILTER (WHERE price_change = 1)"


@feature("successions")
def n_contract_downgrades() -> str:
    """Contracts that cost less a day than the one before, which had ended."""
    return "COUNT(*) FILTER (WHERE price_change = -1)"


# What was spent or lost up to the cutoff. Where points that expire sooner are earned later than others, some
# of the others may have been spent first, and more was lost than this says.
_GONE = "SUM(redeemed) + GREATEST(MAX(shortfall) FILTER (WHERE day <= $cutoff), 0)"


@feature("points_days", absent=0)
def points_balance() -> str:
    """Points in hand; on the day on which they expire they are gone."""
    return f"GREATEST(SUM(earned) - ({_GONE}), 0)"


def _points_expiring(days: int) -> Feature:
    """Points in hand that are lost unless they are spent in the next `days` days."""
    due = f"SUM(expiring) FILTER (WHERE DATE_DIFF('day', $cutoff, day) <= {days})"
    return Feature(
        f"points_expiring_{days}d", "points_days", f"GREATEST(COALESCE({due}, 0) - ({_GONE}), 0)", absent=0
    )


@feature("tiers", absent=0)
def has_tier() -> str:
    """Tell whether there is a tier on record."""
    return "CASE WHEN COUNT(is_new) > 0 THEN 1 ELSE 0 END"


@feature("tiers")
def days_at_tier() -> str:
    """Days since the present tier was reached."""
    return "DATE_DIFF('day', MAX(day) FILTER (WHERE is_new = 1), $cutoff)"


@feature("tiers")
def n_tier_changes() -> str:
    """Count changes of tier; the first is none."""
    return "COUNT(*) FILTER (WHERE is_new = 1) - 1"


@feature("categories")
def n_categories_bought() -> str:
    """Different categories ever bought from."""
    return "COUNT(category)"


@feature("transactions")
def n_products_bought() -> str:
    """Different products ever bought."""
    return "COUNT(DISTINCT product_id) FILTER (WHERE amount >= 0)"


FEATURES: tuple[Feature, ...] = (
    contract_tenure,
    contract_days_left_min,
    contract_days_left_max,
    termination_fees,
    contract_price_per_30_days,
    n_contracts,
    n_contracts_active,
    n_plans_active,
    n_plans,
    n_contracts_ended_voluntarily,
    n_contracts_ended_involuntarily,
    n_contract_upgrades,
    n_contract_downgrades,
    points_balance,
    *(_points_expiring(days) for days in EXPIRY_DAYS),
    has_tier,
    days_at_tier,
    n_tier_changes,
    n_categories_bought,
    n_products_bought,
)


def tier_features(thresholds: Mapping[str, int], *, earned_within: int | None = None) -> tuple[Feature, ...]:
    """Return features of a loyalty programme whose tiers are reached by earning points.

    Parameters
    ----------
    thresholds : Mapping[str, int]
        Tier, as the records write it, to the points from which on it is given.
    earned_within : int, optional
        Days before the cutoff in which points count for a tier; all points ever earned where None.

    Returns
    -------
    tuple of Feature
        ``tier_rank`` and ``points_to_next_tier``.

    Raises
    ------
    SettingsError
        Where there is no tier, two have one threshold, or one is negative; where no day counts.

    Notes
    -----
    The tier is the one on record, not the one that the points would give: a programme may grant it otherwise,
    or take it back. A tier without a threshold has the rank 0 and no next tier.

    Examples
    --------
    >>> [chosen.name for chosen in tier_features({"silver": 250, "gold": 750})]
    ['tier_rank', 'points_to_next_tier']
    """
    tiers = _in_order(thresholds)
    if earned_within is not None and earned_within < 1:
        raise SettingsError(f"earned_within must be at least 1 day, or None; got {earned_within}.")
    ranks = " ".join(f"WHEN {literal(tier)} THEN {place}" for place, tier in enumerate(tiers, 1))
    above = " ".join(f"WHEN {literal(tier)} THEN {thresholds[after]}" for tier, after in pairwise(tiers))
    inside = "" if earned_within is None else f" AND DATE_DIFF('day', day, $cutoff) < {earned_within}"
    earned = f"COALESCE(SUM(points) FILTER (WHERE points > 0{inside}), 0)"
    first = thresholds[tiers[0]]
    following = _of_tier(first, f"CASE tier {above} END" if above else "CAST(NULL AS INTEGER)")
    # A missing threshold stays missing: LEAST alone would pass over it.
    to_next = f"{following} - LEAST({earned}, {following})"
    return (
        Feature("tier_rank", "points", _of_tier(0, f"CASE tier {ranks} END")),
        Feature("points_to_next_tier", "points", to_next),
    )


def _of_tier(without: int, sql: str) -> str:
    """Return a value of the last tier on record, or another one where there was none."""
    return f"CASE WHEN COUNT(tier) = 0 THEN {without} ELSE MAX({sql}) FILTER (WHERE nth_last_tier = 1) END"


def _in_order(thresholds: Mapping[str, int]) -> list[str]:
    """Return the tiers from the lowest to the highest."""
    points = list(thresholds.values())
    if not points or min(points) < 0 or len(set(points)) < len(points):
        raise SettingsError(
            "thresholds must name at least one tier, each from another number of points on, none negative, "
            f"such as {{'silver': 250, 'gold': 750}}; got {dict(thresholds)}."
        )
    return sorted(thresholds, key=thresholds.__getitem__)
