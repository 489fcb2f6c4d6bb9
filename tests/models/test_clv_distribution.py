"""The distribution of value: its moments are those of theory, and its intervals hold as often as they say."""

from __future__ import annotations

import copy
import importlib.util
import tracemalloc
import warnings
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.models import BGNBD, GammaGamma
from habitue.models.bgcnbdk import BGCNBDk
from habitue.models.clv_distribution import clv_distribution
from habitue.models.ggompertz_nbd import GGompertzNBD
from habitue.models.mbgcnbdk import MBGCNBDk
from habitue.models.mbgnbd import MBGNBD
from habitue.models.nbd import NBD
from habitue.models.pareto_nbd import ParetoNBD
from habitue.numerics import bgnbd, gamma_gamma
from habitue.numerics.discounting import Discount
from habitue.numerics.purchases import histories

MONEY = ["mean", "sd", "median", "lower", "upper"]
FAMILIES = [
    BGNBD(), MBGNBD(), ParetoNBD(), GGompertzNBD(penalizer=0.001), NBD(), BGCNBDk(k=2), MBGCNBDk(k=2),
]  # fmt: skip


def customers(n: int, seed: int = 0) -> pd.DataFrame:
    """Simulate customers who buy by BG/NBD and spend by gamma-gamma."""
    rng = np.random.default_rng(seed)
    T, new = rng.uniform(100.0, 700.0, n), np.zeros(n)
    drawn = bgnbd.simulate(bgnbd.Params(0.8, 40.0, 0.8, 2.4), new, new, new, T, random_state=rng)
    x, t_x = histories(drawn)
    spend = gamma_gamma.Params(4.0, 5.0, 25.0)
    amounts = gamma_gamma.simulate_amounts(spend, new, new, drawn.customer, random_state=rng)
    mean = np.bincount(drawn.customer, amounts, minlength=n) / np.maximum(x, 1.0)
    return pd.DataFrame(
        {"frequency": x, "recency": t_x, "T": T, "monetary_value": mean},
        index=pd.Index([f"c{i}" for i in range(n)], name="customer_id"),
    )


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    return customers(400)


@pytest.fixture(scope="module")
def purchases(X: pd.DataFrame) -> BGNBD:
    return BGNBD().fit(X)


@pytest.fixture(scope="module")
def spend(X: pd.DataFrame) -> GammaGamma:
    return GammaGamma().fit(X)


def as_draws(params: Any, *factors: float) -> Any:
    """Return draws of parameters: the fitted ones, the first of them times each factor."""
    first, *rest = params
    return params._make(
        [np.array([[first * f] for f in factors]), *(np.full((len(factors), 1), r) for r in rest)]
    )


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_the_mean_is_exactly_purchases_times_spend(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma, share: float
) -> None:
    value = clv_distribution(purchases, spend, X, horizon=365, n_draws=20, net_share=share, random_state=0)
    expected = purchases.expected_purchases(X, horizon=365) * spend.expected_spend(X) * share
    np.testing.assert_allclose(value.customers["mean"], expected, rtol=1e-13)
    np.testing.assert_allclose(value.customers["p_zero"], purchases.p_no_purchase(X, horizon=365), rtol=1e-13)
    assert value.equity()["mean"] == pytest.approx(expected.sum(), rel=1e-13)
    assert value.customers.index.equals(X.index)


