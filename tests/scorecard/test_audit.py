"""The customer-base audit: everything sums to the records, and a plain count of them says the same."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.numerics.ratios import clustered_ratio
from habitue.records import CustomerLog
from habitue.records.business import simulate_business
from habitue.scorecard.audit import (
    base_changes,
    decile_table,
    growth_drivers,
    order_distribution,
    profit_bridge,
    value_quantiles,
)
from habitue.scorecard.audit_cohorts import cohorts_compared, one_cohort, whole_base
from habitue.scorecard.audit_records import cohort_periods, customer_values, two_periods
from habitue.scorecard.decile_transitions import decile_transitions, value_deciles
from habitue.scorecard.retention_triangles import retention_triangle

END = date(2024, 6, 30)
FIRST, SECOND = (date(2023, 12, 31), date(2024, 3, 31)), (date(2024, 3, 31), END)


def orders(seed: int, *, n: int = 120, with_margin: bool = True) -> pd.DataFrame:
    """Draw order lines over nine months, some of them returns and some free."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2023-10-01") + pd.to_timedelta(rng.integers(0, 274, n), unit="D")
    amount = np.round(rng.gamma(1.0, 30.0, n) * rng.choice([1.0, 1.0, 1.0, 1.0, -1.0, 0.0], n), 2)
    frame = pd.DataFrame({"customer_id": rng.integers(1, 25, n), "timestamp": days, "amount": amount})
    return frame.assign(margin=np.round(amount * rng.uniform(-0.1, 0.6, n), 2)) if with_margin else frame


def log_of(frame: pd.DataFrame) -> CustomerLog:
    return CustomerLog(transactions=frame, observed_until=END)


def within(frame: pd.DataFrame, span: tuple[date, date]) -> pd.DataFrame:
    return frame[(frame.timestamp > pd.Timestamp(span[0])) & (frame.timestamp <= pd.Timestamp(span[1]))]


# --- one period and two


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.booleans())
def test_both_periods_sum_to_the_records(seed: int, with_margin: bool) -> None:
    frame = orders(seed, with_margin=with_margin)
    both = two_periods(log_of(frame).until(END), first=FIRST, second=SECOND)
    money = "margin" if with_margin else "spend"
    totals = [within(frame, span)["margin" if with_margin else "amount"].sum() for span in (FIRST, SECOND)]
    for place, span in ((1, FIRST), (2, SECOND)):
        rows = within(frame, span)
        bought = rows[rows.amount >= 0].groupby("customer_id").timestamp.nunique()
        assert both[f"n_orders_{place}"].sum() == bought.sum()
        assert both[f"spend_{place}"].sum() == pytest.approx(rows.amount.sum())
    changes, bridge, drivers = base_changes(both), profit_bridge(both), growth_drivers(both)
    assert changes.n_customers.sum() == len(both)
    assert changes[f"{money}_1"].sum() == pytest.approx(totals[0])
    assert bridge.amount.iloc[[0, -1]].tolist() == pytest.approx(totals)
    assert bridge.amount.iloc[:-1].sum() == pytest.approx(totals[1])
    assert drivers.amount.sum() == pytest.approx(totals[1] - totals[0])
    assert set(bridge.money) == set(drivers.money) == {money}
    product = drivers.loc[drivers.factor != "returns only"]
    rest = drivers.set_index("factor").loc["returns only"]
    assert np.prod(product.second) + rest.second == pytest.approx(totals[1])
    state = changes.set_index("state").n_customers
    assert state["stayed"] + state["left"] == bridge.n_customers.iloc[0] == (both.n_orders_1 > 0).sum()


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_deciles_and_orders_sum_to_the_period(seed: int) -> None:
    values = customer_values(log_of(orders(seed)).until(END), start=FIRST[0])
    deciles, counts = decile_table(values), order_distribution(values, most=4)
    for name in ("n_orders", "spend", "margin"):
        assert deciles[name].sum() == pytest.approx(values[name].sum())
    for name in ("share_customers", "share_orders", "share_spend"):
        assert deciles[name].sum() == pytest.approx(1.0)
    assert counts.n_customers.sum() == deciles.n_customers.sum() == len(values)
    assert counts.spend.sum() == pytest.approx(values.spend.sum())
    tenths = deciles.loc[deciles.decile != "returns only"]
    assert tenths.n_customers.max() - tenths.n_customers.min() <= 1
    assert tenths.spend_per_customer.is_monotonic_decreasing
    spread = value_quantiles(values).set_index("share")
    assert spread.loc[[0.0, 0.5, 1.0], "spend"].tolist() == pytest.approx(
        [values.spend.min(), values.spend.median(), values.spend.max()]
    )


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_transitions_count_everybody_once(seed: int) -> None:
    both = two_periods(log_of(orders(seed, n=300)).until(END), first=FIRST, second=SECOND)
    moves = decile_transitions(both)
    there = (both.n_orders_1 > 0) | (both.n_orders_2 > 0)
    assert len(moves) == 12 * 11
    assert moves.n.sum() == there.sum()
    shares = moves.groupby("origin").share.sum(min_count=1).dropna()
    assert shares.to_numpy() == pytest.approx(1.0)
    told = moves.dropna(subset="share")
    assert (told.lower <= told.share + 1e-12).all()
    assert (told.share <= told.upper + 1e-12).all()
    changes = base_changes(both).set_index("state").n_customers
    by_origin = moves.groupby("origin").n.sum()
    assert by_origin["new"] == changes["came"]
    assert by_origin["came back"] == changes["came back"]
    assert moves.loc[moves.destination == "gone", "n"].sum() == changes["left"]
    # Whoever spends the same again stays where they are.
    same = both.assign(n_orders_2=both.n_orders_1, spend_2=both.spend_1)
    still = decile_transitions(same)
    assert (still.loc[still.n > 0, "origin"] == still.loc[still.n > 0, "destination"]).all()


