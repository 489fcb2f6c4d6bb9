"""What a person at a terminal sees: progress, tables and sentences; nothing of it where there is no terminal.

Lines of work, notes and progress go to stderr, answers to stdout, so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from habitue.errors import HabitueWarning, ManySetAsideWarning, SettingsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EventLog", "Terminal", "plain"]

_SHORT = {
    "auc": "AUC",
    "average_precision": "AP",
    "brier": "Brier",
    "log_loss": "log loss",
    "calibration_slope": "cal. slope",
    "calibration_intercept": "cal. int.",
    "ece": "ECE",
    "lift_top_decile": "lift 10%",
    "capture_top_decile": "capt. 10%",
    "expected_maximum_profit": "EMPC",
    "mae": "MAE",
    "rmse": "RMSE",
    "msle": "MSLE",
    "bias": "bias",
    "spearman": "Spearman",
    "normalised_gini": "nGini",
    "decile_mape": "dec. MAPE",
}
"""Scores as a terminal of 80 columns has room for."""

_WIDE = 116
"""Columns from which a table of scores shows intervals too."""

_STYLES = {False: "yellow", True: "bold red"}
"""Colours of what is worth knowing, and of what must not be passed over."""

_SEE_IN_PYTHON = re.compile(r"See log\.quarantine\('\w+'\)\.")
_SEE_HERE = "To see them: habitue check --quarantine FILE"


class EventLog:
    """A log for schedulers: one JSON object a line, appended, so that several jobs may share a file.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    clock : callable
        Returns this moment.

    Raises
    ------
    SettingsError
        Where the file cannot be written to.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path, self._clock = path, clock
        try:
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise SettingsError(
                f"The log {path} cannot be written to ({error.strerror}); name one that can be."
            ) from error

    def add(self, event: str, text: str, fields: Mapping[str, Any] | None = None) -> None:
        """Append one line: ``at``, ``event``, ``text`` and ``fields``.

        Parameters
        ----------
        event : str
            step, said, note, answer or error.
        text : str
            As a person reads it.
        fields : Mapping[str, Any], optional
            Made of what `plain` knows.
        """
        told = {"at": self._clock().isoformat(), "event": event, "text": text, "fields": plain(fields or {})}
        line = json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n"
        # A log that can no longer be written, as on a full disk, must not end the work that it is about.
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(line)


