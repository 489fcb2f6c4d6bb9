"""One registered version behind HTTP: MLflow's scoring server, with a doorkeeper before it.

What it is for: `serving_app` makes the application, `listen` and `run` put it on an address. MLflow's server
reads the table and writes the predictions. The doorkeeper reads each body first, lets in what the model can
answer, and turns every other outcome into a status and one sentence.

What it deliberately is not: safe on an open network. It has neither users nor encryption; a proxy in front of
it has. And no traffic is logged: paths and bodies may hold personal data.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import re
import socket
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from importlib import metadata
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
import pandas as pd
import uvicorn
from mlflow.pyfunc import scoring_server
from mlflow.types import DataType

from habitue.errors import HabitueError, SchemaError, SettingsError, UnavailableError
from habitue.tracking.loading import LoadedModel
from habitue.tracking.payloads import Asked, Limits, Refusal, check_json, check_table

__all__ = ["Doorkeeper", "listen", "run", "serving_app"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_logger = logging.getLogger(__name__)

_PATHS = {"/ping": "GET", "/health": "GET", "/version": "GET", "/invocations": "POST"}
_AT_ONCE = 64
"""Requests that may wait for their predictions; with the largest bodies that is the memory they can take."""
_READ_SECONDS = 30.0
"""In which a body must have come."""
_DRAINED = 16
"""Times the largest body that is still read, and thrown away, of one that is too large: a client that cannot
send all of it would not read the answer."""
_INLINE = 2**16
"""Bytes up to which a body is checked without a thread of its own."""
_STOP_SECONDS = 10
"""For which requests that are being answered may go on when the server is to stop."""

_ROWS = re.compile(r"(expected .+?; \d+ of \d+ customers have it otherwise), the first is .*", re.DOTALL)
"""How a model refuses rows: with what it expected, then with the first of them, which is not passed on."""

_refused: ContextVar[list[Refusal]] = ContextVar("refused")


def serving_app(model: LoadedModel, limits: Limits | None = None) -> Doorkeeper:
    """Return the application that answers for one version.

    Parameters
    ----------
    model : LoadedModel
        Verified and in memory.
    limits : Limits, optional
        How much may be asked at once; `Limits()` where None.

    Returns
    -------
    Doorkeeper
        For any ASGI server; `run` is one.
    """
    schema = model.pyfunc.metadata.get_params_schema()
    params = {} if schema is None else {one.name: one.dtype for one in schema.params}
    asked = Asked(tuple(model.input_columns), {name: DataType(kind) for name, kind in params.items()})
    answering = _Answering(model, asked, limits or Limits())
    answering.warm_up()
    return Doorkeeper(scoring_server.init(answering), model, asked, limits or Limits())  # pyright: ignore[reportArgumentType]


class _Answering:
    """The model as MLflow's server calls it: table in, table out, and a refusal noted for the doorkeeper.

    MLflow is told of no signature. Types were checked at the door, and its casting, one column after the
    other, takes longer than the model does.
    """

    def __init__(self, model: LoadedModel, asked: Asked, limits: Limits) -> None:
        self.model = model.pyfunc.unwrap_python_model()
        self.asked = asked
        self.limits = limits
        self.metadata = self

    def get_input_schema(self) -> None:
        """Tell MLflow that there is nothing to cast."""

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return the answers as JSON can hold them, or note why there are none."""
        try:
            X = check_table(data, self.asked, max_rows=self.limits.max_rows)
            return _as_json(self.model.predict(None, X, params))
        except Exception as error:  # whatever it is, the client gets a sentence
            _refused.get().append(_refusal(error))
            raise

    def warm_up(self) -> None:
        """Answer once, with reasons and without, so that what is loaded late is loaded."""
        row = pd.DataFrame([dict.fromkeys(self.asked.columns, 1.0)])
        for reasons in (False, True):
            # Whether a made-up customer can be answered matters to nobody.
            with suppress(HabitueError):
                self.model.predict(None, row, {"reasons": reasons})


