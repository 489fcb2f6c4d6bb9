"""The year's profile: its clock, what weekly counts tell of it, and what earlier totals tell of later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from habitue.numerics.season_totals import next_ratio, season_overlap
from habitue.numerics.seasons import exposure, exposure_slopes, fit_season, fourier, log_factor

YEAR = 365.25
coefficients = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=4).map(
    lambda one: one[: len(one) // 2 * 2]
)


def profile(known: np.ndarray | list[float], day: np.ndarray | float) -> np.ndarray:
    return np.exp(fourier(day, len(known) // 2) @ np.asarray(known))


def weeks(n_years: float) -> np.ndarray:
    return np.arange(3.5, n_years * YEAR, 7.0)


def drawn_season(rng: np.random.Generator, scale: float, n_harmonics: int = 6) -> np.ndarray:
    return rng.normal(size=2 * n_harmonics) * scale / np.repeat(np.arange(1, n_harmonics + 1), 2)


@settings(max_examples=15)
@given(coefficients, st.floats(-800.0, 800.0), st.floats(0.5, 800.0))
def test_exposure_is_the_integral_of_the_profile(known, start, days):
    mean = quad(lambda at: float(profile(known, at)), 0.0, YEAR)[0] / YEAR
    area = quad(lambda at: float(profile(known, at)), start, start + days, limit=200)[0] / mean
    run = exposure(known, start + days) - exposure(known, start)
    assert run == pytest.approx(area, abs=2e-3)  # the profile is constant within quarters of a day
    assert run > 0.0


@settings(max_examples=15)
@given(coefficients, st.floats(-800.0, 800.0))
def test_the_clock_runs_a_year_in_a_year(known, day):
    assert exposure(known, day + YEAR) - exposure(known, day) == pytest.approx(YEAR, abs=1e-9)


def test_without_seasons_the_clock_is_the_calendar_to_the_bit():
    days = np.arange(-1500.0, 1500.0)
    np.testing.assert_array_equal(exposure([], days), days)
    np.testing.assert_array_equal(exposure([0.0, 0.0], days), days)


@settings(max_examples=10)
@given(coefficients, st.floats(-400.0, 400.0))
def test_slopes_are_difference_quotients(known, day):
    found = approx_fprime(np.array(known), lambda at: float(exposure(at, day)), 1e-6)
    np.testing.assert_allclose(exposure_slopes(known, day), found, atol=1e-3)


def test_three_years_tell_the_season_and_one_does_not():
    """The statement asked for: with one year the deviation is large by itself, with three it is small."""
    season = np.array([0.3, -0.25, 0.1, 0.1])
    rng = np.random.default_rng(4)
    told = []
    for n_years in (1, 3):
        day = weeks(n_years)
        counts = rng.poisson(800.0 * profile(season, day))
        found = fit_season(day, np.full(day.size, 800.0), counts)
        apart = found.mean[2:6] - season
        sd = np.sqrt(np.diag(found.covariance)[2:6])
        assert (np.abs(apart) < 3.5 * sd).all()
        told.append(sd.mean())
    one_year, three_years = told
    assert three_years < 0.05
    assert one_year > 2.5 * three_years


def test_what_happened_in_one_year_of_three_is_not_taken_for_season():
    day = weeks(3)
    bump = 0.6 * np.exp(-0.5 * ((day - 700.0) / 20.0) ** 2)
    counts = np.random.default_rng(0).poisson(800.0 * np.exp(bump))
    found = fit_season(day, np.full(day.size, 800.0), counts)
    at = fourier(700.0, 6)
    assert at @ found.mean[2:] < 0.35
    assert np.sqrt(at @ found.covariance[2:, 2:] @ at) > 0.05


def test_months_never_seen_are_doubted_most():
    day = weeks(0.75)
    counts = np.random.default_rng(1).poisson(800.0, day.size)
    found = fit_season(day, np.full(day.size, 800.0), counts)
    seen, unseen = (log_factor(found, start, start + 45.0)[1] for start in (100.0, 300.0))
    assert unseen > 1.5 * seen
    assert unseen > 0.2


@pytest.mark.slow
def test_intervals_of_a_year_to_come_hold_as_often_as_they_say():
    rng = np.random.default_rng(5)
    day, ahead = weeks(3), np.arange(3 * YEAR + 0.5, 3 * YEAR + 91.0)
    z = []
    for _ in range(24):
        season, own = drawn_season(rng, 0.4), [drawn_season(rng, 0.1) for _ in range(4)]

        def rate(at, season=season, own=own):
            year = np.minimum(at // YEAR, 3).astype(int)
            apart = (fourier(at, 6) * np.array(own)[year]).sum(axis=-1)
            return np.exp(fourier(at, 6) @ season + apart + 0.1 * (at - 500.0) / YEAR)

        counts = rng.poisson(1_000.0 * rate(day))
        found = fit_season(day, np.full(day.size, 1_000.0), counts)
        mean, sd = log_factor(found, 3 * YEAR, 3 * YEAR + 91.0)
        z.append((np.log(rate(ahead).mean()) - mean) / sd)
    assert 0.35 < np.mean(np.square(z)) < 1.8
    assert np.mean(np.abs(z) < 1.2816) > 0.6


def test_counts_that_vary_more_than_poissons_are_noticed():
    rng, day = np.random.default_rng(2), weeks(3)
    mean = 400.0 * profile([0.2, 0.1], day)
    narrow = fit_season(day, np.full(day.size, 400.0), rng.poisson(mean))
    wide = fit_season(day, np.full(day.size, 400.0), rng.negative_binomial(mean / 5.0, 1.0 / 6.0))
    assert narrow.dispersion < 1.5
    assert wide.dispersion == pytest.approx(6.0, rel=0.35)
    assert np.trace(wide.covariance) > np.trace(narrow.covariance)


def test_another_level_of_what_was_expected_moves_the_level_alone():
    day = weeks(2)
    counts = np.random.default_rng(3).poisson(500.0 * profile([0.3, 0.1], day))
    one, other = (fit_season(day, np.full(day.size, told), counts) for told in (500.0, 1_000.0))
    assert one.mean[0] - other.mean[0] == pytest.approx(np.log(2.0), abs=1e-3)
    np.testing.assert_allclose(one.mean[1:], other.mean[1:], atol=1e-3)


def test_a_windows_factor_is_that_of_draws_from_the_posterior():
    day = weeks(2)
    counts = np.random.default_rng(3).poisson(500.0 * profile([0.3, 0.1], day))
    found = fit_season(day, np.full(day.size, 500.0), counts)._replace(year_scale=0.0)
    mean, sd = log_factor(found, 800.0, 890.0)
    draws = np.random.default_rng(0).multivariate_normal(found.mean, found.covariance, 4_000)
    days = np.arange(800.5, 890.0)
    years = (days - found.origin) / YEAR
    design = np.column_stack([np.ones(days.size), years, fourier(days, 6)])
    logs = np.log(np.exp(draws @ design.T).mean(axis=1))
    assert logs.mean() == pytest.approx(mean, abs=0.1 * sd)
    assert logs.std() == pytest.approx(sd, rel=0.08)


@pytest.mark.parametrize("horizon", [30, 91, 200, 365, 500])
def test_overlap_counts_days_of_the_year(horizon):
    """Oracle: count how often each quarter of a day of the year is in either window."""
    cells = 1461

    def often(start: float) -> np.ndarray:
        at = np.arange(int(start * 4), int((start + horizon) * 4))
        return np.bincount(at % cells, minlength=cells)

    for apart in (0, 17, 91, 180, 300, 365, 400, 731):
        one, other = often(0), often(apart)
        shared = one @ other / np.sqrt((one @ one) * (other @ other))
        assert season_overlap(float(apart), float(horizon)) == pytest.approx(shared, abs=1e-9)


def test_without_any_ratio_nothing_is_corrected_and_much_is_possible():
    none = next_ratio([], [], [], 100.0, horizon=91.0)
    assert none.expected == 0.0
    assert none.quantile(0.5) == pytest.approx(0.0, abs=1e-9)
    assert none.quantile(0.9) == pytest.approx(-none.quantile(0.1), rel=1e-6)
    noisy = next_ratio([1.0], [1e6], [0.0], 365.25, horizon=91.0)
    assert noisy.quantile(0.9) == pytest.approx(none.quantile(0.9), abs=1e-2)


def test_the_ratio_of_a_year_ago_counts_more_than_that_of_another_season():
    ratios = {start: next_ratio([0.5], [1e-4], [start], 1000.0, horizon=91.0) for start in (634.75, 800.0)}
    year_ago, other = ratios.values()
    assert 0.3 < year_ago.expected < 0.5
    assert 0.0 < other.expected < 0.5 * year_ago.expected
    assert year_ago.quantile(0.9) - year_ago.quantile(0.1) < other.quantile(0.9) - other.quantile(0.1)


def test_noise_shrinks_and_years_that_agree_convince():
    start = [1000.0 - 365.25 * one for one in (1, 2, 3)]
    expected = [
        next_ratio([0.5], [noise], start[:1], 1000.0, horizon=91.0).expected for noise in (1e-4, 0.1, 1)
    ]
    assert expected == sorted(expected, reverse=True)
    widths = []
    for n in (1, 3):
        found = next_ratio([0.5] * n, [1e-4] * n, start[:n], 1000.0, horizon=91.0)
        widths.append(found.quantile(0.9) - found.quantile(0.1))
    assert widths[1] < 0.75 * widths[0]


def test_order_and_time_of_reading_change_nothing():
    d, v, t = np.array([0.2, -0.1, 0.4]), np.array([0.01, 0.02, 0.005]), np.array([0.0, 91.0, 182.0])
    one = next_ratio(d, v, t, 400.0, horizon=91.0)
    other = next_ratio(d[::-1], v[::-1], t[::-1] + 10 * YEAR, 400.0 + 10 * YEAR, horizon=91.0)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-9)
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-9)
