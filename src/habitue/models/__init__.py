"""Estimators with the scikit-learn contract; they know X and y, never a record.

Probability models (`BGNBD` and the other families, `GammaGamma`) learn from frequency, recency, T and
monetary_value alone; the boosted ones from all features and known outcomes. Only here is LightGBM imported,
and only when it is used.
"""

from habitue.models.answers import ChurnAnswers, ValueAnswers
from habitue.models.baseline_churn import (
    BaseRateClassifier,
    ContractEndClassifier,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    RateClassifier,
    TenureClassifier,
)
from habitue.models.baseline_value import (
    LastPeriodRepeatRegressor,
    MeanRegressor,
    RateRegressor,
    ZeroRegressor,
)
from habitue.models.bdw import BDW
from habitue.models.bgbb import BGBB
from habitue.models.bgcnbdk import BGCNBDk
from habitue.models.bgnbd import BGNBD
from habitue.models.boosted_churn import BoostedChurnClassifier
from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.btyd_churn import BTYDChurnClassifier
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.btyd_value import BTYDValueRegressor
from habitue.models.clv_distribution import clv_distribution
from habitue.models.covariate_paths import CovariatePaths
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.ggompertz_nbd import GGompertzNBD
from habitue.models.isotonic_calibration import IsotonicCalibrator, VennAbersCalibrator
from habitue.models.lifetimes_models import from_lifetimes
from habitue.models.logistic_calibration import BetaCalibrator, PlattCalibrator
from habitue.models.logistic_churn import LogisticChurnClassifier
from habitue.models.mbgcnbdk import MBGCNBDk
from habitue.models.mbgnbd import MBGNBD
from habitue.models.nbd import NBD
from habitue.models.pareto_nbd import ParetoNBD
from habitue.models.pareto_nbd_paths import ParetoNBDPaths
from habitue.models.persistence import load_model, persistent, save_model
from habitue.models.probability_calibration import NoCalibration
from habitue.models.quantile_interval import QuantileValueInterval
from habitue.models.sbg import SBG
from habitue.models.season import YearlySeason
from habitue.models.season_correction import SeasonCorrected
from habitue.models.seasonal_purchases import SeasonalPurchases
from habitue.models.stacked_churn import StackedChurnClassifier
from habitue.models.stacked_value import StackedValueRegressor
from habitue.models.tuning import TunedModel
from habitue.models.tuning_space import Between
from habitue.models.uplift.model import EffectBounds, UpliftModel
from habitue.models.value_interval import ValueInterval

__all__ = [
    "BDW",
    "BGBB",
    "BGNBD",
    "MBGNBD",
    "NBD",
    "SBG",
    "BGCNBDk",
    "BTYDChurnClassifier",
    "BTYDFeatures",
    "BTYDValueRegressor",
    "BaseRateClassifier",
    "BetaCalibrator",
    "Between",
    "BoostedChurnClassifier",
    "BoostedHazardModel",
    "BoostedValueRegressor",
    "ChurnAnswers",
    "ContractEndClassifier",
    "CovariatePaths",
    "EffectBounds",
    "GGompertzNBD",
    "GammaGamma",
    "HiatusClassifier",
    "IsotonicCalibrator",
    "LastPeriodRepeatClassifier",
    "LastPeriodRepeatRegressor",
    "LogisticChurnClassifier",
    "MBGCNBDk",
    "MeanRegressor",
    "NoCalibration",
    "ParetoNBD",
    "ParetoNBDPaths",
    "PlattCalibrator",
    "QuantileValueInterval",
    "RateClassifier",
    "RateRegressor",
    "SeasonCorrected",
    "SeasonalPurchases",
    "StackedChurnClassifier",
    "StackedValueRegressor",
    "TenureClassifier",
    "TunedModel",
    "UpliftModel",
    "ValueAnswers",
    "ValueInterval",
    "VennAbersCalibrator",
    "YearlySeason",
    "ZeroRegressor",
    "clv_distribution",
    "from_lifetimes",
    "load_model",
    "persistent",
    "save_model",
]
