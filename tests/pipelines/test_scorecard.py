"""`habitue scorecard`: settings, targets, files; what is told where records or scores do not reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.cli import commands_scorecard
from habitue.errors import SettingsError
from habitue.files import FORMULA
from habitue.pipelines.scorecard import default_window, make_scorecard, write_scorecard
from habitue.pipelines.scorecard_audit import audit_of
from habitue.pipelines.scorecard_settings import ScorecardSettings
from habitue.pipelines.scoring.targets import target_of
from habitue.pipelines.settings import read_settings
from habitue.records import CustomerLog
from habitue.records.business import SimulatedBusiness, simulate_business
from habitue.scorecard import Scorecard
from habitue.scorecard.targets import Target

Command = Callable[..., Any]
NOW = datetime(2025, 1, 2, tzinfo=UTC)

TARGETS = """
[scorecard]
min_count = 20
by = ["month", "segment"]

[[targets]]
metric = "retention_rate"
level = 0.5
by = 2025-03-31

[[targets]]
metric = "nps"
level = 20
by = 2025-03-31

[[targets]]
metric = "active_customers"
level = 1
by = 2024-03-31
group = {segment = "basic"}
"""


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return simulate_business(n_customers=400, random_state=3)


@pytest.fixture(scope="module")
def folder(business: SimulatedBusiness, tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """Make a folder with the records of a business and the settings of a scorecard."""
    folder = tmp_path_factory.mktemp("scorecard")
    for kind in ("transactions", "customers", "feedback"):
        business.frames[kind].to_csv(folder / f"{kind}.csv", index=False)
    assert command(folder, "init", ".").code == 0
    settings = folder / "habitue.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + TARGETS, encoding="utf-8")
    return folder


def test_the_command_measures_judges_and_audits(folder: Path, command: Command) -> None:
    assert commands_scorecard.scorecard.__name__ == "scorecard"
    told = command(folder, "scorecard")
    assert told.code == 0, told.err
    assert "2023-12-01 to 2024-11-30" in told.out  # the first day that counts, and the last
    assert "retention_rate ≥ 0.5 by 2025-03-31" in told.out
    assert "CLV and customer equity are left out: there are no scores" in told.out
    found = json.loads((folder / "scores" / "scorecard.json").read_text(encoding="utf-8"))
    assert [one["metric"] for one in found["targets"]] == ["retention_rate", "nps", "active_customers"]
    kept, nps, active = found["targets"]
    assert kept["n_months"] == 12
    assert 0.0 <= kept["probability"] <= 1.0
    assert nps["unit"] == "points"
    assert (active["status"], active["group"]) == ("met", "basic")
    card = Scorecard.from_dict(found)
    assert {"all", "month", "segment"} <= set(card.frame["by"])
    assert found["definitions"].keys() == set(card.frame["measure"])
    assert {"one_period", "cohorts_compared", "whole_base", "retention_triangle", "value"} <= found[
        "audit"
    ].keys()


def test_options_have_the_last_word_and_a_machine_gets_json(folder: Path, command: Command) -> None:
    told = command(
        folder, "scorecard", "--start", "2024-08-31", "--end", "2024-09-30", "--by", "channel",
        "--min-count", "5", "--confidence", "0.9", "--output", "table.csv", "--json", "--log", "job.log",
    )  # fmt: skip
    # March lies before the months of this scorecard.
    assert told.code == 4
    assert "lies before the first month measured" in told.err
    assert not (folder / "table.csv").exists()
    told = command(
        folder, "scorecard", "--start", "2024-02-29", "--end", "2024-04-30", "--by", "channel",
        "--min-count", "5", "--confidence", "0.9", "--output", "table.csv", "--json", "--log", "job.log",
    )  # fmt: skip
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert answer["notes"][1:] == [
        "by channel there are active_customers, average_order_value only; feedback has no channel on record"
    ]
    assert (answer["start"], answer["end"], answer["confidence"]) == ("2024-02-29", "2024-04-30", 0.9)
    table = pd.read_csv(folder / "table.csv")
    assert {"all", "month", "channel"} <= set(table["by"])
    assert len(table) == len(answer["rows"])
    lines = (folder / "job.log").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {"answer", "error"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[targets]]\nmetric = 'nps'\nlevel = 30\n", "'targets.0.by' is missing"),
        ("[[targets]]\nlevel = 30\nby = 2025-12-31\n", "'targets.0.metric' is missing"),
        ("[[targets]]\nmetric = 'nps'\nlevel = 30\nby = 'soon'\n", "'targets.0.by'"),
        ("[[targets]]\nmetric = 'np'\nlevel = 30\nby = 2025-12-31\n", "did you mean 'nps'"),
        ("[[targets]]\nmetric = 'nps'\nlevel = 300\nby = 2025-12-31\n", "from -100 to 100"),
        ("[[targets]]\nmetric = 'nps'\nlevel = nan\nby = 2025-12-31\n", "'targets.0.level'"),
        ("[[targets]]\nmetric='nps'\nlevel=3\nby=2025-12-31\ngroup={a='b',c='d'}\n", "one attribute"),
        ("[[targets]]\nmetric='nps'\nlevel=3\nby=2025-12-31\ndirektion='up'\n", "did you mean 'direction'"),
        ("[scorecard]\nmin_cout = 3\n", "did you mean 'min_count'"),
        ("[scorecard]\nconfidence = 95\n", "'scorecard.confidence'"),
    ],
)
def test_settings_that_say_nothing_possible(tmp_path: Path, command: Command, text: str, told: str) -> None:
    (tmp_path / "habitue.toml").write_text(f"[data]\nsource = 'absent.csv'\n\n{text}", encoding="utf-8")
    answer = command(tmp_path, "scorecard")
    # Before the records are read, which are not there.
    assert answer.code == 4
    assert told in answer.err


@pytest.mark.slow
def test_scores_of_the_day_are_used_and_of_another_day_told(
    shop: Path, command: Command, tmp_path: Path
) -> None:
    log = read_settings(shop / "habitue.toml").read(shop, today=None)
    target = target_of(str(shop / "scores" / "scores.parquet"))
    day = target.batches()[-1].cutoff
    how = ScorecardSettings(min_count=10, by=["month"])
    wanted = [Target("customer_equity", 1.0, date(2030, 1, 31)), Target("clv", 1e9, date(2030, 1, 31))]
    there = make_scorecard(log, how, wanted, now=NOW, source="shop", end=day, scores=target)
    assert not there.notes
    assert "not the error that all predictions share" in there.card.measure("customer_equity").note
    equity = there.card.measure("customer_equity")
    assert equity.value > 0.0
    assert [one.status for one in there.targets] == ["on track", "off track"]
    assert "measured once" in there.targets[0].note
    earlier = make_scorecard(log, how, wanted, now=NOW, source="shop", end=date(2023, 12, 31), scores=target)
    assert f"are as of {day}, the scorecard ends on 2023-12-31" in earlier.notes[0]
    assert "habitue score --cutoff 2023-12-31" in earlier.notes[0]
    assert "customer_equity" not in set(earlier.card.frame["measure"])
    assert [one.status for one in earlier.targets] == ["not measured"] * 2
    broken = tmp_path / "scores.csv"
    broken.write_text("not a table\n", encoding="utf-8")
    assert make_scorecard(log, how, [], now=NOW, source="shop", scores=target_of(str(broken))).notes
    assert command(shop, "scorecard", "--end", day, "--output", tmp_path / "s.json").code == 0
    rows = pd.DataFrame(json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["rows"])
    (tested,) = rows[(rows["measure"] == "customer_equity") & (rows["by"] == "all")].to_dict("records")
    assert "totals were off by" in tested["note"]
    assert tested["lower"] <= equity.lower <= equity.upper <= tested["upper"]


def test_the_window_is_of_whole_months() -> None:
    def log(first: str, last: str) -> CustomerLog:
        frame = pd.DataFrame({"customer_id": [1, 1], "timestamp": [first, last], "amount": [1.0, 2.0]})
        return CustomerLog(transactions=frame)

    def days(made: CustomerLog, **given: date) -> tuple[str, str]:
        start, end = default_window(made, **given)
        return str(start), str(end)

    assert days(log("2020-05-05", "2024-12-30")) == ("2023-11-30", "2024-11-30")
    assert days(log("2020-05-05", "2024-02-29")) == ("2023-02-28", "2024-02-29")
    # Months before the log, and its first one that is there in part, would look like months without sales.
    assert days(log("2024-05-05", "2024-12-31")) == ("2024-05-31", "2024-12-31")
    assert days(log("2024-05-01", "2024-12-31")) == ("2024-04-30", "2024-12-31")
    assert days(log("2024-05-05", "2024-05-20")) == ("2024-05-04", "2024-05-20")
    made = log("2020-05-05", "2024-12-30")
    assert days(made, end=date(2024, 8, 15)) == ("2023-08-15", "2024-08-15")
    assert days(made, start=date(2024, 1, 1)) == ("2024-01-01", "2024-11-30")
    with pytest.raises(SettingsError, match="before it ends"):
        default_window(made, date(2024, 8, 1), date(2024, 8, 1))


def test_the_audit_is_small_whatever_the_base_and_tells_of_no_few(business: SimulatedBusiness) -> None:
    told = audit_of(business.log, date(2023, 12, 31), date(2024, 12, 30), confidence=0.95, min_count=30)
    text = json.dumps(told, allow_nan=False)
    assert len(text) < 200_000
    for table in (told["retention_triangle"], told["cohorts_compared"]):
        sizes = [row[table["columns"].index("n_customers")] for row in table["rows"]]
        assert min(sizes) >= 30
    base = pd.DataFrame(told["whole_base"]["rows"], columns=told["whole_base"]["columns"])
    spend = business.frames["transactions"]
    by_month = spend.groupby(pd.to_datetime(spend.timestamp).dt.to_period("M")).amount.sum()
    found = base.groupby("period").spend.sum()
    assert found.to_numpy() == pytest.approx(by_month.to_numpy(), rel=1e-6)
    some = audit_of(business.log, date(2023, 12, 31), date(2024, 12, 30), confidence=0.95, min_count=33)
    assert "5 cohorts have fewer than 33 customers: not shown by themselves" in some["notes"]
    pooled = pd.DataFrame(some["whole_base"]["rows"], columns=some["whole_base"]["columns"])
    assert pooled.cohort.isna().any()
    assert pooled.groupby("period").spend.sum().to_numpy() == pytest.approx(by_month.to_numpy(), rel=1e-6)
    # Where most months would be too small, quarters are told.
    few = audit_of(business.log, date(2023, 12, 31), date(2024, 12, 30), confidence=0.95, min_count=40)
    assert (told["cohort_period"], few["cohort_period"]) == ("month", "quarter")
    triangle = pd.DataFrame(few["retention_triangle"]["rows"], columns=few["retention_triangle"]["columns"])
    assert triangle.groupby("cohort").n_customers.first().tolist() == [108, 97, 96, 99]
    later = triangle[triangle.age > 0]
    assert (later.revenue_share_lower < later.revenue_share).all()
    assert (later.revenue_share < later.revenue_share_upper).all()


def test_a_long_log_is_told_by_longer_periods() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "customer_id": rng.integers(0, 60, 900),
            "timestamp": pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3652, 900), unit="D"),
            "amount": rng.gamma(2.0, 10.0, 900).round(2),
        }
    )
    log = CustomerLog(transactions=frame, observed_until="2024-12-31")
    for years, period in ((2, "month"), (6, "quarter"), (10, "year")):
        end = date(2014 + years, 12, 31)
        told = audit_of(log, date(end.year - 1, 12, 31), end, confidence=0.95, min_count=1)
        assert told["cohort_period"] == period


def test_files_are_whole_and_safe(tmp_path: Path) -> None:
    log = hb.datasets.cdnow(sample=True)
    customers = pd.DataFrame(
        {"customer_id": log.engine.frame("SELECT DISTINCT customer_id FROM transactions")["customer_id"]}
    )
    customers["segment"] = "=HYPERLINK(1)"
    orders = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS DOUBLE) AS amount FROM transactions"
    )
    log = CustomerLog(transactions=orders, customers=customers)
    found = make_scorecard(log, ScorecardSettings(by=["segment"]), [], now=NOW, source="cdnow")
    for name in ("a.json", "a.csv", "a.parquet"):
        assert write_scorecard(found, tmp_path / "new" / name).is_file()
    cells = pd.read_csv(tmp_path / "new" / "a.csv")["group"].astype(str)
    assert cells.str.contains("HYPERLINK").any()
    assert not cells.str.match(FORMULA.removeprefix("'*")).any()
    assert len(pd.read_parquet(tmp_path / "new" / "a.parquet")) == len(found.card.frame)
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name.endswith(".part")] == []
    with pytest.raises(SettingsError, match=r"\.json, \.csv, \.parquet"):
        write_scorecard(found, tmp_path / "a.xlsx")
