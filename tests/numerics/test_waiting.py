"""The median of waits of which some are not over: against statsmodels, against the truth, by customer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.waiting import median_wait

RECORDS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60)


@given(RECORDS)
def test_it_is_the_first_time_by_which_half_are_over(records: list[tuple[int, bool]]) -> None:
    time, over = np.array([one for one, _ in records]), np.array([one for _, one in records])
    share, median = 1.0, math.nan
    for at in np.unique(time[over]):
        share *= 1.0 - np.sum((time == at) & over) / np.sum(time >= at)
        if share <= 0.5 + 1e-9:
            median = float(at)
            break
    told = median_wait(time, over, np.arange(len(time)))
    assert told.value == pytest.approx(median, nan_ok=True)
    for end, is_below in ((told.lower, True), (told.upper, False)):
        if np.isfinite([end, told.value]).all():
            assert end <= told.value if is_below else end >= told.value


@given(RECORDS, st.integers(1, 4))
def test_unit_and_order_of_records_change_nothing(records: list[tuple[int, bool]], each: int) -> None:
    time, over = (np.array(one) for one in zip(*records, strict=True))
    who = np.arange(len(time)) // each
    told = median_wait(time, over, who)
    back = median_wait(time[::-1] * 3600.0, over[::-1], who[::-1])
    assert tuple(one / 3600.0 for one in back) == pytest.approx(told, nan_ok=True)


def test_median_and_ends_are_those_of_statsmodels() -> None:
    duration = pytest.importorskip("statsmodels.duration.survfunc")
    rng = np.random.default_rng(2)
    time, limit = rng.weibull(1.5, 300).round(3), rng.uniform(0.0, 3.0, 300).round(3)
    seen, over = np.minimum(time, limit), time <= limit
    curve = duration.SurvfuncRight(seen, over)
    with np.errstate(divide="ignore", invalid="ignore"):  # its logarithms, where the curve ends at 0
        lower, upper = curve.quantile_ci(0.5, method="cloglog")
    told = median_wait(seen, over, np.arange(300))
    assert told.value == curve.quantile(0.5)
    assert (told.lower, told.upper) == pytest.approx((lower, upper), abs=0.02)


def test_open_tickets_make_it_longer_than_closed_ones_alone() -> None:
    rng = np.random.default_rng(4)
    wait, seen = rng.exponential(10.0, 4_000), rng.uniform(0.0, 20.0, 4_000)
    told = median_wait(np.minimum(wait, seen), wait <= seen, np.arange(4_000))
    # Within four standard errors: the width of the interval.
    assert abs(told.value - 10.0 * math.log(2.0)) < told.upper - told.lower
    assert np.median(wait[wait <= seen]) < told.lower


def test_it_holds_where_a_customers_tickets_wait_alike() -> None:
    rng, draws, held, naive = np.random.default_rng(6), 400, 0, 0
    sample = rng.exponential(1.0, 1_000_000) * np.exp(rng.normal(0.0, 1.0, 1_000_000))
    true = float(np.median(sample))
    for _ in range(draws):
        who = np.repeat(np.arange(80), 1 + rng.poisson(3.0, 80))
        wait = rng.exponential(1.0, who.size) * np.exp(rng.normal(0.0, 1.0, 80))[who]
        seen = rng.uniform(0.0, 6.0, who.size)
        records = np.minimum(wait, seen), wait <= seen
        told, alone = median_wait(*records, who), median_wait(*records, np.arange(who.size))
        held += told.lower <= true <= told.upper
        naive += alone.lower <= true <= alone.upper
    assert held / draws >= 0.92
    assert naive < held


def test_nobody_answered_has_no_median() -> None:
    assert np.isnan(median_wait([3.0, 4.0], [False, False], [0, 1])).all()
    assert np.isnan(median_wait([3.0, 4.0, 5.0], [True, False, False], [0, 1, 2]).value)