DAYS = ["24-01-05", "24-05-05", "23-11-01", "24-05-06", "24-04-01", "24-02-02", "23-10-05", "24-06-01"]


def test_who_is_new_and_who_came_back() -> None:
    frame = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 2, 3, 4, 5, 5],
            "timestamp": pd.to_datetime([f"20{day}" for day in DAYS]),
            "amount": [10.0, 12.0, 5.0, 6.0, 7.0, 8.0, 20.0, -20.0],
        }
    )
    both = two_periods(log_of(frame).until(END), first=FIRST, second=SECOND)
    states = base_changes(both).set_index("state")
    assert states.n_customers.to_dict() == {
        "stayed": 1, "left": 1, "came": 1, "came back": 1, "returns only": 1,
    }  # fmt: skip
    assert profit_bridge(both).set_index("step").amount.to_dict() == {
        "first period": 18.0, "left": -8.0, "came": 7.0, "came back": 6.0, "returns only": -20.0,
        "stayed: orders per customer": 0.0, "stayed: spend per order": 2.0, "second period": 5.0,
    }  # fmt: skip


def test_ties_and_a_base_of_few() -> None:
    alike = pd.DataFrame({"n_orders": 1, "spend": 5.0}, index=range(25))
    counts = pd.Series(value_deciles(alike)).value_counts()
    assert counts[counts > 0].sort_index().tolist() == [3, 2, 3, 2, 3, 2, 3, 2, 3, 2]
    assert list(value_deciles(alike)) == sorted(value_deciles(alike), key=int)


# --- cohorts


