"""Champion and challenger: the better one is champion, floors hold, and the way back is known."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, RegistryError, SettingsError
from habitue.evaluation.paired import judge
from habitue.models import BTYDChurnClassifier, ChurnAnswers
from habitue.pipelines.comparing import comparison_cutoffs
from habitue.pipelines.promote import RefusedError, promote, promote_by_force, recipe_of, roll_back
from habitue.pipelines.promotion_rule import Pair, judge_challenger
from habitue.pipelines.recipes import Recipe, built_in_recipe, recipe_from
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot
from habitue.tracking import ModelVersion, Store, champion, log_training, open_store, resolve, set_champion
from habitue.tracking.alias_changes import changes
from habitue.tracking.registry import set_challenger, version_at

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
NAME, HORIZON = "habitue-churn", 42
TEXT = built_in_recipe("churn")[1]
QUICK = recipe_from(TEXT.replace("n_replicates = 200", "n_replicates = 40"), name="quick")


def with_rule(**changed: Any) -> Recipe:
    return QUICK.model_copy(update={"champion": QUICK.champion.model_copy(update=changed)})


# --- the rule


RNG = np.random.default_rng(0)
N = 2000
TRUTH = RNG.uniform(0.05, 0.95, N)
OUTCOME = (RNG.uniform(size=N) < TRUTH).astype(float)
CLOSE = np.clip(TRUTH + RNG.normal(0, 0.005, N), 0.01, 0.99)
TIMID = 0.5 + 0.4 * (TRUTH - 0.5)
DAY = date(2024, 1, 1)
KINDS = pd.Series(
    pd.Categorical(["new"] * 300 + ["heavy"] * 50 + ["regular"] * (N - 350)),
    index=pd.MultiIndex.from_product([[DAY], range(N)], names=["cutoff", "customer_id"]),
)


def verdict(
    champion_says: Any, challenger_says: Any, recipe: Recipe = QUICK, *, is_simpler: bool = False
) -> Any:
    rows = {"cutoff": DAY, "customer_id": range(N), "target": "churned", "outcome": OUTCOME}
    said = {"old": champion_says, "new": challenger_says}
    frame = pd.concat([pd.DataFrame(rows | {"model": name, "prediction": p}) for name, p in said.items()])
    frame = frame.reset_index(drop=True)
    judged = judge(frame, "churned", n_replicates=40)
    return judge_challenger(frame, KINDS, judged, Pair("old", "new", is_simpler), recipe)


def test_the_clearly_better_one_passes_and_nobody_else() -> None:
    better = verdict(TIMID, TRUTH)
    assert better.passed
    assert "By log_loss new is better than old (0." in better.why
    worse = verdict(TRUTH, TIMID)
    assert not worse.passed
    assert worse.failed[0] == worse.why
    assert "new is worse than old" in worse.why
    assert verdict(TRUTH, TRUTH).failed == (verdict(TRUTH, TRUTH).why,)
    assert "level with old" in verdict(TRUTH, TRUTH).why


def test_what_chance_may_have_decided_is_for_the_champion_or_the_simpler_one() -> None:
    for old, new in ((TRUTH, CLOSE), (CLOSE, TRUTH)):
        assert not verdict(old, new).passed
        assert verdict(old, new, is_simpler=True).passed
    assert "the simpler of the two" in verdict(TRUTH, CLOSE, is_simpler=True).why
    assert not verdict(TRUTH, TIMID, is_simpler=True).passed
    # Who asks for a margin wants to see it, of simple ones too.
    assert not verdict(TRUTH, CLOSE, with_rule(margin=0.001), is_simpler=True).passed


def test_the_margin_is_asked_of_the_lower_end() -> None:
    assert verdict(TIMID, TRUTH, with_rule(margin=0.01)).passed
    refused = verdict(TIMID, TRUTH, with_rule(margin=0.2))
    assert "better than old, but not by the margin of 0.2 beyond chance" in refused.why


def test_a_challenger_that_is_better_and_off_in_calibration_is_refused() -> None:
    extreme = np.clip(0.5 + 1.15 * (TRUTH - 0.5), 0.002, 0.998)  # slope about .6 where the truth has 1
    flat = np.full(N, OUTCOME.mean())  # no slope at all, and worse
    auc = {"metric": "auc"}
    assert verdict(CLOSE * 0.5 + 0.25, extreme, with_rule(**auc, calibration=None)).why.startswith("By auc")
    refused = verdict(TIMID, TRUTH**3, with_rule(metric="auc", confidence=0.9))
    assert [one for one in refused.failed if one.startswith("calibration_intercept of new is ")]
    off = verdict(TIMID, TRUTH**3, with_rule(metric="auc", calibration=None))
    assert not [one for one in off.failed if one.startswith("calibration")]
    # Both are off, the challenger less: it may be champion.
    both = verdict(TRUTH**4, TRUTH**3)
    assert both.passed
    assert verdict(flat, TRUTH).passed


def test_a_large_segment_may_not_become_clearly_worse() -> None:
    new = np.where(np.arange(N) < 300, 0.5, TRUTH)
    refused = verdict(TIMID, new, with_rule(calibration=None))
    assert len(refused.failed) == 1
    assert refused.failed[0].startswith("For 300 customers of the segment new new is clearly worse: log_loss")
    assert verdict(TIMID, new, with_rule(calibration=None, segments=None)).passed
    wide = QUICK.champion.segments.model_copy(update={"worse_by": 5.0})  # pyright: ignore[reportOptionalMemberAccess]
    assert verdict(TIMID, new, with_rule(calibration=None, segments=wide)).passed
    few = np.where((np.arange(N) >= 300) & (np.arange(N) < 350), 1 - TRUTH, TRUTH)
    assert verdict(TIMID, few, with_rule(calibration=None)).passed  # fifty are too few to say


def test_a_score_that_is_not_defined_passes_nobody() -> None:
    assert "not defined" in verdict(TRUTH, np.full(N, 0.5), with_rule(metric="calibration_slope")).why


# --- the registered models themselves


class Registry(NamedTuple):
    """A log, and three versions: 1 answers for one day instead of 42, 2 and 3 as they should."""

    log: CustomerLog
    home: Path
    learned: date


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path, orders: pd.DataFrame) -> Registry:
    log = hb.read_log(orders, timestamp="order_date")
    home = tmp_path_factory.mktemp("registry")
    shutil.copy(mlflow_home, home)
    store = open_store(home)
    learned = log.observed_until - timedelta(days=HORIZON + 30)
    X = take_snapshot(log, Window(learned, HORIZON), ["frequency"]).X
    good = BTYDChurnClassifier(horizon=HORIZON).fit(X)
    bad = BTYDChurnClassifier(horizon=1).fit(X)
    for classifier, label in ((bad, "stacked"), (good, "LightGBM"), (good, "BG/NBD")):
        answers = ChurnAnswers(classifier=classifier, purchases=classifier.purchases_, horizon=HORIZON)
        log_training(
            store,
            experiment=NAME,
            run_name=label,
            params={},
            metrics={},
            tags={"habitue.label": label, "habitue.cutoff": str(learned)},
            texts={"recipe.toml": TEXT.replace("200", "40").replace('"log_loss"', '"brier"')},
            model=answers,
            registered_name=NAME,
            input_example=X.head(3),
        )
    return Registry(log, home, learned)


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n, days = 400, 400
    start, rate = rng.integers(0, 250, n), rng.gamma(1.0, 0.03, n)
    left = np.minimum(start + rng.exponential(150.0, n), days - 1.0)
    count = rng.poisson((left - start).clip(0) * rate)
    who = np.repeat(np.arange(n), count + 1)
    day = start[who] + rng.uniform(size=len(who)) * (left - start)[who]
    day[np.concatenate([[0], np.cumsum(count + 1)[:-1]])] = start
    when = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.floor(day), unit="D")
    return pd.DataFrame({"customer_id": who, "order_date": when, "amount": 10.0}).sort_values("order_date")


@pytest.fixture
def store(registry: Registry, tmp_path: Path) -> Store:
    """A copy, its files where they are: each test moves aliases of its own."""
    shutil.copy(registry.home / "mlflow.db", tmp_path)
    return open_store(tmp_path)


def version(store: Store, number: int) -> ModelVersion:
    return resolve(store, f"{NAME}/{number}")


def test_a_better_challenger_takes_the_place(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 1, why="the first", how="trained")
    set_challenger(store, NAME, 2, why="trained")
    moved = promote(registry.log, version(store, 2), QUICK, store=store, now=NOW, who="ann", why="May.")
    assert (moved.before, champion(store, NAME)) == (1, moved.version)
    assert moved.version.version == 2
    assert version_at(store, NAME, "challenger") is None  # it is champion now
    trail = changes(store, NAME)
    assert (trail[2].how, trail[2].who, trail[2].before, trail[2].to) == ("promoted", "ann", 1, 2)
    assert trail[2].why.startswith("May. By log_loss habitue-churn/2 is better than habitue-churn/1")
    assert moved.comparison is not None
    scores = moved.comparison.scores
    assert {"habitue-churn/1", "habitue-churn/2", "logistic regression", "the mean"} <= set(scores["model"])
    assert all(day >= registry.learned for day in moved.comparison.cutoffs)


def test_a_worse_challenger_is_refused_with_the_table(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 2, why="-")
    with pytest.raises(
        RefusedError, match=r"^habitue-churn/1 does not take the place of habitue-churn/2: "
    ) as it:
        promote(registry.log, version(store, 1), QUICK, store=store, now=NOW)
    failed = it.value.comparison.verdict.failed
    assert "By log_loss habitue-churn/1 is worse than habitue-churn/2" in failed[0]
    assert any(one.startswith("calibration_intercept of habitue-churn/1") for one in failed)
    assert all(one in str(it.value) for one in failed)
    assert not it.value.comparison.scores.empty
    assert champion(store, NAME) == version(store, 2)
    assert len(changes(store, NAME)) == 1


def test_the_same_model_is_refused_unless_it_is_the_simpler_one(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 3, why="-")
    with pytest.raises(RefusedError, match="level with"):
        promote(registry.log, version(store, 2), QUICK, store=store, now=NOW)
    set_champion(store, NAME, 2, why="-")
    assert promote(registry.log, version(store, 3), QUICK, store=store, now=NOW).version.version == 3


def test_predictions_are_those_of_the_registered_model(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 1, why="-")
    moved = promote(registry.log, version(store, 2), QUICK, store=store, now=NOW)
    assert moved.comparison is not None
    (day,) = moved.comparison.cutoffs
    taken = take_snapshot(registry.log, Window(day, HORIZON), ["frequency"])
    learned = take_snapshot(registry.log, Window(registry.learned, HORIZON), ["frequency"]).X
    p = BTYDChurnClassifier(horizon=HORIZON).fit(learned).predict_proba(taken.X)[:, 1]
    left = taken.outcomes["churned"].to_numpy(dtype="float64")
    expected = float(np.mean((p - left) ** 2))
    scores = moved.comparison.scores
    mine = scores.loc[(scores["model"] == "habitue-churn/2") & (scores["score"] == "brier"), "value"]
    assert float(mine.iloc[0]) == pytest.approx(expected, rel=1e-9)


def test_a_champion_that_changed_meanwhile_is_not_overrun(
    registry: Registry, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from habitue.pipelines import promote as module

    set_champion(store, NAME, 1, why="-")
    compare = module.compare_versions

    def slowly(*given: Any, **named: Any) -> Any:
        set_champion(store, NAME, 3, why="somebody else")
        return compare(*given, **named)

    monkeypatch.setattr(module, "compare_versions", slowly)
    with pytest.raises(RegistryError, match=r"means version 3 by now, not version 1.*run the command again"):
        promote(registry.log, version(store, 2), QUICK, store=store, now=NOW)
    assert champion(store, NAME) == version(store, 3)


def test_without_a_champion_there_is_nothing_to_beat(registry: Registry, store: Store) -> None:
    moved = promote(registry.log, version(store, 1), QUICK, store=store, now=NOW)
    assert (moved.before, moved.comparison) == (None, None)
    with pytest.raises(RegistryError, match="is the champion already"):
        promote(registry.log, version(store, 1), QUICK, store=store, now=NOW)


def test_force_needs_a_reason_and_is_noted(store: Store) -> None:
    set_champion(store, NAME, 2, why="-")
    with pytest.raises(SettingsError, match="--why"):
        promote_by_force(store, version(store, 1), why=" ", now=NOW)
    promote_by_force(store, version(store, 1), why="the other one is banned", now=NOW, who="ann")
    last = changes(store, NAME)[-1]
    assert (last.how, last.why, last.to) == ("forced", "the other one is banned", 1)


def test_each_rollback_takes_the_last_one_away(store: Store) -> None:
    for number in (1, 2, 3):
        set_champion(store, NAME, number, why="-")
    assert roll_back(store, NAME, now=NOW, who="ann").version.version == 2
    assert roll_back(store, NAME, now=NOW, why="worse still").version.version == 1
    with pytest.raises(
        RegistryError, match="no champion of habitue-churn before habitue-churn/1: name a ver"
    ):
        roll_back(store, NAME, now=NOW)
    assert roll_back(store, NAME, now=NOW, to=3).version.version == 3
    with pytest.raises(RegistryError, match="no version 9"):
        roll_back(store, NAME, now=NOW, to=9)
    told = [(one.how, one.before, one.to) for one in changes(store, NAME)[3:]]
    assert told == [("rolled back", 3, 2), ("rolled back", 2, 1), ("rolled back", 1, 3)]


def test_a_champion_from_before_the_trail_can_be_rolled_back(store: Store) -> None:
    client = store.client()
    client.set_registered_model_alias(NAME, "champion", "2")
    client.set_model_version_tag(NAME, "2", "habitue.champion_from", "1")
    assert roll_back(store, NAME, now=NOW).version.version == 1


def test_days_that_are_missing_are_counted(registry: Registry, store: Store) -> None:
    end = registry.log.observed_until
    assert comparison_cutoffs(registry.log, 42, end - timedelta(days=42)) == (end - timedelta(days=42),)
    two = comparison_cutoffs(registry.log, 10, end - timedelta(days=25), n_cutoffs=5)
    assert two == (end - timedelta(days=20), end - timedelta(days=10))
    with pytest.raises(DataError, match=f"until {end}.*42 days more than the {end}"):
        comparison_cutoffs(registry.log, 42, end)
    set_champion(store, NAME, 1, why="-")
    store.client().set_model_version_tag(NAME, "2", "habitue.cutoff", str(end - timedelta(days=41)))
    with pytest.raises(DataError, match=r"1 day more than"):
        promote(registry.log, version(store, 2), QUICK, store=store, now=NOW)


def test_a_version_that_does_not_say_until_when_it_learned(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 1, why="-")
    store.client().delete_model_version_tag(NAME, "2", "habitue.cutoff")
    with pytest.raises(RegistryError, match=r"habitue-churn/2 does not say until which day it learned"):
        promote(registry.log, version(store, 2), QUICK, store=store, now=NOW)


def test_another_question_is_not_compared(registry: Registry, store: Store) -> None:
    set_champion(store, NAME, 1, why="-")
    clv = built_in_recipe("clv")[0]
    with pytest.raises(RegistryError, match="do not answer the same question"):
        promote(registry.log, version(store, 2), clv, store=store, now=NOW)


def test_the_recipe_beside_counts_else_the_one_kept_with_the_run(
    registry: Registry, store: Store, tmp_path: Path
) -> None:
    beside = tmp_path / "churn.toml"
    beside.write_text(TEXT.replace("confidence = 0.95", "confidence = 0.8"), encoding="utf-8")
    assert recipe_of(store, version(store, 2), [beside]).champion.confidence == 0.8
    assert recipe_of(store, version(store, 2), []).champion.metric == "brier"
    store.client().create_model_version(NAME, source="s3://nowhere/m", run_id=None)
    with pytest.raises(SettingsError, match="no recipe of habitue-churn beside the settings"):
        recipe_of(store, version(store, 4), [])


# --- at the command line


@pytest.fixture
def shop_of(registry: Registry, store: Store, orders: pd.DataFrame, tmp_path: Path) -> tuple[Path, Store]:
    orders.to_csv(tmp_path / "transactions.csv", index=False)
    (tmp_path / "habitue.toml").write_text(
        f'horizon = {HORIZON}\nmlruns = "{tmp_path}"\n[data]\nsource = "transactions.csv"\n'
        'customer_id = "customer_id"\ntimestamp = "order_date"\namount = "amount"\n'
    )
    return tmp_path, store


def test_the_command_refuses_with_a_table_and_exit_code_6(
    shop_of: tuple[Path, Store], command: Callable[..., Any]
) -> None:
    folder, store = shop_of
    set_champion(store, NAME, 2, why="-")
    set_challenger(store, NAME, 1, why="-")
    told = command(folder, "promote", NAME)
    assert told.code == 6
    assert "habitue-churn/2 *" in told.out
    assert "the mean" in told.out
    assert "Error: habitue-churn/1 does not take the place of habitue-churn/2: By brier " in told.err
    asked = command(folder, "promote", f"{NAME}@challenger", "--json")
    answer = json.loads(asked.out)
    assert (asked.code, answer["promoted"], answer["comparison"]["champion"]) == (6, False, 2)
    assert answer["comparison"]["failed"]


def test_the_commands_promote_list_and_roll_back(
    shop_of: tuple[Path, Store], command: Callable[..., Any]
) -> None:
    folder, store = shop_of
    set_champion(store, NAME, 1, why="the first")
    told = command(folder, "promote", f"{NAME}/2", "--who", "ann", "--why", "Newer.")
    assert told.code == 0, told.err
    assert "habitue-churn: version 2 is champion in place of version 1. Newer. By brier" in told.out
    forced = command(folder, "promote", f"{NAME}/3", "--force")
    assert (forced.code, "--why" in forced.err) == (4, True)
    assert command(folder, "promote", f"{NAME}/3", "--force", "--why", "try").code == 0
    back = command(folder, "rollback", NAME, "--who", "bob", "--json")
    assert json.loads(back.out)["version"] == 2
    listed = command(folder, "versions", NAME)
    assert listed.code == 0, listed.err
    row = next(line for line in listed.out.splitlines() if line.startswith("2 "))
    assert "champion" in row
    assert "2: Newer. By brier habitue-churn/2 is better" in listed.out
    told = json.loads(command(folder, "versions", NAME, "--json").out)
    assert [one["how"] for one in told["changes"]] == ["rolled back", "forced", "promoted", "promoted"]
    assert told["changes"][0]["who"] == "bob"
    missing = command(folder, "versions", "habitue-chrun")
    assert (missing.code, "did you mean 'habitue-churn'?" in missing.err) == (6, True)


@pytest.mark.parametrize("name", ["churn", "clv", "contract_churn"])
def test_what_a_recipe_shows_as_comment_is_what_counts_where_it_is_left_out(name: Any) -> None:
    recipe, text = built_in_recipe(name)
    kept = ("margin", "calibration", "segments", "[retrain]", "every", "when")
    lines = [line.removeprefix("# ") if line.startswith(tuple(f"# {key}" for key in kept)) else line
             for line in text.splitlines()]  # fmt: skip
    written = recipe_from("\n".join(lines), name=name)
    assert written.champion == recipe.champion
    assert (written.retrain.every, len(written.retrain.when)) == (30, 5)
    assert recipe.retrain.when == []


def test_floors_can_be_switched_off_and_keys_are_known() -> None:
    off = recipe_from(TEXT.replace("confidence = 0.95", "calibration = false\nsegments = false"), name="off")
    assert (off.champion.calibration, off.champion.segments) == (None, None)
    on = recipe_from(TEXT.replace("confidence = 0.95", "calibration = true\nsegments = true"), name="on")
    assert on.champion == QUICK.champion
    for wrong, told in (
        ("margn = 0.1", r"champion.*margn.*did you mean 'margin'"),
        ("margin = -1", "champion.margin"),
        ('promote = "always"', "champion.promote"),
        ("calibration = { slop = 1 }", "slop"),
        ("calibration = 3", "champion.calibration"),
    ):
        with pytest.raises(SettingsError, match=told):
            recipe_from(TEXT.replace("confidence = 0.95", wrong), name="wrong")
