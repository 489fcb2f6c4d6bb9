"""`habitue init`: looks at a file and proposes what its columns mean, when to look and how far ahead."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from habitue.errors import SettingsError
from habitue.pipelines.columns import guess_columns, guess_decimal
from habitue.pipelines.files import write_text
from habitue.records import CustomerLog, DuckDBEngine, read_log
from habitue.records.sources import open_source

__all__ = ["Proposal", "propose", "propose_horizon", "write_settings"]

_USUAL_GAP = """
SELECT quantile_cont(gap, 0.75) FROM (
    SELECT date_diff('day', lag(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS gap
    FROM (SELECT DISTINCT customer_id, day FROM transactions WHERE amount >= 0)
) WHERE gap IS NOT NULL
"""


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


def propose(source: str, given: Mapping[str, str], *, today: date | None = None) -> Proposal:
    """Look at a source and propose settings for it.

    Parameters
    ----------
    source : str
        A path or URL.
    given : Mapping[str, str]
        Settings that the user named already, such as ``customer_id``.
    today : date, optional
        Rows of later days are set aside.

    Raises
    ------
    SchemaError
        Where no column looks like a customer, a date or an amount: names those there are.
    """
    engine = DuckDBEngine()
    place = {name: given[name] for name in ("table", "query", "delimiter", "encoding") if name in given}
    relation = open_source(engine, source, **place)
    types, values = relation.types(engine), relation.sample(engine)
    relation.release()
    reading = place | guess_columns(types, values, given) | dict(given)
    decimal = guess_decimal(values.get(reading["amount"], ()))
    if decimal is not None:
        reading.setdefault("decimal", decimal)
    limit = None if today is None else today + timedelta(days=1)
    log = read_log(source, **reading, not_after=limit)  # pyright: ignore[reportArgumentType]
    horizon, why = propose_horizon(log)
    return Proposal(_without_password(source), reading, log, horizon, why)


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
    quantile = log.engine.rows(_USUAL_GAP)[0][0]
    span = (log.observed_until - log.first_day).days
    longest = max(span // 4, 1)
    if quantile is None:
        return longest, "a quarter of the log, as nobody has bought twice yet"
    weeks = 7 * math.ceil(float(quantile) / 7)
    if weeks > longest:
        return (
            longest,
            f"a quarter of the log; three of four repeat purchases come within {quantile:.0f} days",
        )
    return max(weeks, 1), f"three of four repeat purchases come within {quantile:.0f} days of the one before"


def _without_password(source: str) -> str:
    """Leave the password out of what is written to disk; libpq takes it from PGPASSWORD."""
    if "://" not in source:
        return source
    parts = urlsplit(source)
    host = parts.netloc.rpartition("@")
    user = host[0].partition(":")[0]
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key != "password"])
    return urlunsplit(parts._replace(netloc=f"{user}@{host[2]}" if user else host[2], query=query))


def write_settings(
    proposal: Proposal, folder: Path, *, shown: str | None = None, force: bool = False
) -> list[Path]:
    """Write ``habitue.toml`` and, where there are none yet, the recipes of churn and clv in ``models/``.

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
    written = [write_text(target, _settings_text(proposal, shown))]
    for name in ("churn.toml", "clv.toml"):
        if not (folder / "models" / name).exists():
            text = (files("habitue.pipelines") / "templates" / name).read_text(encoding="utf-8")
            written.append(write_text(folder / "models" / name, text))
    return written


def _settings_text(proposal: Proposal, shown: str | None) -> str:
    log, check = proposal.log, proposal.log.checks["transactions"]
    reading = {**proposal.reading}
    named = [f"{name} = {_quoted(reading.pop(name))}" for name in ("customer_id", "timestamp", "amount")]
    others = [f"{name} = {_quoted(value)}" for name, value in reading.items()]
    return (files("habitue.pipelines") / "templates" / "habitue.toml").read_text(encoding="utf-8").format(
        source=_quoted(_without_password(shown or proposal.source)),
        named="\n".join(named),
        others="\n".join(others) + "\n" if others else "",
        found=f"{check.n_admitted:,} transactions of {log.n_customers:,} customers, {log.first_day} to "
        f"{log.observed_until}; {check.n_quarantined:,} rows set aside",
        cutoff=log.observed_until,
        horizon=proposal.horizon,
        why=proposal.why_horizon,
    )  # fmt: skip


def _quoted(text: str) -> str:
    """Write a text as TOML does: as JSON, but that TOML knows no bare DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
