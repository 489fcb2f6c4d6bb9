"""Batches of scores: whole or not there, made once, the same however they were cut or killed."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError, UnavailableError
from habitue.files import safe_cells
from habitue.pipelines.features import choose_features, write_features
from habitue.pipelines.scoring import answers as score_answers
from habitue.pipelines.scoring.answers import AskedReasons
from habitue.pipelines.scoring.batch import Batch, load_models, score_batch
from habitue.pipelines.scoring.features import Prepared, Records
from habitue.pipelines.scoring.in_memory import score_customers
from habitue.pipelines.scoring.models import Models
from habitue.pipelines.scoring.targets import target_of
from habitue.pipelines.scoring.work import locked
from habitue.records import CustomerLog, read_log
from habitue.tracking import open_store

MODELS = ["habitue-churn/1", "habitue-clv/1"]
NOW = datetime(2024, 6, 1, tzinfo=UTC)
QUICK = AskedReasons(wanted=False)
N_KILLS = 50

# Threads of the parent do not live on in a forked child, which makes its own; here that is meant.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def log(shop: Path) -> CustomerLog:
    return read_log(shop / "transactions.csv", timestamp="order_date")


@pytest.fixture(scope="module")
def models(shop: Path) -> Models:
    return load_models(lambda: open_store(shop / "mlruns"), MODELS)


@pytest.fixture(scope="module")
def table(log: CustomerLog, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `habitue features` writes."""
    path = tmp_path_factory.mktemp("features") / "features.parquet"
    chosen = choose_features(log.until(log.observed_until))
    write_features(log, log.observed_until, chosen, path, horizon=models.horizon)
    return path


@pytest.fixture
def run(log: CustomerLog, models: Models, tmp_path: Path) -> Callable[..., Batch]:
    """Return what scores the log into a folder."""

    def score(to: str = "hive", source: Any = None, **options: Any) -> Batch:
        given: dict[str, Any] = {"now": NOW, "reasons": QUICK, "work": tmp_path} | options
        source = source or Records(log, log.observed_until)
        return score_batch(source, given.pop("models", models), target_of(str(tmp_path / to)), **given)

    return score


def scores_in(folder: Path) -> pd.DataFrame | None:
    """Read what any reader of the folder sees, hidden files too; None where there is nothing."""
    files = sorted(folder.rglob("*.parquet"))
    assert len(files) <= 1, files
    return pd.read_parquet(files[0]) if files else None


def same(left: pd.DataFrame | None, right: pd.DataFrame) -> None:
    assert left is not None
    assert len(set(left["scored_at"])) == 1
    columns = [name for name in right if name not in {"scored_at", "cutoff"}]
    mine, other = pd.DataFrame(left[columns]), pd.DataFrame(right[columns])
    pd.testing.assert_frame_equal(mine, other, check_exact=True, check_dtype=False)


# --- the same answers


def test_a_batch_holds_what_a_notebook_gets(
    run: Callable[..., Batch], log: CustomerLog, shop: Path, tmp_path: Path
) -> None:
    for name, reasons in (("all", AskedReasons()), ("top", AskedReasons(top_share=0.2))):
        frame = score_customers(
            log, MODELS, store=open_store(shop / "mlruns"), now=NOW, reasons_top=reasons.top_share
        ).frame
        run(f"{name}.parquet", reasons=reasons)
        written = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(written, frame, check_exact=True, check_dtype=False)
        assert list(written) == list(frame)


