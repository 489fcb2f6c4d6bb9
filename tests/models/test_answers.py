"""What is served: one table, made by the models inside and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SchemaError
from habitue.models import (
    BGNBD,
    BoostedChurnClassifier,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ChurnAnswers,
    ValueAnswers,
    ValueInterval,
    load_model,
    save_model,
)
from habitue.vocabulary import VOCABULARY

HORIZON = 91
SEEN = ["inactivity", "spend_mean", "gap_mean"]


@pytest.fixture(scope="module")
def snapshot() -> hb.Snapshot:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


def churn_answers(snapshot: hb.Snapshot, kind: str) -> ChurnAnswers:
    X, y = snapshot.X, snapshot.outcomes["churned"]
    boosted = BoostedChurnClassifier(n_estimators=10, n_jobs=1).fit(X[SEEN], y)
    model = boosted if kind == "boosted" else BTYDChurnClassifier(horizon=HORIZON).fit(X)
    return ChurnAnswers(classifier=model, purchases=BGNBD(horizon=HORIZON).fit(X), horizon=HORIZON)


def value_answers(snapshot: hb.Snapshot, kind: str) -> ValueAnswers:
    X, y = snapshot.X, snapshot.outcomes["spend"]
    boosted = BoostedValueRegressor(n_estimators=10, n_jobs=1).fit(X[SEEN], y)
    model = boosted if kind == "boosted" else BTYDValueRegressor(horizon=HORIZON).fit(X)
    interval = ValueInterval().fit(model.predict(X), y)
    return ValueAnswers(
        regressor=model, purchases=BGNBD(horizon=7).fit(X), interval=interval, horizon=HORIZON
    )


MAKERS = pytest.mark.parametrize("make", [churn_answers, value_answers])
KINDS = pytest.mark.parametrize("kind", ["boosted", "btyd"])


@KINDS
def test_churn_is_answered_by_the_models_inside(snapshot: hb.Snapshot, kind: str) -> None:
    answers, X = churn_answers(snapshot, kind), snapshot.X
    table = answers.answer(X)
    assert list(table) == ["p_alive", "churn_probability"]
    np.testing.assert_array_equal(table["p_alive"], answers.purchases.p_alive(X))
    np.testing.assert_array_equal(table["churn_probability"], answers.classifier.predict_proba(X)[:, 1])


@KINDS
def test_value_is_answered_by_the_models_inside(snapshot: hb.Snapshot, kind: str) -> None:
    answers, X = value_answers(snapshot, kind), snapshot.X
    table = answers.answer(X)
    assert list(table) == ["p_alive", "expected_purchases", "clv", "clv_lower", "clv_upper"]
    np.testing.assert_array_equal(table["clv"], answers.regressor.predict(X))
    np.testing.assert_array_equal(
        table["expected_purchases"], answers.purchases.expected_purchases(X, horizon=HORIZON)
    )
    assert (table["clv_lower"] <= table["clv"]).all()
    assert (table["clv"] <= table["clv_upper"]).all()


@MAKERS
@KINDS
def test_the_columns_it_names_are_those_it_needs(snapshot: hb.Snapshot, make, kind: str) -> None:
    answers = make(snapshot, kind)
    needed = answers.input_columns_
    assert len(needed) == len(set(needed))
    assert set(SEEN) <= set(needed) if kind == "boosted" else not set(SEEN) & set(needed)
    pd.testing.assert_frame_equal(answers.answer(snapshot.X[needed]), answers.answer(snapshot.X))
    pd.testing.assert_frame_equal(
        answers.contributions(snapshot.X[needed]), answers.contributions(snapshot.X)
    )
    read = needed if kind == "btyd" else [*SEEN, "frequency", "recency", "T"]
    for name in read:
        with pytest.raises(SchemaError, match=name):
            answers.answer(snapshot.X[needed].drop(columns=name))


@MAKERS
@KINDS
def test_answers_are_labelled_explained_and_the_same_after_storing(
    snapshot: hb.Snapshot, make, kind: str, tmp_path: Path
) -> None:
    answers, X = make(snapshot, kind), snapshot.X.iloc[40:80]
    table, reasons = answers.answer(X), answers.contributions(X)
    assert set(table) <= set(VOCABULARY)
    assert set(reasons) <= set(VOCABULARY)
    pd.testing.assert_index_equal(table.index, X.index)
    pd.testing.assert_index_equal(reasons.index, X.index)
    save_model(answers, tmp_path / "answers")
    loaded = load_model(tmp_path / "answers")
    assert loaded.input_columns_ == answers.input_columns_
    pd.testing.assert_frame_equal(loaded.answer(X), table, check_exact=True)
    pd.testing.assert_frame_equal(loaded.contributions(X), reasons, check_exact=True)
