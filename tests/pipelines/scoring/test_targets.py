"""Targets of a batch: whatever it is written to, it is there whole or not at all, and once."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError, UnavailableError
from habitue.pipelines.scoring.targets import BatchKey, Target, key_of, read_batches, target_of

KEY = BatchKey(date(2024, 12, 31), 91, (("habitue-churn", 3), ("habitue-clv", 2)))
NEWER = BatchKey(date(2024, 12, 31), 91, (("habitue-churn", 4), ("habitue-clv", 2)))
LATER = BatchKey(date(2025, 1, 31), 91, (("habitue-churn", 4), ("habitue-clv", 2)))
KINDS = ("hive", "parquet", "csv", "duckdb", "postgres")
SEVERAL = ("hive", "duckdb", "postgres")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

Make = Callable[[str], Target]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a target of each kind; nothing is there yet."""

    def made(kind: str) -> Target:
        if kind == "postgres":
            server = request.getfixturevalue("postgres")
            monkeypatch.setenv("PGPASSWORD", "s3cr3t%word")
            table = f't"{abs(hash(str(tmp_path)))}'
            return target_of(f"postgresql://habitue@/postgres?host={server.socket}&port=54329&table={table}")
        name = {"hive": "scores", "duckdb": "scores.duckdb"}.get(kind, f"scores.{kind}")
        return target_of(str(tmp_path / name))

    return made


def parts(key: BatchKey, n: int = 6, *, rows: int = 50, **more: Any) -> list[pa.RecordBatch]:
    """Return what a batch may hold: every type, missing values, odd text."""
    rng = np.random.default_rng(key.horizon)
    found: list[pa.RecordBatch] = []
    for i in range(n):
        clv = rng.gamma(2.0, 50.0, rows)
        clv[0] = np.nan
        columns = {
            "customer_id": pa.array([f"c{i}-{j}ü'" for j in range(rows)]),
            "cutoff": pa.array([key.cutoff] * rows),
            "horizon": pa.array([key.horizon] * rows, pa.int64()),
            "churn_probability": pa.array(rng.uniform(size=rows)),
            "clv": pa.array(clv, from_pandas=True),
            "decile": pa.array([None, *[j % 10 + 1 for j in range(1, rows)]], pa.int64()),
            "reason_1": pa.array(["", None, *["last bought 9 days ago"] * (rows - 2)]),
            "scored_at": pa.array([datetime(2025, 1, 1, 3, 4, 5, 678, UTC)] * rows),
        }
        columns |= {name: pa.array([value] * rows) for name, value in more.items()}
        found.append(pa.RecordBatch.from_pydict(columns))
    return found


def write(
    target: Target, key: BatchKey, batches: list[pa.RecordBatch], *, replace: bool = False
) -> dict[str, Any]:
    return target.write(key, iter(batches), batches[0].schema, {"why": "a test"}, replace=replace)


def same(found: pd.DataFrame, batches: list[pa.RecordBatch]) -> bool:
    """Whether what was read back is what was written, up to the types of the format."""
    expected = pa.Table.from_batches(batches).to_pandas()
    found = found.loc[:, list(expected.columns)]
    for name in ("cutoff", "scored_at"):
        found = found.assign(**{name: pd.to_datetime(found[name], utc=True)})
        expected[name] = pd.to_datetime(expected[name], utc=True)
    both = [frame.sort_values("customer_id", ignore_index=True) for frame in (found, expected)]
    for frame in both:
        frame["reason_1"] = frame["reason_1"].fillna("")
    pd.testing.assert_frame_equal(*both, check_dtype=False)
    return True


# --- laws of all targets


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_comes_back_as_it_was_written(make: Make, kind: str) -> None:
    target, batches = make(kind), parts(KEY)
    target.check()
    assert target.finished(KEY) is None
    assert target.batches() == []
    manifest = write(target, KEY, batches)
    assert manifest["why"] == "a test"
    assert key_of(manifest) == KEY
    assert manifest.get("sha256") or manifest["content"]
    assert make(kind).finished(KEY) == manifest
    assert make(kind).batches() == [KEY]
    assert same(target.read(KEY), batches)
    few = target.read(KEY, ["clv", "not there", "customer_id"])
    assert list(few.columns) == ["clv", "customer_id"]
    assert target.read(KEY, ["not there"]).shape == (300, 0)
    assert target.finished(NEWER) is None
    with pytest.raises(DataError, match="habitue score"):
        target.read(NEWER)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_batch_is_not_written_twice_unless_it_replaces(make: Make, kind: str) -> None:
    target = make(kind)
    first = write(target, KEY, parts(KEY))
    with pytest.raises(UnavailableError, match="another job"):
        write(target, KEY, parts(KEY, 2))
    assert target.finished(KEY) == first
    second = write(target, KEY, parts(KEY, 2), replace=True)
    assert second != first
    assert target.batches() == [KEY]
    assert same(target.read(KEY), parts(KEY, 2))


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_new_version_stands_beside_the_old_one(make: Make, kind: str) -> None:
    target = make(kind)
    for key, batches in ((LATER, parts(LATER)), (KEY, parts(KEY)), (NEWER, parts(NEWER, p_alive=0.5))):
        write(target, key, batches)
    assert target.batches() == [KEY, NEWER, LATER]
    assert same(target.read(KEY), parts(KEY))
    assert set(target.read(NEWER)) - set(target.read(KEY)) == {"p_alive"}
    read = dict(read_batches(target, model="habitue-clv", columns=["clv"]))
    assert list(read) == [KEY, NEWER, LATER]
    assert dict(read_batches(target, model="another")) == {}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_single_file_holds_the_newest_batch(make: Make, kind: str) -> None:
    target = make(kind)
    for key in (KEY, LATER):
        write(target, key, parts(key))
    assert target.batches() == [LATER]
    assert target.finished(KEY) is None


