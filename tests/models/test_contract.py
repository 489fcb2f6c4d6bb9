"""The laws that every estimator of habitue.models keeps, each written once and tried on the whole family.

A new model gets one line in FAMILY; a test refuses a model that was forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

import habitue as hb
from habitue import models
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import (
    BGNBD,
    MBGNBD,
    NBD,
    BaseRateClassifier,
    BGCNBDk,
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ContractEndClassifier,
    GammaGamma,
    GGompertzNBD,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    LastPeriodRepeatRegressor,
    LogisticChurnClassifier,
    MBGCNBDk,
    MeanRegressor,
    ParetoNBD,
    RateClassifier,
    RateRegressor,
    SeasonalPurchases,
    SeasonCorrected,
    StackedChurnClassifier,
    StackedValueRegressor,
    TenureClassifier,
    TunedModel,
    YearlySeason,
    ZeroRegressor,
    load_model,
    save_model,
)
from habitue.models.probability_calibration import CALIBRATORS
from habitue.models.purchase_model import PurchaseHistoryModel

HORIZON = 91
HISTORY = ("frequency", "recency", "T")
SPEND = (*HISTORY, "monetary_value")
PURCHASES = ("p_alive", "p_no_purchase", "expected_purchases")
ALL = None  # reads every column it was fitted on


class Member(NamedTuple):
    """One line of the family: a model and what it is expected to do."""

    model: Any
    reads: tuple[str, ...] | None
    """Columns it predicts from; ALL where it takes what it was given."""
    answers: tuple[str, ...]
    """Methods that answer about customers."""
    is_money: bool = False
    """Whether its prediction is an amount."""


FAMILY = [
    Member(BGNBD(horizon=HORIZON), HISTORY, (*PURCHASES, "predict")),
    *(
        Member(model, HISTORY, (*PURCHASES, "predict"))
        for model in (
            MBGNBD(horizon=HORIZON),
            BGCNBDk(k=2, horizon=HORIZON),
            MBGCNBDk(k=2, horizon=HORIZON),
            ParetoNBD(horizon=HORIZON),
            GGompertzNBD(horizon=HORIZON, penalizer=1e-3),
            NBD(horizon=HORIZON),
        )
    ),
    Member(
        SeasonalPurchases(season=YearlySeason((0.4, -0.2)), horizon=HORIZON),
        (*HISTORY, "cutoff_day_of_year"),
        (*PURCHASES, "predict"),
    ),
    Member(GammaGamma(), ("frequency", "monetary_value"), ("expected_spend", "predict"), is_money=True),
    Member(BTYDChurnClassifier(horizon=HORIZON), HISTORY, ("predict_proba", "predict", "contributions")),
    Member(BTYDValueRegressor(horizon=HORIZON), SPEND, ("predict", "contributions"), is_money=True),
    Member(
        BoostedChurnClassifier(n_estimators=15, min_child_samples=20, n_jobs=1),
        ALL,
        ("predict_proba", "predict", "contributions"),
    ),
    Member(
        BoostedValueRegressor(n_estimators=15, min_child_samples=20, n_jobs=1),
        ALL,
        ("predict", "contributions"),
        is_money=True,
    ),
    Member(
        BoostedHazardModel(n_estimators=15, min_child_samples=20, n_jobs=1),
        ALL,
        ("predict_proba", "predict", "contributions", "expected_residual_lifetime"),
    ),
    *(
        Member(
            BoostedValueRegressor(law=law, n_estimators=15, min_child_samples=20, n_jobs=1),
            ALL,
            ("predict", "contributions"),
            is_money=True,
        )
        for law in ("hurdle", "zero_inflated_lognormal", "squared")
    ),
    Member(
        TunedModel(BoostedChurnClassifier(n_estimators=15, min_child_samples=20, n_jobs=1), n_trials=2),
        ALL,
        ("predict_proba", "predict", "contributions"),
    ),
    Member(
        TunedModel(BoostedValueRegressor(n_estimators=15, min_child_samples=20, n_jobs=1), n_trials=2),
        ALL,
        ("predict", "contributions"),
        is_money=True,
    ),
    Member(LogisticChurnClassifier(), ALL, ("predict_proba", "predict", "contributions")),
    Member(
        StackedChurnClassifier(
            models={
                "BG/NBD": BTYDChurnClassifier(),
                "LightGBM": BoostedChurnClassifier(n_estimators=15, min_child_samples=20, n_jobs=1),
            },
            n_folds=2,
        ),
        ALL,
        ("predict_proba", "predict", "contributions"),
    ),
    Member(
        StackedValueRegressor(
            models={
                "BG/NBD + gamma-gamma": BTYDValueRegressor(),
                "LightGBM": BoostedValueRegressor(n_estimators=15, min_child_samples=20, n_jobs=1),
            },
            n_folds=2,
        ),
        ALL,
        ("predict", "contributions"),
        is_money=True,
    ),
    Member(BaseRateClassifier(), (), ("predict_proba", "predict")),
    Member(HiatusClassifier(), ("inactivity",), ("predict_proba", "predict")),
    Member(LastPeriodRepeatClassifier(), ("n_purchases_last_period",), ("predict_proba", "predict")),
    Member(RateClassifier(horizon=HORIZON), ("frequency", "T"), ("predict_proba", "predict")),
    Member(TenureClassifier(), ("contract_tenure",), ("predict_proba", "predict")),
    Member(
        ContractEndClassifier(horizon=HORIZON),
        ("contract_days_left_max", "auto_renew_share"),
        ("predict_proba", "predict"),
    ),
    Member(
        SeasonCorrected(model=BTYDValueRegressor()),
        (*SPEND, "cutoff_day_of_year"),
        ("predict", "contributions"),
        is_money=True,
    ),
    Member(
        SeasonCorrected(model=BoostedValueRegressor(n_estimators=15, min_child_samples=20, n_jobs=1)),
        ALL,
        ("predict", "contributions"),
        is_money=True,
    ),
    Member(ZeroRegressor(), (), ("predict",), is_money=True),
    Member(MeanRegressor(), (), ("predict",), is_money=True),
    Member(LastPeriodRepeatRegressor(), ("spend_last_period",), ("predict",), is_money=True),
    Member(RateRegressor(horizon=HORIZON), ("frequency", "T", "monetary_value"), ("predict",), is_money=True),
]


def name_of(member: Member) -> str:
    return type(member.model).__name__


def members(keep: Callable[[Member], bool] = lambda _: True) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("member", [one for one in FAMILY if keep(one)], ids=name_of)


def learns_from_y(member: Member) -> bool:
    predicts = is_classifier(member.model) or is_regressor(member.model)
    return predicts and bool(get_tags(member.model).target_tags.required)


@pytest.fixture(scope="module")
def base() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 700 CDNOW customers, as if under contract too, and what they did within the horizon."""
    log = hb.datasets.cdnow(sample=True)
    snapshot = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=HORIZON))
    X = snapshot.X.iloc[:700]
    tenure, renewing = X["T"], (X["frequency"] > 0).astype("float64")
    bound = {"contract_days_left_max": 1000.0 - tenure, "auto_renew_share": renewing}
    bound |= {"cutoff_day_of_year": 364.0}
    return X.assign(contract_tenure=tenure, **bound), snapshot.outcomes.iloc[:700]


