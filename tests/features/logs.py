"""Logs of all kinds of record, made by Hypothesis: small, awkward, and canonical."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import strategies as st

START = dt.datetime(2023, 11, 1)
CUTOFF, HORIZON = dt.date(2024, 9, 30), 45
N_DAYS = 500  # some days lie after the cutoff

instants = st.integers(0, N_DAYS * 24 * 12).map(lambda steps: START + dt.timedelta(minutes=5 * steps))
customers = st.integers(1, 4)


def money(lowest: int, highest: int) -> st.SearchStrategy[Decimal]:
    """Return amounts in cents."""
    return st.integers(lowest, highest).map(lambda cents: Decimal(cents) / 100)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a value, or none."""
    return st.none() | values


def _later(least_minutes: int = 0) -> st.SearchStrategy[dt.timedelta]:
    return st.integers(least_minutes, 200 * 24 * 60).map(lambda minutes: dt.timedelta(minutes=minutes))


_AMOUNTS = st.one_of(st.just(Decimal(0)), money(1, 500000), money(-5000, -1))
_COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "transactions": {
        "timestamp": instants,
        "amount": _AMOUNTS,
        "order_id": maybe(st.sampled_from(["a", "b", "c"])),
        "product_id": maybe(st.sampled_from(["p1", "p2", "p3"])),
        "category": maybe(st.sampled_from(["tea", "cups"])),
        "quantity": maybe(st.sampled_from([1.0, 2.0, 0.5, 10.0])),
        "list_price": maybe(money(100, 5000)),
        "discount": maybe(money(0, 500)),
        "margin": maybe(money(-500, 5000)),
        "channel": maybe(st.sampled_from(["web", "shop"])),
        "return_reason": maybe(st.sampled_from(["too small", "damaged"])),
    },
    "contracts": {
        "started_at": instants,
        "ended_at": maybe(_later()),
        "price": money(100, 10000),
        "plan": maybe(st.sampled_from(["basic", "pro"])),
        "billing_period_days": maybe(st.sampled_from([30.0, 365.0])),
        "auto_renew": maybe(st.booleans()),
        "termination_fee": maybe(money(0, 10000)),
        "ended_reason": maybe(st.sampled_from(["voluntary", "involuntary"])),
    },
    "events": {
        "timestamp": instants,
        "event": st.sampled_from(
            ["visit", "call", "share", "referral", "community_post", "email_open", "email_click", "app_open"]
        ),
        "value": maybe(st.sampled_from([1.0, 2.5])),
        "channel": maybe(st.sampled_from(["web", "shop"])),
    },
    "feedback": {
        "timestamp": instants,
        "survey": st.sampled_from(["nps", "csat", "review"]),
        "score": st.integers(-1, 11).map(float),
        "scale_min": maybe(st.just(0.0)),
        "scale_max": maybe(st.just(10.0)),
        "text": maybe(st.sampled_from(["good", "bad"])),
        "product_id": maybe(st.sampled_from(["p1", "p2"])),
        "sentiment": maybe(st.integers(-4, 4).map(lambda quarters: quarters / 4)),
    },
    "tickets": {
        "opened_at": instants,
        "closed_at": maybe(_later()),
        "first_response_at": maybe(_later()),
        "topic": maybe(st.sampled_from(["billing", "delivery"])),
        "severity": maybe(st.sampled_from(["low", "high", "critical"])),
        "escalated": maybe(st.booleans()),
        "reopened": maybe(st.booleans()),
    },
    "rewards": {
        "timestamp": instants,
        "points": st.integers(-50, 100).map(float),
        "tier": maybe(st.sampled_from(["silver", "gold"])),
        "expires_at": maybe(_later()),
    },
    "contacts": {
        "timestamp": instants,
        "campaign": st.sampled_from(["spring", "autumn"]),
        "channel": maybe(st.sampled_from(["email", "phone"])),
        "offer": maybe(st.sampled_from(["10 off", "gift"])),
        "cost": maybe(money(0, 500)),
        "arm": maybe(st.sampled_from(["treated", "control"])),
        "propensity": maybe(st.just(0.5)),
        "randomised": maybe(st.booleans()),
        "responded_at": maybe(_later()),
    },
}
_SPANS = {
    "contracts": ("started_at", ["ended_at"]),
    "tickets": ("opened_at", ["closed_at", "first_response_at"]),
    "rewards": ("timestamp", ["expires_at"]),
    "contacts": ("timestamp", ["responded_at"]),
}
_TYPES = {
    dt.datetime: "datetime64[us]",
}


def _frame(kind: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a frame whose columns have their type also where all values are missing."""
    frame = pd.DataFrame(rows, columns=["customer_id", *_COLUMNS[kind]])
    for column in frame.columns:
        if column.endswith("_at") or column == "timestamp":
            frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
        elif column in {
            "quantity",
            "value",
            "billing_period_days",
            "scale_min",
            "scale_max",
            "propensity",
        } | {"sentiment"}:
            frame[column] = frame[column].astype("float64")
        elif column in {"auto_renew", "escalated", "reopened", "randomised"}:
            frame[column] = frame[column].astype("boolean")
        elif column not in {"customer_id", "score", "points"}:
            frame[column] = frame[column].astype("object")
    return frame


@st.composite
def records(draw: st.DrawFn, kind: str, least: int = 0, most: int = 12) -> pd.DataFrame:
    """Return the records of one kind."""
    row = st.fixed_dictionaries({"customer_id": customers, **_COLUMNS[kind]})
    rows = draw(st.lists(row, min_size=least, max_size=most))
    start, ends = _SPANS.get(kind, ("", []))
    for one in rows:
        for end in ends:
            if one[end] is not None:
                one[end] = one[start] + one[end]
    return _frame(kind, rows)


@st.composite
def attributes(draw: st.DrawFn) -> pd.DataFrame:
    """Return what is known of customers themselves; not of all."""
    there = draw(st.lists(customers, unique=True, max_size=4))
    acquired = [draw(maybe(instants)) for _ in there]
    frame = pd.DataFrame({"customer_id": pd.Series(there, dtype="int64"), "acquired_at": acquired})
    return frame.assign(acquired_at=pd.to_datetime(frame["acquired_at"]).astype("datetime64[us]"))


@st.composite
def logs(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    """Return frames of all kinds; empty ones are left out, and somebody has bought something."""
    frames = {kind: draw(records(kind)) for kind in _COLUMNS if kind != "transactions"}
    bought = draw(records("transactions", 1, 30))
    first = {"customer_id": 1, "timestamp": START, "amount": Decimal(5)}
    frames["transactions"] = pd.concat(
        [_frame("transactions", [{**dict.fromkeys(_COLUMNS["transactions"]), **first}]), bought],
        ignore_index=True,
    )
    frames["customers"] = draw(attributes())
    # The door sets aside what came twice; here nothing does, so that the oracle need not know its rules.
    return {kind: frame.drop_duplicates(ignore_index=True) for kind, frame in frames.items() if len(frame)}
