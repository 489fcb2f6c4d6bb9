"""The command line: one command per pipeline. It parses, calls, prints, and maps errors to exit codes.

This is the only place that looks at the clock.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from habitue import __version__
from habitue.endings import sentence_of, stopped_gently
from habitue.errors import DataError, FitError, RegistryError, SettingsError
from habitue.terminal import Terminal, tell_demo

if TYPE_CHECKING:
    from habitue.pipelines.settings import Settings
    from habitue.records import CustomerLog
    from habitue.tracking import Store

__all__ = ["EXIT_CODES", "app", "main"]

EXIT_CODES: dict[type[BaseException], int] = {
    DataError: 3,
    SettingsError: 4,
    FitError: 5,
    RegistryError: 6,
    KeyboardInterrupt: 130,
    BaseException: 1,
}
"""Exit code of each sort of error, the first that fits; 0 is success, 2 a wrong use of the command line."""

_EPILOG = (
    "Exit codes: 0 done; 1 unexpected error; 2 wrong use; 3 data; 4 settings or recipe; 5 a model could not "
    "be fitted; 6 registry; 130 interrupted."
)

_TITLE = "Who is about to leave, and what they are worth"

_WRONG_USE = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""Click's UsageError; Typer carries its own copy of Click and does not name it."""

app = typer.Typer(
    name="habitue",
    help="Churn and customer lifetime value: who is about to leave, what they are worth, and why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
)

SettingsFile = Annotated[Path, typer.Option("--settings", "-s", help="The settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.", is_eager=True)]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"habitue {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, help="Say which.")] = False,
    debug: Debug = False,
) -> None:
    _ = version, debug  # both are read elsewhere: by their callback, and by main


def _epilog(example: str) -> str:
    return f"Example: {example}\n\n{_EPILOG}"


@app.command(epilog=_epilog("habitue demo"))
def demo(
    folder: Annotated[Path, typer.Option(help="Where scores and report go.")] = Path("demo"),
    mlruns: Annotated[str, typer.Option(help="MLflow's home: a folder or an address.")] = "mlruns",
    as_json: AsJson = False,
) -> None:
    """Run the whole journey on CDNOW: read, learn, test, register, score, report."""
    from habitue.pipelines.demo import demo as run

    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=7):
        terminal.step("starting")
        done = run(folder, store=_store(mlruns), now=_now(), stage=terminal.stage, step=terminal.step)
    champions = {name: f"{one.recipe.name}/{one.version.version}" for name, one in done.trained.items()}
    tell_demo(terminal, done, ", ".join(champions.values()), mlruns)
    terminal.answer(
        {
            "scores": done.scores_path,
            "report": done.report_path,
            "champions": champions,
            "seconds": done.seconds,
            "published": done.published,
            "tables": {name: one.scores for name, one in done.trained.items()},
        }
    )


