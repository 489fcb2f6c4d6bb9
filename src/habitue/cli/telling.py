"""What `habitue init`, `check` and `demo` found, as lines for a person and as plain data for a machine."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.pipelines.demo import Demo
    from habitue.pipelines.propose import Proposal
    from habitue.terminal import Terminal

__all__ = ["tell_check", "tell_demo", "tell_proposal"]


def tell_proposal(
    terminal: Terminal, proposal: Proposal, left: Mapping[str, str], written: Sequence[Path]
) -> None:
    """Say what `habitue init` found, what it left and what it wrote.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    proposal : Proposal
        What was found.
    left : Mapping[str, str]
        Files of a folder that were not taken, and why.
    written : sequence of Path
        Files written.
    """
    log = proposal.log
    terminal.say(
        f"Found {one_or_many(log.n_customers, 'customer')}, {log.first_day} to {log.observed_until}."
    )
    transactions = proposal.tables.get("transactions")
    several = len(proposal.tables) > 1
    if transactions is not None:
        if several or log.checks["transactions"].n_quarantined:
            terminal.say(_told(proposal, "transactions"))
        _say_columns(terminal, transactions.reading)
    terminal.say(f"  {'horizon':<12} {one_or_many(proposal.horizon, 'day')}: {proposal.why_horizon}")
    for kind in proposal.tables:
        if kind != "transactions":
            terminal.say(_told(proposal, kind))
            _say_columns(terminal, proposal.tables[kind].reading)
    hints = {} if (table := proposal.tables.get("customers")) is None else table.consent_hints("customers")
    for name, keys in hints.items():
        terminal.say(f"hint: {name} speaks of consent and is a plain attribute now; name it as {keys}")
    for name, why in left.items():
        terminal.say(f"left: {name}, {why}")
    terminal.say(f"Wrote {', '.join(map(str, written))}. Read it, edit it, then: habitue check")
    terminal.answer(
        {
            "written": list(written),
            "reading": {} if transactions is None else transactions.reading,
            "horizon": proposal.horizon,
            "records": {
                kind: {"source": table.source, **table.reading} for kind, table in proposal.tables.items()
            },
            "left": dict(left),
            "looks_like_consent": hints,
        }
    )


def _told(proposal: Proposal, kind: str) -> str:
    check = proposal.log.checks[kind]
    aside = f", {check.n_quarantined:,} set aside" if check.n_quarantined else ""
    return f"{kind}: {check.source}, {one_or_many(check.n_rows, 'row')}{aside}"


def _say_columns(terminal: Terminal, reading: Mapping[str, str]) -> None:
    width = max(12, *map(len, reading))
    for name, column in reading.items():
        terminal.say(f"  {name:<{width}} {column}")


def tell_check(terminal: Terminal, facts: Mapping[str, Any]) -> None:
    """Say what is in a log, kind by kind, what was set aside and why.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    facts : Mapping[str, Any]
        Of `habitue.pipelines.examine.examine`.
    """
    records: dict[str, Any] = dict(facts["records"])
    main = next(iter(records))
    _say_counts(terminal, main, records[main], with_kind=len(records) > 1)
    terminal.say(
        f"{one_or_many(facts['n_customers'], 'customer')}, {facts['first_day']} to {facts['observed_until']}"
    )
    if facts["total_amount"] is not None:
        terminal.say(
            f"{facts['share_bought_again']:.1%} bought again; {facts['purchases_per_customer']:.2f} "
            f"purchases per customer; {facts['total_amount']:,.2f} in total"
        )
    _say_findings(terminal, records.pop(main))
    for kind, found in records.items():
        _say_counts(terminal, kind, found, with_kind=True)
        _say_findings(terminal, found)
    horizon = one_or_many(facts["proposed_horizon"], "day")
    terminal.say(f"A horizon of {horizon} would suit: {facts['why_horizon']}.")


def _say_counts(terminal: Terminal, kind: str, found: Mapping[str, Any], *, with_kind: bool) -> None:
    of = f" of {kind}" if with_kind else ""
    terminal.say(
        f"{found['source']}: {one_or_many(found['n_rows'], 'row')}{of}, {found['n_admitted']:,} admitted"
    )


def _say_findings(terminal: Terminal, found: Mapping[str, Any]) -> None:
    for reason, count in found["quarantined"].items():
        terminal.say(f"  set aside: {one_or_many(count, 'row')}, {reason}")
    for note in found["notes"]:
        terminal.say(f"  note: {note}")


def tell_demo(terminal: Terminal, done: Demo, champions: str, mlruns: str) -> None:
    """Print the demo's results, where everything lies, and what to type next.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    done : Demo
        What the demo left behind.
    champions : str
        Their names and versions.
    mlruns : str
        MLflow's home as it was given.
    """
    terminal.say()
    for one in done.trained.values():
        when = f"{max(one.tested.trained_until)}, {one_or_many(one.horizon, 'day')} ahead"
        terminal.scores(one.scores, when, champion=one.choice.label, left_out=one.not_fitted)
    terminal.published(done.published)
    home = mlruns if "://" in mlruns else f"sqlite:///{Path(mlruns).resolve() / 'mlflow.db'}"
    terminal.say(f"Scores:  {done.scores_path}  ({one_or_many(len(done.scored.frame), 'customer')})")
    terminal.say(f"Report:  {done.report_path}")
    terminal.say(f"Models:  {champions} in {mlruns}")
    terminal.say()
    terminal.say("Next:")
    terminal.say(f"  open the report      {_opener()} {shlex.quote(str(done.report_path))}")
    terminal.say(f"  open the MLflow UI   {_command_here('mlflow', 'ui', '--backend-store-uri', home)}")
    terminal.say(f"  score your own file  {_command_here('habitue', 'init', 'transactions.csv')}")


def _opener() -> str:
    """Return the command that opens a page in the browser here."""
    return {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")


def _command_here(*words: str) -> str:
    """Return a command as it can be typed here: with its folder where that is not on the PATH, and quoted."""
    command, *arguments = words
    folder = Path(sys.executable).parent
    on_path = str(folder) in os.environ.get("PATH", "").split(os.pathsep)
    return shlex.join([command if on_path else os.path.relpath(folder / command), *arguments])