@pytest.mark.parametrize("discount", [None, Discount(0.3)], ids=["undiscounted", "discounted"])
@pytest.mark.parametrize("model", FAMILIES, ids=lambda model: type(model).__name__)
def test_futures_of_every_family_agree_with_its_formulas(
    X: pd.DataFrame, spend: GammaGamma, model: Any, discount: Discount | None
) -> None:
    """The total's mean is the sum of exact means, whatever the family, with and without discount."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        fitted = model.fit(X)
    value = clv_distribution(fitted, spend, X, horizon=200, n_draws=300, discount=discount, random_state=1)
    error = value.total.std() / np.sqrt(value.total.size)
    assert abs(value.total.mean() - value.equity()["mean"]) < 4.0 * error


def test_customer_by_customer_futures_have_the_exact_mean_and_chance_of_nothing(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    """Handing in the fitted parameters as draws makes mean and p_zero averages over futures."""
    n_draws = 2_000
    drawn = clv_distribution(
        purchases, spend, X, horizon=365, n_draws=n_draws, random_state=2,
        purchase_draws=as_draws(purchases.params_, 1.0), spend_draws=as_draws(spend.params_, 1.0),
    ).customers  # fmt: skip
    exact = clv_distribution(purchases, spend, X, horizon=365, n_draws=2, random_state=2).customers
    often = exact["p_zero"].between(0.05, 0.95) & np.isfinite(drawn["sd"])
    z = ((drawn["mean"] - exact["mean"]) / (drawn["sd"] / np.sqrt(n_draws)))[often]
    p = exact["p_zero"][often]
    z_zero = (drawn["p_zero"][often] - p) / np.sqrt(p * (1.0 - p) / n_draws)
    for score in (z, z_zero):
        assert abs(score.mean()) * np.sqrt(often.sum()) < 4.0
        assert 0.85 < score.std() < 1.2
        assert score.abs().max() < 5.5


def test_the_spread_is_that_of_one_level_of_spend_behind_all_purchases(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    """Var S = E[N] p E[1/nu^2] + p^2 (E[N^2] E[1/nu^2] - E[N]^2 E[1/nu]^2); nu is drawn once a customer."""
    some = X[(X["frequency"] >= 3) & (purchases.p_no_purchase(X) < 0.5)].head(30)
    p, q, v = spend.params_
    shape, rate = p * some["frequency"] + q, v + some["frequency"] * some["monetary_value"]
    n = np.arange(200.0)[:, None]
    pmf = bgnbd.purchase_pmf(purchases.params_, *some[["frequency", "recency", "T"]].to_numpy().T, 365.0, n)
    first, second = (n * pmf).sum(axis=0), (n**2 * pmf).sum(axis=0)
    inverse, inverse_square = rate / (shape - 1.0), rate**2 / ((shape - 1.0) * (shape - 2.0))
    variance = first * p * inverse_square + p**2 * (second * inverse_square - (first * inverse) ** 2)
    told = clv_distribution(purchases, spend, some, horizon=365, n_draws=20_000, random_state=3).customers
    np.testing.assert_allclose(told["sd"], np.sqrt(variance), rtol=0.08)
    assert abs((told["sd"] / np.sqrt(variance)).mean() - 1.0) < 0.02


def test_a_longer_horizon_brings_more(X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma) -> None:
    values = [
        clv_distribution(purchases, spend, X, horizon=days, n_draws=200, random_state=0)
        for days in (30.0, 120.0, 480.0)
    ]
    for shorter, longer in pairwise(values):
        assert (longer.customers["mean"] > shorter.customers["mean"]).all()
        assert (longer.customers["p_zero"] < shorter.customers["p_zero"]).all()
        assert longer.equity()["lower"] > shorter.equity()["upper"]


def test_the_currency_scales_money_and_nothing_else(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    cents = copy.deepcopy(spend)
    cents.params_ = spend.params_._replace(v=100.0 * spend.params_.v)
    in_cents = X.assign(monetary_value=100.0 * X["monetary_value"])
    one, hundred = (
        clv_distribution(purchases, model, base, horizon=90, n_draws=50, random_state=0)
        for model, base in ((spend, X), (cents, in_cents))
    )
    np.testing.assert_allclose(hundred.customers[MONEY], 100.0 * one.customers[MONEY], rtol=1e-11)
    np.testing.assert_array_equal(hundred.customers["p_zero"], one.customers["p_zero"])
    np.testing.assert_allclose(hundred.total, 100.0 * one.total, rtol=1e-11)


def test_discount_lowers_value_and_none_is_the_discount_of_nothing(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    full, nothing, some, more = (
        clv_distribution(purchases, spend, X, horizon=365, n_draws=60, discount=discount, random_state=0)
        for discount in (None, Discount(0.0), Discount(0.1), Discount(0.5, "monthly"))
    )
    np.testing.assert_array_equal(nothing.total, full.total)
    # the same purchases and amounts, each worth less: true of every future
    assert (full.total > some.total).all()
    assert (some.total > more.total).all()
    assert (full.customers["mean"] > some.customers["mean"]).all()
    assert (full.customers["upper"] >= some.customers["upper"]).all()
    np.testing.assert_array_equal(some.customers["p_zero"], full.customers["p_zero"])
    ratio = some.equity()["mean"] / full.equity()["mean"]
    assert 1.0 / 1.1 < ratio < 1.0


def test_returns_take_one_share_off_every_future(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    kept, net = (
        clv_distribution(purchases, spend, X, horizon=90, n_draws=50, net_share=share, random_state=0)
        for share in (1.0, 0.8)
    )
    np.testing.assert_allclose(net.customers[MONEY], 0.8 * kept.customers[MONEY], rtol=1e-12)
    np.testing.assert_allclose(net.total, 0.8 * kept.total, rtol=1e-12)


def test_amounts_that_say_nothing_of_spend_are_passed_over(purchases: BGNBD, spend: GammaGamma) -> None:
    """A mean of 0 or less is as good as none: the value is that of a customer of unknown spend."""
    X = pd.DataFrame(
        {"frequency": 3.0, "recency": 200.0, "T": 250.0, "monetary_value": [0.0, -12.0]},
        index=["gifts", "sent"],
    )
    told = clv_distribution(purchases, spend, X, horizon=365, n_draws=4_000, random_state=0)
    p, q, v = spend.params_
    expected = float(purchases.expected_purchases(X).iloc[0]) * p * v / (q - 1.0)
    np.testing.assert_allclose(told.customers["mean"], expected, rtol=1e-12)
    assert told.total.mean() == pytest.approx(2.0 * expected, rel=0.08)


def test_the_same_number_gives_the_same_answer_whoever_comes_after(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    """Each block of customers has a generator of its own, so later blocks change nothing."""
    n_draws, many = 1_000, pd.concat([X, X], ignore_index=True)
    one, again, other, longer = (
        clv_distribution(purchases, spend, base, horizon=90, n_draws=n_draws, random_state=seed)
        for base, seed in ((X, 5), (X, 5), (X, 6), (many, 5))
    )
    pd.testing.assert_frame_equal(one.customers, again.customers)
    np.testing.assert_array_equal(one.total, again.total)
    assert not np.array_equal(one.total, other.total)
    whole_blocks = len(X) // 65 * 65
    np.testing.assert_array_equal(
        longer.customers.to_numpy()[:whole_blocks], one.customers.to_numpy()[:whole_blocks]
    )
    from_generator = clv_distribution(
        purchases, spend, X, horizon=90, n_draws=n_draws, random_state=np.random.default_rng(5)
    )
    np.testing.assert_array_equal(from_generator.total, one.total)


def test_drawn_parameters_are_shared_by_all_customers_of_a_future(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    """Two equally likely means of new customers, one thrice the other: the total has two peaks, far apart."""
    new = pd.DataFrame(0.0, index=range(500), columns=["frequency", "recency", "T", "monetary_value"])
    draws = as_draws(purchases.params_, 0.5, 1.5)
    settings: dict[str, Any] = {"horizon": 365, "n_draws": 400, "random_state": 0}
    value = clv_distribution(purchases, spend, new, purchase_draws=draws, **settings)
    known = clv_distribution(purchases, spend, new, **settings)
    low, high = value.total[0::2], value.total[1::2]
    assert low.max() < high.min()
    assert value.equity()["sd"] > 3.0 * known.equity()["sd"]
    for totals, factor in ((low, 0.5), (high, 1.5)):
        params = purchases.params_._replace(r=factor * purchases.params_.r)
        expected = bgnbd.expected_purchases_new(params, 365.0) * spend.expected_spend(new).sum()
        assert abs(totals.mean() - expected) < 4.0 * totals.std() / np.sqrt(totals.size)


def test_draws_may_be_one_a_customer_or_made_block_by_block(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    shared = as_draws(purchases.params_, 0.9, 1.0, 1.1)
    own = shared._make([np.repeat(field, len(X), axis=1) for field in shared])
    answers = [
        clv_distribution(
            purchases, spend, X, horizon=90, n_draws=300, random_state=0, purchase_draws=draws
        ).total
        for draws in (shared, own, lambda rows: own._make([field[:, rows] for field in own]))
    ]
    np.testing.assert_array_equal(answers[1], answers[0])
    np.testing.assert_array_equal(answers[2], answers[0])
    for wrong in (purchases.params_._make([np.ones(7)] * 4), purchases.params_._make([np.ones((7, 3))] * 4)):
        with pytest.raises(DataError, match="n_parameter_draws, 400"):
            clv_distribution(purchases, spend, X, horizon=90, purchase_draws=wrong)


def test_covariates_move_the_futures_as_they_move_the_means() -> None:
    X = customers(800, seed=4)
    rng = np.random.default_rng(4)
    X = X.assign(is_member=(rng.random(len(X)) < 0.5).astype(float), is_online=rng.normal(size=len(X)))
    model = BGNBD(rate_covariates=["is_member"]).fit(X)
    model.rate_effects_ = {"is_member": 1.0}
    amounts = GammaGamma(spend_covariates=["is_online"]).fit(X)
    amounts.spend_effects_ = {"is_online": 0.3}
    value = clv_distribution(model, amounts, X, horizon=200, n_draws=400, random_state=0)
    error = value.total.std() / np.sqrt(value.total.size)
    assert abs(value.total.mean() - value.equity()["mean"]) < 4.0 * error


def test_a_spread_that_does_not_exist_is_infinite(purchases: BGNBD, spend: GammaGamma) -> None:
    X = pd.DataFrame(
        {"frequency": [0.0, 5.0], "recency": [0.0, 90.0], "T": 100.0, "monetary_value": [0.0, 30.0]}
    )
    heavy = copy.deepcopy(spend)
    heavy.params_ = spend.params_._replace(q=1.5)
    value = clv_distribution(purchases, heavy, X, horizon=90, n_draws=100, random_state=0)
    assert np.isinf(value.customers["sd"]).tolist() == [True, False]
    assert np.isinf(value.equity()["sd"])
    assert np.isfinite(value.customers.drop(columns="sd")).all(axis=None)


def test_memory_grows_with_neither_customers_nor_heavy_buyers(
    X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma
) -> None:
    """Beyond the columns read and the answer (together below 250 bytes a customer) nothing grows."""

    def peak(base: pd.DataFrame, **settings: Any) -> int:
        tracemalloc.start()
        try:
            clv_distribution(purchases, spend, base, n_draws=50, random_state=0, **settings)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = (pd.concat([X] * times, ignore_index=True) for times in (10, 50))
    assert peak(many, horizon=30) - peak(few, horizon=30) < 250 * (len(many) - len(few))
    heavy = pd.DataFrame(
        {"frequency": 2_000.0, "recency": 699.0, "T": 700.0, "monetary_value": 9.0}, index=range(40)
    )  # some 3 million purchases, at 60 bytes each while they are drawn
    assert peak(heavy, horizon=700, discount=Discount(0.1)) < 80 * 2**20


def test_arrays_are_taken_and_settings_checked(X: pd.DataFrame, purchases: BGNBD, spend: GammaGamma) -> None:
    array = X[["frequency", "recency", "T", "monetary_value"]].to_numpy()
    told = clv_distribution(purchases, spend, array, horizon=90, n_draws=20, random_state=0)
    named = clv_distribution(purchases, spend, X, horizon=90, n_draws=20, random_state=0)
    np.testing.assert_array_equal(told.customers, named.customers)
    for wrong in ({"horizon": 0}, {"n_draws": 1}, {"level": 1.0}, {"net_share": 1.5}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            clv_distribution(purchases, spend, X, **{"horizon": 90, **wrong})
    with pytest.raises(SchemaError, match="monetary_value"):
        clv_distribution(purchases, spend, X.drop(columns="monetary_value"), horizon=90)


def coverage_study() -> ModuleType:
    """Load the study from the benchmarks that lie beside the tests, or skip where they do not."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"
    if not path.is_file():
        pytest.skip("the benchmarks are not here")
    spec = importlib.util.spec_from_file_location("coverage_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_intervals_hold_as_often_as_they_say() -> None:
    """Randomised where outcomes have mass of their own: then coverage is the level, neither less nor more.

    12 bases of 1,000 customers on average; the whole study of 200 is ``python -m benchmarks.coverage``.
    """
    table, failed = coverage_study().study(12, seed=1)
    assert failed == 0
    table = table.set_index("what")
    for what in (
        "purchases, randomised",
        "spend, randomised, parameters known",
        "spend, randomised, with parameter draws",
    ):
        told = table.loc[what]
        assert (told["error"] < 0.007).all(), what
        assert ((told["coverage"] - told["level"]).abs() < 0.02).all(), what
    for what in ("purchases, closed", "spend, closed, parameters known"):
        assert (table.loc[what, "coverage"] > table.loc[what, "level"]).all(), what
