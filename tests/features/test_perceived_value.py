"""Perceived value: a few purchases worked out by hand, and what is missing where nothing is known."""

from __future__ import annotations

import math
from decimal import Decimal

import pandas as pd
import pytest

from habitue.features import build
from habitue.features.perceived_value import FEATURES, n_return_reasons, return_reason_features
from habitue.records import CustomerLog
from habitue.snapshots.population import Population

CUTOFF = "2024-06-30"
COLUMNS = [
    "customer_id", "timestamp", "amount", "product_id", "category", "quantity", "list_price", "discount",
    "margin", "return_reason",
]  # fmt: skip
PRICES = Population.from_json('{"product_prices": {"tea": "10", "cup": "4"}}')


def built(*rows):
    frame = pd.DataFrame([(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows], columns=COLUMNS)
    history = CustomerLog(transactions=frame, observed_until="2024-12-31").until(CUTOFF)
    with PRICES.readable_in(history.engine):
        return build(history, FEATURES, horizon=30)


@pytest.fixture(scope="module")
def shop():
    """Return ann, who buys four lines on three days and sends one back, and bea, of whom little is known."""
    return built(
        ("ann", "2024-01-01", "20", "tea", "food", 2, "10", None, "8"),
        ("ann", "2024-01-01", "3", "cup", "home", 1, "4", "1", "1"),
        ("ann", "2024-04-02", "18", "tea", "food", 2, "10", "2", "6"),
        ("ann", "2024-06-30", "10", "pot", "home", 1, None, "0", None),
        ("ann", "2024-06-20", "-3", "cup", "home", -1, "4", "-1", "-1", "damaged"),
        ("bea", "2024-06-01", "0", None, None, None, None, None, None),
        ("bea", "2024-07-01", "-5", None, None, None, None, None, None),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discount_share", 3 / 54),
        ("full_price_share", 2 / 4),
        ("list_price_ratio", 41 / 44),
        ("margin_total", 14.0),
        ("margin_share", 15 / 41),
        ("returns_share", 3 / 51),
        ("n_returns", 1.0),
        ("days_since_return", 10.0),
        ("n_return_reasons", 1.0),
        ("lines_per_visit", 4 / 3),
        ("products_per_visit", 4 / 3),
        ("categories_per_visit", 4 / 3),
        ("category_entropy", math.log(2)),
        ("usual_price_ratio", 41 / 44),
        # 2 April is the 90th day counted back from the cutoff, and so among the last 90.
        ("usual_price_trend", (18 / 20) / (23 / 24)),
    ],
)
def test_a_customer_worked_out_by_hand(shop, name, value):
    assert shop.loc["ann", name] == pytest.approx(value, rel=1e-12)


def test_of_whom_nothing_is_known_most_is_missing(shop):
    known = shop.loc["bea"].dropna()
    assert dict(known) == {"full_price_share": 1.0, "n_returns": 0.0, "n_return_reasons": 0.0}


def test_a_single_category_has_no_entropy_and_many_visits_change_nothing():
    rows = [("ann", f"2024-05-{day:02d}", "5", "tea", "food", 1, "10", "0", "1") for day in range(1, 29)]
    found = built(*rows).loc["ann"]
    assert found["category_entropy"] == 0.0
    assert found["categories_per_visit"] == 1.0


def test_lines_of_one_day_are_one_visit_and_days_weigh_in_the_entropy():
    rows = [("ann", "2024-05-01", "5", "tea", "food", 1, "10", "0", "1")] * 3
    rows += [("ann", f"2024-05-0{day}", "5", "cup", "home", 1, "10", "0", "1") for day in (1, 2, 3)]
    found = built(*rows).loc["ann"]
    assert found["lines_per_visit"] == 2.0
    assert found["products_per_visit"] == pytest.approx(4 / 3)
    assert found["category_entropy"] == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))


def test_products_without_a_usual_price_do_not_count():
    found = built(
        ("ann", "2024-05-01", "5", "pot", "home", 1, None, None, None),
        ("ann", "2024-05-02", "5", "tea", "home", 0, None, None, None),
        ("bea", "2024-05-02", "5", "tea", "home", Decimal("0.5"), None, None, None),
        ("bea", "2024-05-03", "-50", "tea", "home", -1, None, None, None),
    )
    assert math.isnan(found.loc["ann", "usual_price_ratio"])
    assert found.loc["bea", "usual_price_ratio"] == 1.0
    assert math.isnan(found.loc["bea", "usual_price_trend"])


REASONS = ["too small", "too-small", "it's \\ odd", "$cutoff"]


def reasons_of(*given):
    """Return the shares of reasons for a customer who buys, and returns once for each reason given."""
    rows = [("ann", "2024-01-01", 100, "no return, so no reason of one")]
    rows += [("ann", "2024-02-01", -place, reason) for place, reason in enumerate(given, 1)]
    rows += [("bea", "2024-01-01", 5, None), ("bea", "2024-07-01", -5, "too small")]
    frame = pd.DataFrame(rows, columns=["customer_id", "timestamp", "amount", "return_reason"])
    history = CustomerLog(transactions=frame, observed_until="2024-12-31").until(CUTOFF)
    return build(history, [*return_reason_features(history, REASONS), n_return_reasons], horizon=30)


def test_each_reason_of_a_return_has_its_share_of_those_told():
    found = reasons_of("too small", None, "too-small", "too small", "it's \\ odd", "$cutoff", "heard of once")
    names = ["too_small", "too_small_", "it_s_odd", "cutoff"]
    assert list(found)[:-1] == [f"return_reason_is_{name}" for name in names]
    assert list(found.loc["ann"]) == [2 / 6, 1 / 6, 1 / 6, 1 / 6, 5]


def test_without_a_reason_shares_are_missing():
    found = reasons_of(None)
    assert found.iloc[:, :-1].isna().all(axis=None)
    assert list(found["n_return_reasons"]) == [0, 0]


def test_records_without_reasons_have_no_feature_of_them():
    frame = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-05-01"], "amount": [5]})
    assert return_reason_features(CustomerLog(transactions=frame).until("2024-05-01"), REASONS) == ()
    contracts = pd.DataFrame({"customer_id": [1], "started_at": ["2024-01-01"], "price": [5]})
    assert return_reason_features(CustomerLog(contracts=contracts).until("2024-01-01"), REASONS) == ()


def test_a_log_that_names_neither_products_nor_prices_builds_what_it_can():
    frame = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-05-01"], "amount": [5]})
    there = set(CustomerLog(transactions=frame).engine.columns("transactions"))
    assert [one.name for one in FEATURES if set(one.needs) <= there] == [
        "returns_share", "n_returns", "days_since_return",
    ]  # fmt: skip
