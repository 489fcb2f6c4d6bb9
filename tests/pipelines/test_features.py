"""`habitue features`: the matrix is what `take_snapshot` gives, and every column of it is explained."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import sqlglot

import habitue as hb
from habitue.errors import SettingsError
from habitue.features import LITERATURE
from habitue.pipelines.features import choose_features, feature_sql, write_features
from habitue.records.dialects import DIALECTS

CUTOFF = "1997-09-30"


@pytest.fixture(scope="module")
def log():
    return hb.datasets.cdnow(sample=True)


@pytest.fixture
def shop(tmp_path, command):
    rows = ["customer_id,timestamp,amount"]
    rows += [f"{n % 7},2024-{1 + n % 12:02d}-{1 + n % 28:02d},{n}.50" for n in range(60)]
    (tmp_path / "shop.csv").write_text("\n".join(rows))
    assert command(tmp_path, "init", "shop.csv").code == 0
    return tmp_path


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_the_matrix_is_the_snapshot(log, tmp_path, name):
    history = log.until(CUTOFF)
    written = write_features(log, history.cutoff, choose_features(history), tmp_path / name, horizon=91)
    read = pd.read_parquet if name.endswith("parquet") else pd.read_csv
    found = read(written.path).set_index("customer_id")
    X = hb.take_snapshot(log, hb.Window(CUTOFF, horizon=91)).X
    pd.testing.assert_frame_equal(found.astype("float64"), X, check_exact=name.endswith("parquet"))
    assert (written.n_customers, written.n_features) == X.shape
    told = pd.read_csv(written.dictionary)
    assert list(told["name"]) == list(X.columns)
    assert told[["meaning", "pillar", "records", "sql", "expected"]].notna().all().all()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["x.dictionary.csv", name])


def test_features_by_name_and_by_pillar(log):
    history = log.until(CUTOFF)
    four = [one.name for one in LITERATURE]
    assert [one.name for one in choose_features(history, names=["gap_mean"])] == [*four, "gap_mean"]
    habit = choose_features(history, pillars=["habit"])
    assert {one.pillar.value for one in habit if one not in LITERATURE} == {"habit"}
    assert "gap_mean" in [one.name for one in habit]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"names": ["gap_meen"]}, "There is no feature gap_meen; `habitue features --list` shows all"),
        ({"pillars": ["luck"]}, "There is no pillar luck; known are activity, satisfaction"),
        ({"names": ["nps_last"]}, "The log's records do not allow nps_last"),
    ],
)
def test_what_cannot_be_had_is_refused(log, asked, told):
    with pytest.raises(SettingsError, match=told):
        choose_features(log.until(CUTOFF), **asked)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_statement_is_one_query_without_open_ends(log, dialect):
    history = log.until(CUTOFF)
    sql = feature_sql(history, choose_features(history), dialect, horizon=91)
    assert isinstance(sqlglot.parse_one(sql, dialect=dialect), sqlglot.exp.Select)
    assert "$cutoff" not in sql
    assert CUTOFF in sql


def test_a_file_of_another_sort_is_refused(log, tmp_path):
    history = log.until(CUTOFF)
    with pytest.raises(SettingsError, match=r"x\.xls is neither \.parquet nor \.csv"):
        write_features(log, history.cutoff, LITERATURE, tmp_path / "x.xls", horizon=91)


def test_the_command(shop, command):
    told = command(shop, "features", "--cutoff", "2024-10-01", "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert (answer["n_customers"], answer["cutoff"]) == (7, "2024-10-01")
    assert len(pd.read_parquet(shop / answer["path"])) == 7
    listed = command(shop, "features", "--list")
    assert "inactivity" in listed.out
    assert "Days since the last purchase." in listed.out
    printed = command(shop, "features", "--pillar", "habit", "--sql", "spark")
    assert printed.out.startswith("WITH `transactions` AS (")
    refused = command(shop, "features", "--sql", "oracle")
    assert refused.code == 4
    assert "There is no dialect 'oracle'; known are duckdb, spark" in refused.err


def test_privacy_at_the_command_line(shop, command, monkeypatch):
    monkeypatch.setenv("HABITUE_KEY", "a key of more than sixteen letters")
    told = command(shop, "pseudonymise", "shop.csv", "--id-column", "customer_id", "--output", "safe.csv")
    assert told.code == 0, told.err

    names = set(pd.read_csv(shop / "safe.csv")["customer_id"])
    assert len(names) == 7
    assert all(len(name) == 32 for name in names)
    assert command(shop, "features", "--output", "x.csv").code == 0
    gone = command(shop, "forget", "3", "--file", "x.csv")
    assert gone.code == 0, gone.err
    assert 3 not in set(pd.read_csv(shop / "x.csv")["customer_id"])
