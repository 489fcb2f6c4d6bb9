"""Pareto/NBD with covariate paths as an estimator: CLVTools' numbers, laws of fitting, what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import AssumptionWarning, DataError, FitError, SchemaError, SettingsError
from habitue.models.covariate_paths import CovariatePaths
from habitue.models.pareto_nbd_paths import ParetoNBDPaths
from habitue.models.persistence import load_model, save_model
from habitue.numerics.pareto_nbd import ParetoNBDParams
from habitue.numerics.pareto_nbd_paths import Params, value_gradient_hessian

NAMES = ["High.Season", "Gender", "Channel"]
HORIZON = 1450.0  # days: 207.142857 weeks


@pytest.fixture(scope="module")
def apparel(shared_data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return purchases and weekly covariates."""
    folder = shared_data / "data" / "apparel_clvtools"
    purchases = pd.read_parquet(folder / "apparelTrans.parquet")
    weeks = pd.read_parquet(folder / "apparelDynCov.parquet")
    return (
        purchases.rename(columns={"Id": "customer_id", "Date": "timestamp"}),
        weeks.rename(columns={"Id": "customer_id", "Cov.Date": "starts_at"}),
    )


@pytest.fixture(scope="module")
def paths(apparel: tuple[pd.DataFrame, pd.DataFrame]) -> CovariatePaths:
    return CovariatePaths.from_frames(*apparel, cutoff="2006-12-31")


def in_weeks(model: ParetoNBDPaths, paths: CovariatePaths) -> float:
    return model.loglik_ + math.log(7) * paths.history["frequency"].sum()


def at_clvtools_coefficients(shared_data: Path) -> tuple[ParetoNBDPaths, dict]:
    """Return a model with the parameters that CLVTools found, and what it says about customers."""
    oracle = json.loads((shared_data / "golden" / "golden_clvtools_oracle.json").read_text())["pnbd_dyncov"]
    found = oracle["params"]
    model = ParetoNBDPaths(rate_covariates=NAMES, dropout_covariates=NAMES)
    model.params_ = ParetoNBDParams(found["r"], 7 * found["alpha"], found["s"], 7 * found["beta"])
    model.rate_effects_ = {name: found[f"trans.{name}"] for name in NAMES}
    model.dropout_effects_ = {name: found[f"life.{name}"] for name in NAMES}
    return model, oracle


def test_every_customer_equals_clvtools(shared_data: Path, paths: CovariatePaths) -> None:
    model, oracle = at_clvtools_coefficients(shared_data)
    golden = pd.read_csv(
        shared_data / "golden" / "golden_apparel_pnbd_dyncov_at_clvtools_fit.csv", dtype={"Id": str}
    ).set_index("Id")
    X = paths.history.loc[golden.index]
    np.testing.assert_allclose(X["recency"] / 7, golden["t_x"], rtol=1e-14)
    histories, along, _ = paths.select(X.index, NAMES, NAMES)
    effects = (np.array(list(one.values())) for one in (model.rate_effects_, model.dropout_effects_))
    loglik = value_gradient_hessian(Params(*model.params_, *effects), histories, along)[0]
    loglik += math.log(7) * X["frequency"].to_numpy()
    np.testing.assert_allclose(loglik, golden["LL"], rtol=1e-9)
    assert loglik.sum() == pytest.approx(oracle["loglik"], abs=1e-8)
    assert model.score(X, paths=paths) * 600 == pytest.approx(
        oracle["loglik"] - math.log(7) * X["frequency"].sum()
    )
    np.testing.assert_allclose(model.p_alive(X, paths=paths), golden["PAlive"], rtol=1e-9)
    expected = model.expected_purchases(X, paths=paths, horizon=HORIZON)
    np.testing.assert_allclose(expected, golden["CET"], rtol=1e-9)


def test_discounted_purchases_equal_clvtools(shared_data: Path, paths: CovariatePaths) -> None:
    """At log(1.1) a week, its default."""
    model, oracle = at_clvtools_coefficients(shared_data)
    rows = pd.DataFrame(oracle["predictions_at_params"]["rows"]).set_index(0)
    worth = model.residual_transactions(
        paths.history.loc[rows.index], paths=paths, discount=1.1 ** (365.25 / 7) - 1, horizon=HORIZON
    )
    np.testing.assert_allclose(worth, rows[3], rtol=1e-9)


