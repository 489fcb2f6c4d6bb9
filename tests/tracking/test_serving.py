"""The application behind `habitue serve`, asked without a network; and the same folder under MLflow alone."""

from __future__ import annotations

import asyncio
import io
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SettingsError, UnavailableError
from habitue.models import BGNBD, BTYDValueRegressor, ChurnAnswers, ValueAnswers, ValueInterval
from habitue.tracking import LoadedModel, Store, download, load, log_training, open_store, resolve
from habitue.tracking.payloads import Limits
from habitue.tracking.serving import Doorkeeper, listen, serving_app

JSON = "application/json"


class Got(NamedTuple):
    status: int
    told: Any
    headers: dict[str, str]


def ask(
    app: Doorkeeper,
    body: Any,
    *,
    path: str = "/invocations",
    method: str = "POST",
    kind: str = JSON,
    chunk: int = 2**16,
    **headers: str,
) -> Got:
    """Send one request to the application, in pieces, and read what it says."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pieces = [content[at : at + chunk] for at in range(0, len(content), chunk)] or [b""]
    named = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        if not pieces:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent)
    said = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    strict = json.loads(text, parse_constant=pytest.fail) if text.strip() else None
    return Got(sent[0]["status"], strict, said)


def records(X: pd.DataFrame) -> dict[str, Any]:
    return {"dataframe_records": json.loads(X.to_json(orient="records", double_precision=15))}


def split(X: pd.DataFrame) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(X), "data": X.to_numpy().tolist(), "index": list(X.index)}}


def registered(store: Store, model: Any, name: str, X: pd.DataFrame) -> LoadedModel:
    log_training(
        store,
        experiment=name,
        run_name=name,
        params={},
        metrics={},
        model=model,
        input_example=X.head(2),
        registered_name=name,
    )
    return load(store, resolve(store, f"{name}/1"))


@pytest.fixture(scope="module")
def home(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("serving")
    shutil.copy(template, folder / "mlflow.db")
    return open_store(folder)


@pytest.fixture(scope="module")
def churn(home: Store, story: ChurnAnswers, buyers: pd.DataFrame) -> LoadedModel:
    return registered(home, story, "habitue-churn", buyers)


@pytest.fixture(scope="module")
def spenders(buyers: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return buyers.assign(monetary_value=np.where(buyers["frequency"] > 0, rng.gamma(4, 10, len(buyers)), 0.0))


@pytest.fixture(scope="module")
def value(home: Store, spenders: pd.DataFrame) -> LoadedModel:
    steady = BGNBD(penalizer=0.1)
    model = BTYDValueRegressor(horizon=91, purchases=steady).fit(spenders)
    said = model.predict(spenders)
    interval = ValueInterval().fit(said, said * np.random.default_rng(8).exponential(1.0, len(said)))
    answers = ValueAnswers(regressor=model, purchases=steady.fit(spenders), interval=interval, horizon=91)
    return registered(home, answers, "habitue-clv", spenders)


@pytest.fixture(scope="module")
def app(churn: LoadedModel) -> Doorkeeper:
    return serving_app(churn, Limits(max_rows=250, max_bytes=200_000))


@pytest.fixture(scope="module")
def money(value: LoadedModel) -> Doorkeeper:
    return serving_app(value)


def assert_same(got: Got, expected: pd.DataFrame) -> None:
    assert got.status == 200, got.told
    told = pd.DataFrame(got.told["predictions"]).astype(expected.dtypes.to_dict())
    pd.testing.assert_frame_equal(told, expected.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("form", [records, split])
def test_it_answers_to_the_last_digit_what_the_loaded_model_answers(
    app: Doorkeeper, churn: LoadedModel, buyers: pd.DataFrame, form: Any
) -> None:
    X = buyers.round(3)
    assert_same(ask(app, form(X)), churn.predict(X))
    assert_same(ask(app, form(X.head(1))), churn.predict(X.head(1)))
    both = {**form(X.head(9)), "params": {"reasons": True, "horizon": 180}}
    assert_same(ask(app, both), churn.predict(X.head(9), reasons=True, horizon=180))


def test_csv_is_read_and_other_columns_and_orders_are_welcome(
    app: Doorkeeper, churn: LoadedModel, buyers: pd.DataFrame
) -> None:
    X = buyers.round(3)
    text = X[["T", "recency", "frequency"]].assign(note="-").to_csv(index_label="customer_id")
    assert_same(ask(app, text.encode(), kind="text/csv; charset=UTF-8"), churn.predict(X))
    named = X.head(3).assign(note="-", seen=True).reset_index()
    assert_same(ask(app, records(named)), churn.predict(X.head(3)))


def test_money_is_discounted_on_request(
    money: Doorkeeper, value: LoadedModel, spenders: pd.DataFrame
) -> None:
    X = spenders.round(3)
    asked = {**split(X), "params": {"discount_rate": 0.2}}
    assert_same(ask(money, asked), value.answers.answer(X, discount_rate=0.2))


def test_what_is_not_known_is_null(money: Doorkeeper, spenders: pd.DataFrame) -> None:
    got = ask(money, {**records(spenders.round(3).head(1)), "params": {"horizon": 30}})
    (told,) = got.told["predictions"]
    assert told["clv_lower"] is None
    assert math.isfinite(told["clv"])


def test_it_says_which_version_answers(app: Doorkeeper, churn: LoadedModel, buyers: pd.DataFrame) -> None:
    told = ask(app, b"", path="/version", method="GET").told
    assert (told["model"], told["version"]) == ("habitue-churn", 1)
    assert told["run_id"] == churn.version.run_id
    assert told["columns"] == ["frequency", "recency", "T"]
    assert told["params"] == ["reasons", "reasons_from", "horizon"]
    assert ask(app, records(buyers.head(1))).headers["x-habitue-model"] == "habitue-churn/1"
    for path in ("/ping", "/health"):
        assert ask(app, b"", path=path, method="GET").status == 200


ROW = {"frequency": 2, "recency": 30.5, "T": 60}
WRONG: dict[str, tuple[int, str, Any]] = {
    "no JSON": (400, "not valid JSON", b"{"),
    "nothing": (400, "not valid JSON", b""),
    "no UTF-8": (400, "not valid JSON", json.dumps({"dataframe_records": [ROW]}).encode("utf-16")),
    "nested": (400, "not valid JSON", b'{"dataframe_records":' + b"[" * 90_000),
    "NaN": (400, "not valid JSON", b'{"dataframe_records":[{"frequency":NaN,"recency":1,"T":2}]}'),
    "endless number": (400, "not valid JSON", b'{"dataframe_records":[{"T":' + b"9" * 9_000 + b"}]}"),
    "list": (400, "must be a JSON object", [ROW]),
    "other form": (400, "must be a JSON object", {"inputs": [ROW]}),
    "two forms": (400, "must be a JSON object", {"dataframe_records": [ROW], "dataframe_split": {}}),
    "more beside": (400, "must be a JSON object", {"dataframe_records": [ROW], "secret": 1}),
    "no list": (400, "must be a list of objects", {"dataframe_records": ROW}),
    "no rows": (400, "has no rows", {"dataframe_records": []}),
    "ragged": (400, "the same columns", {"dataframe_records": [ROW, {"T": 3}]}),
    "missing": (400, "Missing columns: recency, T. GET", {"dataframe_records": [{"frequency": 1}]}),
    "text": (400, "column T must hold", {"dataframe_records": [{**ROW, "T": "60"}]}),
    "true": (400, "column T must hold", {"dataframe_records": [{**ROW, "T": True}]}),
    "object": (400, "column T must hold", {"dataframe_records": [{**ROW, "T": {}}]}),
    "infinite": (400, "column T must hold", b'{"dataframe_records":[{"frequency":1,"recency":1,"T":1e999}]}'),
    "huge": (400, "column T must hold", {"dataframe_records": [{**ROW, "T": 10**400}]}),
    "null": (400, "finite numbers of days", {"dataframe_records": [{**ROW, "T": None}]}),
    "nested beside": (400, "single values", {"dataframe_records": [{**ROW, "note": ["-"]}]}),
    "no history": (400, "expected recency <= T; 1 of 1", {"dataframe_records": [{**ROW, "recency": 99.25}]}),
    "too many": (413, "At most 250 customers", {"dataframe_records": [ROW] * 251}),
    "too long": (413, "200000 bytes", b"x" * 200_001),
    "far too long": (413, "200000 bytes", b"x" * 9_000_000),
    "split without rows": (400, "dataframe_split must", {"dataframe_split": {"columns": ["T"]}}),
    "split list": (400, "dataframe_split must", {"dataframe_split": []}),
    "split short": (400, "dataframe_split must", {"dataframe_split": {"columns": [*ROW], "data": [[1, 2]]}}),
    "split flat": (400, "dataframe_split must", {"dataframe_split": {"columns": [*ROW], "data": [1, 2, 3]}}),
    "split numbers": (400, "dataframe_split must", {"dataframe_split": {"columns": [1], "data": [[1]]}}),
    "split index": (
        400,
        "dataframe_split must",
        {"dataframe_split": {"columns": [*ROW], "data": [[1, 2, 3]], "index": [[1]]}},
    ),
    "twice": (
        400,
        "more than once",
        {"dataframe_split": {"columns": [*ROW, "T"], "data": [[2, 30, 60, 61]]}},
    ),
    "params": (400, "this model knows reasons", {"dataframe_records": [ROW], "params": {"reason": True}}),
    "params list": (400, "params must be", {"dataframe_records": [ROW], "params": ["reasons"]}),
    "reasons": (400, "reasons must be true", {"dataframe_records": [ROW], "params": {"reasons": "yes"}}),
    "reasons null": (400, "reasons must be true", {"dataframe_records": [ROW], "params": {"reasons": None}}),
    "from": (400, "from must be a", {"dataframe_records": [ROW], "params": {"reasons_from": 10**400}}),
    "days": (400, "horizon must be a", {"dataframe_records": [ROW], "params": {"horizon": 91.5}}),
    "aeon": (400, "horizon must be a", {"dataframe_records": [ROW], "params": {"horizon": 2**40}}),
    "past": (400, "horizon must be a", {"dataframe_records": [ROW], "params": {"horizon": -1}}),
    "rate": (400, "params must be", {"dataframe_records": [ROW], "params": {"discount_rate": 0.1}}),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_in_a_sentence(app: Doorkeeper, case: str) -> None:
    status, sentence, body = WRONG[case]
    got = ask(app, body)
    assert got.status == status, got.told
    assert list(got.told) == ["error"]
    assert sentence in got.told["error"]
    assert got.told["error"].endswith(".")
    assert not [value for value in ("30.5", "99.25", "secret", "note") if value in got.told["error"]]


CSV = b"frequency,recency,T\n"
WRONG_CSV = {
    "text": (b"2,Ann,60\n", "the column recency must hold finite numbers"),
    "infinite": (b"2,30,inf\n", "the column T must hold finite numbers"),
    "true": (b"2,30,True\n", "the column T must hold finite numbers"),
    "rows": (b"2,30,60\n" * 251, "At most 250 customers"),
    "none": (b"", "no rows"),
    "ragged": (b"2,30,60\n2,30,60,7,8,9\n", "holds no table"),
    "bytes": (b"\xff\xfe,30,60\n", "holds no table"),
    "zeros": (b"\x00" * 9, "the column frequency must hold finite numbers"),
    "quote": (b'"2,30,60\n', "no rows"),
}


@pytest.mark.parametrize("case", WRONG_CSV)
def test_csv_that_is_no_table_of_numbers_is_refused(app: Doorkeeper, case: str) -> None:
    rows, sentence = WRONG_CSV[case]
    got = ask(app, CSV + rows, kind="text/csv")
    assert got.status in (400, 413)
    assert sentence in got.told["error"] or "holds no table" in got.told["error"]
    assert "Ann" not in got.told["error"]


def test_csv_without_a_column_names_it(app: Doorkeeper) -> None:
    assert "Missing columns: T." in ask(app, b"frequency,recency\n2,30\n", kind="text/csv").told["error"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/vnd.apache.parquet", "application/json; charset=latin-1"]
)
def test_another_content_type_is_refused(app: Doorkeeper, kind: str) -> None:
    assert ask(app, {"dataframe_records": [ROW]}, kind=kind).status == 415
    assert ask(app, {"dataframe_records": [ROW]}, content_encoding="gzip").status == 415


def test_there_is_nothing_else(app: Doorkeeper) -> None:
    for path in ("/", "/docs", "/openapi.json", "/invocations/", "/../etc/passwd"):
        assert ask(app, b"", path=path, method="GET").status == 404
    got = ask(app, b"", method="GET")
    assert (got.status, got.headers["allow"]) == (405, "POST")


def test_a_body_may_come_byte_by_byte(app: Doorkeeper) -> None:
    assert ask(app, {"dataframe_records": [ROW]}, chunk=1).status == 200


def test_a_client_that_leaves_is_no_error(app: Doorkeeper) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "headers": [(b"content-type", b"text/csv")],
    }
    asyncio.run(app(scope, receive, send))
    assert sent == []


def test_what_is_our_fault_is_said_to_be(
    churn: LoadedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = serving_app(churn)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(f"customer {chr(65)}nn")  # its text is not to be found in the code either

    monkeypatch.setattr(type(churn.answers), "answer", broken)
    got = ask(app, {"dataframe_records": [ROW]})
    assert got.status == 500
    assert "not your fault" in got.told["error"]
    assert "ZeroDivisionError" in caplog.text
    assert "Ann" not in caplog.text + got.told["error"]


def test_more_than_can_wait_are_asked_to_come_again(churn: LoadedModel) -> None:
    app = serving_app(churn)
    app._waiting = 64
    got = ask(app, {"dataframe_records": [ROW]})
    assert (got.status, "try again" in got.told["error"]) == (503, True)
    app._waiting = 0
    assert ask(app, {"dataframe_records": [ROW]}).status == 200


def test_a_port_is_taken_once() -> None:
    first = listen("127.0.0.1", 0)
    with first, pytest.raises(UnavailableError, match=r"port \d+ of 127.0.0.1 is taken; name another"):
        listen("127.0.0.1", first.getsockname()[1])
    with pytest.raises(SettingsError, match="is no address"):
        listen("no host at all", 0)
    with pytest.raises(SettingsError, match="can't be listened on"):
        listen("192.0.2.1", 0)


def served_by_mlflow(folder: Path, port: int) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["mlflow", "models", "serve", "-m", str(folder), "-p", str(port), "--env-manager", "local"]
    environment = os.environ | {"PATH": path, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    return subprocess.Popen(
        [Path(sys.executable).parent / command[0], *command[1:]],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def mlflow_port(value: LoadedModel, home: Store, tmp_path: Path) -> Iterator[int]:
    folder = download(home, value.version, tmp_path / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = served_by_mlflow(folder, port)
    try:
        for _ in range(240):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_the_downloaded_folder_runs_under_mlflow_alone(
    mlflow_port: int, money: Doorkeeper, value: LoadedModel, spenders: pd.DataFrame
) -> None:
    X = spenders.round(3).head(20)
    asked = {**split(X), "params": {"reasons": True, "discount_rate": 0.1}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{mlflow_port}/invocations",
        data=json.dumps(asked).encode(),
        headers={"content-type": JSON},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        alone = json.load(answer)
    assert alone == ask(money, asked).told
    assert len(alone["predictions"]) == 20


def is_plain(path: Path) -> bool:
    """Tell whether a file is text, or a table of numbers and texts in Parquet."""
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        return len(pd.read_parquet(io.BytesIO(content)).columns) > 0
    content.decode("utf-8")
    if path.suffix == ".json":
        json.loads(content)
    return not content.rstrip(b"\n").endswith(b"\n.")  # a pickle of protocol 0 is text, and ends with STOP


@pytest.mark.slow
def test_nothing_that_a_real_training_logs_is_a_pickle(shop: Path) -> None:
    files = [path for path in (shop / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert {"model.json", "booster-0.txt", "loader.py", "MLmodel"} <= {path.name for path in files}
    assert [str(path) for path in files if not is_plain(path)] == []
