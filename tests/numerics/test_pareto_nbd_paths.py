"""Pareto/NBD under changing covariates: against the story it tells, plain Pareto/NBD, and its laws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.integrate import dblquad

from habitue.numerics import covariate_paths, pareto_nbd, pareto_nbd_paths
from habitue.numerics.covariate_paths import Pieces, blocks, exposure, factor, pieces_at, pieces_between
from habitue.numerics.pareto_nbd_paths import Histories, Params, Paths

FloatArray = np.ndarray
N_PATHS, N_RATE, N_DROPOUT = 5, 2, 3
laws = settings(deadline=None, max_examples=40)


def some_paths(rng: np.random.Generator) -> Paths:
    """Return paths of one to six pieces within the first hundred units of time."""
    sizes = rng.integers(1, 7, N_PATHS)
    starts = [np.append(0.0, np.sort(rng.uniform(1, 100, size - 1))) for size in sizes]
    n = int(sizes.sum())
    offsets = np.append(0, np.cumsum(sizes))
    return Paths(
        offsets, np.concatenate(starts), rng.normal(size=(n, N_RATE)), rng.normal(size=(n, N_DROPOUT))
    )


def some_histories(rng: np.random.Generator, n: int = 30) -> Histories:
    x = rng.integers(0, 12, n).astype(float)
    T = rng.uniform(1, 150, n)
    recency = np.where(x > 0, T * rng.random(n), 0.0)
    return Histories(x, recency, T, rng.integers(0, N_PATHS, n), x[:, None] * rng.uniform(-1, 1, (n, N_RATE)))


def some_params(rng: np.random.Generator) -> Params:
    r, s = np.exp(rng.uniform(-3, 2, 2))
    alpha, beta = np.exp(rng.uniform(-1, 5, 2))
    return Params(r, alpha, s, beta, rng.normal(size=N_RATE), rng.normal(size=N_DROPOUT))


def everything(seed: int) -> tuple[Params, Histories, Paths]:
    rng = np.random.default_rng(seed)
    return some_params(rng), some_histories(rng), some_paths(rng)


def one(x: float, t_x: float, T: float, n_rate: int = 0) -> Histories:
    """Return one customer on path 0 who bought when covariates were 0."""
    return Histories(np.array([x]), np.array([t_x]), np.array([T]), np.array([0]), np.zeros((1, n_rate)))


def no_covariates(n_paths: int = 1) -> Paths:
    nothing = np.zeros((n_paths, 0))
    return Paths(np.arange(n_paths + 1), np.zeros(n_paths), nothing, nothing)


def plain(params: pareto_nbd.ParetoNBDParams) -> Params:
    return Params(*map(float, params), np.empty(0), np.empty(0))


seeds = st.integers(0, 2**32 - 1)

# A season of a fortnight, in which purchases triple and leaving halves, for one who bought twice.
SEASON = Paths(
    np.array([0, 3]),
    np.array([0.0, 7.0, 21.0]),
    np.array([[0.0], [1.0], [0.0]]),
    np.array([[0.0], [1.0], [0.0]]),
)
AT_SEASON = Params(1.3, 12.0, 1.4, 15.0, np.array([math.log(3.0)]), np.array([math.log(0.5)]))
BOUGHT_TWICE = one(2.0, 10.0, 30.0, 1)._replace(at_purchases=np.array([[1.0]]))


def season(u: float, factor: float) -> float:
    """Return the exposure at u where the fortnight has a factor."""
    return min(u, 7.0) + factor * min(max(u - 7.0, 0.0), 14.0) + max(u - 21.0, 0.0)


def silence(rate: float, leaving: float) -> float:
    """Return P(no purchase from 10 to 30, alive or not) for known rates, piece by piece, times survival."""
    alive = math.exp(-rate * season(30.0, 3.0) - leaving * season(30.0, 0.5))
    total = alive
    for begin, end, b, d in ((10.0, 21.0, 3.0, 0.5), (21.0, 30.0, 1.0, 1.0)):
        hazard = rate * b + leaving * d
        at_begin = math.exp(-rate * season(begin, 3.0) - leaving * season(begin, 0.5))
        total += leaving * d / hazard * at_begin * -math.expm1(-hazard * (end - begin))
    return total


def over_the_base(story: Callable[[float, float], float]) -> float:
    """Return a mean over customers' rates."""
    r, alpha, s, beta = AT_SEASON[:4]

    def density(leaving: float, rate: float) -> float:
        own = rate ** (r - 1.0) * math.exp(-alpha * rate) * alpha**r / special.gamma(r)
        return own * leaving ** (s - 1.0) * math.exp(-beta * leaving) * beta**s / special.gamma(s)

    # squares take the branch point of rate^(r - 1) at zero away
    return dblquad(
        lambda v, u: density(v * v, u * u) * story(u * u, v * v) * 4.0 * u * v,
        0, math.sqrt(3.5), 0, math.sqrt(3.0), epsabs=0, epsrel=1e-10,
    )[0]  # fmt: skip


