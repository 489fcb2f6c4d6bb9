"""A business with contracts and perhaps no purchases: the same commands, from init to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.cli import EXIT_CODES
from habitue.errors import SettingsError
from habitue.pipelines.propose import main_kind_of
from habitue.pipelines.recipes import Recipe, built_in_recipe, read_recipe
from habitue.pipelines.scoring.in_memory import score_customers
from habitue.pipelines.train import train
from habitue.tracking import open_store

Command = Callable[..., Any]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CLV = """
name = "habitue-clv"
target = "spend"
[champion]
metric = "mae"
[[challengers]]
model = "BTYDValueRegressor"
"""

pytestmark = pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")


def make_subscriptions(n: int = 600, *, days: int = 600, seed: int = 0) -> pd.DataFrame:
    """Simulate a service: who pays by the month leaves five times as often as who pays by the year."""
    rng = np.random.default_rng(seed)
    monthly = rng.uniform(size=n) < 0.5
    start = rng.integers(0, days, n)
    end = start + np.ceil(rng.exponential(np.where(monthly, 200.0, 1000.0)))
    began = pd.Timestamp("2023-01-01") + pd.to_timedelta(start, unit="D")
    ended = pd.Timestamp("2023-01-01") + pd.to_timedelta(end, unit="D")
    return pd.DataFrame(
        {
            "account_id": [f"a{one:04d}" for one in range(n)],
            "start_date": began,
            "end_date": pd.Series(ended).where(end < days),
            "mrr_amount": np.where(monthly, 12.0, 9.0),
            "billing_period_days": np.where(monthly, 30, 365),
            "auto_renew_flag": ~monthly | (rng.uniform(size=n) < 0.5),
        }
    )


def quick(text: str) -> str:
    """Edit a recipe as people do: fewer trees, fewer draws."""
    text = text.replace("n_estimators = 500", "n_estimators = 30, n_jobs = 1")
    return text.replace("n_replicates = 200", "n_replicates = 20")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path, command: Command) -> Path:
    """A folder in which the three commands were typed; only to be read."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    make_subscriptions().to_csv(folder / "subscriptions.csv", index=False)
    told = command(folder, "init", "subscriptions.csv")
    assert told.code == 0, told.err
    recipe = folder / "models" / "churn.toml"
    recipe.write_text(quick(recipe.read_text("utf-8")), encoding="utf-8")
    offers = folder / "offers.toml"
    offers.write_text(offers.read_text("utf-8").replace("cost = 4.0", "cost = 0.1"), encoding="utf-8")
    for arguments in (["train", "models/churn.toml"], ["score"], ["decide", "--round", "r"], ["report"]):
        told = command(folder, *arguments)
        assert told.code == 0, told.err
    return folder


@pytest.mark.slow
def test_init_train_and_score_word_for_word(service: Path) -> None:
    assert [path.name for path in (service / "models").iterdir()] == ["churn.toml"]
    assert read_recipe(service / "models" / "churn.toml").churn == "contracts"
    scores = pd.read_parquet(service / "scores" / "scores.parquet")
    contracts = make_subscriptions()
    at_risk = contracts.loc[contracts["end_date"].isna(), "account_id"]
    assert scores["customer_id"].tolist() == sorted(at_risk)
    assert scores["churn_probability"].between(0, 1).all()
    assert not {"p_alive", "clv", "frequency", "expected_purchases"} & set(scores.columns)
    assert scores["contract_tenure"].notna().all()
    assert (scores["reason_1"] != "").all()
    assert not scores["reason_1"].str.contains("bought|purchase").any()
    by_plan = scores.merge(contracts, left_on="customer_id", right_on="account_id")
    mean = by_plan.groupby("billing_period_days")["churn_probability"].mean()
    assert mean[30] > 2 * mean[365]


@pytest.mark.slow
def test_offers_go_by_the_price_of_contracts(service: Path) -> None:
    told = json.loads((service / "actions" / "r" / "decision.json").read_text("utf-8"))
    actions = pd.read_csv(service / "actions" / "r" / "actions.csv")
    scores = pd.read_parquet(service / "scores" / "scores.parquet").set_index("customer_id")
    assert told["value_days"] == 365
    assert len(actions) > 20
    assert set(actions["customer_id"]) <= set(scores.index)
    # A call saves one in five of the two in five who accept: never more than that of a year's margin.
    p = scores["churn_probability"].loc[actions["customer_id"]].to_numpy()
    assert (actions["expected_gain"] <= p * 0.4 * 0.2 * 0.4 * 12.0 * 365 / 30).all()
    assert "margin within 365 days" in (service / "scores" / "report.html").read_text("utf-8").lower()


