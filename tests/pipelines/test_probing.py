"""Probing before a training is trusted: what is told of sound records, and what a leak comes to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import habitue as hb
from habitue.errors import HabitueWarning
from habitue.evaluation.learning import Known, what_is_known
from habitue.pipelines.probing import probed
from habitue.pipelines.recipes import built_in_recipe
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot


@pytest.fixture(scope="module")
def log() -> CustomerLog:
    return hb.datasets.cdnow(sample=True)


@pytest.fixture(scope="module")
def known(log: CustomerLog) -> Known:
    window, *earlier = (hb.Window(day, horizon=91) for day in ("1998-03-31", "1997-09-30", "1997-12-30"))
    return what_is_known(log, window, earlier)


def test_sound_records_pass_and_are_told_of(log: CustomerLog, known: Known) -> None:
    told = probed(log, built_in_recipe("churn")[0], known)
    assert "changed none of" in told
    assert "as chance does" in told
    assert "No other feature alone tells the outcome." in told


def test_a_feature_that_tells_the_outcome_is_named(log: CustomerLog, known: Known) -> None:
    def leaking(snapshot: Snapshot) -> Snapshot:
        noise = np.random.default_rng(0).normal(0.0, 0.1, len(snapshot.X))
        return replace(snapshot, X=snapshot.X.assign(goodbye_calls=snapshot.outcomes["churned"] + noise))

    wrong = known._replace(past=tuple(leaking(one) for one in known.past))
    with pytest.warns(HabitueWarning, match=r"goodbye_calls \(AUC"):
        probed(log, built_in_recipe("churn")[0], wrong)


def test_a_recipe_whose_models_learn_from_no_outcome_is_asked_less(log: CustomerLog, known: Known) -> None:
    recipe = built_in_recipe("churn")[0]
    simple = recipe.model_copy(update={"challengers": recipe.challengers[:1]})
    told = probed(log, simple, known)
    assert "changed none of" in told
    assert "shuffled" not in told
