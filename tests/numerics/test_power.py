"""Power: another library's, simulation, and a table from 1964."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep

from habitue.numerics.power import design_effect, dunnett_critical, mean_power, share_power
from habitue.numerics.two_shares import score_statistic

Z = float(norm.ppf(0.975))


@given(
    share=st.floats(0.05, 0.9),
    effect=st.floats(-0.04, 0.09).filter(lambda one: abs(one) > 1e-3),
    n=st.integers(50, 5000),
    ratio=st.floats(0.2, 5.0),
)
def test_power_of_shares_is_statsmodels(share: float, effect: float, n: int, ratio: float) -> None:
    there = power_proportions_2indep(effect, share, n * ratio, ratio=1.0 / ratio, return_results=False)
    assert share_power(share, effect, n, n * ratio, critical=Z) == pytest.approx(float(there), abs=1e-9)


@given(effect=st.floats(0.01, 1.0), n=st.integers(20, 5000), ratio=st.floats(0.2, 5.0))
def test_power_of_means_is_statsmodels(effect: float, n: int, ratio: float) -> None:
    there = NormalIndPower().power(effect, n, 0.05, ratio=ratio)
    assert mean_power(effect * 7.0, 7.0, 7.0, n, n * ratio, critical=Z) == pytest.approx(
        float(there), abs=1e-9
    )


def test_the_score_test_finds_a_change_as_often_as_power_says() -> None:
    draw = np.random.default_rng(0)
    n_control, n_treated, reps = 300, 700, 40_000
    control, treated = draw.binomial(n_control, 0.6, reps), draw.binomial(n_treated, 0.69, reps)
    found = np.abs(score_statistic(treated, n_treated, control, n_control)) > Z
    assert found.mean() == pytest.approx(share_power(0.6, 0.09, n_control, n_treated, critical=Z), abs=0.01)


def test_households_and_known_beforehand_act_on_the_variance() -> None:
    fewer = mean_power(1.0, 5.0, 5.0, 200, 200, critical=Z)
    assert mean_power(1.0, 5.0, 5.0, 400, 400, critical=Z, deflation=2.0) == pytest.approx(fewer)
    assert design_effect(3.0, 0.0) == 1.0
    assert design_effect(3.0, 1.0) == 3.0


@pytest.mark.parametrize(
    ("n_arms", "published"), [(1, 1.96), (2, 2.21), (3, 2.35), (4, 2.44), (6, 2.57), (9, 2.69)]
)
def test_dunnetts_critical_values_are_those_published(n_arms: int, published: float) -> None:
    # Dunnett (1964), New tables for multiple comparisons with a control, two-sided, infinite df, 5 %.
    found = dunnett_critical([1.0] * n_arms)
    assert found == pytest.approx(published, abs=0.0051)
    assert Z - 1e-6 <= found <= norm.isf(0.025 / n_arms) + 1e-6


def test_dunnett_holds_with_unequal_arms() -> None:
    draw = np.random.default_rng(1)
    sizes = np.array([1.0, 3.0, 0.5])
    control = draw.normal(size=(200_000, 1))
    arms = draw.normal(size=(200_000, 3)) / np.sqrt(sizes)
    z = (arms - control) / np.sqrt(1.0 / sizes + 1.0)
    wrong = (np.abs(z).max(axis=1) > dunnett_critical(sizes.tolist())).mean()
    assert wrong == pytest.approx(0.05, abs=0.002)
