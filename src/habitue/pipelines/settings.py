"""`habitue.toml`: where the data lie, what their columns mean, when to look and how far ahead.

A key that is not known is answered with the nearest one that is.
"""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from habitue.errors import SettingsError
from habitue.records import CustomerLog, read_log

__all__ = ["LONGEST_HORIZON", "DataSettings", "Settings", "Strict", "read_settings", "read_toml"]

LONGEST_HORIZON = 36_525
"""Days, a century: beyond it the calendar ends before the horizon does."""

M = TypeVar("M", bound=BaseModel)
_DATABASES = ("postgresql://", "postgres://")


class Strict(BaseModel):
    """A settings table that knows its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Strict):
    """Where the transactions lie and what their columns are called; see `habitue.read_log`."""

    source: str
    customer_id: str = "customer_id"
    timestamp: str = "timestamp"
    amount: str = "amount"
    order_id: str | None = None
    product_id: str | None = None
    category: str | None = None
    quantity: str | None = None
    list_price: str | None = None
    discount: str | None = None
    margin: str | None = None
    channel: str | None = None
    currency: str | None = None
    table: str | None = None
    query: str | None = None
    timestamp_format: str | None = None
    timezone: str | None = None
    decimal: str = "."
    delimiter: str | None = None
    encoding: str | None = None
    observed_until: date | None = None

    def read(self, folder: Path, *, today: date) -> CustomerLog:
        """Read the log; a relative path is taken from the folder of the settings file.

        Rows dated after today are typing errors, and quarantined: one of them would move the end of the log.

        Parameters
        ----------
        folder : Path
            That of the settings file.
        today : date
            Rows of later days are set aside.
        """
        given = self.model_dump(exclude={"source"}, exclude_none=True)
        # One day more: in some zone it is tomorrow already.
        given["not_after"] = today + timedelta(days=1)
        if self.source.startswith(_DATABASES):
            return read_log(self.source, **given)
        return read_log(folder / Path(self.source).expanduser(), **given)


class Settings(Strict):
    """All of `habitue.toml`."""

    data: DataSettings
    cutoff: date | None = None
    horizon: int = Field(default=91, gt=0, le=LONGEST_HORIZON)
    money: str = ""
    """Sign or code of the currency, as the report shows it."""
    mlruns: str = "mlruns"
    scores: str = "scores/scores.parquet"
    report: str = "scores/report.html"


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
        # Some editors begin a file with a byte order mark, which is no TOML.
        text = path.read_text(encoding="utf-8-sig")
        return model.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} could not be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no valid TOML: {error}.") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {'; '.join(_told(one, model) for one in error.errors())}.") from error


def _told(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong with one key, and what is allowed."""
    *path, key = error["loc"] or ("",)
    where = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, path)
        near = get_close_matches(str(key), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"there is no setting {where!r}; {hint}"
    if error["type"] == "missing":
        return f"{where!r} is missing"
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
