"""What a person at a terminal sees: progress, tables and sentences; nothing of it where there is no terminal.

Lines of work and progress go to stderr, answers to stdout, so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = ["Terminal"]


class Terminal:
    """Speaks to a person, or to a machine with ``--json``.

    Parameters
    ----------
    as_json : bool
        Whether answers are one JSON object on stdout, and nothing else is said.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)
        self._warned: set[str] = set()
        self._progress: Progress | None = None
        self._task: Any = None

    @contextmanager
    def working(self, n_stages: int) -> Generator[None]:
        """Show a progress bar over so many stages while something takes long; only on a terminal."""
        with warnings.catch_warnings(record=False):
            # What the library warns of is a sentence for the person, not a line of code.
            warnings.showwarning = self._warn
            if self.as_json or not self._err.is_terminal:
                yield
                return
            columns = (SpinnerColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"))
            with Progress(*columns, console=self._err, transient=True) as self._progress:
                self._task = self._progress.add_task("", total=n_stages)
                try:
                    yield
                finally:
                    self._progress = None

    def _warn(self, message: Warning | str, category: type[Warning], *_: Any) -> None:
        if category.__module__.startswith("habitue") and not self.as_json and str(message) not in self._warned:
            self._warned.add(str(message))
            self._err.print(Text(f"Note: {message}", style="yellow"))

    def step(self, line: str) -> None:
        """Say what is being done now."""
        if self._progress is not None:
            self._progress.update(self._task, description=line)

    def stage(self, line: str) -> None:
        """Say in one line what was done, and move the bar on."""
        if self._progress is not None:
            self._progress.advance(self._task)
        if not self.as_json:
            self._err.print(Text.assemble(("✓ ", "green"), line) if self._err.is_terminal else Text(f"- {line}"))

    def say(self, line: str = "") -> None:
        """Print a line of the answer."""
        if not self.as_json:
            self._out.print(Text(line))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a small table; the first column is text, the others are numbers."""
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for place, name in enumerate(columns):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._out.print(table)
        self._out.print()

    def answer(self, facts: Mapping[str, Any]) -> None:
        """Print the answer for machines, where it was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(facts, indent=2, default=_plain, ensure_ascii=False) + "\n")

    def error(self, sentence: str) -> None:
        """Say what went wrong."""
        self._err.print(Text.assemble(("Error: ", "bold red"), sentence))


def _console(*, stderr: bool) -> Console:
    """A console that cuts nothing where it writes to a file or a pipe."""
    console = Console(stderr=stderr, soft_wrap=True, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, soft_wrap=True, highlight=False, width=200)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return json.loads(value.to_json(orient="records", date_format="iso"))
    if hasattr(value, "item"):
        return value.item()
    return str(value)
