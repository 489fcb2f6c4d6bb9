"""Churn and customer lifetime value: who is about to leave, what they are worth, why, and what to do.

The folders tell the journey; each package imports only packages to the left of it::

    (errors | files) < vocabulary < numerics < records < features < (snapshots | models) < evaluation
           < experiments < decisions < scorecard < (report | tracking) < pipelines < cli

    vocabulary   every column and feature name: meaning, unit, pillar
    records      what happened: a log of transactions and more, checked at the door
    features     what was known at a cutoff: SQL aggregates, one row a customer
    snapshots    the customer base at a cutoff: X, and y where the future is known
    numerics     formulas: arrays in, arrays out
    models       estimators with the scikit-learn contract
    evaluation   how good, and when: scores per customer, backtests
    experiments  did it work: design, assignment, readout
    decisions    what to do: reasons, offers, expected gains, allocation under limits
    scorecard    where loyalty stands: measures with intervals, against targets; what moves them
    report       told: one HTML page
    tracking     remembered: MLflow
    pipelines    the verbs behind the command line
    cli          one command per pipeline

Names are loaded when first used: ``import habitue`` pulls in neither mlflow nor lightgbm nor matplotlib.

Examples
--------
>>> import habitue as hb
>>> log = hb.datasets.cdnow(sample=True)
>>> snapshot = hb.take_snapshot(log, hb.Window("1997-09-30", horizon=273))
>>> model = hb.BGNBD().fit(snapshot.X)
>>> round(model.params_.r, 3), round(model.params_.alpha / 7, 2)
(0.243, 4.41)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from habitue.decisions import Offer
    from habitue.evaluation import Backtest, backtest, fit_curves, season_of
    from habitue.evaluation.comparison import Comparison, compare
    from habitue.models import (
        BDW,
        BGBB,
        BGNBD,
        MBGNBD,
        NBD,
        SBG,
        BGCNBDk,
        BoostedChurnClassifier,
        BoostedHazardModel,
        BoostedValueRegressor,
        BTYDChurnClassifier,
        BTYDFeatures,
        BTYDValueRegressor,
        CovariatePaths,
        GammaGamma,
        GGompertzNBD,
        MBGCNBDk,
        ParetoNBD,
        ParetoNBDPaths,
        SeasonalPurchases,
        SeasonCorrected,
        StackedChurnClassifier,
        StackedValueRegressor,
        TunedModel,
        UpliftModel,
        YearlySeason,
        clv_distribution,
        from_lifetimes,
    )
    from habitue.numerics import Discount
    from habitue.records import CustomerLog, Source, datasets, read_log, read_records
    from habitue.records.business import BusinessParams, OfferTruth, simulate_business
    from habitue.records.simulators import simulate_log
    from habitue.records.spark import read_spark_log
    from habitue.report import plots
    from habitue.snapshots import (
        Population,
        Snapshot,
        Trials,
        Window,
        learn_population,
        stack,
        take_snapshot,
        take_snapshots,
        take_trials,
    )

_HOMES = {
    "BDW": "habitue.models",
    "BGBB": "habitue.models",
    "BGCNBDk": "habitue.models",
    "BGNBD": "habitue.models",
    "BTYDChurnClassifier": "habitue.models",
    "BTYDFeatures": "habitue.models",
    "BTYDValueRegressor": "habitue.models",
    "Backtest": "habitue.evaluation",
    "BoostedChurnClassifier": "habitue.models",
    "BoostedHazardModel": "habitue.models",
    "BoostedValueRegressor": "habitue.models",
    "BusinessParams": "habitue.records.business",
    "Comparison": "habitue.evaluation.comparison",
    "CovariatePaths": "habitue.models",
    "CustomerLog": "habitue.records",
    "Discount": "habitue.numerics",
    "GGompertzNBD": "habitue.models",
    "GammaGamma": "habitue.models",
    "MBGCNBDk": "habitue.models",
    "MBGNBD": "habitue.models",
    "NBD": "habitue.models",
    "Offer": "habitue.decisions",
    "OfferTruth": "habitue.records.business",
    "ParetoNBD": "habitue.models",
    "ParetoNBDPaths": "habitue.models",
    "Population": "habitue.snapshots",
    "SBG": "habitue.models",
    "SeasonCorrected": "habitue.models",
    "SeasonalPurchases": "habitue.models",
    "Snapshot": "habitue.snapshots",
    "Source": "habitue.records",
    "StackedChurnClassifier": "habitue.models",
    "StackedValueRegressor": "habitue.models",
    "Trials": "habitue.snapshots",
    "TunedModel": "habitue.models",
    "UpliftModel": "habitue.models",
    "Window": "habitue.snapshots",
    "YearlySeason": "habitue.models",
    "backtest": "habitue.evaluation",
    "clv_distribution": "habitue.models",
    "compare": "habitue.evaluation.comparison",
    "datasets": "habitue.records",
    "fit_curves": "habitue.evaluation",
    "from_lifetimes": "habitue.models",
    "learn_population": "habitue.snapshots",
    "plots": "habitue.report",
    "read_log": "habitue.records",
    "read_records": "habitue.records",
    "read_spark_log": "habitue.records.spark",
    "season_of": "habitue.evaluation",
    "simulate_business": "habitue.records.business",
    "simulate_log": "habitue.records.simulators",
    "stack": "habitue.snapshots",
    "take_snapshot": "habitue.snapshots",
    "take_snapshots": "habitue.snapshots",
    "take_trials": "habitue.snapshots",
}

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
    "Backtest",
    "BoostedChurnClassifier",
    "BoostedHazardModel",
    "BoostedValueRegressor",
    "BusinessParams",
    "Comparison",
    "CovariatePaths",
    "CustomerLog",
    "Discount",
    "GGompertzNBD",
    "GammaGamma",
    "MBGCNBDk",
    "Offer",
    "OfferTruth",
    "ParetoNBD",
    "ParetoNBDPaths",
    "Population",
    "SeasonCorrected",
    "SeasonalPurchases",
    "Snapshot",
    "Source",
    "StackedChurnClassifier",
    "StackedValueRegressor",
    "Trials",
    "TunedModel",
    "UpliftModel",
    "Window",
    "YearlySeason",
    "backtest",
    "clv_distribution",
    "compare",
    "datasets",
    "fit_curves",
    "from_lifetimes",
    "learn_population",
    "plots",
    "read_log",
    "read_records",
    "read_spark_log",
    "season_of",
    "simulate_business",
    "simulate_log",
    "stack",
    "take_snapshot",
    "take_snapshots",
    "take_trials",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'habitue' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
