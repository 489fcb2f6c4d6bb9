"""Training: cutoffs inside the log, an honest champion, and small or odd customer bases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import habitue as hb
from habitue.errors import DataError, HabitueWarning
from habitue.evaluation import Backtest
from habitue.pipelines.backtests import evaluation_cutoffs, scores_of
from habitue.pipelines.choosing import choose_champion
from habitue.pipelines.recipes import Recipe, built_in_recipe

SPAN = 400
LOG = hb.read_log(
    pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2023-01-01", "2024-02-05"], "amount": [1.0, 2.0]})
)


@given(st.integers(1, SPAN // 2 - 1), st.integers(1, 5))
def test_every_cutoff_has_a_past_and_a_future_inside_the_log(horizon: int, wanted: int) -> None:
    room = (SPAN - 1) // horizon - 1
    if room < wanted:
        with pytest.warns(HabitueWarning, match=f"room for {room} of {wanted}"):
            cutoffs = evaluation_cutoffs(LOG, horizon, wanted)
    else:
        cutoffs = evaluation_cutoffs(LOG, horizon, wanted)
    step = timedelta(days=horizon)
    assert len(cutoffs) == min(wanted, room)
    assert cutoffs[-1] + step == LOG.observed_until
    assert cutoffs[0] - step > LOG.first_day
    assert {later - earlier for earlier, later in pairwise(cutoffs)} <= {step}


@pytest.mark.parametrize("horizon", [SPAN // 2, 10_000])
def test_horizon_too_long_says_which_would_do(horizon: int) -> None:
    with pytest.raises(DataError, match=r"spans 400 days.*at most 199 days"):
        evaluation_cutoffs(LOG, horizon)
    assert evaluation_cutoffs(LOG, 199)


def test_log_of_a_day_needs_more_days() -> None:
    log = hb.read_log(pd.DataFrame({"customer_id": [1], "timestamp": ["2023-01-01"], "amount": [1.0]}))
    with pytest.raises(DataError, match="More days of records"):
        evaluation_cutoffs(log, 7)


# --- the champion


def backtest_of(
    predictions: dict[str, Any], outcome: Any, left_out: dict[str, str] | None = None
) -> Backtest:
    day = pd.Timestamp("2024-01-01").date()
    frames = [
        pd.DataFrame(
            {"cutoff": day, "customer_id": range(len(outcome)), "target": "churned", "model": name,
             "prediction": said, "outcome": outcome}
        )
        for name, said in predictions.items()
    ]  # fmt: skip
    return Backtest(pd.concat(frames, ignore_index=True), 30, {}, {day: day}, left_out or {})


RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.05, 0.95, 2000)
OUTCOME = (RNG.uniform(size=2000) < TRUTH).astype(float)
CLOSE = np.clip(TRUTH + RNG.normal(0, 0.01, 2000), 0.01, 0.99)
BAD = np.clip(0.5 + 0.2 * (TRUTH - 0.5), 0.01, 0.99)
BUILT_IN: Recipe = built_in_recipe("churn")[0]
RECIPE = BUILT_IN.model_copy(
    update={"challengers": [one for one in BUILT_IN.challengers if one.name in {"BG/NBD", "LightGBM"}]}
)


def choice(
    predictions: dict[str, Any], outcome: Any = OUTCOME, left_out: dict[str, str] | None = None
) -> Any:
    tested = backtest_of(predictions, outcome, left_out)
    return choose_champion(tested, scores_of(tested, RECIPE), RECIPE)


def test_the_better_one_is_champion_whichever_is_simpler() -> None:
    assert choice({"BG/NBD": BAD, "LightGBM": TRUTH}).label == "LightGBM"
    assert choice({"BG/NBD": TRUTH, "LightGBM": BAD}).label == "BG/NBD"


def test_the_simpler_one_is_champion_where_chance_may_have_decided() -> None:
    # What is better by a hair, whichever it is, does not beat the simpler one.
    for simple, complex_ in ((CLOSE, TRUTH), (TRUTH, CLOSE)):
        assert choice({"BG/NBD": simple, "LightGBM": complex_}).label == "BG/NBD"


def test_one_that_could_not_be_fitted_is_named_and_never_champion() -> None:
    chosen = choice({"LightGBM": BAD}, left_out={"BG/NBD": "too few histories."})
    assert chosen.label == "LightGBM"
    assert "the only challenger" in chosen.why
    assert "BG/NBD could not be fitted: too few histories." in chosen.why


def test_leaderboard_lists_it_without_values() -> None:
    scores = scores_of(backtest_of({"LightGBM": BAD}, OUTCOME, {"BG/NBD": "too few."}), RECIPE)
    rows = scores[scores["model"] == "BG/NBD"]
    assert list(rows["score"]) == list(scores.loc[scores["model"] == "LightGBM", "score"])
    assert rows[["value", "lower", "upper"]].isna().all().all()


def test_score_that_is_not_defined_leaves_the_simplest() -> None:
    recipe = RECIPE.model_copy(update={"champion": RECIPE.champion.model_copy(update={"metric": "auc"})})
    tested = backtest_of({"BG/NBD": TRUTH, "LightGBM": BAD}, np.zeros(2000))
    chosen = choose_champion(tested, scores_of(tested, recipe), recipe)
    assert chosen.label == "BG/NBD"
    assert "not defined" in chosen.why


# --- odd customer bases, through the command line


def weekly(n: int, until: int, last: int = 0) -> pd.DataFrame:
    rows = [(f"c{one}", day) for one in range(n) for day in range(one % 7, until, 7)]
    rows += [("c0", last)] if last else []
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta([day for _, day in rows], unit="D")
    amounts = 10.0 + np.arange(len(rows)) % 13
    return pd.DataFrame({"customer_id": [who for who, _ in rows], "order_date": days, "amount": amounts})


def once(n: int) -> pd.DataFrame:
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(n), unit="D")
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], "order_date": days, "amount": 9.5})


def train_both(folder: Path, command: Callable[..., Any]) -> list[Any]:
    return [command(folder, "train", f"models/{name}.toml") for name in ("churn", "clv")]


def test_where_nobody_leaves_the_others_go_on(
    new_shop: Callable[..., Path], command: Callable[..., Any]
) -> None:
    folder = new_shop(weekly(60, 200))
    churn, clv = train_both(folder, command)
    assert churn.code == 0, churn.err
    assert re.search(r"LightGBM \(not fitted\) +–", churn.out)
    assert "LightGBM could not be fitted: y has only one class (nobody churned)" in churn.out
    assert re.search(r"version \d is champion\. (?!LightGBM)", churn.out)
    assert clv.code == 0, clv.err
    for arguments in (["score"], ["report"]):
        told = command(folder, *arguments)
        assert told.code == 0, told.err
    assert "could not be fitted" in (folder / "scores" / "report.html").read_text(encoding="utf-8")


def test_where_everybody_left_the_others_go_on(
    new_shop: Callable[..., Path], command: Callable[..., Any]
) -> None:
    folder = new_shop(weekly(60, 120, last=300))
    for told in train_both(folder, command):
        assert told.code == 0, told.err
        assert "LightGBM could not be fitted" in told.out
    told = command(folder, "score")
    assert told.code == 0, told.err
    scores = pd.read_parquet(folder / "scores" / "scores.parquet")
    assert (scores["churn_probability"] > 0.5).mean() > 0.9


@pytest.mark.parametrize(
    "orders", [once(1), once(80), weekly(1, 300)], ids=["one row", "one-time", "one customer"]
)
def test_where_nothing_can_be_learned_it_is_said(
    orders: pd.DataFrame, new_shop: Callable[..., Path], command: Callable[..., Any]
) -> None:
    folder = new_shop(orders)
    for told in train_both(folder, command):
        assert told.code in {3, 5}
        assert told.err.count("Error: ") == 1
        assert "Traceback" not in told.err
        assert re.search(
            "No model could be fitted. BG/NBD.*LightGBM|BG/NBD, which could not be|days", told.err
        )
    assert command(folder, "score").code == 6


@pytest.mark.parametrize("n", [5, 30])
def test_few_customers_get_an_answer(
    n: int, new_shop: Callable[..., Path], command: Callable[..., Any]
) -> None:
    orders = weekly(n, 300)
    keep = np.random.default_rng(n).uniform(size=len(orders)) < 0.25
    folder = new_shop(orders[keep])
    for told in [*train_both(folder, command), command(folder, "score"), command(folder, "report")]:
        assert told.code == 0, told.err
    scores = pd.read_parquet(folder / "scores" / "scores.parquet")
    assert len(scores) == n
    assert (scores["clv_lower"] <= scores["clv"]).all()
    assert (scores["clv"] <= scores["clv_upper"]).all()
