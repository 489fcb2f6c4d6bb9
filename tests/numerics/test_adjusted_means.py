"""Adjusted means: Welch's test, another library's regression, exact enumeration, coverage."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from habitue.numerics.adjusted_means import adjusted_means, contrast


@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(3, 40))
def test_without_covariates_it_is_welchs_test(seed: int, n0: int, n1: int) -> None:
    draw = np.random.default_rng(seed)
    y0, y1 = draw.gamma(0.5, 3.0, n0), draw.gamma(0.7, 5.0, n1)
    means = adjusted_means(np.concatenate([y0, y1]), np.repeat([0, 1], [n0, n1]), 2)
    found, there = contrast(means, 1, 0), ttest_ind(y1, y0, equal_var=False)
    assert found.difference == pytest.approx(y1.mean() - y0.mean())
    assert found.freedom == pytest.approx(there.df)
    assert 2.0 * t.sf(abs(found.difference) / found.se, found.freedom) == pytest.approx(there.pvalue)


def test_with_covariates_it_is_the_interacted_regression() -> None:
    draw = np.random.default_rng(0)
    n = 400
    x = draw.normal(size=(n, 2))
    arm = (draw.uniform(size=n) < 0.3).astype(int)
    y = 1.0 + x @ [2.0, -1.0] + arm * (0.5 + x[:, 0]) + draw.standard_t(5, n)
    centred = x - x.mean(axis=0)
    design = sm.add_constant(np.column_stack([arm, centred, centred * arm[:, None]]))
    fitted = sm.OLS(y, design).fit(cov_type="HC2")
    found = contrast(adjusted_means(y, arm, 2, covariates=x), 1, 0)
    assert found.difference == pytest.approx(fitted.params[1])
    # Beside the regression's own error it holds that of the sample's mean of x, where effects differ.
    gap = (centred * (fitted.params[4:])).sum(axis=1)
    assert found.se**2 == pytest.approx(fitted.bse[1] ** 2 + gap.var() / n, rel=0.05)


def test_weights_make_it_unbiased_over_all_assignments() -> None:
    # Two segments drawn with different chances: every assignment, with its own probability.
    y0, y1 = np.array([1.0, 4.0, 2.0, 9.0, 5.0, 7.0]), np.array([2.0, 4.5, 5.0, 9.0, 8.0, 6.0])
    weighted, total = 0.0, 0
    for first in combinations(range(3), 1):
        for second in combinations(range(3, 6), 2):
            arm = np.isin(np.arange(6), [*first, *second]).astype(int)
            chance = np.where(np.arange(6) < 3, 1 / 3, 2 / 3)
            drawn = np.where(arm == 1, chance, 1.0 - chance)
            found = adjusted_means(np.where(arm == 1, y1, y0), arm, 2, propensity=drawn)
            weighted += contrast(found, 1, 0).difference
            total += 1
    assert weighted / total == pytest.approx(float((y1 - y0).mean()))


def test_a_collinear_or_constant_covariate_changes_nothing() -> None:
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(60, 1)), draw.normal(size=60)
    arm = np.arange(60) % 2
    once = contrast(adjusted_means(y, arm, 2, covariates=x), 1, 0)
    twice = np.column_stack([x, 3.0 * x + 1.0, np.ones(60)])
    again = contrast(adjusted_means(y, arm, 2, covariates=twice), 1, 0)
    assert again[:3] == pytest.approx(once[:3])


def test_covariates_take_off_the_share_of_the_variance_that_they_explain() -> None:
    draw = np.random.default_rng(4)
    n, rho = 20_000, 0.7
    x = draw.normal(size=n)
    y = rho * x + np.sqrt(1.0 - rho**2) * draw.normal(size=n)
    arm = draw.integers(0, 2, n)
    plain = contrast(adjusted_means(y, arm, 2), 1, 0)
    adjusted = contrast(adjusted_means(y, arm, 2, covariates=x[:, None]), 1, 0)
    assert (adjusted.se / plain.se) ** 2 == pytest.approx(1.0 - rho**2, abs=0.02)


def test_households_widen_and_their_interval_covers() -> None:
    draw = np.random.default_rng(5)
    covered, narrow, reps = 0, 0, 400
    home = np.repeat(np.arange(60), 5)
    for _ in range(reps):
        arm = draw.permutation(np.arange(60) % 2)[home]
        y = draw.normal(size=60)[home] + draw.normal(size=300)
        found = contrast(adjusted_means(y, arm, 2, clusters=home), 1, 0)
        covered += abs(found.difference) <= t.ppf(0.975, found.freedom) * found.se
        alone = contrast(adjusted_means(y, arm, 2), 1, 0)
        narrow += abs(alone.difference) <= t.ppf(0.975, alone.freedom) * alone.se
    assert covered / reps == pytest.approx(0.95, abs=0.035)
    assert narrow / reps < 0.85


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_a_change_of_currency_scales_money_only(scale: float) -> None:
    draw = np.random.default_rng(6)
    x, y, arm = draw.gamma(1.0, 10.0, (200, 1)), draw.gamma(1.0, 10.0, 200), np.arange(200) % 3
    one = contrast(adjusted_means(y, arm, 3, covariates=x), 2, 0)
    other = contrast(adjusted_means(scale * y, arm, 3, covariates=scale * x), 2, 0)
    assert other.difference == pytest.approx(scale * one.difference)
    assert (other.log_ratio, other.log_ratio_se) == pytest.approx((one.log_ratio, one.log_ratio_se))


def test_an_empty_arm_is_not_known() -> None:
    found = adjusted_means([1.0, 2.0, 3.0], [0, 0, 0], 2)
    assert np.isnan(found.mean[1])
    assert found.mean[0] == pytest.approx(2.0)
