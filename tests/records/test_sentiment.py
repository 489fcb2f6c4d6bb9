"""Sentiment: a text's own, scored once, missing where nothing was written."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records import CustomerLog, sentiment
from habitue.records.sentiment import annotate_sentiment, score_sentiment

try:
    installed = hasattr(importlib.import_module("vader"), "SentimentIntensityAnalyzer")
except ImportError:
    installed = False
needs_library = pytest.mark.skipif(not installed, reason="the extra `text` (nltk-vader-sentiment) is absent")

GOOD = (
    "I love this shop, everything arrived on time.",
    "Great quality and very friendly support.",
    "The delivery was fast and the box was perfect.",
    "Not bad at all, I would buy again.",
    "Best purchase I made this year!",
    "My problem was solved within an hour, thank you.",
    "I have recommended it to all my friends.",
    "The new version is much better than the old one.",
    "Super easy to use and cheap too.",
    "I had doubts, but the product is excellent.",
)
BAD = (
    "Terrible service, I waited three weeks for an answer.",
    "The zip broke after two days.",
    "Not good at all.",
    "The support was useless and rude.",
    "Not worth the price.",
    "The app keeps crashing, very annoying.",
    "I am disappointed with the quality.",
)
PLAIN = (
    "The parcel came on Tuesday.",
    "I ordered the blue one in size M.",
    "Where can I find the invoice?",
    "The box holds twelve bottles.",
)


@needs_library
def test_what_is_said_plainly_is_understood():
    assert (score_sentiment(GOOD) > 0).all()
    assert (score_sentiment(BAD) < 0).all()
    assert (score_sentiment(PLAIN) == 0).all()


@needs_library
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.none() | st.text() | st.sampled_from(GOOD + BAD), max_size=8),
    st.randoms(use_true_random=False),
)
def test_a_score_is_the_texts_own(texts, random):
    scores = score_sentiment(texts)
    assert scores.shape == (len(texts),)
    assert all(-1 <= score <= 1 for score in scores if score == score)
    silent = [text is None or not text.strip() for text in texts]
    assert list(np.isnan(scores)) == silent
    order = random.sample(range(len(texts)), len(texts))
    np.testing.assert_array_equal(score_sentiment([texts[place] for place in order]), scores[order])
    for text, score in zip(texts, scores, strict=True):
        np.testing.assert_array_equal(score_sentiment([text]), [score])


@needs_library
def test_long_and_odd_texts():
    scores = score_sentiment(["good " * 20000, "???", "😀", "\x00 great", "Das gefällt mir."])
    assert scores[0] > 0.99
    assert list(scores[[1, 4]]) == [0, 0]
    assert (scores[[2, 3]] > 0).all()


@needs_library
def test_frames_and_arrow_tables_agree_and_stay_as_they_were():
    texts = ["I love it.", None, "   ", "It broke, terrible."]
    frame = pd.DataFrame({"customer_id": [1, 2, 3, 4], "words": texts}, index=[7, 7, 8, 9])
    before = frame.copy()
    told = annotate_sentiment(frame, text="words")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(told.drop(columns="sentiment"), before)
    assert list(told["sentiment"].isna()) == [False, True, True, False]

    table = pa.table({"customer_id": [1, 2, 3, 4], "words": texts})
    arrow = annotate_sentiment(table, text="words")
    assert arrow.column_names == ["customer_id", "words", "sentiment"]
    assert arrow["sentiment"].null_count == 2
    np.testing.assert_array_equal(arrow["sentiment"].to_pandas(), told["sentiment"])
    polars = annotate_sentiment(pl.from_arrow(table).to_arrow(), text="words")
    assert polars["sentiment"].equals(arrow["sentiment"])


@needs_library
@pytest.mark.parametrize("dtype", ["str", "object", "category", "string[python]", pd.ArrowDtype(pa.string())])
def test_all_types_of_text_are_read(dtype):
    frame = pd.DataFrame({"text": pd.Series(["Great!", None, "Awful."], dtype=dtype)})
    good, none, bad = annotate_sentiment(frame)["sentiment"]
    assert good > 0 > bad
    assert none != none


@needs_library
def test_empty_tables_get_an_empty_column():
    assert list(annotate_sentiment(pd.DataFrame({"text": []}, dtype=object)).columns) == ["text", "sentiment"]
    table = annotate_sentiment(pa.table({"text": pa.array([], pa.string())}))
    assert table.schema.field("sentiment").type == pa.float64()


@needs_library
def test_a_log_takes_what_was_annotated():
    day = ["2024-01-05"]
    answers = {
        "customer_id": [1],
        "timestamp": day,
        "survey": ["review"],
        "score": [1],
        "text": ["Awful, rude."],
    }
    buys = pd.DataFrame({"customer_id": [1], "timestamp": day, "amount": [5]})
    log = CustomerLog(transactions=buys, feedback=annotate_sentiment(pd.DataFrame(answers)))
    (score,) = log.engine.rows("SELECT sentiment FROM feedback")[0]
    assert score == score_sentiment(answers["text"])[0] < 0


@needs_library
@pytest.mark.parametrize("strange", [3.5, b"good", ["good"], True])
def test_what_is_no_text_is_refused(strange):
    with pytest.raises(DataError, match="Sentiment is that of texts; got"):
        score_sentiment(["good", strange])


def test_columns_are_refused_by_name():
    frame = pd.DataFrame({"words": ["good"], "score": [3]})
    with pytest.raises(
        SchemaError, match=r"'text', is missing\. The columns there are: words, score\. Say which"
    ):
        annotate_sentiment(frame)
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(SchemaError, match="'text', is there more than once"):
        annotate_sentiment(twice)
    with pytest.raises(SchemaError, match="There is a column 'sentiment' already"):
        annotate_sentiment(pa.table({"text": ["good"], "sentiment": [1.0]}))
    with pytest.raises(SettingsError, match=r"got list\. Texts alone are scored by score_sentiment"):
        annotate_sentiment(["good"])


def test_the_extra_is_asked_for_where_it_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "vader", None)
    with pytest.raises(SettingsError, match=r"one more package: pip install 'habitue\[text\]'"):
        score_sentiment(["good"])
    monkeypatch.setitem(sys.modules, "vader", sys)  # another package with a module of this name
    with pytest.raises(SettingsError, match=r"pip install 'habitue\[text\]'"):
        score_sentiment(["good"])


def test_the_lexicon_is_not_loaded_before_it_is_needed():
    told = "import sys, habitue, habitue.records.sentiment; sys.exit('vader' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0
    assert sentiment.__all__ == ["annotate_sentiment", "score_sentiment"]