def test_money_that_comes_later_counts_less_where_asked(
    run: Callable[..., Batch], log: CustomerLog, models: Models, shop: Path, tmp_path: Path
) -> None:
    rate, store = 0.25, open_store(shop / "mlruns")
    half = load_models(lambda: store, MODELS, discount_rate=rate)
    assert run().manifest["discount_rate"] == 0.0
    in_full = scores_in(tmp_path / "hive")
    assert in_full is not None
    with pytest.raises(SettingsError, match=r"made of money discounted otherwise\. .*--replace"):
        run(models=half)
    assert run(models=half, replace=True).manifest["discount_rate"] == rate
    today = scores_in(tmp_path / "hive")
    assert today is not None
    bought = in_full["clv"].to_numpy() > 0.0
    share = (today["clv"] / in_full["clv"]).to_numpy()[bought]
    assert ((share < 1.0) & (share > (1.0 + rate) ** (-models.horizon / 365.25))).all()
    money = ["clv", "clv_lower", "clv_upper", "decile", "scored_at"]
    same(today.drop(columns=money).assign(scored_at=0), in_full.drop(columns=money).assign(scored_at=0))
    frame = score_customers(log, MODELS, store=store, now=NOW, discount_rate=rate, reasons=False).frame
    np.testing.assert_array_equal(frame["clv"], today["clv"])


def test_a_discount_that_cannot_be_is_refused(shop: Path) -> None:
    for rate in (-0.1, np.nan, np.inf):
        with pytest.raises(SettingsError, match="discount_rate"):
            load_models(lambda: open_store(shop / "mlruns"), MODELS, discount_rate=rate)
    with pytest.raises(SettingsError, match="habitue-churn/1 answers with no money"):
        load_models(lambda: open_store(shop / "mlruns"), MODELS[:1], discount_rate=0.1)


