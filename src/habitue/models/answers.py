"""What is registered and served: everything one model answers about a customer, in one table.

An answer object bundles fitted models; it learns nothing itself. The same object stands behind a notebook, a
batch, a served model and Spark.
"""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import SettingsError
from habitue.models.boosted_churn import BoostedChurnClassifier
from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.btyd_churn import BTYDChurnClassifier, PurchaseModel
from habitue.models.btyd_value import BTYDValueRegressor
from habitue.models.maximum_likelihood import check_setting
from habitue.models.persistence import persistent
from habitue.models.value_interval import ValueInterval
from habitue.numerics.discounting import Discount
from habitue.vocabulary import one_or_many

__all__ = ["ChurnAnswers", "ValueAnswers"]

_HISTORY = ("frequency", "recency", "T")
_SPEND = (*_HISTORY, "monetary_value")


@persistent
class ChurnAnswers(BaseEstimator):
    """Who is about to leave: churn_probability, and p_alive where purchases tell it.

    A model that knows more tells more: one of hazards (method ``time_to_churn``) adds further horizons,
    causes and days still to come; a stacked one (method ``answered_by``) says which models answered.

    Parameters
    ----------
    classifier : BoostedChurnClassifier, BTYDChurnClassifier, BoostedHazardModel or the like
        Fitted.
    purchases : PurchaseModel or None
        Fitted; gives p_alive, which is not answered where None.
    horizon : int
        Days ahead that the classifier was trained for.
    population : str
        What was learned of the population before the features were built, as text; it is only carried along.
    churn : {"transactions", "contracts"}
        The records that told who is a customer and who churned; it is only carried along.
    profile : str
        What the features looked like when it was trained, as text; it is only carried along.
    """

    def __init__(
        self,
        *,
        classifier: BoostedChurnClassifier | BTYDChurnClassifier | BoostedHazardModel,
        purchases: PurchaseModel | None,
        horizon: int,
        population: str = "",
        churn: str = "transactions",
        profile: str = "",
    ) -> None:
        self.classifier = classifier
        self.purchases = purchases
        self.horizon = horizon
        self.population = population
        self.churn = churn
        self.profile = profile

    @property
    def input_columns_(self) -> list[str]:
        """Columns of X that are needed."""
        return _columns(self.classifier, () if self.purchases is None else _HISTORY)

    def check_horizon(self, horizon: int | None) -> int:
        """Return how many days ahead are asked for; refuse those that the classifier cannot answer.

        Parameters
        ----------
        horizon : int or None
            Whole days, > 0; those that it was trained for where None.

        Raises
        ------
        SettingsError
            Where it learned of one horizon alone, and that is another.
        """
        return _check_horizon(self.classifier, "predict_proba", horizon, self.horizon)

    def answer(self, X: pd.DataFrame, *, horizon: int | None = None) -> pd.DataFrame:
        """Return p_alive, where purchases tell it, churn_probability, and what else the classifier can tell.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        horizon : int, optional
            Days ahead; those that the classifier was trained for where None.

        Returns
        -------
        DataFrame of shape (n_customers, n_answers)
            Indexed like X: probabilities; of hazards what `HazardAnswers.time_to_churn` tells; of a stacked
            model ``answered_by``.

        Raises
        ------
        SchemaError
            Where a column is missing.
        SettingsError
            Where the classifier cannot answer for that horizon.
        """
        days = self.check_horizon(horizon)
        alive = {} if self.purchases is None else {"p_alive": np.asarray(self.purchases.p_alive(X))}
        churn = _ask(self.classifier, "predict_proba", X, days, self.horizon)[:, 1]
        answers = pd.DataFrame(alive | {"churn_probability": churn}, index=X.index)
        model = _inside(self.classifier)
        if hasattr(model, "time_to_churn"):
            answers = answers.join(model.time_to_churn(X, horizon=days))
        return answers.assign(**_answered_by(self.classifier, X, days, self.horizon))

    def contributions(self, X: pd.DataFrame, *, horizon: int | None = None) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        horizon : int, optional
            Days ahead. Only probability models tell them apart; the others' contributions are to what they
            learned: the horizon trained for, or the hazard of the present period.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            One column for each thing the model tells of, indexed like X.
        """
        return _contributions(self.classifier, X, self.check_horizon(horizon), self.horizon)

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
    regressor : BoostedValueRegressor, BTYDValueRegressor or the like
        Fitted. A stacked one (method ``answered_by``) also says which models answered.
    purchases : PurchaseModel
        Fitted; gives p_alive and expected_purchases.
    interval : ValueInterval
        Fitted on customers that the regressor had not seen.
    horizon : int
        Days ahead that the regressor was trained for.
    population : str
        What was learned of the population before the features were built, as text; it is only carried along.
    profile : str
        What the features looked like when it was trained, as text; it is only carried along.

    Notes
    -----
    The interval was learned from what customers spent within the horizon trained for. How far spend strays
    within another one is not known from that, in neither direction: more time evens out, and lets more
    happen. So for another horizon clv has no interval, and `why_no_interval` says so.

    Money is counted in full unless a discount rate is asked for. Then clv is multiplied by D / E, with E the
    expected purchases within the horizon and D the same, each with its present value. What is spent per
    purchase does not depend on when it is made in probability models: there that is exact. A stacked model
    asks the one among its own; for a boosted one, which learned sums, the purchases model beside it tells.
    Either way it is in [exp(-rate * horizon), 1]: the interval's lower end is taken times the former.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for
       customer base analysis. Journal of Marketing Research 42(4), 415-430.
    """

    def __init__(
        self,
        *,
        regressor: BoostedValueRegressor | BTYDValueRegressor,
        purchases: PurchaseModel,
        interval: ValueInterval,
        horizon: int,
        population: str = "",
        profile: str = "",
    ) -> None:
        self.regressor = regressor
        self.purchases = purchases
        self.interval = interval
        self.horizon = horizon
        self.population = population
        self.profile = profile

    @property
    def input_columns_(self) -> list[str]:
        """Columns of X that are needed."""
        return _columns(self.regressor, _SPEND)

    def check_horizon(self, horizon: int | None) -> int:
        """Return how many days ahead are asked for; refuse those that the regressor cannot answer.

        Parameters
        ----------
        horizon : int or None
            Whole days, > 0; those that it was trained for where None.

        Raises
        ------
        SettingsError
            Where it learned of one horizon alone, and that is another.
        """
        return _check_horizon(self.regressor, "predict", horizon, self.horizon)

    def why_no_interval(self, horizon: int | None) -> str:
        """Return why clv has no interval at a horizon, in a sentence; nothing where it has one.

        Parameters
        ----------
        horizon : int or None
            Days ahead; those trained for where None.
        """
        if horizon is None or horizon == self.horizon:
            return ""
        return (
            f"The interval was learned {one_or_many(self.horizon, 'day')} ahead and says nothing of "
            f"{one_or_many(horizon, 'day')}; train for that horizon to have one."
        )

    def answer(
        self, X: pd.DataFrame, *, horizon: int | None = None, discount_rate: float = 0.0
    ) -> pd.DataFrame:
        """Return p_alive, expected_purchases, clv, clv_lower and clv_upper.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        horizon : int, optional
            Days ahead; those that the regressor was trained for where None.
        discount_rate : float
            What a year takes off money, compounded once a year: 0.10 for ten percent; 0 or above.

        Returns
        -------
        DataFrame of shape (n_customers, 5) or (n_customers, 6)
            A probability, purchases and money within the horizon; indexed like X. The ends of the interval
            are missing where `why_no_interval` says why. Of a stacked model ``answered_by``, too.

        Raises
        ------
        SchemaError
            Where a column is missing.
        SettingsError
            Where the regressor cannot answer for that horizon, or nobody can say when money comes.
        """
        days, discount = self.check_horizon(horizon), _discount(discount_rate)
        clv = np.asarray(_ask(self.regressor, "predict", X, days, self.horizon), dtype=np.float64)
        known = not self.why_no_interval(days)
        lower, upper = self.interval.bounds(clv) if known else (np.nan, np.nan)
        if discount.annual_rate:
            clv = clv * _discounted_share(self._who_tells_when(), X, days, discount)
            lower = lower * math.exp(-discount.per(days))
        answers = {
            "p_alive": np.asarray(self.purchases.p_alive(X)),
            "expected_purchases": np.asarray(self.purchases.expected_purchases(X, horizon=days)),
            "clv": clv,
            "clv_lower": lower,
            "clv_upper": upper,
        }
        return pd.DataFrame(answers | _answered_by(self.regressor, X, days, self.horizon), index=X.index)

    def contributions(self, X: pd.DataFrame, *, horizon: int | None = None) -> pd.DataFrame:
        """Return what each feature adds to the log of expected spend.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `input_columns_`.
        horizon : int, optional
            Days ahead. Only probability models tell them apart; the others' contributions are to the spend
            within the horizon trained for.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            One column for each thing the model tells of, indexed like X.
        """
        return _contributions(self.regressor, X, self.check_horizon(horizon), self.horizon)

    def _who_tells_when(self) -> Any:
        """Return the purchases model inside the regressor, or the one beside it where it has none."""
        model = _inside(self.regressor)
        members = getattr(model, "models_", {})
        story = members.get(getattr(model, "structural_", None), model)
        return getattr(story, "purchases_", self.purchases)

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


