"""What is registered and served: everything one model answers about a customer, in one table.

An answer object bundles fitted models; it learns nothing itself. The same object stands behind a notebook, a
batch, a served model and Spark.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.models.boosted_churn import BoostedChurnClassifier
from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.btyd_churn import BTYDChurnClassifier, PurchaseModel
from habitue.models.btyd_value import BTYDValueRegressor
from habitue.models.persistence import persistent
from habitue.models.value_interval import ValueInterval

__all__ = ["ChurnAnswers", "ValueAnswers"]

_HISTORY = ("frequency", "recency", "T")
_SPEND = (*_HISTORY, "monetary_value")


@persistent
class ChurnAnswers(BaseEstimator):
    """Who is about to leave: churn_probability, and p_alive where purchases tell it.

    Parameters
    ----------
    classifier : BoostedChurnClassifier or BTYDChurnClassifier
        Fitted.
    purchases : PurchaseModel or None
        Fitted; gives p_alive, which is not answered where None.
    horizon : int
        Days ahead that the classifier was trained for.
    population : str
        What was learned of the population before the features were built, as text; it is only carried along.
    churn : {"transactions", "contracts"}
        The records that told who is a customer and who churned; it is only carried along.
    """

    def __init__(
        self,
        *,
        classifier: BoostedChurnClassifier | BTYDChurnClassifier,
        purchases: PurchaseModel | None,
        horizon: int,
        population: str = "",
        churn: str = "transactions",
    ) -> None:
        self.classifier = classifier
        self.purchases = purchases
        self.horizon = horizon
        self.population = population
        self.churn = churn

    @property
    def input_columns_(self) -> list[str]:
        """Columns of X that are needed."""
        return _columns(self.classifier, () if self.purchases is None else _HISTORY)

    def answer(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return p_alive, where purchases tell it, and churn_probability.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.

        Returns
        -------
        DataFrame of shape (n_customers, 2) or (n_customers, 1)
            Probabilities, indexed like X.

        Raises
        ------
        SchemaError
            Where a column is missing.
        """
        alive = {} if self.purchases is None else {"p_alive": np.asarray(self.purchases.p_alive(X))}
        answers = alive | {"churn_probability": self.classifier.predict_proba(X)[:, 1]}
        return pd.DataFrame(answers, index=X.index)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            One column for each thing the model tells of, indexed like X.
        """
        return self.classifier.contributions(X)

    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that reasons name: X, and inactivity = T - recency where there are purchases.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        """
        return _told_values(self.classifier, X)


@persistent
class ValueAnswers(BaseEstimator):
    """What customers are worth: p_alive, expected_purchases, and clv with its interval.

    Parameters
    ----------
    regressor : BoostedValueRegressor or BTYDValueRegressor
        Fitted.
    purchases : PurchaseModel
        Fitted; gives p_alive and expected_purchases.
    interval : ValueInterval
        Fitted on customers that the regressor had not seen.
    horizon : int
        Days ahead that the regressor was trained for.
    population : str
        What was learned of the population before the features were built, as text; it is only carried along.
    """

    def __init__(
        self,
        *,
        regressor: BoostedValueRegressor | BTYDValueRegressor,
        purchases: PurchaseModel,
        interval: ValueInterval,
        horizon: int,
        population: str = "",
    ) -> None:
        self.regressor = regressor
        self.purchases = purchases
        self.interval = interval
        self.horizon = horizon
        self.population = population

    @property
    def input_columns_(self) -> list[str]:
        """Columns of X that are needed."""
        return _columns(self.regressor, _SPEND)

    def answer(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return p_alive, expected_purchases, clv, clv_lower and clv_upper.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.

        Returns
        -------
        DataFrame of shape (n_customers, 5)
            A probability, purchases and money within the horizon; indexed like X.

        Raises
        ------
        SchemaError
            Where a column is missing.
        """
        clv = np.asarray(self.regressor.predict(X), dtype=np.float64)
        lower, upper = self.interval.bounds(clv)
        answers = {
            "p_alive": np.asarray(self.purchases.p_alive(X)),
            "expected_purchases": np.asarray(self.purchases.expected_purchases(X, horizon=self.horizon)),
            "clv": clv,
            "clv_lower": lower,
            "clv_upper": upper,
        }
        return pd.DataFrame(answers, index=X.index)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to the log of expected spend.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            One column for each thing the model tells of, indexed like X.
        """
        return self.regressor.contributions(X)

    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that reasons name: X, and inactivity = T - recency.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        """
        return _told_values(self.regressor, X)


def _columns(model: BaseEstimator, needed: tuple[str, ...]) -> list[str]:
    """Columns that the model was fitted on, and those that the probability models read."""
    own = [str(name) for name in getattr(model, "feature_names_in_", needed)]
    return list(dict.fromkeys([*needed, *own]))


def _told_values(model: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Return X, inactivity, and what the model itself adds."""
    values = model.reason_values(X) if hasattr(model, "reason_values") else X
    return values.assign(inactivity=X["T"] - X["recency"]) if {"T", "recency"} <= set(X.columns) else values
