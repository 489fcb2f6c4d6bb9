"""The choice among learners of effects: the simplest where there is nothing, a better one where there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SettingsError
from habitue.evaluation.uplift_choice import UpliftChoice, choose_uplift
from habitue.models.uplift.model import UpliftModel

SMALL = UpliftModel(n_estimators=40, num_leaves=(2,), n_replicates=2, n_folds=3, n_jobs=1)


def trial(n: int, *, slope: float, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"inactivity": rng.uniform(size=n), "age": rng.uniform(size=n)})
    arm = rng.choice(["control", "call", "mail"], n)
    effect = np.where(arm == "call", slope * (X["inactivity"] - 0.4), 0.1 * (arm == "mail"))
    return {
        "X": X,
        "y": X["age"] + effect + rng.normal(0.0, 0.3, n),
        "arm": arm,
        "propensity": np.full(n, 1 / 3),
    }


def choose(data: dict[str, Any], **settings: Any) -> UpliftChoice:
    return choose_uplift(**data, **({"model": SMALL, "n_repeats": 1} | settings))


def test_one_effect_for_all_where_nobody_gains_more() -> None:
    plain = 0
    for seed in range(6):
        data = trial(900, slope=0.0, seed=seed)
        data["y"] -= 0.1 * (data["arm"] == "mail")
        model, table = choose(data, learners=["DR"])
        plain += model.learner == "average"
        assert list(table.index) == ["average", "DR"]
        assert table.loc["average", "score"] == 0.0
        assert table.loc[model.learner, "score"] >= 0.0
    assert plain >= 4  # one standard error is passed by chance about once in six


@pytest.mark.parametrize("score", ["auuc0", "policy_value"])
def test_who_gains_is_found_and_the_table_says_so(score: str) -> None:
    model, table = choose(trial(3_000, slope=1.0), score=score)
    assert model.learner in ("DR", "R", "X", "T")
    assert table["chosen"].sum() == 1
    assert ((table["lower"] <= table["score"]) & (table["score"] <= table["upper"])).all()
    best = table["score"].max()
    np.testing.assert_allclose(table["behind"], best - table["score"], atol=1e-12)
    simpler = table.loc[: model.learner].iloc[:-1]
    assert (simpler["behind"] > simpler["behind_error"]).all()
    assert table.loc[model.learner, "behind"] <= table.loc[model.learner, "behind_error"]
    fresh = trial(500, slope=1.0, seed=5)
    assert np.corrcoef(model.predict(fresh["X"])["call"], fresh["X"]["inactivity"])[0, 1] > 0.8


def test_the_value_is_that_of_the_policy_and_falls_with_cost() -> None:
    """Treat by mail for 0.1, or call where that is better: E[max(0.1, u - 0.4)] for uniform u is 0.225."""
    data = trial(6_000, slope=1.0)
    free, dear = (
        choose(data, learners=["DR"], score="policy_value", costs=costs).table.loc["DR"]
        for costs in ({}, {"call": 5.0, "mail": 5.0})
    )
    assert free["score"] == pytest.approx(0.225, abs=3.5 * (free["upper"] - free["lower"]) / 3.92)
    assert dear["score"] == 0.0


def test_the_model_is_ready_and_the_same_again() -> None:
    data = trial(1_500, slope=1.0)
    one, other = (choose(data, learners=["DR"], random_state=3).model for _ in range(2))
    assert one.predict(data["X"]).equals(other.predict(data["X"]))
    assert one.predict_interval(data["X"][:5]).lower.shape == (5, 2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"learners": ["magic"]}, "got 'magic'"),
        ({"score": "qini"}, "auuc0, policy_value"),
        ({"costs": {"gift": 1.0}}, "arms call, mail"),
        ({"n_repeats": 0}, "n_repeats"),
    ],
)
def test_what_is_not_known(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        choose(trial(400, slope=0.0), **settings)