def target(model: object, y: pd.DataFrame) -> pd.Series:
    return y["churned"] if is_classifier(model) else y["spend"]


def fitted(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> Any:
    X, y = base
    return clone(member.model).fit(X, target(member.model, y))


def all_answers(member: Member, model: Any, X: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(model, name)(X)) for name in member.answers}


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        assert values.tobytes() == other[name].tobytes(), name


def plain(params: dict[str, object]) -> dict[str, str]:
    return {name: repr(value) for name, value in params.items()}


def test_no_model_was_forgotten() -> None:
    exported = {getattr(models, name) for name in models.__all__}
    estimators = {one for one in exported if isinstance(one, type) and hasattr(one, "fit")}
    # Fitted on something else than customers in days, each with tests of its own: an interval on predictions
    # and outcomes, BG/BB on opportunities, contracts on renewals, one on paths of covariates besides, one on
    # the arms of experiments, and one that predicts nothing but adds columns.
    others = {models.ValueInterval, models.BGBB, models.SBG, models.BDW, models.ParetoNBDPaths}
    others |= {models.BTYDFeatures, models.QuantileValueInterval, models.NoCalibration}
    others |= {models.UpliftModel}
    others |= set(CALIBRATORS.values())
    assert estimators - others == {type(member.model) for member in FAMILY}


