"""What `habitue init` writes: `habitue.toml`, commented for the person who checks it, recipes and offers."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from habitue.errors import SettingsError
from habitue.pipelines.files import write_text
from habitue.pipelines.propose import Proposal, Table
from habitue.records import SCHEMAS
from habitue.vocabulary import one_or_many

__all__ = ["write_settings"]

_WIDTH = 110


def write_settings(proposal: Proposal, folder: Path, *, force: bool = False) -> list[Path]:
    """Write ``habitue.toml`` and, where there are none yet, recipes in ``models/`` and ``offers.toml``.

    Paths are written relative to the folder, so that it can be moved with its files. Without transactions
    there is no recipe of clv, that of churn asks who cancels, and offers are such as keep contracts.

    Parameters
    ----------
    proposal : Proposal
        What to write.
    folder : Path
        Where to.
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
    has_purchases = "transactions" in proposal.tables
    others = (
        {
            "models/churn.toml": _template("churn.toml"),
            "models/clv.toml": _template("clv.toml"),
            "offers.toml": _template("offers.toml"),
        }
        if has_purchases
        else {"models/churn.toml": _template("contract_churn.toml"), "offers.toml": _contract_offers()}
    )
    return [
        write_text(target, _settings_text(proposal, folder)),
        *(write_text(folder / name, text) for name, text in others.items() if not (folder / name).exists()),
    ]


def _contract_offers() -> str:
    """Return what is said of all offers, and offers that keep contracts."""
    told, begin, _ = _template("offers.toml").partition("\n[[offers]]\n")
    return told + begin.removesuffix("[[offers]]\n") + _template("contract_offers.toml")


def _template(name: str) -> str:
    return (files("habitue.pipelines") / "templates" / name).read_text(encoding="utf-8")


def _settings_text(proposal: Proposal, folder: Path) -> str:
    log = proposal.log
    main = "transactions" if "transactions" in proposal.tables else "contracts"
    check = log.checks[main]
    customers = one_or_many(log.n_customers, "customer")
    text = _template("habitue.toml" if main == "transactions" else "contracts.toml").format(
        found=f"{one_or_many(check.n_admitted, main[:-1])} of {customers}, {log.first_day} to "
        f"{log.observed_until}; {one_or_many(check.n_quarantined, 'row')} set aside",
        cutoff=log.observed_until,
        horizon=proposal.horizon,
        why=proposal.why_horizon,
        money=_quoted(proposal.money),
        **_slots(proposal, folder),
    )
    others = [kind for kind in proposal.tables if kind != "transactions"]
    return "\n".join([text.rstrip("\n") + "\n", *(_records_text(kind, proposal, folder) for kind in others)])


def _slots(proposal: Proposal, folder: Path) -> dict[str, str]:
    """Fill the places of the table ``[data]``."""
    table = proposal.tables.get("transactions")
    reading = {} if table is None else _relative(table.reading, folder)
    named = [
        f"{name} = {_quoted(reading.pop(name))}"
        for name in SCHEMAS["transactions"].required
        if name in reading
    ]
    others = [f"{name} = {_quoted(value)}" for name, value in {**reading, **proposal.whole}.items()]
    if table is not None:
        others += _hints("transactions", table)
    return {
        "source": "" if table is None else _quoted(_shown(table.source, folder)),
        "named": "\n".join(named),
        "others": "\n".join(others) + "\n" if others else "",
    }


def _records_text(kind: str, proposal: Proposal, folder: Path) -> str:
    """Return the table of one kind of record."""
    table, check = proposal.tables[kind], proposal.log.checks[kind]
    aside = f"; {one_or_many(check.n_quarantined, 'row')} set aside" if check.n_quarantined else ""
    lines = [f"[records.{kind}]", f"# Found: {one_or_many(check.n_admitted, 'record')}{aside}."]
    lines.append(f"source = {_quoted(_shown(table.source, folder))}")
    lines += [f"{name} = {_quoted(value)}" for name, value in table.reading.items()]
    return "\n".join([*lines, *_hints(kind, table)]) + "\n"


def _hints(kind: str, table: Table) -> list[str]:
    """Say what else could be named, and which columns are left for it."""
    named = {*table.reading, *table.columns}
    lacking = [column.name for column in SCHEMAS[kind].columns if column.name not in named]
    unused = table.unused(kind)
    left = "Attributes of the customers" if kind == "customers" else "Columns not used"
    spoken = [f"{name} ({keys})" for name, keys in table.consent_hints(kind).items()]
    return [
        *_comment("Not found, and may be named", lacking),
        *_comment(left, unused),
        *_comment("Speaks of consent, and is a plain attribute unless you name it as", spoken),
    ]


def _comment(title: str, names: Iterable[str]) -> list[str]:
    told = ", ".join(name if name.isprintable() else json.dumps(name) for name in names)
    return (
        textwrap.wrap(f"{title}: {told}.", _WIDTH, initial_indent="# ", subsequent_indent="#   ")
        if told
        else []
    )


def _relative(reading: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return keys with the path among them as seen from the folder."""
    rates = {"rates": _shown(reading["rates"], folder)} if "rates" in reading else {}
    return {**reading, **rates}


def _shown(source: str, folder: Path) -> str:
    """Return a path as seen from the folder, and an address without its password."""
    return (
        _without_password(source) if "://" in source else os.path.relpath(Path(source).expanduser(), folder)
    )


def _without_password(address: str) -> str:
    """Leave the password out of what is written to disk; libpq takes it from PGPASSWORD."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")
    user = host[0].partition(":")[0]
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key != "password"])
    return urlunsplit(parts._replace(netloc=f"{user}@{host[2]}" if user else host[2], query=query))


def _quoted(text: str) -> str:
    """Write a text as TOML does: as JSON, but that TOML knows no bare DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
