"""What is learned from a population: exact, blind to the future, and carried along as text."""

from __future__ import annotations

import statistics
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from habitue.errors import DataError
from habitue.features import build
from habitue.features.context import attribute_features
from habitue.features.perceived_value import return_reason_features, usual_price_ratio
from habitue.records import CustomerLog, DuckDBEngine
from habitue.records.business import simulate_business
from habitue.snapshots.population import LEAST_CUSTOMERS, MOST_LEVELS, Population, learn_population

CUTOFF = "2024-06-30"
LINES = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["tea", "cup", None]),
        st.integers(-500, 5000).map(lambda cents: Decimal(cents) / 100),
        st.sampled_from([1.0, 2.0, 4.0, 0.5, 0.0, -1.0, None]),
    ),
    max_size=30,
)


def log_of(lines, customers=None, day="2024-01-01"):
    buys = pd.DataFrame(lines, columns=["customer_id", "product_id", "amount", "quantity"])
    buys["quantity"] = buys["quantity"].astype("float64")
    return CustomerLog(
        transactions=buys.assign(timestamp=day),
        customers=customers,
        observed_until="2024-12-31",
        engine=DuckDBEngine(threads=1),
    )


def learned_prices(population):
    return {row["product_id"]: row["usual_price"] for row in population.product_prices.to_pylist()}


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(LINES)
def test_the_usual_price_is_the_lower_median_of_what_two_customers_or_more_paid(lines):
    lines = [*lines, (1, "pot", Decimal(1), 1.0)]  # by one customer only
    expected = {}
    for product in ("tea", "cup"):
        sold = [
            (who, amount / Decimal(quantity))
            for who, bought, amount, quantity in lines
            if bought == product and amount > 0 and (quantity or 0) > 0
        ]
        if len({who for who, _ in sold}) > 1:
            expected[product] = statistics.median_low(price for _, price in sold)
    found = learned_prices(learn_population(log_of(lines).until(CUTOFF)))
    assert found.keys() == expected.keys()
    assert all(abs(found[product] - price) <= Decimal("0.0000005") for product, price in expected.items())


def test_the_future_and_the_order_of_rows_change_nothing():
    lines = [(1, "tea", 5, 1), (2, "tea", 7, 1), (3, "tea", 9, 1), (1, "cup", 2, 1)]
    customers = pd.DataFrame({"customer_id": range(1, 60), "segment": "gold"})
    lines += [(who, None, 1, 1) for who in range(4, 40)]
    before = learn_population(log_of(lines, customers).until(CUTOFF))
    buys = pd.DataFrame(lines, columns=["customer_id", "product_id", "amount", "quantity"])
    later = buys.assign(timestamp="2024-07-01", amount=1000, customer_id=buys["customer_id"] + 100)
    both = pd.concat([later, buys.assign(timestamp="2024-01-01")], ignore_index=True)
    newcomers = pd.DataFrame({"customer_id": range(101, 160), "segment": "new"})
    log = CustomerLog(
        transactions=both,
        customers=pd.concat([newcomers, customers[::-1]], ignore_index=True),
        observed_until="2024-12-31",
    )
    assert learn_population(log.until(CUTOFF)) == before
    assert before.levels == {"segment": ("gold",)}
    assert learned_prices(before) == {"tea": Decimal(7)}


def test_scoring_looks_up_and_learns_nothing():
    """One customer alone, at whatever price, is compared with the prices learned before."""
    population = learn_population(log_of([(1, "tea", 10, 1), (2, "tea", 10, 1)]).until(CUTOFF))
    log = log_of([(3, "tea", 30, 2)])
    with population.readable_in(log.engine):
        found = build(log.until(CUTOFF), [usual_price_ratio], horizon=30)
    assert found.loc[3, "usual_price_ratio"] == 1.5
    assert "product_prices" not in [row[0] for row in log.engine.rows("SELECT view_name FROM duckdb_views()")]


def test_tables_are_let_go_also_after_an_error():
    population, engine = Population.from_json('{"product_prices": {"tea": "1"}}'), DuckDBEngine()
    with pytest.raises(RuntimeError), population.readable_in(engine):
        raise RuntimeError
    with population.readable_in(engine):
        assert engine.rows("SELECT COUNT(*) FROM product_prices") == [(1,)]


def customers_with(column, values):
    lines = [(who, "tea", 5, 1) for who in range(len(values))]
    return log_of(lines, pd.DataFrame({"customer_id": range(len(values)), column: values})).until(CUTOFF)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["a"] * LEAST_CUSTOMERS + ["b"] * (LEAST_CUSTOMERS - 1), ("a",)),
        ([f"name {place}" for place in range(50)], None),
        ([None] * 30, None),
        (["b", "a", None] * LEAST_CUSTOMERS, ("a", "b")),
        (["often"] * 2000 + ["seldom"] * 15, ("often",)),
    ],
)
def test_levels_that_few_have_are_not_learned(values, levels):
    found = learn_population(customers_with("plan (new)", pd.array(values, dtype="str"))).levels
    assert dict(found) == ({"plan (new)": levels} if levels else {})


