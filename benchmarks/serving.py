"""How long one customer's answer takes over HTTP, at a steady rate, against MLflow's server alone.

``python -m benchmarks.serving`` runs the demo into a temporary folder and asks each version that it
registered; ``--home FOLDER`` takes a folder with habitue.toml and models trained before. The load is open:
requests go out when they are due, however late the answers before them are, and a latency counts from the
moment when its request was due. So a queue is seen, and not left out with those who wait in it.

``--long`` first has Hypothesis look for payloads that break the server, for some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from habitue.tracking import download, open_store, resolve

RATE, SECONDS, ROUNDS = 50, 10, 3
BATCH = 5_000
FUZZ = 20_000
VERSIONS = [f"{name}/{number}" for name in ("habitue-churn", "habitue-clv") for number in (1, 2, 3)]
BIN = Path(sys.executable).parent

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Latencies(NamedTuple):
    """What a round of requests took, in milliseconds."""

    p50: float
    p99: float
    longest: float
    refused: int
    load: float


async def ask(pool: list[Connection], port: int, request: bytes) -> int:
    """Send one request over a connection that is free, or a new one; return the status, 0 for none at all."""
    reader, writer = pool.pop() if pool else await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length"))
        await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):  # a server that hangs up is a finding, too
        writer.close()
        return 0
    pool.append((reader, writer))
    return int(head.split()[1])


async def load(port: int, request: bytes, *, rate: float, seconds: float) -> Latencies:
    """Send requests when they are due, and measure each from then on."""
    pool: list[Connection] = []
    statuses: list[int] = []
    took: list[float] = []

    async def one(due: float) -> None:
        statuses.append(await ask(pool, port, request))
        took.append(1e3 * (time.perf_counter() - due))

    begin, tasks = time.perf_counter() + 0.1, list[asyncio.Task[None]]()
    for due in begin + np.arange(int(rate * seconds)) / rate:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    p50, p99 = np.quantile(took, [0.5, 0.99])
    refused = sum(status != 200 for status in statuses)
    return Latencies(float(p50), float(p99), max(took), refused, os.getloadavg()[0])


def request_of(path: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def invocation(columns: list[str], n_rows: int, **params: object) -> bytes:
    """Ask about customers who differ."""
    rng = np.random.default_rng(0)
    table = rng.integers(1, 30, (n_rows, len(columns))).astype(float)
    table[:, columns.index("T")] = 300.0
    body = {"dataframe_split": {"columns": columns, "data": table.tolist()}, "params": params}
    return request_of("/invocations", json.dumps(body).encode())


def told(port: int, path: str) -> bytes | None:
    """Return what a server says at a path; None where there is none yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Keep a server while a block runs."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=folder, stdout=quiet, stderr=quiet, env=os.environ | {"PATH": path}
    ) as process:
        try:
            while told(port, "/ping") is None:
                if process.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def measure(what: str, port: int, request: bytes, *, rate: float = RATE) -> None:
    """Print some rounds of latencies after one to warm up; the quietest tells the most."""
    asyncio.run(load(port, request, rate=rate, seconds=2))
    rounds = [asyncio.run(load(port, request, rate=rate, seconds=SECONDS)) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda one: one.p99)
    all_p99 = ", ".join(f"{one.p99:.1f}" for one in rounds)
    print(
        f"| {what} | {rate:g}/s | {best.p50:.1f} ms | {best.p99:.1f} ms | {best.longest:.1f} ms "
        f"| {all_p99} | {best.load:.1f} | {max(one.refused for one in rounds)} |",
        flush=True,
    )


def measure_versions(home: Path, versions: list[str], scratch: Path) -> None:
    """Measure each version behind habitue, and behind MLflow alone."""
    store = open_store(home / "mlruns")
    print("| what | rate | p50 | p99 | longest | p99 of all rounds | load | not 200 |")
    print("|---|---|---|---|---|---|---|---|")
    for port, version in enumerate(versions, 5_100):
        ours = [str(BIN / "habitue"), "serve", "--model", version, "--port", str(port)]
        with running(ours, home, port):
            columns = json.loads(told(port, "/version") or b"")["columns"]
            measure(f"{version}, nothing but /ping", port, request_of("/ping"))
            measure(f"{version}, one customer", port, invocation(columns, 1))
            measure(
                f"{version}, one customer with reasons", port, invocation(columns, 1, reasons=True), rate=10
            )
            measure(f"{version}, {BATCH:,} customers", port, invocation(columns, BATCH), rate=0.5)
        folder = download(store, resolve(store, version), scratch / version.replace("/", "-"))
        alone = [str(BIN / "mlflow"), "models", "serve", "-m", str(folder), "-p", str(port), "--env-manager"]
        with running([*alone, "local"], home, port):
            measure(f"{version}, one customer, MLflow alone", port, invocation(columns, 1))


def fuzz() -> None:
    """Let Hypothesis look for payloads that break a server."""
    tests = ["tests/tracking/test_serving_hostile.py", "-q", "-p", "no:xdist"]
    environment = os.environ | {"HABITUE_FUZZ": str(FUZZ), "HYPOTHESIS_PROFILE": "wander"}
    subprocess.run([sys.executable, "-m", "pytest", *tests], check=True, env=environment)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--home", type=Path, help="a folder with habitue.toml and trained models")
    parser.add_argument(
        "--only", nargs="+", default=VERSIONS, metavar="VERSION", help="such as habitue-clv/1"
    )
    parser.add_argument("--long", action="store_true", help="look for payloads that break the server, too")
    asked = parser.parse_args()
    if asked.long:
        fuzz()
    with tempfile.TemporaryDirectory() as folder:
        if asked.home is None:
            subprocess.run([BIN / "habitue", "demo"], cwd=folder, check=True)
            text = '[data]\nsource = "demo/transactions.csv"\n'
            (Path(folder) / "habitue.toml").write_text(text, encoding="utf-8")
        measure_versions(asked.home or Path(folder), asked.only, Path(folder) / "served")


if __name__ == "__main__":
    main()
