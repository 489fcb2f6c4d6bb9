"""Answers of probability models as features: what they learn from, and what other models make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import habitue as hb
from habitue.decisions import reasons_in_words
from habitue.errors import SchemaError, SettingsError
from habitue.models import BGNBD, BTYDFeatures, ChurnAnswers, GammaGamma, load_model, save_model
from habitue.snapshots import stack, take_snapshots

HORIZON = 91
ANSWERS = ["p_alive", "expected_purchases", "p_no_purchase", "expected_spend"]


@pytest.fixture(scope="module")
def snapshots():
    log = hb.datasets.cdnow(sample=True)
    windows = [hb.Window(cutoff, horizon=HORIZON) for cutoff in ("1997-09-30", "1997-12-30", "1998-03-31")]
    return take_snapshots(log, windows)


def test_answers_are_those_of_the_models_themselves(snapshots):
    X = snapshots[0].X
    answers = BTYDFeatures(horizon=HORIZON).fit(X).transform(X)
    purchases, spend = BGNBD().fit(X), GammaGamma().fit(X)
    pd.testing.assert_frame_equal(answers[list(X)], X)
    np.testing.assert_array_equal(answers["p_alive"], purchases.p_alive(X))
    expected, none = purchases.expected_purchases, purchases.p_no_purchase
    np.testing.assert_array_equal(answers["expected_purchases"], expected(X, horizon=HORIZON))
    np.testing.assert_array_equal(answers["p_no_purchase"], none(X, horizon=HORIZON))
    np.testing.assert_array_equal(answers["expected_spend"], spend.expected_spend(X))
    assert list(answers)[-4:] == ANSWERS


def test_only_the_earliest_cutoff_is_learned_from(snapshots):
    """Later rows hold what the earlier ones are to predict: they may be anything."""
    alone = BTYDFeatures().fit(snapshots[0].X)
    past = stack(snapshots[:2])
    stacked = BTYDFeatures().fit(past.X)
    assert stacked.purchases_.params_ == alone.purchases_.params_
    assert stacked.spend_.params_ == alone.spend_.params_
    changed = past.X.copy()
    later = changed.index.get_level_values("cutoff") > changed.index.get_level_values("cutoff").min()
    changed.loc[later, "frequency"] = 0.0
    changed.loc[later, "recency"] = 0.0
    assert BTYDFeatures().fit(changed).purchases_.params_ == alone.purchases_.params_


@pytest.mark.parametrize(
    ("model", "target"),
    [(hb.BoostedChurnClassifier, "churned"), (hb.BoostedValueRegressor, "spend")],
    ids=["churn", "value"],
)
def test_boosted_models_use_them(snapshots, tmp_path, model, target):
    past, now = stack(snapshots[:2]), snapshots[2]
    few = ["frequency", "recency", "T", "monetary_value", "gap_mean"]
    boosted = model(btyd_features=True, horizon=HORIZON, n_estimators=30, n_jobs=1)
    boosted.fit(past.X[few], past.outcomes[target])
    moved = boosted.contributions(now.X)
    assert list(moved) == [*few, *ANSWERS]
    assert list(boosted.feature_names_in_) == few
    assert moved[ANSWERS].abs().to_numpy().sum() > 0
    ask = boosted.predict_proba if target == "churned" else boosted.predict
    again = np.asarray(ask(now.X.sample(frac=1, random_state=1).loc[now.X.index, few[::-1]]))
    np.testing.assert_array_equal(again, ask(now.X))
    save_model(boosted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    other = loaded.predict_proba if target == "churned" else loaded.predict
    np.testing.assert_array_equal(other(now.X), ask(now.X))


def test_reasons_tell_them(snapshots):
    past, now = stack(snapshots[:2]), snapshots[2]
    few = ["frequency", "recency", "T", "monetary_value"]
    classifier = hb.BoostedChurnClassifier(btyd_features=True, horizon=HORIZON, n_estimators=30, n_jobs=1)
    classifier.fit(past.X[few], past.outcomes["churned"])
    answers = ChurnAnswers(
        classifier=classifier, purchases=BGNBD().fit(now.X), horizon=HORIZON, population="{}"
    )
    assert answers.input_columns_ == few
    told = reasons_in_words(answers.contributions(now.X), answers.reason_values(now.X))
    said = " ".join(told.to_numpy().ravel())
    assert "by the rhythm of purchases still a customer with" in said
    assert "%" in said


def test_any_other_model_may_read_them(snapshots):
    past, now = stack(snapshots[:2]), snapshots[2]
    few = ["frequency", "recency", "T", "monetary_value"]
    pipeline = make_pipeline(BTYDFeatures(horizon=HORIZON), LogisticRegression(max_iter=5000))
    pipeline.fit(past.X[few], past.outcomes["churned"])
    assert pipeline.predict_proba(now.X[few]).shape == (len(now.X), 2)
    assert list(pipeline[0].get_feature_names_out()) == [*few, *ANSWERS]


def test_a_column_that_is_missing_is_named(snapshots):
    with pytest.raises(SchemaError, match="monetary_value"):
        BTYDFeatures().fit(snapshots[0].X[["frequency", "recency", "T"]])
    with pytest.raises(SettingsError, match="horizon"):
        BTYDFeatures(horizon=0).fit(snapshots[0].X)
