"""`habitue.toml`: where the data lie, what their columns mean, when to look and how far ahead.

The tables of all kinds of record are made from `habitue.records.SCHEMAS`: a column there is a key here. A key
that is not known is answered with the nearest one that is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from habitue.errors import SettingsError
from habitue.pipelines.scorecard_settings import ScorecardSettings, TargetSettings
from habitue.pipelines.strict_tables import Strict
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine, Source, read_records

__all__ = [
    "LONGEST_HORIZON",
    "WHOLE_LOG",
    "DataSettings",
    "RecordsSettings",
    "Settings",
    "SourceSettings",
    "Strict",
    "as_settings",
    "located",
    "read_settings",
    "read_toml",
]

LONGEST_HORIZON = 36_525
"""Days, a century: beyond it the calendar ends before the horizon does."""

_LARGEST = 1 << 20
"""Bytes of a settings file or recipe."""

M = TypeVar("M", bound=BaseModel)
_DATABASES = ("postgresql://", "postgres://")
_MEMORY = re.compile(r"\d+(\.\d+)? ?[KMGT]i?B", re.IGNORECASE)
_SENTENCE = "sentence"
"""Type of an error whose message is said as it is."""


class SourceSettings(Strict):
    """Where records of one kind lie and how their values are written; see `habitue.records.Source`.

    Beside these keys a table has one for each column of its kind, which says what the source calls it.
    """

    source: str = ""
    table: str | None = None
    query: str | None = None
    timestamp_format: str | None = None
    decimal: str = "."
    delimiter: str | None = None
    encoding: str | None = None

    def of_kind(self, kind: str, folder: Path) -> Source:
        """Return where to read a kind of record, and how.

        Parameters
        ----------
        kind : str
            The kind that this table is of.
        folder : Path
            That of the settings file: a relative path begins there.
        """
        return Source(
            located(self.source, folder),
            self.mapping(kind),
            **self.model_dump(include=SourceSettings.model_fields.keys() - {"source"}),
        )

    def mapping(self, kind: str) -> dict[str, str]:
        """Return what the source calls each column that it is known to have.

        Parameters
        ----------
        kind : str
            The kind that this table is of.
        """
        given = {column.name: getattr(self, column.name) for column in SCHEMAS[kind].columns}
        return {name: column for name, column in given.items() if column is not None}


def located(source: str, folder: Path) -> str | Path:
    """Return the address of a database as it is, and of a file where it lies.

    Parameters
    ----------
    source : str
        As the settings name it.
    folder : Path
        That of the settings file.
    """
    return source if source.startswith(_DATABASES) else folder / Path(source).expanduser()


def _columns(kind: str) -> dict[str, Any]:
    """Return a key for each column of a kind; one that is needed has its own name where no other is given."""
    return {
        column.name: (str, column.name) if column.required else (str | None, None)
        for column in SCHEMAS[kind].columns
    }


def _check_memory(given: str | None) -> str | None:
    if given is not None and not _MEMORY.fullmatch(given):
        raise PydanticCustomError(_SENTENCE, 'expected a size such as "3GB"')
    return given


def _check_rates(given: Any) -> Any:
    if given is not None and not isinstance(given, str | dict):
        raise PydanticCustomError(_SENTENCE, 'expected a table such as {EUR = 1, USD = "0.92"}, or a file')
    return given


class _WholeLog(SourceSettings):
    """The table ``[data]`` without the columns of transactions."""

    timezone: str | None = None
    observed_until: date | None = None
    memory_limit: Annotated[str | None, AfterValidator(_check_memory)] = None
    rates: Annotated[Any, AfterValidator(_check_rates)] = None


WHOLE_LOG = frozenset({"timezone", "observed_until", "memory_limit"})
"""Keys of ``[data]`` that are about all kinds of record, and may stand there without transactions."""


class DataSettings(create_model("DataSettings", __base__=_WholeLog, **_columns("transactions"))):
    """Where transactions lie and what their columns are called; and what is one for the whole log."""


def _tables() -> dict[str, Any]:
    """Return a table for each kind of record but transactions."""
    made: dict[str, Any] = {}
    for kind in SCHEMAS:
        if kind != "transactions":
            keys: dict[str, Any] = {"source": (str, ...), **_columns(kind)}
            model = create_model(f"{kind.title()}Settings", __base__=SourceSettings, **keys)
            made[kind] = (model | None, None)
    return made


class RecordsSettings(create_model("RecordsSettings", __base__=Strict, **_tables())):
    """Where the other kinds of record lie, a table ``[records.KIND]`` for each."""


class Settings(Strict):
    """All of `habitue.toml`."""

    data: DataSettings = Field(default_factory=DataSettings)
    records: RecordsSettings = Field(default_factory=RecordsSettings)
    cutoff: date | None = None
    horizon: int = Field(default=91, gt=0, le=LONGEST_HORIZON)
    money: str = ""
    """Sign or code of the currency, as the report shows it."""
    mlruns: str = "mlruns"
    artifacts: str | None = None
    """Where the files of models lie, where MLflow's home is a database: a folder or an address."""
    scores: str = "scores/scores.parquet"
    report: str = "scores/report.html"
    scorecard: ScorecardSettings = Field(default_factory=ScorecardSettings)
    targets: list[TargetSettings] = Field(default_factory=list[TargetSettings])
    """Measures of the scorecard that are to be at a level by a day."""

    @model_validator(mode="after")
    def _has_transactions_or_contracts(self) -> Settings:
        about_transactions = self.data.model_fields_set - WHOLE_LOG
        if self.data.source or ("contracts" in self.tables() and not about_transactions):
            return self
        missing = "'data.source'" if "data" in self.model_fields_set else "'data'"
        raise PydanticCustomError(
            _SENTENCE,
            f"{missing} is missing: say where transactions lie, or contracts in [records.contracts]",
        )

    def tables(self) -> dict[str, SourceSettings]:
        """Return the table of each kind of record that is there, by kind."""
        others = {kind: getattr(self.records, kind) for kind in RecordsSettings.model_fields}
        every = {"transactions": self.data if self.data.source else None, **others}
        return {kind: table for kind, table in every.items() if table is not None}

    def id_columns(self) -> tuple[str, ...]:
        """Return what the sources call the customer id, each name once."""
        return tuple(
            dict.fromkeys(table.mapping(kind)["customer_id"] for kind, table in self.tables().items())
        )

    def read(self, folder: Path, *, today: date | None, memory_limit: str | None = None) -> CustomerLog:
        """Read the log; a relative path is taken from the folder of the settings file.

        Rows dated after today are typing errors, and quarantined: one of them would move the end of the log.

        Parameters
        ----------
        folder : Path
            Of the settings file.
        today : date or None
            Rows of later days are set aside; none where None.
        memory_limit : str, optional
            For example ``"2GB"``, where the settings name none; DuckDB's own, four fifths of the machine's
            memory, where None.
        """
        rates = self.data.rates
        return read_records(
            {kind: table.of_kind(kind, folder) for kind, table in self.tables().items()},
            timezone=self.data.timezone,
            observed_until=self.data.observed_until,
            # One day more: in some zone it is tomorrow already.
            not_after=None if today is None else today + timedelta(days=1),
            rates=located(rates, folder) if isinstance(rates, str) else rates,
            engine=DuckDBEngine(memory_limit=self.data.memory_limit or memory_limit),
        )