@app.command(epilog=_epilog("habitue init transactions.csv"))
def init(
    source: Annotated[str, typer.Argument(help="A CSV, Parquet or DuckDB file, or a postgresql:// address.")],
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
    folder: Annotated[Path, typer.Option(help="Where to write habitue.toml and models/.")] = Path(),
    force: Annotated[bool, typer.Option(help="Replace a habitue.toml that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at your transactions and write settings for them: columns, cutoff and horizon."""
    from habitue.pipelines.propose import propose, write_settings

    named = {
        "customer_id": customer_id, "timestamp": timestamp, "amount": amount, "table": table,
        "query": query, "delimiter": delimiter, "encoding": encoding,
        "timestamp_format": timestamp_format, "timezone": timezone, "decimal": decimal,
    }  # fmt: skip
    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        terminal.step(f"looking at {Path(source).name}")
        shown = source if "://" in source else os.path.relpath(source, folder)
        known = {name: value for name, value in named.items() if value is not None}
        proposal = propose(source, known, today=date.today())
    written = write_settings(proposal, folder, shown=shown, force=force)
    log = proposal.log
    terminal.say(f"Found {log.n_customers:,} customers, {log.first_day} to {log.observed_until}.")
    for name in ("customer_id", "timestamp", "amount"):
        terminal.say(f"  {name:<12} {proposal.reading[name]}")
    terminal.say(f"  {'horizon':<12} {proposal.horizon} days: {proposal.why_horizon}")
    terminal.say(f"Wrote {', '.join(map(str, written))}. Read it, edit it, then: habitue check")
    terminal.answer({"written": written, "reading": proposal.reading, "horizon": proposal.horizon})


@app.command(epilog=_epilog("habitue check --quarantine set-aside.csv"))
def check(
    settings: SettingsFile = Path("habitue.toml"),
    quarantine: Annotated[Path | None, typer.Option(help="Write the rows set aside to this CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the log and say what is in it, what was set aside and why."""
    from habitue.pipelines.examine import examine, write_quarantine

    terminal = Terminal(as_json=as_json)
    log, _ = _open(settings, terminal)
    facts = examine(log)
    if quarantine is not None:
        facts["quarantine"] = write_quarantine(log, quarantine)
    terminal.log(facts)
    if quarantine is not None:
        terminal.say(f"Rows set aside: {quarantine}")
    terminal.answer(facts)


@app.command(epilog=_epilog("habitue train models/churn.toml"))
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as models/churn.toml.")],
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Train a recipe's challengers, test them on held-out days, register them and crown the better one."""
    from habitue.pipelines.recipes import read_recipe
    from habitue.pipelines.train import train as run

    chosen = read_recipe(recipe)
    terminal = Terminal(as_json=as_json)
    log, known = _open(settings, terminal)
    with terminal.working(n_stages=1):
        done = run(
            log,
            chosen,
            horizon=known.horizon,
            store=_store(_home(known, settings)),
            source=log.checks["transactions"].source,
            recipe_text=recipe.read_text(encoding="utf-8"),
            now=_now(),
            progress=terminal.step,
        )
    when = f"{max(done.tested.trained_until)}, {done.horizon} days ahead"
    terminal.scores(done.scores, when, champion=done.choice.label, left_out=done.not_fitted)
    terminal.say(f"{chosen.name}: version {done.version.version} is champion. {done.choice.why}")
    terminal.answer(
        {
            "name": chosen.name,
            "version": done.version.version,
            "champion": done.choice.label,
            "why": done.choice.why,
            "versions": done.versions,
            "not_fitted": done.not_fitted,
            "scores": done.scores,
        }
    )


@app.command(epilog=_epilog("habitue backtest models/clv.toml --cutoffs 3"))
def backtest(
    recipes: Annotated[list[Path] | None, typer.Argument(help="Recipes; all of models/ if none.")] = None,
    settings: SettingsFile = Path("habitue.toml"),
    cutoffs: Annotated[int | None, typer.Option(min=1, help="Past cutoffs to test at.")] = None,
    output: Annotated[Path | None, typer.Option(help="A Parquet file of predictions and outcomes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test recipes at past cutoffs against honest baselines; nothing is registered."""
    import pandas as pd

    from habitue.pipelines.files import write_beside
    from habitue.pipelines.recipes import read_recipe
    from habitue.pipelines.train import backtest_recipe, scores_of

    found = recipes or _recipes_beside(settings)
    if not found:
        raise SettingsError("There are no recipes in models/; `habitue init` writes two.")
    chosen = [read_recipe(path) for path in found]
    terminal = Terminal(as_json=as_json)
    log, known = _open(settings, terminal)
    answers: dict[str, Any] = {}
    frames: list[Any] = []
    for recipe in chosen:
        with terminal.working(n_stages=1):
            tested = backtest_recipe(
                log, recipe, horizon=known.horizon, n_cutoffs=cutoffs, progress=terminal.step
            )
            terminal.step("scores with bootstrap intervals")
            scores = scores_of(tested, recipe)
        days = ", ".join(map(str, tested.trained_until))
        terminal.scores(scores, f"{days}, {tested.horizon} days ahead", left_out=tested.left_out)
        answers[recipe.name] = {"scores": scores, "not_fitted": tested.left_out}
        frames.append(tested.frame)
    if output is not None:
        everything = pd.concat(frames, ignore_index=True)
        write_beside(output, lambda to: everything.to_parquet(to, index=False))
        terminal.say(f"Predictions and outcomes: {output}")
    terminal.answer(answers)


@app.command(epilog=_epilog("habitue score --model habitue-clv@champion --output out.parquet"))
def score(
    model: Annotated[
        list[str] | None,
        typer.Option(help="name@alias or name/version; both champions if none is named. May be given twice."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A .parquet or .csv file; else the settings'.")] = None,
    cutoff: Annotated[str | None, typer.Option(help="The last day that counts, such as 2024-12-31.")] = None,
    reasons: Annotated[bool, typer.Option(help="Whether to add the three main reasons.")] = True,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Score every customer with registered models."""
    from habitue.pipelines.score import check_target, score_customers, write_scores
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json)
    known = _settings(settings)
    target = check_target(output or settings.parent / known.scores)
    day = as_day(cutoff, "--cutoff") if cutoff else known.cutoff
    log, _ = _open(settings, terminal)
    with terminal.working(n_stages=1):
        scored = score_customers(
            log,
            model or _champions(settings),
            store=_store(_home(known, settings)),
            now=_now(),
            cutoff=day,
            reasons=reasons,
            progress=terminal.step,
        )
        manifest = write_scores(scored, target)
    names = ", ".join(f"{one['name']}/{one['version']}" for one in scored.manifest["models"])
    terminal.say(
        f"Scored {len(scored.frame):,} customers as of {scored.manifest['cutoff']} with {names}: {target}"
    )
    terminal.answer({"output": target, "manifest": manifest, **scored.manifest})


@app.command(epilog=_epilog("habitue report --output report.html"))
def report(
    scores: Annotated[Path | None, typer.Option(help="A scores file; else the settings'.")] = None,
    output: Annotated[Path | None, typer.Option(help="The HTML page; else the settings'.")] = None,
    title: Annotated[str, typer.Option(help="Its heading.")] = _TITLE,
    customers: Annotated[int, typer.Option(min=1, help="Customers listed.")] = 500,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Tell the scores on one self-contained page that opens without a network."""
    from habitue.pipelines.tell import tell

    terminal = Terminal(as_json=as_json)
    known = _settings(settings)
    with terminal.working(n_stages=1):
        terminal.step("writing the report")
        page = tell(
            scores or settings.parent / known.scores,
            output or settings.parent / known.report,
            store=_store(_home(known, settings)),
            money=known.money,
            title=title,
            now=_now(),
            n_customers=customers,
        )
    terminal.say(f"Report: {page}")
    terminal.answer({"report": page})


def _settings(path: Path) -> Settings:
    from habitue.pipelines.settings import read_settings

    return read_settings(path)


def _open(path: Path, terminal: Terminal) -> tuple[CustomerLog, Settings]:
    """Read the settings and the log that they name."""
    settings = _settings(path)
    with terminal.working(n_stages=1):
        terminal.step(f"reading {Path(settings.data.source).name}")
        return settings.data.read(path.parent, today=date.today()), settings


def _recipes_beside(settings: Path) -> list[Path]:
    return sorted((settings.parent / "models").glob("*.toml"))


def _champions(settings: Path) -> list[str]:
    """Name the champions of the recipes beside the settings; the built-in ones' where there are none."""
    from habitue.pipelines.recipes import read_recipe

    names = dict.fromkeys(read_recipe(path).name for path in _recipes_beside(settings))
    return [f"{name}@champion" for name in names or ("habitue-churn", "habitue-clv")]


def _home(settings: Settings, path: Path) -> str:
    """MLflow's home; a relative folder lies beside the settings file."""
    return settings.mlruns if "://" in settings.mlruns else str(path.parent / settings.mlruns)


def _store(home: str) -> Store:
    from habitue.tracking import open_store

    return open_store(home)


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process where None.

    Returns
    -------
    int
        See `EXIT_CODES`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [one for one in given if one != "--debug"]
    command = typer.main.get_command(app)
    try:
        with stopped_gently():
            code = command.main(given, prog_name="habitue", standalone_mode=False)
    except _WRONG_USE as error:
        error.show()  # pyright: ignore[reportAttributeAccessIssue]
        return 2
    except typer.Abort:
        return _failed(KeyboardInterrupt(), debug)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge of the program
        return _failed(error, debug)
    if code == EXIT_CODES[KeyboardInterrupt]:  # Typer turns the interruption into its code, and says nothing
        return _failed(KeyboardInterrupt(), debug)
    return code if isinstance(code, int) else 0


def _failed(error: BaseException, debug: bool) -> int:
    """Say what went wrong in a sentence, and return the exit code."""
    if debug:
        traceback.print_exception(error)
    else:
        Terminal().error(sentence_of(error))
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
