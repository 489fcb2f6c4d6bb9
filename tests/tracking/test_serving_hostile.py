"""`habitue serve` as a process of its own, and whatever HTTP can carry against it.

``HABITUE_FUZZ=20000 HYPOTHESIS_PROFILE=wander`` looks for longer; `python -m benchmarks.serving --long` does.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from habitue.models import ChurnAnswers
from habitue.tracking import log_training, open_store, set_champion

EXAMPLES = int(os.environ.get("HABITUE_FUZZ", "60"))
MARK = "Zaphod-7349"
"""A customer's name: whatever is asked, it must never come back."""
ROW = {"frequency": 2, "recency": 30.5, "T": 60}
GOOD = {"dataframe_records": [ROW], "params": {"reasons": True, "horizon": 120}}


class Served(NamedTuple):
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    told: dict[str, Any]

    def ask(
        self, body: bytes, kind: str = "application/json", path: str = "/invocations", method: str = "POST"
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers={"content-type": kind})
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8")
        finally:
            connection.close()


@contextmanager
def serving(home: Path, *more: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "habitue", "serve", "--model", "habitue-churn@champion", "--port", "0"]
    environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    with (
        (home / "stderr.txt").open("w") as err,
        subprocess.Popen(
            [*command, "--json", *more],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines = ""
            while not lines.endswith("}\n"):
                lines += process.stdout.readline() or pytest.fail((home / "stderr.txt").read_text())
            told = json.loads(lines)
            yield Served(process, int(told["address"].rpartition(":")[2]), told)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def home(
    template: Path, tmp_path_factory: pytest.TempPathFactory, story: ChurnAnswers, buyers: pd.DataFrame
) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "mlruns").mkdir()
    shutil.copy(template, folder / "mlruns" / "mlflow.db")
    store = open_store(folder / "mlruns")
    log_training(
        store,
        experiment="churn",
        run_name="story",
        params={},
        metrics={},
        model=story,
        input_example=buyers.head(2),
        registered_name="habitue-churn",
    )
    set_champion(store, "habitue-churn", 1, why="the only one")
    (folder / "habitue.toml").write_text('[data]\nsource = "none.csv"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with serving(home, "--max-rows", "50", "--max-bytes", "100000") as running:
        yield running
        running.process.terminate()
        assert running.process.wait(30) == 0
    assert "Traceback" not in (home / "stderr.txt").read_text()
    assert MARK not in (home / "stderr.txt").read_text()


@pytest.fixture(scope="module")
def answer(served: Served) -> tuple[int, str]:
    """What a valid request is answered, before anything else was asked."""
    before = served.ask(json.dumps(GOOD).encode())
    assert before[0] == 200
    return before


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(MARK),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*ROW, "customer_id", "dataframe_split", "params", "columns", "data", MARK, "\ud800"])
numbers = st.one_of(
    st.integers(-3, 400),
    st.floats(),
    st.sampled_from([1e308, -1e308, 5e-324, 2**63, 10**400, -(10**30), 1e400]),
)
rows = st.fixed_dictionaries(dict.fromkeys(ROW, st.integers(0, 90) | numbers)) | st.dictionaries(
    names, numbers | anything, max_size=5
)
params = st.dictionaries(
    st.sampled_from(["reasons", "reasons_from", "horizon", "discount_rate", MARK]), anything | numbers
)
nearly = st.fixed_dictionaries(
    {"dataframe_records": st.lists(rows, max_size=4) | anything}, optional={"params": params | anything}
) | st.fixed_dictionaries(
    {
        "dataframe_split": st.fixed_dictionaries(
            {
                "columns": st.just([*ROW]) | st.lists(names | anything, max_size=4),
                "data": st.lists(st.lists(numbers | anything, min_size=2, max_size=4), max_size=3) | anything,
            },
            optional={"index": anything | st.lists(st.integers() | st.text(max_size=3), max_size=3)},
        )
        | anything
    },
    optional={"params": params, MARK: anything},
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a valid body with some bytes cut out, doubled or replaced."""
    body = json.dumps({"dataframe_records": [{**ROW, "customer_id": MARK}], "params": {}}).encode()
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(body))), draw(st.integers(0, 12))
        put = draw(
            st.sampled_from([b"", b"[" * 2000, b"{", b'"', b"\x00", b"\xff", b"9" * 400, b"-", b"1e999"])
        )
        body = body[:start] + put + body[start + length :]
    return body


json_bodies = st.one_of(
    (anything | nearly).map(lambda one: json.dumps(one).encode()), mutated(), st.binary(max_size=60)
)
cells = st.sampled_from(
    ["", "1", "60", "1e999", "nan", "-inf", MARK, '"', "=1+1", "\x00", "é", "9" * 400, "True"]
)
csv_bodies = st.lists(st.lists(cells, max_size=4), max_size=4).map(
    lambda table: "\n".join(["frequency,recency,T", *map(",".join, table)]).encode()
)


def assert_answered(status: int, text: str, body: bytes) -> None:
    """2xx with predictions or 4xx with a sentence, and never what was sent, nor how the program failed."""
    told = json.loads(text, parse_constant=pytest.fail)
    assert status == 200 or 400 <= status < 500, (status, body)
    if status == 200:
        assert list(told) == ["predictions"]
    else:
        assert list(told) == ["error"]
        assert told["error"].endswith(".")
        assert len(told["error"]) < 400
    for never in (MARK, "Traceback", 'File "', "mlflow", "pandas"):
        assert never not in text, body


@settings(max_examples=EXAMPLES)
@given(body=json_bodies)
@example(body=b'{"dataframe_records": ' + b'[{"T":' * 4_000)
@example(body=b'{"dataframe_records": [{"frequency": 1e308, "recency": 1e308, "T": 1e308}]}')
@example(body=b'{"dataframe_records": [{"frequency": 1e6, "recency": 1e-300, "T": 5e-324}]}')
@example(body=json.dumps({"dataframe_records": [{**ROW, "\ud800": "\ud800"}]}).encode())
@example(body=json.dumps({"dataframe_records": [{**ROW, "=cmd()": MARK}] * 51}).encode())
@example(body=b" " * 100_001)
def test_no_json_breaks_it_or_is_repeated(served: Served, answer: tuple[int, str], body: bytes) -> None:
    assert_answered(*served.ask(body), body)


@settings(max_examples=EXAMPLES)
@given(body=csv_bodies)
def test_no_csv_breaks_it_or_is_repeated(served: Served, answer: tuple[int, str], body: bytes) -> None:
    assert_answered(*served.ask(body, kind="text/csv"), body)


@settings(max_examples=EXAMPLES // 2)
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map(lambda one: f"/{one}"),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]),
    kind=st.sampled_from(
        [
            "application/json",
            "text/csv;charset=x",
            "multipart/form-data",
            "é".encode("latin-1").decode("latin-1"),
        ]
    ),
)
@example(path="/../../etc/passwd", method="GET", kind="text/plain")
@example(path="/invocations", method="TRACE", kind="text/plain")
@example(path="/invocations?a=%00", method="POST", kind="text/plain")
def test_no_path_leads_elsewhere(served: Served, path: str, method: str, kind: str) -> None:
    status, text = served.ask(b"", kind, path, method)
    assert (400 <= status < 500 and "error" in json.loads(text)) or path in ("/ping", "/health", "/version")


def test_what_is_not_http_is_dropped(served: Served, answer: tuple[int, str]) -> None:
    hostile = [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\n" + b"a: b\r\n" * 9_000,
    ]
    hostile.append(b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n")
    for raw in hostile:
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            assert b"Traceback" not in connection.recv(2**16)
    left = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    left.sendall(b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
    left.close()
    assert served.ask(json.dumps(GOOD).encode()) == answer


def test_after_all_that_it_answers_as_before(served: Served, answer: tuple[int, str]) -> None:
    assert served.process.poll() is None
    assert served.ask(json.dumps(GOOD).encode()) == answer
    assert served.told["model"] == "habitue-churn"
    assert served.told["version"] == 1


@pytest.mark.slow
def test_it_stops_in_good_order(home: Path) -> None:
    with serving(home) as running:
        waiting = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        body = json.dumps(GOOD).encode()
        waiting.putrequest("POST", "/invocations")
        waiting.putheader("content-type", "application/json")
        waiting.putheader("content-length", str(len(body)))
        waiting.endheaders(body[:10])
        # By then the half of a request has arrived, too.
        assert running.ask(b"", path="/ping", method="GET")[0] == 200
        running.process.send_signal(signal.SIGINT)
        waiting.send(body[10:])
        assert waiting.getresponse().status == 200  # who was there before is answered
        waiting.close()
        assert running.process.wait(30) == 0
    assert (home / "stderr.txt").read_text() == ""


@pytest.mark.slow
def test_a_taken_port_and_an_unknown_model_are_told(home: Path, command: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = command(home, "serve", "--model", "habitue-churn@champion", "--port", port)
        assert (told.code, f"port {port} of 127.0.0.1 is taken" in told.err) == (7, True)
    told = command(home, "serve", "--model", "habitue-churn@nobody", "--port", 0)
    assert (told.code, "has no alias 'nobody'" in told.err) == (6, True)