@pytest.mark.parametrize("reasons", [QUICK, AskedReasons(top_share=0.1), AskedReasons(at_least=0.6)])
def test_chunks_do_not_show(
    run: Callable[..., Batch], reasons: AskedReasons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("one", reasons=reasons)
    monkeypatch.setattr(score_answers, "CHUNK", 37)
    said: list[str] = []
    run("many", reasons=reasons, progress=said.append)
    assert "customers 297 to 300 of 300" in said
    whole = scores_in(tmp_path / "one")
    assert whole is not None
    same(scores_in(tmp_path / "many"), whole)


def test_a_prepared_table_gives_what_its_records_give(
    run: Callable[..., Batch], table: Path, log: CustomerLog, tmp_path: Path
) -> None:
    run("records")
    expected = scores_in(tmp_path / "records")
    assert expected is not None
    rows = pd.read_parquet(table).sample(frac=1.0, random_state=1)
    rows.to_csv(tmp_path / "shuffled.csv", index=False)
    hive = tmp_path / "known" / f"cutoff={log.observed_until}"
    hive.mkdir(parents=True)
    rows.to_parquet(hive / "part.parquet", index=False)
    for path, cutoff in ((table, log.observed_until), (hive.parent, None)):
        target = f"from-{path.stem}"
        done = run(target, Prepared.at(path, cutoff))
        same(scores_in(tmp_path / target), expected)
        assert done.key.cutoff == log.observed_until
    # Text is read back to the last digit, too.
    run("from-csv", Prepared.at(tmp_path / "shuffled.csv", log.observed_until))
    same(scores_in(tmp_path / "from-csv"), expected)


def test_an_id_like_a_formula_comes_through_a_csv_file_of_features(
    run: Callable[..., Batch], table: Path, log: CustomerLog, tmp_path: Path
) -> None:
    rows = pd.read_parquet(table)
    rows.loc[[0, 1, 2], "customer_id"] = ["=1+1", "'=2", "-3"]
    safe_cells(rows).to_csv(tmp_path / "x.csv", index=False)
    run(source=Prepared.at(tmp_path / "x.csv", log.observed_until))
    frame = scores_in(tmp_path / "hive")
    assert frame is not None
    assert set(frame["customer_id"]) == set(rows["customer_id"])


def test_a_table_that_does_not_say_its_day_is_asked_about(table: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"does not say.*--cutoff"):
        Prepared.at(table, None)
    with pytest.raises(SettingsError, match=r"There is no .*habitue features"):
        Prepared.at(tmp_path / "none.parquet", None)
    pd.DataFrame({"who": [1]}).to_csv(tmp_path / "strange.csv")
    with pytest.raises(DataError, match="no column customer_id"):
        Prepared.at(tmp_path / "strange.csv", None)


def test_who_has_no_id_is_set_aside(run: Callable[..., Batch], table: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(table)
    rows.loc[7, "customer_id"] = None
    rows.to_parquet(tmp_path / "table.parquet")
    told = run(source=Prepared.at(tmp_path / "table.parquet", date(2024, 5, 13))).manifest
    assert (told["n_rows"], told["n_quarantined"], told["n_customers"]) == (300, 1, 299)


# --- once


def test_every_row_and_the_manifest_say_where_it_comes_from(
    run: Callable[..., Batch], models: Models, tmp_path: Path
) -> None:
    done = run()
    frame = scores_in(tmp_path / "hive")
    assert frame is not None
    for prefix, one in (("", models.loaded[0]), ("clv_", models.loaded[1])):
        assert set(frame[f"{prefix}model_name"]) == {one.version.name}
        assert set(frame[f"{prefix}model_version"]) == {one.version.version}
        assert set(frame[f"{prefix}run_id"]) == {one.version.run_id}
        assert frame[f"{prefix}feature_set"].str.fullmatch("[0-9a-f]{16}").all()
    assert set(frame["scored_at"]) == {pd.Timestamp(NOW)}
    assert set(frame["horizon"]) == {models.horizon}
    told = done.manifest
    assert (told["n_rows"], told["n_quarantined"], told["n_customers"]) == (told["data"]["n_rows"], 0, 300)
    assert told["plan"]["batch"] == done.key.to_plain()
    assert told["contract"]["breaches"] == []
    assert len(told["sha256"]) == 64


def test_twice_is_once(run: Callable[..., Batch], tmp_path: Path) -> None:
    first = run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = run(now=NOW + timedelta(days=1))
    assert (first.outcome, again.outcome) == ("written", "found")
    assert again.manifest["scored_at"] == NOW.isoformat()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_records_replace_a_batch_only_when_told(
    run: Callable[..., Batch], shop: Path, tmp_path: Path
) -> None:
    run()
    orders = pd.read_csv(shop / "transactions.csv")
    fewer = read_log(orders.drop(index=3), timestamp="order_date")
    other = Records(fewer, fewer.observed_until)
    before = scores_in(tmp_path / "hive")
    with pytest.raises(SettingsError, match=r"made of other records\. It stays.*--replace"):
        run(source=other)
    assert before is not None
    same(scores_in(tmp_path / "hive"), before)
    assert run(source=other, replace=True, now=NOW + timedelta(1)).outcome == "written"
    after = scores_in(tmp_path / "hive")
    assert after is not None
    assert set(after["scored_at"]) == {pd.Timestamp(NOW + timedelta(1))}


def test_a_file_is_the_newest_batch(run: Callable[..., Batch], tmp_path: Path) -> None:
    run("s.csv")
    assert run("s.csv").outcome == "found"
    assert run("s.csv", reasons=AskedReasons()).outcome == "written"
    assert "reason_1" in pd.read_csv(tmp_path / "s.csv")


def test_a_new_version_stands_beside_the_old_one(
    run: Callable[..., Batch], shop: Path, tmp_path: Path
) -> None:
    first = run()
    newer = load_models(lambda: open_store(shop / "mlruns"), ["habitue-churn/2", "habitue-clv/1"])
    second = run(models=newer)
    assert set(target_of(str(tmp_path / "hive")).batches()) == {first.key, second.key}


def test_a_dry_run_leaves_nothing(run: Callable[..., Batch], tmp_path: Path) -> None:
    tried = run(dry_run=True)
    assert (tried.outcome, tried.manifest["n_customers"]) == ("tried", 300)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# --- the contract


def test_a_breach_stops_the_job_or_is_told(run: Callable[..., Batch], table: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(table)
    money = [name for name in rows if name.startswith("spend") or name == "monetary_value"]
    rows[money] *= 1000.0
    rows.to_parquet(tmp_path / "cents.parquet")
    cents = Prepared.at(tmp_path / "cents.parquet", date(2024, 5, 13))
    with pytest.raises(DataError, match=r"habitue-clv/1: .*Nothing was scored.*--allow-breaches"):
        run(source=cents)
    assert scores_in(tmp_path / "hive") is None
    told = run(source=cents, allow_breaches=True).manifest
    assert told["breaches_allowed"]
    assert any("monetary_value" in sentence for sentence in told["contract"]["breaches"])


# --- killed, crowded out, alone


def start(action: Callable[[], object]) -> int:
    """Run something in a child, which ends at once after it: 0 done, 7 unavailable, 1 otherwise."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except UnavailableError:
            code = 7
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """Return the exit code of a child, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def undisturbed(run: Callable[..., Batch], table: Path, tmp_path: Path) -> tuple[pd.DataFrame, float]:
    """Return the batch as a child makes it that nobody disturbs, and its seconds."""
    began = time.monotonic()
    assert ended(start(lambda: run("alone", Prepared.at(table, date(2024, 5, 13))))) == 0
    frame = scores_in(tmp_path / "alone")
    assert frame is not None
    return frame, time.monotonic() - began


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_answers, "CHUNK", 40)


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("reasons", [QUICK, AskedReasons(top_share=0.1)])
def test_killed_at_any_moment_nothing_is_lost_doubled_or_half(
    run: Callable[..., Batch], table: Path, undisturbed: tuple[pd.DataFrame, float], tmp_path: Path,
    reasons: AskedReasons,
) -> None:  # fmt: skip
    expected, seconds = undisturbed
    rng, folder, n_whole = np.random.default_rng(6), tmp_path / "hive", 0
    expected = expected if reasons is QUICK else _explained(run, table, reasons, tmp_path)

    # The clock goes back from run to run.
    moments = (NOW - timedelta(hours=hours) for hours in itertools.count())

    def score() -> Batch:
        return run(source=Prepared.at(table, date(2024, 5, 13)), now=next(moments), reasons=reasons)

    for _ in range(N_KILLS // 2):
        next(moments)
        child = start(score)
        time.sleep(rng.uniform(0.0, 1.1 * seconds))
        os.kill(child, signal.SIGKILL)
        assert ended(child) in {0, -signal.SIGKILL}
        if (seen := scores_in(folder)) is not None:
            same(seen, expected)
            n_whole += 1
            shutil.rmtree(folder)
    done = score()
    same(scores_in(folder), expected)
    assert done.manifest["n_customers"] == len(expected) == expected["customer_id"].nunique()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".habitue")] == []
    assert n_whole < N_KILLS // 2


def _explained(run: Callable[..., Batch], table: Path, reasons: AskedReasons, folder: Path) -> pd.DataFrame:
    run("told", Prepared.at(table, date(2024, 5, 13)), reasons=reasons)
    frame = scores_in(folder / "told")
    assert frame is not None
    return frame


@pytest.mark.usefixtures("small_chunks")
def test_a_run_goes_on_where_another_stopped(run: Callable[..., Batch], tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("customers 161 "):
            raise StoppedError

    with pytest.raises(StoppedError):
        run(progress=stop)
    (place,) = tmp_path.glob(".habitue-*")
    kept = {path: path.stat().st_mtime_ns for path in place.glob("answers-*")}
    assert len(kept) == 4
    with pytest.raises(StoppedError):
        run(progress=stop)
    assert {path: path.stat().st_mtime_ns for path in place.glob("answers-*")} == kept
    later = run(now=NOW + timedelta(days=2))
    assert later.manifest["scored_at"] == NOW.isoformat()
    assert not place.exists()
    # With another plan it begins anew.
    with pytest.raises(StoppedError):
        run("other", progress=stop)
    assert (
        run("other", reasons=AskedReasons(at_least=0.5), now=NOW + timedelta(1)).manifest["scored_at"]
        == (NOW + timedelta(1)).isoformat()
    )


def test_what_a_killed_run_left_of_an_earlier_day_is_swept(run: Callable[..., Batch], tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("customers"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop, source=Records(_log_of(run), date(2024, 4, 1)))
    assert len(list(tmp_path.glob(".habitue-*"))) == 1
    run()
    assert list(tmp_path.glob(".habitue-*")) == []


def _log_of(run: Callable[..., Batch]) -> CustomerLog:
    return next(
        cell.cell_contents for cell in run.__closure__ or () if isinstance(cell.cell_contents, CustomerLog)
    )


def test_two_jobs_at_one_batch(run: Callable[..., Batch], tmp_path: Path) -> None:
    def hold(line: str) -> None:
        if line.startswith("customers"):
            (tmp_path / "holding").touch()
            time.sleep(60)

    child = start(lambda: run(progress=hold))
    while not (tmp_path / "holding").exists():
        time.sleep(0.01)
    with pytest.raises(UnavailableError, match=r"Another job is at habitue-churn/1.*--wait"):
        run()
    waiting = start(lambda: run(wait=30.0))
    time.sleep(0.2)
    assert scores_in(tmp_path / "hive") is None
    os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    assert ended(waiting) == 0
    assert run().outcome == "found"


def test_a_lock_is_free_again_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        with locked(path, what="it"):
            assert path.exists()
            with pytest.raises(UnavailableError), locked(path, what="it"):
                pass
        assert not path.exists()


@pytest.mark.slow
def test_however_little_room_there_is_a_batch_is_whole_or_put_off(
    run: Callable[..., Batch], table: Path, tmp_path: Path
) -> None:
    def cramped(n_bytes: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
        run(source=Prepared.at(table, date(2024, 5, 13)))

    codes: list[int] = []
    for n_bytes in (100, 1_000, 20_000, 30_000, 100_000, 1 << 24):
        codes.append(ended(start(lambda: cramped(n_bytes))))  # noqa: B023 - called at once
        assert (scores_in(tmp_path / "hive") is not None) == (codes[-1] == 0)
    assert set(codes[:-1]) <= {0, 7}
    assert codes[0] == 7
    assert codes[-1] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount")
def test_a_full_disk_is_told_and_gone_on_with_when_there_is_room(
    run: Callable[..., Batch], table: Path, small_disk: Path
) -> None:
    ask: dict[str, Any] = {"source": Prepared.at(table, date(2024, 5, 13)), "work": small_disk}
    with pytest.raises(UnavailableError, match="room"):
        run(small_disk / "hive", **ask)
    assert scores_in(small_disk / "hive") is None
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert run(small_disk / "hive", **ask, now=NOW + timedelta(1)).outcome == "written"
    frame = scores_in(small_disk / "hive")
    assert frame is not None
    run("usual", ask["source"])
    usual = scores_in(small_disk.parent / "usual")
    assert usual is not None
    same(frame, usual)


def test_a_registry_that_does_not_answer(
    run: Callable[..., Batch], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    cache = tmp_path / "cache"
    load_models(lambda: open_store(shop / "mlruns"), MODELS, cache=cache)
    nobody: Any = lambda: open_store("http://127.0.0.1:9")  # noqa: E731
    with pytest.raises(UnavailableError):
        load_models(nobody, MODELS, cache=cache)
    kept = load_models(nobody, MODELS, cache=cache, allow_cached=True)
    run("usual")
    told = run("kept", models=kept).manifest
    assert [one["from_cache"] for one in told["models"]] == [True, True]
    usual = scores_in(tmp_path / "usual")
    assert usual is not None
    same(scores_in(tmp_path / "kept"), usual)