def test_the_likelihood_is_the_story_integrated() -> None:
    """Rates are drawn; two purchases, one in season; then silence, because of leaving or of chance."""
    want = over_the_base(lambda rate, leaving: rate**2 * 3.0 * silence(rate, leaving))
    got = pareto_nbd_paths.log_likelihood(AT_SEASON, BOUGHT_TWICE, SEASON)
    assert float(got[0]) == pytest.approx(math.log(want), abs=1e-8)


def test_answers_are_means_over_what_is_not_known() -> None:
    """Seen at day 12, within the season; asked for the next 18 days, which it ends in."""
    seen = BOUGHT_TWICE._replace(T=np.array([12.0]))

    def survival(rate: float, leaving: float) -> float:
        return math.exp(-rate * season(12.0, 3.0) - leaving * season(12.0, 0.5))

    def seen_silent(rate: float, leaving: float) -> float:
        hazard = 3.0 * rate + 0.5 * leaving
        before = math.exp(-rate * season(10.0, 3.0) - leaving * season(10.0, 0.5))
        left = 0.5 * leaving / hazard * before * -math.expm1(-hazard * 2.0)
        return left + survival(rate, leaving)

    def bought(rate: float, leaving: float) -> float:
        stays = -math.expm1(-0.5 * leaving * 9.0) / (0.5 * leaving) * 3.0
        stays += math.exp(-0.5 * leaving * 9.0) * -math.expm1(-leaving * 9.0) / leaving
        return rate * stays * survival(rate, leaving)

    total = over_the_base(lambda rate, leaving: rate**2 * seen_silent(rate, leaving))
    alive = over_the_base(lambda rate, leaving: rate**2 * survival(rate, leaving)) / total
    silent = over_the_base(lambda rate, leaving: rate**2 * silence(rate, leaving)) / total
    purchases = over_the_base(lambda rate, leaving: rate**2 * bought(rate, leaving)) / total
    known = (AT_SEASON, seen, SEASON)
    assert float(pareto_nbd_paths.p_alive(*known)[0]) == pytest.approx(alive, rel=1e-8)
    assert float(pareto_nbd_paths.p_no_purchase(*known, 18.0)[0]) == pytest.approx(silent, rel=1e-8)
    assert float(pareto_nbd_paths.expected_purchases(*known, 18.0)[0]) == pytest.approx(purchases, rel=1e-8)


@laws
@given(seed=seeds, t=st.floats(1e-3, 1e4))
def test_without_covariates_it_is_pareto_nbd(seed: int, t: float) -> None:
    rng = np.random.default_rng(seed)
    params = pareto_nbd.ParetoNBDParams(*some_params(rng)[:4])
    histories = some_histories(rng)._replace(path=np.zeros(30, dtype=np.intp), at_purchases=np.empty((30, 0)))
    x, t_x, T = histories[:3]
    known = (plain(params), histories, no_covariates())
    for name, more in (
        ("log_likelihood", ()), ("gradient", ()), ("hessian", ()), ("p_alive", ()), ("p_no_purchase", (t,)),
        ("expected_purchases", (t,)), ("discounted_purchases", (t, 0.003)),
        ("residual_transactions", (0.003,)),
    ):  # fmt: skip
        got = getattr(pareto_nbd_paths, name)(*known, *more)
        want = getattr(pareto_nbd, name)(params, x, t_x, T, *more)
        scale = np.abs(want).max() if name in {"gradient", "hessian"} else 0.0
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12 + 1e-9 * scale, err_msg=name)
    new = pareto_nbd_paths.expected_purchases_new(plain(params), no_covariates(), t)
    assert float(new[0]) == pytest.approx(float(pareto_nbd.expected_purchases_new(params, t)), rel=1e-9)


