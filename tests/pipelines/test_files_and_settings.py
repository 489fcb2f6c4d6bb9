"""Files written whole or not at all; settings and recipes that say what is wrong with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from habitue.errors import SettingsError
from habitue.models import StackedChurnClassifier, TunedModel
from habitue.pipelines.files import writable_folder, write_beside, write_text
from habitue.pipelines.recipes import built_in_recipe, read_recipe
from habitue.pipelines.settings import Settings, read_settings, read_toml
from habitue.records import SCHEMAS, Source

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
name = "n"
target = "churned"
[champion]
metric = "auc"
[[challengers]]
model = "BTYDChurnClassifier"
"""


# --- files


def test_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "deep" / "a.txt", "old")

    def interrupted(to: Path) -> None:
        to.write_text("new, but only ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_beside(path, interrupted)
    assert path.read_text() == "old"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


def test_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")

    def full(to: Path) -> None:
        to.write_text("new")
        raise OSError(28, "No space left on device")

    with pytest.raises(SettingsError, match=r"a\.txt could not be written: No space left on device"):
        write_beside(path, full)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_places_that_cannot_be_written_to_are_told(tmp_path: Path) -> None:
    file = write_text(tmp_path / "file", "")
    for folder in (file / "under", Path("/proc/none")):
        with pytest.raises(SettingsError, match="Nothing can be written to"):
            writable_folder(folder)
    with pytest.raises(SettingsError, match="is a folder"):
        write_text(tmp_path, "text")


# --- recipes


@pytest.mark.parametrize("name", ["churn", "clv"])
def test_recipes_of_the_project_are_those_of_the_package(name: str) -> None:
    recipe, text = built_in_recipe("churn" if name == "churn" else "clv")
    assert (ROOT / "models" / f"{name}.toml").read_text(encoding="utf-8") == text
    assert recipe.name == f"habitue-{name}"
    assert [one.name for one in recipe.challengers][1] == "LightGBM"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('target = "churned"', 'target = "churn"', "'target'.*'churned' or 'spend'.*got 'churn'"),
        ('name = "n"', "", "'name' is missing"),
        ('name = "n"', 'name = "a/b"', "'name'"),
        ('name = "n"', 'nmae = "n"', "did you mean 'name'"),
        ("metric =", "metrik =", "'champion.metrik'; did you mean 'metric'"),
        ('"auc"', '"acu"', "did you mean 'auc'"),
        ("model =", "modle =", "'challengers.0.modle'; did you mean 'model'"),
        ('"BTYDChurnClassifier"', '"BTYDChurn"', "did you mean 'BTYDChurnClassifier'"),
        ('"BTYDChurnClassifier"', '"BoostedValueRegressor"', "cannot predict churned"),
        ('"BTYDChurnClassifier"', '"BoostedChurnClassifier"\nparams = {num_leafs = 3}', "mean 'num_leaves'"),
        ('"BTYDChurnClassifier"', '"BTYDChurnClassifier"\ntune = {}', "has nothing to tune"),
        ('"BTYDChurnClassifier"', '"BoostedChurnClassifier"\ntune = {n_trails = 3}', "mean 'n_trials'"),
        (
            "[champion]",
            "[evaluation]\nn_cutoffs = 0\n[champion]",
            "'evaluation.n_cutoffs'.*greater than 0, got 0",
        ),
        ("[champion]", "[evaluation]\nn_cutofs = 1\n[champion]", "did you mean 'n_cutoffs'"),
        (
            "[[challengers]]",
            '[[challengers]]\nmodel = "BTYDChurnClassifier"\n[[challengers]]',
            "different labels",
        ),
        ("[champion]", "horizon = 40000\n[champion]", "'horizon'.*36525"),
        ("[champion]", "[champion", "is no valid TOML"),
    ],
)
def test_recipes_are_checked_key_by_key(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in RECIPE
    path = write_text(tmp_path / "r.toml", RECIPE.replace(old, new, 1))
    with pytest.raises(SettingsError, match=rf"r\.toml.*{told}"):
        read_recipe(path)


def test_recipe_as_it_should_be(tmp_path: Path) -> None:
    recipe = read_recipe(write_text(tmp_path / "r.toml", RECIPE))
    assert (recipe.name, recipe.evaluation.n_cutoffs, recipe.challengers[0].name) == ("n", 1, "BG/NBD")


def test_a_challenger_is_tuned_under_its_budget(tmp_path: Path) -> None:
    tuned = '"BoostedChurnClassifier"\nparams = {num_leaves = 7}\ntune = {n_trials = 3, seconds = 60}'
    recipe = read_recipe(write_text(tmp_path / "r.toml", RECIPE.replace('"BTYDChurnClassifier"', tuned)))
    model = recipe.challengers[0].build()
    assert recipe.challengers[0].name == "LightGBM (tuned)"
    assert isinstance(model, TunedModel)
    assert (model.n_trials, model.seconds) == (3, 60.0)
    assert model.get_params()["estimator__num_leaves"] == 7


_STACKED = """
[[challengers]]
model = "BTYDChurnClassifier"
[[challengers]]
model = "LogisticChurnClassifier"
[[challengers]]
model = "BoostedChurnClassifier"
"""


@pytest.mark.parametrize(
    ("of", "members"),
    [
        ("", ["BG/NBD", "logistic", "LightGBM"]),
        ('of = ["logistic", "BG/NBD"]', ["logistic", "BG/NBD"]),
    ],
)
def test_a_stack_is_made_of_the_challengers_before_it(of: str, members: list[str], tmp_path: Path) -> None:
    head = RECIPE[: RECIPE.index("[[challengers]]")]
    text = f'{head}{_STACKED}[[challengers]]\nmodel = "StackedChurnClassifier"\n{of}\n'
    made = read_recipe(write_text(tmp_path / "r.toml", text)).estimators()
    assert list(made) == ["BG/NBD", "logistic", "LightGBM", "stacked"]
    stacked = made["stacked"]
    assert isinstance(stacked, StackedChurnClassifier)
    assert stacked.models is not None
    assert {name: stacked.models[name] for name in members} == {name: made[name] for name in members}
    assert list(stacked.models) == members


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('model = "StackedChurnClassifier"\nof = ["LightGBM", "trees"]', "'trees', which is no challenger"),
        ('model = "StackedChurnClassifier"\nof = ["LightGBM"]', "two or more: list them before it"),
        ('model = "BoostedHazardModel"\nof = ["LightGBM"]', "leave out its line of ="),
    ],
)
def test_a_stack_of_what_is_not_there(wrong: str, told: str, tmp_path: Path) -> None:
    head = RECIPE[: RECIPE.index("[[challengers]]")]
    path = write_text(tmp_path / "r.toml", f"{head}{_STACKED}[[challengers]]\n{wrong}\n")
    with pytest.raises(SettingsError, match=told):
        read_recipe(path)


