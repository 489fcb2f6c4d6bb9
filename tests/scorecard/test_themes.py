"""Themes of texts: planted ones are found again, trends are told where they are, examples are masked."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.scorecard.themes import find_themes, masked

WORDS = {
    "delivery": ["delivery", "late", "parcel", "courier", "delayed", "arrived"],
    "price": ["price", "expensive", "cost", "cheaper", "invoice", "charged"],
    "staff": ["staff", "friendly", "helpful", "rude", "service", "agent"],
}


def texts(n: int = 900, seed: int = 0, *, rising: str = "") -> tuple[pd.Series, pd.DatetimeIndex, list[str]]:
    draw = np.random.default_rng(seed)
    days = pd.date_range("2026-01-01", periods=n, freq="4h")
    about = list[str]()
    for place in range(n):
        odds = np.ones(len(WORDS))
        odds[list(WORDS).index(rising) if rising else 0] *= 0.3 + 2.0 * place / n if rising else 1.0
        about.append(str(draw.choice(list(WORDS), p=odds / odds.sum())))
    said = [" ".join(draw.choice(WORDS[one], 4, replace=False)) for one in about]
    return pd.Series(said), days, about


def test_planted_themes_are_found_again() -> None:
    said, days, about = texts()
    found = find_themes(said, day=days, n_themes=3)
    assert len(found.frame) == 3
    for name, words in WORDS.items():
        theme = np.bincount(found.labels[np.array(about) == name]).argmax()
        agreed = np.mean(found.labels[np.array(about) == name] == theme)
        assert agreed > 0.95
        assert set(found.frame["theme"][theme].split(", ")) <= set(words)
    assert found.frame["n"].sum() + found.n_without == found.n_texts == len(said)
    assert (found.frame["n"].diff().dropna() <= 0).all()


def test_counts_agree_with_labels_and_months_add_up() -> None:
    said, days, _ = texts()
    said[::7] = " "
    said[::11] = None
    found = find_themes(said, day=days, n_themes=3)
    assert (found.labels[said.isna() | (said == " ")] == -1).all()
    for place, row in enumerate(found.frame.to_dict("records")):
        assert row["n"] == (found.labels == place).sum()
        assert row["lower"] < row["share"] < row["upper"]
        assert found.by_month.loc[found.by_month["theme"] == row["theme"], "n"].sum() == row["n"]
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_theme_that_grows_is_told_and_steady_ones_are_not() -> None:
    said, days, about = texts(rising="price")
    found = find_themes(said, day=days, n_themes=3)
    theme = np.bincount(found.labels[np.array(about) == "price"]).argmax()
    assert found.frame["trend"][theme] == "rising"
    assert found.frame["after"][theme] > found.frame["before"][theme]


def test_steady_themes_hardly_ever_have_a_trend() -> None:
    told = [
        find_themes(*texts(300, seed)[:1], day=texts(300, seed)[1], n_themes=3).frame for seed in range(30)
    ]
    assert sum((frame["trend"] != "").any() for frame in told) <= 5  # 5 % expected: 1.5


def test_scores_are_means_of_those_there_are() -> None:
    said, days, about = texts(120)
    score = np.where(np.array(about) == "staff", 9.0, 3.0)
    score[np.array(about) == "price"] = np.nan
    found = find_themes(said, day=days, score=score, n_themes=3)
    by_name = {}
    for name in WORDS:
        by_name[name] = found.frame["score"][np.bincount(found.labels[np.array(about) == name]).argmax()]
    assert by_name["staff"] == 9.0
    assert by_name["delivery"] == 3.0
    assert np.isnan(by_name["price"])


def test_examples_are_of_their_theme_each_once_and_masked() -> None:
    said, days, _ = texts()
    said = said + " write to me@example.org or +49 170 1234567 see https://example.org/a?b"
    found = find_themes(said, day=days, n_themes=3)
    for examples in found.frame["examples"]:
        assert 1 <= len(set(examples)) == len(examples) <= 3
        assert all("example.org" not in one and "1234567" not in one for one in examples)


@given(st.text())
def test_masking_bears_any_text_and_keeps_it_short(text: str) -> None:
    assert len(masked(text)) <= 200
    assert masked(masked(text)) == masked(text)


def test_the_same_texts_give_the_same_themes() -> None:
    said, days, _ = texts(200)
    one, again = (find_themes(said, day=days, n_themes=4) for _ in range(2))
    pd.testing.assert_frame_equal(one.frame, again.frame)
    assert (one.labels == again.labels).all()


@pytest.mark.parametrize(
    ("said", "given", "error", "words"),
    [
        (["late"] * 29, {}, DataError, "29 texts with words, and themes need 30"),
        (
            [f"only{'abcdefghijklmnopqrstuvwxyz'[i % 26] * (i + 2)}" for i in range(40)],
            {},
            DataError,
            "share no",
        ),
        (["late parcel"] * 40, {"score": [1.0]}, DataError, "a day and a score"),
        (["late parcel"] * 40, {"n_themes": 1}, SettingsError, "n_themes from 2"),
        (["late parcel"] * 40, {"confidence": 0.0}, SettingsError, "between 0 and 1"),
    ],
)
def test_what_has_no_themes_is_said(
    said: list[str], given: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        find_themes(pd.Series(said), day=pd.date_range("2026-01-01", periods=len(said)), **given)
