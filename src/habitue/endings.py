"""How a command ends: interrupted with nothing half-written left, or with an error told in a sentence."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

from habitue.errors import HabitueError

__all__ = ["sentence_of", "stopped_gently"]

_LONGEST = 300
"""Characters of an unexpected error's own message that are told."""
_AGAIN_SECONDS = 0.02
"""After which an interruption that was lost comes again."""


@contextmanager
def stopped_gently() -> Generator[None]:
    """Let Ctrl-C and SIGTERM end a block as KeyboardInterrupt, so that what is half written is removed.

    Whatever a library makes of the interruption (DuckDB, in the middle of a query, an error), it stays one.
    It comes again where Python had to ignore it, in the middle of what the garbage collector calls.
    """
    came: list[int] = []
    again: list[threading.Timer] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        # What libraries log of being torn from their work is nothing that the person has to act on.
        logging.disable()
        raise KeyboardInterrupt

    def ignored(what: sys.UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, KeyboardInterrupt):
            before_ignored(what)
            return
        # To the main thread itself, so that a wait of its own ends too.
        me = threading.main_thread().ident
        again.append(threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (me, came[-1])))
        again[-1].start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before_ignored, sys.unraisablehook = sys.unraisablehook, ignored
    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:
        if came:
            raise KeyboardInterrupt from error
        raise
    finally:
        for timer in again:
            timer.cancel()
            timer.join()
        sys.unraisablehook = before_ignored
        if came:
            logging.disable(logging.NOTSET)
        for one, handler in before.items():
            signal.signal(one, handler)


def sentence_of(error: BaseException) -> str:
    """Tell an error in a sentence or two.

    Parameters
    ----------
    error : BaseException
        What ended the command.

    Examples
    --------
    >>> sentence_of(HabitueError("The log is empty."))
    'The log is empty.'
    >>> sentence_of(ZeroDivisionError("division by zero"))
    'Unexpected error, ZeroDivisionError: division by zero. --debug shows all of it.'
    """
    told = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; nothing half-written was left."
    if isinstance(error, HabitueError):
        return told
    short = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}..."
    short = short.rstrip(".") or "no message"
    return f"Unexpected error, {type(error).__name__}: {short}. --debug shows all of it."