# --- settings


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "h.toml").write_bytes(b"\xef\xbb\xbf[data]\nsource = 'a.csv'\n")
    assert read_settings(tmp_path / "h.toml").data.source == "a.csv"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'data' is missing"),
        ("[data]\n", "'data.source' is missing"),
        ("[data]\nsource = 'a'\nsuorce = 'b'", "did you mean 'source'"),
        ("[dta]\nsource = 'a'", "did you mean 'data'"),
        ("horizon = 'long'\n[data]\nsource = 'a'", "'horizon'.*got 'long'"),
        ("horizon = -1\n[data]\nsource = 'a'", "'horizon'.*greater than 0"),
        ("cutoff = 'soon'\n[data]\nsource = 'a'", "'cutoff'.*got 'soon'"),
        ("data = 3", "'data'"),
        ("xyz = 3\n[data]\nsource = 'a'", "'xyz'; known are data, records, cutoff, horizon"),
        ("[records.tickets]\nsource = 'a'", "'data' is missing: say where transactions lie, or contracts in"),
        ("[data]\namount = 'x'\n[records.contracts]\nsource = 'a'", "'data.source' is missing"),
        ("[data]\nsource = 'a'\n[records.tikets]\nsource = 'b'", "'records.tikets'; did you mean 'tickets'"),
        ("[data]\nsource = 'a'\n[records.tickets]\nopened_at = 'b'", "'records.tickets.source' is missing"),
        (
            "[data]\nsource = 'a'\n[records.tickets]\nclosed = 'b'",
            "'records.tickets.closed'; did you mean 'closed_at'",
        ),
        (
            "[data]\nsource = 'a'\n[records.transactions]\nsource = 'b'",
            r"transactions have the table \[data\]",
        ),
        (
            "[data]\nsource = 'a'\nmemory_limit = 'lots'",
            "'data.memory_limit': expected a size such as \"3GB\"",
        ),
        (
            "[data]\nsource = 'a'\nrates = 3",
            "'data.rates': expected a table such as {EUR = 1, USD = \"0.92\"}",
        ),
    ],
)
def test_settings_are_checked_key_by_key(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=told):
        read_toml(write_text(tmp_path / "h.toml", text), Settings)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_column_of_every_kind_is_a_key(kind: str, tmp_path: Path) -> None:
    columns = {column.name: f"Its {column.name}" for column in SCHEMAS[kind].columns}
    keys = "\n".join(f"{name} = {given!r}" for name, given in columns.items())
    table = "data" if kind == "transactions" else f"records.{kind}"
    main = "" if kind in {"transactions", "contracts"} else "[data]\nsource = 'o.csv'\n"
    path = write_text(tmp_path / "h.toml", f"{main}[{table}]\nsource = '~/a.csv'\ntable = 't'\n{keys}")
    source = read_settings(path).tables()[kind].of_kind(kind, tmp_path)
    assert source == Source(Path.home() / "a.csv", columns, table="t")


