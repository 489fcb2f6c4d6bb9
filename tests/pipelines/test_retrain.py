"""When a challenger is trained: by days, by alarms, and never twice for the same reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import habitue as hb
from habitue.pipelines.monitoring.monitored import Alarm, Monitored
from habitue.pipelines.recipes import Recipe, built_in_recipe, recipe_from
from habitue.pipelines.retrain import Due, what_is_due
from habitue.tracking import Store, open_store, resolve, set_champion
from habitue.tracking.monitoring import log_monitoring
from habitue.tracking.registry import set_challenger

NAME, HORIZON = "habitue-churn", 91
TEXT = built_in_recipe("churn")[1]
LOG = hb.read_log(
    pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2023-01-01", "2024-12-31"], "amount": [1.0, 2.0]})
)
LATEST = date(2024, 12, 31) - timedelta(days=HORIZON)
DRIFT = Alarm("input", "inactivity", "Customers are silent for longer than they were.")
SCORE = Alarm("score", "auc", "The order of customers is worse than it was.")


def with_rule(text: str) -> Recipe:
    return recipe_from(f"{TEXT}\n[retrain]\n{text}\n", name="test")


@pytest.fixture
def store(mlflow_home: Path, tmp_path: Path) -> Store:
    (tmp_path / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    store = open_store(tmp_path)
    store.client().create_registered_model(NAME)
    return store


def register(store: Store, cutoff: date, observed_until: date | None = None) -> int:
    tags = {"habitue.cutoff": str(cutoff)}
    if observed_until:
        tags["habitue.observed_until"] = str(observed_until)
    made = store.client().create_model_version(NAME, source="s3://nowhere/m", run_id=None, tags=tags)
    return int(made.version)


def monitor(store: Store, version: int, cutoff: date, *alarms: Alarm) -> None:
    found = Monitored(cutoff, version, alarms).to_json()
    nothing: dict[str, Any] = {"metrics": {}, "tables": {}, "params": {}, "page": ""}
    log_monitoring(store, resolve(store, f"{NAME}/{version}"), str(cutoff), found=found, **nothing)


def due(store: Store, rule: str) -> Due:
    return what_is_due(LOG, with_rule(rule), horizon=HORIZON, store=store)


def test_without_a_champion_there_is_one_to_train(store: Store) -> None:
    assert due(store, "").reasons == ("There is no champion yet.",)


def test_without_a_rule_nothing_calls_for_it(store: Store) -> None:
    set_champion(store, NAME, register(store, date(2020, 1, 1)), why="-")
    assert due(store, "") == Due(NAME, (), ("The recipe has no rule: write a table [retrain] into it.",))


@pytest.mark.parametrize(("new", "called"), [(29, False), (30, True), (400, True)])
def test_new_days_of_outcomes_call_for_it(store: Store, new: int, called: bool) -> None:
    set_champion(store, NAME, register(store, LATEST - timedelta(days=new)), why="-")
    found = due(store, "every = 30")
    assert found.is_due is called
    assert (
        f"until {LATEST} now, {new} days more than habitue-churn/1 did" in (*found.reasons, *found.against)[0]
    )


def test_days_are_counted_from_the_newest_of_the_two(store: Store) -> None:
    set_champion(store, NAME, register(store, LATEST - timedelta(days=300)), why="-")
    assert due(store, "every = 30").is_due
    set_challenger(store, NAME, register(store, LATEST - timedelta(days=3)), why="-")
    found = due(store, "every = 30")
    assert not found.is_due
    assert "3 days more than habitue-churn/2" in found.against[0]


def test_only_alarms_that_the_recipe_names_call_for_it(store: Store) -> None:
    set_champion(store, NAME, register(store, LATEST), why="-")
    assert "never monitored" in due(store, 'when = ["input"]').against[0]
    monitor(store, 1, date(2024, 12, 31), DRIFT)
    assert due(store, 'when = ["input"]').reasons == (
        f"The monitoring as of 2024-12-31 found 1 alarm: {DRIFT.told}",
    )
    assert "no alarm of performance, score" in due(store, 'when = ["performance", "score"]').against[0]
    monitor(store, 1, date(2024, 12, 31), DRIFT, SCORE)
    assert SCORE.told in due(store, 'when = ["performance", "score"]').reasons[0]
    both = due(store, 'every = 30\nwhen = ["score"]')  # one of the two is enough
    assert (len(both.reasons), len(both.against)) == (1, 1)


def test_an_alarm_calls_for_one_training(store: Store) -> None:
    set_champion(store, NAME, register(store, LATEST), why="-")
    monitor(store, 1, date(2024, 12, 31), DRIFT)
    set_challenger(store, NAME, register(store, LATEST, date(2024, 12, 30)), why="of the day before")
    assert due(store, 'when = ["input"]').is_due
    set_challenger(store, NAME, register(store, LATEST, date(2024, 12, 31)), why="-")
    answered = due(store, 'when = ["input"]')
    assert not answered.is_due
    assert "habitue-churn/3 was trained since, and waits for `habitue promote`" in answered.against[0]


def test_an_alarm_about_another_champion_does_not_count(store: Store) -> None:
    set_champion(store, NAME, register(store, LATEST), why="-")
    monitor(store, 1, date(2024, 12, 31), DRIFT)
    set_champion(store, NAME, register(store, LATEST), why="-")
    assert "about version 1, which is not the champion" in due(store, 'when = ["input"]').against[0]


SIMPLE = """
name = "habitue-churn"
target = "churned"
[evaluation]
n_training = 1
n_replicates = 40
[champion]
metric = "log_loss"
{promote}
[retrain]
every = 30
[[challengers]]
model = "BTYDChurnClassifier"
"""


def begin(folder: Path, mlflow_home: Path, orders: pd.DataFrame, promote: str) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "churn.toml").write_text(SIMPLE.format(promote=promote), encoding="utf-8")
    (folder / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    orders.to_csv(folder / "transactions.csv", index=False)
    (folder / "habitue.toml").write_text(
        f'horizon = 42\nmlruns = "{folder}"\n[data]\nsource = "transactions.csv"\n'
        'customer_id = "customer_id"\ntimestamp = "order_date"\namount = "amount"\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize("promote", ["", 'promote = "automatic"'], ids=["by hand", "automatic"])
def test_a_shop_grows_and_is_retrained(
    promote: str, tmp_path: Path, mlflow_home: Path, orders: pd.DataFrame, command: Callable[..., Any]
) -> None:
    early = orders[orders["order_date"] < "2023-12-01"]
    begin(tmp_path, mlflow_home, early, promote)
    first = command(tmp_path, "retrain", "--who", "cron")
    assert first.code == 0, first.err
    assert "There is no champion yet." in first.out
    assert "version 1 is champion" in first.out
    again = command(tmp_path, "retrain")
    assert (again.code, "stays as it is" in again.out) == (0, True)
    orders.to_csv(tmp_path / "transactions.csv", index=False)
    only_told = command(tmp_path, "retrain", "--dry-run", "--json")
    assert json.loads(only_told.out)[NAME]["due"]
    assert "trained" not in json.loads(only_told.out)[NAME]
    told = command(tmp_path, "retrain", "--json")
    assert told.code == 0, told.err
    trained = json.loads(told.out)[NAME]["trained"]
    store = open_store(tmp_path)
    if promote and not trained["refused"]:
        assert resolve(store, NAME).version == 2
    else:
        assert resolve(store, NAME).version == 1
        assert resolve(store, f"{NAME}@challenger").version == 2
    assert (trained["alias"] == "champion") is (resolve(store, NAME).version == 2)
    assert bool(trained["refused"]) <= bool(promote)  # by hand nothing is compared
    assert "stays as it is" in command(tmp_path, "retrain").out


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    rows = [
        (who, day) for who in range(60) for day in range(who % 29, 420, 9 + who % 11) if (who * 7 + day) % 5
    ]
    rows = [(who, day) for who, day in rows if day < 120 + 6 * who]
    when = pd.Timestamp("2023-01-01") + pd.to_timedelta([day for _, day in rows], unit="D")
    return pd.DataFrame({"customer_id": [who for who, _ in rows], "order_date": when, "amount": 10.0})
