"""Effects on a real experiment: 64,000 customers, two e-mails and a control, drawn by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from habitue.models.uplift.gathering import gather
from habitue.models.uplift.model import UpliftModel
from habitue.numerics.uplift import effect_scores, gain_scores, mean_of_scores

ARMS = {"No E-Mail": "control", "Womens E-Mail": "womens", "Mens E-Mail": "mens"}
ATTRIBUTES = ["recency", "history", "mens", "womens", "newbie"]


@pytest.fixture(scope="module")
def hillstrom(shared_data: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    told = pd.read_parquet(shared_data / "data" / "hillstrom" / "hillstrom.parquet")
    X = told[ATTRIBUTES].assign(zip_code=told["zip_code"].astype("category"))
    X["channel"] = told["channel"].astype("category")
    return X, told["visit"].to_numpy(dtype=float), told["segment"].map(ARMS).to_numpy()


@pytest.mark.slow
@pytest.mark.data
def test_effects_on_visits_are_the_published_ones_and_the_womens_ranking_holds(
    hillstrom: tuple[pd.DataFrame, np.ndarray, np.ndarray],
) -> None:
    X, visit, arm = hillstrom
    third = np.full(len(X), 1.0 / 3.0)
    seen = np.random.default_rng(0).uniform(size=len(X)) < 0.7
    model = UpliftModel(learner="DR", n_replicates=0, n_folds=3, n_jobs=2)
    material = gather(model, X[seen], visit[seen], arm[seen], third[seen])
    model.learn(material)
    # Differences of shares in the whole experiment: .0766 for men's, .0452 for women's.
    effects = model.effects_
    assert effects.loc["mens", "effect"] == pytest.approx(0.0766, abs=0.01)
    assert effects.loc["womens", "effect"] == pytest.approx(0.0452, abs=0.01)
    assert model.calibration_.loc["womens", "lower"] > 0.3
    # Customers of whom nothing was used: without outcome models, scores are outcomes over chances.
    place = pd.Index(["control", *model.arms_]).get_indexer(pd.Index(arm[~seen]))
    scores = effect_scores(visit[~seen], place, third[~seen], np.zeros((len(place), 3)))
    told = model.predict(X[~seen])
    gain = mean_of_scores(gain_scores(told["womens"].to_numpy(), scores[:, model.arms_.index("womens")]))
    assert gain.interval(0.95)[0] > 0.0
    assert told["womens"].corr(X.loc[~seen, "womens"]) > 0.5
