"""Cards of registered versions, through the command line: what training found out, told with its number."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.cli import EXIT_CODES
from habitue.errors import DataError, RegistryError, SettingsError
from habitue.models import PlattCalibrator
from habitue.models.probability_calibration import choose_calibrator
from habitue.pipelines.auditing import features_made_of, read_attributes
from habitue.pipelines.cards import calibration_told, calibration_words
from habitue.snapshots import learn_population
from habitue.tracking import Store, logged_tables, open_store, resolve
from habitue.tracking.texts import logged_text

N, DAYS, HORIZON = 240, 500, 60
FIRST = pd.Timestamp("2023-01-01")
RECIPE = """
name = "{name}"
target = "{target}"
horizon = {horizon}
{more}
[evaluation]
n_training = 2
n_replicates = 40
[champion]
metric = "{metric}"
[fairness]
attributes = [{attributes}]
top_share = 0.25
at_least = 20
[card]
stability = {stability}
[[challengers]]
model = "BTYD{kind}"
[[challengers]]
model = "Boosted{kind}"
params = {{ n_estimators = 12, n_jobs = 1 }}
"""
CHURN: dict[str, Any] = {
    "name": "who-leaves", "target": "churned", "metric": "log_loss", "kind": "ChurnClassifier", "more": "",
    "attributes": '"gender", "senior", "age"', "stability": 2, "horizon": HORIZON,
}  # fmt: skip
VALUE: dict[str, Any] = {
    "name": "who-spends", "target": "spend", "metric": "mae", "kind": "ValueRegressor",
    "more": 'features = ["inactivity", "spend_90d"]', "attributes": '"gender"', "stability": "false",
    "horizon": HORIZON,
}  # fmt: skip


def orders() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    start, rate = rng.integers(0, 300, N), rng.gamma(1.0, 1 / 40.0, N)
    count = rng.poisson((DAYS - start) * rate)
    who = np.repeat(np.arange(N), count + 1)
    first = np.concatenate([[0], np.cumsum(count + 1)[:-1]])
    day = start[who] + rng.uniform(size=len(who)) * (DAYS - 1 - start)[who]
    day[first] = start
    return pd.DataFrame(
        {
            "customer_id": [f"c{one:03d}" for one in who],
            "order_date": FIRST + pd.to_timedelta(np.floor(day), unit="D"),
            "amount": np.round(rng.gamma(3.0, 10.0, len(who)) + 1.0, 2),
        }
    )


def customers() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "customer_id": [f"c{one:03d}" for one in range(N)],
            "gender": rng.choice(["f", "m"], N),
            "senior": rng.choice(["true", "false", ""], N),
            "age": rng.integers(18, 80, N),
            "born": "1980-05-17",
            "email": [f"{one}@example.org" for one in range(N)],
        }
    )


def begun(folder: Path, mlflow_home: Path, command: Callable[..., Any]) -> Path:
    (folder / "mlruns").mkdir(parents=True)
    (folder / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    orders().to_csv(folder / "transactions.csv", index=False)
    customers().to_csv(folder / "customers.csv", index=False)
    assert command(folder, "init", "transactions.csv", "--customers", "customers.csv").code == 0
    for recipe in (CHURN, VALUE):
        (folder / "models" / f"{recipe['name']}.toml").write_text(RECIPE.format(**recipe), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shop(mlflow_home: Path, command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train both recipes; for tests that only read."""
    folder = begun(tmp_path_factory.mktemp("carded") / "shop", mlflow_home, command)
    for recipe in (CHURN, VALUE):
        told = command(folder, "train", f"models/{recipe['name']}.toml")
        assert told.code == 0, told.err
        assert f"Its card: habitue card {recipe['name']}@champion" in told.out
    return folder


@pytest.fixture(scope="module")
def store(shop: Path) -> Store:
    return open_store(str(shop / "mlruns"))


@pytest.fixture(scope="module")
def tables(store: Store) -> dict[str, dict[str, pd.DataFrame]]:
    """What the runs kept, by reference of the version."""
    references = [f"{one['name']}/{version}" for one in (CHURN, VALUE) for version in (1, 2)]
    return {one: logged_tables(store, resolve(store, one).run_id) for one in references}


