"""Sentiment of what customers write: one number a text, from -1 to 1, by VADER's lexicon and rules.

Scores are made before a log is: `annotate_sentiment` gives a table of feedback the column ``sentiment`` that
features read. The library (``nltk-vader-sentiment``, the extra ``text``) is loaded when the first text is
scored; nothing is downloaded. It knows English only: a text in another language scores near 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from habitue.errors import DataError, SchemaError, SettingsError

__all__ = ["annotate_sentiment", "score_sentiment"]

Table = TypeVar("Table", pd.DataFrame, pa.Table)

_COLUMN = "sentiment"


def score_sentiment(texts: Iterable[str | None]) -> npt.NDArray[np.float64]:
    """Return the sentiment of each text.

    Parameters
    ----------
    texts : iterable of str or None
        What customers wrote; None (or NaN) where they wrote nothing.

    Returns
    -------
    ndarray of float64
        From -1 (negative) to 1 (positive); 0 where no word of a text is known. Missing where there is no
        text, or only blanks: who wrote nothing was not neutral.

    Raises
    ------
    SettingsError
        Where the extra ``text`` is not installed.
    DataError
        Where something else than text is among the texts.

    Notes
    -----
    VADER's compound score [1]_. It depends on the text alone, so equal texts are scored once. It is a sum
    pressed into (-1, 1): long texts lie nearer to the ends than short ones of the same mood. Words are
    weighed, irony is not understood.

    References
    ----------
    .. [1] Hutto, C. J. and Gilbert, E. (2014). VADER: A parsimonious rule-based model for sentiment analysis
       of social media text. ICWSM.

    Examples
    --------
    >>> score_sentiment(["Great service, thank you!", None])  # doctest: +SKIP
    array([0.784,   nan])
    """
    known: dict[str, float] = {}
    score = _scorer()
    values = [_once(text, known, score) for text in texts]
    return np.array(values, dtype=np.float64)


def annotate_sentiment(feedback: Table, *, text: str = "text") -> Table:
    """Return a table of feedback with the sentiment of its texts as one more column.

    Parameters
    ----------
    feedback : pandas.DataFrame or pyarrow.Table
        One row an answer; it is not changed.
    text : str
        Column that holds what was written.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        As `feedback`, with the column ``sentiment`` last; see `score_sentiment`.

    Raises
    ------
    SchemaError
        Where there is no column of texts, or one named ``sentiment`` already.
    SettingsError
        Where the extra ``text`` is not installed, or `feedback` is something else.
    DataError
        Where the column holds something else than text.

    Examples
    --------
    >>> answers = pd.DataFrame({"customer_id": [1, 2], "text": ["I love it.", "It broke, terrible."]})
    >>> annotate_sentiment(answers)  # doctest: +SKIP
       customer_id                 text  sentiment
    0            1           I love it.     0.6369
    1            2  It broke, terrible.    -0.7096
    """
    if not isinstance(feedback, pd.DataFrame | pa.Table):
        raise SettingsError(
            "annotate_sentiment takes a pandas.DataFrame or a pyarrow.Table (of Polars: frame.to_arrow()); "
            f"got {type(feedback).__name__}. Texts alone are scored by score_sentiment."
        )
    _refuse_columns([str(name) for name in _names(feedback)], text)
    if isinstance(feedback, pd.DataFrame):
        return feedback.assign(**{_COLUMN: score_sentiment(feedback[text])})
    texts = feedback[text].to_pylist()
    return feedback.append_column(_COLUMN, pa.array(score_sentiment(texts), from_pandas=True))


def _names(feedback: pd.DataFrame | pa.Table) -> list[Any]:
    return list(feedback.columns) if isinstance(feedback, pd.DataFrame) else list(feedback.column_names)


def _refuse_columns(there: list[str], text: str) -> None:
    if there.count(text) != 1:
        told = "is missing" if text not in there else "is there more than once"
        raise SchemaError(
            f"The column of texts, {text!r}, {told}. The columns there are: {', '.join(there)}. "
            "Say which it is with text=."
        )
    if _COLUMN in there:
        raise SchemaError(f"There is a column {_COLUMN!r} already; drop or rename it to have it made anew.")


def _once(text: Any, known: dict[str, float], score: Callable[[str], float]) -> float:
    """Score a text, or look it up where it was scored before."""
    if not isinstance(text, str):
        if pd.api.types.is_scalar(text) and pd.isna(text):
            return np.nan
        raise DataError(f"Sentiment is that of texts; got {text!r} ({type(text).__name__}).")
    if text not in known:
        known[text] = score(text) if text.strip() else np.nan
    return known[text]


def _scorer() -> Callable[[str], float]:
    """Load the lexicon; other packages too call their module ``vader``, so the class is asked for."""
    try:
        analyzer: Any = import_module("vader").SentimentIntensityAnalyzer()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            "The sentiment of texts needs one more package: pip install 'habitue[text]'."
        ) from error
    return lambda text: float(analyzer.polarity_scores(text)["compound"])