def read_settings(path: Path) -> Settings:
    """Read `habitue.toml`.

    Parameters
    ----------
    path : Path
        The TOML file.

    Raises
    ------
    SettingsError
        Where the file is missing, is no TOML, or says something impossible; names the key.
    """
    if not path.is_file():
        raise SettingsError(f"There is no {path}. Make one with: habitue init YOUR-TRANSACTIONS.csv")
    return read_toml(path, Settings)


def read_toml(path: Path, model: type[M]) -> M:
    """Read a TOML file as a settings model.

    Parameters
    ----------
    path : Path
        The TOML file.
    model : type
        The settings model that it has to fit.

    Raises
    ------
    SettingsError
        As `read_settings`.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(
                f"{path} has more than {_LARGEST} bytes; settings and recipes are far smaller."
            )
        # Some editors begin a file with a byte order mark, which is no TOML.
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} could not be read: {error}.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is no valid TOML: {error}.") from error
    return as_settings(given, model, described=str(path))


def as_settings(given: Mapping[str, Any], model: type[M], *, described: str) -> M:
    """Make a settings model of what a file or a command line says.

    Parameters
    ----------
    given : Mapping[str, Any]
        Tables and keys.
    model : type
        The settings model that they have to fit.
    described : str
        Where they come from, as messages name it.

    Raises
    ------
    SettingsError
        As `read_settings`.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise SettingsError(
            f"{described}: {'; '.join(_told(one, model) for one in error.errors())}."
        ) from error


def _told(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong with one key, and what is allowed."""
    *path, key = error["loc"] or ("",)
    where = ".".join(str(step) for step in error["loc"])
    if where == "records.transactions":
        return "transactions have the table [data], not [records.transactions]"
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, path)
        near = get_close_matches(str(key), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"there is no setting {where!r}; {hint}"
    if error["type"] == "missing":
        return f"{where!r} is missing"
    if error["type"] == _SENTENCE and not where:
        return error["msg"]
    return f"{where!r}: {error['msg'][:1].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _keys_at(model: type[BaseModel], path: list[Any]) -> list[str]:
    """Known keys of the table at a path; list positions are passed over."""
    current: type[BaseModel] = model
    for step in path:
        field = current.model_fields.get(str(step))
        if field is not None:
            current = _model_in(field.annotation) or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the settings model inside list[...] or ... | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((found for part in inner if (found := _model_in(part)) is not None), None)