@members()
def test_the_constructor_stores_its_parameters_untouched_and_checks_nothing(member: Member) -> None:
    names = member.model.get_params(deep=False)
    values = {name: object() for name in names}
    made = type(member.model)(**values)
    assert all(getattr(made, name) is values[name] for name in names)
    assert vars(made).keys() == names.keys()


@members()
def test_a_misspelt_parameter_is_refused(member: Member) -> None:
    with pytest.raises(TypeError, match=r"learning_rat|takes no arguments"):
        type(member.model)(learning_rat=0.1)


@members()
def test_params_come_back_as_they_were_set(member: Member) -> None:
    params = member.model.get_params()
    again = clone(member.model).set_params(**params)
    assert again.get_params().keys() == params.keys()
    assert plain(again.get_params()) == plain(params)
    assert (
        eval(repr(clone(member.model)), vars(models)).get_params(deep=False).keys()
        == member.model.get_params(deep=False).keys()
    )


@members()
def test_a_clone_is_equal_and_unfitted(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = fitted(member, base)
    copy = clone(model)
    assert plain(copy.get_params()) == plain(model.get_params())
    assert not [name for name in vars(copy) if name.endswith("_")]


@members()
def test_fit_returns_the_model_and_leaves_params_and_data_alone(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base[0].copy(), target(member.model, base[1]).copy()
    model = clone(member.model)
    before = plain(model.get_params())
    assert model.fit(X, y) is model
    all_answers(member, model, X)
    assert plain(model.get_params()) == before
    pd.testing.assert_frame_equal(X, base[0], check_exact=True)
    pd.testing.assert_series_equal(y, target(member.model, base[1]), check_exact=True)


@members()
def test_what_is_learned_ends_in_an_underscore(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    model = fitted(member, base)
    learned = vars(model).keys() - model.get_params(deep=False).keys()
    assert learned
    assert all(name.endswith("_") for name in learned)


@members()
def test_every_answer_before_fit_is_refused(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for name in member.answers:
        with pytest.raises(NotFittedError):
            getattr(clone(member.model), name)(base[0])


@members()
def test_the_columns_it_reads_are_named(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = fitted(member, base)
    expected = list(base[0].columns) if member.reads is ALL else list(member.reads)
    assert list(model.feature_names_in_) == expected
    assert model.n_features_in_ == len(expected)


@members()
def test_extra_columns_and_their_order_do_not_matter(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, _ = base
    model = fitted(member, base)
    shuffled = X.assign(city="Ulm", noise=1.0)[["noise", *reversed(list(X.columns)), "city"]]
    assert_same_bits(all_answers(member, model, X), all_answers(member, model, shuffled))


@members(lambda member: member.reads != ())
def test_a_missing_column_is_named(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    model = fitted(member, base)
    for name in model.feature_names_in_:
        for answer in member.answers:
            with pytest.raises(SchemaError, match=name):
                getattr(model, answer)(X.drop(columns=name))
        if member.reads is not ALL:
            with pytest.raises(SchemaError, match=name):
                clone(model).fit(X.drop(columns=name), target(model, y))


@members(lambda member: member.reads != ())
def test_a_column_of_text_is_refused(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    name = str(fitted(member, base).feature_names_in_[0])
    with pytest.raises(SchemaError, match=name):
        clone(member.model).fit(X.assign(**{name: "many"}), target(member.model, y))


@members()
def test_customers_in_another_order_get_the_same_answers(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, _ = base
    model = fitted(member, base)
    order = np.random.default_rng(3).permutation(len(X))
    moved = {name: values[order] for name, values in all_answers(member, model, X).items()}
    assert_same_bits(moved, all_answers(member, model, X.iloc[order]))


@members()
def test_a_customer_alone_gets_the_same_answer(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, _ = base
    model = fitted(member, base)
    together = all_answers(member, model, X)
    for row in (0, 17):
        alone = all_answers(member, model, X.iloc[[row]])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-12, err_msg=name)


@members()
def test_a_refit_forgets_and_the_same_data_give_the_same_bits(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base
    fresh = all_answers(member, fitted(member, base), X)
    used = clone(member.model).fit(X.iloc[200:], target(member.model, y).iloc[200:])
    used.fit(X, target(member.model, y))
    assert_same_bits(fresh, all_answers(member, used, X))
    assert vars(used).keys() == vars(fitted(member, base)).keys()


@members()
def test_stored_and_loaded_it_answers_the_same_and_nothing_was_pickled(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    model = fitted(member, base)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is type(model)
    assert plain(loaded.get_params()) == plain(model.get_params())
    assert_same_bits(all_answers(member, model, base[0]), all_answers(member, loaded, base[0]))
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".txt"}
    assert all(path.read_text(encoding="utf-8").isprintable() or "\n" in path.read_text() for path in files)


@members()
def test_what_is_labelled_keeps_the_customers_labels(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X = base[0].set_axis([f"customer-{row}" for row in range(len(base[0]))], axis=0)
    model = fitted(member, base)
    for name in member.answers:
        given = getattr(model, name)(X)
        assert len(given) == len(X)
        if isinstance(given, pd.Series | pd.DataFrame):
            pd.testing.assert_index_equal(given.index, X.index)


@members(lambda member: is_classifier(member.model))
def test_chances_are_chances(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    model = fitted(member, base)
    chances = model.predict_proba(X)
    assert chances.shape == (len(X), 2)
    assert ((chances >= 0.0) & (chances <= 1.0)).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(chances[:, 1] > 0.5).astype(int)])
    assert 0.0 <= model.score(X, y["churned"]) <= 1.0


@members(lambda member: is_classifier(member.model))
@pytest.mark.parametrize("kind", [bool, int, float])
def test_classes_have_the_type_of_y(
    member: Member, kind: type, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base
    model = clone(member.model).fit(X, y["churned"].astype(kind))
    assert list(model.classes_) == [0, 1]
    assert model.classes_.dtype == np.dtype(kind) == model.predict(X).dtype


@members()
def test_predictions_are_finite_and_never_negative(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    for name, values in all_answers(member, fitted(member, base), base[0]).items():
        assert np.isfinite(values.astype(float)).all(), name
        if name != "contributions":
            assert (values >= 0).all(), name
        if name.startswith("p_"):
            assert (values <= 1).all(), name


MONEY = ("monetary_value", "spend")


@members(lambda member: member.is_money)
@pytest.mark.parametrize("rate", [0.01, 7.5, 1e4])
def test_a_change_of_currency_scales_money_and_nothing_else(
    member: Member, rate: float, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base
    money = [name for name in X.columns if name.startswith(MONEY)]
    changed = X.assign(**{name: X[name] * rate for name in money})
    one = clone(member.model).fit(X, y["spend"]).predict(X)
    other = clone(member.model).fit(changed, y["spend"] * rate).predict(changed)
    np.testing.assert_allclose(other, np.asarray(one) * rate, rtol=1e-5)


@members(lambda member: is_classifier(member.model) or isinstance(member.model, PurchaseHistoryModel))
def test_a_change_of_currency_does_not_touch_churn(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base
    changed = X.assign(**{name: X[name] * 64.0 for name in X.columns if name.startswith(MONEY)})
    one = all_answers(member, fitted(member, base), X)
    other = all_answers(member, clone(member.model).fit(changed, y["churned"]), changed)
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-9, err_msg=name)


@members()
def test_it_works_inside_a_pipeline(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    pipeline = make_pipeline(FunctionTransformer(), clone(member.model))
    pipeline.fit(X, target(member.model, y))
    alone = fitted(member, base)
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(X))
    if is_classifier(member.model):
        np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(X))


@members(lambda member: is_classifier(member.model) or is_regressor(member.model))
def test_it_can_be_cross_validated(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    scoring = "neg_log_loss" if is_classifier(member.model) else "neg_mean_absolute_error"
    scores = cross_val_score(
        member.model, X, target(member.model, y), cv=3, scoring=scoring, error_score="raise"
    )
    assert np.isfinite(scores).all()
    assert (scores <= 0).all()


@members(lambda member: isinstance(member.model, BoostedChurnClassifier | BoostedValueRegressor))
def test_its_parameters_can_be_searched(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    search = GridSearchCV(
        Pipeline([("model", member.model)]), {"model__num_leaves": [2, 7]}, cv=2, error_score="raise"
    )
    search.fit(X, target(member.model, y))
    assert search.best_params_["model__num_leaves"] in {2, 7}
    assert search.predict(X).shape == (len(X),)


@members(learns_from_y)
def test_y_has_to_fit(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, y = base
    outcome = target(member.model, y).astype(float)
    for wrong in (outcome.iloc[:-1], outcome.where(outcome.index != outcome.index[0]), outcome * np.inf):
        with pytest.raises(DataError, match="y must"):
            clone(member.model).fit(X, wrong)


@members(lambda member: not learns_from_y(member))
def test_what_needs_no_y_learns_nothing_from_it(
    member: Member, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X, y = base
    without = clone(member.model).fit(X)
    with_y = clone(member.model).fit(X, target(member.model, y))
    assert_same_bits(all_answers(member, without, X), all_answers(member, with_y, X))


@members(lambda member: "horizon" in member.model.get_params(deep=False))
@pytest.mark.parametrize("horizon", [0, -1, float("inf"), float("nan")])
def test_a_horizon_has_to_be_a_number_of_days(
    member: Member, horizon: float, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(SettingsError, match="horizon"):
        clone(member.model).set_params(horizon=horizon).fit(base[0], target(member.model, base[1]))


def told_by_its_horizon(member: Member) -> bool:
    """Whether it answers for the days that it is given; a stack learns them from y."""
    stacked = isinstance(member.model, StackedChurnClassifier | StackedValueRegressor)
    return "horizon" in member.model.get_params(deep=False) and not stacked


@members(told_by_its_horizon)
def test_who_is_gone_soon_is_gone_later_too(member: Member, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """A longer horizon holds more purchases and fewer chances of none."""
    X, y = base
    near, far = (
        clone(member.model).set_params(horizon=days).fit(X, target(member.model, y)) for days in (30, 300)
    )
    if is_classifier(near):
        assert (far.predict_proba(X)[:, 1] <= near.predict_proba(X)[:, 1]).all()
    else:
        assert (np.asarray(far.predict(X)) >= np.asarray(near.predict(X))).all()


def test_lightgbm_is_the_only_thing_that_is_not_plain(base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """What fit learns can be written down: numbers, text, arrays, tuples, data classes, models, a booster."""
    kinds = (bool, int, float, str, list, dict, tuple, np.ndarray, BaseEstimator, lightgbm.Booster)
    for member in FAMILY:
        for name, value in vars(fitted(member, base)).items():
            is_plain = value is None or isinstance(value, kinds) or is_dataclass(value)
            assert is_plain, (name_of(member), name)
