"""What boosted models cost beyond LightGBM itself: to train, to answer and explain, to learn hazards from.

``python -m benchmarks.boosting`` prints all of it; ``--rows 1000000`` is the size that the bars are set for,
``--only training scoring hazards`` runs some parts. Each line is measured in a process of its own, whose peak
memory it tells.

- training: the fit of a model over `lightgbm.train` of the same trees, with the same parameters, from the
  same numbers in one matrix, its data set included; taken in turns, so that what else the machine does falls
  on both. Once as trees alone (what is ours is then reading, checking and making totals add up), once with
  early stopping and calibration, which train copies on parts of the customers.
- scoring: the tables that ``habitue score`` makes, by models as MLflow loads them: churn_probability,
  p_alive, expected_purchases, clv with its interval, and reasons for nobody, for some and for all.
- hazards: the peak of a fit over the table of all periods of all customers, which is never made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from benchmarks.alone import forget_peak, peak_megabytes
from benchmarks.customers import BGNBD_TRUTH, histories
from habitue.decisions.reasons import reasons_for, whom_to_tell
from habitue.models import BGNBD, BoostedChurnClassifier, BoostedValueRegressor, ValueInterval
from habitue.models.answers import ChurnAnswers, ValueAnswers
from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.lightgbm_library import load_lightgbm
from habitue.numerics.many_rows import blocks
from habitue.vocabulary import VOCABULARY

FloatArray = npt.NDArray[np.float64]

HORIZON = 91
TOP_SHARE = 0.2
AT_ONCE = 50_000
"""Customers that ``habitue score`` answers at a time."""
N_PERIODS, N_HAZARD_FEATURES = 24, 20
_KNOWN = ("frequency", "recency", "T", "monetary_value", "inactivity")
_LEARNED_FROM = 50_000

OWN: dict[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 5,
    "min_data_in_leaf": 50,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "seed": 0,
}
"""The settings of boosted models, as LightGBM spells them."""

CHURN = {"objective": "binary", "metric": "binary_logloss"}
SPEND = {"objective": "tweedie", "metric": "tweedie", "tweedie_variance_power": 1.5}


class Customers(NamedTuple):
    """What was known of customers, who churned, and what they spent."""

    X: pd.DataFrame
    churned: npt.NDArray[np.bool_]
    spend: FloatArray


class Asked(NamedTuple):
    """How much of everything."""

    rows: int
    features: int
    trees: int
    repeats: int


def customers(n_rows: int, n_features: int, seed: int = 0) -> Customers:
    """Return customers whose features follow one trait that nobody sees, each with noise of its own."""
    rng = np.random.default_rng(seed)
    frequency, recency, T = histories(BGNBD_TRUTH, n_rows, seed=seed).T
    trait = rng.normal(size=n_rows) + 0.3 * np.log1p(frequency)
    columns = {"frequency": frequency, "recency": recency, "T": T, "inactivity": T - recency}
    columns["monetary_value"] = np.where(frequency > 0, np.round(rng.gamma(6.0, 5.0, n_rows), 2), np.nan)
    others = [name for name, term in VOCABULARY.items() if term.pillar and name not in _KNOWN]
    for place, name in enumerate(others[: n_features - len(_KNOWN)]):
        columns[name] = _feature(VOCABULARY[name].unit, trait / (1.0 + place % 10), rng)
    churned = rng.uniform(size=n_rows) < expit(0.01 * (T - recency - 90.0) - trait)
    spend = np.where(churned, 0.0, np.round(rng.gamma(2.0, 20.0, n_rows) * np.exp(0.3 * trait), 2))
    return Customers(pd.DataFrame(columns), churned, spend)


def _feature(unit: str, level: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return values of one feature, one in twenty of them missing."""
    noisy = level + rng.normal(size=level.size)
    if unit in ("count", "flag"):
        values = rng.poisson(np.exp(np.clip(noisy, -3.0, 3.0))).astype(np.float64)
        values = np.minimum(values, 1.0) if unit == "flag" else values
    elif unit in ("share", "probability"):
        values = expit(noisy)
    elif unit in ("day", "money"):
        values = np.round(60.0 * np.exp(noisy), 0 if unit == "day" else 2)
    else:
        values = noisy
    values[rng.uniform(size=level.size) < 0.05] = np.nan
    return values


class Took(NamedTuple):
    """Wall time and processor time of all threads in seconds, and what came out."""

    seconds: float
    worked: float
    result: Any


