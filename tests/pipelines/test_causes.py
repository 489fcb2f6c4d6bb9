"""From contracts that say why they ended to the chance of leaving by each cause, in the scores."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import habitue as hb
from habitue.pipelines.recipes import read_recipe
from habitue.pipelines.scoring.in_memory import score_customers
from habitue.pipelines.train import train
from habitue.tracking import open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HAZARDS = """
name = "habitue-churn"
target = "churned"
churn = "contracts"
[evaluation]
n_replicates = 20
[champion]
metric = "log_loss"
[[challengers]]
model = "BoostedHazardModel"
params = { n_estimators = 20, n_jobs = 1 }
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_hazards_learn_why_customers_left_and_scores_say_it(tmp_path: Path, mlflow_home: Path) -> None:
    business = hb.simulate_business(n_customers=800, days_observed=700)
    log = hb.CustomerLog(contracts=business.frames["contracts"], observed_until=business.log.observed_until)
    (tmp_path / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    store = open_store(tmp_path)
    (tmp_path / "churn.toml").write_text(HAZARDS, encoding="utf-8")
    recipe = read_recipe(tmp_path / "churn.toml")
    train(log, recipe, horizon=91, store=store, source="-", recipe_text=HAZARDS, now=NOW)
    frame = score_customers(log, ["habitue-churn@champion"], store=store, now=NOW, horizon=180).frame
    by_cause = frame[["churn_probability_voluntary", "churn_probability_involuntary"]].sum(axis=1)
    np.testing.assert_allclose(by_cause, frame["churn_probability"], atol=1e-12)
    assert frame["churn_probability_voluntary"].mean() > frame["churn_probability_involuntary"].mean()
    assert (frame["churn_probability_365d"] > frame["churn_probability"]).all()
