"""Did it work: measure design, assign, readout and simulate."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from habitue.cli.app import ALARMS, AsJson, LogFile, SettingsFile, app, epilog, now, opened
from habitue.cli.telling_measure import HOW_TO_READ, tell_checks, tell_design, tell_readout
from habitue.errors import SettingsError
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.experiments import Design, Guardrail
    from habitue.pipelines.contact_rules import ContactRules
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


OffersFile = Annotated[
    Path | None,
    typer.Option(
        "--offers",
        help="Whose [decide] names consent, opt_out and opt_out_events; offers.toml beside the settings if "
        "it is there.",
    ),
]


def _rules(offers: Path | None, settings: Path) -> ContactRules:
    """Return where it stands who must be left alone: as `habitue decide` goes by it."""
    from habitue.pipelines.offers import rules_beside

    return rules_beside(settings.parent, offers)


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
    offers: OffersFile = None,
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
        rules = _rules(offers, settings)
        seen = past_customers(log, horizon=days, cutoff=day, active_within=active_within, rules=rules)
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
        str | None,
        typer.Option(
            help="A column of that file, or of the customers' records: each arm gets its share of every "
            "segment."
        ),
    ] = None,
    channel: Annotated[str | None, typer.Option(help="By which customers will be contacted.")] = None,
    day: Annotated[str | None, typer.Option(help="Of the assignment; today if not said.")] = None,
    active_within: Active = None,
    offers: OffersFile = None,
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
    from habitue.pipelines.measuring.assignable import listed, on_record
    from habitue.pipelines.measuring.lists import write_assignments
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    shares = _pairs(arms, "--arm")
    if "control" not in shares:
        raise SettingsError(
            "An experiment needs an arm that gets nothing, and one for each thing to be tried, such as --arm "
            f"control=0.3 --arm voucher=0.7; got {', '.join(shares) or 'no arms'}."
        )
    when = date.today() if day is None else as_day(day, "--day")
    if customers is not None:
        ids, segments, notes = *listed(customers, strata), ()
    else:
        log, _ = opened(settings, terminal)
        rules = _rules(offers, settings)
        ids, segments, notes = on_record(log, strata, day=when, active_within=active_within, rules=rules)
    drawn = run(ids, experiment=experiment, arms=shares, strata=segments)
    path = output or settings.parent / "assignments.csv"
    write_assignments(
        drawn, path, experiment=experiment, day=when, channel=channel, offers={}, strata=segments
    )
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
    strata: Annotated[
        str | None,
        typer.Option(
            help="Column with the segment within which arms were drawn; stratum, which assign writes, if the "
            "list has it. Of the list, or of the customers' records as they were on the first day."
        ),
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="Column with a number known before, of the same two. May be given twice."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column with the household, where households were drawn and not customers."),
    ] = None,
    offers: OffersFile = None,
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
    from habitue.pipelines.measuring.assignments import contacts_of, experiments_of, readable
    from habitue.pipelines.measuring.lists import read_lists
    from habitue.pipelines.measuring.measure import read_each, read_experiment, write_readouts
    from habitue.pipelines.measuring.segments import segments_of

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    guardrails = _guardrails(guard)
    lists = readable(read_lists(assignments)) if assignments else None
    log, known = opened(settings, terminal)
    rules = _rules(offers, settings)
    found, none = lists or readable(contacts_of(log, campaign or ()), first_counts=True)
    if lists is not None:
        found = experiments_of(log, found)

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
            segments=segments_of(
                log, one, strata=strata, clusters=cluster, covariates=tuple(covariate or ())
            ),
            opt_outs=rules.opt_out_events,
        )

    with terminal.working(n_stages=1):
        read, left = read_each(found, none, read_one, named=bool(campaign))
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
    offers: OffersFile = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Split your own past customers at random, over and over, and tell how often something is found.

    Nothing was done to them, so that a test at 5 % should find something in 5 % of the splits. The table
    tells how often it does, at one look and with peeking. Ends with exit code 8 where it is more often.
    """
    from habitue.pipelines.files import write_text
    from habitue.pipelines.measuring.design import past_customers, simulate_with
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    log, known = opened(settings, terminal)
    day = None if cutoff is None else as_day(cutoff, "--cutoff")
    with terminal.working(n_stages=1):
        seen = past_customers(
            log,
            horizon=horizon or known.horizon,
            cutoff=day,
            active_within=active_within,
            rules=_rules(offers, settings),
        )
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
    found = settings.parent / "measure" / "simulation.json"  # the report reads it
    write_text(found, json.dumps({"checks": [one.to_dict() for one in checks]}))
    terminal.say(f"Wrote {found}.")
    if not all(one.is_honest for one in checks):
        raise typer.Exit(ALARMS)
