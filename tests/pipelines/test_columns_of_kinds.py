"""What `habitue init` guesses for every kind of record: exports of desks, surveys and loyalty schemes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.errors import SchemaError
from habitue.pipelines.columns_of_kinds import consent_hints, guess_decimal_of, guess_kind
from habitue.pipelines.folders import holds_tables, kind_of_name, take_apart
from habitue.records import SCHEMAS

DAY, NUMBER, TEXT, FLAG, WHOLE = (
    ("TIMESTAMP", ["2024-01-03 10:00:00"]),
    ("DOUBLE", [12.5]),
    ("VARCHAR", ["blue"]),
    ("BOOLEAN", [True]),
    ("BIGINT", [7]),
)
FLAG_AS_TEXT, EMPTY, DURATION = ("VARCHAR", ["yes", "no"]), ("VARCHAR", []), ("BIGINT", [124])

CASES: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "Zendesk": (
        "tickets",
        {
            "id": WHOLE, "subject": TEXT, "requester_id": TEXT, "user_id": WHOLE, "updated_at": DAY,
            "created_at": DAY, "solved_at": DAY, "priority": TEXT, "status": TEXT,
            "first_reply_minutes": DURATION,
        },
        {"customer_id": "user_id", "opened_at": "created_at", "closed_at": "solved_at", "topic": "subject",
         "severity": "priority"},
    ),
    "German desk": (
        "tickets",
        {"Ticketnr": WHOLE, "Kundennr": WHOLE, "Erstellt am": DAY, "Geschlossen am": DAY, "Thema": TEXT},
        {"customer_id": "Kundennr", "opened_at": "Erstellt am", "closed_at": "Geschlossen am",
         "topic": "Thema"},
    ),
    "tickets without times": (
        "tickets",
        {"customer_id": WHOLE, "opened": DAY, "closed_at": EMPTY, "first_response_at": DURATION,
         "escalated": FLAG_AS_TEXT},
        {"customer_id": "customer_id", "opened_at": "opened", "closed_at": "closed_at",
         "escalated": "escalated"},
    ),
    "subscriptions": (
        "contracts",
        {
            "subscription_id": TEXT, "customer": TEXT, "trial_end": DAY, "start_date": DAY,
            "cancelled_at": DAY,
            "current_period_end": DAY, "monthly_price": NUMBER, "setup_fee": NUMBER, "plan": TEXT,
        },
        {"customer_id": "customer", "started_at": "start_date", "price": "monthly_price",
         "ended_at": "cancelled_at",
         "plan": "plan"},
    ),
    "German contracts": (
        "contracts",
        {"Vertragsnr": WHOLE, "Kundennummer": WHOLE, "Beginn": DAY, "Ende": DAY, "Monatsbeitrag": NUMBER,
         "Tarif": TEXT},
        {"customer_id": "Kundennummer", "started_at": "Beginn", "price": "Monatsbeitrag", "ended_at": "Ende",
         "plan": "Tarif"},
    ),
    "clicks": (
        "events",
        {"event_id": TEXT, "user_id": TEXT, "event_type": TEXT, "event_time": DAY, "device": TEXT,
         "page": TEXT},
        {"customer_id": "user_id", "timestamp": "event_time", "event": "event_type", "channel": "device"},
    ),
    "NPS": (
        "feedback",
        {"response_id": TEXT, "customer_id": TEXT, "submitted_at": DAY, "survey_type": TEXT,
         "nps_score": WHOLE, "comment": TEXT},
        {"customer_id": "customer_id", "timestamp": "submitted_at", "survey": "survey_type",
         "score": "nps_score",
         "text": "comment"},
    ),
    "points": (
        "rewards",
        {"member_id": TEXT, "transaction_date": DAY, "points_balance": WHOLE, "points": WHOLE,
         "expiry_date": DAY},
        {"customer_id": "member_id", "timestamp": "transaction_date", "points": "points",
         "expires_at": "expiry_date"},
    ),
    "mailing": (
        "contacts",
        {"contact_id": TEXT, "customer_id": TEXT, "campaign": TEXT, "opened_at": DAY, "sent_at": DAY,
         "clicked_at": DAY},
        {"customer_id": "customer_id", "timestamp": "sent_at", "campaign": "campaign",
         "responded_at": "clicked_at"},
    ),
    "CRM": (
        "customers",
        {"Id": TEXT, "Name": TEXT, "Birth date": DAY, "Registration date": DAY, "Segment": TEXT},
        {"customer_id": "Id", "acquired_at": "Registration date", "segment": "Segment"},
    ),
}  # fmt: skip


def guessed(kind: str, table: dict[str, Any], **given: str) -> dict[str, str]:
    return guess_kind(
        kind, {n: t for n, (t, _) in table.items()}, {n: v for n, (_, v) in table.items()}, given
    )


@pytest.mark.parametrize("name", CASES)
def test_exports_as_they_come(name: str) -> None:
    kind, table, expected = CASES[name]
    assert guessed(kind, table) == expected


@pytest.mark.parametrize("kind", SCHEMAS)
def test_canonical_names_mean_themselves(kind: str) -> None:
    values = {
        "instant": DAY,
        "day": DAY,
        "money": NUMBER,
        "number": NUMBER,
        "flag": FLAG,
        "id": TEXT,
        "text": TEXT,
    }
    table = {column.name: values[column.kind] for column in reversed(SCHEMAS[kind].columns)}
    assert guessed(kind, table) == {name: name for name in table}


def test_what_is_given_wins_and_is_not_taken_twice() -> None:
    _, table, expected = CASES["Zendesk"]
    found = guessed("tickets", table, customer_id="requester_id", topic="priority")
    given = {**expected, "customer_id": "requester_id", "topic": "priority"}
    assert found == {name: column for name, column in given.items() if name != "severity"}


@pytest.mark.parametrize(
    ("kind", "columns", "told"),
    [
        ("tickets", {"day": DAY}, "no column looks like customer_id of tickets. The columns there are: day"),
        (
            "tickets",
            {"user_id": TEXT, "closed_at": DAY},
            "opened_at of tickets.*--set tickets.opened_at=COLUMN",
        ),
        ("feedback", {"user_id": TEXT, "day": DAY, "rating": WHOLE}, "a column that says which survey"),
        ("rewards", {"user_id": TEXT, "day": DAY, "points_balance": WHOLE}, "no column looks like points"),
        ("contacts", {"user_id": TEXT, "sent": DAY, "email": TEXT}, "no column looks like campaign"),
    ],
)
def test_where_no_column_fits_it_is_told_how_to_say_it(kind: str, columns: dict[str, Any], told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        guessed(kind, columns)


def test_decimal_comma_of_attributes_and_points() -> None:
    types, values = {"id": "VARCHAR", "income": "VARCHAR"}, {"id": ["a", "b"], "income": ["1.000,50", "2,75"]}
    assert guess_decimal_of("customers", {"customer_id": "id"}, types, values) == ","
    assert guess_decimal_of("tickets", {"customer_id": "id", "topic": "income"}, types, values) is None


# --- folders


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("customers.csv", "customers"), ("Kunden.csv", "customers"), ("customer_orders.csv", "transactions"),
        ("Bestellungen_2024.csv", "transactions"), ("OrderLines.parquet", "transactions"),
        ("subscriptions.csv.gz", "contracts"), ("Verträge.csv", "contracts"), ("feature_usage.tsv", "events"),
        ("page_views.parquet", "events"), ("nps_2024.csv", "feedback"), ("product_reviews.csv", "feedback"),
        ("support_tickets.csv", "tickets"), ("loyalty_points.csv", "rewards"), ("email_campaigns.csv",
        "contacts"),
        ("products.csv", None), ("part-0.parquet", None),
    ],
)  # fmt: skip
def test_names_of_files_say_their_kind(name: str, kind: str | None) -> None:
    assert kind_of_name(name) == kind


def test_only_a_folder_of_several_tables_is_taken_apart(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": [1, 2], "date": ["2024-01-01", "2024-02-01"], "amount": [1.0, 2.0]})
    parts, hive, tables = tmp_path / "orders", tmp_path / "hive", tmp_path / "tables"
    for folder in (parts, hive / "year=2024", hive / "year=2023", tables / "orders"):
        folder.mkdir(parents=True)
        frame.to_parquet(folder / "part-0.parquet")
    assert not holds_tables(parts)
    assert not holds_tables(hive)
    assert not holds_tables(tmp_path / "nothing")
    (tables / "customers.csv").write_text("id\n1\n")
    assert holds_tables(tables)
    assert take_apart(tables, {}).sources == {
        "transactions": str(tables / "orders"), "customers": str(tables / "customers.csv"),
    }  # fmt: skip


def test_columns_that_speak_of_consent_are_pointed_out_and_not_taken():
    names = ["Werbeeinwilligung", "email_opt_in_2024", "Marketing Permission", "optedOut", "Tarif", "options"]
    values = {"customer_id": [1, 2], **{name: ["ja", "nein"] for name in names}}
    types = dict.fromkeys(values, "VARCHAR")
    assert guess_kind("customers", types, values, {}).keys() == {"customer_id", "contactable"}
    hints = consent_hints(name for name in names if name != "Marketing Permission")
    both, out = "contactable or consent in [records.customers]", "opt_out in [decide]"
    assert hints == {"Werbeeinwilligung": both, "email_opt_in_2024": both, "optedOut": out}