class BrokenError(Exception):
    """What went wrong while customers were answered."""


@pytest.mark.parametrize("kind", [*KINDS[:-1], pytest.param("postgres", marks=pytest.mark.slow)])
def test_no_reader_sees_half_a_batch_and_none_is_left(make: Make, kind: str, tmp_path: Path) -> None:
    target = make(kind)
    old, new = parts(KEY, 2), parts(KEY)

    def slowly(break_at: int | None, *, old_is_there: bool) -> Iterator[pa.RecordBatch]:
        for i, part in enumerate(new):
            reader = make(kind)
            assert reader.batches() == ([KEY] if old_is_there else [])
            assert not old_is_there or same(reader.read(KEY), old)
            if i == break_at:
                raise BrokenError
            yield part

    for replace in (False, True):
        if replace:
            write(target, KEY, old)
        for break_at in (0, 4):
            with pytest.raises(BrokenError):
                target.write(KEY, slowly(break_at, old_is_there=replace), new[0].schema, {}, replace=replace)
        assert target.batches() == ([KEY] if replace else [])
    target.write(KEY, slowly(None, old_is_there=True), new[0].schema, {}, replace=True)
    assert same(target.read(KEY), new)
    assert not list(tmp_path.rglob("*.part"))


def _write_and_hang(target: Target, batches: list[pa.RecordBatch], at: int, told: Any) -> None:
    def hanging() -> Iterator[pa.RecordBatch]:
        for i, part in enumerate(batches):
            if i == at:
                told.send("here")
                signal.pause()
            yield part

    target.write(KEY, hanging(), batches[0].schema, {}, replace=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [0, 5])
def test_a_killed_writer_leaves_nothing_and_the_next_one_is_whole(
    make: Make, kind: str, at: int, tmp_path: Path
) -> None:
    target, batches = make(kind), parts(KEY, rows=3_000)
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=_write_and_hang, args=(target, batches, at, there))
    writer.start()
    assert here.poll(30)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    assert target.batches() == []
    assert target.finished(KEY) is None
    write(target, KEY, batches)
    assert same(target.read(KEY), batches)
    assert not list(tmp_path.rglob("*.part"))


# --- names


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_no_name_of_a_model_becomes_a_path(one: str, other: str) -> None:
    first, second = (BatchKey(date(2024, 12, 31), 91, ((name, 1),)) for name in (one, other))
    assert set(first.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+~")
    assert len(f"_{first.name}.manifest.json") < 200
    assert (first.name == second.name) == (one == other)


@pytest.mark.parametrize("kind", SEVERAL)
@pytest.mark.parametrize("name", ["../../etc/x", "a'; DROP TABLE scores; --", 'b"c', "*", "ü" * 200])
def test_a_model_may_be_called_anything(make: Make, kind: str, name: str, tmp_path: Path) -> None:
    key = BatchKey(KEY.cutoff, 91, ((name, 1),))
    target, batches = make(kind), parts(key, 1, model_name=name)
    write(target, key, batches)
    assert target.batches() == [key]
    assert same(target.read(key), batches)
    assert {path.name for path in tmp_path.iterdir()} <= {"scores", "scores.duckdb"}


def test_the_order_of_models_makes_no_other_batch() -> None:
    assert BatchKey(KEY.cutoff, 91, KEY.models[::-1]) == KEY


@pytest.mark.parametrize(
    "text",
    ["scores.xlsx", "", "s3://bucket/scores", "mysql://ann:s3cret@host/x", "duckdb://", "postgresql://h:x/y"],
)
def test_what_is_no_target_is_told(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        target_of(text)
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "a.parquet").mkdir()
    (tmp_path / "a.duckdb").mkdir()
    for name in ("file", "file/beneath", "a.parquet", "a.duckdb"):
        with pytest.raises(SettingsError):
            target_of(str(tmp_path / name)).check()


# --- files


def test_every_reader_finds_the_cutoff_in_the_path(make: Make, tmp_path: Path) -> None:
    target = make("hive")
    write(target, KEY, parts(KEY))
    write(target, LATER, parts(LATER))
    folder, days = tmp_path / "scores", ["2024-12-31", "2025-01-31"]
    assert sorted(pd.read_parquet(folder)["cutoff"].unique()) == days
    assert sorted(ds.dataset(folder, partitioning="hive").to_table()["cutoff"].unique().to_pylist()) == days
    asked = duckdb.sql(f"SELECT DISTINCT cutoff FROM '{folder}/*/*.parquet' ORDER BY 1").fetchall()
    assert asked == [(KEY.cutoff,), (LATER.cutoff,)]
    found = pl.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True)
    assert found.select("cutoff").unique().sort("cutoff").collect()["cutoff"].to_list() == [
        KEY.cutoff,
        LATER.cutoff,
    ]


