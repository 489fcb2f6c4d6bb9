"""`habitue init`: looks at files and proposes what their columns mean, when to look and how far ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from habitue.errors import SchemaError, SettingsError
from habitue.pipelines.columns_of_kinds import consent_hints, guess_decimal_of, guess_kind
from habitue.pipelines.settings import WHOLE_LOG, Settings, as_settings
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine
from habitue.records.history import MAIN_KINDS
from habitue.records.reading import sources_of
from habitue.records.sources import open_source

__all__ = ["Proposal", "Table", "look_at", "main_kind_of", "propose", "propose_horizon"]

_USUAL_GAP = """
SELECT quantile_cont(gap, 0.75) FROM (
    SELECT date_diff('day', lag(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS gap
    FROM (SELECT DISTINCT customer_id, day FROM transactions WHERE amount >= 0)
) WHERE gap IS NOT NULL
"""
_USUAL_PERIOD = """
SELECT billing_period_days FROM contracts WHERE billing_period_days >= 1
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""
_CURRENCIES = "SELECT DISTINCT currency FROM transactions LIMIT 2"
_QUARTER = 91


@dataclass(frozen=True)
class Table:
    """What the source of one kind of record seems to say.

    Attributes
    ----------
    source : str
        A path or address.
    reading : Mapping[str, str]
        Keys of its table in the settings besides the source.
    columns : tuple of str
        All columns that the source has.
    """

    source: str
    reading: Mapping[str, str]
    columns: tuple[str, ...]

    def unused(self, kind: str) -> list[str]:
        """Return the columns that nothing was made of; of customers they are attributes.

        Parameters
        ----------
        kind : str
            The kind of record.
        """
        there = dict.fromkeys(self.columns, "")
        named = {column.name for column in SCHEMAS[kind].columns} & self.reading.keys()
        used = {one for name in named for one in sources_of(SCHEMAS[kind], name, self.reading[name], there)}
        # A column that is called as records here call it is read without being named.
        used |= {name for name in SCHEMAS[kind].optional if name not in self.reading}
        return [name for name in self.columns if name not in used]

    def consent_hints(self, kind: str) -> dict[str, str]:
        """Return the attributes of customers that seem to speak of consent, and what they may be named.

        Parameters
        ----------
        kind : str
            The kind of record; of others than customers there are none.
        """
        return consent_hints(self.unused(kind)) if kind == "customers" else {}


@dataclass(frozen=True)
class Proposal:
    """What the sources seem to say.

    Attributes
    ----------
    tables : Mapping[str, Table]
        By kind of record.
    whole : Mapping[str, str]
        Keys of ``[data]`` that are about the whole log.
    log : CustomerLog
        The sources read that way.
    horizon : int
        Days ahead.
    why_horizon : str
        How it was found.
    money : str
        Code of the currency, where all purchases are on record in one; else empty.
    """

    tables: Mapping[str, Table]
    whole: Mapping[str, str]
    log: CustomerLog
    horizon: int
    why_horizon: str
    money: str = ""


def propose(
    sources: Mapping[str, str],
    given: Mapping[str, Mapping[str, str]] | None = None,
    *,
    today: date | None = None,
) -> Proposal:
    """Look at the source of each kind of record and propose settings for them.

    Parameters
    ----------
    sources : Mapping[str, str]
        Path or URL by kind of record; either transactions or contracts are needed.
    given : Mapping[str, Mapping[str, str]], optional
        Settings that the user named already, by kind of record: ``{"tickets": {"opened_at": "Created"}}``.
        Those of transactions may hold what is one for the whole log, such as ``timezone``.
    today : date, optional
        Rows of later days are set aside.

    Raises
    ------
    SchemaError
        Where no column looks like one that a kind needs: names those there are.
    SettingsError
        Where there are neither transactions nor contracts, or a setting that is given does not exist.
    """
    _check(sources, given or {})
    said = {kind: dict((given or {}).get(kind, {})) for kind in {"transactions": "", **sources}}
    whole = {key: said["transactions"].pop(key) for key in WHOLE_LOG if key in said["transactions"]}
    tables = {kind: look_at(kind, sources[kind], said[kind]) for kind in SCHEMAS if kind in sources}
    log = _settings_of(tables, whole).read(Path(), today=today)
    horizon, why = propose_horizon(log)
    return Proposal(tables, whole, log, horizon, why, _money(log))


def _money(log: CustomerLog) -> str:
    """Return the one currency that amounts are in; nothing where there are several or none is on record."""
    if "transactions" not in log.kinds or "currency" not in log.engine.columns("transactions"):
        return ""
    found = [row[0] for row in log.engine.rows(_CURRENCIES)]
    return str(found[0]) if len(found) == 1 and found[0] is not None else ""


def _check(sources: Mapping[str, str], given: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse settings that do not exist, with the nearest that does, before anything is looked at."""
    if not {"transactions", "contracts"} & sources.keys():
        raise SettingsError(
            "A log needs transactions or contracts. Name the file: habitue init orders.csv, or "
            "habitue init --contracts subscriptions.csv"
        )
    if any("source" in keys for keys in given.values()):
        raise SettingsError(
            "A source is named by itself, such as: habitue init orders.csv --tickets tickets.csv"
        )
    for kind in given.keys() - sources.keys():
        if kind in SCHEMAS and not given[kind].keys() <= (WHOLE_LOG if kind == "transactions" else set()):
            raise SettingsError(
                f"There is no source of {kind}; name its file too, or leave its settings out."
            )
    tables = {kind: {"source": "-", **keys} for kind, keys in given.items() if kind != "transactions"}
    data = {"source": "-", **given.get("transactions", {})}
    as_settings({"data": data, "records": tables}, Settings, described="What was given")


def look_at(kind: str, source: str, given: Mapping[str, str]) -> Table:
    """Look at one source and propose how to read it.

    Parameters
    ----------
    kind : str
        Kind of record.
    source : str
        A path or URL.
    given : Mapping[str, str]
        Settings of its table that the user named already.

    Raises
    ------
    SchemaError
        Where no column looks like one that the kind needs: names those there are.
    """
    engine = DuckDBEngine()
    place = {name: given[name] for name in ("table", "query", "delimiter", "encoding") if name in given}
    relation = open_source(engine, source, **place)
    try:
        types, values = relation.types(engine), relation.sample(engine)
    finally:
        relation.release()
    names = {column.name for column in SCHEMAS[kind].columns}
    columns = {name: column for name, column in given.items() if name in names}
    mapping = guess_kind(kind, types, values, columns, source=relation.described)
    reading = mapping | place | dict(given)
    decimal = guess_decimal_of(kind, mapping, types, values)
    if decimal is not None:
        reading.setdefault("decimal", decimal)
    return Table(source, reading, tuple(types))


def main_kind_of(source: str, named: str | None, given: Mapping[str, str]) -> str:
    """Tell whether a source that was named alone holds transactions or contracts.

    Parameters
    ----------
    source : str
        A path or URL.
    named : str or None
        Kind of record that its name speaks of.
    given : Mapping[str, str]
        Settings of its table that the user named already.

    Returns
    -------
    str
        What its name says. Where that says neither: contracts where its columns say when they begin and end,
        or do not look like those of transactions.
    """
    if named in MAIN_KINDS:
        return named
    contracts = _read_as("contracts", source, given)
    if contracts and ("ended_at" in contracts or not _read_as("transactions", source, given)):
        return "contracts"
    return "transactions"


def _read_as(kind: str, source: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return how a source would be read as one kind of record; nothing where it lacks what that needs."""
    own = {name: column for name, column in given.items() if name not in WHOLE_LOG}
    try:
        return look_at(kind, source, own).reading
    except SchemaError:
        return {}


def _settings_of(tables: Mapping[str, Table], whole: Mapping[str, str]) -> Settings:
    """Return tables as the settings that they propose: what is found is read as it will be read again."""
    every = {kind: {"source": table.source, **table.reading} for kind, table in tables.items()}
    data = {**every.pop("transactions", {}), **whole}
    return as_settings({"data": data, "records": every}, Settings, described="What was found")


def propose_horizon(log: CustomerLog) -> tuple[int, str]:
    """Propose a horizon: long enough for most returning customers to return, short enough to be tested.

    Parameters
    ----------
    log : CustomerLog
        The records.

    Returns
    -------
    tuple of int and str
        Days, in whole weeks, and why. Without transactions, the usual billing period of the contracts, and a
        quarter of a year where it is not known.
    """
    span = (log.observed_until - log.first_day).days
    longest = max(span // 4, 1)
    if "transactions" not in log.kinds:
        days, why = _billing_period(log)
        return (days, why) if days <= longest else (longest, "a quarter of the log")
    quantile = log.engine.rows(_USUAL_GAP)[0][0]
    if quantile is None:
        return longest, "a quarter of the log, as nobody has bought twice yet"
    weeks = 7 * math.ceil(float(quantile) / 7)
    if weeks > longest:
        return (
            longest,
            f"a quarter of the log; three of four repeat purchases come within {quantile:.0f} days",
        )
    return max(weeks, 1), f"three of four repeat purchases come within {quantile:.0f} days of the one before"


def _billing_period(log: CustomerLog) -> tuple[int, str]:
    if "billing_period_days" in log.engine.columns("contracts"):
        for (period,) in log.engine.rows(_USUAL_PERIOD):
            return round(period), "the billing period of most contracts"
    return _QUARTER, "a quarter of a year, as contracts do not say their billing period"