def _discount(rate: float) -> Discount:
    """Return the discount of a rate, which money later is not worth more by."""
    check_setting("discount_rate", rate, at_least=0)
    return Discount(rate)


def _discounted_share(purchases: Any, X: pd.DataFrame, days: int, discount: Discount) -> npt.NDArray[Any]:
    """Return the share of money within the days that is left of it today, in [exp(-rate * days), 1]."""
    if not hasattr(purchases, "residual_transactions"):
        raise SettingsError(
            f"{type(purchases).__name__} cannot tell what purchases within a horizon are worth today; ask "
            "with discount_rate 0, or a model without a season."
        )
    rate = discount.per(days)
    full = np.asarray(purchases.expected_purchases(X, horizon=days))
    today = np.asarray(purchases.residual_transactions(X, discount=discount, horizon=days))
    # Who is certain not to buy has no share; spread evenly over the days, as good a guess as any.
    evenly = np.full(len(X), -math.expm1(-rate) / rate)
    share = np.divide(today, full, out=evenly, where=full > 0.0)
    return np.clip(share, math.exp(-rate), 1.0)


def _told_values(model: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Return X, inactivity, and what the model itself adds."""
    values = model.reason_values(X) if hasattr(model, "reason_values") else X
    return values.assign(inactivity=X["T"] - X["recency"]) if {"T", "recency"} <= set(X.columns) else values


def _inside(model: Any) -> Any:
    """Return the model that a search of settings found, or the model itself."""
    return getattr(model, "best_estimator_", model)


def _takes_horizon(method: Any) -> bool:
    return "horizon" in signature(method).parameters


def _check_horizon(model: Any, method: str, horizon: int | None, learned: int) -> int:
    """Return the days asked for, unless the model learned of others and its method takes no horizon."""
    if horizon is None or horizon == learned:
        return learned
    check_setting("horizon", horizon, above=0, whole=True)
    found = _inside(model)
    if not _takes_horizon(getattr(found, method)):
        raise SettingsError(
            f"{type(found).__name__} learned {one_or_many(learned, 'day')} ahead and cannot answer for "
            f"{horizon}. Train it for that horizon, or ask a model that answers any: BoostedHazardModel, "
            "BTYDChurnClassifier, BTYDValueRegressor, or one stacked with these."
        )
    return int(horizon)


def _ask(model: Any, method: str, X: pd.DataFrame, days: int, learned: int) -> Any:
    """Let a model answer, told of the horizon where that is another than it learned."""
    return getattr(model, method)(X) if days == learned else getattr(_inside(model), method)(X, horizon=days)


def _contributions(model: Any, X: pd.DataFrame, days: int, learned: int) -> pd.DataFrame:
    """Return a model's contributions, to its answer for the horizon where it tells horizons apart."""
    apart = days != learned and _takes_horizon(_inside(model).contributions)
    return _ask(model, "contributions", X, days if apart else learned, learned)


def _answered_by(model: Any, X: pd.DataFrame, days: int, learned: int) -> dict[str, pd.Series]:
    """Return who answered, where the model says so."""
    found = _inside(model)
    return (
        {"answered_by": _ask(found, "answered_by", X, days, learned)} if hasattr(found, "answered_by") else {}
    )
