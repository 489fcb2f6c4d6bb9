"""What the scores alone tell, recomputed by hand and with plain pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError
from habitue.report.customers import describe_base
from habitue.report.reasons import count_reasons
from habitue.report.scores import read_scores


@pytest.fixture
def five() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e"],
            "churn_probability": [0.9, 0.6, 0.5, 0.2, np.nan],
            "clv": [10.0, 40.0, 100.0, 50.0, np.nan],
            "reason_1": ["silent", "silent", "price", "price", "silent"],
            "reason_2": ["price", None, "silent", None, None],
        }
    )


def test_headline_by_hand(five: pd.DataFrame) -> None:
    head = describe_base(read_scores(five)).headline
    assert (head.n_customers, head.n_with_churn, head.n_with_value, head.n_at_risk) == (5, 4, 4, 2)
    assert head.churn_mean == pytest.approx(2.2 / 4)
    assert head.expected_spend == 200.0
    assert head.spend_per_customer == 50.0
    assert head.spend_median == 45.0
    assert head.value_at_risk == 50.0
    assert head.value_at_risk_share == 0.25
    assert head.p_alive_mean is None


def test_list_holds_customers_at_risk_by_value_then_the_others(five: pd.DataFrame) -> None:
    rows = describe_base(read_scores(five)).customers
    # b and a are at risk; then 0.5 * 100 = 50 before 0.2 * 50 = 10, and e, of whom nothing is known, last.
    assert [row.customer_id for row in rows] == ["b", "a", "c", "d", "e"]
    assert [row.at_risk for row in rows] == [True, True, False, False, False]
    assert rows[-1].clv is None
    assert rows[1].reasons == ("silent", "price")


def test_reasons_are_those_of_customers_at_risk(five: pd.DataFrame) -> None:
    base = describe_base(read_scores(five))
    assert base.reasons.of_at_risk
    assert base.reasons.n_customers == 2
    counted = {
        reason.reason: (reason.n_main, reason.n_any, reason.share_any) for reason in base.reasons.reasons
    }
    assert counted == {"silent": (2, 2, 1.0), "price": (0, 1, 0.5)}


def test_many_reasons_that_differ_in_a_number_are_one_and_count_once_a_customer() -> None:
    frame = pd.DataFrame({"customer_id": range(50), "churn_probability": 0.9})
    frame["reason_1"] = [f"silent for {day} days" for day in range(50)]
    frame["reason_2"] = [f"silent for {day}.5 days" for day in range(50)]
    (reason,) = count_reasons(read_scores(frame)).reasons
    assert (reason.reason, reason.n_main, reason.n_any, reason.share_any) == (
        "silent for … days",
        50,
        50,
        1.0,
    )


def test_concentration_by_hand() -> None:
    frame = pd.DataFrame({"customer_id": range(10), "clv": [91.0] + [1.0] * 9})
    held = describe_base(read_scores(frame)).concentration
    assert held is not None
    assert held.top_tenth_share == pytest.approx(0.91)
    assert held.half_of_spend_at == pytest.approx(0.1)
    assert (held.share_of_spend[0], held.share_of_spend[-1]) == (0.0, pytest.approx(1.0))


def test_half_is_on_the_side_of_staying(five: pd.DataFrame) -> None:
    risk = describe_base(read_scores(five)).risk
    above = sum(b.n for b in risk if b.lower is not None and b.lower >= 0.5)
    assert above == 2


frames = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1e6, allow_subnormal=False)), min_size=1, max_size=60
).map(
    lambda rows: pd.DataFrame(rows, columns=["churn_probability", "clv"]).assign(customer_id=range(len(rows)))
)


@given(frames)
def test_every_split_of_the_base_adds_up_to_the_whole(frame: pd.DataFrame) -> None:
    base = describe_base(read_scores(frame), n_shown=10)
    total = frame.clv.sum()
    for bins in (base.risk, base.value):
        assert sum(b.n for b in bins) == len(frame)
        assert sum(b.spend or 0.0 for b in bins) == pytest.approx(total)
    assert sum(cell.n for cell in base.cells) == len(frame)
    assert sum(cell.spend for cell in base.cells) == pytest.approx(total)
    risky = [cell for cell in base.cells if cell.risk_lower >= 0.5]
    assert sum(cell.n for cell in risky) == base.headline.n_at_risk
    assert sum(cell.spend for cell in risky) == pytest.approx(base.headline.value_at_risk)
    assert len(base.customers) == min(10, len(frame))


@given(frames)
def test_lorenz_curve_rises_and_bends_one_way(frame: pd.DataFrame) -> None:
    held = describe_base(read_scores(frame)).concentration
    if frame.clv.sum() == 0.0:
        assert held is None
        return
    assert held is not None
    steps = np.diff(held.share_of_spend)
    assert (steps >= -1e-12).all()
    assert (np.diff(steps) <= 1e-9).all()
    assert held.top_tenth_share >= 0.1 - 1e-9


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        ({"clv": [1.0]}, SchemaError, "customer_id"),
        ({"customer_id": ["a"], "p_alive": [0.5]}, SchemaError, "churn_probability, clv or both"),
        ({"customer_id": ["a", "a"], "clv": [1.0, 2.0]}, DataError, "one row per customer"),
        ({"customer_id": ["a"], "churn_probability": [75.0]}, DataError, "between 0 and 1"),
        ({"customer_id": ["a"], "clv": ["much"]}, SchemaError, "must hold numbers"),
        ({"customer_id": [], "clv": []}, DataError, "at least one scored customer"),
    ],
)
def test_what_is_wrong_with_scores_is_said(
    frame: dict[str, list[object]], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_scores(pd.DataFrame(frame))
