"""Contract lengths: published fits come out again, truth is recovered, and bad records get a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from habitue.errors import ConvergenceError, DataError, FitError, SchemaError, SettingsError
from habitue.models import load_model, save_model
from habitue.models.bdw import BDW
from habitue.models.distributions import LogNormal
from habitue.models.sbg import SBG
from habitue.numerics import bdw, sbg
from habitue.numerics.bdw import BDWParams
from habitue.numerics.discounting import Discount
from habitue.numerics.sbg import SBGParams

REGULAR = (100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1)
HIGH_END = (100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1)

ANSWERS = (
    "churn_probability",
    "survival",
    "retention_rate",
    "expected_residual_lifetime",
    "predict",
)

families = pytest.mark.parametrize("family", [SBG, BDW])


def cohort(survivors: tuple[float, ...]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the records of 1,000 customers of a retention table, and how many have each."""
    left, last = -np.diff(survivors), len(survivors) - 1
    X = pd.DataFrame({"n_renewals": [*range(last), last], "churned": [*np.ones(last, dtype=int), 0]})
    return X, 10.0 * np.append(left, survivors[-1])


def simulated(
    formulas: Any, params: Any, *, n_customers: int, n_opportunities: int, seed: int
) -> pd.DataFrame:
    """Return customers of cohorts of every age up to n_opportunities."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, n_opportunities + 1, n_customers)
    when = formulas.simulate(params, np.zeros(n_customers), age, random_state=rng)
    churned = np.isfinite(when)
    return pd.DataFrame({"n_renewals": np.where(churned, when - 1.0, age).astype(int), "churned": churned})


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    X = simulated(sbg, SBGParams(1.5, 6.0), n_customers=2_000, n_opportunities=9, seed=4)
    return X.set_axis([f"customer-{row}" for row in range(len(X))], axis=0)


@pytest.mark.parametrize(
    ("survivors", "params", "loglik"),
    [(REGULAR, (0.704, 1.182), -1680.265), (HIGH_END, (0.668, 3.806), -1611.158)],
)
def test_published_fits_of_sbg(
    survivors: tuple[float, ...], params: tuple[float, ...], loglik: float
) -> None:
    """Fader and Hardie (2007), seven renewals of 1,000 customers."""
    X, customers = cohort(survivors)
    model = SBG().fit(X, sample_weight=customers)
    np.testing.assert_allclose(model.params_, params, rtol=0, atol=5e-4)
    assert model.loglik_ == pytest.approx(loglik, abs=1e-3)
    assert model.gradient_norm_ < 1e-8
    assert model.n_histories_ == 8
    assert model.advice_ == ""


def test_published_fit_of_bdw() -> None:
    """Fader et al. (2018), four renewals of the High End customers."""
    X, customers = cohort(HIGH_END[:5])
    model = BDW().fit(X, sample_weight=customers)
    np.testing.assert_allclose(model.params_, (0.259, 1.722, 1.584), rtol=0, atol=6e-4)
    assert model.loglik_ > SBG().fit(X, sample_weight=customers).loglik_


def test_published_answers(shared_data: Path) -> None:
    rows = pd.read_csv(shared_data / "golden" / "btyd_values.csv").query("model == 'sBG'")
    assert len(rows) > 20
    for _, row in rows.iterrows():
        model = SBG()
        model.params_ = SBGParams(*map(float, row["params"].split(";")))
        if row["quantity"] in ("retention", "survival"):
            t = int(row["inputs"].removeprefix("t="))
            got = model.retention_curve(t).iloc[-1][row["quantity"]]
        elif row["quantity"] == "DERL":  # before the n-th decision n - 1 renewals were made
            n = int(row["inputs"].split("n=")[1].split()[0])
            got = model.residual_lifetime_value(np.array([[n - 1.0]]), discount=0.1)[0]
        else:
            got = 1.0 + model.residual_lifetime_value(np.array([[0.0]]), discount=0.1)[0] / 1.1
        assert got == pytest.approx(row["value"], rel=1e-9), tuple(row)


@pytest.mark.parametrize(
    ("family", "formulas", "truth"),
    [
        (SBG, sbg, SBGParams(0.7, 3.0)),
        (SBG, sbg, SBGParams(4.0, 20.0)),
        (BDW, bdw, BDWParams(0.6, 2.0, 1.5)),
        (BDW, bdw, BDWParams(2.0, 5.0, 0.7)),
    ],
)
def test_what_was_simulated_is_recovered(family: Any, formulas: Any, truth: Any) -> None:
    X = simulated(formulas, truth, n_customers=50_000, n_opportunities=12, seed=11)
    model = family().fit(X)
    errors = np.array(model.standard_errors_)
    assert (np.abs(np.array(model.params_) - np.array(truth)) < 4.0 * errors).all()
    np.testing.assert_allclose(np.diag(model.covariance_), errors**2, rtol=1e-12)
    assert (errors < 0.3 * np.array(truth)).all()


def test_where_tenure_changes_nobody_bdw_is_sbg() -> None:
    X = simulated(sbg, SBGParams(1.2, 4.0), n_customers=20_000, n_opportunities=10, seed=2)
    plain, general = SBG().fit(X), BDW().fit(X)
    gain = 2.0 * (general.loglik_ - plain.loglik_)
    assert 0.0 <= gain < chi2.ppf(0.999, df=1)
    assert abs(general.params_.c - 1.0) < 4.0 * general.standard_errors_.c
    general.params_ = BDWParams(*plain.params_, 1.0)
    assert general.score(X) == pytest.approx(plain.score(X), rel=1e-12)
    for name in ANSWERS:
        one, other = getattr(plain, name)(X), getattr(general, name)(X)
        np.testing.assert_allclose(one, other, rtol=1e-9, err_msg=name)


@families
def test_answers_agree_with_each_other(family: Any, base: pd.DataFrame) -> None:
    model = family(horizon=3).fit(base)
    stay = model.survival(base)
    np.testing.assert_allclose(stay + model.churn_probability(base), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(model.predict(base), model.churn_probability(base))
    np.testing.assert_array_equal(model.retention_rate(base), model.survival(base, horizon=1))
    assert (model.survival(base, horizon=4) < stay).all()
    later = base.assign(n_renewals=base["n_renewals"] + 3)
    np.testing.assert_allclose(stay * model.survival(later), model.survival(base, horizon=6), rtol=1e-12)
    np.testing.assert_allclose(model.score(base) * len(base), model.loglik_, rtol=1e-12)


@families
def test_the_curve_of_a_new_customer_is_the_product_of_its_rates(family: Any, base: pd.DataFrame) -> None:
    model = family().fit(base)
    curve = model.retention_curve(15)
    assert list(curve.columns) == ["survival", "retention"]
    assert list(curve.index) == list(range(1, 16))
    np.testing.assert_allclose(curve["retention"].cumprod(), curve["survival"], rtol=1e-12)
    tenure = pd.DataFrame({"n_renewals": range(15)})
    np.testing.assert_allclose(model.retention_rate(tenure), curve["retention"], rtol=1e-12)


@families
def test_the_residual_value_is_the_sum_of_discounted_survival(family: Any, base: pd.DataFrame) -> None:
    model = family(days_per_period=365.25 / 12).fit(base)
    X = pd.DataFrame({"n_renewals": [0, 2, 30]}, index=["ann", "ben", "cem"])
    month = 1.25 ** (1 / 12)
    paid = sum(model.survival(X, horizon=k) / month ** (k - 1) for k in range(1, 25))
    value = model.residual_lifetime_value(X, discount=0.25, horizon=24)
    pd.testing.assert_series_equal(value, paid, check_names=False, rtol=1e-11)
    same = model.residual_lifetime_value(X, discount=Discount(0.25), horizon=24)
    pd.testing.assert_series_equal(value, same, check_exact=True)
    for_ever = model.residual_lifetime_value(X, discount=4.0)
    paid = sum(model.survival(X, horizon=k) / 5.0 ** ((k - 1) / 12) for k in range(1, 220))
    np.testing.assert_allclose(for_ever, paid, rtol=1e-10)
    undiscounted = model.residual_lifetime_value(X, discount=0.0)
    np.testing.assert_allclose(undiscounted, model.expected_residual_lifetime(X), rtol=1e-8)


def test_a_mean_lifetime_that_does_not_exist_is_infinite() -> None:
    X, customers = cohort(REGULAR)  # alpha < 1
    model = SBG().fit(X, sample_weight=customers)
    assert np.isinf(model.expected_residual_lifetime(X)).all()
    assert np.isfinite(model.residual_lifetime_value(X, discount=0.0, horizon=50)).all()


@families
def test_a_weight_is_so_many_customers(family: Any) -> None:
    X, customers = cohort(HIGH_END)
    weighted = family().fit(X, sample_weight=customers)
    single = X.loc[X.index.repeat(customers.round().astype(int))]
    one_by_one = family().fit(single.sample(frac=1.0, random_state=1))
    np.testing.assert_allclose(weighted.params_, one_by_one.params_, rtol=1e-8)
    np.testing.assert_allclose(weighted.standard_errors_, one_by_one.standard_errors_, rtol=1e-6)
    assert weighted.score(X, sample_weight=customers) == pytest.approx(one_by_one.score(single), rel=1e-12)
    extra = pd.concat([X, pd.DataFrame({"n_renewals": [500], "churned": [1]})])
    ignored = family().fit(extra, sample_weight=np.append(customers, 0.0))
    assert ignored.params_ == weighted.params_


@families
def test_outcomes_may_come_as_y(family: Any, base: pd.DataFrame) -> None:
    tenure, churned = base[["n_renewals"]], base["churned"]
    together, apart = family().fit(base), family().fit(tenure, churned)
    assert apart.params_ == together.params_ == family().fit(base, 1 - churned.astype(int)).params_
    assert apart.score(tenure, churned) == together.score(base)
    as_array = base.to_numpy(dtype=float)
    assert family().fit(as_array).params_ == together.params_
    assert family().fit(as_array[:, :1], churned.to_numpy()).params_ == together.params_
    scores = cross_val_score(family(), tenure, churned, cv=3, error_score="raise")
    np.testing.assert_allclose(scores, together.score(base), atol=0.2)
    piped = make_pipeline(FunctionTransformer(), family()).fit(tenure, churned)
    np.testing.assert_array_equal(piped.predict(tenure), apart.predict(base))


@families
def test_customers_keep_their_labels_and_arrays_stay_arrays(family: Any, base: pd.DataFrame) -> None:
    model = family().fit(base)
    shuffled = base[["churned", "n_renewals"]].assign(plan="gold").sample(frac=1.0, random_state=3)
    for name in ANSWERS:
        given = getattr(model, name)(base)
        assert given.name == ("churn_probability" if name == "predict" else name)
        pd.testing.assert_index_equal(given.index, base.index)
        pd.testing.assert_series_equal(getattr(model, name)(shuffled), given[shuffled.index])
        values = getattr(model, name)(base[["n_renewals"]].to_numpy())
        assert isinstance(values, np.ndarray)
        np.testing.assert_array_equal(values, given)
    assert model.n_features_in_ == 1
    assert list(model.feature_names_in_) == ["n_renewals"]


@families
def test_the_constructor_checks_nothing_and_a_clone_is_unfitted(family: Any, base: pd.DataFrame) -> None:
    names = ("horizon", "days_per_period", "penalizer", "max_iter")
    values = {name: object() for name in names}
    made = family(**values)
    assert made.get_params() == vars(made) == values
    model = family(horizon=2, penalizer=0.01).fit(base)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    for name in ANSWERS:
        with pytest.raises(NotFittedError):
            getattr(copy, name)(base)
    with pytest.raises(NotFittedError):
        copy.residual_lifetime_value(base, discount=0.1)
    with pytest.raises(NotFittedError):
        copy.retention_curve(3)
    with pytest.raises(NotFittedError):
        copy.score(base)


@families
def test_stored_and_loaded_it_is_the_same(family: Any, tmp_path: Path) -> None:
    X, customers = cohort(HIGH_END)
    model = family(horizon=2).fit(X, sample_weight=20.0 * customers, posterior_draws=200, random_state=1)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is family
    assert loaded.params_ == model.params_
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.posterior_.draws, model.posterior_.draws)
    pd.testing.assert_series_equal(loaded.predict(X), model.predict(X), check_exact=True)


@families
def test_the_posterior_lies_about_the_best_fit(family: Any) -> None:
    X, customers = cohort(HIGH_END)
    weights = 20.0 * customers
    model = family().fit(X, sample_weight=weights, posterior_draws=2_000, random_state=1)
    names = model.params_._fields
    assert model.posterior_.names == names
    assert model.posterior_.effective_sample_size > 400
    told = model.posterior_.summary()
    away = (told["mean"] - np.array(model.params_)) / told["sd"]
    assert (away.abs() < 1.0).all()
    assert (told["sd"] / np.array(model.standard_errors_)).between(0.5, 2.0).all()
    again = family().fit(X, sample_weight=weights, posterior_draws=2_000, random_state=1)
    np.testing.assert_array_equal(again.posterior_.draws, model.posterior_.draws)
    assert family().fit(X, sample_weight=weights).posterior_ is None


def test_a_prior_moves_what_few_customers_leave_open(base: pd.DataFrame) -> None:
    few = base.iloc[:150]
    prior = {"alpha+beta": LogNormal(1.0, 0.02)}
    free = SBG(penalizer=0.001).fit(few, posterior_draws=500, random_state=2).posterior_
    held = SBG(penalizer=0.001).fit(few, posterior_draws=500, prior=prior, random_state=2).posterior_
    assert held is not None
    assert free is not None
    assert held.draws.sum(axis=1).std() < 0.2 * free.draws.sum(axis=1).std()


BAD_RECORDS = [
    (-1.0, 0, r"n_renewals to be a whole number >= 0; 1 of 2 .* 'ben' with n_renewals=-1"),
    (1.5, 0, r"n_renewals to be a whole number >= 0"),
    (np.nan, 0, r"n_renewals to be a whole number >= 0"),
    (np.inf, 0, r"n_renewals to be a whole number >= 0"),
    (3.0, 2, r"churned to be 0 or 1; 1 of 2 .* churned=2"),
    (3.0, np.nan, r"churned to be 0 or 1"),
]


@families
@pytest.mark.parametrize(("n_renewals", "churned", "message"), BAD_RECORDS)
def test_impossible_records_are_refused(
    family: Any, n_renewals: float, churned: float, message: str, base: pd.DataFrame
) -> None:
    X = pd.DataFrame({"n_renewals": [2.0, n_renewals], "churned": [1.0, churned]}, index=["ann", "ben"])
    with pytest.raises(DataError, match=message):
        family().fit(X)
    model = family().fit(base)
    with pytest.raises(DataError, match=message):
        model.score(X)
    if "churned to be" in message:
        assert len(model.predict(X)) == 2  # it does not read who churned
    else:
        with pytest.raises(DataError, match="whole number"):
            model.predict(X)


@families
def test_tables_of_another_shape_are_refused(family: Any, base: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="missing: churned; there are: n_renewals"):
        family().fit(base[["n_renewals"]])
    with pytest.raises(SchemaError, match="missing: n_renewals"):
        family().fit(base[["churned"]])
    with pytest.raises(SchemaError, match="2 columns n_renewals, churned"):
        family().fit(np.zeros((4, 3)))
    with pytest.raises(SchemaError, match="numbers in column n_renewals"):
        family().fit(base.assign(n_renewals="many"))
    with pytest.raises(DataError, match="at least one customer"):
        family().fit(base.iloc[:0])
    with pytest.raises(DataError, match="one number for each of 2000"):
        family().fit(base[["n_renewals"]], [1, 0])
    with pytest.raises(DataError, match="True or False"):
        family().fit(base[["n_renewals"]], np.full(len(base), 3))
    with pytest.raises(DataError, match="sample weights"):
        family().fit(base, sample_weight=-np.ones(len(base)))
    with pytest.raises(SchemaError, match="1 columns n_renewals"):
        family().fit(base).predict(base.to_numpy(dtype=float))


NOTHING_TO_LEARN = [
    ([(0, 0), (3, 0), (5, 0)], "of 3 nobody did.*Observe longer"),
    ([(0, 1), (0, 1)], "all of 2 cancelled at their first.*Add those who stayed"),
    ([(4, 0)], "of 1 nobody did"),
    ([(4, 1)], "one distinct record only, n_renewals=4.*add those"),
    ([(4, 1), (4, 1)], "one distinct record only"),
    ([(0, 1), (1, 0), (0, 0)], "renewal opportunities or more, to tell .* the longest record has 1"),
]


@families
@pytest.mark.parametrize(("records", "message"), NOTHING_TO_LEARN)
def test_what_teaches_nothing_is_refused_with_the_way_out(
    family: Any, records: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(FitError, match=message):
        family().fit(np.array(records))


def test_three_parameters_need_three_opportunities() -> None:
    X, customers = cohort(REGULAR[:3])
    SBG().fit(X, sample_weight=customers)
    with pytest.raises(FitError, match="3 renewal opportunities or more, to tell gamma, delta, c apart"):
        BDW().fit(X, sample_weight=customers)
    pulled = BDW(penalizer=0.001).fit(X, sample_weight=customers)
    assert 0.01 < pulled.params_.c < 100.0


def test_retention_that_falls_has_no_best_fit() -> None:
    X, customers = cohort((100.0, 90.0, 60.0, 20.0))
    with pytest.raises(ConvergenceError, match="penalizer"):
        SBG().fit(X, sample_weight=customers)
    pulled = SBG(penalizer=0.001).fit(X, sample_weight=customers)
    assert np.isfinite(pulled.params_).all()


@families
def test_settings_out_of_range_are_refused(family: Any, base: pd.DataFrame) -> None:
    bad = {"horizon": [0, 1.5, "year"], "days_per_period": [0.0], "penalizer": [-1.0], "max_iter": [0]}
    for name, values in bad.items():
        for value in values:
            with pytest.raises(SettingsError, match=name):
                family(**{name: value}).fit(base)
    with pytest.raises(SettingsError, match="posterior_draws"):
        family().fit(base, posterior_draws=-1)
    model = family().fit(base)
    with pytest.raises(SettingsError, match="horizon"):
        model.churn_probability(base, horizon=0)
    with pytest.raises(SettingsError, match="n_periods"):
        model.retention_curve(0)
    with pytest.raises(SettingsError, match="discount"):
        model.residual_lifetime_value(base, discount=-0.1)
