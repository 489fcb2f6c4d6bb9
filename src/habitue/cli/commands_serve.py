"""Answers over HTTP: serve one registered version."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, SettingsFile, app, epilog, home_of, settings_of, store_at
from habitue.terminal import Terminal

__all__ = ["serve"]

_MAX_ROWS = 10_000
_MAX_BYTES = 16 * 2**20


@app.command(epilog=epilog("habitue serve --model habitue-churn@champion --port 5000"))
def serve(
    model: Annotated[
        str,
        typer.Option(help="name@alias or name/version; the version found at start answers until the end."),
    ],
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; others than this machine's own need a proxy before it."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes one that is free.")] = 5000,
    max_rows: Annotated[int, typer.Option(min=1, help="Customers in one request.")] = _MAX_ROWS,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes of one request's body.")] = _MAX_BYTES,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Answer for customers over HTTP with one registered model, until Ctrl-C or SIGTERM.

    POST /invocations takes JSON (dataframe_split or dataframe_records, and params) or CSV, as MLflow's server
    does; GET /version says which version answers, GET /ping whether it is there.
    """
    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        terminal.step(f"loading {model}")
        from habitue.tracking import load, resolve
        from habitue.tracking.payloads import Limits
        from habitue.tracking.serving import listen, run, serving_app

        store = store_at(home_of(settings_of(settings), settings))
        version = resolve(store, model)
        listening = listen(host, port)
        served = serving_app(load(store, version), Limits(max_rows=max_rows, max_bytes=max_bytes))
    place, taken = listening.getsockname()[:2]
    address = f"http://{f'[{place}]' if ':' in place else place}:{taken}"
    terminal.say(f"{version.label} answers at {address}/invocations. Ctrl-C stops it.")
    if not ip_address(place).is_loopback:
        terminal.say(
            "Whoever reaches that address may ask: put a proxy with TLS and authentication before it."
        )
    terminal.answer({"address": address, "model": version.name, "version": version.version})
    run(served, listening)
