"""What was kept and might surprise: told in a sentence each, with counts and an example."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate

from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.history import consenting
from habitue.records.scales import scale_ends
from habitue.records.schema import CONSENT, RECORDED_AT, Schema
from habitue.vocabulary import one_or_many

__all__ = ["remarks"]

_PRICES = {"transactions": "amount", "contracts": "price"}
_FEWEST, _STEPS = 20, 100
"""Amounts needed to call one unusual; steps of the logarithm in which they are counted."""
_SPREADS, _FACTOR_STEPS = 6.0, 300
"""An unusual amount is 6 robust standard deviations off, and 20 times (e to the 3.00) as large or small."""


def remarks(engine: DuckDBEngine, schema: Schema) -> tuple[str, ...]:
    """Return what is worth knowing about the admitted records of a kind.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the table of the kind.
    schema : Schema
        Of the kind.
    """
    there = engine.columns(schema.kind)
    notes = [*_never_known(schema, there)]
    if RECORDED_AT in there and schema.instant:
        notes += _recorded_early(engine, schema)
    if schema.kind == "transactions":
        notes += _odd_amounts(engine)
    if schema.kind == "contracts" and "ended_at" in there:
        notes += _overlaps(engine)
    if schema.kind == "feedback":
        notes += _off_scale(engine, there)
    if CONSENT in there and schema.kind == "customers":
        notes += _without_consent(engine)
    if schema.kind in _PRICES:
        notes += _outliers(engine, schema.kind, _PRICES[schema.kind])
    return tuple(notes)


def _never_known(schema: Schema, there: Mapping[str, str]) -> list[str]:
    notes: list[str] = []
    for since in dict.fromkeys(schema.known_later.values()):
        names = [name for name, at in schema.known_later.items() if at == since and name in there]
        if names and since not in there:
            notes.append(
                f"{' and '.join(names)} of {schema.kind} stay empty: they are known only from {since} on, "
                f"which the source lacks. Say which column is {since}."
            )
    return notes


def _recorded_early(engine: DuckDBEngine, schema: Schema) -> list[str]:
    early, unknown = engine.rows(
        f"SELECT count(*) FILTER (CAST({RECORDED_AT} AS DATE) < day), count(*) - count({RECORDED_AT}) "
        f"FROM {schema.kind}"
    )[0]
    notes: list[str] = []
    if early:
        notes.append(
            f"{one_or_many(early, 'row was', plural='rows were')} recorded before the day of "
            f"{'its' if early == 1 else 'their'} {schema.instant}: kept, but one of the two is doubtful."
        )
    if unknown:
        told = one_or_many(unknown, "row has", plural="rows have")
        notes.append(f"{told} no {RECORDED_AT}: taken as known on the day itself.")
    return notes


def _odd_amounts(engine: DuckDBEngine) -> list[str]:
    zero, negative, returns_only = engine.rows(
        "SELECT (SELECT count(*) FROM transactions WHERE amount = 0), "
        "(SELECT count(*) FROM transactions WHERE amount < 0), "
        "(SELECT count(*) FROM (SELECT 1 FROM transactions GROUP BY customer_id HAVING max(amount) < 0))"
    )[0]
    notes: list[str] = []
    if zero:
        told = one_or_many(zero, "row has", plural="rows have")
        notes.append(f"{told} the amount 0: kept, {'it is a visit' if zero == 1 else 'they are visits'}.")
    if negative:
        told = one_or_many(negative, "row has", plural="rows have")
        notes.append(f"{told} a negative amount: kept as {'a return' if negative == 1 else 'returns'}.")
    if returns_only:
        told = one_or_many(returns_only, "customer has", plural="customers have")
        who = "this one is" if returns_only == 1 else "they are"
        notes.append(f"{told} returns only and no purchase: {who} not scored.")
    return notes


def _without_consent(engine: DuckDBEngine) -> list[str]:
    agreed = consenting(engine, ["customers"])
    count = engine.rows(
        f"SELECT count(DISTINCT customer_id) - count(DISTINCT customer_id) FILTER ({agreed}) FROM customers"
    )[0][0]
    if not count:
        return []
    told = one_or_many(count, "customer has", plural="customers have")
    return [f"{told} not consented: no record of {'this one' if count == 1 else 'them'} is used."]


def _overlaps(engine: DuckDBEngine) -> list[str]:
    """Find contracts that began before an earlier one of the same customer had ended."""
    count, customers, example = engine.rows(
        "SELECT count(*), count(DISTINCT customer_id), min((customer_id, day)) FROM (SELECT customer_id, "
        "day, max(coalesce(CAST(ended_at AS DATE), DATE '9999-12-31')) OVER (PARTITION BY customer_id "
        "ORDER BY day, ended_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS held_until "
        "FROM contracts) WHERE day < held_until"
    )[0]
    if not count:
        return []
    customer, day = example.values() if isinstance(example, dict) else example
    return [
        f"{one_or_many(count, 'contract')} of {one_or_many(customers, 'customer')} "
        f"{'begins' if count == 1 else 'begin'} before an earlier one has ended (customer {customer} on "
        f"{day}, for one): kept."
    ]


def _off_scale(engine: DuckDBEngine, there: Collection[str]) -> list[str]:
    """Find scores that their scale does not have; scales may be told from the best score to the worst."""
    ends = ", ".join(scale_ends(there))
    count, example = engine.rows(
        "SELECT count(*), min((survey, score, customer_id)) FROM feedback "
        f"WHERE score NOT BETWEEN least({ends}) AND greatest({ends})"
    )[0]
    if not count:
        return []
    survey, score, customer = example.values() if isinstance(example, dict) else example
    return [
        f"{one_or_many(count, 'score is', plural='scores are')} not on the scale of the survey ({survey} "
        f"{score:g} of customer {customer}, for one): kept as answers without a score. Scales go from 0 to "
        "10 for nps and from 1 to 5 for other surveys, unless scale_min and scale_max say otherwise."
    ]


def _outliers(engine: DuckDBEngine, kind: str, column: str) -> list[str]:
    """Flag amounts far from the median on the scale of logarithms, in steps of one in a hundred."""
    # CASE, because conditions are tried in any order, and the logarithm of a return is an error.
    positive = f"CASE WHEN {quoted(column)} > 0 THEN CAST({quoted(column)} AS DOUBLE) END"
    step = f"CAST(round({_STEPS} * ln({positive})) AS INTEGER)"
    counted = engine.rows(
        f"SELECT {step} AS step, count(*) FROM {kind} WHERE {quoted(column)} > 0 GROUP BY 1 ORDER BY 1"
    )
    if sum(count for _, count in counted) < _FEWEST:
        return []
    middle = _median(counted)
    spread = _median(sorted((abs(place - middle), count) for place, count in counted))
    limit = max(_SPREADS * 1.4826 * spread, _FACTOR_STEPS)
    unusual = sum(count for place, count in counted if abs(place - middle) > limit)
    if not unusual:
        return []
    farthest = engine.rows(
        f"SELECT customer_id, {quoted(column)}, abs({step} - $middle) AS off FROM {kind} "
        f"WHERE {quoted(column)} > 0 AND off > $limit ORDER BY off DESC, 2 DESC, 1 LIMIT 3",
        {"middle": middle, "limit": limit},
    )
    told = ", ".join(f"{amount.normalize():,f} of customer {customer}" for customer, amount, _ in farthest)
    values = one_or_many(unusual, f"value of {column} is", plural=f"values of {column} are")
    return [
        f"{values} unusual, more than 20 times above or below the median and 6 robust standard deviations of "
        f"its logarithm: kept. Farthest off: {told}."
    ]


def _median(counted: Sequence[tuple[int, int]]) -> int:
    """Return the lower median of ordered values that come with their counts."""
    below = list(accumulate(count for _, count in counted))
    return counted[bisect_left(below, (below[-1] + 1) // 2)][0]
