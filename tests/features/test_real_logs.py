"""Features of real customers equal the oracle that knows no SQL."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from oracle import expected

import habitue as hb
from habitue.features import FEATURES, ON_REQUEST, build, features_for


def agree(frames, cutoff, horizon, n_customers):
    """Build all features, and compare those of some customers; return how many there are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # rows set aside are not the matter here
        log = hb.CustomerLog(**frames)
    history = log.until(cutoff)
    on_request = [one for one in FEATURES if one.name in ON_REQUEST and one.kind in frames]
    found = build(history, [*features_for(history), *on_request], horizon=horizon)
    chosen = found.iloc[:: max(len(found) // n_customers, 1)].index
    some = {kind: frame[frame["customer_id"].isin(chosen)] for kind, frame in frames.items()}
    told = expected(some, cutoff, horizon)
    assert list(told.index) == sorted(chosen)
    assert set(found.columns) <= set(told.columns)
    for name in found.columns:
        np.testing.assert_allclose(
            found.loc[told.index, name], told[name], rtol=1e-9, atol=1e-9, err_msg=name
        )
    return len(told)


def admitted(log):
    """Return transactions as the door admitted them, amounts exact."""
    frame = log.engine.frame("SELECT * EXCLUDE (day, return_of_day) FROM transactions")
    exact = frame["amount"].map(lambda amount: Decimal(f"{amount:.6f}").normalize())
    return frame.assign(amount=exact)


def test_music_lovers():
    frames = {"transactions": admitted(hb.datasets.cdnow(sample=True))}
    assert agree(frames, dt.date(1998, 1, 31), 91, 250) >= 250


def test_shoppers_with_returns_and_products(shared_data):
    source = shared_data / "data" / "online_retail" / "online_retail.parquet"
    lines = pd.read_parquet(source).dropna(subset="CustomerID")
    lines = lines[lines["CustomerID"].astype(int) % 30 == 7]
    amount = [
        Decimal(str(price)) * int(number)
        for price, number in zip(lines["UnitPrice"], lines["Quantity"], strict=True)
    ]
    transactions = pd.DataFrame(
        {
            "customer_id": lines["CustomerID"].astype(int).to_numpy(),
            "timestamp": pd.to_datetime(lines["InvoiceDate"]).to_numpy(),
            "amount": amount,
            "order_id": lines["InvoiceNo"].astype(str).to_numpy(),
            "product_id": lines["StockCode"].astype(str).to_numpy(),
            "quantity": lines["Quantity"].astype(float).to_numpy(),
        }
    ).drop_duplicates()
    assert agree({"transactions": transactions}, dt.date(2011, 9, 30), 60, 60) >= 60


def test_subscribers_with_tickets(shared_data):
    folder = shared_data / "data" / "ravenstack_saas"
    told = {name: pd.read_csv(folder / f"{name}.csv.gz") for name in ("subscriptions", "support_tickets")}
    terms, tickets = told["subscriptions"], told["support_tickets"]
    frames = {
        "contracts": pd.DataFrame(
            {
                "customer_id": terms["account_id"],
                "started_at": pd.to_datetime(terms["start_date"]),
                "ended_at": pd.to_datetime(terms["end_date"]),
                "price": terms["mrr_amount"].map(Decimal),
                "plan": terms["plan_tier"],
                "auto_renew": terms["auto_renew_flag"].astype("boolean"),
                "billing_period_days": terms["billing_frequency"].map({"monthly": 30.0, "annual": 365.0}),
            }
        ),
        "tickets": pd.DataFrame(
            {
                "customer_id": tickets["account_id"],
                "opened_at": pd.to_datetime(tickets["submitted_at"]),
                "closed_at": pd.to_datetime(tickets["closed_at"]),
                "severity": tickets["priority"],
                "escalated": tickets["escalation_flag"].astype("boolean"),
            }
        ),
    }
    assert agree(frames, dt.date(2024, 6, 30), 90, 100) >= 100


@pytest.mark.parametrize("kind", ["transactions", "contracts"])
def test_a_business_of_all_kinds_of_record(kind):
    frames = {
        # Features count whole seconds between instants.
        name: frame.assign(
            **{when: frame[when].dt.floor("s") for when in frame if frame[when].dtype.kind == "M"}
        )
        for name, frame in hb.simulate_business(n_customers=80, random_state=5).frames.items()
    }
    if kind == "contracts":
        del frames["transactions"]
    assert agree(frames, dt.date(2024, 6, 30), 45, 40) >= 20