@laws
@given(seed=seeds)
def test_effects_of_zero_do_nothing_and_constant_ones_scale_alpha_and_beta(seed: int) -> None:
    params, histories, paths = everything(seed)
    x, t_x, T = histories[:3]
    own = pareto_nbd.ParetoNBDParams(*params[:4])
    zero = params._replace(rate_effects=np.zeros(N_RATE), dropout_effects=np.zeros(N_DROPOUT))
    got = pareto_nbd_paths.log_likelihood(zero, histories, paths)
    np.testing.assert_allclose(got, pareto_nbd.log_likelihood(own, x, t_x, T), rtol=1e-9, atol=1e-11)
    firsts = paths.offsets[:-1]
    always = Paths(np.arange(N_PATHS + 1), np.zeros(N_PATHS), paths.rate[firsts], paths.dropout[firsts])
    b, d = factor(always.rate, params.rate_effects), factor(always.dropout, params.dropout_effects)
    moved = own._replace(alpha=params.alpha / b[histories.path], beta=params.beta / d[histories.path])
    known = histories._replace(at_purchases=x[:, None] * always.rate[histories.path])
    for name, more in (("log_likelihood", ()), ("p_alive", ()), ("expected_purchases", (40.0,))):
        got = getattr(pareto_nbd_paths, name)(params, known, always, *more)
        np.testing.assert_allclose(
            got, getattr(pareto_nbd, name)(moved, x, t_x, T, *more), rtol=1e-9, atol=1e-11
        )


@settings(laws, max_examples=12)
@given(seed=seeds)
def test_gradient_and_hessian_equal_the_difference_quotients(seed: int) -> None:
    params, histories, paths = everything(seed)
    at = np.concatenate([params[:4], params.rate_effects, params.dropout_effects])

    def moved(values: FloatArray) -> Params:
        return Params(*values[:4].tolist(), values[4 : 4 + N_RATE], values[4 + N_RATE :])

    value, slope, curvature = pareto_nbd_paths.value_gradient_hessian(params, histories, paths)
    assert np.array_equal(slope, pareto_nbd_paths.gradient(params, histories, paths))
    assert np.array_equal(curvature, pareto_nbd_paths.hessian(params, histories, paths))
    np.testing.assert_allclose(curvature, np.swapaxes(curvature, 1, 2), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        value, pareto_nbd_paths.log_likelihood(params, histories, paths), rtol=1e-12, atol=1e-13
    )
    for i, here in enumerate(at):
        h = 1e-5 * (here if i < 4 else 1.0)
        up, down = at.copy(), at.copy()
        up[i], down[i] = here + h, here - h
        for function, exact in (
            (pareto_nbd_paths.log_likelihood, slope[:, i]),
            (pareto_nbd_paths.gradient, curvature[:, i]),
        ):
            ahead, behind = (function(moved(values), histories, paths) for values in (up, down))
            noise = 1e-13 * np.abs(ahead).max() / h + 1e-6 * np.abs(exact).max()
            np.testing.assert_allclose(exact, (ahead - behind) / (2.0 * h), rtol=1e-5, atol=noise)


@laws
@given(seed=seeds, cut=st.floats(0.01, 0.99))
def test_cutting_pieces_in_two_changes_nothing(seed: int, cut: float) -> None:
    params, histories, paths = everything(seed)
    twice = np.repeat(np.arange(paths.starts.size), 2)
    ends = np.append(paths.starts[1:], 0.0)
    ends[paths.offsets[1:] - 1] = paths.starts[paths.offsets[1:] - 1] + 50.0
    starts = paths.starts[twice]
    starts[1::2] += cut * (ends - paths.starts)
    finer = Paths(2 * paths.offsets, starts, paths.rate[twice], paths.dropout[twice])
    for name, more in (
        ("log_likelihood", ()), ("p_alive", ()), ("expected_purchases", (80.0,)), ("p_no_purchase", (80.0,)),
        ("discounted_purchases", (80.0, 0.01)),
    ):  # fmt: skip
        function = getattr(pareto_nbd_paths, name)
        want = function(params, histories, paths, *more)
        np.testing.assert_allclose(function(params, histories, finer, *more), want, rtol=1e-10, atol=1e-13)


