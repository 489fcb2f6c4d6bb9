"""The beginning: init."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, app, epilog
from habitue.errors import SettingsError
from habitue.terminal import Terminal

__all__ = ["init"]


@app.command(epilog=epilog("habitue init transactions.csv"))
def init(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Transactions or contracts: a CSV, Parquet or DuckDB file, or a postgresql:// address. Or a "
            "folder of files of all kinds, which is taken apart by their names."
        ),
    ] = None,
    contracts: Annotated[str | None, typer.Option(help="File of contracts or subscriptions.")] = None,
    events: Annotated[str | None, typer.Option(help="File of events: visits, usage, clicks.")] = None,
    feedback: Annotated[str | None, typer.Option(help="File of surveys or reviews.")] = None,
    tickets: Annotated[str | None, typer.Option(help="File of service tickets.")] = None,
    rewards: Annotated[str | None, typer.Option(help="File of loyalty points.")] = None,
    contacts: Annotated[str | None, typer.Option(help="File of contacts by campaigns.")] = None,
    customers: Annotated[str | None, typer.Option(help="File of customers and their attributes.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A key of any table, such as tickets.opened_at=Created (may be repeated)."
        ),
    ] = None,
    customer_id: Annotated[str | None, typer.Option(help="Column that says who.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Column that says when.")] = None,
    amount: Annotated[str | None, typer.Option(help="Column that says how much, or 'Qty * Price'.")] = None,
    table: Annotated[str | None, typer.Option(help="Table of a database.")] = None,
    query: Annotated[str | None, typer.Option(help="A SELECT of your own on a database.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV, where it is an unusual one.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV, such as cp1252.")] = None,
    timestamp_format: Annotated[str | None, typer.Option(help="Such as %d/%m/%Y, in case of doubt.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone whose days count, such as Europe/Paris.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal sign of amounts: '.' or ','.")] = None,
    folder: Annotated[
        Path, typer.Option(help="Where to write habitue.toml, models/ and offers.toml.")
    ] = Path(),
    force: Annotated[bool, typer.Option(help="Replace a habitue.toml that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at your records and write settings for them: columns, cutoff and horizon.

    Options for columns and reading are those of the file named first; --set reaches those of every kind.
    """
    from habitue.cli.telling import tell_proposal
    from habitue.pipelines.folders import holds_tables, kind_of_name, take_apart
    from habitue.pipelines.propose import main_kind_of, propose
    from habitue.pipelines.settings_text import write_settings

    files = {
        "contracts": contracts, "events": events, "feedback": feedback, "tickets": tickets,
        "rewards": rewards, "contacts": contacts, "customers": customers,
    }  # fmt: skip
    named = {
        "customer_id": customer_id, "timestamp": timestamp, "amount": amount, "table": table,
        "query": query, "delimiter": delimiter, "encoding": encoding,
        "timestamp_format": timestamp_format, "timezone": timezone, "decimal": decimal,
    }  # fmt: skip
    given = _given(set_ or [], {name: value for name, value in named.items() if value is not None})
    sources = {kind: file for kind, file in files.items() if file is not None}
    left: dict[str, str] = {}
    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        if source is not None and holds_tables(Path(source)):
            terminal.step(f"looking through {source}")
            found = take_apart(Path(source), given)
            sources, left = {**found.sources, **sources}, dict(found.left)
        elif source is not None:
            main = main_kind_of(source, kind_of_name(Path(source).name), given.get("transactions", {}))
            if main in sources:
                raise SettingsError(f"Two files of {main} were named: {source} and {sources[main]}.")
            sources[main] = source
            given = _of_main(given, main)
        terminal.step(f"looking at {', '.join(Path(one).name for one in sources.values())}")
        proposal = propose(sources, given, today=date.today())
    written = write_settings(proposal, folder, force=force)
    tell_proposal(terminal, proposal, left, written)


def _of_main(given: dict[str, dict[str, str]], main: str) -> dict[str, dict[str, str]]:
    """Give the options for columns and reading to the source that they are about."""
    from habitue.pipelines.settings import WHOLE_LOG

    if main == "transactions":
        return given
    said = given.get("transactions", {})
    whole = {key: value for key, value in said.items() if key in WHOLE_LOG}
    own = {key: value for key, value in said.items() if key not in WHOLE_LOG}
    return {**given, "transactions": whole, main: {**own, **given.get(main, {})}}


def _given(pairs: list[str], transactions: dict[str, str]) -> dict[str, dict[str, str]]:
    """Read what --set says: KIND.KEY=VALUE; the table of transactions is called data in the settings."""
    given: dict[str, dict[str, str]] = {"transactions": transactions} if transactions else {}
    for pair in pairs:
        where, said, value = pair.partition("=")
        kind, dot, key = where.strip().partition(".")
        if not (said and dot and key and value.strip()):
            raise SettingsError(
                f"--set takes KIND.KEY=VALUE, such as tickets.opened_at=Created; got {pair!r}."
            )
        given.setdefault("transactions" if kind == "data" else kind, {})[key] = value.strip()
    return given
