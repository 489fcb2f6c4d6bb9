"""Pseudonymising files: they still join, nothing personal is left, and the key is nowhere."""

from __future__ import annotations

import logging
import tempfile
import traceback
from pathlib import Path

import pandas as pd
import pytest

from habitue.errors import DataError, HabitueError, SchemaError, SettingsError
from habitue.pipelines.pseudonymise import KEY_VARIABLE, looks_personal, pseudonymise, read_key
from habitue.records import read_log
from habitue.records.pseudonyms import pseudonym

SECRET = "never-to-be-seen-5f0c2d"
KEY = SECRET.encode()


@pytest.fixture
def business(tmp_path: Path) -> Path:
    """Orders in a compressed CSV, tickets in a folder of Parquet files, people in a CSV of another kind."""
    folder = tmp_path / "business"
    (folder / "tickets").mkdir(parents=True)
    ids = ["00123", "123", "7.0", "", "c-ü;1", "123"]
    orders = pd.DataFrame({"customer_id": ids, "timestamp": "2024-01-05", "amount": range(6)})
    orders.to_csv(folder / "orders.2024.csv.gz", index=False)
    tickets = pd.DataFrame({"customer_id": ["123", "00123", "7"], "opened_at": "2024-01-06"})
    tickets.to_parquet(folder / "tickets" / "part-0.parquet", index=False)
    tickets.assign(customer_id="c-ü;1").to_parquet(folder / "tickets" / "part-1.parquet", index=False)
    people = pd.DataFrame(
        {
            "Kunde": ["00123", "123", "7", "c-ü;1"],
            "geworben_von": ["123", None, "00123", "7"],
            "E-Mail": [f"person{n}@example.org" for n in range(4)],
            "Geburtsdatum": ["1980-02-0" + str(n) for n in range(1, 5)],
            "segment": list("abab"),
        }
    )
    people.to_csv(folder / "people.csv", index=False, sep=";")
    return folder


def sources(business: Path) -> list[Path]:
    return [business / name for name in ("orders.2024.csv.gz", "tickets", "people.csv")]


def safe_copies(business: Path, output: Path) -> dict[str, pd.DataFrame]:
    done = pseudonymise(
        sources(business),
        output,
        key=KEY,
        ids=["customer_id", "Kunde", "geworben_von"],
        drop=["E-Mail", "Geburtsdatum"],
    )
    assert list(done) == [output / name for name in ("orders.2024.csv", "tickets.parquet", "people.csv")]
    return {
        "orders": pd.read_csv(output / "orders.2024.csv", dtype={"customer_id": str}),
        "tickets": pd.read_parquet(output / "tickets.parquet"),
        "people": pd.read_csv(output / "people.csv", sep=";", dtype=str),
    }


def test_files_join_as_before(business: Path, tmp_path: Path) -> None:
    safe = safe_copies(business, tmp_path / "safe")
    names = {one: pseudonym(KEY, one) for one in ("00123", "123", "7", "c-ü;1")}
    assert list(safe["people"]["Kunde"]) == list(names.values())
    assert list(safe["people"]["geworben_von"].dropna()) == [names[one] for one in ("123", "00123", "7")]
    assert safe["tickets"]["customer_id"].value_counts()[names["c-ü;1"]] == 3
    joined = safe["orders"].merge(safe["people"], left_on="customer_id", right_on="Kunde")
    assert list(joined["amount"]) == [0, 1, 2, 4, 5]
    assert list(joined["segment"]) == ["a", "b", "a", "b", "b"]


def test_the_log_is_the_same_but_for_names(tmp_path: Path) -> None:
    """Whatever the door makes of the ids, customers are parted as before; only their names change."""
    rows = {"customer_id": [1, 2, 1, 3, 2, 1], "timestamp": "2024-01-05", "amount": [1, 2, 3, 4, 5, 6.5]}
    pd.DataFrame(rows).to_csv(tmp_path / "orders.csv", index=False)
    pseudonymise([tmp_path / "orders.csv"], tmp_path / "safe.parquet", key=KEY)
    logs = [read_log(tmp_path / name) for name in ("orders.csv", "safe.parquet")]
    sums = "SELECT customer_id, sum(amount) FROM transactions GROUP BY 1"
    before, after = (dict(log.engine.rows(sums)) for log in logs)
    assert after == {pseudonym(KEY, who): total for who, total in before.items()}


