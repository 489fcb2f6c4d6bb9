"""What to do with whom: decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from habitue.cli.app import AsJson, LogFile, SettingsFile, app, epilog, now, opened, scores_of, settings_of
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    pass

__all__ = ["decide"]

_MOST_LINES = 6


@app.command(epilog=epilog("habitue decide offers.toml --budget 5000 --round spring"))
def decide(
    offers: Annotated[Path, typer.Argument(help="What can be offered: a TOML file.")] = Path("offers.toml"),
    scores: Annotated[
        str | None, typer.Option(help="Where `habitue score` wrote its batches; else the settings'.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder with a subfolder a round; actions/ beside the settings.")
    ] = None,
    round_name: Annotated[
        str | None, typer.Option("--round", help="Name of the round; the cutoff of the scores if left out.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.0, help="Money in all; else that of the offers' file.")
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(min=0.0, help="Share of those to be treated that is left alone; else the file's."),
    ] = None,
    explore: Annotated[
        float, typer.Option(min=0.0, help="Probability of another offer that is nearly as good.")
    ] = 0.0,
    uplift: Annotated[
        bool, typer.Option(help="Whether to learn effects from randomised contacts on record.")
    ] = True,
    measured: Annotated[
        Path | None,
        typer.Option(
            help="What `habitue measure` found of offers; measure/measured.json beside the settings."
        ),
    ] = None,
    cutoff: Annotated[str | None, typer.Option(help="The last day that counts, such as 2024-12-31.")] = None,
    day: Annotated[
        str | None, typer.Option(help="Day of the contacts; the day after the cutoff if left out.")
    ] = None,
    valid_days: Annotated[int, typer.Option(min=0, help="Days on which the list may be used.")] = 14,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn by lot.")] = 0,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["csv", "parquet"], typer.Option(help="Of the action list.")
    ] = "csv",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace a round of this name that was decided on something else."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and say what would be written, write nothing.")
    ] = False,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
    log: LogFile = None,
) -> None:
    """Decide who gets which offer within budget and limits, and write the list of what to do.

    Who opted out is never on it. A part of those chosen is left alone, drawn by lot, so that the next round
    can learn what the offers did. The same round decided again is the same.
    """
    from habitue.pipelines.deciding.decide import decide as run
    from habitue.pipelines.deciding.files import folder_of, there_already, write_decision
    from habitue.pipelines.deciding.inputs import newest_scores
    from habitue.pipelines.deciding.parts import Round
    from habitue.pipelines.offers import read_offers
    from habitue.pipelines.scoring.targets import target_of
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log, clock=now)
    known, given = settings_of(settings), read_offers(offers)
    days = [as_day(one, name) if one else None for one, name in ((day, "--day"), (cutoff, "--cutoff"))]
    records, _ = opened(settings, terminal)
    until, because = records.observed_until, "the records end on"
    if cut := days[1] or known.cutoff:
        until, because = cut, "--cutoff names" if days[1] else "the cutoff of the settings is"
        records.until(cut)  # refuses a day that the records do not reach
    target = target_of(scores or scores_of(known, settings))
    batch = newest_scores(
        target, known_until=until, because=because, with_value="transactions" in records.kinds
    )
    asked = Round(
        name=round_name or batch.cutoff.isoformat(),
        day=days[0] or batch.cutoff + timedelta(days=1),
        budget=budget,
        holdout=holdout,
        explore=explore,
        seed=seed,
        valid_days=valid_days,
        uplift=uplift,
    )
    folder = folder_of(output or settings.parent / "actions", asked.name)
    found = measured or settings.parent / "measure" / "measured.json"  # where `habitue measure` writes it
    inputs = _inputs(batch, records, offers, found, {"round": vars(asked), "format": format})
    facts = there_already(folder, inputs)
    if facts is not None:
        _tell(terminal, facts, folder, "found")
        return
    with terminal.working(n_stages=1):
        decision = run(records, batch, given, asked, measured=found, progress=terminal.step)
        if dry_run:
            _tell(terminal, decision.facts, folder, "tried")
            return
        facts = write_decision(decision, folder, inputs=inputs, format=format, replace=replace)
    _tell(terminal, facts, folder, "written")


def _inputs(
    batch: Any, records: Any, offers: Path, measured: Path, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what a round is made of: two rounds of the same are the same round."""
    from habitue.files import sha256_of
    from habitue.pipelines.deciding.telling import plain

    return plain(
        {
            **asked,
            "scores": {"batch": batch.label, "sha256": batch.manifest.get("sha256")},
            "records": records.fingerprint(),
            "offers": sha256_of(offers),
            "measured": sha256_of(measured) if measured.is_file() else None,
        }
    )


