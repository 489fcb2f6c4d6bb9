"""Assignment by hashing: uniform, independent between experiments, in any order, balanced."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from habitue.errors import DataError, SettingsError
from habitue.experiments import assign
from habitue.experiments.assignment import id_text, uniform_of

ARMS = {"control": 0.2, "call": 0.5, "voucher": 0.3}


def test_draws_are_uniform_and_independent_between_experiments_and_salts() -> None:
    texts = [str(one) for one in range(20_000)]
    one, other, salted = (
        uniform_of(texts, experiment=name, salt=salt) for name, salt in (("a", ""), ("b", ""), ("a", "b"))
    )
    assert ((one >= 0.0) & (one < 1.0)).all()
    assert kstest(one, "uniform").pvalue > 0.001
    for second in (other, salted):
        assert abs(np.corrcoef(one, second)[0, 1]) < 0.03
        table = np.histogram2d(one, second, bins=5)[0]
        assert chi2_contingency(table).pvalue > 0.001


def test_shares_come_out_and_experiments_cut_across_each_other() -> None:
    first = assign(range(30_000), experiment="spring", arms=ARMS)
    second = assign(range(30_000), experiment="summer", arms=ARMS)
    for name, share in ARMS.items():
        assert (first["arm"] == name).mean() == pytest.approx(share, abs=0.01)
        assert first.loc[first["arm"] == name, "propensity"].eq(share).all()
    assert chi2_contingency(pd.crosstab(first["arm"], second["arm"])).pvalue > 0.001


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=60, unique=True), st.randoms(use_true_random=False)
)
def test_neither_order_nor_chunks_nor_newcomers_move_anybody(ids: list[int], chance: object) -> None:
    whole = assign(ids, experiment="x", arms=ARMS).set_index("customer_id")["arm"]
    shuffled = sorted(ids, key=lambda one: hash((one, 7)))
    again = assign(shuffled, experiment="x", arms=ARMS).set_index("customer_id")["arm"]
    assert again.reindex(whole.index).equals(whole)
    half = assign(ids[: len(ids) // 2 + 1], experiment="x", arms=ARMS).set_index("customer_id")["arm"]
    assert half.equals(whole.iloc[: len(half)])


def test_an_id_is_one_however_it_is_written() -> None:
    drawn = [assign([one], experiment="x", arms=ARMS)["arm"].iloc[0] for one in (7, 7.0, "7", " 7 ", "7.0")]
    assert len(set(drawn)) == 1
    assert id_text("-0") == id_text(0) == "0"
    assert id_text("1" * 19) == "1" * 19
    for nothing in (None, float("nan"), "", " ", "NULL"):
        with pytest.raises(DataError, match="needs an id"):
            id_text(nothing)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=150))
def test_strata_get_their_share_to_within_one_customer_whatever_the_order(strata: list[str]) -> None:
    ids = list(range(len(strata)))
    drawn = assign(ids, experiment="x", arms=ARMS, strata=strata)
    for segment in set(strata):
        own = drawn.loc[[one == segment for one in strata]]
        for name, share in ARMS.items():
            assert abs((own["arm"] == name).sum() - share * len(own)) < 1.0 + 1e-9
    turned = assign(ids[::-1], experiment="x", arms=ARMS, strata=strata[::-1])
    assert turned["arm"].tolist()[::-1] == drawn["arm"].tolist()


def test_with_strata_too_the_chance_of_each_customer_is_the_share() -> None:
    strata = ["a"] * 7 + ["b"] * 3
    held = np.zeros(10)
    for number in range(1500):
        drawn = assign(range(10), experiment=f"x{number}", arms=ARMS, strata=strata)
        held += (drawn["arm"] == "control").to_numpy()
    assert held / 1500 == pytest.approx(np.full(10, 0.2), abs=0.04)


@pytest.mark.parametrize(
    ("arms", "sentence"),
    [
        ({"call": 1.0}, "needs an arm 'control'"),
        ({"control": 1.0}, "beside 'control'"),
        ({"control": 0.0, "call": 1.0}, "between 0 and 1"),
        ({"control": 0.3, "call": 0.6}, "sum to 1"),
    ],
)
def test_impossible_arms_are_refused(arms: dict[str, float], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        assign([1, 2], experiment="x", arms=arms)


def test_a_customer_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'7' comes twice"):
        assign([7, "7.0"], experiment="x", arms=ARMS)
