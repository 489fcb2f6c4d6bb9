"""Tables without some customers: ids as the door reads them, and the other rows as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from habitue.pipelines.forget import forget


@pytest.mark.parametrize(
    ("stored", "asked", "left"),
    [
        (pd.Series([7, 70, 8]), "7.0", 2),
        (pd.Series([7.0, np.nan, 8]), " 7", 2),
        (pd.Series(["007", "7", "7.0"]), "7", 1),
        (pd.Series(["007", "7", "7.0"]), "007", 2),
        (pd.Series(["a;b", 'say "a"', "é"]), 'say "a"', 2),
        (pd.Series(["a", "b", "a"], dtype="category"), "a", 1),
        (pd.Series([7, 70, 8]), "8" * 30, 3),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_ids_are_read_as_the_door_reads_them(
    stored: pd.Series, asked: str, left: int, name: str, tmp_path: Path
) -> None:
    table = pd.DataFrame({"customer_id": stored, "amount": 7, "text": "7,\n7"})
    path = tmp_path / name
    table.to_csv(path, index=False) if name.endswith("csv") else table.to_parquet(path)
    forget([asked], files=[path])
    after = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
    assert len(after) == left


def test_a_number_in_quarantine_is_an_id_only_where_ids_stand(tmp_path: Path) -> None:
    raw = ['{"Kunde":7,"n":1}', '{"Kunde":"8","n":7}', '{"Kunde":null,"n":7}', "7;2024-01-01", "9;70;x"]
    frame = pd.DataFrame({"row": range(5), "reason": "r", "raw": raw})
    for name in ("q.csv", "q.parquet"):
        frame.to_csv(tmp_path / name) if name == "q.csv" else frame.to_parquet(tmp_path / name)
        (found,) = forget(["7"], files=[tmp_path / name], id_columns=["Kunde"]).found
        assert found.n_rows == 2
        after = pd.read_csv(tmp_path / name) if name == "q.csv" else pd.read_parquet(tmp_path / name)
        assert list(after["row"]) == [1, 2, 4]


def test_a_link_and_the_rights_of_a_file_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "real.csv", tmp_path / "link.csv"
    path.write_text("customer_id\na\nb\n")
    path.chmod(0o600)
    link.symlink_to(path)
    forget(["a"], files=[link])
    assert link.is_symlink()
    assert path.read_text() == "customer_id\nb\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        '\ufeffcustomer_id;note\r\na;x\r\nb;"y\r\na;z"\r\n\r\nc;ü'.encode(),
        'customer_id;note\na;x\nb;"y\na;z"\n\nc;ü'.encode("cp1252"),
    ],
)
def test_other_rows_stay_byte_for_byte(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    forget(["a"], files=[path])
    assert path.read_bytes() == content.replace(b"a;x\r\n", b"").replace(b"a;x\n", b"")
