"""All kinds of record from files with names of their own: init, check, features; and what is told of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.cli import EXIT_CODES
from habitue.errors import DataError, SettingsError
from habitue.pipelines.settings import read_settings
from habitue.records import SCHEMAS, CustomerLog

Command = Callable[..., Any]

FOREIGN: dict[str, dict[str, str]] = {
    "transactions": {
        "customer_id": "Customer No", "timestamp": "Order Date", "amount": "Line Total",
        "order_id": "OrderNumber", "product_id": "SKU", "category": "Product Category", "quantity": "Qty",
        "list_price": "Regular Price", "discount": "Discount Amount", "margin": "Gross Margin",
        "channel": "Sales Channel", "currency": "Currency Code", "return_reason": "Refund Reason",
    },
    "contracts": {
        "customer_id": "account_id", "started_at": "start_date", "ended_at": "end_date",
        "price": "mrr_amount", "plan": "plan_tier", "billing_period_days": "billing_cycle_days",
        "auto_renew": "auto_renew_flag", "termination_fee": "early_termination_fee",
        "ended_reason": "churn_reason",
    },
    "events": {
        "customer_id": "user_id", "timestamp": "eventTime", "event": "eventName", "value": "eventValue",
        "channel": "platform",
    },
    "feedback": {
        "customer_id": "CustomerID", "timestamp": "Answered on", "survey": "Survey Type", "score": "Rating",
        "scale_min": "Rating Min", "scale_max": "Rating Max", "text": "Comment", "product_id": "Item No",
    },
    "tickets": {
        "customer_id": "Requester Customer ID", "opened_at": "Submitted", "closed_at": "Resolved at",
        "first_response_at": "First reply at", "topic": "Category", "severity": "Priority",
        "escalated": "Is escalated", "reopened": "Was reopened",
    },
    "rewards": {
        "customer_id": "member_number", "timestamp": "posting_date", "points": "points_change",
        "tier": "loyalty_tier", "expires_at": "valid_until",
    },
    "contacts": {
        "customer_id": "client id", "timestamp": "sent at", "campaign": "campaign name",
        "channel": "medium", "offer": "offer code", "cost": "contact cost", "arm": "treatment group",
        "propensity": "propensity score", "randomised": "randomized", "responded_at": "clicked at",
    },
    "customers": {"customer_id": "id", "acquired_at": "Sign-up date", "segment": "Customer Segment"},
}  # fmt: skip
FILES = {
    "transactions": "orders.csv", "contracts": "subscriptions.parquet", "events": "app_usage.csv.gz",
    "feedback": "survey_answers_survey.csv", "tickets": "support_tickets.csv",
    "rewards": "loyalty_points.parquet", "contacts": "marketing_campaigns.csv",
    "customers": "crm_customers.csv",
}  # fmt: skip


@pytest.fixture(scope="module")
def frames() -> dict[str, Any]:
    return dict(hb.simulate_business(n_customers=60).frames)


def write(frame: pd.DataFrame, path: Path, **options: Any) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, **options)


@pytest.fixture(scope="module")
def tables(frames: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables of all kinds, whose columns have other names; only to be read."""
    folder = tmp_path_factory.mktemp("tables")
    for kind, frame in frames.items():
        write(frame.rename(columns=FOREIGN[kind]), folder / FILES[kind])
    (folder / "products.csv").write_text("SKU,name\n1,x\n")
    (folder / "orders_2019.csv").write_text("nothing\n1\n")
    (folder / "README.txt").write_text("These are our tables.")
    return folder


def same(found: CustomerLog, expected: CustomerLog) -> None:
    """Two logs of the same records; what the sources call the attributes may differ."""
    assert found.kinds == expected.kinds
    assert found.fingerprint() == expected.fingerprint()
    assert (found.first_day, found.observed_until) == (expected.first_day, expected.observed_until)


# --- there and back


def test_a_folder_is_taken_apart_and_gives_the_same_log_and_features(
    frames: dict[str, Any], tables: Path, tmp_path: Path, command: Command
) -> None:
    told = command(tmp_path, "init", tables)
    assert told.code == 0, told.err
    assert "left: products.csv, its name says no kind of record" in told.out
    assert "left: orders_2019.csv, transactions are taken from orders.csv" in told.out
    assert "README" not in told.out
    expected = CustomerLog(**frames)
    settings = read_settings(tmp_path / "habitue.toml")
    assert {kind: dict(table.mapping(kind)) for kind, table in settings.tables().items()} == {
        kind: {
            name: FOREIGN[kind][name]
            for name in (column.name for column in SCHEMAS[kind].columns)
            if name in FOREIGN[kind]
        }
        for kind in SCHEMAS
    }
    same(settings.read(tmp_path, today=date(2030, 1, 1)), expected)
    checked = command(tmp_path, "check", "--json")
    records = json.loads(checked.out)["records"]
    assert {kind: one["n_admitted"] for kind, one in records.items()} == {
        kind: len(frame) for kind, frame in frames.items()
    }
    assert command(tmp_path, "features").code == 0
    X = hb.take_snapshot(expected, hb.Window(expected.observed_until, settings.horizon)).X
    matrix = pd.read_parquet(tmp_path / "features.parquet").set_index("customer_id")
    assert len(set(X.columns) & set(matrix.columns)) > 100
    both = [name for name in matrix.columns if name in X.columns]
    assert np.array_equal(matrix[both].astype("float64"), X[both].astype("float64"), equal_nan=True)


