"""The page of features: what each says, what it needs, how it is computed; made from the vocabulary."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable
from importlib import import_module
from itertools import groupby

from markdown_text import folded, marked, table

from habitue.features import FEATURES, LITERATURE, ON_REQUEST, Feature
from habitue.features.relations import RELATIONS, Relation
from habitue.records import SCHEMAS
from habitue.vocabulary import VOCABULARY, Pillar, Term

__all__ = ["features"]

_HEAD = ("name", "meaning", "unit", "more of it", "if none")
_MORE = {
    Pillar.ACTIVITY: "Answers of probability models; `habitue.models.BTYDFeatures` adds them to X.",
    Pillar.SWITCHING_COSTS: "From how many points on a tier is given is no record: "
    "`habitue.features.switching_costs.tier_features` makes these of the thresholds that you name.",
}
"""How features are made that take more than records."""

_LEARNED = " and usual prices that were [learned](../how-to/features.md#what-has-to-be-learned-first)"


def features() -> str:
    """Return the page."""
    pillars = "\n\n".join(_of_pillar(pillar) for pillar in Pillar)
    derived = "\n\n".join(_relation(relation) for relation in RELATIONS.values() if relation.sql)
    asked_for = ", ".join(f"`{name}`" for name in sorted(ON_REQUEST))
    return f"""# Features

{len(FEATURES)} features, by the pillar of loyalty that they speak of and the kind of record that they are
made from. All that your records allow are built, but for {asked_for}, which has to be asked for;
`habitue features --list` shows them. {_names(LITERATURE)} are in every matrix of a log with
transactions.

- *More of it*: which way customers with more of it are expected to go; no model reads it.
- *If none*: what stands for a customer without it; empty where everybody has it. Missing is not 0, and
  models tell the two apart.
- The last 30 days are the cutoff day and the 29 before. `n_events_7d` `30d` are two features, with windows
  of 7 and of 30 days.
- Optional columns that a feature needs are listed below its table.

[How to build them](../how-to/features.md) says what is known when;
[how to add one](../how-to/add-a-feature.md), what a new one takes. Each is one aggregate over the rows of
one customer, in DuckDB's dialect, where `/` divides doubles and has no value if the divisor is 0;
`habitue features --sql DIALECT` prints the whole statement.

{pillars}

## What the SQL reads

The records known at the cutoff, under the name of their kind and with `day` for the calendar day of each,
or one of these tables made from them. `{{key}}` is `customer_id`.

{derived}
"""


def _of_pillar(pillar: Pillar) -> str:
    meant = (inspect.getdoc(import_module(f"habitue.features.{pillar.value}")) or "").partition(": ")[2]
    chosen = sorted((one for one in FEATURES if one.pillar is pillar), key=_place)
    parts = [f"## {_title(pillar)}", marked(meant[:1].upper() + meant[1:])]
    parts += [
        _of_kind(pillar, kind, _families(members)) for kind, members in groupby(chosen, lambda one: one.kind)
    ]
    parts += [_of_more(pillar)]
    return "\n\n".join(part for part in parts if part)


def _of_more(pillar: Pillar) -> str:
    """Tell those words of a pillar that records alone do not make."""
    made = {one.name for one in FEATURES}
    rows = [
        (f"`{name}`", term.meaning, term.unit, term.expected.value, _missing(term))
        for name, term in VOCABULARY.items()
        if term.pillar is pillar and name not in made
    ]
    head = f"### {_title(pillar)}: of more than records"
    return f"{head}\n\n{_MORE[pillar]}\n\n{table(_HEAD, rows).strip()}" if rows else ""


def _title(pillar: Pillar) -> str:
    return pillar.value.replace("_", " ").capitalize()


def _place(one: Feature) -> int:
    return list(SCHEMAS).index(one.kind)


def _of_kind(pillar: Pillar, kind: str, families: list[list[Feature]]) -> str:
    rows = [
        (_names(one), _meaning(one), one[0].unit, one[0].term.expected.value, _if_none(one[0]))
        for one in families
    ]
    parts = [
        f"### {_title(pillar)}: {kind}",
        table(_HEAD, rows).strip(),
        _needs(kind, families),
        folded("SQL", _block("\n\n".join(map(_computed, families)))),
    ]
    return "\n\n".join(part for part in parts if part)


# ---- families: features that differ only in the days of their window ------------------------------


def _families(features: Iterable[Feature]) -> list[list[Feature]]:
    """Put families together, each at the place of its first."""
    found: dict[tuple[str, ...], list[Feature]] = {}
    for one in features:
        key = (one.name, one.term.meaning, one.sql)
        if days := _days(one):
            key = (one.name.removesuffix(f"_{days}d"), _with_days(key[1], days), _with_days(key[2], days))
        found.setdefault(key, []).append(one)
    return list(found.values())


def _days(one: Feature) -> str:
    window = re.search(r"_(\d+)d$", one.name)
    return window[1] if window else ""


def _with_days(text: str, days: str, others: str = "{days}") -> str:
    return re.sub(rf"\b{days}\b", others, text)


def _names(family: Iterable[Feature]) -> str:
    """Name features; of a family the first, and the windows of the others."""
    first, *others = family
    windows = [f"`{_days(one)}d`" if _days(one) else f"`{one.name}`" for one in others]
    return (" " if _days(first) else ", ").join([f"`{first.name}`", *windows])


def _meaning(family: list[Feature]) -> str:
    days, told = [_days(one) for one in family], family[0].term.meaning
    return told if len(days) == 1 else _with_days(told, days[0], f"{', '.join(days[:-1])} or {days[-1]}")


# ---- what a feature needs, and what it is ----------------------------------------------------------


def _if_none(one: Feature) -> str:
    if one.absent is not None:
        return f"{one.absent:g}"
    return _missing(one.term)


def _missing(term: Term) -> str:
    return f"missing: {term.missing}" if term.missing else ""


def _needs(kind: str, families: list[list[Feature]]) -> str:
    lines: dict[str, list[str]] = {}
    for family in families:
        needs = ", ".join(f"`{column}`" for column in family[0].needs)
        needs += _LEARNED if family[0].relation.learned else ""
        if needs:
            lines.setdefault(needs, []).append(_names(family))
    told = "\n".join(f"- {needs}: {', '.join(names)}" for needs, names in lines.items())
    return f"Optional columns of {kind} that are needed:\n\n{told}" if told else ""


def _computed(family: list[Feature]) -> str:
    first = family[0]
    sql = first.sql if len(family) == 1 else _with_days(first.sql, _days(first))
    return f"-- {_names(family).replace('`', '')}, from {first.reads}\n{_wrapped(sql)}"


def _relation(relation: Relation) -> str:
    read = ", ".join(relation.reads) + (f" and {relation.learned}" if relation.learned else "")
    sql = "\n".join(map(_wrapped, relation.sql.strip().splitlines()))
    return folded(f"{relation.name}, made from {read}", _block(sql))


def _wrapped(line: str) -> str:
    return textwrap.fill(line, 88, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _block(sql: str) -> str:
    return f"```sql\n{sql}\n```"