def cutoff() -> pd.Timestamp:
    return orders()["order_date"].max() - pd.Timedelta(days=HORIZON)


def later(past: bool) -> pd.DataFrame:
    known = orders()
    return known[(known["order_date"] <= cutoff()) == past]


# --- the command


@pytest.mark.slow
def test_a_card_is_printed_written_and_told_as_facts(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    printed = command(shop, "card", "who-leaves/2")
    assert printed.code == 0, printed.err
    assert printed.out.startswith("# Model card: who-leaves, version 2\n")
    assert "LightGBM: BoostedChurnClassifier." in printed.out
    for name in ("card.md", "card.html"):
        told = command(shop, "card", "who-leaves/2", "--to", tmp_path / name)
        assert told.code == 0, told.err
        assert str(tmp_path / name) in told.out
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == printed.out
    assert "<h1>Model card: who-leaves, version 2</h1>" in (tmp_path / "card.html").read_text(
        encoding="utf-8"
    )
    facts = json.loads(command(shop, "card", "who-leaves/2", "--json").out)["facts"]
    assert (facts["version"], facts["name"], facts["label"]) == (2, "who-leaves", "LightGBM")


@pytest.mark.slow
def test_the_champion_has_the_card_of_its_version(
    shop: Path, command: Callable[..., Any], store: Store
) -> None:
    number = resolve(store, "who-leaves@champion").version
    champion = command(shop, "card", "who-leaves@champion").out
    assert champion == command(shop, "card", f"who-leaves/{number}").out
    assert re.search(r"How the champion was chosen: \S", champion)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        (["who-leaves/9"], RegistryError, "its versions are: 1, 2"),
        (["who-leave@champion"], RegistryError, "did you mean 'who-leaves'"),
        (["who-leaves/1", "--to", "card.pdf"], SettingsError, r"ends in \.md or \.html"),
        (["who-leaves/1", "--to", "transactions.csv/card.md"], SettingsError, "Nothing can be written"),
    ],
)
def test_what_cannot_be_shown_is_said(
    arguments: list[str], kind: type[Exception], told: str, shop: Path, command: Callable[..., Any]
) -> None:
    said = command(shop, "card", *arguments)
    assert (said.code, said.out) == (EXIT_CODES[kind], "")
    assert re.search(told, said.err)


@pytest.mark.slow
def test_a_version_without_facts_says_so(shop: Path, store: Store, command: Callable[..., Any]) -> None:
    client = store.client()
    run = client.create_run(store.experiment_id("older")).info.run_id
    assert logged_text(store, run, "card.json") is None
    with pytest.raises(RegistryError, match=r"card\.json of run nobody"):
        logged_text(store, "nobody", "card.json")
    client.create_registered_model("older")
    client.create_model_version(
        "older", source=client.get_model_version("who-leaves", "1").source, run_id=run
    )
    said = command(shop, "card", "older/1")
    assert said.code == EXIT_CODES[RegistryError]
    assert "older/1 was registered without the facts of its card" in said.err


# --- fairness


@pytest.mark.slow
def test_groups_are_those_of_the_records_of_customers(tables: dict[str, dict[str, pd.DataFrame]]) -> None:
    known, after = later(past=True), later(past=False)
    base = customers().set_index("customer_id").loc[sorted(known["customer_id"].unique())]
    left = ~base.index.isin(after["customer_id"])
    bands = {
        "gender": base["gender"],
        "senior": base["senior"].map({"true": "yes", "false": "no"}).fillna("not known"),
    }
    for version in ("who-leaves/1", "who-leaves/2"):
        groups = tables[version]["fairness"]
        rates = groups[groups["measure"] == "base_rate"].set_index(["attribute", "group"])
        for attribute, values in bands.items():
            for group, some in pd.Series(left, index=base.index).groupby(values):
                one = rates.loc[(attribute, group)]
                assert one["n_customers"] == len(some)
                assert one["value"] == pytest.approx(some.mean())
        flagged = groups[(groups["measure"] == "selection_rate") & (groups["attribute"] == "gender")]
        share = np.average(flagged["value"], weights=flagged["n_customers"])
        assert 0.25 <= share < 0.35  # the top share, ties together
        assert set(tables[version]["fairness_gaps"]["attribute"]) == {"gender", "senior", "age"}