def test_options_name_what_a_folder_would_find(tables: Path, tmp_path: Path, command: Command) -> None:
    options = [
        part
        for kind, name in FILES.items()
        if kind != "transactions"
        for part in (f"--{kind}", tables / name)
    ]
    told = command(tmp_path, "init", tables / "orders.csv", *options)
    assert told.code == 0, told.err
    by_options = (tmp_path / "habitue.toml").read_text("utf-8")
    assert command(tmp_path, "init", tables, "--force").code == 0
    assert (tmp_path / "habitue.toml").read_text("utf-8") == by_options


def test_the_settings_say_what_was_found_and_what_is_left(
    tables: Path, tmp_path: Path, command: Command
) -> None:
    told = command(tmp_path, "init", "--tickets", tables / "support_tickets.csv", tables / "orders.csv")
    assert told.code == 0, told.err
    text = (tmp_path / "habitue.toml").read_text("utf-8")
    n = len(pd.read_csv(tables / "support_tickets.csv"))
    assert f"[records.tickets]\n# Found: {n} records.\n" in text
    assert "# Not found, and may be named: recorded_at." in text
    assert tomllib.loads(text)["records"]["tickets"]["opened_at"] == "Submitted"


def test_contracts_alone_can_be_checked_and_built_from(
    frames: dict[str, Any], tables: Path, tmp_path: Path, command: Command
) -> None:
    told = command(
        tmp_path,
        "init",
        "--contracts",
        tables / "subscriptions.parquet",
        "--customers",
        tables / "crm_customers.csv",
    )
    assert told.code == 0, told.err
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["churn.toml"]
    same(
        read_settings(tmp_path / "habitue.toml").read(tmp_path, today=None),
        CustomerLog(contracts=frames["contracts"], customers=frames["customers"]),
    )
    checked = command(tmp_path, "check")
    assert "60 rows of contracts, 60 admitted" in checked.out
    assert "bought again" not in checked.out
    assert json.loads(command(tmp_path, "check", "--json").out)["total_amount"] is None
    assert command(tmp_path, "features").code == 0


# --- messy