@laws
@given(seed=seeds, c=st.floats(0.01, 100.0))
def test_a_change_of_the_unit_of_time_changes_no_answer(seed: int, c: float) -> None:
    params, histories, paths = everything(seed)
    other = params._replace(alpha=c * params.alpha, beta=c * params.beta)
    longer = histories._replace(recency=c * histories.recency, T=c * histories.T)
    stretched = paths._replace(starts=c * paths.starts)
    want = pareto_nbd_paths.log_likelihood(params, histories, paths) - histories.frequency * math.log(c)
    got = pareto_nbd_paths.log_likelihood(other, longer, stretched)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    want = pareto_nbd_paths.discounted_purchases(params, histories, paths, 60.0, 0.02)
    got = pareto_nbd_paths.discounted_purchases(other, longer, stretched, 60.0 * c, 0.02 / c)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@laws
@given(seed=seeds, t=st.floats(1e-3, 1e3))
def test_silence_is_the_ratio_of_likelihoods(seed: int, t: float) -> None:
    params, histories, paths = everything(seed)
    later = pareto_nbd_paths.log_likelihood(params, histories._replace(T=histories.T + t), paths)
    ratio = np.exp(later - pareto_nbd_paths.log_likelihood(params, histories, paths))
    got = pareto_nbd_paths.p_no_purchase(params, histories, paths, t)
    np.testing.assert_allclose(got, ratio, rtol=1e-9, atol=1e-13)


@settings(laws, max_examples=20)
@given(seed=seeds)
def test_time_ahead_only_adds_purchases_and_discounting_takes_some_away(seed: int) -> None:
    params, histories, paths = everything(seed)
    aheads = [0.0, 1e-6, 0.1, 5.0, 60.0, 400.0, 1e5]
    alive = pareto_nbd_paths.p_alive(params, histories, paths)
    bought = np.array([pareto_nbd_paths.expected_purchases(params, histories, paths, t) for t in aheads])
    silent = np.array([pareto_nbd_paths.p_no_purchase(params, histories, paths, t) for t in aheads])
    worth = np.array(
        [pareto_nbd_paths.discounted_purchases(params, histories, paths, t, 0.01) for t in aheads]
    )
    endless = pareto_nbd_paths.residual_transactions(params, histories, paths, 0.01)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (bought[0] == 0).all()
    assert (np.diff(bought, axis=0) >= 0).all()
    assert (np.diff(silent, axis=0) <= 1e-14).all()
    assert (silent >= 1.0 - alive - 1e-14).all()
    assert (silent >= 1.0 - bought - 1e-13).all()
    assert (worth <= bought * (1 + 1e-12)).all()
    np.testing.assert_allclose(worth[-1], endless, rtol=1e-12)
    undiscounted = pareto_nbd_paths.residual_transactions(params, histories, paths, 0.0)
    assert (undiscounted >= bought[-1] * (1 - 1e-12)).all()
    assert np.isfinite(undiscounted).all() == (params.s > 1.0)