def test_the_fit_without_a_ridge_reaches_the_best_known_and_names_its_boundary(paths: CovariatePaths) -> None:
    model = ParetoNBDPaths(rate_covariates=NAMES, dropout_covariates=NAMES, covariate_penalizer=0.0)
    with pytest.warns(AssumptionWarning, match=r"dropout effect of High\.Season"):
        model.fit(paths.history, paths=paths)
    assert in_weeks(model, paths) >= -5752.6232
    assert model.dropout_effects_["High.Season"] < -8.0
    assert model.rate_effects_["High.Season"] == pytest.approx(0.7185, abs=1e-3)
    assert model.gradient_norm_ < 1e-8


def test_the_ridge_by_default_keeps_effects_finite_and_says_what_it_holds(paths: CovariatePaths) -> None:
    model = ParetoNBDPaths(rate_covariates=NAMES, dropout_covariates=NAMES).fit(paths.history, paths=paths)
    assert -2.0 < model.dropout_effects_["High.Season"] < 0.0
    assert "dropout effect of High.Season" in model.advice_
    assert "Gender" not in model.advice_
    assert in_weeks(model, paths) > -5752.9
    table = model.summary()
    assert table.loc["rate.High.Season", "p_value"] < 1e-6
    assert table.loc["dropout.High.Season", "standard_error"] < 2.0
    np.testing.assert_allclose(table["standard_error"] ** 2, np.diag(model.covariance_))


def test_static_covariates_are_constant_paths(
    shared_data: Path, apparel: tuple, paths: CovariatePaths
) -> None:
    folder = shared_data / "data" / "apparel_clvtools"
    attributes = pd.read_parquet(folder / "apparelStaticCov.parquet").rename(columns={"Id": "customer_id"})
    static = CovariatePaths.constant(apparel[0], attributes, cutoff="2006-12-31")
    names = ["Gender", "Channel"]
    model = ParetoNBDPaths(rate_covariates=names, dropout_covariates=names, covariate_penalizer=0.0)
    model.fit(static.history, paths=static)
    assert in_weeks(model, static) == pytest.approx(-5821.062685868864, abs=1e-6)
    assert model.advice_ == ""
    again = clone(model).fit(paths.history, paths=paths)
    assert again.loglik_ == pytest.approx(model.loglik_, abs=1e-9)
    nothing = ParetoNBDPaths().fit(paths.history, paths=paths)
    assert in_weeks(nothing, paths) == pytest.approx(-5848.0978269022435, abs=1e-6)


# A small base of known truth: weekly promotions that double purchases, customers who differ in one attribute.


