"""Value by BG/NBD and gamma-gamma: how often, times how much, less what is returned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SchemaError
from habitue.models import BGNBD, BTYDValueRegressor, GammaGamma


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    log = hb.datasets.cdnow(sample=True)
    return hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91)).X


def test_value_is_purchases_times_spend(X: pd.DataFrame) -> None:
    model = BTYDValueRegressor(horizon=91).fit(X)
    expected = BGNBD().fit(X).expected_purchases(X, horizon=91) * GammaGamma().fit(X).expected_spend(X)
    assert model.net_share_ == 1.0  # CDNOW records no return
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)


def test_returns_are_taken_off(X: pd.DataFrame) -> None:
    whole = BTYDValueRegressor().fit(X).predict(X)
    returned = X.assign(returns_share=np.where(np.arange(len(X)) % 2, 0.5, np.nan))
    model = BTYDValueRegressor().fit(returned)
    share = 1.0 - (returned["returns_share"] * X["spend_total"]).sum() / X["spend_total"].sum()
    assert 0.7 < share < 0.8
    assert model.net_share_ == pytest.approx(share, rel=1e-12)
    np.testing.assert_allclose(model.predict(X), whole * share, rtol=1e-12)


def test_more_returned_than_bought_is_worth_nothing_not_less(X: pd.DataFrame) -> None:
    model = BTYDValueRegressor().fit(X.assign(returns_share=1.5))
    assert model.net_share_ == 0.0
    assert (model.predict(X) == 0.0).all()
    assert np.isfinite(model.contributions(X).to_numpy()).all()


def test_an_array_of_the_four_columns_is_enough(X: pd.DataFrame) -> None:
    four = X[["frequency", "recency", "T", "monetary_value"]]
    model = BTYDValueRegressor().fit(four.to_numpy())
    np.testing.assert_array_equal(model.predict(four.to_numpy()), BTYDValueRegressor().fit(four).predict(X))
    with pytest.raises(SchemaError, match="monetary_value"):
        model.predict(X[["frequency", "recency", "T"]].to_numpy())


def test_the_models_that_were_handed_in_are_used_and_left_unfitted(X: pd.DataFrame) -> None:
    purchases, spend = BGNBD(penalizer=0.05), GammaGamma(penalizer=0.05)
    model = BTYDValueRegressor(purchases=purchases, spend=spend).fit(X)
    assert (model.purchases_.penalizer, model.spend_.penalizer) == (0.05, 0.05)
    assert not hasattr(purchases, "params_")
    assert not hasattr(spend, "params_")
