"""From evidence to rows: cut into groups, small ones pooled or held back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from habitue.scorecard.definitions import definition_of
from habitue.scorecard.estimates import Estimate, Evidence, by_customer, where
from habitue.scorecard.groups import hidden_months, pooled
from habitue.scorecard.measures import Measure
from habitue.scorecard.plan import Plan
from habitue.scorecard.windows import Period

__all__ = ["by_column", "by_month", "of_everybody", "without"]

_MOST_NAMED = 5


def of_everybody(evidence: Evidence, plan: Plan, period: Period) -> Measure:
    """Return the number of all customers of a period, held back where they are too few.

    Parameters
    ----------
    evidence : Evidence
        Of the period.
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    n = evidence.size(evidence.rows)
    if n == 0 and not evidence.is_count:
        return _measure(evidence, _nothing("nobody to tell of in the period"), plan, period)
    if n < plan.min_count and not evidence.is_count:
        return _measure(evidence, _nothing(f"suppressed: {n} of {plan.min_count} needed", n), plan, period)
    return _measure(evidence, evidence.estimate(evidence.rows), plan, period)


def by_month(evidences: Iterable[tuple[Evidence, Period]], plan: Plan) -> list[Measure]:
    """Return the numbers of one measure in the months of a period.

    Parameters
    ----------
    evidences : iterable of (Evidence, Period)
        Of each month.
    plan : Plan
        What was asked for.
    """
    told = list(evidences)
    sizes = {month.group: evidence.size(evidence.rows) for evidence, month in told}
    is_count = any(evidence.is_count for evidence, _ in told)
    hidden = {} if is_count else hidden_months(sizes, min_count=plan.min_count)
    rows: list[Measure] = []
    for evidence, month in told:
        if month.group in hidden:
            estimate = _nothing(hidden[month.group], sizes[month.group])
            rows.append(_measure(evidence, estimate, plan, month))
        else:
            rows.append(of_everybody(evidence, plan, month))
    return rows


def by_column(evidence: Evidence, name: str, plan: Plan, period: Period) -> list[Measure]:
    """Return the numbers of a measure, cut by a column; small groups are pooled.

    Parameters
    ----------
    evidence : Evidence
        Of the period.
    name : str
        The column.
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    rows = evidence.rows
    sizes = {str(group): evidence.size(part) for group, part in rows.groupby(name, observed=True)}
    shown = {group: group for group in sizes}
    if not evidence.is_count:
        shown = pooled({group: size for group, size in sizes.items() if size}, min_count=plan.min_count)
    codes, names = pd.factorize(rows[name])
    groups = np.array([shown.get(str(group), "") for group in names], dtype="object")[codes]
    told: list[Measure] = []
    for group in sorted(set(shown.values())):
        part = where(rows, groups == group)
        note = "; ".join(filter(None, (evidence.note, _together(group, shown))))
        own = replace(evidence, rows=_one_row_each(part) if name == "channel" else part, note=note)
        told.append(of_everybody(own, plan, replace(period, by=name, group=group)))
    return told


def _together(group: str, shown: Mapping[str, str]) -> str:
    """Say which groups a pool is made of."""
    members = sorted(name for name, into in shown.items() if into == group and name != group)
    if not members:
        return ""
    more = f" and {len(members) - _MOST_NAMED} more" if len(members) > _MOST_NAMED else ""
    return f"small groups and the next larger one together: {', '.join(members[:_MOST_NAMED])}{more}"


def _one_row_each(part: pd.DataFrame) -> pd.DataFrame:
    """Add up the channels that a customer used, where they are shown as one."""
    return by_customer(part, [str(name) for name in part.columns if name != "channel"])


def without(evidence: Evidence, why: str, plan: Plan, period: Period) -> Measure:
    """Return a row that says why there is no number.

    Parameters
    ----------
    evidence : Evidence
        Of the period.
    why : str
        The reason.
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    return _measure(evidence, _nothing(why), plan, period)


def _nothing(why: str, n: int = 0) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, n, why)


def _measure(evidence: Evidence, told: Estimate, plan: Plan, period: Period) -> Measure:
    name = evidence.measure
    definition = definition_of(name)
    unit = definition.unit
    if name == "reward_liability" and plan.point_value is not None:
        unit = "money"
    if name.startswith("contract_") and not plan.buys:
        name = name.removeprefix("contract_")
    note = "; ".join(filter(None, (period.note, told.note, evidence.note)))
    return Measure(
        name, told.value, told.lower, told.upper, told.n, definition.sentence, period.by, period.group,
        period.start, period.end, unit, definition.pillar, note,
    )  # fmt: skip
