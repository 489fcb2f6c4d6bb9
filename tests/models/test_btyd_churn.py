"""Churn by BG/NBD: the model's own answers, in scikit-learn's form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SchemaError
from habitue.models import BGNBD, BTYDChurnClassifier


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    log = hb.datasets.cdnow(sample=True)
    return hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91)).X


def test_it_answers_what_the_model_answers(X: pd.DataFrame) -> None:
    model = BTYDChurnClassifier(horizon=60).fit(X)
    alone = BGNBD().fit(X)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1], alone.p_no_purchase(X, horizon=60))


def test_the_model_that_was_handed_in_is_used_and_left_unfitted(X: pd.DataFrame) -> None:
    given = BGNBD(penalizer=0.05)
    model = BTYDChurnClassifier(horizon=60, purchases=given).fit(X)
    assert model.purchases_.penalizer == 0.05
    assert not hasattr(given, "params_")
    assert model.purchases_.params_ != BTYDChurnClassifier(horizon=60).fit(X).purchases_.params_


def test_an_array_of_the_three_columns_is_enough(X: pd.DataFrame) -> None:
    three = X[["frequency", "recency", "T"]]
    model = BTYDChurnClassifier().fit(X)
    other = BTYDChurnClassifier().fit(three.to_numpy())
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(three.to_numpy()))
    np.testing.assert_array_equal(model.contributions(X), other.contributions(three.to_numpy()))
    with pytest.raises(SchemaError, match="frequency, recency, T"):
        model.predict_proba(X.to_numpy())


def test_the_longer_silent_of_two_repeat_buyers_is_likelier_gone(X: pd.DataFrame) -> None:
    model = BTYDChurnClassifier().fit(X)
    silent = pd.DataFrame({"frequency": 4.0, "recency": np.arange(300.0, 0.0, -20.0), "T": 320.0})
    assert (np.diff(model.predict_proba(silent)[:, 1]) > 0).all()
    assert (np.diff(model.contributions(silent)["inactivity"]) > 0).all()