def test_a_file_alone_tells_that_it_is_whole(make: Make, tmp_path: Path) -> None:
    """A run that was killed after the file took its name, and before its sidecar was written."""
    target = make("hive")
    manifest = write(target, KEY, parts(KEY))
    (sidecar,) = tmp_path.rglob("*.json")
    sidecar.unlink()
    assert target.finished(KEY) == manifest
    assert json.loads(sidecar.read_text(encoding="utf-8")) == manifest
    old = sidecar.read_text(encoding="utf-8")
    newer = write(target, KEY, parts(KEY, 2), replace=True)
    sidecar.write_text(old.replace("a test", "another"), encoding="utf-8")
    assert target.finished(KEY) == newer


@pytest.mark.parametrize("kind", ["hive", "parquet", "csv"])
def test_a_damaged_file_is_no_finished_batch(make: Make, kind: str, tmp_path: Path) -> None:
    target, batches = make(kind), parts(KEY)
    write(target, KEY, batches)
    (path,) = (one for one in tmp_path.rglob("*.*") if one.suffix in {".parquet", ".csv"})
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert target.finished(KEY) is None
    write(target, KEY, batches)
    assert same(target.read(KEY), batches)


def test_small_parts_share_groups_of_rows(make: Make, tmp_path: Path) -> None:
    write(make("parquet"), KEY, parts(KEY, 30))
    assert pq.read_metadata(tmp_path / "scores.parquet").num_row_groups == 1


def test_a_spreadsheet_runs_nothing(make: Make, tmp_path: Path) -> None:
    (one,) = parts(KEY, 1, rows=3, delta="-12.5")
    texts = ["=1+1", "'s Gravenhage", '@x,"y"']
    one = one.append_column("segment", pa.array(texts))
    write(make("csv"), KEY, [one])
    table = pd.read_csv(tmp_path / "scores.csv", dtype=str)
    assert table["segment"].tolist() == ["'=1+1", "'s Gravenhage", "'" + texts[2]]
    assert table["delta"].tolist() == ["-12.5"] * 3
    assert make("csv").read(KEY)["segment"].tolist() == texts


def _write_little(target: Target, told: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        write(target, KEY, parts(KEY, rows=20_000))
    except UnavailableError as error:
        told.send(str(error))


@pytest.mark.parametrize("kind", ["hive", "csv", "duckdb"])
def test_a_full_disk_leaves_nothing(make: Make, kind: str) -> None:
    """A limit on the size of files stands in for the disk: the system refuses to write on either way."""
    target = make(kind)
    here, there = multiprocessing.Pipe(duplex=False)
    writer = multiprocessing.get_context("fork").Process(target=_write_little, args=(target, there))
    writer.start()
    writer.join(30)
    assert here.poll(0)
    assert "nothing of the batch is there" in here.recv().lower()
    assert target.batches() == []
    write(target, KEY, parts(KEY))
    assert target.batches() == [KEY]


# --- DuckDB


def test_a_duckdb_file_that_another_process_holds_is_waited_for(make: Make, tmp_path: Path) -> None:
    target: Any = make("duckdb")
    write(target, KEY, parts(KEY))
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "scores.duckdb")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    hasty = type(target)(target.path, patience=0.3)
    for ask in (hasty.check, hasty.batches, lambda: write(hasty, NEWER, parts(NEWER))):
        with pytest.raises(UnavailableError, match="another process"):
            ask()
    let_go = threading.Timer(0.5, lambda: holder.communicate("\n"))
    let_go.start()
    write(target, NEWER, parts(NEWER))
    let_go.join()
    assert target.batches() == [KEY, NEWER]