@settings(max_examples=4)
@given(st.integers(0, 10_000), st.sampled_from(["week", "month", "quarter", "year"]))
def test_cohorts_against_a_plain_count(seed: int, period: str) -> None:
    frame, cutoff = orders(seed, n=60), date(2024, 5, 20)
    history = log_of(frame).until(cutoff)
    cells = cohort_periods(history, period=period)  # type: ignore[arg-type]
    known = frame[frame.timestamp <= pd.Timestamp(cutoff)]
    freq = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[period]
    at = known.timestamp.dt.to_period(freq)
    came = at.groupby(known.customer_id).transform("min")
    rows_of = dict(iter(known.groupby([came.dt.start_time.dt.date, at.dt.start_time.dt.date])))
    size = known.customer_id.groupby(came.dt.start_time.dt.date).nunique()
    assert set(rows_of) <= {(cell.cohort, cell.period) for cell in cells.itertuples()}
    for cell in cells.itertuples():
        mine = rows_of.get((cell.cohort, cell.period), known[:0])
        bought = mine[mine.amount >= 0]
        assert cell.n_active == bought.customer_id.nunique()
        assert cell.n_orders == len(bought[["customer_id", "timestamp"]].drop_duplicates())
        assert cell.spend == pytest.approx(mine.amount.sum(), abs=1e-9)
        assert cell.margin == pytest.approx(mine.margin.sum(), abs=1e-9)
        assert cell.n_customers == size.get(cell.cohort, 0)
    assert cells.spend.sum() == pytest.approx(known.amount.sum())
    base = whole_base(cells)
    by_period = known.groupby(at.dt.start_time.dt.date).amount.sum()
    assert base.groupby("period").spend.sum()[by_period.index].to_numpy() == pytest.approx(
        by_period.to_numpy()
    )
    shares = base.groupby("period").share_active.sum(min_count=1).dropna()
    assert shares.to_numpy() == pytest.approx(1.0)
    for cohort in set(cells.cohort):
        life = one_cohort(cells, cohort).dropna()
        made = life.n_customers * life.share_active * life.orders_per_active * life.spend_per_order
        assert made.to_numpy() == pytest.approx(life.spend.to_numpy())


def test_the_triangle_of_cdnow() -> None:
    log = hb.datasets.cdnow(sample=True)
    triangle = retention_triangle(log.until("1998-06-15"))
    # 18 months, of which June 1998 has not ended; three cohorts; a rectangle with nothing after the end.
    assert triangle.groupby("cohort").size().tolist() == [18, 18, 18]
    assert triangle.n_active.isna().groupby(triangle.cohort).sum().tolist() == [1, 2, 3]
    assert triangle.loc[triangle.age == 0, ["share_active", "revenue_share"]].to_numpy() == pytest.approx(1.0)
    assert triangle.groupby("cohort").n_customers.first().sum() == 2357
    told = triangle.dropna()
    assert ((told.lower <= told.share_active) & (told.share_active <= told.upper)).all()
    # What comes later changes nothing that had ended.
    later = retention_triangle(log.until("1998-06-30")).set_index(["cohort", "age"])
    pd.testing.assert_frame_equal(
        told.set_index(["cohort", "age"]), later.loc[told.set_index(["cohort", "age"]).index]
    )
    so_far = cohorts_compared(cohort_periods(log.until("1998-06-30")))
    total = so_far.groupby("cohort").last()
    whole = log.engine.rows("SELECT CAST(sum(amount) AS DOUBLE) FROM transactions")[0][0]
    assert (total.spend_per_customer_so_far * total.n_customers).sum() == pytest.approx(whole)


def test_revenue_of_a_cohort_is_as_sure_as_its_customers_make_it() -> None:
    log = hb.datasets.cdnow(sample=True)
    orders = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS DOUBLE) AS amount FROM transactions"
    )
    month = orders.timestamp.dt.to_period("M")
    spend = orders.pivot_table(index="customer_id", columns=month, values="amount", aggfunc="sum")
    came = month.groupby(orders.customer_id).min()
    triangle = retention_triangle(log.until("1998-06-30"), confidence=0.9).set_index(["cohort", "age"])
    for cohort, mine in spend.fillna(0.0).groupby(came):
        for age in (1, 7):
            cell = triangle.loc[(cohort.start_time.date(), age)]
            y, x = mine[cohort + age].to_numpy(), mine[cohort].to_numpy()
            told = clustered_ratio(y, np.ones(len(y)), confidence=0.9)
            found = [cell.revenue, cell.revenue_lower, cell.revenue_upper]
            assert found == pytest.approx([len(y) * one for one in told], rel=1e-6)
            told = clustered_ratio(y, x, confidence=0.9)
            found = [cell.revenue_share, cell.revenue_share_lower, cell.revenue_share_upper]
            assert found == pytest.approx(list(told), rel=1e-4)  # a few began for nothing
    first = triangle.loc[(slice(None), 0), ["revenue_share_lower", "revenue_share_upper"]]
    assert first.isna().all(axis=None)