@pytest.mark.parametrize("x", [0.0, 1.0, 160.0, 10_000.0])
@pytest.mark.parametrize("shape", [1e-6, 1.0, 300.0])
def test_everything_is_finite_at_the_edges(x: float, shape: float) -> None:
    """Heavy buyers, effects that run away, times from hours to centuries; warnings are errors here."""
    for effect, T, alpha, beta in (
        (0.0, 1e5, 1e-3, 1e4), (-23.0, 104.0, 115.0, 158.0), (40.0, 300.0, 5.0, 5.0), (800.0, 30.0, 1.0, 9.0),
    ):  # fmt: skip
        paths = Paths(
            np.array([0, 3]), np.array([0.0, 0.2 * T, 0.9 * T]), np.eye(3)[:, :1], np.eye(3)[:, 1:2]
        )
        for t_x in (0.0, T) if x == 0.0 else (1e-9 * T, 0.5 * T, (1.0 - 1e-9) * T):
            known = one(x, t_x if x > 0 else 0.0, T, 1)
            params = Params(shape, alpha, 1.0 / shape, beta, np.array([0.3]), np.array([effect]))
            for values in pareto_nbd_paths.value_gradient_hessian(params, known, paths):
                assert np.isfinite(values).all(), (x, shape, effect, t_x)
            assert 0.0 <= float(pareto_nbd_paths.p_alive(params, known, paths)[0]) <= 1.0
            for t in (1e-6, 1e5):
                assert 0.0 <= float(pareto_nbd_paths.p_no_purchase(params, known, paths, t)[0]) <= 1.0
                assert float(pareto_nbd_paths.expected_purchases(params, known, paths, t)[0]) >= 0.0
                assert float(pareto_nbd_paths.discounted_purchases(params, known, paths, t, 0.01)[0]) >= 0.0


def test_a_tiny_time_ahead_keeps_its_digits_late_in_a_long_life() -> None:
    known = (
        plain(pareto_nbd.ParetoNBDParams(0.5, 10.0, 0.6, 12.0)),
        one(3.0, 99_000.0, 1e5),
        no_covariates(),
    )
    rate = pareto_nbd_paths.p_alive(*known)[0] * 3.5 / (10.0 + 1e5)
    got = pareto_nbd_paths.expected_purchases(*known, 1e-6)[0]
    assert float(got) == pytest.approx(float(rate) * 1e-6, rel=1e-10)


def test_blocks_change_nothing_and_customers_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    params, histories, paths = everything(7)
    whole = pareto_nbd_paths.value_gradient_hessian(params, histories, paths)
    ahead = pareto_nbd_paths.p_no_purchase(params, histories, paths, 30.0)
    monkeypatch.setattr(covariate_paths, "_PIECES_AT_ONCE", 5)
    for got, want in zip(
        pareto_nbd_paths.value_gradient_hessian(params, histories, paths), whole, strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        pareto_nbd_paths.p_no_purchase(params, histories, paths, 30.0), ahead, rtol=1e-13
    )
    nobody = histories.at(slice(0, 0))
    assert pareto_nbd_paths.expected_purchases(params, nobody, paths, 30.0).shape == (0,)
    assert pareto_nbd_paths.hessian(params, nobody, paths).shape == (0, 9, 9)


@laws
@given(seed=seeds)
def test_pieces_cover_the_time_between(seed: int) -> None:
    rng = np.random.default_rng(seed)
    paths, path = some_paths(rng), rng.integers(0, N_PATHS, 40)
    begin = np.where(rng.random(40) < 0.3, paths.starts[paths.offsets[path]], rng.uniform(0, 120, 40))
    duration = np.where(rng.random(40) < 0.2, 0.0, rng.uniform(0, 120, 40))
    pieces = pieces_between(paths, path, begin, duration)
    total = np.bincount(pieces.owner, pieces.length, minlength=40)
    np.testing.assert_allclose(total, duration, rtol=1e-12, atol=1e-12)
    middle = pieces.start + pieces.length / 2.0
    assert np.array_equal(pieces_at(paths, path[pieces.owner], middle), pieces.piece)
    slopes = rng.normal(size=(paths.starts.size, 2))
    so_far = exposure(paths, slopes)
    for owner in range(N_PATHS):
        own = slice(paths.offsets[owner], paths.offsets[owner + 1])
        steps = np.diff(paths.starts[own])[:, None] * slopes[own][:-1]
        np.testing.assert_allclose(so_far[own][1:], np.cumsum(steps, axis=0), rtol=1e-12, atol=1e-12)


def test_blocks_hold_every_customer_once() -> None:
    owner = np.repeat(np.arange(6), [0, 9000, 1, 0, 9000, 0])
    zeros = np.zeros(owner.size)
    parts = list(blocks(Pieces(owner, owner, zeros, zeros), 6))
    assert [list(range(6))[rows] for rows, _ in parts] == [[0, 1], [2, 3, 4], [5]]
    assert sum(part.owner.size for _, part in parts) == owner.size