@pytest.mark.slow
def test_the_card_says_whether_the_model_reads_what_was_declared(
    shop: Path, command: Callable[..., Any]
) -> None:
    simple, trees, chosen = (
        command(shop, "card", one).out for one in ("who-leaves/1", "who-leaves/2", "who-spends/2")
    )
    assert "- gender: the model itself reads it, as gender_is_f, gender_is_m;" in trees
    assert "- senior: the model itself reads it, as senior_is_true;" in trees
    assert "- age: the model itself reads it, as age;" in trees
    for told in (simple, chosen):
        assert "- gender: no feature of the model is made of it" in told
        assert "Flagged, in this audit, are the 25% with the highest predictions." in told
        assert re.search(r"\| gender \| f \| \d+ \|", told)


def test_an_audit_that_cannot_be_made_is_refused_before_anything_is_trained(
    tmp_path: Path, mlflow_home: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(tmp_path / "shop", mlflow_home, command)
    recipe = folder / "models" / "who-leaves.toml"
    for attributes, kind, told in (
        ('"gendre"', SettingsError, "'gendre'.*did you mean 'gender'.*There are gender, senior, age"),
        ('"born"', SettingsError, "'born'.*a day is none, cut it into bands"),
        ('"gender", "email"', DataError, "email has 240 different values, which are no groups"),
    ):
        recipe.write_text(RECIPE.format(**CHURN | {"attributes": attributes}), encoding="utf-8")
        said = command(folder, "train", "models/who-leaves.toml")
        assert said.code == EXIT_CODES[kind]
        assert re.search(told, said.err)
    recipe.write_text(RECIPE.format(**CHURN), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    said = command(folder, "train", "models/who-leaves.toml")
    assert said.code == EXIT_CODES[SettingsError]
    assert "pip install 'habitue[fairness]'" in said.err
    assert command(folder, "card", "who-leaves/1").code == EXIT_CODES[RegistryError]  # nothing was registered


def test_attributes_are_those_known_at_each_cutoff() -> None:
    log = hb.CustomerLog(
        transactions=pd.DataFrame(
            {"customer_id": ["a", "b", "a"], "timestamp": ["2024-01-01", "2024-01-02", "2024-04-01"],
             "amount": [5.0, 5.0, 5.0]}
        ),
        customers=pd.DataFrame(
            {"customer_id": ["a", "a", "b"], "plan": ["basic", "gold", "gold"], "member": [True, False, None],
             "age": [30, 31, None], "recorded_at": ["2024-01-01", "2024-03-01", "2024-02-01"]}
        ),
    )  # fmt: skip
    early, late = (pd.Timestamp(one).date() for one in ("2024-01-15", "2024-03-01"))
    table = read_attributes(log, [early, late], ["plan", "member", "age"])
    assert table.loc[(early, "a")].tolist() == ["basic", True, 30.0]
    assert (early, "b") not in table.index  # nobody knew
    assert table.loc[(late, "a")].tolist() == ["gold", False, 31.0]
    assert table.loc[(late, "b")].isna().tolist() == [False, True, True]
    history = log.until(late)
    made = features_made_of(history, learn_population(history), ["plan", "member", "age"])
    assert made == {"plan": (), "member": ("member_is_true",), "age": ("age",)}


# --- intervals, comparisons, reasons


@pytest.mark.slow
def test_coverage_is_what_a_score_of_that_day_and_the_days_after_say(
    shop: Path, command: Callable[..., Any], tables: dict[str, dict[str, pd.DataFrame]]
) -> None:
    spent = later(past=False).groupby("customer_id")["amount"].sum()
    for version in (1, 2):
        reference = f"who-spends/{version}"
        day = cutoff().date()
        told = command(
            shop, "score", "--model", reference, "--cutoff", day, "--no-reasons", "--output", "s.csv"
        )
        assert told.code == 0, told.err
        scores = pd.read_csv(shop / "s.csv").set_index("customer_id")
        outcome = spent.reindex(scores.index).fillna(0.0)
        inside = (scores["clv_lower"] <= outcome + 1e-9) & (outcome <= scores["clv_upper"] + 1e-9)
        table = tables[reference]["coverage"]
        overall = table[table["by"] == "everybody"].iloc[0]
        assert overall["share_inside"] == pytest.approx(inside.mean())
        assert overall["mean_width"] == pytest.approx((scores["clv_upper"] - scores["clv_lower"]).mean())
        assert set(table["stated"]) == {0.8}
        for by in ("tenth", "segment", "outcome"):
            rows = table[table["by"] == by]
            assert rows["n"].sum() == len(scores)
            for name in ("share_inside", "share_below", "share_above", "mean_width", "mean_score"):
                assert np.average(rows[name], weights=rows["n"]) == pytest.approx(overall[name])
        bought = table[table["group"] == "spent something"].iloc[0]
        assert bought["share_inside"] == pytest.approx(inside[outcome > 0].mean())
        assert (table["by"] == "one interval for all").sum() == 1


@pytest.mark.slow
def test_every_challenger_stands_against_every_other_model(
    tables: dict[str, dict[str, pd.DataFrame]],
) -> None:
    for reference, label in (("who-leaves/2", "LightGBM"), ("who-spends/1", "BG/NBD + gamma-gamma")):
        own, scores = tables[reference]["comparisons"], tables[reference]["scores"]
        values = scores.set_index(["model", "score"])["value"]
        assert set(own["model"]) == {label}
        assert set(own["rival"]) == set(scores["model"]) - {label}
        assert set(tables[reference]["segments"]["model"]) >= {label}
        for one in own.to_dict("records"):
            assert one["value"] == pytest.approx(values[label, one["score"]])
            assert one["rival_value"] == pytest.approx(values[one["rival"], one["score"]])
            clear = one["lower"] > 0.0 or one["upper"] < 0.0
            assert one["verdict"].startswith("clearly") == clear


@pytest.mark.slow
def test_stability_is_measured_where_it_is_asked_for(
    shop: Path, command: Callable[..., Any], tables: dict[str, dict[str, pd.DataFrame]]
) -> None:
    for version in ("who-leaves/1", "who-leaves/2"):
        table = tables[version]["stability"]
        assert set(table["level"]) == {"sentence", "feature", "pillar"}
        assert table["jaccard"].between(0.0, 1.0).all()
        assert "By 2 refits" in command(shop, "card", version).out
    assert "stability" not in tables["who-spends/2"]
    told = command(shop, "card", "who-spends/2").out
    assert "was not measured. It takes some refits" in told
    assert "`stability = 5` under `[card]`" in told


@pytest.mark.slow
def test_a_run_keeps_pictures_of_what_moves_predictions_most(store: Store, shop: Path) -> None:
    run = resolve(store, "who-leaves/2").run_id
    kept = {Path(one.path).stem for one in store.client().list_artifacts(run, "figures")}
    drawn = [name.removeprefix("dependence-") for name in kept if name.startswith("dependence-")]
    facts = json.loads(str(logged_text(store, run, "card.json")))
    assert sorted(facts["pictures"]) == sorted(drawn)
    assert drawn


# --- calibration, in words


def test_calibration_is_told_with_the_figures_it_was_chosen_by() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2.0, 5.0, 4_000)
    churned = rng.uniform(size=4_000) < p
    chosen = choose_calibrator(p**2 / (p**2 + (1 - p) ** 2), churned, np.arange(4_000) % 3)
    told = calibration_words(chosen.name, "auto", chosen.losses)
    assert isinstance(chosen.calibrator, PlattCalibrator)
    assert told.startswith("Platt's (a straight line in log-odds); taken as the simplest whose log loss")
    for name, row in chosen.losses.iterrows():
        assert f"{name} {row['log_loss']:.4f} (" in told
    assert told.count("the best)") == 1
    assert calibration_words(chosen.name, "auto", chosen.losses.to_dict("index")) == told
    assert calibration_words("isotonic", "isotonic", chosen.losses).endswith("as the recipe asks")
    assert "too few customers" in calibration_words("none", "auto", chosen.losses.iloc[:0])


def test_models_that_are_calibrated_by_nothing_say_nothing() -> None:
    assert calibration_told(hb.BGNBD()) is None
