"""Whether a registry answers: what does not answer now, what refuses, and what is simply wrong.

What it is for: these three need different things of whoever runs a job. What does not answer may do so later
(exit code 7); a refusal wants credentials (6); a wrong address wants another (4).

What it deliberately is not: patient. MLflow knocks at a database ten times, for a hundred seconds; `ping`
knocks once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import sqlalchemy
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from habitue.errors import HabitueError, RegistryError, SettingsError, UnavailableError
from habitue.files import without_password

__all__ = ["answering", "ping"]

_PATIENCE = 10
"""Seconds until a database counts as silent."""

_FAILED = "INTERNAL_ERROR"
_SQLITE_WAITS = ("locked", "busy", "full", "disk i/o")
_HTTP_LIBRARIES = ("requests.", "urllib3.", "botocore.")
_NOT_NOW = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
_ASKED_FOR_CREDENTIALS = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
_REFUSED = "PERMISSION_DENIED"

_WRONG = ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf", "not permitted")
"""What PostgreSQL says to somebody who will not be let in later either."""


def ping(address: str) -> None:
    """Knock at a database once.

    Parameters
    ----------
    address : str
        SQLAlchemy's form, without a password.

    Raises
    ------
    UnavailableError
        If it does not answer.
    SettingsError
        If it does not let us in, or no driver for it is installed, or the address can't be read.
    """
    patience = {"connect_timeout": _PATIENCE} if address.startswith("postgresql") else {}
    try:
        engine = sqlalchemy.create_engine(address, connect_args=patience)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except DBAPIError as error:
        raise _told_by_database(error, address) from error
    except ImportError as error:
        raise SettingsError(
            f"{without_password(address)} needs one more package ({error}): pip install 'habitue[postgres]'"
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise SettingsError(without_password(f"MLflow can't use {address}: {_line(error)}")) from error


@contextmanager
def answering(address: str) -> Generator[None]:
    """Tell when a registry does not answer, or refuses to, while a block asks it.

    Parameters
    ----------
    address : str
        Of the registry.

    Yields
    ------
    None
        What else is raised passes through.

    Raises
    ------
    UnavailableError
        If the database or server does not answer.
    RegistryError
        If the server asks for a name and password, or refuses those it was given.
    """
    try:
        yield
    except HabitueError:
        raise
    except Exception as error:
        known = _refusal(error, address) or _silence(error, address)
        if known is None:
            raise
        raise known from error


def _refusal(error: Exception, address: str) -> RegistryError | None:
    if not isinstance(error, MlflowException):
        return None
    where = without_password(address)
    if error.error_code in _ASKED_FOR_CREDENTIALS or _quotes(error, 401):
        return RegistryError(
            f"{where} asks for a name and a password, or does not know those it was given: set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
        )
    if error.error_code == _REFUSED or _quotes(error, 403):
        told = without_password(_line(error))
        return RegistryError(f"{where} refuses this ({told}); ask who runs it for the permission")
    return None


def _silence(error: Exception, address: str) -> UnavailableError | None:
    if not any(_means_silence(one, address) for one in _causes(error)):
        return None
    where, told = without_password(address), without_password(_line(error))
    return UnavailableError(f"{where} does not answer ({told}); try again later, or see whether it runs")


def _means_silence(error: BaseException, address: str) -> bool:
    if isinstance(error, OperationalError):
        told = str(error).lower()
        return not address.startswith("sqlite") or any(word in told for word in _SQLITE_WAITS)
    if isinstance(error, MlflowException):
        # A server's own failure (500), or a call that never reached one: MLflow gives both the same code.
        asked = isinstance(error, RestException) or str(error).startswith("API request to")
        return error.error_code in _NOT_NOW or (asked and error.error_code == _FAILED)
    kind = type(error)
    if kind.__module__.startswith(_HTTP_LIBRARIES):
        return "Connect" in kind.__name__ or "Timeout" in kind.__name__
    return isinstance(error, ConnectionError | TimeoutError)


def _told_by_database(error: DBAPIError, address: str) -> HabitueError:
    told = without_password(f"{address}: {_line(error.orig or error)}")
    if any(words in told for words in _WRONG):
        return SettingsError(
            f"The database does not let us in, {told}. Check the address; the password comes from PGPASSWORD "
            "or ~/.pgpass."
        )
    return UnavailableError(f"The database does not answer, {told}; try again later, or see whether it runs")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from, the outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _quotes(error: MlflowException, status: int) -> bool:
    """Say whether MLflow quotes an answer of this status, whatever code it gave it."""
    return f"failed with error code {status} " in str(error)


def _line(error: BaseException) -> str:
    """Return the first 300 characters of an error as one line."""
    return " ".join(str(error).split())[:300].rstrip(" .")
