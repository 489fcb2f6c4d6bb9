"""`habitue init`: what it proposes for real files, and that what it writes can be read back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SettingsError
from habitue.pipelines.propose import propose, propose_horizon
from habitue.pipelines.settings import read_settings
from habitue.pipelines.settings_text import write_settings

TODAY = date(2030, 1, 1)


def written(proposal: Any, folder: Path, **options: Any) -> Any:
    write_settings(proposal, folder, **options)
    return read_settings(folder / "habitue.toml")


@pytest.mark.data
def test_cdnow_as_published(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "data" / "cdnow" / "cdnow_master.csv.gz"
    proposal = propose({"transactions": str(source)})
    assert proposal.tables["transactions"].reading == {
        "customer_id": "customer_id", "timestamp": "date", "amount": "amount", "quantity": "quantity",
    }  # fmt: skip
    assert proposal.log.n_customers == 23_570
    log = written(proposal, tmp_path).read(tmp_path, today=TODAY)
    assert log.fingerprint() == proposal.log.fingerprint()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_online_retail_multiplies_quantity_and_price(shared_data: Path) -> None:
    source = shared_data / "data" / "online_retail" / "online_retail.parquet"
    proposal = propose({"transactions": str(source)})
    reading = proposal.tables["transactions"].reading
    assert reading["amount"] == "Quantity * UnitPrice"
    assert (reading["order_id"], reading["product_id"]) == ("InvoiceNo", "StockCode")
    assert proposal.log.n_customers > 4000
    assert 0 < proposal.horizon <= (proposal.log.observed_until - proposal.log.first_day).days // 4


def german_csv(folder: Path) -> Path:
    path = folder / "Umsätze.csv"
    rows = [f"{n % 7};{1 + n % 28:02d}.{1 + n % 12:02d}.2023;1.2{n:02d},50 €;{n}" for n in range(60)]
    path.write_text("Kundennr;Belegdatum;Nettobetrag;Menge\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_german_file_with_decimal_comma(tmp_path: Path) -> None:
    proposal = propose({"transactions": str(german_csv(tmp_path))})
    assert proposal.tables["transactions"].reading == {
        "customer_id": "Kundennr", "timestamp": "Belegdatum", "amount": "Nettobetrag", "quantity": "Menge",
        "decimal": ",",
    }  # fmt: skip
    settings = written(proposal, tmp_path)
    assert (settings.data.source, settings.data.decimal) == ("Umsätze.csv", ",")
    assert settings.read(tmp_path, today=TODAY).fingerprint() == proposal.log.fingerprint()


def test_duckdb_file_with_two_tables_needs_its_name(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as database:
        database.sql("CREATE TABLE notes AS SELECT 1 AS x")
        database.sql(
            "CREATE TABLE orders AS SELECT range % 5 AS user_id, DATE '2024-01-01' + CAST(range AS INTEGER) "
            "AS created_at, 5.5 AS total FROM range(100)"
        )
    proposal = propose({"transactions": str(path)}, {"transactions": {"table": "orders"}})
    assert proposal.tables["transactions"].reading["table"] == "orders"
    settings = written(proposal, tmp_path)
    assert settings.data.table == "orders"
    assert settings.read(tmp_path, today=TODAY).n_customers == 5


def test_settings_text_is_commented_and_holds_what_was_proposed(tmp_path: Path) -> None:
    proposal = propose({"transactions": str(german_csv(tmp_path))})
    settings = written(proposal, tmp_path)
    text = (tmp_path / "habitue.toml").read_text(encoding="utf-8")
    assert f"# cutoff = {proposal.log.observed_until}" in text
    assert proposal.why_horizon in text
    assert settings.horizon == proposal.horizon
    assert text.count("\n#") > 8
    for name in ("churn", "clv"):
        assert (
            tomllib.loads((tmp_path / "models" / f"{name}.toml").read_text("utf-8"))["name"]
            == f"habitue-{name}"
        )


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    proposal = propose({"transactions": str(german_csv(tmp_path))})
    written(proposal, tmp_path)
    (tmp_path / "models" / "churn.toml").write_text("mine")
    with pytest.raises(SettingsError, match="--force"):
        write_settings(proposal, tmp_path)
    assert write_settings(proposal, tmp_path, force=True) == [tmp_path / "habitue.toml"]
    assert (tmp_path / "models" / "churn.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("postgresql://me:secret@db:5432/shop", "postgresql://me@db:5432/shop"),
        ("postgresql://db/shop?password=secret&sslmode=require", "postgresql://db/shop?sslmode=require"),
        ("postgresql://db/shop", "postgresql://db/shop"),
    ],
)
def test_passwords_are_not_written_down(address: str, kept: str, tmp_path: Path) -> None:
    proposal = propose({"transactions": str(german_csv(tmp_path))})
    table = replace(proposal.tables["transactions"], source=address)
    proposal = replace(proposal, tables={"transactions": table})
    assert written(proposal, tmp_path).data.source == kept


def test_horizon_of_those_who_come_back_weekly_is_a_week() -> None:
    days = pd.date_range("2024-01-01", periods=20, freq="7D")
    orders = pd.DataFrame({"customer_id": 1, "timestamp": days, "amount": 1.0})
    assert propose_horizon(hb.read_log(orders))[0] == 7


def test_horizon_is_at_most_a_quarter_of_the_log() -> None:
    rare = pd.DataFrame({"customer_id": 1, "timestamp": ["2024-01-01", "2024-12-31"], "amount": 1.0})
    once = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2024-01-01", "2024-12-31"], "amount": 1.0})
    one_day = pd.DataFrame({"customer_id": [1, 2], "timestamp": "2024-01-01", "amount": 1.0})
    assert propose_horizon(hb.read_log(rare))[0] == 91
    assert propose_horizon(hb.read_log(once)) == (91, "a quarter of the log, as nobody has bought twice yet")
    assert propose_horizon(hb.read_log(one_day))[0] == 1


def test_command_says_what_it_found(tmp_path: Path, command: Callable[..., Any]) -> None:
    told = command(tmp_path, "init", german_csv(tmp_path).name)
    assert told.code == 0
    assert "Found 7 customers, 2023-" in told.out
    assert "Nettobetrag" in told.out
    assert "then: habitue check" in told.out
    assert command(tmp_path, "check").code == 0
