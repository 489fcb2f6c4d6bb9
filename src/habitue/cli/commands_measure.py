"""Did it work: measure design, assign, readout and simulate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from habitue.cli.app import ALARMS, AsJson, LogFile, SettingsFile, app, epilog, now, opened
from habitue.cli.telling_measure import HOW_TO_READ, tell_checks, tell_design, tell_readout
from habitue.errors import DataError, SettingsError
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.experiments import Design, Guardrail
    from habitue.pipelines.measuring.assignments import Assignments
    from habitue.pipelines.measuring.measure import Read

__all__ = ["assign", "design", "measure", "readout", "simulate"]

measure = typer.Typer(
    name="measure",
    help="Did it work: plan an experiment, assign customers, read out what an offer did.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=epilog("habitue measure readout assignments.csv"),
)
app.add_typer(measure)

Arms = Annotated[
    list[str] | None,
    typer.Option("--arm", help="name=share of customers, such as control=0.3; once for each arm."),
]
Horizon = Annotated[
    int | None, typer.Option(min=1, help="Days within which outcomes count; the settings' if not said.")
]
Active = Annotated[
    int | None, typer.Option(min=1, help="Only customers with a purchase within so many days before.")
]


def _pairs(given: list[str] | None, option: str) -> dict[str, float]:
    """Read name=number, each name once."""
    found: dict[str, float] = {}
    for one in given or []:
        name, _, number = one.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not name.strip() or value != value or name.strip() in found:
            raise SettingsError(
                f"{option} takes NAME=NUMBER, each name once, such as control=0.3; got {one!r}."
            )
        found[name.strip()] = value
    return found


def _arms(given: list[str] | None) -> dict[str, float]:
    return _pairs(given, "--arm") or {"control": 0.5, "treated": 0.5}


@measure.command(epilog=epilog("habitue measure design --metric retained --effect 0.03"))
def design(
    metric: Annotated[str, typer.Option(help="retained, spend, margin, n_purchases, ...")] = "retained",
    effect: Annotated[
        float | None, typer.Option(help="The change that matters, in the metric's unit: 0.02 is two points.")
    ] = None,
    relative: Annotated[float | None, typer.Option(help="The same as a share of the metric: 0.05.")] = None,
    n: Annotated[int | None, typer.Option(min=2, help="Customers there are, in all arms together.")] = None,
    arms: Arms = None,
    power: Annotated[float, typer.Option(help="Chance of finding it.")] = 0.8,
    confidence: Annotated[float, typer.Option(help="Chance of finding nothing where nothing is.")] = 0.95,
    cap: Annotated[
        float | None, typer.Option(help="Quantile at which each customer's money is cut off, such as 0.99.")
    ] = None,
    mean: Annotated[float | None, typer.Option(help="Without a log: what the metric is now.")] = None,
    sd: Annotated[
        float | None, typer.Option(help="Without a log: its standard deviation; a share needs none.")
    ] = None,
    explained: Annotated[
        float, typer.Option(help="Without a log: share of the variance that is known beforehand.")
    ] = 0.0,
    per_week: Annotated[float | None, typer.Option(help="Customers who come into it a week.")] = None,
    cutoff: Annotated[
        str | None, typer.Option(help="The past day to learn from, such as 2024-03-31.")
    ] = None,
    active_within: Active = None,
    horizon: Horizon = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell how many customers an experiment needs, or what it can find with those there are.

    What customers do without an offer, and how much of it is known beforehand, is read off the log, at the
    last day whose horizon is known in full; or give --mean (and --sd), and no log is needed.
    """
    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    questions: dict[str, Any] = {"effect": effect, "n": n, "power": power, "confidence": confidence}
    if mean is not None:
        plan = _design_of_numbers(metric, mean, sd, explained, relative, arms, per_week, horizon, questions)
    else:
        from habitue.pipelines.measuring.design import design_with, past_customers
        from habitue.records.days import as_day

        log, known = opened(settings, terminal)
        days = horizon or known.horizon
        day = None if cutoff is None else as_day(cutoff, "--cutoff")
        seen = past_customers(log, horizon=days, cutoff=day, active_within=active_within)
        plan = design_with(
            seen,
            metric=metric,
            arms=_arms(arms),
            relative_effect=relative,
            cap_quantile=cap,
            per_week=per_week,
            horizon=days,
            **questions,
        )
    tell_design(terminal, plan)


