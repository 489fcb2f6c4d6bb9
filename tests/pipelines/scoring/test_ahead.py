"""Scores that say more than one number: times, causes, other horizons, and who answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SettingsError
from habitue.models import (
    BGNBD,
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ChurnAnswers,
    StackedChurnClassifier,
    StackedValueRegressor,
    ValueAnswers,
    ValueInterval,
)
from habitue.pipelines.scoring.columns import SCORE_COLUMNS
from habitue.pipelines.scoring.in_memory import Scored, score_customers
from habitue.tracking import Store, log_training, open_store
from habitue.vocabulary import describe

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HORIZON, FAR = 91, 182
SEEN = ["frequency", "recency", "T", "monetary_value", "inactivity", "spend_last_period"]
TREES = {"n_estimators": 8, "early_stopping": False, "n_jobs": 1}


@pytest.fixture(scope="module")
def log() -> hb.CustomerLog:
    return hb.datasets.cdnow(sample=True)


@pytest.fixture(scope="module")
def past(log: hb.CustomerLog) -> hb.Snapshot:
    """What models learn from."""
    window = hb.Window(log.observed_until - timedelta(HORIZON), HORIZON)
    return hb.take_snapshot(log, window, SEEN)


def stacked(kind: str) -> Any:
    if kind == "churn":
        trees: Any = BoostedChurnClassifier(calibration="none", **TREES)
        return StackedChurnClassifier(models={"story": BTYDChurnClassifier(), "trees": trees}, n_folds=2)
    return StackedValueRegressor(
        models={"story": BTYDValueRegressor(), "trees": BoostedValueRegressor(**TREES)}, n_folds=2
    )


def causes(churned: pd.Series) -> pd.Series:
    """Say why customers left: every second one for another reason."""
    words = np.array(["voluntary", "too dear"], dtype=object)[np.arange(len(churned)) % 2]
    return pd.Series(np.where(churned, words, None), index=churned.index)


def answers_of(model: Any, past: hb.Snapshot, horizon: int = HORIZON) -> Any:
    """Fit a model and bundle what is registered."""
    y = past.outcomes
    names = {"horizon": horizon} if "horizon" in model.get_params(deep=False) else {}
    purchases = BGNBD().fit(past.X)
    if hasattr(model, "predict_proba"):
        left = causes(y["churned"]) if isinstance(model, BoostedHazardModel) else y["churned"]
        fitted = model.set_params(**names).fit(past.X[SEEN], left)
        return ChurnAnswers(classifier=fitted, purchases=purchases, horizon=horizon)
    fitted = model.set_params(**names).fit(past.X[SEEN], y["spend"])
    interval = ValueInterval().fit(fitted.predict(past.X), y["spend"])
    return ValueAnswers(regressor=fitted, purchases=purchases, interval=interval, horizon=horizon)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path, past: hb.Snapshot) -> Store:
    """A home with models of every kind, each under its own name."""
    home = tmp_path_factory.mktemp("ahead")
    (home / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    made = open_store(home)
    models: dict[str, Any] = {
        "hazards": BoostedHazardModel(**TREES),
        "story": BTYDChurnClassifier(),
        "trees": BoostedChurnClassifier(calibration="none", **TREES),
        "stack": stacked("churn"),
        "worth": BTYDValueRegressor(),
        "stacked-worth": stacked("value"),
    }
    for name, model in models.items():
        answers = answers_of(model, past)
        log_training(
            made,
            experiment=name,
            run_name=name,
            params={},
            metrics={},
            model=answers,
            registered_name=name,
            input_example=past.X[answers.input_columns_].head(2),
        )
    return made


def score(log: hb.CustomerLog, store: Store, *names: str, **options: Any) -> Scored:
    return score_customers(log, [f"{name}/1" for name in names], store=store, now=NOW, **options)


@pytest.fixture(scope="module")
def hazards(log: hb.CustomerLog, store: Store) -> Scored:
    return score(log, store, "hazards", "stacked-worth")


def test_hazards_tell_times_and_causes_in_their_columns(hazards: Scored) -> None:
    frame = hazards.frame
    ours = list(frame)[frame.columns.get_loc("churn_probability") :]
    assert ours[:6] == [
        "churn_probability", "churn_probability_30d", "churn_probability_365d",
        "churn_probability_voluntary", "churn_probability_too_dear", "expected_residual_lifetime_365d",
    ]  # fmt: skip
    assert [name for name in SCORE_COLUMNS if name in frame] == [
        name for name in frame if name in SCORE_COLUMNS
    ]
    by_cause = frame["churn_probability_voluntary"] + frame["churn_probability_too_dear"]
    np.testing.assert_allclose(by_cause, frame["churn_probability"], atol=1e-12)
    assert frame["expected_residual_lifetime_365d"].between(0, 365).all()
    assert frame["reason_1"].ne("").all()


def test_of_a_churn_and_a_value_model_each_says_who_answered(
    log: hb.CustomerLog, store: Store, hazards: Scored
) -> None:
    assert "answered_by" not in hazards.frame
    assert hazards.frame["clv_answered_by"].str.contains("story|trees").all()
    both = score(log, store, "stacked-worth", "stack").frame
    for column, name in (("answered_by", "stack"), ("clv_answered_by", "stacked-worth")):
        alone = score(log, store, name, reasons=False).frame
        pd.testing.assert_series_equal(both[column], alone["answered_by"], check_names=False)


def test_the_manifest_says_what_was_asked_for(log: hb.CustomerLog, store: Store, hazards: Scored) -> None:
    assert (hazards.manifest["horizon"], hazards.manifest["reasons"]) == (HORIZON, True)
    assert [one["learned_horizon"] for one in hazards.manifest["models"]] == [HORIZON, HORIZON]
    far = score(log, store, "worth", horizon=FAR, reasons=False).manifest
    assert (far["horizon"], far["reasons"]) == (FAR, False)
    (model,) = far["models"]
    assert (model["learned_horizon"], model["interval"]) == (HORIZON, None)
    assert model["why_no_interval"].startswith("The interval was learned 91 days ahead and says nothing")


@pytest.mark.parametrize("name", ["hazards", "story", "stack", "worth", "stacked-worth"])
def test_another_horizon_is_that_of_the_model_on_what_it_learned_from(
    log: hb.CustomerLog, store: Store, past: hb.Snapshot, name: str
) -> None:
    """Features look as far back as in training: only the answer looks further ahead."""
    from habitue.tracking import load, resolve

    frame = score(log, store, name, horizon=FAR, reasons=False).frame.set_index("customer_id")
    assert (frame["horizon"] == FAR).all()
    answers = load(store, resolve(store, f"{name}/1")).answers
    X = hb.take_snapshot(log, hb.Window(log.observed_until, HORIZON), SEEN).X
    expected = answers.answer(X[answers.input_columns_], horizon=FAR)
    for column in expected:
        pd.testing.assert_series_equal(frame[column], expected[column], check_dtype=False)


def test_a_model_of_one_horizon_is_named(log: hb.CustomerLog, store: Store) -> None:
    with pytest.raises(SettingsError, match=r"^trees/1: BoostedChurnClassifier learned 91 days ahead and"):
        score(log, store, "worth", "trees", horizon=FAR)
    assert (score(log, store, "trees", horizon=HORIZON).frame["horizon"] == HORIZON).all()


def test_models_that_learned_different_horizons_answer_for_one_that_is_named(
    log: hb.CustomerLog, store: Store, past: hb.Snapshot
) -> None:
    longer = answers_of(BTYDChurnClassifier(), past, horizon=FAR)
    log_training(
        store, experiment="longer", run_name="longer", params={}, metrics={}, model=longer,
        registered_name="longer", input_example=past.X.head(2),
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"longer/1 182 days, worth/1 91 days.*name one horizon"):
        score(log, store, "longer", "worth")
    frame = score(log, store, "longer", "worth", horizon=FAR).frame
    assert frame[["churn_probability", "clv"]].notna().all(axis=None)
    assert frame[["clv_lower", "clv_upper"]].isna().all(axis=None)
    first = score(log, store, "longer").frame
    np.testing.assert_array_equal(frame["churn_probability"], first["churn_probability"])


def test_every_column_has_its_line_in_the_glossary() -> None:
    assert [name for name in SCORE_COLUMNS if describe(name) == name] == []