def timed(work: Callable[[], Any]) -> Took:
    """Do some work, and tell how long it took."""
    start, began = time.perf_counter(), time.process_time()
    result = work()
    return Took(time.perf_counter() - start, time.process_time() - began, result)


def training(asked: Asked, kind: str) -> dict[str, float]:
    """Measure the fit of a model against LightGBM's own of the same trees."""
    X, churned, spend = customers(asked.rows, asked.features)
    is_churn = kind == "churn"
    y = churned if is_churn else spend
    target = churned.astype(np.float64) if is_churn else spend / spend.mean()
    settings, matrix = OWN | (CHURN if is_churn else SPEND), np.ascontiguousarray(X)

    def own(n_trees: int) -> Any:
        lightgbm = load_lightgbm()
        data = lightgbm.Dataset(matrix, target, params=settings)
        return lightgbm.train(settings, data, num_boost_round=n_trees)

    def ours(**more: Any) -> Any:
        kind_of = BoostedChurnClassifier if is_churn else BoostedValueRegressor
        return kind_of(n_estimators=asked.trees, horizon=HORIZON, **more).fit(X, y)

    bare: dict[str, Any] = {"early_stopping": False} | ({"calibration": "none"} if is_churn else {})
    theirs, bared, whole, last = list[Took](), list[Took](), list[Took](), list[Took]()
    n_trees = asked.trees
    for _ in range(asked.repeats):
        theirs.append(timed(lambda: own(asked.trees)))
        bared.append(timed(lambda: ours(**bare)))
        _refuse_other_trees(theirs[-1].result, _booster(bared[-1].result))
        whole.append(timed(ours))
        n_trees = _booster(whole[-1].result).num_trees()
        last.append(theirs[-1] if n_trees == asked.trees else timed(lambda n=n_trees: own(n)))
    return {
        "own": min(one.seconds for one in theirs),
        "bare": min(one.seconds for one in bared),
        **_over("bare", bared, theirs),
        "whole": min(one.seconds for one in whole),
        "its trees": n_trees,
        **_over("whole", whole, last),
        "peak MB": peak_megabytes(),
    }


def _over(name: str, mine: list[Took], own: list[Took]) -> dict[str, float]:
    """Return ratios of wall and processor time: the median of turns."""
    walls = [one.seconds / other.seconds for one, other in zip(mine, own, strict=True)]
    works = [one.worked / other.worked for one, other in zip(mine, own, strict=True)]
    return {
        f"{name} over own": float(np.median(walls)),
        f"{name} over own, processor": float(np.median(works)),
    }


def _booster(model: Any) -> Any:
    return model.booster_ if hasattr(model, "booster_") else next(iter(model.boosters_.values()))


def _refuse_other_trees(one: Any, other: Any) -> None:
    trees, others = (booster.model_to_string().partition("end of trees")[0] for booster in (one, other))
    # What stands before the first tree names the columns.
    if trees.partition("Tree=0")[2] != others.partition("Tree=0")[2]:
        raise RuntimeError("the trees are not the same: times cannot be compared")


def fitted(asked: Asked) -> tuple[ChurnAnswers, ValueAnswers]:
    """Return both models, learned from some of the customers, with as many trees as asked for."""
    X, churned, spend = customers(min(asked.rows, _LEARNED_FROM), asked.features, seed=1)
    shared: dict[str, Any] = {"n_estimators": asked.trees, "early_stopping": False, "horizon": HORIZON}
    purchases: Any = BGNBD().fit(X)
    churn = BoostedChurnClassifier(**shared).fit(X, churned)
    value = BoostedValueRegressor(**shared).fit(X, spend)
    interval = ValueInterval(confidence=0.8).fit(value.predict(X), spend)
    beside: dict[str, Any] = {"purchases": purchases, "horizon": HORIZON}
    return (
        ChurnAnswers(classifier=churn, **beside),
        ValueAnswers(regressor=value, interval=interval, **beside),
    )


def served(model: ChurnAnswers | ValueAnswers, X: pd.DataFrame) -> Any:
    """Return a model as it comes back from the registry."""
    from mlflow import pyfunc

    from habitue.tracking.loading import LoadedModel
    from habitue.tracking.packing import pack, serving_requirements

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        nobody = cast("Any", None)
        example = X.iloc[:3].fillna(0.0)
        pack(
            model,
            place,
            input_example=example,
            requirements=serving_requirements(),
            run_id="none",
            model_id="none",
        )
        return LoadedModel(nobody, pyfunc.load_model(str(place)))