def simulate(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return purchases, day by day, and weekly covariates of a base over 560 days."""
    rng = np.random.default_rng(seed)
    rate, leaving = rng.gamma(1.5, 1 / 60.0, n), rng.gamma(1.2, 1 / 300.0, n)
    joined, online = rng.integers(0, 200, n), rng.integers(0, 2, n).astype(float)
    promoted = rng.random((n, 90)) < 0.3
    days = np.arange(560)
    active = (days > joined[:, None]) & (
        days < joined[:, None] + rng.exponential(1, n)[:, None] / leaving[:, None]
    )
    chance = -np.expm1(
        -rate[:, None] * np.exp(math.log(2.0) * promoted[:, days // 7] - 0.5 * online[:, None])
    )
    who, day = np.nonzero((rng.random((n, 560)) < chance) & active | (days == joined[:, None]))
    start = pd.Timestamp("2023-01-01")
    purchases = pd.DataFrame({"customer_id": who, "timestamp": start + pd.to_timedelta(day, "D")})
    weeks = pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(n), 90),
            "starts_at": start + pd.to_timedelta(np.tile(7 * np.arange(90), n), "D"),
            "promotion": promoted.ravel().astype(float),
            "online": np.repeat(online, 90),
        }
    )
    return purchases, weeks


CUTOFF = "2024-07-13"  # the 560th day


@pytest.fixture(scope="module")
def base() -> tuple[pd.DataFrame, pd.DataFrame]:
    return simulate(1500, seed=5)


@pytest.fixture(scope="module")
def small(base: tuple[pd.DataFrame, pd.DataFrame]) -> CovariatePaths:
    return CovariatePaths.from_frames(*base, cutoff=CUTOFF)


@pytest.fixture(scope="module")
def fitted(small: CovariatePaths) -> ParetoNBDPaths:
    model = ParetoNBDPaths(horizon=28.0, rate_covariates=["promotion", "online"], covariate_penalizer=1e-6)
    return model.fit(small.history, paths=small)


def test_simulate_and_refit_recovers_the_effects(fitted: ParetoNBDPaths) -> None:
    for name, truth in (("promotion", math.log(2.0)), ("online", -0.5)):
        error = (fitted.rate_effects_[name] - truth) / fitted.rate_effect_errors_[name]
        assert abs(error) < 4.0, (name, fitted.rate_effects_, fitted.rate_effect_errors_)
        assert fitted.rate_effect_errors_[name] < 0.1
    assert fitted.params_.alpha / fitted.params_.r == pytest.approx(40.0, rel=0.25)


def test_the_order_of_customers_changes_nothing_and_weights_are_repetition(
    small: CovariatePaths, fitted: ParetoNBDPaths
) -> None:
    X = small.history.iloc[:300]
    shuffled = X.sample(frac=1.0, random_state=1)
    one, other = (clone(fitted).fit(some, paths=small) for some in (X, shuffled))
    assert one.params_ == other.params_
    assert one.rate_effects_ == other.rate_effects_
    twice = clone(fitted).fit(pd.concat([X, X.iloc[:100]]), paths=small)
    weighted = clone(fitted).fit(X, paths=small, sample_weight=1.0 + (np.arange(300) < 100))
    assert twice.loglik_ == pytest.approx(weighted.loglik_, rel=1e-12)
    pd.testing.assert_series_equal(
        one.p_alive(shuffled, paths=small).sort_index(), one.p_alive(X, paths=small).sort_index()
    )


def test_it_comes_back_from_disk(small: CovariatePaths, fitted: ParetoNBDPaths, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "model")
    again = load_model(tmp_path / "model")
    for name in ("p_alive", "expected_purchases", "p_no_purchase", "predict"):
        want = getattr(fitted, name)(small.history, paths=small)
        pd.testing.assert_series_equal(
            getattr(again, name)(small.history, paths=small), want, check_exact=True
        )


def test_a_promotion_planned_ahead_sells_more(
    base: tuple[pd.DataFrame, pd.DataFrame], small: CovariatePaths, fitted: ParetoNBDPaths
) -> None:
    ahead = base[1][["customer_id", "online"]].drop_duplicates()
    weeks = pd.DataFrame({"starts_at": pd.date_range(pd.Timestamp("2024-09-22"), periods=8, freq="7D")})
    expected = {}
    for promotion in (0.0, 1.0):
        longer = small.extended(weeks.merge(ahead, "cross").assign(promotion=promotion))
        assert (longer.reach == small.reach + 56).all()
        expected[promotion] = fitted.expected_purchases(small.history, paths=longer, horizon=126.0)
        near = fitted.expected_purchases(small.history, paths=longer, horizon=70.0)
        pd.testing.assert_series_equal(
            near, fitted.expected_purchases(small.history, paths=small, horizon=70.0)
        )
    assert (expected[1.0] > expected[0.0]).all()


def test_what_lies_ahead_changes_no_fit(
    base: tuple[pd.DataFrame, pd.DataFrame], small: CovariatePaths, fitted: ParetoNBDPaths
) -> None:
    purchases, weeks = base
    known = weeks[weeks["starts_at"] <= CUTOFF]
    again = clone(fitted).fit(
        small.history, paths=CovariatePaths.from_frames(purchases, known, cutoff=CUTOFF)
    )
    np.testing.assert_allclose(again.params_, fitted.params_, rtol=1e-7)
    assert again.loglik_ == pytest.approx(fitted.loglik_, rel=1e-12)


def test_ends_given_are_the_calendar_made_explicit(
    base: tuple[pd.DataFrame, pd.DataFrame], small: CovariatePaths
) -> None:
    purchases, weeks = base
    given = weeks.assign(ends_at=weeks["starts_at"] + pd.Timedelta(days=7))
    again = CovariatePaths.from_frames(purchases, given, cutoff=CUTOFF, columns=["promotion", "online"])
    for name in ("path", "offsets", "starts", "values", "reach", "at_purchases"):
        np.testing.assert_array_equal(getattr(again, name), getattr(small, name))


def test_purchases_count_the_covariates_of_their_day(
    base: tuple[pd.DataFrame, pd.DataFrame], small: CovariatePaths
) -> None:
    purchases, weeks = base
    starts = weeks.set_index(["customer_id", "starts_at"])["promotion"]
    days = purchases.drop_duplicates().sort_values(["customer_id", "timestamp"])
    days = days[days.duplicated("customer_id")]
    begin = pd.Timestamp("2023-01-01")
    week = begin + pd.to_timedelta((days["timestamp"] - begin).dt.days // 7 * 7, "D")
    held = starts.loc[pd.MultiIndex.from_arrays([days["customer_id"], week])].to_numpy()
    want = (
        pd.Series(held).groupby(days["customer_id"].to_numpy()).sum().reindex(small.customers, fill_value=0.0)
    )
    np.testing.assert_array_equal(small.at_purchases[:, 0], want)


BAD_ROWS = {
    "gap": (lambda w: w.drop(index=5), DataError, "without a gap"),
    "double": (lambda w: pd.concat([w, w.iloc[[5]]]), DataError, "without an overlap"),
    "missing": (lambda w: w.assign(promotion=w["promotion"].mask(w.index == 5)), DataError, "finite numbers"),
    "stranger": (lambda w: w[w["customer_id"] != 3], DataError, "have none"),
    "late": (lambda w: w[(w["customer_id"] != 3) | (w["starts_at"] > "2024")], DataError, "only from after"),
    "short": (lambda w: w[w["starts_at"] < "2024-01-01"], DataError, "not until the cutoff"),
    "text": (lambda w: w.assign(promotion="yes"), SchemaError, "expected numbers"),
    "no start": (lambda w: w.drop(columns="starts_at"), SchemaError, "starts_at"),
    "one day": (lambda w: w[w["starts_at"] == "2023-01-01"], DataError, "CovariatePaths.constant"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_covariates_are_answered_with_a_sentence(case: str) -> None:
    purchases, weeks = simulate(20, seed=2)
    spoil, error, match = BAD_ROWS[case]
    with pytest.raises(error, match=match):
        CovariatePaths.from_frames(purchases, spoil(weeks), cutoff=CUTOFF)


def test_bad_purchases_and_questions_are_answered_with_a_sentence(
    base: tuple[pd.DataFrame, pd.DataFrame], small: CovariatePaths, fitted: ParetoNBDPaths
) -> None:
    purchases, weeks = base
    X = small.history
    with pytest.raises(DataError, match="there are none"):
        CovariatePaths.from_frames(purchases, weeks, cutoff="2020-01-01")
    with pytest.raises(SettingsError, match="cutoff"):
        CovariatePaths.from_frames(purchases, weeks, cutoff="yesterday")
    with pytest.raises(SchemaError, match="missing: price"):
        CovariatePaths.from_frames(purchases, weeks, cutoff=CUTOFF, columns=["price"])
    with pytest.raises(SchemaError, match="covariates price in the paths"):
        ParetoNBDPaths(rate_covariates=["price"]).fit(X, paths=small)
    with pytest.raises(DataError, match="for 3650 days after the cutoff"):
        fitted.expected_purchases(X, paths=small, horizon=3650.0)
    with pytest.raises(DataError, match="a covariate path for every customer"):
        fitted.p_alive(X.rename(index=lambda i: i + 10_000), paths=small)
    with pytest.raises(DataError, match="that the paths were made from"):
        fitted.p_alive(X.assign(frequency=X["frequency"] + 1, recency=X["T"]), paths=small)
    with pytest.raises(SchemaError, match="indexed by customer_id"):
        fitted.p_alive(X.to_numpy(), paths=small)
    level = CovariatePaths.from_frames(purchases, weeks.assign(level=0.3), cutoff=CUTOFF)
    with pytest.raises(FitError, match="cannot be learned"):
        ParetoNBDPaths(rate_covariates=["level"]).fit(X, paths=level)
    with pytest.raises(SettingsError, match="covariate_penalizer"):
        ParetoNBDPaths(covariate_penalizer=-1).fit(X, paths=small)
    with pytest.raises(NotFittedError):
        ParetoNBDPaths().p_alive(X, paths=small)
    gap = weeks.groupby("customer_id").tail(1)
    with pytest.raises(DataError, match="without a gap"):
        small.extended(gap.assign(starts_at=pd.Timestamp("2025-01-05")))
