"""Forgetting: afterwards no byte of what is stored names the customer, and all the rest is as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.models import BGNBD, BTYDChurnClassifier, ChurnAnswers
from habitue.pipelines.examine import write_quarantine
from habitue.pipelines.forget import Forgotten, forget
from habitue.pipelines.scoring.files import sidecar_of
from habitue.pipelines.scoring.in_memory import Scored, write_scores
from habitue.pipelines.scoring.targets import BatchKey
from habitue.pipelines.scoring.targets_files import HiveTarget
from habitue.pipelines.scoring.work import lock_of, locked
from habitue.pipelines.settings import read_settings
from habitue.pipelines.tell import tell
from habitue.records import DuckDBEngine, read_log
from habitue.records.pseudonyms import pseudonym
from habitue.tracking import Store, load, log_training, open_store, resolve
from habitue.tracking.registry import CHECKSUMS_TAG
from habitue.tracking.verification import verify

WHO = "customer-forgetme-77"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
KEY = b"a key of the test, kept nowhere"
TOML = """
scores = "out/scores.parquet"
report = "out/report.html"
horizon = 30
[data]
source = "orders.csv"
customer_id = "Kunde"
timestamp = "day"
"""


def base(names: list[str]) -> pd.DataFrame:
    """Histories of customers, as a snapshot has them."""
    rng = np.random.default_rng(5)
    n = len(names)
    T = rng.integers(60, 200, n).astype(float)
    frequency = rng.poisson(2.0, n).astype(float)
    recency = np.where(frequency > 0, np.round(T * rng.uniform(0.2, 0.9, n)), 0.0)
    index = pd.Index(names, name="customer_id")
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T}, index=index)


def write_orders(folder: Path, names: list[str]) -> None:
    """Orders of everybody; of the one to be forgotten also rows that the door sets aside."""
    sound = [f"{who},2024-01-0{n % 9 + 1},{n}.5" for n, who in enumerate(names)]
    broken = [f"{WHO},not a day,1", f"{WHO},2024-01-02,3,one value too many", f"{names[1]},neither,2"]
    (folder / "orders.csv").write_text("\n".join(["Kunde,day,amount", *sound, *broken]) + "\n")


def train(store: Store, X: pd.DataFrame) -> str:
    """Register a model, and log a run that kept customers' rows; return the first run."""
    fitted = BGNBD(penalizer=0.01).fit(X)
    steady = BGNBD(penalizer=0.01)
    classifier = BTYDChurnClassifier(purchases=steady, horizon=30).fit(X, np.arange(len(X)) % 2)
    answers = ChurnAnswers(classifier=classifier, purchases=fitted, horizon=30)
    told: dict[str, Any] = {"experiment": "churn", "params": {}, "metrics": {"auc": 0.7}}
    rows = X.reset_index()
    log_training(store, run_name="by hand", tables={"customers": rows}, **told)
    example = X.head(3).reset_index(drop=True)
    logged = log_training(
        store, run_name="bg", model=answers, registered_name="habitue-churn", input_example=example, **told
    )
    return logged.run_id


