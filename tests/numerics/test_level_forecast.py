"""Where a level will stand: the filter against the joint normal distribution, laws, and kept promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from habitue.numerics import level_forecast as module
from habitue.numerics.level_forecast import forecast_level

SERIES = st.lists(st.floats(-0.6, 0.6), min_size=1, max_size=14)


def joint(
    drift: float, noise: float, slope: float, damping: float, jump: int, error: np.ndarray, steps: int
) -> np.ndarray:
    """Return the covariance of n measured months and of the month foretold, from the model as it is told."""
    n = len(error)
    last = n + steps
    ways = np.zeros((last, 0))
    # Each column is what one independent, standard normal cause does to the level of every month.
    causes = [np.full(last, 1e4)]  # a level that begins anywhere
    reach = np.concatenate([[0.0], np.cumsum(damping ** np.arange(1, last))])
    causes.append(np.sqrt(slope) * reach)
    for month in range(1, last):
        after = (np.arange(last) >= month).astype(float)
        causes.append(np.sqrt(drift) * after)
        if month == jump:
            causes.append(module._JUMP * after)
    ways = np.array(causes)
    at = [*range(n), last - 1]
    measured = np.append(error, np.median(error[-6:])) ** 2 + noise
    return (ways.T @ ways)[np.ix_(at, at)] + np.diag(measured)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_filter_is_the_joint_normal_distribution(steps: int) -> None:
    rng = np.random.default_rng(4)
    y, error = np.cumsum(rng.normal(0.0, 1.0, 6)), rng.uniform(0.3, 1.0, 6)
    grid = module._grid(6, few=False)
    state, fit = module._filtered(grid, y, error, np.ones(6, dtype=bool))
    mean, variance = module._ahead(grid, state, steps, float(np.median(error)))
    places = rng.choice(len(fit), 40, replace=False)
    density = []
    for place in places:
        drift, noise, slope, damping, jump, _ = (float(column[place]) for column in grid)
        cov = joint(drift, noise, slope, damping, int(jump), error, steps)
        known, cross = cov[:-1, :-1], cov[-1, :-1]
        weights = np.linalg.solve(known, cross)
        assert mean[place] == pytest.approx(weights @ y, abs=1e-3)
        assert variance[place] == pytest.approx(cov[-1, -1] - weights @ cross, rel=1e-3, abs=1e-3)
        density.append(multivariate_normal(cov=known).logpdf(y) + grid.prior[place])
    # Only differences count: the density of a level that begins anywhere is that of no place of the grid.
    found = fit[places] - fit[places][0]
    assert found == pytest.approx(np.array(density) - density[0], abs=1e-3)


@settings(max_examples=40)
@given(SERIES, st.floats(-3.0, 3.0), st.floats(0.2, 5.0), st.integers(1, 9))
def test_shift_scale_and_sign(values: list[float], shift: float, scale: float, steps: int) -> None:
    y, error = np.array(values), np.full(len(values), 0.03)
    plain = forecast_level(y, error, steps=steps)
    moved = forecast_level(scale * y + shift, scale * error, steps=steps, unit=scale * 0.05)
    turned = forecast_level(-y, error, steps=steps)
    for level in (-0.4, 0.01, 0.3):
        chance = plain.chance_below(level)
        assert 0.0 <= chance <= 1.0
        assert moved.chance_below(scale * level + shift) == pytest.approx(chance, abs=1e-6)
        assert turned.chance_below(-level) == pytest.approx(1.0 - chance, abs=1e-6)
    assert plain.weight.sum() == pytest.approx(1.0)
    assert plain.chance_below(plain.quantile(0.3)) == pytest.approx(0.3, abs=1e-6)
    assert plain.n_months == len(values)


def test_the_further_ahead_and_the_worse_measured_the_wider() -> None:
    y = np.random.default_rng(2).normal(0.0, 0.05, 12)

    def width(**changed: object) -> float:
        error, steps = changed.get("error", 0.02), changed.get("steps", 2)
        told = forecast_level(y, np.full(12, error), steps=steps)  # type: ignore[arg-type]
        return told.quantile(0.9) - told.quantile(0.1)

    assert width() < width(steps=6) < width(steps=18)
    assert width() < width(error=0.1) < width(error=0.4)


def test_months_that_were_not_measured_are_passed_over() -> None:
    y, error = np.array([0.0, 0.1, np.nan, 0.3, np.nan]), np.full(5, 0.02)
    gaps = forecast_level(y, error, steps=1)
    assert gaps.n_months == 3
    # Months before the first measured one say nothing, and an unknown error is like the others.
    longer = forecast_level(np.r_[np.nan, y], np.r_[np.nan, error[:3], np.nan, 0.02], steps=1)
    assert longer.quantile(0.5) == pytest.approx(gaps.quantile(0.5))
    for nothing in ([], [np.nan, np.nan]):
        with pytest.raises(ValueError, match="measured month"):
            forecast_level(nothing, nothing, steps=1)
    with pytest.raises(ValueError, match="1 step"):
        forecast_level([0.0], [0.1], steps=0)


def test_few_months_are_wide_and_honest_about_it() -> None:
    told = forecast_level([0.2, 0.2], [0.01, 0.01], steps=6)
    # Two units of 0.05 a month for six months are a standard deviation of a quarter.
    assert told.quantile(0.9) - told.quantile(0.1) > 2.0 * norm.ppf(0.9) * 0.1 * np.sqrt(6.0)


# --- worlds


def still(n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0.0, scale, n)


def walk(n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    return np.cumsum(rng.normal(0.0, scale, n))


def trend(n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0.0, scale) * np.arange(n) + rng.normal(0.0, scale / 2.0, n)


def shock(n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    after = np.arange(n) >= rng.integers(0, n)
    return after * rng.normal(0.0, 6.0 * scale) + rng.normal(0.0, scale / 2.0, n)


def returning(n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    level, surprises = np.zeros(n), rng.normal(0.0, scale, n)
    for month in range(1, n):
        level[month] = 0.7 * level[month - 1] + surprises[month]
    return level


WORLDS = (still, walk, trend, shock, returning)


def promises(
    world: Callable[..., np.ndarray], n_series: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return what was said of targets around the last month, and what came of them."""
    said, came = np.empty(n_series), np.empty(n_series)
    for place in range(n_series):
        scale, error = 0.05 * np.exp(rng.normal(0.0, [0.7, 0.5]))
        n, steps = int(rng.integers(5, 25)), int(rng.integers(1, 10))
        y = world(n + steps, scale, rng) + rng.normal(0.0, error, n + steps)
        level = y[n - 1] + rng.normal(0.0, 1.5) * (np.std(y[:n]) + error)
        said[place] = 1.0 - forecast_level(y[:n], np.full(n, error), steps=steps).chance_below(level)
        came[place] = y[-1] >= level
    return said, came


@pytest.mark.slow
def test_what_is_said_comes_true_as_often_as_it_is_said() -> None:
    rng = np.random.default_rng(11)
    every = [promises(world, 160, rng) for world in WORLDS]
    for said, came in every:
        assert np.mean((said - came) ** 2) < 0.17  # who always says a half has 0.25
        # In each world on its own, where it is said to be likely it is, and the other way round.
        assert came[said >= 0.7].mean() > 0.72
        assert came[said < 0.3].mean() < 0.25
    said, came = (np.concatenate(column) for column in zip(*every, strict=True))
    for low, high in ((0.0, 0.15), (0.15, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.01)):
        inside = (said >= low) & (said < high)
        chance = 3.0 * np.sqrt(0.25 / inside.sum())
        assert came[inside].mean() == pytest.approx(said[inside].mean(), abs=max(0.08, chance))
