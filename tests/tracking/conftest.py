"""Real SQLite homes, copied from one template: MLflow's migrations take seconds, a copy milliseconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

# Before anything of MLflow: its settings are read while it is imported.
from habitue.models import BGNBD, BTYDChurnClassifier, ChurnAnswers
from habitue.models.persistence import persistent
from habitue.tracking import LoggedModel, Store, log_training, open_store

COLUMNS = ["frequency", "recency", "T"]


@persistent
class TreesForTracking(BaseEstimator):
    """Answers with a real LightGBM booster."""

    def __init__(self, *, rounds: int = 15) -> None:
        self.rounds = rounds

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> TreesForTracking:
        settings = {"objective": "binary", "num_leaves": 5, "verbose": -1, "seed": 1, "num_threads": 1}
        self.booster_ = lightgbm.train(settings, lightgbm.Dataset(X, y), num_boost_round=self.rounds)
        self.input_columns_ = list(X.columns)
        return self

    def answer(self, X: pd.DataFrame) -> pd.DataFrame:
        p = np.asarray(self.booster_.predict(X))
        return pd.DataFrame({"p_alive": 1 - p, "churn_probability": p}, index=X.index)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        shap = np.asarray(self.booster_.predict(X, pred_contrib=True))[:, :-1]
        return pd.DataFrame(shap, index=X.index, columns=X.columns)


@persistent
class LineForTracking(BaseEstimator):
    """Answers with three numbers, without reasons."""

    def __init__(self, *, base: float = 1.0) -> None:
        self.base = base

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> LineForTracking:
        self.coef_ = np.linalg.lstsq(X.to_numpy(), y - self.base, rcond=None)[0]
        self.input_columns_ = list(X.columns)
        return self

    def answer(self, X: pd.DataFrame) -> pd.DataFrame:
        clv = X.to_numpy() @ self.coef_ + self.base
        return pd.DataFrame({"clv": clv, "tier": np.where(clv > 1, "gold", "silver")}, index=X.index)


def make_customers(n: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "frequency": rng.poisson(2.0, n).astype(float),
            "recency": rng.uniform(0, 200, n),
            "T": rng.uniform(200, 300, n),
        },
        index=pd.Index([f"c{i:03d}" for i in range(n)], name="customer_id"),
    )
    return X, (X["recency"] + rng.normal(0, 40, n) < 90).to_numpy().astype(int)


def train_trees(store: Store, *, name: str | None = "habitue-churn", rounds: int = 15) -> LoggedModel:
    X, y = make_customers()
    return log_training(
        store,
        experiment="churn",
        run_name=f"{rounds} rounds",
        params={"rounds": rounds},
        metrics={"auc": 0.75},
        datasets={"train": X},
        model=TreesForTracking(rounds=rounds).fit(X, y),
        registered_name=name,
        input_example=X.head(3),
    )


@pytest.fixture(scope="session")
def customers() -> tuple[pd.DataFrame, np.ndarray]:
    """200 customers, and whether each left."""
    return make_customers()


@pytest.fixture(scope="session")
def train() -> Callable[..., LoggedModel]:
    """Train a small booster, log it into a store and register it."""
    return train_trees


@pytest.fixture(scope="session")
def buyers(customers: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    """The same customers, each with a history that can be one."""
    X = customers[0]
    return X.assign(recency=X["recency"].where(X["frequency"] > 0, 0.0))


@pytest.fixture(scope="session")
def story(buyers: pd.DataFrame) -> ChurnAnswers:
    """Answers of a probability model, which knows of any horizon."""
    classifier = BTYDChurnClassifier(horizon=91, purchases=BGNBD(penalizer=0.1)).fit(buyers)
    return ChurnAnswers(classifier=classifier, purchases=classifier.purchases_, horizon=91)


@pytest.fixture(scope="session")
def line(customers: tuple[pd.DataFrame, np.ndarray]) -> LineForTracking:
    """A fitted model that gives no reasons."""
    return LineForTracking().fit(*customers)


@pytest.fixture(scope="session")
def trees(customers: tuple[pd.DataFrame, np.ndarray]) -> TreesForTracking:
    """The model that `trained` holds, as it was before it was stored."""
    return TreesForTracking().fit(*customers)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    open_store(home)
    return home / "mlflow.db"


def copied(template: Path, home: Path) -> Store:
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, home / "mlflow.db")
    return open_store(home)


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    return copied(template, tmp_path / "mlruns")


@dataclass(frozen=True)
class Trained:
    """A home with one registered version, for tests that only read it (or put back what they change)."""

    store: Store
    logged: LoggedModel
    folder: Path  # where the version's files lie


@pytest.fixture(scope="session")
def trained(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    home = tmp_path_factory.mktemp("trained home")  # with a space in it
    store = copied(template, home)
    logged = train_trees(store)
    (folder,) = [path.parent for path in (home / "artifacts").rglob("MLmodel")]
    return Trained(store, logged, folder)