def test_somebody_elses_table_is_left_alone(make: Make, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "scores.duckdb")) as database:
        database.execute("CREATE TABLE scores AS SELECT 1 AS team")
    for ask in (make("duckdb").check, lambda: write(make("duckdb"), KEY, parts(KEY))):
        with pytest.raises(SettingsError, match="not made by"):
            ask()
    (tmp_path / "scores.duckdb").write_text("no database at all" * 1000)
    with pytest.raises(SettingsError, match="DuckDB"):
        make("duckdb").check()


# --- Postgres


def test_a_password_in_the_address_is_refused_and_never_told(postgres: Any) -> None:
    for address in (postgres.url, "postgresql://h/db?password=s3cr3t", "postgresql://a:s3cr3t@h/db?table=x"):
        with pytest.raises(SettingsError, match="PGPASSWORD") as caught:
            target_of(address)
        assert "s3cr3t" not in str(caught.value)


def test_no_secret_is_in_messages_labels_or_manifests(
    make: Make, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target: Any = make("postgres")
    told = [target.label, json.dumps(write(target, KEY, parts(KEY, 1)))]
    for old, new in (
        ("habitue@", "nobody@"),
        ("54329", "1"),
        ("/postgres?", "/nowhere?"),
        ("port=", "pork="),
    ):
        with pytest.raises((SettingsError, UnavailableError)) as caught:
            target_of(target.address.replace(old, new)).check()
        told += [str(caught.value), str(caught.value.__cause__)]
    monkeypatch.setenv("PGPASSWORD", "wr0ng-s3cr3t")
    with pytest.raises(SettingsError, match="authentication") as caught:
        target.check()
    assert "s3cr3t" not in "".join([*told, str(caught.value)])


def test_a_passfile_serves_as_well(
    make: Make, postgres: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target: Any = make("postgres")
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:habitue:s3cr3t%word\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    target.check()
    monkeypatch.delenv("PGPASSFILE")
    with pytest.raises(SettingsError, match="password"):
        target.check()
    target_of(f"{target.address}&passfile={passfile}").check()


def test_two_jobs_make_one_batch(make: Make, postgres: Any) -> None:
    target, batches = make("postgres"), parts(KEY)

    def watched() -> Iterator[pa.RecordBatch]:
        with pytest.raises(UnavailableError, match="Another job is writing"):
            write(make("postgres"), KEY, batches)
        write(make("postgres"), NEWER, batches)  # another batch is not kept waiting
        yield from batches

    target.write(KEY, watched(), batches[0].schema, {}, replace=False)
    assert target.batches() == [KEY, NEWER]
    assert same(target.read(KEY), batches)


def test_a_table_of_other_columns_or_types_is_left_alone(make: Make, postgres: Any) -> None:
    from adbc_driver_postgresql import dbapi

    target: Any = make("postgres")
    name = '"' + target.table.replace('"', '""') + '"'
    for columns, told in (("team int", "not made by"), ("batch text, cutoff date, clv int", "'clv'")):
        with dbapi.connect(postgres.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            cursor.execute(f"CREATE TABLE {name} ({columns})")
            connection.commit()
        with pytest.raises(SettingsError, match=told):
            write(target, KEY, parts(KEY))
    with pytest.raises(SettingsError, match="no schema"):
        target_of(f"{target.address}&schema=nowhere").check()
    with pytest.raises(SettingsError, match="bytes"):
        target_of(f"{target.address}&table={'x' * 60}")


def pg_ctl(postgres: Any, *action: object) -> None:
    """Stop or start the server."""
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    program, data = "/usr/lib/postgresql/15/bin/pg_ctl", postgres.socket / "data"
    command = [*runner, program, "-D", data, "-w", *action]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 3, "after the last"])
def test_a_database_that_goes_away_keeps_nothing_of_a_batch(make: Make, postgres: Any, at: int | str) -> None:
    target, batches = make("postgres"), parts(KEY, rows=5_000)
    options = f"-k {postgres.socket} -c listen_addresses='' -p 54329 -c fsync=off"

    def stopping() -> Iterator[pa.RecordBatch]:
        for i, part in enumerate(batches):
            if i == at:
                pg_ctl(postgres, "-m", "immediate", "stop")
            yield part
        if at == "after the last":
            pg_ctl(postgres, "-m", "immediate", "stop")

    try:
        with pytest.raises(UnavailableError, match="nothing of the batch is there") as caught:
            target.write(KEY, stopping(), batches[0].schema, {}, replace=False)
        with pytest.raises(UnavailableError):
            target.check()
    finally:
        pg_ctl(postgres, "-l", postgres.socket / "log", "-o", options, "start")
    assert "s3cr3t" not in str(caught.value)
    assert target.batches() == []
    assert target.finished(KEY) is None
    write(target, KEY, batches)
    assert same(target.read(KEY), batches)
    assert target.batches() == [KEY]