def test_what_is_one_for_the_whole_log_may_stand_without_transactions(tmp_path: Path) -> None:
    text = "[data]\ntimezone = 'Asia/Tokyo'\nmemory_limit = '1.5 GiB'\n[records.contracts]\nsource = 'c.csv'"
    settings = read_settings(write_text(tmp_path / "h.toml", text))
    assert list(settings.tables()) == ["contracts"]
    write_text(tmp_path / "c.csv", "customer_id,started_at,price\n1,2024-01-01T20:00:00Z,5\n")
    log = settings.read(tmp_path, today=date(2030, 1, 1))
    assert str(log.first_day) == "2024-01-02"
    assert log.engine.rows("SELECT current_setting('memory_limit')")[0][0] == "1.5 GiB"


@pytest.mark.parametrize(
    "rates",
    ['rates = {EUR = 1, USD = "0.5"}', "rates = 'rates.csv'", "[data.rates]\nEUR = 1\nUSD = 0.5"],
)
def test_rates_are_a_table_or_a_file_beside(rates: str, tmp_path: Path) -> None:
    write_text(
        tmp_path / "o.csv", "customer_id,timestamp,amount,currency\n1,2024-01-01,5,EUR\n1,2024-02-01,8,USD\n"
    )
    write_text(tmp_path / "rates.csv", "currency,rate,valid_from\nEUR,1,\nUSD,0.5,2024-01-01\n")
    settings = read_settings(write_text(tmp_path / "h.toml", f"[data]\nsource = 'o.csv'\n{rates}\n"))
    log = settings.read(tmp_path, today=None)
    assert [
        row[0] for row in log.engine.rows("SELECT CAST(amount AS INT) FROM transactions ORDER BY day")
    ] == [5, 4]


def test_settings_that_are_not_there_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="habitue init"):
        read_settings(tmp_path / "habitue.toml")
    with pytest.raises(SettingsError, match="could not be read"):
        read_toml(tmp_path, Settings)