class Terminal:
    """Speaks to a person, or to a machine with ``--json``.

    Parameters
    ----------
    as_json : bool
        Whether answers are one JSON object on stdout, and nothing else is said there.
    log : Path, optional
        A file to which everything that is said is appended, too; see `EventLog`.
    clock : callable, optional
        Returns this moment, for the log; without it nothing is logged.

    Raises
    ------
    SettingsError
        Where the log cannot be written to.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        log: Path | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.as_json = as_json
        self._log = None if log is None or clock is None else EventLog(log, clock)
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)
        self._warned: set[str] = set()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def working(self, n_stages: int) -> Generator[None]:
        """Show a progress bar over so many stages while something takes long; only on a terminal.

        Parameters
        ----------
        n_stages : int
            How often `stage` will be called.
        """
        with warnings.catch_warnings():
            # What the library warns of is a sentence for the person, whatever Python was told to do with it.
            warnings.simplefilter("always", HabitueWarning)
            warnings.showwarning = self._note
            if self.as_json or not self._err.is_terminal:
                yield
                return
            columns = (
                SpinnerColumn(),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            with Progress(*columns, console=self._err, transient=True) as self._progress:
                self._task = self._progress.add_task("", total=n_stages)
                try:
                    yield
                finally:
                    self._progress = None

    def _logged(self, event: str, text: str, fields: Mapping[str, Any] | None = None) -> None:
        if self._log is not None:
            self._log.add(event, text, fields)

    def _note(self, message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, HabitueWarning) and str(message) not in self._warned:
            self._warned.add(str(message))
            told = _SEE_IN_PYTHON.sub(_SEE_HERE, str(message))
            self._logged("note", told)
            loud = issubclass(category, ManySetAsideWarning)
            self._err.print(Text(f"Warning: {told}" if loud else f"Note: {told}", style=_STYLES[loud]))

    def step(self, line: str) -> None:
        """Say what is being done now.

        Parameters
        ----------
        line : str
            A few words.
        """
        self._logged("step", line)
        if self._progress is not None:
            self._progress.update(self._task, description=line)

    def stage(self, line: str) -> None:
        """Say in one line what was done, and move the bar on.

        Parameters
        ----------
        line : str
            A sentence.
        """
        self._logged("step", line)
        if self._progress is not None:
            self._progress.advance(self._task)
        if not self.as_json:
            done = Text.assemble(("✓ ", "green"), line) if self._err.is_terminal else Text(f"- {line}")
            self._err.print(done)

    def say(self, line: str = "") -> None:
        """Print a line of the answer.

        Parameters
        ----------
        line : str
            As it is printed.
        """
        if line:
            self._logged("said", line)
        if not self.as_json:
            self._out.print(Text(line))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a small table; the first column is text, the others are numbers.

        Parameters
        ----------
        title : str
            Above it.
        columns : sequence of str
            Headings.
        rows : sequence of sequence of str
            Cells.
        """
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for place, name in enumerate(columns):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._out.print(table)
        self._out.print()

    def scores(
        self,
        scores: pd.DataFrame,
        when: str,
        *,
        champion: str = "",
        left_out: Mapping[str, str] | None = None,
    ) -> None:
        """Print one table per target: models in rows, scores in columns; then why a model has no scores.

        Parameters
        ----------
        scores : DataFrame
            Of `Backtest.scores`.
        when : str
            What was predicted from when, above the table.
        champion : str
            The model to mark.
        left_out : Mapping[str, str]
            Models that could not be fitted, and why.
        """
        missing = left_out or {}
        from habitue.evaluation import SCORES  # here: what prints nothing of them does not load them

        further = {one.name for known in SCORES.values() for one in known if not one.is_headline}
        for target, rows in scores.groupby("target", sort=False):
            names = [one for one in dict.fromkeys(rows["score"]) if one not in further]
            # Half the interval stands behind each score where there is room for it.
            told = [
                _figure(value) + (_half(lower, upper) if self._out.width >= _WIDE else "")
                for value, lower, upper in zip(rows["value"], rows["lower"], rows["upper"], strict=True)
            ]
            cells = dict(zip(zip(rows["model"], rows["score"], strict=True), told, strict=True))
            body = [
                [_model(str(model), champion, missing), *(cells.get((model, one), "–") for one in names)]
                for model in dict.fromkeys(rows["model"])
            ]
            star = "; * champion" if champion else ""
            star += "; ± half the 95 % interval" if self._out.width >= _WIDE else ""
            self.table(
                f"{target} ({when}{star})",
                ["model", *(_SHORT.get(str(one), str(one)) for one in names)],
                body,
            )
        for model, why in missing.items():
            self.say(f"{model} could not be fitted: {why}")

    def published(self, published: pd.DataFrame) -> None:
        """Print published figures beside those found here.

        Parameters
        ----------
        published : DataFrame
            Columns figure, published, here.
        """
        rows = [
            [row["figure"], _figure(row["published"], 4), _figure(row["here"], 4)]
            for row in published.to_dict("records")
        ]
        self.table("CDNOW sample, 39 weeks, as in the literature", ["figure", "published", "here"], rows)

    def answer(self, facts: Mapping[str, Any]) -> None:
        """Print the answer for machines, where it was asked for.

        Parameters
        ----------
        facts : Mapping[str, Any]
            Made of what `plain` knows.
        """
        self._logged("answer", "", facts)
        if self.as_json:
            text = json.dumps(plain(facts), indent=2, ensure_ascii=False, allow_nan=False)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def error(self, sentence: str) -> None:
        """Say what went wrong.

        Parameters
        ----------
        sentence : str
            One or two.
        """
        self._logged("error", sentence)
        self._err.print(Text.assemble(("Error: ", "bold red"), sentence))


def _console(*, stderr: bool) -> Console:
    """Return a console that cuts nothing where it writes to a file or a pipe."""
    console = Console(stderr=stderr, soft_wrap=True, highlight=False)
    return (
        console if console.is_terminal else Console(stderr=stderr, soft_wrap=True, highlight=False, width=200)
    )


def _model(name: str, champion: str, left_out: Mapping[str, str]) -> str:
    if name in left_out:
        return f"{name} (not fitted)"
    return f"{name} *" if name == champion else name


def _half(lower: float, upper: float) -> str:
    """Write half the width of an interval behind a score."""
    half = (upper - lower) / 2
    return f" ±{half:.3f}" if half >= 0.0005 else ""


def _figure(value: Any, digits: int = 3) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: tables as lists of rows, days as text, what is no number as null.

    Parameters
    ----------
    value : Any
        Made of mappings, sequences, frames, numbers, days and paths.

    Examples
    --------
    >>> plain({"share": float("nan"), "where": Path("demo"), "versions": (1, 2)})
    {'share': None, 'where': 'demo', 'versions': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    """Take apart what pandas and numpy make: known by what it can do, so that neither is imported."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict("records"))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
