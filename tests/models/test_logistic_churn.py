"""Logistic regression of churn: what it finds again, how it takes gaps and tails, that its sums add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import load_model, save_model
from habitue.models.logistic_churn import LogisticChurnClassifier, Straightening


def customers(n: int = 2000, *, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return customers whose log-odds are linear in silence, with a gap that says something and a tail."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "inactivity": rng.uniform(0, 400, n),
            "spend_total": rng.lognormal(3.0, 2.0, n),
            "returns_share": np.where(rng.uniform(size=n) < 0.3, np.nan, rng.uniform(size=n)),
            "n_constant": np.full(n, 0.1),
        }
    )
    odds = (X["inactivity"] - 200.0) / 80.0 + np.where(X["returns_share"].isna(), 1.5, 0.0)
    return X, rng.uniform(size=n) < expit(odds).to_numpy()


def test_it_learns_who_leaves_and_totals_agree() -> None:
    X, y = customers()
    fresh, happened = customers(seed=1)
    model = LogisticChurnClassifier().fit(X, y)
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)
    churn = model.predict_proba(fresh)[:, 1]
    assert np.mean((churn - happened) ** 2) < 0.8 * np.mean((y.mean() - happened) ** 2)
    assert churn.mean() == pytest.approx(happened.mean(), abs=0.03)


def test_a_gap_that_says_something_is_heard() -> None:
    X, y = customers(6000)
    model = LogisticChurnClassifier().fit(X, y)
    told = dict(zip(model.feature_names_in_, model.missing_coef_, strict=True))
    assert told["returns_share"] == pytest.approx(1.5, abs=0.35)
    assert [name for name, weight in told.items() if weight] == ["returns_share"]


def test_it_is_at_the_minimum_of_its_penalised_loss() -> None:
    """An oracle from another world: the penalised likelihood written out, and its slopes by differences."""
    X, y = customers(400)
    model = LogisticChurnClassifier(C=0.7).fit(X, y)
    z = model.straightening_(X.to_numpy())
    gaps = X.isna().to_numpy() - model.missing_share_
    signs = np.where(y, 1.0, -1.0)

    def loss(weights: np.ndarray) -> float:
        linear = weights[0] + z @ weights[1:5] + gaps @ weights[5:]
        return float(np.logaddexp(0.0, -signs * linear).sum() + (weights[1:] ** 2).sum() / (2.0 * 0.7))

    found = np.r_[model.intercept_, model.coef_, model.missing_coef_]
    slopes = [(loss(found + step) - loss(found - step)) / 2e-5 for step in 1e-5 * np.eye(len(found))]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-3)


def test_contributions_and_the_intercept_are_the_log_odds_and_average_to_none() -> None:
    X, y = customers()
    model = LogisticChurnClassifier().fit(X, y)
    parts = model.contributions(X)
    assert list(parts) == list(X)
    np.testing.assert_allclose(
        parts.sum(axis=1) + model.intercept_, logit(model.predict_proba(X)[:, 1]), atol=1e-9
    )
    np.testing.assert_allclose(parts.mean(), 0.0, atol=1e-12)
    assert not parts["n_constant"].to_numpy().any()


@pytest.mark.parametrize("factor", [64.0, 1e-3, 7.5])
def test_the_unit_of_a_column_does_not_matter(factor: float) -> None:
    X, y = customers(500)
    changed = X.assign(spend_total=X["spend_total"] * factor)
    one = LogisticChurnClassifier().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(
        LogisticChurnClassifier().fit(changed, y).predict_proba(changed), one, rtol=1e-9
    )


def test_a_customer_beyond_all_others_moves_the_odds_by_little() -> None:
    """A thousand times the largest sum is a step of the logarithm, not a thousand steps."""
    X, y = customers()
    model = LogisticChurnClassifier().fit(X, y)
    largest = X.loc[[X["spend_total"].idxmax()]]
    beyond = largest.assign(spend_total=1000.0 * largest["spend_total"])
    step = abs(float((model.contributions(beyond) - model.contributions(largest))["spend_total"].iloc[0]))
    weight = abs(float(model.coef_[1]))
    assert weight > 0.0
    assert step < 1.01 * weight * np.log(1000.0) / model.straightening_.spread[1]


def test_weights_count_rows() -> None:
    X, y = customers(300)
    twice = np.arange(len(X)) % 2 == 0
    weighted = LogisticChurnClassifier().fit(X, y, sample_weight=np.where(twice, 2.0, 0.0))
    repeated = LogisticChurnClassifier().fit(
        pd.concat([X[twice], X[twice]]), np.concatenate([y[twice], y[twice]])
    )
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-8)


def test_a_gap_that_was_never_there_in_fitting_is_the_mean() -> None:
    X, y = customers()
    model = LogisticChurnClassifier().fit(X, y)
    without = X.head(3).assign(inactivity=np.nan)
    assert not model.contributions(without)["inactivity"].to_numpy().any()
    assert np.isfinite(model.predict_proba(without)).all()


@pytest.mark.parametrize("churned", [True, False])
def test_of_one_class_it_says_the_rate_and_never_certainty(churned: bool) -> None:
    X, _ = customers(99)
    churn = LogisticChurnClassifier().fit(X, np.full(99, churned)).predict_proba(X)[:, 1]
    np.testing.assert_allclose(churn, 0.995 if churned else 0.005)


def test_where_nothing_tells_customers_apart_it_says_the_rate() -> None:
    X = pd.DataFrame({"a": [1.0, 1.0, 1.0, 1.0], "b": [np.nan] * 4})
    churn = LogisticChurnClassifier().fit(X, [True, False, False, False]).predict_proba(X)[:, 1]
    np.testing.assert_allclose(churn, 0.3)


def test_all_of_one_customer_in_ten_columns_apart_stays_finite() -> None:
    """Classes that one column parts completely have no finite weight; the ridge gives one."""
    X = pd.DataFrame({"answer": np.repeat([0.0, 1.0], 50)})
    model = LogisticChurnClassifier().fit(X, X["answer"] == 1.0)
    assert 0.0 < model.coef_[0] < 50.0
    freer = LogisticChurnClassifier(C=100.0).fit(X, X["answer"] == 1.0)
    assert freer.coef_[0] > model.coef_[0]


def test_stored_as_text_it_says_the_same(tmp_path: Path) -> None:
    X, y = customers(200)
    model = LogisticChurnClassifier().fit(X, y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded.straightening_, Straightening)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json"}


def test_what_it_refuses() -> None:
    X, y = customers(60)
    with pytest.raises(DataError, match="no infinity"):
        LogisticChurnClassifier().fit(X.assign(inactivity=np.inf), y)
    with pytest.raises(SettingsError, match="C to be a finite number > 0"):
        LogisticChurnClassifier(C=0.0).fit(X, y)
    with pytest.raises(SchemaError, match="spend_total"):
        LogisticChurnClassifier().fit(X, y).predict_proba(X.drop(columns="spend_total"))
    with pytest.raises(DataError, match="learns from outcomes"):
        LogisticChurnClassifier().fit(X, None)
