"""`habitue leaderboard` on a tiny shop and a tiny table: what is kept, what is run again, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation import SCORES
from habitue.evaluation.comparison import PURCHASE_FAMILIES
from habitue.models import BoostedChurnClassifier
from habitue.numerics.bgnbd import BGNBDParams
from habitue.numerics.gamma_gamma import GammaGammaParams
from habitue.pipelines.leaderboard_settings import OneTable, read_leaderboard
from habitue.pipelines.leaderboard_tables import RARE, Columns, as_numbers, read_table, run_table
from habitue.records.simulators import simulate_log

Command = Callable[..., Any]

TOML = """
folder = "data"
n_replicates = 20

[[ours]]
model = "BoostedChurnClassifier"
label = "boosted"
params = { n_estimators = 15, min_child_samples = 10, n_jobs = 1 }

[[ours]]
model = "BoostedValueRegressor"
label = "boosted value"
params = { n_estimators = 15, min_child_samples = 10, n_jobs = 1 }

[data.shop]
kind = "transactions"
title = "A simulated shop"
source = "shop.csv"
customer_id = "who"
timestamp = "day"
amount = "paid"
cutoffs = [2023-10-31]
horizon = 60
n_training = 2

[data.early]
kind = "transactions"
title = "The same shop, too early"
source = "shop.csv"
customer_id = "who"
timestamp = "day"
amount = "paid"
cutoffs = [2023-05-31]
horizon = 200
targets = ["churned"]

[data.table]
kind = "table"
title = "A table"
source = "table.csv"
target = "left"
positive = "Yes"
tenure = "months"
folds = 3
leave_out = { id = "an id", told = "leaks by design" }

[[data.table.published]]
model = "a paper"
source = "somewhere"
scores = { auc = 0.5 }