def _tell(terminal: Terminal, facts: Mapping[str, Any], folder: Path, outcome: str) -> None:
    """Say who gets what, what it is expected to gain against other ways to choose, and what limits it."""
    people = facts["customers"]
    would = "would get" if outcome == "tried" else "get"
    terminal.say(
        f"As of {facts['cutoff']}: {people['treated']:,} of {one_or_many(people['scored'], 'customer')} "
        f"{would} an offer, {people['held_out']:,} are left alone to learn from, "
        f"{people['never_contacted']:,} are never contacted."
    )
    terminal.say(_gain(facts))
    terminal.table(
        f"Offers (gain: margin within {one_or_many(facts['value_days'], 'day')}, costs taken off)",
        ("offer", "may have it", "planned", "contacted", "gain", "cost"),
        [
            (
                one["offer"],
                f"{one['eligible']:,}",
                f"{one['planned']:,}",
                f"{made['n']:,}",
                f"{made['gain']:,.2f}",
                f"{made['cost']:,.2f}",
            )
            for one, made in zip(facts["by_offer"], facts["contacted"]["by_offer"], strict=True)
        ],
    )
    terminal.table(
        f"Ways to choose ({facts['settings']['interval']:.0%} intervals)",
        ("whom", "contacts", "cost", "gain", "at least", "at most"),
        [
            (
                one["policy"] + ("" if one["within_limits"] else ", without limits"),
                f"{one['n']:,}",
                *(f"{one[name]:,.2f}" for name in ("cost", "profit", "lower", "upper")),
            )
            for one in facts["policies"]
        ],
    )
    for one in facts["assumed"]:
        if one["said"]:
            terminal.say(f"  {one['said']}")
    # Of uplift, what was learned stands last, after all that was left out on the way to it.
    notes = [*facts["sentences"], *reversed(facts["uplift"])]
    for sentence in notes[:_MOST_LINES]:
        terminal.say(f"  note: {sentence}")
    if len(notes) > _MOST_LINES:
        terminal.say(f"  {one_or_many(len(notes) - _MOST_LINES, 'more note')} in decision.json")
    # Of what was learned no assumption is left to be settled.
    for one in [one for one in facts["experiments"] if one["offer"] not in facts["learned"]][:1]:
        terminal.say(f"  next: {one['offer']}: {one['decision']}")
    where = {
        "tried": f"Would write {folder}",
        "found": f"{folder}: that round was there already, whole; nothing was written",
        "written": f"Wrote {folder}: {', '.join(facts.get('files', ()))}, decision.json",
    }
    terminal.say(where[outcome] + ".")
    if outcome == "written" and people["treated"] and people["held_out"]:
        day = date.fromisoformat(facts["round"]["day"]) + timedelta(days=facts["horizon"])
        terminal.say(
            f"Once the records reach {day}: habitue measure readout {folder / 'assignments.parquet'}"
        )
    terminal.answer({"output": folder, "outcome": outcome, **facts})


def _gain(facts: Mapping[str, Any]) -> str:
    """Say what the contacts are expected to gain, how surely, and what a better plan could add."""
    if not facts["customers"]["planned"]:
        return "Nobody is planned to get an offer, so that nothing is spent and nothing gained."
    made, gap = facts["contacted"], facts["gap"]
    sure = (
        f" ({facts['settings']['interval']:.0%} interval {made['lower']:,.2f} to {made['upper']:,.2f})"
        if made["lower"] is not None
        else ""
    )
    better = (
        f"the best plan gains at most {gap:.3%} more"
        if gap >= 1e-5
        else "no plan within the limits gains more"
    )
    return (
        f"The contacts are expected to gain {made['gain']:,.2f}{sure} for {made['cost']:,.2f} of cost; the "
        f"plan, before anybody is left alone, {facts['expected_gain']:,.2f} for {facts['spent']:,.2f}: "
        f"{better}."
    )