def _as_json(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the table with None for what is no finite number: JSON knows no other way to say so."""
    for name, values in answers.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            answers[name] = values.astype(object).where(np.isfinite(values), None)
    return answers


def _refusal(error: Exception) -> Refusal:
    """Return what the client is told of an error: never its own words where those may hold a row."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, SettingsError):
        return Refusal(400, str(error))
    if isinstance(error, HabitueError) and not isinstance(error, SchemaError):
        told = _ROWS.fullmatch(str(error))
        return Refusal(
            400,
            f"{told[1]}."
            if told
            else "A row holds values that no customer can have, or that the model "
            "cannot read; see what its columns mean in the glossary.",
        )
    # Where it happened, and not what it said: that may hold a row.
    where = "".join(traceback.format_tb(error.__traceback__))
    _logger.error("could not answer a request: %s\n%s", type(error).__name__, where)
    return _unexpected()


def _unexpected() -> Refusal:
    return Refusal(500, "The server could not answer, which is not your fault; its log says where.")


class Doorkeeper:
    """An ASGI application before MLflow's: what comes in is checked, what goes out holds no surprise.

    Parameters
    ----------
    app : callable
        MLflow's application.
    model : LoadedModel
        Whose version it names.
    asked : Asked
        What the model reads and can be asked.
    limits : Limits
        How much may be asked at once.
    """

    def __init__(self, app: Any, model: LoadedModel, asked: Asked, limits: Limits) -> None:
        self.app: App = app
        self.asked = asked
        self.limits = limits
        self.version = {
            "model": model.version.name,
            "version": model.version.version,
            "run_id": model.version.run_id,
            "habitue": metadata.version("habitue"),
            "mlflow": metadata.version("mlflow"),
            "columns": list(asked.columns),
            "params": list(asked.params),
        }
        self._label = quote(model.version.label).encode()
        self._waiting = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request.

        Parameters
        ----------
        scope, receive, send
            As ASGI has them.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"expected an HTTP request, got {scope['type']}")
        try:
            await self._answer(scope, receive, send)
        except Refusal as refusal:
            await self._tell(send, refusal.status, {"error": refusal.sentence}, of=scope["path"])

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in _PATHS:
            raise Refusal(404, f"There is nothing here; there are {', '.join(_PATHS)}.")
        if scope["method"] != _PATHS[path]:
            raise Refusal(405, f"{path} takes {_PATHS[path]} only.")
        if path == "/version":
            await self._tell(send, 200, self.version, of=path)
        elif path == "/invocations":
            await self._predict(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let MLflow answer a body that was found good."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        is_json = _check_headers(headers)
        if self._waiting >= _AT_ONCE:
            raise Refusal(503, "The server has more requests than it can answer now; try again.")
        self._waiting += 1
        try:
            body = await _body_of(receive, self.limits.max_bytes)
            if body is None:
                return
            if is_json:
                await self._check(body)
            await self._ask_mlflow(scope, body, receive, send)
        finally:
            self._waiting -= 1

    async def _check(self, body: bytes) -> None:
        if len(body) <= _INLINE:
            check_json(body, self.asked, max_rows=self.limits.max_rows)
        else:
            await asyncio.to_thread(check_json, body, self.asked, max_rows=self.limits.max_rows)

    async def _ask_mlflow(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        """Pass on what MLflow answers; where that is no answer, say why in a sentence."""
        came, failed = [body], list[int]()
        refused: list[Refusal] = []
        _refused.set(refused)

        async def read() -> Message:
            return {"type": "http.request", "body": came.pop()} if came else await receive()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] >= 300:
                    failed.append(message["status"])
                message["headers"] = [*message["headers"], (b"x-habitue-model", self._label)]
            if not failed:
                await send(message)

        try:
            await self.app(scope, read, answer)
        except Exception as error:
            raise _refusal(error) from error
        if failed:
            raise refused[0] if refused else _not_read(failed[0])

    async def _tell(self, send: Send, status: int, told: MutableMapping[str, Any], *, of: str) -> None:
        """Send a JSON object."""
        body = json.dumps(told).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-habitue-model", self._label),
        ]
        if status == 405:
            headers.append((b"allow", _PATHS[of].encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _check_headers(headers: dict[bytes, str]) -> bool:
    """Tell whether the body is JSON; refuse what is neither that nor CSV."""
    kind, _, options = headers.get(b"content-type", "").lower().partition(";")
    plain = headers.get(b"content-encoding", "identity").lower() == "identity"
    is_utf8 = options.strip().replace('"', "") in ("", "charset=utf-8")
    if kind.strip() not in ("application/json", "text/csv") or not is_utf8 or not plain:
        raise Refusal(
            415, "The content type must be application/json or text/csv, in UTF-8 and not compressed."
        )
    return kind.strip() == "application/json"


async def _body_of(receive: Receive, max_bytes: int) -> bytes | None:
    """Return the body; None where the client has gone."""
    body, n_bytes, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while more and n_bytes <= _DRAINED * max_bytes:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                n_bytes += len(part)
                if n_bytes <= max_bytes:
                    body += part
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise Refusal(408, f"The body did not come within {_READ_SECONDS:.0f} seconds.") from error
    if n_bytes > max_bytes:
        raise Refusal(413, f"A body may have {max_bytes} bytes at most; send fewer rows at once.")
    return bytes(body)


def _not_read(status: int) -> Refusal:
    """Return what is told where MLflow itself could not read a table, or took too long."""
    if status == 504:
        return Refusal(503, "The predictions took too long; send fewer rows at once.")
    if status >= 500:
        return _unexpected()
    return Refusal(400, "The body holds no table that can be read: one header, one row a customer, numbers.")


def listen(host: str, port: int) -> socket.socket:
    """Take an address, so that whoever connects from now on waits for an answer.

    Parameters
    ----------
    host : str
        A name or an address of this machine.
    port : int
        From 1 to 65535; 0 takes any that is free.

    Returns
    -------
    socket.socket
        Bound and listening.

    Raises
    ------
    UnavailableError
        If the port is taken.
    SettingsError
        If this machine has no such address, or the port is not for everybody.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"the host {host!r} is no address; name one such as 127.0.0.1") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError(f"port {port} of {host} is taken; name another with --port") from error
        raise SettingsError(
            f"port {port} of {host} can't be listened on ({error.strerror}); name another"
        ) from error
    return listening


def run(app: Doorkeeper, listening: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT; requests that came before are answered first.

    Parameters
    ----------
    app : Doorkeeper
        From `serving_app`.
    listening : socket.socket
        From `listen`.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    # What was loaded stays: the collector need not look through it again, in the middle of a request.
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        # uvicorn stopped in good order, and then raises the signal again.
        if not server.should_exit:
            raise
    finally:
        gc.unfreeze()