def test_the_commonest_levels_are_learned_where_there_are_many():
    counts = {f"level {place:02d}": 12 + place for place in range(MOST_LEVELS + 5)}
    values = [level for level, count in counts.items() for _ in range(count)]
    (found,) = learn_population(customers_with("city", values)).levels.values()
    assert found == tuple(sorted(counts)[5:])


def returned_for(reasons):
    """Return what was known of customers with one return each, for a reason; and of one without."""
    rows = [(who, amount, reason) for who, reason in enumerate(reasons) for amount in (5, -5, -5)]
    frame = pd.DataFrame([*rows, (-1, 5, None)], columns=["customer_id", "amount", "return_reason"])
    return CustomerLog(transactions=frame.assign(timestamp="2024-01-01"), engine=DuckDBEngine(threads=1))


@pytest.mark.parametrize(
    ("reasons", "learned"),
    [
        (["damaged"] * LEAST_CUSTOMERS + ["lost"] * (LEAST_CUSTOMERS - 1), ("damaged",)),
        ([f"reason {place}" for place in range(50)], ()),
        ([None] * 30, ()),
        (["too small", "damaged", None] * LEAST_CUSTOMERS, ("damaged", "too small")),
        (["often"] * 2000 + ["seldom"] * 15, ("often",)),
        ([f"reason {place % 25:02d}" for place in range(260)], tuple(f"reason {n:02d}" for n in range(20))),
    ],
)
def test_reasons_that_few_customers_gave_are_not_learned(reasons, learned):
    history = returned_for(reasons).until("2024-01-01")
    population = learn_population(history)
    assert population.return_reasons == learned
    made = [one.name for one in population.features(history) if "return_reason_is" in one.name]
    assert len(made) == len(learned)


def test_what_is_bought_has_no_reason_to_learn_nor_have_later_returns():
    log = returned_for(["damaged"] * LEAST_CUSTOMERS)
    frame = log.engine.frame("SELECT customer_id, abs(amount) AS amount, return_reason FROM transactions")
    bought = CustomerLog(transactions=frame.assign(timestamp="2024-01-01"))
    assert learn_population(bought.until("2024-01-01")).return_reasons == ()
    frame = log.engine.frame("SELECT customer_id, amount, return_reason FROM transactions")
    when = frame["amount"].lt(0).map({True: "2024-02-01", False: "2024-01-01"})
    later = CustomerLog(transactions=frame.assign(timestamp=when))
    assert learn_population(later.until("2024-01-31")).return_reasons == ()
    assert learn_population(later.until("2024-02-01")).return_reasons == ("damaged",)


def test_a_population_survives_as_text():
    prices = (
        '{"product_prices": {"größe \\"x\\"": "0.100001", "tea": "12.5"}, "levels": {"a b": ["x", "y\'"]}, '
        '"return_reasons": ["it\'s broken", "zu groß"]}'
    )
    population = Population.from_json(prices)
    assert Population.from_json(population.to_json()) == population
    assert population.return_reasons == ("it's broken", "zu groß")
    assert Population.from_json('{"product_prices": {}, "levels": {}}').return_reasons == ()
    assert learned_prices(population)['größe "x"'] == Decimal("0.100001")
    assert Population.from_json("{}").tables == {}


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "null", '{"levels": {"a": "gold"}}', '{"return_reasons": "lost"}', '{"levels": ["a"]}',
     '{"product_prices": {"tea": "dear"}}', '{"product_prices": {"tea": "1e30"}}',
     '{"product_prices": {"tea": null}}'],
)  # fmt: skip
def test_what_is_no_population_is_refused_with_the_way_out(text):
    with pytest.raises(DataError, match=r"no population as Population\.to_json writes it .*learn it again"):
        Population.from_json(text)


def test_a_log_without_products_or_attributes_teaches_nothing():
    frame = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2024-01-01"] * 2, "amount": [5, 5]})
    population = learn_population(CustomerLog(transactions=frame).until("2024-01-01"))
    assert (population.tables, dict(population.levels)) == ({}, {})
    contracts = pd.DataFrame({"customer_id": [1], "started_at": ["2024-01-01"], "price": [5]})
    assert learn_population(CustomerLog(contracts=contracts).until("2024-01-01")).tables == {}


def test_a_whole_business():
    log = simulate_business(n_customers=400, random_state=3).log
    history = log.until(log.observed_until)
    population = learn_population(history)
    assert population.levels["segment"] == ("basic", "plus", "premium")
    assert set(population.levels) == {"segment", "region", "acquisition_channel"}
    assert len(population.product_prices) == 120
    assert population.return_reasons == (
        "changed my mind", "damaged", "not as described", "too large", "too small",
    )  # fmt: skip
    features = [usual_price_ratio, *attribute_features(history, population.levels)]
    features += return_reason_features(history, population.return_reasons)
    assert set(features) <= set(population.features(history))
    with population.readable_in(log.engine):
        found = build(history, features, horizon=30)
    assert 0.9 < found["usual_price_ratio"].median() <= 1.0
    assert (found.filter(like="segment_is").sum(axis=1) == 1).all()
    assert found["age"].between(18, 90).all()
    told = found.filter(like="return_reason_is").dropna()
    assert len(told) > 50
    assert told.sum(axis=1).between(1 - 1e-9, 1 + 1e-9).all()
