"""Pseudonyms: RFC 7693 to the letter, one customer one pseudonym, and the rest of a table as it was."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records import pseudonyms
from habitue.records.customer_ids import customer_id_sql
from habitue.records.engine import DuckDBEngine
from habitue.records.pseudonyms import Pseudonymised, as_customer_id, copy_pseudonymised, pseudonym
from habitue.records.sources import open_source

KEY = b"sixteen bytes or more of secret"

_IV = [
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
]  # fmt: skip
_SIGMA = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]


def rfc7693(message: bytes, key: bytes, size: int) -> str:
    """BLAKE2b as section 3 of the RFC says it, for messages of one or more blocks."""
    mask = (1 << 64) - 1

    def rotated(value: int, by: int) -> int:
        return (value >> by | value << (64 - by)) & mask

    h = [_IV[0] ^ 0x01010000 ^ len(key) << 8 ^ size, *_IV[1:]]
    data = (key.ljust(128, b"\0") if key else b"") + message
    blocks = [data[i : i + 128] for i in range(0, len(data), 128)] or [b""]
    done = 0
    for place, block in enumerate(blocks):
        done += len(block)
        m = struct.unpack("<16Q", block.ljust(128, b"\0"))
        v = h + _IV
        v[12] ^= done & mask
        v[14] ^= mask if place == len(blocks) - 1 else 0
        for turn in range(12):
            s = _SIGMA[turn % 10]
            for i in range(8):
                a, b, c, d = (
                    (i, i + 4, i + 8, i + 12)
                    if i < 4
                    else (i - 4, 4 + (i - 3) % 4, 8 + (i - 2) % 4, 12 + (i - 1) % 4)
                )
                for word, by_d, by_b in ((m[s[2 * i]], 32, 24), (m[s[2 * i + 1]], 16, 63)):
                    v[a] = (v[a] + v[b] + word) & mask
                    v[d] = rotated(v[d] ^ v[a], by_d)
                    v[c] = (v[c] + v[d]) & mask
                    v[b] = rotated(v[b] ^ v[c], by_b)
        h = [h[i] ^ v[i] ^ v[i + 8] for i in range(8)]
    return struct.pack("<8Q", *h)[:size].hex()


def copied(source: Any, target: Path, **options: Any) -> Pseudonymised:
    engine = DuckDBEngine()
    given_options = {"key": KEY, "ids": ["customer_id"], **options}
    return copy_pseudonymised(engine, open_source(engine, source), target, **given_options)


# --- one id


def test_the_oracle_knows_the_example_of_the_rfc() -> None:
    told = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    assert rfc7693(b"abc", b"", 64).startswith(told)


@given(key=st.binary(min_size=16, max_size=64), who=st.text("ab0\u00e9\U0001f600 ", min_size=1, max_size=200))
@settings(max_examples=25)
def test_a_pseudonym_is_the_keyed_hash_of_the_rfc(key: bytes, who: str) -> None:
    told = as_customer_id(who)
    if told is None:
        with pytest.raises(DataError, match="no customer id"):
            pseudonym(key, who)
        return
    assert pseudonym(key, who) == rfc7693(told.encode(), key, 16)
    assert pseudonym(key, who) == hashlib.blake2b(told.encode(), key=key, digest_size=16).hexdigest()


_ENGINE = DuckDBEngine(threads=1)
_WRITTEN = st.one_of(
    st.integers(-(10**19), 10**19).map(str),
    st.integers(0, 99).map(lambda n: f" {n}.0\t"),
    st.integers(0, 99).map(lambda n: f"0{n}"),
    st.sampled_from(
        ["nan", " NULL", "N/A", "<na>", "NaT", "", "1e5", "+1", "1.50", "A\u00a0", "é", "0", "Nan1"]
    ),
    st.text("01.-eA \u00a0n/a", max_size=6),
)


@given(ids=st.lists(_WRITTEN, min_size=1, max_size=20))
@settings(max_examples=60)
def test_ids_are_written_as_the_door_reads_them(ids: list[str]) -> None:
    engine = _ENGINE
    engine.register("given", pa.table({"n": range(len(ids)), "who": pa.array(ids, pa.string())}))
    engine.execute("CREATE OR REPLACE TABLE raw_rows AS SELECT * FROM given")
    sql = customer_id_sql(engine, "who", "VARCHAR")
    read = [row[0] for row in engine.rows(f"SELECT CAST({sql} AS VARCHAR) FROM raw_rows ORDER BY n")]
    # Minus zero aside, which the door calls 0 among numbers and -0 among texts.
    told = [as_customer_id(one) for one in ids]
    assert ["0" if one == "-0" else one for one in told] == ["0" if one == "-0" else one for one in read]


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_of_the_wrong_length_is_refused_and_not_shown(length: int) -> None:
    key = (b"top-secret" * 7)[:length]
    with pytest.raises(SettingsError, match=r"16 to 64 bytes; it has \d+. Make one with") as refused:
        pseudonym(key, 1)
    assert "top" not in str(refused.value)


def test_another_key_gives_other_pseudonyms() -> None:
    ids = range(500)
    first, second = ({pseudonym(key, one) for one in ids} for key in (KEY, KEY[::-1]))
    assert len(first) == len(second) == 500
    assert not first & second


# --- a table


@pytest.fixture
def people() -> pa.Table:
    return pa.table(
        {
            "customer_id": pa.array([3, None, 1, 3], pa.int32()),
            "email": ["c@example.org", None, "a@example.org", "c@example.org"],
            "at": [datetime(2024, 1, 1, 12), None, datetime(2024, 1, 2), datetime(2024, 1, 3)],
            "day": [date(2024, 1, 1), date(2024, 1, 2), None, date(2024, 1, 3)],
            "amount": [Decimal("1.50"), Decimal("-2.25"), None, Decimal("0.00")],
            "count": pa.array([1, 2, None, 4], pa.int64()),
            "note": ['says "hi", twice', "two\nlines", "", None],
        }
    )


def test_all_but_ids_and_personal_columns_stay_as_they_were(people: pa.Table, tmp_path: Path) -> None:
    pq.write_table(people, tmp_path / "people.parquet")
    done = copied(tmp_path / "people.parquet", tmp_path / "safe.parquet", drop=["email"])
    safe = pq.read_table(tmp_path / "safe.parquet")
    assert safe.select(done.kept).equals(people.drop_columns(["customer_id", "email"]))
    expected = [None if one is None else pseudonym(KEY, one) for one in [3, None, 1, 3]]
    assert safe["customer_id"].to_pylist() == expected
    assert done.replaced == {"customer_id": 3}
    assert done.missing == {"customer_id": 1}
    assert (done.n_rows, done.dropped) == (4, ("email",))
    assert b"example.org" not in (tmp_path / "safe.parquet").read_bytes()


def test_a_csv_file_keeps_order_texts_and_delimiter(csv_file: Callable[..., Path], tmp_path: Path) -> None:
    rows = [f'{n % 7}.0;"{n:05d}";"1,5";"a ""b""; c"' for n in range(30_000)]
    source = csv_file(gzip.compress("\n".join(["customer_id;code;amount;note", *rows]).encode()), "o.csv.gz")
    done = copied(source, tmp_path / "safe.csv", file_format="csv")
    frame = pd.read_csv(tmp_path / "safe.csv", sep=";", dtype=str)
    assert list(frame["code"]) == [f"{n:05d}" for n in range(30_000)]
    assert list(frame["customer_id"]) == [pseudonym(KEY, n % 7) for n in range(30_000)]
    assert set(frame["amount"]) == {"1,5"}
    assert set(frame["note"]) == {'a "b"; c'}
    assert done.n_rows == 30_000


def test_ids_join_whatever_their_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "_CHUNK", 3)
    forms = {
        "int": pa.array([1, 2, 30, 4, 1]),
        "float": pa.array([1.0, 2.0, 30.0, 4.0, 1.0]),
        "text": pa.array(["1", " 2", "30.0", "4", "1.00"]),
        "category": pa.array(["1", "2", "30", "4", "1"]).dictionary_encode(),
    }
    for name, ids in forms.items():
        pq.write_table(pa.table({"customer_id": ids}), tmp_path / f"{name}.parquet")
        copied(tmp_path / f"{name}.parquet", tmp_path / "safe.parquet")
        read = pq.read_table(tmp_path / "safe.parquet")["customer_id"].to_pylist()
        assert read == [pseudonym(KEY, one) for one in (1, 2, 30, 4, 1)], name


def test_leading_zeros_are_another_customer(csv_file: Callable[..., Path], tmp_path: Path) -> None:
    source = csv_file("customer_id,referrer\n00123,123\n123,00123\n")
    copied(source, tmp_path / "safe.csv", ids=["customer_id", "referrer"], file_format="csv")
    frame = pd.read_csv(tmp_path / "safe.csv", dtype=str)
    assert list(frame["customer_id"]) == list(frame["referrer"])[::-1]
    assert frame["customer_id"].nunique() == 2


def test_broken_lines_are_left_out_and_counted(csv_file: Callable[..., Path], tmp_path: Path) -> None:
    source = csv_file("customer_id,note\n1,a\n2,b,too many\n3,c\n")
    done = copied(source, tmp_path / "safe.csv", file_format="csv")
    assert (done.n_rows, sum(done.left_out.values())) == (2, 1)
    assert "too many" not in (tmp_path / "safe.csv").read_text()


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"ids": ["who"]}, SchemaError, "missing who. The columns there are: customer_id, email"),
        ({"drop": ["e-mail"]}, SchemaError, "missing e-mail"),
        ({"ids": []}, SettingsError, "none is named"),
        ({"drop": ["customer_id"]}, SettingsError, "customer_id cannot be both"),
        ({"key": b"short"}, SettingsError, "16 to 64 bytes"),
    ],
)
def test_what_cannot_be_done_is_refused(
    people: pa.Table, tmp_path: Path, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        copied(people, tmp_path / "safe.parquet", **options)
    assert not (tmp_path / "safe.parquet").exists()


def test_lists_need_parquet(tmp_path: Path) -> None:
    table = pa.table({"customer_id": [1], "tags": [["a"]]})
    with pytest.raises(DataError, match="could not be written as csv"):
        copied(table, tmp_path / "safe.csv", file_format="csv")
    copied(table, tmp_path / "safe.parquet")
    assert pq.read_table(tmp_path / "safe.parquet")["tags"].to_pylist() == [["a"]]
