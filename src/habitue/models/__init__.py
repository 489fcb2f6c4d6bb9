"""Estimators with the scikit-learn contract; they know X and y, never a record.

Probability models (`BGNBD`, `GammaGamma`) learn from frequency, recency, T and monetary_value alone; the
boosted ones from all features and known outcomes. Only here is LightGBM imported, and only when it is used.
"""

from habitue.models.answers import ChurnAnswers, ValueAnswers
from habitue.models.baseline_churn import (
    BaseRateClassifier,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    RateClassifier,
)
from habitue.models.baseline_value import (
    LastPeriodRepeatRegressor,
    MeanRegressor,
    RateRegressor,
    ZeroRegressor,
)
from habitue.models.bgnbd import BGNBD
from habitue.models.boosted_churn import BoostedChurnClassifier
from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.btyd_churn import BTYDChurnClassifier
from habitue.models.btyd_value import BTYDValueRegressor
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.persistence import load_model, persistent, save_model
from habitue.models.value_interval import ValueInterval

__all__ = [
    "BGNBD",
    "BTYDChurnClassifier",
    "BTYDValueRegressor",
    "BaseRateClassifier",
    "BoostedChurnClassifier",
    "BoostedValueRegressor",
    "ChurnAnswers",
    "GammaGamma",
    "HiatusClassifier",
    "LastPeriodRepeatClassifier",
    "LastPeriodRepeatRegressor",
    "MeanRegressor",
    "RateClassifier",
    "RateRegressor",
    "ValueAnswers",
    "ValueInterval",
    "ZeroRegressor",
    "load_model",
    "persistent",
    "save_model",
]
