"""Time to churn against Kaplan-Meier and Cox, and what taking customers apart into periods costs.

``python -m benchmarks.hazards`` prints both tables. The first is cross-validated on IBM's Telco customers;
the second is about LightGBM's data set of person-periods, built from batches of rows and from all at once.
Processor time is told, as other work on the machine can only add to wall time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold
from statsmodels.duration.hazard_regression import PHReg

from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.hazard_boosting import Material, build_dataset
from habitue.models.person_periods import PersonPeriods, Seen, labels_of
from habitue.numerics.censored_scores import (
    CensoredWeights,
    censored_weights,
    concordance,
    integrated_brier,
    weighted_log_loss,
)
from habitue.numerics.discrete_hazards import kaplan_meier

FloatArray = npt.NDArray[np.float64]

TELCO = Path("../shared/data/telco_ibm/telco_customer_churn.csv.gz")
MONTH = 30.0
LOOK_AT = MONTH * np.arange(1, 61)
A_YEAR = 11  # place of twelve months among these

N_CUSTOMERS, N_PERIODS, N_FEATURES = 200_000, 36, 20


class Answered(NamedTuple):
    """What a model says of customers it has not seen: who leaves sooner, and with what chance by when."""

    risk: FloatArray
    p_left: FloatArray


Rival = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], Answered]


def telco(path: Path = TELCO) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features without what tenure can be read from, and tenure in days with whether it ended."""
    raw = pd.read_csv(path)
    y = pd.DataFrame({"duration": raw["tenure"] * MONTH, "event": raw["Churn"] == "Yes"})
    X = pd.get_dummies(raw.drop(columns=["customerID", "tenure", "TotalCharges", "Churn"]), dtype=float)
    said_twice = [name for name in X if name.endswith(("No internet service", "No phone service", "_No"))]
    first = ["gender_Male", "Contract_Month-to-month", "PaymentMethod_Mailed check", "InternetService_DSL"]
    kept = X.drop(columns=[*said_twice, *first]).assign(InternetService_No=X["InternetService_No"])
    return kept[y["duration"] > 0], y[y["duration"] > 0]


def by_kaplan_meier(_: pd.DataFrame, y: pd.DataFrame, fresh: pd.DataFrame) -> Answered:
    """Everybody alike."""
    at = np.unique(y["duration"])
    n_left = np.array([(y["event"] & (y["duration"] == one)).sum() for one in at])
    n_there = np.array([(y["duration"] >= one).sum() for one in at])
    curve = np.concatenate([[1.0], kaplan_meier(n_left, n_there).survival])
    left = 1.0 - curve[np.searchsorted(at, LOOK_AT, side="right")]
    return Answered(np.zeros(len(fresh)), np.tile(left, (len(fresh), 1)))


def by_cox(X: pd.DataFrame, y: pd.DataFrame, fresh: pd.DataFrame) -> Answered:
    """Proportional hazards, ties by Efron, the baseline by Breslow.

    The baseline is reckoned here: that of statsmodels leaves out, at a time, those who left at the time.
    """
    centre, spread = X.mean(), X.std()
    scaled, time = ((X - centre) / spread).to_numpy(), y["duration"].to_numpy()
    fitted: Any = PHReg(time, scaled, status=y["event"].to_numpy(), ties="efron").fit()
    ratio, risk = np.exp(scaled @ fitted.params), ((fresh - centre) / spread).to_numpy() @ fitted.params
    at = np.unique(time)
    steps = [(y["event"] & (time == one)).sum() / ratio[time >= one].sum() for one in at]
    baseline = np.concatenate([[0.0], np.cumsum(steps)])[np.searchsorted(at, LOOK_AT, side="right")]
    return Answered(risk, -np.expm1(-np.exp(risk)[:, None] * baseline))


def by_hazards(**settings: Any) -> Rival:
    """Ours."""

    def fit(X: pd.DataFrame, y: pd.DataFrame, fresh: pd.DataFrame) -> Answered:
        model = BoostedHazardModel(n_jobs=1, **settings).fit(X, y)
        lived = model.expected_residual_lifetime(fresh, horizon=72 * MONTH, entry=0)
        return Answered(
            -np.asarray(lived), 1.0 - np.asarray(model.survival_function(fresh, LOOK_AT, entry=0))
        )

    return fit