def test_nothing_personal_is_left_anywhere(
    business: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    safe = safe_copies(business, tmp_path / "safe")
    assert list(safe["people"]) == ["Kunde", "geworben_von", "segment"]
    for path in (tmp_path / "safe").iterdir():
        for trace in (b"example.org", b"1980", b"00123", "c-ü".encode(), b"E-Mail"):
            assert trace not in path.read_bytes(), (path, trace)
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


def test_the_key_is_nowhere(
    business: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "secret" / "habitue.key"
    file.parent.mkdir()
    file.write_text(SECRET + "\n")
    key = read_key(file, {})
    said: list[str] = []
    output = tmp_path / "safe"
    done = pseudonymise([business / "people.csv"], output, key=key, ids=["Kunde"], progress=said.append)
    for change in ({"ids": ["who"]}, {"drop": ["Kunde"]}, {"drop": ["what"]}):
        with pytest.raises(HabitueError) as refused:
            pseudonymise([business / "people.csv"], output, key=key, **{"ids": ["Kunde"], **change})
        said += traceback.format_exception(refused.value)
    told = "".join([repr(done), *said, caplog.text, *capfd.readouterr()])
    for form in (SECRET, repr(key), key.hex()):
        assert form not in told
        assert not [path for path in output.rglob("*") if form.encode() in path.read_bytes()]


def test_the_key_may_be_in_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\r\n")
    assert read_key(tmp_path / "key", {}) == read_key(None, {KEY_VARIABLE: f" {SECRET}\n"}) == KEY
    assert read_key(tmp_path / "key", {KEY_VARIABLE: "another key of some length"}) == KEY


def test_a_missing_or_short_key_is_answered_with_how_to_make_one(tmp_path: Path) -> None:
    for environment in ({}, {KEY_VARIABLE: " "}, {KEY_VARIABLE: "short"}):
        with pytest.raises(SettingsError, match=r"secrets.token_hex\(32\)"):
            read_key(None, environment)
    with pytest.raises(SettingsError, match="No such file") as refused:
        read_key(tmp_path / SECRET, {})
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_name_that_no_source_has_is_refused_before_anything_is_written(
    business: Path, tmp_path: Path
) -> None:
    ids = ["customer_id", "Kunde"]
    with pytest.raises(SchemaError, match=r"No column is called email\. Those there are: customer_id, "):
        pseudonymise(sources(business), tmp_path / "safe", key=KEY, ids=ids, drop=["email"])
    with pytest.raises(SchemaError, match=r"people.csv has no column customer_id; .* --id-column"):
        pseudonymise(sources(business), tmp_path / "safe", key=KEY)
    with pytest.raises(DataError, match="There is no file"):
        pseudonymise([*sources(business), business / "more.csv"], tmp_path / "safe", key=KEY, ids=ids)
    assert not (tmp_path / "safe").exists()


def test_a_source_is_never_replaced(business: Path, tmp_path: Path) -> None:
    people, tickets = business / "people.csv", business / "tickets"
    for given, output in (
        ([people], people),
        ([people], business),
        ([tickets], tickets / "safe.parquet"),
        ([tickets], tickets),
    ):
        with pytest.raises(SettingsError, match="choose another --output"):
            pseudonymise(given, output, key=KEY, ids=["Kunde", "customer_id"])
    with pytest.raises(SettingsError, match="one file for 2 sources"):
        pseudonymise([people, tickets], tmp_path / "safe.csv", key=KEY)
    (tmp_path / "people.csv").write_bytes(people.read_bytes())
    with pytest.raises(SettingsError, match="Two sources have one name"):
        pseudonymise([people, tmp_path / "people.csv"], tmp_path / "safe", key=KEY)


def test_an_interrupted_copy_leaves_the_one_before(
    business: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "safe" / "people.csv"
    pseudonymise([business / "people.csv"], output, key=KEY, ids=["Kunde"])
    before = output.read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("habitue.records.pseudonyms._pseudonyms", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pseudonymise([business / "people.csv"], output, key=KEY, ids=["Kunde"], drop=["E-Mail"])
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["people.csv"]


def test_columns_that_sound_personal_are_noticed() -> None:
    personal = ["Email", "contact_email", "PhoneNumber", "Vorname", "last name", "Date of Birth", "IP", "PLZ"]
    others = ["order_date", "Product Name", "campaign_name", "amount", "segment", "shipping", "trip", "plan"]
    assert set(looks_personal([*personal, *others])) >= {*personal} - {"PhoneNumber"}
    assert not set(looks_personal(others))