def test_contracts_against_a_count_of_every_day() -> None:
    contracts = simulate_business(n_customers=40, days_observed=400, days_of_acquisition=200).frames[
        "contracts"
    ]
    log = CustomerLog(contracts=contracts, observed_until="2024-01-31")
    cutoff = date(2024, 1, 15)
    history, span = log.until(cutoff), (date(2023, 6, 30), date(2023, 12, 31))
    started, ended = (pd.to_datetime(contracts[name]).dt.date for name in ("started_at", "ended_at"))
    a_day = contracts.price / contracts.billing_period_days.fillna(30)

    def paid(first: date, last: date) -> pd.DataFrame:
        rows = [
            (contracts.customer_id[place], place, a_day[place])
            for n in range((last - first).days + 1)
            for place in contracts.index
            if started[place] <= (day := first + timedelta(days=n))
            and (pd.isna(ended[place]) or ended[place] > cutoff or ended[place] > day)
        ]
        return pd.DataFrame(rows, columns=["customer_id", "place", "a_day"])

    values, rows = customer_values(history, start=span[0], end=span[1]), paid(span[0] + timedelta(1), span[1])
    by_hand = rows.groupby("customer_id").a_day.sum()
    assert values.spend[by_hand.index].to_numpy() == pytest.approx(by_hand.to_numpy())
    assert len(values) == len(by_hand)
    assert values.n_orders.sum() == rows.place.nunique()
    cells = cohort_periods(history, period="quarter")
    for quarter, mine in cells.groupby("period"):
        last = min((pd.Period(str(quarter), "Q").end_time).date(), cutoff)
        rows = paid(quarter, last)
        assert mine.spend.sum() == pytest.approx(rows.a_day.sum())
        assert mine.n_active.sum() == paid(last, last).customer_id.nunique()
    triangle = retention_triangle(history, period="quarter").dropna()
    assert triangle.share_active.between(0.0, 1.0).all()
    assert (triangle.revenue_lower <= triangle.revenue).all()
    assert (triangle.revenue <= triangle.revenue_upper).all()


# --- what is refused


def test_what_is_no_period_is_refused() -> None:
    history = log_of(orders(1)).until(END)
    with pytest.raises(SettingsError, match="ends by the cutoff"):
        customer_values(history, start=END)
    with pytest.raises(SettingsError, match="when the first has ended"):
        two_periods(history, first=SECOND, second=FIRST)
    with pytest.raises(SettingsError, match="one of week, month"):
        cohort_periods(history, period="day")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="confidence"):
        retention_triangle(history, confidence=1.0)
    with pytest.raises(DataError, match=r"The cohorts are 2023-10-01"):
        one_cohort(cohort_periods(history), date(2020, 1, 1))


def test_a_period_in_which_nobody_came() -> None:
    quiet = log_of(orders(1)[lambda rows: rows.timestamp < "2023-12-31"]).until(END)
    empty = customer_values(quiet, start=SECOND[0])
    both = two_periods(quiet, first=FIRST, second=SECOND)
    for table in (decile_table, order_distribution, value_quantiles):
        with pytest.raises(DataError, match="Nobody has a record"):
            table(empty)
    for table in (base_changes, profit_bridge, growth_drivers):
        with pytest.raises(DataError, match="Nobody has a record"):
            table(both)
    with pytest.raises(DataError, match="Nobody ordered"):
        decile_transitions(both)
    with pytest.raises(SettingsError, match="1 order"):
        order_distribution(customer_values(quiet, start=date(2023, 9, 30)), most=0)