[data.elsewhere]
kind = "table"
title = "Not here"
source = "not-here.csv"
target = "left"
"""


def make_table(n: int = 240, *, seed: int = 0) -> pd.DataFrame:
    """Return customers with numbers, text that is numbers, a category, a leak and an outcome."""
    rng = np.random.default_rng(seed)
    months = rng.integers(1, 60, n)
    left = rng.uniform(size=n) < 1.0 / (1.0 + np.exp((months - 25.0) / 8.0))
    return pd.DataFrame(
        {
            "id": [f"c{one}" for one in range(n)],
            "months": months,
            "paid": [" " if row < 3 else f"{one:.1f}" for row, one in enumerate(months * 9.5)],
            "plan": rng.choice(["basic", "more", "most"], n),
            "told": np.where(left, "gone", "here"),
            "left": np.where(left, "Yes", "No"),
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a simulated shop, a table and the TOML file that names them."""
    folder = tmp_path_factory.mktemp("leaderboard")
    (folder / "data").mkdir()
    made = simulate_log(
        BGNBDParams(0.9, 25.0, 0.7, 2.0), GammaGammaParams(6.0, 4.0, 15.0), n_customers=250, days_observed=365
    )
    orders = made.log.engine.frame("SELECT customer_id AS who, day, amount AS paid FROM transactions")
    orders.to_csv(folder / "data" / "shop.csv", index=False)
    make_table().to_csv(folder / "data" / "table.csv", index=False)
    (folder / "board.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def first(home: Path, command: Command) -> Any:
    """Run it all once."""
    told = command(home, "leaderboard", "board.toml", "--out", "page.md")
    assert told.code == 0, told.err
    return told


@pytest.fixture(scope="module")
def scores(home: Path, first: Any) -> pd.DataFrame:
    assert first.code == 0
    return pd.read_csv(home / "page.csv")


@pytest.mark.slow
def test_every_rival_stands_in_the_table_or_is_told_of(scores: pd.DataFrame, first: Any) -> None:
    models = scores.groupby(["data", "target"])["model"].agg(set).to_dict()
    assert {"boosted", "logistic regression", "hiatus heuristic", "the mean"} <= models["shop", "churned"]
    assert {"boosted value", "zero", "last-period repeat"} <= models["shop", "spend"]
    assert {"x/T*t", "zero"} <= models["shop", "n_purchases"]
    assert models["table", "churned"] == {"boosted", "logistic regression", "months alone", "the mean"}
    assert set(scores.loc[scores["data"] == "shop", "score"]) >= {one.name for one in SCORES["churned"]}
    for family in PURCHASE_FAMILIES:
        for name, target in (
            (family, "churned"),
            (family, "n_purchases"),
            (f"{family} + gamma-gamma", "spend"),
        ):
            assert name in models["shop", target] or f"shop, {name} is not in the tables" in first.out
    assert {"BGNBD", "NBD"} <= models["shop", "churned"]


@pytest.mark.slow
def test_where_there_is_no_past_the_boosted_model_is_told_of_and_nothing_is_made_up(
    scores: pd.DataFrame, first: Any
) -> None:
    early = set(scores.loc[scores["data"] == "early", "model"])
    assert "BGNBD" in early
    assert not {"boosted", "logistic regression", "the mean"} & early
    assert "early, boosted does not win: it could not be trained. The log begins on" in first.out


@pytest.mark.slow
def test_the_page_says_who_does_not_win_and_what_was_skipped(home: Path, first: Any) -> None:
    page = (home / "page.md").read_text(encoding="utf-8")
    assert "## A simulated shop" in page
    assert "### A table: churned" in page
    assert "| boosted ★ |" in page
    assert "*published: a paper (somewhere)* | 0.5000" in page
    assert "Not shown to any model: id (an id); told (leaks by design)." in page
    assert "3-fold, stratified" in page
    assert "- Not here: not-here.csv is not in data." in page
    assert "elsewhere was not run: not-here.csv is not in data." in first.out
    assert "churned: boosted" in page
    assert str(home) not in page


@pytest.mark.slow
def test_what_was_found_is_kept_and_only_what_changed_is_run_again(
    home: Path, first: Any, command: Command, tmp_path: Path
) -> None:
    assert first.code == 0
    for file in ("page.md", "page.csv", ".page-results.json", "board.toml"):
        (tmp_path / file).write_bytes((home / file).read_bytes())
    (tmp_path / "data").symlink_to(home / "data")
    again = command(tmp_path, "leaderboard", "board.toml", "--out", "page.md")
    assert again.err.count("as found before") == 3
    assert (tmp_path / "page.md").read_bytes() == (home / "page.md").read_bytes()
    assert (tmp_path / "page.csv").read_bytes() == (home / "page.csv").read_bytes()
    changed = TOML.replace("folds = 3", "folds = 2").replace('title = "A table"', 'title = "Renamed"')
    (tmp_path / "board.toml").write_text(changed, encoding="utf-8")
    told = command(tmp_path, "leaderboard", "board.toml", "--out", "page.md", "--only", "table", "--json")
    assert told.code == 0, told.err
    answer = json.loads(told.out)
    assert set(answer["data"]) == {"shop", "early", "table"}
    assert any("2-fold" in note for note in answer["data"]["table"]["notes"])
    assert {one["target"] for one in answer["ranks"]} == {"churned", "spend", "n_purchases"}
    assert "## Renamed" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_kept_results_that_cannot_be_read_are_found_anew(
    home: Path, command: Command, tmp_path: Path
) -> None:
    (tmp_path / ".page-results.json").write_text("{ half a", encoding="utf-8")
    told = command(tmp_path, "leaderboard", home / "board.toml", "--only", "table", "--out", "page.md")
    assert told.code == 0, told.err
    assert set(json.loads((tmp_path / ".page-results.json").read_text())) == {"table"}
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "- A simulated shop: not asked for, and not run before." in page


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('kind = "tables"', r"\[data\.table\]: 'kind' must be one of transactions, table; got 'tables'"),
        ('kind = "table"\nfold = 3', r"\[data\.table\]: there is no setting 'fold'; did you mean 'folds'"),
        ('kind = "table"\nsource = ""', "'source' is missing"),
        (
            'kind = "table"\n[[data.table.published]]\nmodel = "a"\nsource = "b"\nscores = { acu = 1.0 }',
            "there is no score 'acu' of churned; known are auc",
        ),
    ],
)
def test_a_mistake_is_named_with_its_data_set(wrong: str, told: str, tmp_path: Path) -> None:
    text = 'title = "T"\nsource = "t.csv"\ntarget = "left"\n'
    lines = [one for one in text.splitlines() if one.split(" =")[0] + " =" not in wrong.partition("[[")[0]]
    (tmp_path / "board.toml").write_text("\n".join(["[data.table]", *lines, wrong]), encoding="utf-8")
    with pytest.raises(SettingsError, match=told):
        read_leaderboard(tmp_path / "board.toml")


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        ('model = "Boosted"', "no model 'Boosted'"),
        ('model = "BoostedChurnClassifier"\nparams = { n_estimatrs = 3 }', "did you mean 'n_estimators'"),
        ('model = "BGNBD"\nlabel = "a"\n[[ours]]\nmodel = "NBD"\nlabel = "a"', "called 'a'"),
    ],
)
def test_a_mistake_in_a_model_is_named(ours: str, told: str, tmp_path: Path) -> None:
    data = '[data.table]\nkind = "table"\ntitle = "T"\nsource = "t.csv"\ntarget = "left"\n'
    (tmp_path / "board.toml").write_text(f"[[ours]]\n{ours}\n{data}", encoding="utf-8")
    with pytest.raises(SettingsError, match=told):
        read_leaderboard(tmp_path / "board.toml")


