from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from habitue.errors import DataError
from habitue.models.persistence import MODELS, load_model, persistent, save_model


@persistent
@dataclass(frozen=True)
class Span:
    start: dt.date
    days: int


@persistent
class Line(BaseEstimator):
    def __init__(self, *, l2: float = 0.0, spans: tuple[Span, ...] = ()) -> None:
        self.l2 = l2
        self.spans = spans

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Line:
        A = X.to_numpy()
        self.columns_ = X.columns
        self.coef_ = np.linalg.solve(A.T @ A + self.l2 * np.eye(A.shape[1]), A.T @ y)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return X[self.columns_].to_numpy() @ self.coef_


@persistent
class Trees(ClassifierMixin, BaseEstimator):
    def __init__(self, *, rounds: int = 60, prior: Line | None = None) -> None:
        self.rounds = rounds
        self.prior = prior

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Trees:
        data = lightgbm.Dataset(X[:300], y[:300], free_raw_data=False)
        self.line_ = (self.prior or Line()).fit(X, y)
        self.booster_ = lightgbm.train(
            {"objective": "binary", "num_leaves": 7, "verbose": -1, "seed": 1, "num_threads": 1},
            data,
            num_boost_round=self.rounds,
            valid_sets=[data.create_valid(X[300:], y[300:])],
            callbacks=[lightgbm.early_stopping(3, verbose=False)],
        )
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        p = np.asarray(self.booster_.predict(X))
        return np.column_stack([1 - p, p])


@persistent
class Box(BaseEstimator):
    """Holds any value: what the laws below are tried on."""

    def __init__(self, param: Any = None) -> None:
        self.param = param


def boxed(value: object) -> Box:
    box = Box(param=value)
    box.learned_ = value
    return box


def sample() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.normal(size=(400, 3)), columns=["recency", "frequency", "días"])
    X.iloc[5, 1] = 0.1 + 0.2
    return X, (X.sum(axis=1).to_numpy() + rng.normal(size=400) > 0).astype(int)


def test_a_small_estimator_predicts_the_same_bits(tmp_path: Path) -> None:
    X, y = sample()
    model = Line(l2=0.1, spans=(Span(dt.date(2024, 2, 29), 39),)).fit(X, y)
    save_model(model, tmp_path / "line")
    back = load_model(tmp_path / "line")
    assert back.get_params() == model.get_params()
    assert back.predict(X).tobytes() == model.predict(X).tobytes()


def test_a_booster_predicts_the_same_bits_and_stops_where_it_stopped(tmp_path: Path) -> None:
    X, y = sample()
    model = Trees(prior=Line(l2=0.5)).fit(X, y)
    save_model(model, tmp_path / "trees")
    back = load_model(tmp_path / "trees")
    assert 0 < model.booster_.best_iteration < model.rounds
    assert back.booster_.best_iteration == model.booster_.best_iteration
    assert back.booster_.current_iteration() == model.booster_.current_iteration()
    assert back.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert back.booster_.predict(X, pred_contrib=True).tobytes() == (
        model.booster_.predict(X, pred_contrib=True).tobytes()
    )
    assert back.line_.predict(X).tobytes() == model.line_.predict(X).tobytes()
    assert type(back.prior) is Line
    assert sorted(path.name for path in (tmp_path / "trees").iterdir()) == ["booster-0.txt", "model.json"]
    assert (tmp_path / "trees" / "booster-0.txt").read_text().startswith("tree\nversion=")


def test_all_trees_are_kept_and_the_best_iteration_with_them(tmp_path: Path) -> None:
    X, y = sample()
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y), num_boost_round=20)
    booster.best_iteration = 7
    save_model(Box(booster), tmp_path / "m")
    back = load_model(tmp_path / "m").param
    assert back.best_iteration == 7
    assert back.current_iteration() == 20
    assert back.predict(X).tobytes() == booster.predict(X).tobytes()
    assert back.predict(X, num_iteration=20).tobytes() == booster.predict(X, num_iteration=20).tobytes()


def test_categories_and_missing_values_survive_in_a_booster(tmp_path: Path) -> None:
    X, y = sample()
    X["plan"] = pd.Categorical(np.where(X["recency"] > 0.3, "yearly", "monthly"))
    X.loc[::7, "frequency"] = np.nan
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y), num_boost_round=5
    )
    save_model(boxed([booster, booster]), tmp_path / "m")
    for back in load_model(tmp_path / "m").learned_:
        assert back.predict(X).tobytes() == booster.predict(X).tobytes()


