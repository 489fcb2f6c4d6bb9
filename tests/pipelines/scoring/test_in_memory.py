"""Scoring: the same input gives the same scores, and the report is told of exactly these."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.cli import EXIT_CODES
from habitue.errors import DataError, SettingsError
from habitue.pipelines.examine import examine, write_quarantine
from habitue.pipelines.scoring.files import sidecar_of
from habitue.pipelines.scoring.in_memory import score_customers, write_scores
from habitue.pipelines.scoring.targets_files import FileTarget
from habitue.pipelines.tell import tell
from habitue.records import Source, read_log, read_records
from habitue.tracking import Store, open_store

MODELS = ["habitue-churn@champion", "habitue-clv@champion"]
NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(shop: Path) -> Store:
    return open_store(shop / "mlruns")


@pytest.fixture(scope="module")
def orders(shop: Path) -> pd.DataFrame:
    return pd.read_csv(shop / "transactions.csv")


def score(orders: pd.DataFrame, store: Store, **options: Any) -> Any:
    log = read_log(orders, timestamp="order_date")
    return score_customers(log, options.pop("models", MODELS), store=store, now=NOW, **options)


def test_same_input_in_another_order_gives_the_same_scores(orders: pd.DataFrame, store: Store) -> None:
    first, second = score(orders, store), score(orders.sample(frac=1.0, random_state=1), store)
    pd.testing.assert_frame_equal(first.frame, second.frame)
    assert first.manifest["data"]["fingerprint"] == second.manifest["data"]["fingerprint"]


def test_chunks_do_not_show(orders: pd.DataFrame, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score(orders, store).frame
    monkeypatch.setattr("habitue.pipelines.scoring.answers.CHUNK", 37)
    said: list[str] = []
    pd.testing.assert_frame_equal(score(orders, store, progress=said.append).frame, whole)
    assert "customers 297 to 300 of 300" in said


def test_written_scores_and_manifest_belong_together(
    orders: pd.DataFrame, store: Store, tmp_path: Path
) -> None:
    scored = score(orders, store)
    manifest = json.loads(write_scores(scored, tmp_path / "s.parquet").read_text("utf-8"))
    assert sidecar_of(tmp_path / "s.parquet").name == "s.manifest.json"
    assert manifest["n_customers"] == 300
    assert [one["role"] for one in manifest["models"]] == ["churn", "clv"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "s.parquet"), scored.frame, check_dtype=False)
    page = tell(
        tmp_path / "s.parquet", tmp_path / "r.html", store=store, money="€", title="Title & co", now=NOW
    )
    assert "Title &amp; co" in page.read_text("utf-8")


@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_the_manifest_says_of_each_kind_what_was_set_aside(orders: pd.DataFrame, store: Store) -> None:
    tickets = pd.DataFrame({"customer_id": ["c000001", None], "opened_at": "2023-02-01"})
    kinds = {
        "transactions": Source(orders, {"timestamp": "order_date"}),
        "tickets": Source(tickets),
    }
    manifest = score_customers(read_records(kinds), MODELS, store=store, now=NOW).manifest
    assert manifest["data"].pop("fingerprint")
    assert manifest["records"]["transactions"] == manifest["data"]
    assert manifest["records"]["tickets"] == {
        "source": "a table of 2 rows", "n_rows": 2, "n_admitted": 1,
        "quarantined": {"customer_id is missing": 1}, "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [("s.manifest.json", "{"), ("s.manifest.json", "[]"), ("s.manifest.json", "{}"), ("s.csv", "x")],
)
def test_damaged_scores_are_not_reported(
    name: str, text: str, orders: pd.DataFrame, store: Store, tmp_path: Path
) -> None:
    write_scores(score(orders, store), tmp_path / "s.csv")
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="score again"):
        tell(tmp_path / "s.csv", tmp_path / "r.html", store=store, money="", title="", now=NOW)


def test_value_alone_and_churn_alone(orders: pd.DataFrame, store: Store) -> None:
    value = score(orders, store, models=MODELS[1:]).frame
    churn = score(orders, store, models=MODELS[:1]).frame
    both = score(orders, store).frame
    assert "churn_probability" not in value
    assert "clv" not in churn
    np.testing.assert_array_equal(value["clv"], both["clv"])
    np.testing.assert_array_equal(churn["churn_probability"], both["churn_probability"])
    assert (churn.groupby("decile")["churn_probability"].mean().diff().dropna() <= 0).all()


def test_two_answers_to_one_question_are_refused(orders: pd.DataFrame, store: Store) -> None:
    with pytest.raises(SettingsError, match="one at a time"):
        score(orders, store, models=["habitue-clv/1", "habitue-clv/2"])


def test_wrong_targets_are_told_before_any_work(tmp_path: Path) -> None:
    for path in (tmp_path / "a.xlsx", tmp_path / "a"):
        with pytest.raises(SettingsError, match=r"\.parquet or \.csv"):
            FileTarget(path).check()
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(SettingsError):
        FileTarget(tmp_path / "b.csv").check()


@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_check_counts_what_pandas_counts(orders: pd.DataFrame, tmp_path: Path) -> None:
    bad = pd.DataFrame(
        {"customer_id": ["c1", None], "order_date": ["no day", "2023-05-05"], "amount": [1.0, 2.0]}
    )
    log = read_log(pd.concat([orders, bad], ignore_index=True), timestamp="order_date")
    facts = examine(log)
    visits = orders.groupby("customer_id")["order_date"].nunique()
    assert facts["n_quarantined"] == 2
    assert facts["n_customers"] == 300
    assert facts["share_bought_again"] == pytest.approx((visits > 1).mean())
    assert facts["purchases_per_customer"] == pytest.approx(visits.mean())
    assert facts["total_amount"] == pytest.approx(orders["amount"].sum())
    assert {name: facts[name] for name in facts["records"]["transactions"]} == facts["records"][
        "transactions"
    ]
    assert len(pd.read_csv(write_quarantine(log, tmp_path / "aside.csv"))) == 2


@pytest.mark.slow
def test_two_hundred_thousand_customers_in_bounded_memory(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    """Score in a process of its own, so that its peak is its own."""
    import os
    import subprocess
    import sys

    orders = pd.read_csv(shop / "transactions.csv")
    big = pd.concat([orders.assign(customer_id=orders["customer_id"] + f"-{copy}") for copy in range(667)])
    big.to_parquet(tmp_path / "big.parquet")
    settings = (shop / "habitue.toml").read_text("utf-8").replace('"transactions.csv"', '"big.parquet"')
    settings = settings.replace('mlruns = "mlruns"', f"mlruns = {json.dumps(str(shop / 'mlruns'))}")
    (tmp_path / "habitue.toml").write_text(settings, encoding="utf-8")
    program = (
        "import sys, resource; from habitue.cli import main; code = main(['score', '--json']); "
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)); sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
        timeout=600, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert json.loads(ran.stdout)["n_customers"] == 300 * 667
    assert int(ran.stderr.splitlines()[-1]) < 3_000_000  # kilobytes


def test_further_ahead_from_score_to_report(shop: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    scores, page = tmp_path / "far.parquet", tmp_path / "far.html"
    asked = ["--model", "habitue-clv/1", "--horizon", "150", "--no-reasons", "--output", scores]
    told = command(shop, "score", *asked, "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert (answer["horizon"], answer["reasons"]) == (150, False)
    learned = answer["models"][0]["learned_horizon"]
    assert learned != 150
    frame = pd.read_parquet(scores)
    assert (frame["horizon"] == 150).all()
    assert frame["clv"].notna().all()
    assert frame[["clv_lower", "clv_upper"]].isna().all(axis=None)
    told = command(shop, "report", "--scores", scores, "--output", page)
    assert told.code == 0, told.err
    text = page.read_text("utf-8")
    assert f"were tested, {learned} days ahead; this page asks them for 150 days" in text
    assert "looking 150 days ahead" in text


def test_a_horizon_that_was_not_learned_is_refused_in_one_sentence(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    boosted = ["--model", "habitue-clv/2", "--output", tmp_path / "s.csv"]
    told = command(shop, "score", *boosted, "--horizon", "150")
    assert told.code == EXIT_CODES[SettingsError]
    assert "BoostedValueRegressor learned" in told.err
    assert not (tmp_path / "s.csv").exists()
