"""How commands end: errors as sentences, and interruptions that stay interruptions."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time

import pytest

from habitue.endings import sentence_of, stopped_gently
from habitue.errors import FitError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FitError("No model\n could be fitted."), "No model could be fitted."),
        (KeyError(), "Unexpected error, KeyError: no message. --debug shows all of it."),
        (OSError(28, "full"), "Unexpected error, OSError: [Errno 28] full. --debug shows all of it."),
        (KeyboardInterrupt(), "Interrupted; nothing half-written was left."),
    ],
)  # fmt: skip
def test_sentences(error: BaseException, sentence: str) -> None:
    assert sentence_of(error) == sentence


def test_long_messages_are_shortened() -> None:
    assert len(sentence_of(ValueError("long " * 1000))) < 400


def interrupted_in_a_query() -> None:
    """Do what DuckDB does when it is interrupted: raise an error of its own."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    except KeyboardInterrupt as error:
        raise RuntimeError("Query interrupted") from error


def test_interruption_that_a_library_made_an_error_of_is_still_one() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopped_gently():
        interrupted_in_a_query()
    assert signal.getsignal(signal.SIGTERM) == before
    assert logging.getLogger().isEnabledFor(logging.ERROR)


def test_errors_of_uninterrupted_work_pass() -> None:
    with pytest.raises(FitError), stopped_gently():
        raise FitError("no")


class Interrupted:
    """Something whose collection is interrupted, which Python has to ignore."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)


def collected_at_work() -> None:
    Interrupted()
    time.sleep(30)


def test_an_interruption_lost_to_the_collector_comes_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stopped_gently():
        collected_at_work()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_errors_of_the_collector_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cleaned:
        def __del__(self) -> None:
            raise ValueError("not cleaned")

    told: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_value))
    with stopped_gently():
        Cleaned()
    assert [str(error) for error in told] == ["not cleaned"]