def test_a_scikit_learn_estimator_can_be_put_on_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "LogisticRegression", LogisticRegression)
    X, y = sample()
    model = LogisticRegression().fit(X, y)
    save_model(model, tmp_path / "m")
    assert load_model(tmp_path / "m").predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


def test_an_unfitted_estimator_comes_back_unfitted(tmp_path: Path) -> None:
    save_model(Line(l2=2.0), tmp_path / "m")
    assert vars(load_model(tmp_path / "m")) == {"l2": 2.0, "spans": ()}


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"under the name Line.*rename one"):
        persistent(type("Line", (), {"__module__": "elsewhere"}))
    assert MODELS["Line"] is Line


def edited(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def in_model(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    document["model"] |= changes
    path.write_text(json.dumps(document))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    X, y = sample()
    save_model(Trees(rounds=3).fit(X, y), tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda m: (m / "model.json").unlink(), "has no model.json"),
        (lambda m: (m / "booster-0.txt").unlink(), "booster-0.txt is missing"),
        (lambda m: (m / "booster-0.txt").write_text("tree?"), "booster-0.txt is no LightGBM model"),
        (lambda m: (m / "booster-0.txt").write_bytes(b"\xff\xfe"), "damaged"),
        (lambda m: (m / "model.json").write_text('{"format": 1'), "no valid JSON"),
        (lambda m: (m / "model.json").write_text('{"a": NaN}'), "NaN is not JSON"),
        (lambda m: (m / "model.json").write_text("[" * 100_000), "no valid JSON"),
        (lambda m: (m / "model.json").write_bytes(b"\xff"), "UTF-8"),
        (lambda m: (m / "model.json").write_text("[]"), "does not describe a model"),
        (lambda m: edited(m, format=2), "has format 2.*reads format 1"),
        (lambda m: in_model(m, **{"class": "os.system"}), "'os.system' is not a class that may be loaded"),
        (lambda m: in_model(m, kind="pickle"), "unknown kind of value 'pickle'"),
        (lambda m: in_model(m, kind=["object"]), "damaged"),
        (lambda m: in_model(m, params={"colour": 1}), "no parameter 'colour'"),
        (lambda m: in_model(m, fitted={"__class__": 1}), "'__class__' is no name of a fitted attribute"),
        (lambda m: in_model(m, fitted={"predict": 1}), "'predict' is no name of a fitted attribute"),
        (lambda m: in_model(m, fitted={"b_": {"kind": "float", "value": "1e5"}}), "is no float"),
        (
            lambda m: in_model(m, fitted={"b_": {"kind": "booster", "number": "../m", "best_iteration": 0}}),
            "damaged",
        ),
        (
            lambda m: in_model(m, fitted={"b_": {"kind": "array", "dtype": "V8", "values": [1]}}),
            "array of .V8",
        ),
        (
            lambda m: in_model(m, fitted={"b_": {"kind": "index", "dtype": "category"}}),
            "Index of 'category'",
        ),
        (
            lambda m: in_model(
                m,
                fitted={"b_": {"kind": "array", "dtype": "int64", "shape": [3], "order": "C", "values": [1]}},
            ),
            "damaged: ValueError",
        ),
    ],
)
def test_damage_is_answered_with_a_sentence(damage: Any, sentence: str, stored: Path) -> None:
    damage(stored)
    with pytest.raises(DataError, match=sentence):
        load_model(stored)


def test_a_model_replaces_a_model_but_nothing_else(tmp_path: Path) -> None:
    save_model(Box(1), tmp_path / "m")
    save_model(Box(2), tmp_path / "m")
    assert load_model(tmp_path / "m").param == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear,")
    with pytest.raises(DataError, match="holds other files"):
        save_model(Box(3), tmp_path / "letters")
    with pytest.raises(DataError, match="is a file"):
        save_model(Box(3), tmp_path / "letters" / "dear.txt")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "Dear,"


def test_a_failed_write_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(Box(1), tmp_path / "m")
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="disk full"):
        save_model(Box(2), tmp_path / "m")
    assert load_model(tmp_path / "m").param == 1
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_folder_has_the_permissions_of_any_new_folder(tmp_path: Path) -> None:
    save_model(Box(1), tmp_path / "m")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_lightgbm_is_not_imported_until_a_booster_is_met(tmp_path: Path) -> None:
    code = (
        "import sys; from typing import NamedTuple; from habitue.models.persistence import *\n"
        "class P(NamedTuple):\n    r: float\n"
        f"persistent(P); save_model(P(1.5), {str(tmp_path / 'm')!r})\n"
        f"back = load_model({str(tmp_path / 'm')!r})\n"
        "sys.exit('lightgbm' in sys.modules or back != P(1.5))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
