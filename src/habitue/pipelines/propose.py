"""`habitue init`: looks at a file and proposes what its columns mean, when to look and how far ahead."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from habitue.errors import SchemaError, SettingsError
from habitue.pipelines.files import write_beside
from habitue.records import CustomerLog, DuckDBEngine, read_log
from habitue.records.engine import quoted
from habitue.records.sources import open_source

__all__ = ["Proposal", "propose", "propose_horizon", "write_settings"]

_ID = r"customer|client|kunde|cliente|user|account|member|buyer|shopper|household|guest|subscriber|contact|person|cust"
_TIME = r"timestamp|datetime|date|time|datum|fecha|day|created|ordered|purchased|invoiced|when|at$"
_AMOUNT = r"amount|total|revenue|sales|spend|spent|value|betrag|umsatz|montant|importe|paid|payment|price|dollar"
_QUANTITY = r"quantity|qty|units|count|menge|items|number"
_UNIT_PRICE = r"unit.?price|price.?per|unit.?cost|item.?price|stueckpreis|^price$"
_NOT_ID = r"name|mail|phone|country|city|segment|type|age|gender|zip"
_NOT_AMOUNT = r"tax|vat|discount|shipping|id$|year|month|rate|percent"


@dataclass(frozen=True)
class Proposal:
    """What a file seems to say.

    Attributes
    ----------
    source : str
        As it is written to the settings; holds no password.
    reading : Mapping[str, str]
        Settings of the table ``[data]`` besides the source.
    log : CustomerLog
        The file read that way.
    horizon : int
        Days ahead.
    why_horizon : str
        How it was found.
    """

    source: str
    reading: Mapping[str, str]
    log: CustomerLog
    horizon: int
    why_horizon: str


def propose(source: str, given: Mapping[str, str]) -> Proposal:
    """Look at a source and propose settings for it.

    Parameters
    ----------
    source : str
        A path or URL.
    given : Mapping[str, str]
        Settings that the user named already, such as ``customer_id``.

    Raises
    ------
    SchemaError
        Where no column looks like a customer, a date or an amount: names those there are.
    """
    engine = DuckDBEngine()
    place = {name: given[name] for name in ("table", "query", "delimiter", "encoding") if name in given}
    relation = open_source(engine, source, **place)
    types = engine.columns(relation.sql)
    selected = ", ".join(quoted(name) for name in types)
    sample = engine.rows(f"SELECT {selected} FROM {relation.sql} LIMIT 2000")
    relation.release()
    values = {name: [row[place] for row in sample if row[place] is not None] for place, name in enumerate(types)}
    reading = dict(place) | _guess(types, values) | dict(given)
    reading |= {} if "decimal" in reading else _decimal(reading["amount"], values)
    log = read_log(source, **reading)  # pyright: ignore[reportArgumentType]
    horizon, why = propose_horizon(log)
    return Proposal(_without_password(source), reading, log, horizon, why)


def _guess(types: Mapping[str, str], values: Mapping[str, list[Any]]) -> dict[str, str]:
    """Guess the three columns that are needed."""
    dates = [name for name in types if _looks_like_date(types[name], values[name])]
    numbers = [name for name in types if name not in dates and _looks_like_number(types[name], values[name])]
    found = {
        "customer_id": _best([name for name in types if name not in dates], _ID, _NOT_ID),
        "timestamp": _best(dates, _TIME, "") or (dates[0] if dates else None),
        "amount": _amount(numbers),
    }
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise SchemaError(
            f"No column looks like {' or '.join(missing)}. The columns there are: {', '.join(types)}. "
            f"Say which, for example: habitue init FILE --{missing[0].replace('_', '-')} {next(iter(types))}"
        )
    return {name: column for name, column in found.items() if column is not None}


def _best(names: list[str], wanted: str, unwanted: str) -> str | None:
    """The first column whose name fits best: an id rather than a mere mention."""
    fitting = [name for name in names if re.search(wanted, name, re.IGNORECASE)]
    fitting = [name for name in fitting if not (unwanted and re.search(unwanted, name, re.IGNORECASE))]
    keys = [name for name in fitting if re.search(r"id$|_id|no$|number$|key$", name, re.IGNORECASE)]
    return next(iter(keys or fitting), None)


def _amount(numbers: list[str]) -> str | None:
    """A total if there is one, else quantity times unit price."""
    unit = _best(numbers, _UNIT_PRICE, "")
    quantity = _best(numbers, _QUANTITY, r"id$|no$")
    totals = [
        name for name in numbers
        if re.search(_AMOUNT, name, re.IGNORECASE)
        and not re.search(_NOT_AMOUNT, name, re.IGNORECASE) and name not in {unit, quantity}
    ]  # fmt: skip
    if totals:
        return totals[0]
    if unit and quantity and unit != quantity:
        return f"{_as_operand(quantity)} * {_as_operand(unit)}"
    return unit


def _as_operand(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else quoted(name)


def _looks_like_date(sql_type: str, values: list[Any]) -> bool:
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return True
    text = [str(value).strip() for value in values]
    pattern = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[ -][A-Za-z]{3}|(19|20)\d{6}$)"
    return len(text) > 0 and sum(bool(re.match(pattern, value)) for value in text) > 0.8 * len(text)


def _looks_like_number(sql_type: str, values: list[Any]) -> bool:
    if sql_type != "VARCHAR":
        return bool(re.match(r"DOUBLE|FLOAT|DECIMAL|.*INT", sql_type))
    pattern = r"^[^\d()-]{0,4}-?[^\d()-]{0,4}\d[\d.,' ]*[^\d()]{0,4}$"
    return bool(values) and sum(bool(re.match(pattern, str(value).strip())) for value in values) > 0.8 * len(values)


def _decimal(amount: str, values: Mapping[str, list[Any]]) -> dict[str, str]:
    """Propose the decimal comma where amounts are written with one."""
    text = [str(value) for value in values.get(amount, []) if isinstance(value, str)]
    comma = sum(bool(re.search(r",\d{1,2}\D*$", value)) for value in text)
    point = sum(bool(re.search(r"\.\d{1,2}\D*$", value)) for value in text)
    return {"decimal": ","} if comma > point else {}


def propose_horizon(log: CustomerLog) -> tuple[int, str]:
    """Propose a horizon: long enough for most returning customers to return, short enough to be tested.

    Parameters
    ----------
    log : CustomerLog
        The records.

    Returns
    -------
    tuple of int and str
        Days, in whole weeks, and why.
    """
    quantile = log.engine.rows(
        "SELECT quantile_cont(gap, 0.75) FROM (SELECT date_diff('day', lag(day) OVER (PARTITION BY customer_id "
        "ORDER BY day), day) AS gap FROM (SELECT DISTINCT customer_id, day FROM transactions WHERE amount >= 0)) "
        "WHERE gap IS NOT NULL"
    )[0][0]
    span = (log.observed_until - log.first_day).days
    longest = max(span // 4, 1)
    if quantile is None:
        return longest, "a quarter of the log, as nobody has bought twice yet"
    weeks = 7 * math.ceil(float(quantile) / 7)
    if weeks > longest:
        return longest, f"a quarter of the log; three of four repeat purchases come within {quantile:.0f} days"
    return max(weeks, 1), f"three of four repeat purchases come within {quantile:.0f} days of the one before"


def _without_password(source: str) -> str:
    """Leave the password out of what is written to disk; libpq takes it from PGPASSWORD."""
    if "://" not in source:
        return source
    parts = urlsplit(source)
    host = parts.netloc.rpartition("@")
    user = host[0].partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host[2]}" if user else host[2]))


def write_settings(proposal: Proposal, folder: Path, *, shown: str | None = None, force: bool = False) -> list[Path]:
    """Write ``habitue.toml`` and, where there are none yet, the recipes ``models/churn.toml`` and ``models/clv.toml``.

    Parameters
    ----------
    proposal : Proposal
        What to write.
    folder : Path
        Where to.
    shown : str, optional
        The source as the file shall name it; a path relative to the folder moves with it.
    force : bool
        Whether to replace a ``habitue.toml`` that is there.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SettingsError
        Where there is one already, or the folder cannot be written to.
    """
    target = folder / "habitue.toml"
    if target.exists() and not force:
        raise SettingsError(f"{target} is there already; edit it, or replace it with --force.")
    written = [write_beside(target, lambda to: to.write_text(_settings_text(proposal, shown), encoding="utf-8") and None)]
    for name in ("churn.toml", "clv.toml"):
        recipe = folder / "models" / name
        if not recipe.exists():
            text = (files("habitue.pipelines") / "templates" / name).read_text(encoding="utf-8")
            written.append(write_beside(recipe, lambda to, text=text: to.write_text(text, encoding="utf-8") and None))
    return written


def _settings_text(proposal: Proposal, shown: str | None) -> str:
    log, check = proposal.log, proposal.log.checks["transactions"]
    reading = {**proposal.reading}
    named = [f"{name} = {json.dumps(reading.pop(name), ensure_ascii=False)}" for name in ("customer_id", "timestamp", "amount")]
    others = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in reading.items()]
    return (files("habitue.pipelines") / "templates" / "habitue.toml").read_text(encoding="utf-8").format(
        source=json.dumps(_without_password(shown or proposal.source), ensure_ascii=False),
        named="\n".join(named),
        others="\n".join(others) + "\n" if others else "",
        found=f"{check.n_admitted:,} transactions of {log.n_customers:,} customers, {log.first_day} to "
        f"{log.observed_until}; {check.n_quarantined:,} rows set aside",
        cutoff=log.observed_until,
        horizon=proposal.horizon,
        why=proposal.why_horizon,
    )  # fmt: skip