def scoring(asked: Asked, who: str) -> dict[str, float]:
    """Measure all answers about customers, with reasons for nobody, the top share or everybody."""
    churn, value = (served(model, customers(10, asked.features).X) for model in fitted(asked))
    X = customers(asked.rows, asked.features, seed=2).X
    forget_peak()
    before = peak_megabytes()

    def answers() -> pd.DataFrame:
        parts = [
            pd.concat([one.predict(X.iloc[rows]) for rows in blocks(len(X), AT_ONCE)])
            for one in (churn, value)
        ]
        return parts[0].join(parts[1].drop(columns="p_alive"))

    told = timed(answers)
    took = {"seconds": told.seconds, "processor seconds": told.worked}
    if who == "nobody":
        peaks = {"added MB": peak_megabytes() - before, "peak MB": peak_megabytes()}
        matrix = np.ascontiguousarray(X)
        own = [timed(lambda one=one: one.predict(matrix)) for one in _boosters(churn, value)]
        return took | {"LightGBM's own predictions": sum(one.seconds for one in own)} | peaks
    chosen = whom_to_tell(told.result["churn_probability"], top_share=TOP_SHARE if who == "some" else 1.0)
    words = timed(lambda: reasons_for(churn.answers, X, chosen))
    peaks = {"added MB": peak_megabytes() - before, "peak MB": peak_megabytes()}
    some = X.iloc[:2_000].to_numpy()
    own = timed(lambda: _boosters(churn, value)[0].predict(some, pred_contrib=True))
    return {
        "seconds": told.seconds + words.seconds,
        "processor seconds": told.worked + words.worked,
        "reasons alone": words.seconds,
        "LightGBM's own contributions": own.seconds * int(chosen.sum()) / len(some),
        "told": int((words.result["reason_1"] != "").sum()),
        **peaks,
    }


def _boosters(churn: Any, value: Any) -> list[Any]:
    return [churn.answers.classifier.booster_, *value.answers.regressor.boosters_.values()]


def hazards(asked: Asked, _: str) -> dict[str, float]:
    """Measure the peak of a fit on durations of which most last to the end."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(asked.rows, N_HAZARD_FEATURES))).add_prefix("x")
    lived = np.ceil(rng.exponential(80.0 * np.exp(-0.5 * X["x0"].to_numpy())))
    y = pd.DataFrame({"duration": 30.0 * np.minimum(lived, N_PERIODS), "event": lived <= N_PERIODS})
    n_rows = int(np.minimum(lived, N_PERIODS).sum())
    model = BoostedHazardModel(n_estimators=asked.trees, period=30)
    forget_peak()
    before = peak_megabytes()
    fit = timed(lambda: model.fit(X, y))
    exploded = n_rows * (N_HAZARD_FEATURES + 1) * 8 / 2**20
    added = peak_megabytes() - before
    return {
        "person-periods": n_rows,
        "seconds": fit.seconds,
        "processor seconds": fit.worked,
        "added MB": added,
        "of customers MB": X.to_numpy().nbytes / 2**20,
        "exploded MB": exploded,
        "added over exploded": added / exploded,
    }


PARTS: dict[str, tuple[Callable[[Asked, str], dict[str, float]], tuple[str, ...]]] = {
    "training": (training, ("churn", "value")),
    "scoring": (scoring, ("nobody", "some", "everybody")),
    "hazards": (hazards, ("fit",)),
}


def lines(asked: Asked, parts: list[str]) -> Iterator[str]:
    """Yield what each part found, from a process of its own."""
    for part in parts:
        for one in PARTS[part][1]:
            counts = [str(count) for count in asked]
            command = [sys.executable, "-m", "benchmarks.boosting", "--alone", part, one, *counts]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                raise RuntimeError(f"{part}, {one} failed:\n{ran.stderr}")
            found = json.loads(ran.stdout.splitlines()[-1])
            told = ", ".join(f"{name} {value:,.4g}" for name, value in found.items())
            yield f"{part}, {one}: {told}"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--alone"]:
        part, one, *counts = sys.argv[2:]
        print(json.dumps(PARTS[part][0](Asked(*map(int, counts)), one)))
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boosting")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    asked = Asked(given.rows, given.features, given.trees, given.repeats)
    print(f"{asked}, {os.cpu_count()} cores, load when it began {os.getloadavg()[0]:.1f}", flush=True)
    for line in lines(asked, given.only):
        print(line, flush=True)


if __name__ == "__main__":
    main()
