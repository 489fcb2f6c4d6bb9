"""The application, and what its commands share: options, settings, the clock.

This is the only place that looks at the clock.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from habitue import __version__
from habitue.endings import sentence_of
from habitue.terminal import EventLog

if TYPE_CHECKING:
    from habitue.pipelines.settings import Settings
    from habitue.records import CustomerLog
    from habitue.terminal import Terminal
    from habitue.tracking import Store

__all__ = [
    "ALARMS",
    "AsJson",
    "LogFile",
    "SettingsFile",
    "app",
    "champions",
    "epilog",
    "home_of",
    "now",
    "opened",
    "recipes_beside",
    "scores_of",
    "settings_of",
    "store_at",
]

ALARMS = 8
"""Exit code of a command that did what it was asked to and found what calls for somebody."""

_EPILOG = (
    "Exit codes: 0 done; 1 unexpected error; 2 wrong use; 3 data; 4 settings or recipe; 5 a model could not "
    "be fitted; 6 registry; 7 not available just now, try again; 8 alarms; 130 interrupted."
)

app = typer.Typer(
    name="habitue",
    help="Churn and customer lifetime value: who is about to leave, what they are worth, why, "
    "and whom to treat with what.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
)

SettingsFile = Annotated[Path, typer.Option("--settings", "-s", help="The settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on stdout.")]


@contextmanager
def _failures_logged(path: Path) -> Generator[None]:
    """Append to the log what ends a command: errors are told at the edge of the program, after it."""
    log = EventLog(path, now)
    try:
        yield
    except typer.Exit:
        raise
    except BaseException as error:
        log.add("error", sentence_of(error), {"kind": type(error).__name__})
        raise


def _logging(context: typer.Context, path: Path | None) -> Path | None:
    if path is not None:
        context.with_resource(_failures_logged(path))
    return path


LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log", callback=_logging, help="Append what happens to this file, one JSON object a line."
    ),
]
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


def epilog(example: str) -> str:
    """Return what stands below a command's help.

    Parameters
    ----------
    example : str
        A command line that works.
    """
    return f"Example: {example}\n\n{_EPILOG}"


def settings_of(path: Path) -> Settings:
    """Read the settings file.

    Parameters
    ----------
    path : Path
        The file.
    """
    from habitue.pipelines.settings import read_settings

    return read_settings(path)


def opened(
    path: Path, terminal: Terminal, *, memory_limit: str | None = None
) -> tuple[CustomerLog, Settings]:
    """Read the settings and the log that they name.

    Parameters
    ----------
    path : Path
        The settings file.
    terminal : Terminal
        Where progress is told.
    memory_limit : str, optional
        What the records may take of memory where the settings do not say.
    """
    settings = settings_of(path)
    with terminal.working(n_stages=1):
        names = [Path(table.source).name for table in settings.tables().values()]
        terminal.step(f"reading {', '.join(names)}")
        return settings.read(path.parent, today=date.today(), memory_limit=memory_limit), settings


def recipes_beside(settings: Path) -> list[Path]:
    """Return the recipes that lie beside the settings.

    Parameters
    ----------
    settings : Path
        The settings file.
    """
    return sorted((settings.parent / "models").glob("*.toml"))


def champions(settings: Path) -> list[str]:
    """Name the champions of the recipes beside the settings; the built-in ones' where there are none.

    Parameters
    ----------
    settings : Path
        The settings file.
    """
    from habitue.pipelines.recipes import read_recipe

    names = dict.fromkeys(read_recipe(path).name for path in recipes_beside(settings))
    return [f"{name}@champion" for name in names or ("habitue-churn", "habitue-clv")]


class Home(NamedTuple):
    """Where MLflow is.

    Attributes
    ----------
    address : str
        A folder or an address.
    artifacts : str or None
        Where files go, if that has to be said.
    """

    address: str
    artifacts: str | None = None


def home_of(settings: Settings, path: Path) -> Home:
    """MLflow's home; a relative folder lies beside the settings file.

    Parameters
    ----------
    settings : Settings
        What the file says.
    path : Path
        The file.
    """
    address = settings.mlruns if "://" in settings.mlruns else str(path.parent / settings.mlruns)
    files = settings.artifacts
    return Home(address, files if files is None or "://" in files else str(path.parent / files))


def scores_of(settings: Settings, path: Path) -> str:
    """Where scores go; a relative file or folder lies beside the settings file.

    Parameters
    ----------
    settings : Settings
        What the file says.
    path : Path
        The file.
    """
    return settings.scores if "://" in settings.scores else str(path.parent / settings.scores)


def store_at(home: Home | str) -> Store:
    """Open MLflow's home.

    Parameters
    ----------
    home : Home or str
        A folder or an address.
    """
    from habitue.tracking import open_store

    address, artifacts = (home, None) if isinstance(home, str) else home
    return open_store(address, artifacts=artifacts)


def now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)
