"""What hostile names, records, files and models come to; docs/explanation/threat-model.md names each threat.

What other tests show already is not repeated: pages in tests/report/test_page.py, sources in
tests/records/test_sources.py, changed models in tests/tracking/test_loading.py, changed copies in
tests/tracking/test_model_cache.py, passwords in tests/tracking/test_server_with_password.py.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.errors import DataError, RegistryError, SettingsError
from habitue.files import has_password, plain_cell, plain_cells, safe_cell, safe_cells, without_password
from habitue.pipelines.recipes import read_recipe
from habitue.records.csv_cells import as_it_was, without_formulas
from habitue.records.engine import DuckDBEngine, quoted

Command = Callable[..., Any]

FORMULAS = [
    '=HYPERLINK("http://example.org?"&A1)',
    "+1+cmd|' /C calc'!A0",
    "-1+1",
    "@SUM(A1:A9)",
    "\t=1",
    "\r=1",
    "＝1+1",
]
SQL = [
    "'; DROP TABLE transactions; --",
    '"; DROP TABLE transactions; --',
    "x') OR ('1'='1",
    "$cutoff",
    "{0}",
    "%s",
]
HTML = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "{{ 7*7 }}"]
ENGINE = DuckDBEngine()
RUNS = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


# --- CSV files


@given(st.text(st.sampled_from("'=+-@\t\r\n＝＋－＠1.5e%a,\" "), max_size=8))
@example("-12.50")
@example("'=1")
def test_a_cell_never_runs_and_can_be_read_back(text: str) -> None:
    safe = safe_cell(text)
    number = re.fullmatch(r"[-+]?(\d+([.,]\d+)*([eE][-+]?\d+)?%?)?", text)
    assert number or not RUNS.match(safe)
    assert plain_cell(safe) == text


@settings(max_examples=30)
@given(st.lists(st.text(st.sampled_from("'=+-@\t\r\n＝1.5e%a"), max_size=6), min_size=1, max_size=20))
def test_the_database_makes_cells_safe_as_we_do(texts: list[str]) -> None:
    ENGINE.register("cells", pd.DataFrame({"=text": texts, "n": range(len(texts))}))
    rows = ENGINE.rows(f"{without_formulas(ENGINE, 'SELECT * FROM cells')} ORDER BY n")
    assert [text for text, _ in rows] == [safe_cell(text) for text in texts]
    ENGINE.register("written", pd.DataFrame({"text": [text for text, _ in rows], "n": range(len(texts))}))
    back = ENGINE.rows(f"SELECT {as_it_was('text')} FROM written ORDER BY n")
    assert [text for (text,) in back] == texts


def test_a_table_keeps_its_numbers_and_loses_its_formulas() -> None:
    frame = pd.DataFrame({"id": FORMULAS, "=name": pd.Categorical(FORMULAS), "spend": -1.5, "n": range(7)})
    safe = safe_cells(frame)
    assert list(safe.columns) == ["id", "'=name", "spend", "n"]
    assert not [cell for name in ("id", "'=name") for cell in safe[name] if RUNS.match(cell)]
    pd.testing.assert_frame_equal(safe[["spend", "n"]], frame[["spend", "n"]])
    assert frame["id"].tolist() == FORMULAS
    pd.testing.assert_frame_equal(plain_cells(safe), frame)


# --- a whole shop of hostile customers


def hostile_shop() -> pd.DataFrame:
    """Customers, some of whom have names that do something where they are not taken for names."""
    from tests.conftest import make_shop

    orders = make_shop(150, seed=8)
    names = orders["customer_id"].drop_duplicates()
    odd = [*FORMULAS, *SQL, *HTML, "../../etc/passwd", "a/b", "CON"]
    orders["customer_id"] = orders["customer_id"].replace(dict(zip(names[: len(odd)], odd, strict=True)))
    orders['"; DROP TABLE transactions; --'] = "note"
    return orders


@dataclass(frozen=True)
class Hostile:
    """The folder, and what each command said."""

    folder: Path
    said: dict[str, Any]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path, command: Command) -> Hostile:
    folder = tmp_path_factory.mktemp('it\'s "a" shop; DROP TABLE x --')
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    hostile_shop().to_csv(folder / "transactions.csv", index=False)
    with (folder / "transactions.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[name, "never", "=1+1", "=x"] for name in FORMULAS])
    steps = [
        ["init", "transactions.csv"],
        ["check", "--quarantine", "aside.csv"],
        ["features", "--output", "features.csv"],
        ["train", "models/churn.toml"],
        ["score", "--model", "habitue-churn@champion", "--output", "scores.csv", "--allow-breaches"],
        ["report", "--scores", "scores.csv", "--output", "report.html"],
    ]
    said: dict[str, Any] = {}
    for step in steps:
        said[step[0]] = command(folder, *step)
        assert said[step[0]].code == 0, (step, said[step[0]].err)
        if step[0] == "init":
            recipe = folder / "models" / "churn.toml"
            text = recipe.read_text("utf-8")
            recipe.write_text(
                text.replace("n_estimators = 500", "n_estimators = 20, n_jobs = 1").replace("200", "40")
            )
    return Hostile(folder, said)


@pytest.mark.slow
def test_hostile_customers_are_customers(hostile: Hostile) -> None:
    before = hostile_shop()["customer_id"]
    with duckdb.connect() as connection:
        path = str(hostile.folder / "features.csv").replace("'", "''")
        rows = connection.execute(
            f"SELECT customer_id FROM read_csv('{path}', all_varchar = true)"
        ).fetchall()
    stored = {plain_cell(name) for (name,) in rows}
    # The door trims the white space around an id.
    assert {name.strip() for name in before} <= {name.strip() for name in stored}
    assert pd.read_csv(hostile.folder / "scores.csv")["churn_probability"].between(0, 1).all()


@pytest.mark.slow
def test_no_csv_file_holds_a_formula(hostile: Hostile) -> None:
    files = [path for path in hostile.folder.rglob("*.csv") if path.name != "transactions.csv"]
    assert {"aside.csv", "features.csv", "features.dictionary.csv", "scores.csv"} <= {
        path.name for path in files
    }
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        bad = [cell for cell in cells if RUNS.match(cell) and not re.fullmatch(r"[-+]?[\d.eE+-]*", cell)]
        assert not bad, (path.name, bad[:3])


@pytest.mark.slow
def test_no_page_holds_markup_of_a_customer(hostile: Hostile) -> None:
    page = (hostile.folder / "report.html").read_text("utf-8")
    for markup in HTML[:2]:
        assert markup not in page
    assert page.count("</script>") == 2


@pytest.mark.slow
def test_a_hostile_customer_can_be_forgotten(hostile: Hostile, tmp_path: Path, command: Command) -> None:
    copy = Path(shutil.copytree(hostile.folder, tmp_path / "copy"))
    for name in ('=HYPERLINK("http://example.org?"&A1)', "'; DROP TABLE transactions; --"):
        assert any(name in path.read_text("utf-8").replace('""', '"') for path in copy.glob("*.csv"))
        told = command(copy, "forget", "--", name)
        assert told.code == 0, told.err
        left = [
            path.name
            for path in copy.glob("scores*.csv")
            if name in path.read_text("utf-8").replace('""', '"')
        ]
        assert left == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "/etc/passwd@champion", "a'; DROP TABLE x; --", "\0"]
)
def test_a_reference_is_never_a_path_or_sql(name: str, hostile: Hostile, command: Command) -> None:
    before = sorted(path for path in hostile.folder.parent.rglob("*"))
    for arguments in (["score", "--model", name, "--output", "other.csv"], ["card", name]):
        told = command(hostile.folder, *arguments)
        assert told.code == 6, told.err
        assert "names no model" in told.err or "there is no model" in told.err
    assert [path for path in before if not path.exists()] == []
    assert not (hostile.folder / "other.csv").exists()


# --- SQL


@pytest.mark.parametrize("name", [*SQL, 'a"b', "a'b", "select", "ß", "x" * 300])
def test_any_name_may_be_that_of_a_column(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {name: ["ann", "bob"], "timestamp": ["2024-01-01", "2024-02-01"], "amount": [1.0, 2.0]}
    )
    log = hb.read_log(frame, customer_id=name)
    assert log.n_customers == 2
    path = tmp_path / "a'; DROP TABLE x; --.csv"
    frame.to_csv(path, index=False)
    assert hb.read_log(path, customer_id=name).n_customers == 2


@settings(max_examples=15)
@given(st.text(min_size=1, max_size=30).filter(lambda name: "\0" not in name))
def test_a_quoted_name_is_one_name(name: str) -> None:
    assert list(ENGINE.columns(f"(SELECT 1 AS {quoted(name)})")) == [name]


@pytest.mark.parametrize(
    "query", ["DROP TABLE t", "SELECT 1; DROP TABLE t", "COPY t TO 'x'", "ATTACH 'x'", "INSTALL httpfs"]
)
def test_a_query_of_a_source_only_reads(query: str, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 'ann' AS customer_id, DATE '2024-01-01' AS timestamp, 1 AS amount"
        )
    with pytest.raises(SettingsError, match="must be one SELECT statement"):
        hb.read_log(tmp_path / "shop.duckdb", query=query)
    assert hb.read_log(tmp_path / "shop.duckdb", table="t").n_customers == 1


# --- oversized


def test_a_line_of_ten_megabytes_costs_that_line(tmp_path: Path) -> None:
    rows = "".join(f"c{n % 20},2024-01-{1 + n % 28:02d},5.0\n" for n in range(100))
    path = tmp_path / "transactions.csv"
    path.write_text(f"customer_id,timestamp,amount\n{rows}{'x' * 10_000_000},2024-01-01,1\n{rows}")
    with pytest.warns(hb.errors.HabitueWarning, match="longer than any line may be"):
        log = hb.read_log(path)
    assert log.checks["transactions"].n_admitted == 200


@pytest.mark.parametrize(
    ("text", "told"),
    [(f"name = {'[' * 100_000}", "no valid TOML"), (f"name = '{'x' * 50_000_000}'", "far smaller")],
)
def test_a_recipe_that_is_deep_or_huge_is_a_sentence(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "churn.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=told):
        read_recipe(path)


# --- models


@pytest.fixture
def copied_model(shop: Path, tmp_path: Path) -> tuple[Any, Path]:
    """A registered version, and a home of our own with its files, free to be forged."""
    from habitue.tracking import download, open_store, resolve

    store = open_store(shop / "mlruns")
    version = resolve(store, "habitue-churn@champion")
    return version, download(store, version, tmp_path / "files")


def verified(version: Any, folder: Path) -> None:
    """Verify as for one who could also write to the registry: checksums that fit."""
    from habitue.tracking.fingerprints import checksums
    from habitue.tracking.verification import verify

    verify(folder, checksums(folder), name=version.label)


def aliases(text: str) -> str:
    bomb = ["bomb0: &bomb0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"bomb{n}: &bomb{n} [{', '.join([f'*bomb{n - 1}'] * 9)}]" for n in range(1, 10)]
    return text + "\n".join(bomb) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (aliases, "is deep or has YAML aliases"),
        (lambda text: text + "#" * (1 << 20), "is larger than"),
        (lambda text: text + "deep: " + "[" * 200_000, "is deep or has YAML aliases"),
        (lambda text: "!!python/object/apply:os.system ['true']", "can't be read"),
    ],
)
def test_a_hostile_description_of_a_model_is_refused(
    change: Callable[[str], str], told: str, copied_model: tuple[Any, Path]
) -> None:
    version, folder = copied_model
    verified(version, folder)
    path = folder / "MLmodel"
    path.write_text(change(path.read_text("utf-8")))
    with pytest.raises(RegistryError, match=f"is not loaded: its MLmodel {told}"):
        verified(version, folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_what_is_no_plain_file_is_refused_before_it_is_read(
    kind: str, copied_model: tuple[Any, Path], tmp_path: Path
) -> None:
    from habitue.tracking.verification import only_plain_files

    version, folder = copied_model
    odd = folder / "artifacts" / "odd"
    if kind == "link":
        odd.symlink_to("/dev/zero")
    elif kind == "folder":
        odd.symlink_to(tmp_path)
    else:
        os.mkfifo(odd)
    with pytest.raises(RegistryError, match="artifacts/odd is no plain file"):
        only_plain_files(folder.as_uri(), name=version.label)
    with pytest.raises(RegistryError, match="artifacts/odd is no plain file"):
        verified(version, folder)


@pytest.mark.slow
def test_a_link_in_the_registrys_own_files_is_not_followed(shop: Path, tmp_path: Path) -> None:
    from habitue.tracking import load, open_store, resolve

    store = open_store(shop / "mlruns")
    version = resolve(store, "habitue-churn@champion")
    source = store.client().get_model_version_download_uri(version.name, str(version.version))
    link = Path(source.removeprefix("file://")) / "artifacts" / "endless"
    link.symlink_to("/dev/zero")
    try:
        with pytest.raises(RegistryError, match="artifacts/endless is no plain file"):
            load(store, version)
    finally:
        link.unlink()
    assert load(store, version).version == version


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"format": 1, "model": {"class": "os.system", "params": {}}}',
        "9" * 5000,
    ],
)
def test_a_hostile_stored_model_is_a_sentence(content: str, copied_model: tuple[Any, Path]) -> None:
    from habitue.models.persistence import load_model

    _, folder = copied_model
    (folder / "artifacts" / "model" / "model.json").write_text(content)
    with pytest.raises(DataError, match="no model can be read from"):
        load_model(folder / "artifacts" / "model")


@pytest.mark.slow
def test_nothing_in_the_registry_is_pickled(shop: Path) -> None:
    files = [path for path in (shop / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"MLmodel", "loader.py", "model.json"}
    assert {path.suffix for path in files} <= {
        "",
        ".py",
        ".json",
        ".txt",
        ".yaml",
        ".csv",
        ".svg",
        ".md",
        ".toml",
    }
    for path in files:
        content = path.read_bytes()
        content.decode("utf-8")
        assert not content.startswith((b"\x80", b"PK", b"\x1f\x8b"))
        if path.name == "MLmodel":
            flavor = yaml.safe_load(content)["flavors"]["python_function"]
            assert "python_model" not in flavor
            assert ".pkl" not in yaml.safe_dump(flavor)


# --- secrets


@given(
    st.sampled_from(["postgresql", "postgresql+psycopg", "mysql", "https", "http"]),
    st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters=":%!$*()"), min_size=6),
)
def test_no_password_survives_in_a_message(scheme: str, password: str) -> None:
    address = f"{scheme}://ann:{password}Zz9@host.example:5432/db"
    assert has_password(address)
    told = without_password(f"could not connect to {address}, is it there?")
    assert f"{password}Zz9@" not in told
    assert f"{scheme}://ann:***@host.example:5432/db" in told


@pytest.mark.parametrize(
    "text",
    ["sqlite:////home/a:b@c/mlflow.db is locked", "http://127.0.0.1:5000/x@y", "at 12:30 ann@host wrote", ""],
)
def test_what_is_no_password_stays(text: str) -> None:
    if not text.startswith(
        "sqlite"
    ):  # of a path that looks like credentials too much rather than too little goes
        assert without_password(text) == text


def test_the_settings_cannot_hold_the_registrys_password(
    tmp_path: Path, command: Command, shop: Path
) -> None:
    for name in ("habitue.toml", "transactions.csv"):
        shutil.copy(shop / name, tmp_path / name)
    shutil.copytree(shop / "models", tmp_path / "models")
    settings = tmp_path / "habitue.toml"
    text = re.sub(
        r'mlruns = "[^"]*"', 'mlruns = "https://ann:geheim@mlflow.example.org"', settings.read_text("utf-8")
    )
    settings.write_text(text)
    told = command(tmp_path, "card", "habitue-churn@champion")
    assert told.code == 4
    assert "holds a password" in told.err
    assert "geheim" not in told.out + told.err


def test_the_note_of_a_version_is_data(copied_model: tuple[Any, Path]) -> None:
    from habitue.tracking.loading import expected_files

    version, _ = copied_model
    for tag in ("[" * 100_000, "null", '{"a": 1', "1e999999"):
        with pytest.raises(RegistryError, match=r"its tag habitue\.sha256 is missing or damaged"):
            expected_files(replace(version, tags={"habitue.sha256": tag}))
    assert json.loads(version.tags["habitue.sha256"])