def test_messy_tables_lose_a_row_each_and_say_why(
    frames: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    tickets = frames["tickets"].rename(columns=FOREIGN["tickets"]).astype(object)
    tickets.loc[0, "Submitted"] = "no day"
    tickets.loc[1, "Requester Customer ID"] = None
    rewards = frames["rewards"].rename(columns=FOREIGN["rewards"]).astype(object)
    rewards["points_change"] = [f"{points},0" for points in rewards["points_change"]]
    rewards.loc[0, "points_change"] = "many"
    write(frames["transactions"], tmp_path / "orders.csv")
    write(tickets, tmp_path / "Tickets 2024.csv", sep=";", encoding="cp1252")
    write(rewards, tmp_path / "Punkte.csv", sep="\t")
    told = command(tmp_path, "init", ".")
    assert told.code == 0, told.err
    text = (tmp_path / "habitue.toml").read_text("utf-8")
    assert tomllib.loads(text)["records"]["rewards"]["decimal"] == ","
    assert "# Found: 680 records; 1 row set aside." in text.replace(str(len(rewards) - 1), "680")
    checked = command(tmp_path, "check", "--quarantine", "aside.csv")
    assert checked.code == 0, checked.err
    assert "  set aside: 1 row, opened_at cannot be read as a date" in checked.out
    assert "  set aside: 1 row, customer_id is missing" in checked.out
    assert "  set aside: 1 row, points is no finite number with the decimal sign ','" in checked.out
    aside = pd.read_csv(tmp_path / "aside.csv")
    assert aside["kind"].tolist() == ["tickets", "tickets", "rewards"]
    facts = json.loads(command(tmp_path, "check", "--json").out)
    assert (facts["n_quarantined"], facts["records"]["tickets"]["n_quarantined"]) == (0, 2)


def test_a_guess_is_corrected_in_the_file(frames: dict[str, Any], tmp_path: Path, command: Command) -> None:
    tickets = frames["tickets"].rename(columns=FOREIGN["tickets"] | {"opened_at": "Logged", "topic": "Area"})
    write(frames["transactions"], tmp_path / "orders.csv")
    write(tickets.assign(Created=tickets["Logged"] + pd.Timedelta(days=1)), tmp_path / "tickets.csv")
    assert command(tmp_path, "init", ".").code == 0
    path = tmp_path / "habitue.toml"
    text = path.read_text("utf-8")
    assert 'opened_at = "Created"' in text
    path.write_text(text.replace('"Created"', '"Logged"\ntopic = "Area"'), encoding="utf-8")
    log = read_settings(path).read(tmp_path, today=None)
    same(log, CustomerLog(transactions=frames["transactions"], tickets=frames["tickets"]))


def test_set_says_what_no_guess_can(frames: dict[str, Any], tmp_path: Path, command: Command) -> None:
    write(frames["transactions"], tmp_path / "orders.csv")
    write(frames["events"].rename(columns={"event": "x", "timestamp": "y"}), tmp_path / "z.csv")
    told = command(tmp_path, "init", "orders.csv", "--events", "z.csv")
    assert told.code == EXIT_CODES[DataError]
    assert "z.csv: no column looks like event of events" in told.err
    assert "--set events.event=COLUMN" in told.err
    told = command(
        tmp_path, "init", "orders.csv", "--events", "z.csv", "--set", "events.event=x",
        "--set", "data.timezone=Europe/Paris",
    )  # fmt: skip
    assert told.code == 0, told.err
    settings = read_settings(tmp_path / "habitue.toml")
    assert settings.data.timezone == "Europe/Paris"
    expected = CustomerLog(
        transactions=frames["transactions"], events=frames["events"], timezone="Europe/Paris"
    )
    same(settings.read(tmp_path, today=None), expected)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "A log needs transactions or contracts. Name the file"),
        (["--tickets", "tickets.csv"], "A log needs transactions or contracts"),
        (["orders.csv", "--set", "tickets"], "--set takes KIND.KEY=VALUE"),
        (["orders.csv", "--set", "data.source=x"], "A source is named by itself"),
        (["orders.csv", "--set", "tikets.opened_at=x"], "'records.tikets'; did you mean 'tickets'"),
        (["orders.csv", "--set", "data.timezon=x"], "'data.timezon'; did you mean 'timezone'"),
        (["orders.csv", "--set", "tickets.opened_at=x"], "There is no source of tickets"),
        (["orders.csv", "--tickets", "tickets.csv", "--set", "tickets.opened=x"], "'records.tickets.opened'"),
        (["orders.csv", "--tickets", "no.csv"], "There is no file no.csv"),
        (
            ["orders.csv", "--tickets", "dates.csv"],
            r"dates.csv: 'Created' \(for opened_at\) can be read in more",
        ),
        (["empty"], "In empty no transactions and no contracts were found: notes.csv"),
    ],
)
def test_errors_say_the_way_out(arguments: list[str], told: str, tmp_path: Path, command: Command) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,date,amount\n1,2024-01-01,5\n2,2024-02-01,6\n")
    (tmp_path / "tickets.csv").write_text("customer_id,opened_at\n1,2024-01-01\n")
    (tmp_path / "dates.csv").write_text("customer_id,Created\n1,01/02/2024\n2,03/02/2024\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.csv").write_text("a\n1\n")
    said = command(tmp_path, "init", *arguments)
    assert said.code in {EXIT_CODES[DataError], EXIT_CODES[SettingsError]}
    assert pd.Series([said.err]).str.contains(told).all(), said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "habitue.toml").exists()


def test_rates_are_named_at_once_and_found_from_another_folder(tmp_path: Path, command: Command) -> None:
    (tmp_path / "orders.csv").write_text(
        "buyer_id,order_date,total,currency\n1,2024-01-01,5,EUR\n1,2024-02-01,8,USD\n"
    )
    (tmp_path / "rates.csv").write_text("currency,rate\nEUR,1\nUSD,0.5\n")
    assert "several currencies" in command(tmp_path, "init", "orders.csv").err
    told = command(tmp_path, "init", "orders.csv", "--set", "data.rates=rates.csv", "--folder", "made")
    assert told.code == 0, told.err
    assert json.loads(command(tmp_path / "made", "check", "--json").out)["total_amount"] == 9.0


def test_parts_of_one_parquet_folder_are_one_source(
    frames: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    parts = tmp_path / "orders"
    parts.mkdir()
    frame = frames["transactions"]
    for year, part in frame.groupby(frame["timestamp"].dt.year):
        part.to_parquet(parts / f"orders_{year}.parquet", index=False)
    told = command(tmp_path, "init", "orders")
    assert told.code == 0, told.err
    same(read_settings(tmp_path / "habitue.toml").read(tmp_path, today=None), CustomerLog(transactions=frame))


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_the_tables_of_a_saas_business(shared_data: Path, tmp_path: Path, command: Command) -> None:
    told = command(tmp_path, "init", shared_data / "data" / "ravenstack_saas")
    assert told.code == 0, told.err
    assert "left: feature_usage.csv.gz, no column looks like customer_id of events" in told.out
    tables = read_settings(tmp_path / "habitue.toml").tables()
    assert list(tables) == ["contracts", "tickets", "customers"]
    assert tables["contracts"].mapping("contracts") == {
        "customer_id": "account_id", "started_at": "start_date", "price": "mrr_amount",
        "ended_at": "end_date", "plan": "plan_tier", "auto_renew": "auto_renew_flag",
    }  # fmt: skip
    checked = json.loads(command(tmp_path, "check", "--json").out)["records"]
    assert {kind: one["n_admitted"] for kind, one in checked.items()} == {
        "contracts": 5000, "tickets": 2000, "customers": 500,
    }  # fmt: skip