RIVALS: dict[str, Rival] = {
    "Kaplan-Meier": by_kaplan_meier,
    "Cox (statsmodels)": by_cox,
    "BoostedHazardModel, defaults": by_hazards(),
    "the same, 300 trees of depth 3, learning rate .05": by_hazards(
        n_estimators=300, max_depth=3, early_stopping=False
    ),
}


def scores(X: pd.DataFrame, y: pd.DataFrame, n_folds: int = 5) -> pd.DataFrame:
    """Return each rival's scores, averaged over folds, and seconds for a fit and its answers."""
    split = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    folds = list(split.split(X, y["event"]))
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in RIVALS}
    for train, test in folds:
        known = censored_weights(y["duration"].iloc[test], y["event"].iloc[test], LOOK_AT)
        for name, rival in RIVALS.items():
            start = time.process_time()
            told = rival(X.iloc[train], y.iloc[train], X.iloc[test])
            seconds = time.process_time() - start
            rows[name].append((*_judge(told, y.iloc[test], known), seconds))
    columns = ["concordance", "integrated Brier", "log loss at 12 months"]
    columns += ["expected / seen, first year", "later", "processor seconds"]
    means = {name: np.mean(values, axis=0) for name, values in rows.items()}
    return pd.DataFrame(means, index=columns).T


def _judge(told: Answered, y: pd.DataFrame, known: CensoredWeights) -> tuple[float, ...]:
    year = CensoredWeights(known.left[:, [A_YEAR]], known.weight[:, [A_YEAR]])
    return (
        concordance(y["duration"], y["event"], told.risk),
        integrated_brier(known, told.p_left, LOOK_AT),
        float(weighted_log_loss(year, told.p_left[:, [A_YEAR]])[0]),
        *_expected_over_seen(told, y),
    )


def _expected_over_seen(told: Answered, y: pd.DataFrame) -> tuple[float, float]:
    """Return leavers expected in the months that customers were seen in, over those who left: year 1, later.

    It asks nothing of how customers were lost from sight. Weights do: they suppose that it has nothing to do
    with what is known of them, while on Telco those with long contracts are those seen for long.
    """
    stays = np.column_stack([np.ones(len(y)), 1.0 - told.p_left])
    hazards = 1.0 - stays[:, 1:] / stays[:, :-1]
    duration, left = y["duration"].to_numpy()[:, None], y["event"].to_numpy()[:, None]
    expected = np.where(duration >= LOOK_AT, hazards, 0.0).sum(axis=0)
    seen = (left & (duration == LOOK_AT)).sum(axis=0)
    first, later = slice(0, A_YEAR + 1), slice(A_YEAR + 1, None)
    return float(expected[first].sum() / seen[first].sum()), float(expected[later].sum() / seen[later].sum())


def customers() -> Material:
    """Return customers most of whom stay for all periods."""
    rng = np.random.default_rng(0)
    left_in = np.ceil(rng.exponential(120.0, N_CUSTOMERS)).astype(np.int64)
    whole = np.zeros(N_CUSTOMERS)
    seen = Seen(np.zeros(N_CUSTOMERS, dtype=np.int64), np.minimum(left_in, N_PERIODS), whole, whole)
    matrix = rng.normal(size=(N_CUSTOMERS, N_FEATURES))
    return Material(matrix, seen, (left_in <= N_PERIODS).astype(np.int64))


def streamed(material: Material) -> Any:
    """Build LightGBM's data set from rows in batches."""
    return build_dataset(material, {"verbosity": -1}).construct()


def exploded(material: Material) -> Any:
    """Build LightGBM's data set from all rows at once."""
    import lightgbm

    rows = PersonPeriods(material.matrix, material.seen)
    labels = labels_of(material.seen, material.cause)
    return lightgbm.Dataset(rows[0 : len(rows)], labels, params={"verbosity": -1}).construct()


def cost(name: str) -> None:
    """Print what one way costs in this process: megabytes added at most, and seconds."""
    material = customers()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    built = {"streamed": streamed, "exploded": exploded}[name](material)
    seconds = time.process_time() - start
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024.0
    print(
        f"{name}: {built.num_data():,} rows x {built.num_feature()}, {added:,.0f} MB added, {seconds:.1f} s"
    )


def lines() -> Iterator[str]:
    """Yield both tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield scores(*telco()).round(4).to_string()
    for name in ("streamed", "exploded"):
        command = [sys.executable, "-m", "benchmarks.hazards", name]
        yield subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    if sys.argv[1:]:
        cost(sys.argv[1])
    else:
        for line in lines():
            print(line)
