"""What every test may ask for."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from habitue.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The same examples on every run, to judge a change by itself; HYPOTHESIS_PROFILE=wander looks further.
# How long an example takes to draw says how busy the machine is.
BUSY = (HealthCheck.too_slow,)
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=BUSY)
settings.register_profile("wander", deadline=None, print_blob=True, suppress_health_check=BUSY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

POSTGRES = Path("/usr/lib/postgresql/15/bin")
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of data sets beside the project, or skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the data sets that lie beside the project (../shared) are not here")
    return SHARED


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str
    seconds: float
    folder: str

    @property
    def home(self) -> Path:
        """Where it ran."""
        return Path(self.folder)


def habitue(folder: Path, *arguments: object) -> Told:
    """Run a command in a folder, in this process."""
    out, err, before, began = io.StringIO(), io.StringIO(), Path.cwd(), time.perf_counter()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(map(str, arguments)))
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        os.chdir(before)
    return Told(code, out.getvalue(), err.getvalue(), time.perf_counter() - began, str(folder))


@pytest.fixture(scope="session")
def command() -> Callable[..., Told]:
    """Return what runs a command: ``command(folder, "train", "models/churn.toml")``."""
    return habitue


def once_for_all_workers(factory: pytest.TempPathFactory, name: str, run: Callable[[Path], Told]) -> Told:
    """Run something long in one of several pytest-xdist workers; the others wait and take its answer."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = folder / "told.json"
        if not answer.exists():
            answer.write_text(json.dumps(asdict(run(folder))), encoding="utf-8")
        return Told(**json.loads(answer.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run the real `habitue demo` once; tests that use it are slow, and leave its files as they are."""
    return once_for_all_workers(tmp_path_factory, "demo-run", lambda folder: habitue(folder, "demo"))


def make_shop(n: int, *, days: int = 500, seed: int = 0) -> pd.DataFrame:
    """Simulate a shop: customers arrive, buy at their own rate, and leave."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, days * 2 // 3, n)
    left = np.minimum(start + rng.exponential(250.0, n), days - 1)
    count = rng.poisson((left - start) * rng.gamma(0.7, 1 / 30.0, n))
    who = np.repeat(np.arange(n), count + 1)
    first = np.concatenate([[0], np.cumsum(count + 1)[:-1]])
    day = start[who] + rng.uniform(size=len(who)) * (left - start)[who]
    day[first] = start
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{one:06d}" for one in who],
            "order_date": pd.Timestamp("2023-01-01") + pd.to_timedelta(np.floor(day), unit="D"),
            "amount": np.round(rng.gamma(3.0, 10.0, len(who)) * rng.gamma(5.0, 0.2, n)[who] + 1.0, 2),
        }
    )
    return frame.sort_values(["order_date", "customer_id"], ignore_index=True)


@pytest.fixture(scope="session")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty MLflow home to copy: its migrations take seconds, a copy milliseconds."""
    from habitue.tracking import open_store

    home = tmp_path_factory.mktemp("mlflow-template")
    open_store(home)
    return home / "mlflow.db"


def quicker(recipe: Path) -> None:
    """Edit a recipe as people do: fewer trees, fewer draws."""
    text = recipe.read_text(encoding="utf-8")
    text = text.replace("n_estimators = 500", "n_estimators = 30, n_jobs = 1").replace("200", "40")
    recipe.write_text(text, encoding="utf-8")


def begin(folder: Path, mlflow_home: Path, orders: pd.DataFrame) -> Told:
    """Make a folder in which a shop begins: transactions, settings, recipes and an empty MLflow home."""
    (folder / "mlruns").mkdir(parents=True)
    (folder / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    orders.to_csv(folder / "transactions.csv", index=False)
    told = habitue(folder, "init", "transactions.csv")
    for name in ("churn", "clv"):
        if told.code == 0:
            quicker(folder / "models" / f"{name}.toml")
    return told


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path) -> Path:
    """Make a shop of 300 customers with both champions and their scores; for tests that only read it."""

    def trained(folder: Path) -> Told:
        told = begin(folder / "shop", mlflow_home, make_shop(300))
        for arguments in (["train", "models/churn.toml"], ["train", "models/clv.toml"], ["score"]):
            assert told.code == 0, told.err
            told = habitue(folder / "shop", *arguments)
        return told

    told = once_for_all_workers(tmp_path_factory, "trained-shop", trained)
    assert told.code == 0, told.err
    return Path(shutil.copytree(told.home, tmp_path_factory.mktemp("shop") / "shop"))


@pytest.fixture
def new_shop(tmp_path: Path, mlflow_home: Path) -> Callable[[pd.DataFrame], Path]:
    """Return what makes a folder in which nothing was trained yet."""

    def make(orders: pd.DataFrame) -> Path:
        told = begin(tmp_path / "shop", mlflow_home, orders)
        assert told.code == 0, told.err
        return tmp_path / "shop"

    return make


BROWSERS = ("chromium", "google-chrome", "chromium-browser")
OF_BROWSERS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]


class Opened:
    """A page with everything it said and asked for."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Opened]]:
    """Return what opens an address in a real browser: ``open_page(address, viewport=...)``."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of the browsers {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OF_BROWSERS)

        def opened(address: str, **settings: Any) -> Opened:
            return Opened(browser.new_page(**settings), address)

        yield opened
        browser.close()


class Postgres(NamedTuple):
    """A running server."""

    socket: Path
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://habitue:{self.password}@/postgres?host={self.socket}&port=54329"


def _as_postgres(*command: str | Path) -> None:
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*runner, *map(str, command)], check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Start a PostgreSQL server on a socket of its own; stop it at the end."""
    pytest.importorskip("adbc_driver_postgresql", reason="the extra habitue[postgres] is not installed")
    if not (POSTGRES / "initdb").is_file():
        pytest.skip("the binaries of a PostgreSQL 15 server are not here")
    # A socket's path must be short, and another user must reach it.
    folder = Path("/tmp") / f"habitue-pg-{os.getpid()}"
    folder.mkdir(mode=0o755)
    secret = folder / "secret"
    secret.write_text("s3cr3t%word\n")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(secret, "postgres")
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses='' -p 54329 -c fsync=off"
    try:
        _as_postgres(
            POSTGRES / "initdb",
            "-D",
            data,
            "-U",
            "habitue",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "-N",
        )
        _as_postgres(POSTGRES / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield Postgres(folder, "s3cr3t%25word")
        finally:
            _as_postgres(POSTGRES / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