def _design_of_numbers(
    metric: str,
    mean: float,
    sd: float | None,
    explained: float,
    relative: float | None,
    arms: list[str] | None,
    per_week: float | None,
    horizon: int | None,
    questions: dict[str, Any],
) -> Design:
    """Plan without a log."""
    from habitue.experiments import Baseline
    from habitue.experiments import design as run

    if sd is None:
        baseline = Baseline.of_share(metric, mean, explained=explained)
    else:
        baseline = Baseline(metric, mean, sd, explained=explained)
    if relative is not None:
        questions = questions | {"effect": relative * mean}
    return run(baseline, arms=_arms(arms), per_week=per_week, horizon=horizon or 0, **questions)


@measure.command(epilog=epilog("habitue measure assign spring --arm control=0.3 --arm voucher=0.7"))
def assign(
    experiment: Annotated[str, typer.Argument(help="Its name: the same name draws the same arms.")],
    arms: Arms = None,
    customers: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with customer_id; the settings' customers if none.")
    ] = None,
    strata: Annotated[
        str | None, typer.Option(help="A column of that file: each arm gets its share of every segment.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="By which customers will be contacted.")] = None,
    day: Annotated[str | None, typer.Option(help="Of the assignment; today if not said.")] = None,
    active_within: Active = None,
    output: Annotated[
        Path | None, typer.Option(help="CSV or Parquet; assignments.csv beside the settings if not said.")
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Draw who gets what, by a hash of the customer's id: again and again the same.

    The file has the columns of contacts, so that it can be handed in as records. Customers of the settings
    who opted out are left out; a list of your own is taken as it is.
    """
    from habitue.experiments import assign as run
    from habitue.pipelines.measuring.assignments import read_customers, write_assignments
    from habitue.pipelines.measuring.design import base_of
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    shares = _pairs(arms, "--arm")
    if "control" not in shares:
        raise SettingsError(
            "An experiment needs an arm that gets nothing, and one for each thing to be tried, such as --arm "
            f"control=0.3 --arm voucher=0.7; got {', '.join(shares) or 'no arms'}."
        )
    when = date.today() if day is None else as_day(day, "--day")
    notes: tuple[str, ...] = ()
    if customers is not None:
        table = read_customers(customers)
    else:
        log, _ = opened(settings, terminal)
        base = base_of(log, day=when, active_within=active_within)
        table, notes = base.customers, base.notes
    if strata is not None and strata not in table.columns:
        raise SettingsError(
            f"There is no column {strata!r} to stratify by; there are {', '.join(map(str, table.columns))}. "
            "Name a file with --customers that has it."
        )
    segments = None if strata is None else table[strata].to_numpy(dtype=object)
    drawn = run(table["customer_id"].tolist(), experiment=experiment, arms=shares, strata=segments)
    path = output or settings.parent / "assignments.csv"
    write_assignments(drawn, path, experiment=experiment, day=when, channel=channel, offers={})
    counts = {str(arm): int(count) for arm, count in drawn["arm"].value_counts(sort=False).items()}
    rows = [[arm, f"{shares[arm]:.1%}", f"{counts.get(arm, 0):,}"] for arm in sorted(shares)]
    terminal.table(f"{experiment}, {when}", ["arm", "share", "customers"], rows)
    for note in notes:
        terminal.say(f"  note: {note}")
    terminal.say(f"Assignments: {path}. Do to each arm what is meant for it, and nothing to the control.")
    terminal.say(f"When the horizon is over: habitue measure readout {path}")
    terminal.answer({"experiment": experiment, "day": when, "counts": counts, "path": path, "notes": notes})


def _guardrails(given: list[str] | None) -> list[Guardrail]:
    from habitue.experiments import Guardrail
    from habitue.pipelines.measuring.outcomes import FALLING_HARMS

    return [
        Guardrail(name, margin, "fall" if name in FALLING_HARMS else "rise")
        for name, margin in _pairs(given, "--guard").items()
    ]


@measure.command(epilog=epilog("habitue measure readout assignments.csv --guard opted_out=0.01"))
def readout(
    assignments: Annotated[
        list[Path] | None, typer.Argument(help="Lists of assignments; the log's contacts if none is named.")
    ] = None,
    campaign: Annotated[
        list[str] | None, typer.Option(help="Without a list: a campaign of the log. May be given twice.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="May be given twice; margin, spend, retained, n_purchases if none."),
    ] = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(help="metric=margin by which it may get worse, such as n_tickets=0.02."),
    ] = None,
    horizon: Horizon = None,
    confidence: Annotated[float, typer.Option(help="Of each interval.")] = 0.95,
    plain_means: Annotated[
        bool, typer.Option("--plain", help="Make no use of what customers did before.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="A folder; measure/ beside the settings if not said.")
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what each arm changed, how surely, and whether that can be believed.

    Customers are compared as they were drawn. readout.json holds all of it; measured.json gathers the effects
    of all experiments for `habitue decide`. Ends with exit code 8 where a guardrail is broken or arms are not
    as large as was meant.
    """
    from habitue.pipelines.measuring.assignments import (
        as_assignments,
        contacts_of,
        experiments_of,
        read_assignments,
    )
    from habitue.pipelines.measuring.measure import read_experiment, write_readouts

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    guardrails = _guardrails(guard)
    lists = read_assignments(assignments) if assignments else None
    log, known = opened(settings, terminal)
    found = (
        as_assignments(contacts_of(log, campaign or ()), first_counts=True)
        if lists is None
        else experiments_of(log, lists)
    )

    def read_one(one: Assignments) -> Read:
        terminal.step(f"reading out {one.experiment}")
        return read_experiment(
            log,
            one,
            horizon=horizon or known.horizon,
            metrics=tuple(metric or ()),
            guardrails=guardrails,
            confidence=confidence,
            adjusted=not plain_means,
        )

    with terminal.working(n_stages=1):
        read, left = _read_each(found, read_one, named=bool(assignments or campaign))
    files = write_readouts(read, output or settings.parent / "measure")
    for one in read:
        tell_readout(terminal, one)
    for why in left:
        terminal.say(f"left out: {why}")
    terminal.say(HOW_TO_READ)
    terminal.say(f"Readout: {files[0]}; measured effects: {files[1]}")
    terminal.answer(
        {
            "experiments": [one.to_dict() for one in read],
            "left_out": left,
            "readout": files[0],
            "measured": files[1],
        }
    )
    if any(one.readout.broken or not one.readout.is_sound for one in read):
        raise typer.Exit(ALARMS)


def _read_each(
    found: Sequence[Assignments], read_one: Callable[[Assignments], Read], *, named: bool
) -> tuple[list[Read], list[str]]:
    """Read experiments out; one that cannot be is an error where it was asked for by name, else left out."""
    read: list[Read] = []
    left: list[str] = []
    last: DataError | None = None
    for one in found:
        try:
            read.append(read_one(one))
        except DataError as error:
            last = DataError(f"{one.experiment}: {error}")
            if named:
                raise last from error
            left.append(str(last))
    if last is not None and not read:
        raise last
    return read, left


@measure.command(epilog=epilog("habitue measure simulate --splits 1000"))
def simulate(
    metric: Annotated[
        list[str] | None, typer.Option(help="May be given twice; all that the log gives if none.")
    ] = None,
    splits: Annotated[int, typer.Option(min=20, help="Experiments in which nothing is done.")] = 200,
    looks: Annotated[int, typer.Option(min=1, help="How often somebody peeks.")] = 10,
    share: Annotated[float, typer.Option(help="Of customers in the control.")] = 0.5,
    n: Annotated[int | None, typer.Option(min=50, help="Customers of each; all if not said.")] = None,
    cutoff: Annotated[str | None, typer.Option(help="The past day, such as 2024-03-31.")] = None,
    active_within: Active = None,
    horizon: Horizon = None,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Split your own past customers at random, over and over, and tell how often something is found.

    Nothing was done to them, so that a test at 5 % should find something in 5 % of the splits. The table
    tells how often it does, at one look and with peeking. Ends with exit code 8 where it is more often.
    """
    from habitue.pipelines.measuring.design import past_customers, simulate_with
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    log, known = opened(settings, terminal)
    day = None if cutoff is None else as_day(cutoff, "--cutoff")
    with terminal.working(n_stages=1):
        seen = past_customers(log, horizon=horizon or known.horizon, cutoff=day, active_within=active_within)
        terminal.step(f"{one_or_many(splits, 'split')} of {one_or_many(len(seen.outcomes), 'customer')}")
        checks = simulate_with(
            seen,
            metrics=tuple(metric or ()),
            share=share,
            n=n,
            n_splits=splits,
            n_looks=looks,
            random_state=seed,
        )
    tell_checks(terminal, checks, looks)
    if not all(one.is_honest for one in checks):
        raise typer.Exit(ALARMS)
