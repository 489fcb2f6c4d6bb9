"""The edge of the program: it parses, calls a command, and maps errors to exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import cast

import typer

from habitue.cli.app import app
from habitue.endings import sentence_of, stopped_gently
from habitue.errors import DataError, FitError, RegistryError, SettingsError, UnavailableError
from habitue.terminal import Terminal

__all__ = ["EXIT_CODES", "main"]

EXIT_CODES: dict[type[BaseException], int] = {
    DataError: 3,
    SettingsError: 4,
    FitError: 5,
    RegistryError: 6,
    UnavailableError: 7,
    KeyboardInterrupt: 130,
    BaseException: 1,
}
"""Exit code of each sort of error, the first that fits; 0 is success, 2 a wrong use of the command line."""

_WRONG_USE = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""Click's UsageError; Typer carries its own copy of Click and does not name it."""


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