@pytest.mark.slow
def test_what_was_trained_is_in_the_table_with_its_baselines(service: Path, command: Command) -> None:
    manifest = json.loads((service / "scores" / "scores.manifest.json").read_text("utf-8"))
    assert [model["role"] for model in manifest["models"]] == ["churn"]
    assert manifest["data"]["source"].endswith("subscriptions.csv")
    page = (service / "scores" / "report.html").read_text("utf-8")
    for name in ("LightGBM", "contract end", "rate by tenure", "the mean"):
        assert name in page
    told = command(service, "backtest", "models/churn.toml", "--json")
    assert told.code == 0, told.err
    table = pd.DataFrame(json.loads(told.out)["habitue-churn"]["scores"])
    auc = table[table["score"] == "auc"].set_index("model")["value"]
    assert auc["LightGBM"] > 0.55


@pytest.mark.slow
def test_clv_says_what_is_missing(service: Path, tmp_path: Path, command: Command) -> None:
    recipe = tmp_path / "clv.toml"
    recipe.write_text(CLV, encoding="utf-8")
    told = command(service, "train", recipe)
    assert told.code == EXIT_CODES[SettingsError]
    assert "BG/NBD + gamma-gamma cannot be trained without transactions" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.slow
def test_of_both_kinds_the_recipe_says_which_and_both_models_score_together(
    tmp_path: Path, mlflow_home: Path
) -> None:
    business = hb.simulate_business(n_customers=400, days_observed=600)
    frames = {kind: business.frames[kind] for kind in ("transactions", "contracts")}
    bought = frames["transactions"]
    frames["transactions"] = bought[bought["customer_id"] > 50]
    log = hb.CustomerLog(**frames, observed_until=business.log.observed_until)
    (tmp_path / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    store = open_store(tmp_path)
    _, text = built_in_recipe("contract_churn")
    for name, recipe_text in (("churn", quick(text)), ("clv", CLV)):
        (tmp_path / f"{name}.toml").write_text(recipe_text, encoding="utf-8")
        recipe = read_recipe(tmp_path / f"{name}.toml")
        train(log, recipe, horizon=91, store=store, source="-", recipe_text=recipe_text, now=NOW)
    references = ["habitue-churn@champion", "habitue-clv@champion"]
    frame = score_customers(log, references, store=store, now=NOW).frame.set_index("customer_id")
    window = hb.Window(log.observed_until, 91)
    members = hb.take_snapshot(log, window, ["n_contracts"], churn="contracts").X.index
    buyers = hb.take_snapshot(log, window, []).X.index
    assert list(frame.index) == sorted({*members, *buyers})
    assert set(frame.index[frame["churn_probability"].notna()]) == set(members)
    assert set(frame.index[frame["clv"].notna()]) == set(buyers) == set(frame.index[frame["decile"].notna()])
    assert frame["decile"].dropna().between(1, 10).all()
    assert len(set(members) - set(buyers)) > 0 < len(set(buyers) - set(members))


def test_a_recipe_says_only_what_can_be(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(CLV.replace("[champion]", 'churn = "contracts"\n[champion]'), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"churn = 'contracts' goes with target = 'churned'"):
        read_recipe(path)
    path.write_text(CLV.replace("[champion]", 'churn = "tickets"\n[champion]'), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"'churn': input should be 'transactions' or 'contracts'"):
        read_recipe(path)
    assert Recipe.model_fields["churn"].default is None


@pytest.mark.parametrize(
    ("named", "columns", "expected"),
    [
        ("contracts", ["customer_id", "timestamp", "amount"], "contracts"),
        ("transactions", ["customer_id", "started_at", "price"], "transactions"),
        (None, ["customer_id", "order_date", "amount"], "transactions"),
        (None, ["customer_id", "contract_start", "monthly_fee"], "contracts"),
        ("tickets", ["customer_id", "start_date", "end_date", "amount"], "contracts"),
        ("tickets", ["customer_id", "order_date", "amount"], "transactions"),
        (None, ["a", "b", "c"], "transactions"),
    ],
)
def test_a_file_that_is_named_alone_is_told_by_its_name_and_then_by_its_columns(
    named: str | None, columns: list[str], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    days = ["2024-01-01", "2024-01-02"]
    row = {name: days if name.endswith(("date", "_at", "start")) else [1, 2] for name in columns}
    pd.DataFrame(row).to_csv(path, index=False)
    assert main_kind_of(str(path), named, {}) == expected