def scored(store: Store, X: pd.DataFrame, run_id: str) -> Scored:
    answers = load(store, resolve(store, "habitue-churn/1")).predict(X)
    extra = {"cutoff": NOW.date(), "horizon": 30, "scored_at": pd.Timestamp(NOW), "run_id": run_id}
    model = {"role": "churn", "name": "habitue-churn", "version": 1, "run_id": run_id, "label": "bg"}
    data = {"source": "orders.csv", "n_rows": 60, "n_admitted": 60, "quarantined": {}, "notes": []}
    manifest = {
        "cutoff": "2024-06-01",
        "horizon": 30,
        "n_customers": len(X),
        "first_day": "2024-01-01",
        "observed_until": "2024-06-01",
        "data": data,
        "models": [{**model, "why": "", "interval": None}],
    }
    return Scored(answers.assign(**extra).reset_index(), manifest)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path) -> Path:
    """A project in which everything that habitue writes names the customer."""
    folder = tmp_path_factory.mktemp("made")
    names = [f"customer-stays-{n:02d}" for n in range(59)]
    names.insert(30, WHO)
    X = base(names)
    (folder / "habitue.toml").write_text(TOML)
    (folder / "mlruns").mkdir()
    shutil.copy(mlflow_home, folder / "mlruns" / "mlflow.db")
    store = open_store(folder / "mlruns")
    one = scored(store, X, train(store, X))
    for name in ("scores.parquet", "older.csv"):
        write_scores(one, folder / "out" / name)
    tell(folder / "out/scores.parquet", folder / "out/report.html", store=store, money="", title="t", now=NOW)
    write_orders(folder, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        log = read_log(folder / "orders.csv", customer_id="Kunde", timestamp="day")
    write_quarantine(log, folder / "set-aside.csv")
    rows = {"cutoff": NOW.date(), "target": "churned", "model": "bg", "prediction": 0.5, "outcome": 1.0}
    X.reset_index()[["customer_id"]].assign(**rows).to_parquet(folder / "tested.parquet")
    X.to_parquet(folder / "features.parquet")
    (folder / "features.dictionary.csv").write_text("name,meaning\nT,days known\n")
    (folder / "mine.csv").write_text(f"customer_id,note\n{WHO},a table of mine\n")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def forgotten(project: Path, *ids: str, **options: Any) -> Forgotten:
    return forget(ids or (WHO,), settings=project / "habitue.toml", **options)


def naming(folder: Path, who: str = WHO) -> set[str]:
    """Files that name a customer: in their bytes, or in what Parquet has packed."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            if path.suffix == ".parquet":
                text += pq.read_table(path).to_pandas().to_csv().encode()
            found |= {str(path.relative_to(folder))} if who.encode() in text else set()
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MINE = {"orders.csv", "mine.csv"}


def test_afterwards_nothing_stored_names_the_customer(project: Path) -> None:
    before = naming(project)
    assert len(before - MINE) == 7
    done = forgotten(project)
    assert {str(one.path.relative_to(project)) for one in done.found} == before - MINE
    assert naming(project) == MINE
    told = {one.what: (one.n_rows, one.action) for one in done.found}
    assert told == {
        "scores": (1, "rows removed"),
        "predictions of a backtest": (1, "rows removed"),
        "rows set aside": (2, "rows removed"),
        "features": (1, "rows removed"),
        "report": (0, "file deleted"),
        "table of an MLflow run": (1, "rows removed"),
    }


def test_everybody_else_is_as_before(project: Path, made: Path) -> None:
    forgotten(project)
    for path in [*project.rglob("*.parquet"), *project.rglob("*.csv")]:
        if str(path.relative_to(project)) not in MINE:
            read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
            old, new = (read(folder / path.relative_to(project)) for folder in (made, project))
            old, new = old.reset_index(), new.reset_index()  # the features' index holds the ids
            column = next(name for name in ("raw", "customer_id", old.columns[-1]) if name in old)
            kept = old[~old[column].astype(str).str.contains(WHO)].reset_index(drop=True)
            pd.testing.assert_frame_equal(
                new.drop(columns="index", errors="ignore"), kept.drop(columns="index", errors="ignore")
            )
    assert "customer-stays-01" in (project / "set-aside.csv").read_text()
    kept_lines = [
        line for line in (made / "out/older.csv").read_bytes().splitlines(True) if WHO.encode() not in line
    ]
    assert (project / "out/older.csv").read_bytes() == b"".join(kept_lines)


def test_scores_manifest_and_report_fit_together_again(project: Path) -> None:
    forgotten(project)
    manifest = json.loads(sidecar_of(project / "out/scores.parquet").read_text())
    assert (manifest["n_customers"], manifest["forgotten"]) == (59, 1)
    assert "forgetting" not in manifest
    store = open_store(project / "mlruns")
    page = project / "out/report.html"
    assert not page.exists()
    tell(project / "out/scores.parquet", page, store=store, money="", title="t", now=NOW)
    assert WHO not in page.read_text()
    assert "customer-stays-01" in page.read_text()


def test_registered_models_stay_valid(project: Path) -> None:
    forgotten(project)
    tags = resolve(open_store(project / "mlruns"), "habitue-churn/1").tags
    (folder,) = [path.parent for path in (project / "mlruns" / "artifacts").rglob("MLmodel")]
    verify(folder, json.loads(tags[CHECKSUMS_TAG]), name="habitue-churn/1")


def test_a_second_run_finds_nothing_and_changes_nothing(project: Path) -> None:
    forgotten(project)
    before = content(project)
    done = forgotten(project)
    assert done.found == ()
    assert done.n_files > 0
    assert content(project) == before


def test_a_dry_run_says_the_same_and_changes_nothing(project: Path) -> None:
    before = content(project)
    done = forgotten(project, dry_run=True)
    assert content(project) == before
    assert done.dry_run
    assert done.found == forgotten(project).found


def test_what_remains_is_told(project: Path) -> None:
    told = " ".join(forgotten(project).remains)
    assert f"The source {project / 'orders.csv'} is yours" in told
    assert "Models keep what they learned" in told
    assert "Copies elsewhere" in told
    assert "mlflow.db" not in told


def test_sources_of_every_kind_are_yours_and_their_id_columns_are_known(project: Path) -> None:
    """The door set aside a ticket whose id stands in a column that only that source has."""
    (project / "tickets.csv").write_text(f"Requester,Opened\n{WHO},no day\nother-person,2024-01-05\n")
    with (project / "habitue.toml").open("a") as settings:
        settings.write(
            '[records.tickets]\nsource = "tickets.csv"\ncustomer_id = "Requester"\nopened_at = "Opened"\n'
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        log = read_settings(project / "habitue.toml").read(project, today=None)
    write_quarantine(log, project / "set-aside.csv")
    (project / "out" / "kept.csv").write_text(
        f"Requester,cutoff,customer_id,horizon,scored_at\n{WHO},1,x,1,1\n"
    )
    before = {name: (project / name).read_bytes() for name in ("orders.csv", "tickets.csv")}
    done = forgotten(project)
    assert {name: (project / name).read_bytes() for name in before} == before
    assert naming(project) == {"orders.csv", "tickets.csv", "mine.csv"}
    assert f"The sources {project / 'orders.csv'}, {project / 'tickets.csv'} are yours" in " ".join(
        done.remains
    )
    cleaned = forgotten(project, files=[project / "tickets.csv"])
    assert [one.n_rows for one in cleaned.found] == [1]
    assert f"The source {project / 'orders.csv'} is yours" in " ".join(cleaned.remains)


def test_an_mlflow_server_is_not_looked_at_and_no_password_is_told(tmp_path: Path) -> None:
    settings = tmp_path / "habitue.toml"
    address, source = "https://u:s3cret@host/x", "postgresql://u:s3cret@host/db?password=s3cret"
    settings.write_text(f'mlruns = "{address}"\n[data]\nsource = "{source}"\n')
    done = forget(["a"], settings=settings)
    assert done.remains[0] == "MLflow's home https://u:***@host/x is no folder and was not looked at."
    assert "The source postgresql://u:***@host/db?password=*** is yours" in done.remains[1]
    assert "s3cret" not in repr(done)


def test_a_log_kept_in_a_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,timestamp,amount\na,2024-01-01,1\n")
    (tmp_path / "habitue.toml").write_text('[data]\nsource = "orders.csv"\n')
    engine = DuckDBEngine(path=tmp_path / "log.duckdb")
    read_log(tmp_path / "orders.csv", engine=engine)
    told = " ".join(forget(["a"], settings=tmp_path / "habitue.toml").remains)
    assert f"Not opened: {tmp_path / 'log.duckdb'}." in told


def test_a_mention_in_mlflow_is_told_and_left(project: Path) -> None:
    note = next((project / "mlruns" / "artifacts").rglob("MLmodel")).parent / "note.txt"
    note.write_text(f"a remark about {WHO}.")
    (note.parent / "table.csv").write_text(f"customer_id,x\n{WHO},1\n")
    told = " ".join(forgotten(project).remains)
    assert f"A customer is named in {note}, {note.parent / 'table.csv'}: not changed." in told
    assert WHO in (note.parent / "table.csv").read_text()


def test_files_handed_in_are_cleaned_too(project: Path) -> None:
    files = [project / "mine.csv", project / "orders.csv"]
    done = forgotten(project, files=files)
    assert naming(project) == set()
    assert [one.n_rows for one in done.found[:2]] == [1, 3]
    assert "The source" not in " ".join(done.remains)


def test_pseudonyms_are_forgotten_with_the_key(project: Path) -> None:
    alias = pseudonym(KEY, WHO)
    shared = project / "shared"
    shared.mkdir()
    pd.DataFrame({"Kunde": [alias, "x"]}).to_parquet(shared / "safe.parquet")
    pd.DataFrame({"Kunde": [alias, "x"]}).to_csv(shared / "safe.csv.gz", index=False)
    pd.DataFrame({"other": [1]}).to_csv(shared / "dictionary.csv", index=False)
    assert len(forgotten(project, files=[shared], dry_run=True).found) == 7
    assert len(forgotten(project, files=[shared], key=KEY).found) == 9
    assert list(pd.read_csv(shared / "safe.csv.gz")["Kunde"]) == ["x"]
    assert naming(shared, alias) == set()
    pd.DataFrame({"Kunde": [alias, "x"]}).to_parquet(shared / "safe.parquet")
    assert [one.n_rows for one in forgotten(project, alias, files=[shared]).found] == [1]


def test_what_interrupted_runs_left_is_deleted(project: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    out, runs = project / "out", next((project / "mlruns" / "artifacts").rglob("customers.csv")).parent
    left = [out / f".scores.parquet.{ended.pid}.part", runs / f".customers.csv.{ended.pid}.part"]
    left.append(out / ".report.html.x1_y.part")
    busy = out / f".scores.parquet.{os.getppid()}.part"
    for path in [*left, busy]:
        path.write_text(WHO)
    done = forgotten(project)
    assert {one.path for one in done.found if "interrupted" in one.what} == set(left)
    assert list(project.rglob(".*.part")) == [busy]


def test_a_manifest_of_other_scores_is_not_made_to_fit(project: Path) -> None:
    manifest = sidecar_of(project / "out/scores.parquet")
    changed = {**json.loads(manifest.read_text()), "sha256": "0" * 64}
    manifest.write_text(json.dumps(changed))
    forgotten(project)
    assert json.loads(manifest.read_text()) == changed


@pytest.mark.parametrize(
    ("ids", "options", "error", "told"),
    [
        ([], {}, SettingsError, "Name the customers"),
        (["nan"], {}, SettingsError, "Name the customers"),
        (["a"], {}, SettingsError, "Say where to look"),
        (["a"], {"files": ["none.csv"]}, DataError, "is no .csv"),
        (["a"], {"files": ["t.csv"]}, SchemaError, "has no column customer_id; .*--id-column.* who, x"),
        (["a"], {"files": ["t.parquet"]}, DataError, "could not be read as Parquet"),
        (["a"], {"files": ["open.csv"]}, DataError, "a quote in it never closes"),
        (["a"], {"files": ["cut.csv.gz"]}, DataError, "damaged|opened"),
        (["a"], {"key": b"short", "files": ["t.csv"]}, SettingsError, "16 to 64 bytes"),
    ],
)
def test_what_cannot_be_done_is_refused(
    ids: list[str], options: dict[str, Any], error: type[Exception], told: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("who,x\na,1\n")
    (tmp_path / "t.parquet").write_text("no parquet")
    (tmp_path / "open.csv").write_text('customer_id,x\n"a,1\n' + "b,1\n" * 400_000)
    pd.DataFrame({"customer_id": np.random.default_rng(1).integers(0, 10**9, 50_000)}).to_csv(
        tmp_path / "cut.csv.gz"
    )
    whole = (tmp_path / "cut.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    before = content(tmp_path)
    files = [tmp_path / name for name in options.pop("files", [])]
    with pytest.raises(error, match=told):
        forget(ids, files=files, **options)
    assert content(tmp_path) == before


def test_a_damaged_file_nearby_is_told_and_stops_nothing(project: Path) -> None:
    (project / "out" / "scores.parquet").write_text("no parquet any more")
    done = forgotten(project)
    assert any("could not be read as Parquet" in one for one in done.remains)
    assert len(done.found) == 6


@pytest.mark.slow
def test_a_kill_at_any_moment_is_healed_by_running_again(made: Path, tmp_path: Path) -> None:
    """The process dies at each of the renames in turn, before or after it."""
    clean = Path(shutil.copytree(made, tmp_path / "clean"))
    forgotten(clean)
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from habitue.pipelines.forget import forget
        folder, left, after = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"
        rename = Path.replace
        def replace(self, target):
            global left
            left -= 1
            if left == 0 and not after: os._exit(9)
            rename(self, target)
            if left == 0: os._exit(9)
        Path.replace = replace
        forget(["customer-forgetme-77"], settings=folder / "habitue.toml")
        """
    )
    # The first three renames are of tables without a manifest; then come manifest, scores, manifest.
    for moment in range(6):
        folder = Path(shutil.copytree(made, tmp_path / f"killed-{moment}"))
        arguments = [str(folder), str(4 + moment // 2), ("before", "after")[moment % 2]]
        done = subprocess.run([sys.executable, "-c", script, *arguments], check=False)
        assert done.returncode == 9
        forgotten(folder)
        assert content(folder) == content(clean), arguments


def test_every_batch_of_a_folder_is_cleaned_and_stays_whole(tmp_path: Path) -> None:
    settings = TOML.replace("out/scores.parquet", "scores")
    (tmp_path / "habitue.toml").write_text(settings)
    write_orders(tmp_path, ["a", WHO])
    target = HiveTarget(tmp_path / "scores")
    keys = [BatchKey(date(2024, month, 1), 30, (("habitue-churn", month),)) for month in (4, 5)]
    rows = pa.record_batch({"customer_id": ["a", WHO, "b"], "churn_probability": [0.1, 0.2, 0.3]})
    for key in keys:
        told = {"n_customers": 3, "scored_at": "2024-06-01"}
        target.write(key, iter([rows]), rows.schema, told, replace=False)
    # A run that was killed left what it had worked on; another one is still at it.
    left, busy = (tmp_path / "scores" / f".habitue-12345678-2024-06-0{day}-m" for day in (1, 2))
    for folder in (left, busy):
        folder.mkdir()
        (folder / "features").write_text(WHO)
    with locked(lock_of(busy), what="another batch"):
        done = forget([WHO], settings=tmp_path / "habitue.toml")
    assert {one.path for one in done.found} >= {*(target.path_of(key) for key in keys), left}
    assert not left.exists()
    assert busy.exists()
    for key in keys:
        manifest = target.finished(key)
        assert manifest is not None
        assert (manifest["n_customers"], manifest["forgotten"]) == (2, 1)
        assert target.read(key)["customer_id"].tolist() == ["a", "b"]


def test_scores_in_a_database_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "habitue.toml").write_text(
        TOML.replace("out/scores.parquet", "postgresql://ann:s3cret@host/db")
    )
    write_orders(tmp_path, ["a", WHO])
    done = forget([WHO], settings=tmp_path / "habitue.toml")
    told = [one for one in done.remains if "DELETE FROM scores" in one]
    assert len(told) == 1
    assert "postgresql://ann:***@host/db" in told[0]
