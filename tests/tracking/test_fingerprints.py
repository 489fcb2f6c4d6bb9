from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from habitue.tracking.fingerprints import checksums, content_hash


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "spend": rng.gamma(2.0, 20.0, 30_000),
            "n": rng.integers(0, 9, 30_000),
            "plan": rng.choice(["a", "b"], 30_000),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, 30_000), unit="D"),
        }
    )


def last_spend(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[29_999, "spend"] = np.nextafter(frame.loc[29_999, "spend"], np.inf)  # beyond the first 10,000
    return frame


@pytest.mark.parametrize(
    "change",
    [
        last_spend,
        lambda f: f.iloc[::-1],
        lambda f: f[["n", "spend", "plan", "at"]],
        lambda f: f.rename(columns={"n": "m"}),
        lambda f: f.astype({"n": "int32"}),
        lambda f: f.iloc[:-1],
        lambda f: f.set_index(f.index + 1),
        lambda f: f.assign(n=f["n"].mask(f.index == 5)),
    ],
)
def test_any_change_is_seen(change) -> None:
    assert content_hash(change(table())) != content_hash(table())


def test_values_that_change_places_between_columns_are_seen() -> None:
    a = pd.DataFrame({"p": [1.0, 2.0], "q": [2.0, 1.0]})
    assert content_hash(a) != content_hash(a[["q", "p"]].set_axis(["p", "q"], axis=1))


def test_the_same_content_has_the_same_fingerprint_everywhere() -> None:
    assert content_hash(table()) == content_hash(table())
    known = content_hash(pd.DataFrame({"frequency": [2.0, 0.0], "T": [39, 38]}))
    assert known.startswith("99ca8104df61c98ed1054abe0a767674")


def test_checksums_name_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"abc")
    (tmp_path / "empty").write_bytes(b"")
    assert checksums(tmp_path) == {  # the examples of FIPS 180-4
        "a/b.txt": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "empty": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