def test_files_and_names_that_are_not_there(home: Path, command: Command) -> None:
    told = command(home, "leaderboard", "nowhere.toml")
    assert told.code == 4
    assert "There is no nowhere.toml" in told.err
    told = command(home, "leaderboard", "board.toml", "--only", "shops")
    assert told.code == 4
    assert "no data set shops; there are shop, early, table, elsewhere" in told.err


# --- one row a customer


def settings(**changes: Any) -> OneTable:
    given = {"kind": "table", "title": "T", "source": "t.csv", "target": "left", "positive": "Yes"}
    return OneTable.model_validate(given | {"leave_out": {"id": "an id", "told": "a leak"}} | changes)


def small() -> BoostedChurnClassifier:
    return BoostedChurnClassifier(n_estimators=15, min_child_samples=10, n_jobs=1)


def test_text_that_is_numbers_is_numbers() -> None:
    table = make_table()
    columns: dict[Any, Any] = dict(table.items())
    paid = as_numbers(columns["paid"])
    assert paid is not None
    np.testing.assert_allclose(paid, np.r_[[np.nan] * 3, 9.5 * columns["months"][3:]])
    assert as_numbers(columns["plan"]) is None
    assert as_numbers(pd.Series([None, " "])) is None


def test_values_never_seen_in_training_are_counted_and_take_the_place_of_rare_ones() -> None:
    n = 3 * RARE
    known = pd.DataFrame(
        {"plan": ["basic", "more", "most"] * RARE, "town": ["Ulm"] * (n - 2) + ["Bonn", "Kiel"]}
    )
    columns = Columns().fit(known)
    new = pd.DataFrame({"plan": ["basic", "gold"], "town": ["Rome", "Ulm"]})
    made = columns.transform(new)
    assert columns.n_unseen(new) == 2
    assert columns.n_unseen(known) == 0
    assert made.filter(like="plan_").to_numpy().tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert made.loc[0, "town_infrequent_sklearn"] == 1.0
    pd.testing.assert_frame_equal(columns.transform(known.head(1)), columns.transform(known).head(1))


def test_a_missing_category_is_a_value_of_its_own_and_numbers_may_be_names() -> None:
    table = pd.DataFrame({"plan": ["a", None] * RARE, "product": [7, 8] * RARE})
    made = Columns(["product"]).fit(table).transform(table)
    assert list(made.columns) == ["plan_(missing)", "plan_a", "product_7", "product_8"]


def test_every_customer_is_held_out_once_and_noise_is_not_learned(tmp_path: Path) -> None:
    """No model may know anything of an outcome that nothing tells: leakage would show here."""
    rng = np.random.default_rng(5)
    table = make_table(600).assign(left=rng.choice(["Yes", "No"], 600))
    table.to_csv(tmp_path / "t.csv", index=False)
    found = run_table(
        tmp_path / "t.csv", settings(leave_out={"id": "an id"}), {"ours": small()}, progress=lambda _: None
    )
    auc = SCORES["churned"][0]
    for model, rows in found.frame.groupby("model"):
        assert sorted(rows["customer_id"]) == list(range(600)), model
        assert 0.4 < auc(rows["outcome"].to_numpy(), rows["prediction"].to_numpy()) < 0.6, model


def test_the_classic_split_trains_on_the_first_rows_alone(tmp_path: Path) -> None:
    table = make_table()
    table.to_csv(tmp_path / "t.csv", index=False)
    turned = table.copy()
    turned.loc[200:, "left"] = np.where(table.loc[200:, "left"] == "Yes", "No", "Yes")
    turned.to_csv(tmp_path / "turned.csv", index=False)
    one, other = (
        run_table(tmp_path / name, settings(first=200), {"ours": small()}, progress=lambda _: None).frame
        for name in ("t.csv", "turned.csv")
    )
    assert set(one["customer_id"]) == set(range(200, 240))
    assert one["prediction"].to_numpy().tobytes() == other["prediction"].to_numpy().tobytes()
    assert set(one["outcome"].to_numpy() + other["outcome"].to_numpy()) == {1.0}


def test_what_cannot_be_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    make_table().to_csv(path, index=False)
    with pytest.raises(SchemaError, match="has no column lost; there are: id, months"):
        read_table(path, settings(target="lost"))
    with pytest.raises(DataError, match=r"left == True; it has 'No', 'Yes'|left == True; it has 'Yes', 'No'"):
        read_table(path, settings(positive=True))
    with pytest.raises(DataError, match="only 240 rows"):
        run_table(path, settings(first=240), {}, progress=lambda _: None)
    with pytest.raises(DataError, match="could not be read as a table"):
        read_table(tmp_path / "nowhere.csv", settings())
