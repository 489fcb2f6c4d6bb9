"""What customers write about: texts of reviews and tickets in themes, with counts, trends and examples.

Small and offline: words and pairs of words are weighed by how rare they are (TF-IDF) and factored into themes
that add up to the texts (non-negative matrix factorisation). No language is assumed, nothing is downloaded.
A theme is named by its own words; what to call it is for a person to say. Examples are shown with addresses,
numbers and links masked; a name in running text is not recognised, so examples are for those who may read
what customers wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from habitue.errors import DataError, SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.numerics.many_tests import holm
from habitue.numerics.shares import wilson_interval
from habitue.scorecard.measures import check_confidence
from habitue.vocabulary import one_or_many

__all__ = ["Themes", "count_themes", "find_themes", "masked"]

_FEWEST_TEXTS = 30
"""Texts below which no theme can be told from chance."""

_IN_TEXTS = 3
"""Texts in which a word has to stand to be one of a theme."""

_COMMON = 0.5
"""Share of the texts from which on a word tells none of them apart."""

_MOST_WORDS = 5_000
_MOST_TEXTS = 50_000
"""Texts that themes are learned from; all are counted."""

_CLEAR = 0.35
"""Share of a text's weight that its strongest theme has to have; below, the text is of no theme."""

_HEAVY = 0.25
"""Of the weight of a theme's heaviest word: lighter ones do not name it."""

_LONGEST = 200
"""Characters of an example."""

_MASKS: Final = (
    (re.compile(r"https?://\S+|www\.\S+"), "[link]"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[e-mail]"),
    (re.compile(r"(?<!\w)[+(]?\d[\d ()./-]{5,}\d"), "[number]"),
)


@dataclass(frozen=True)
class Themes:
    """What texts are about.

    Attributes
    ----------
    frame : DataFrame
        One row a theme, the most frequent first: theme (its words), n, share with lower and upper, before and
        after (its share in the earlier and the later half of the days), trend ("rising", "falling" or "",
        where chance explains the difference), score (mean of the scores that came with its texts; NaN where
        none did), examples (tuple of texts, masked).
    by_month : DataFrame
        month (Period), theme, n, n_texts.
    n_texts, n_without : int
        Texts with words, and how many of them are of no theme.
    labels : ndarray of shape (n_rows,)
        The row of `frame` that each text is of; -1 where none.
    """

    frame: pd.DataFrame
    by_month: pd.DataFrame
    n_texts: int
    n_without: int
    labels: npt.NDArray[np.intp]

    def to_dict(self) -> dict[str, Any]:
        """Return counts, trends and examples as plain data."""
        months = self.by_month.assign(month=self.by_month["month"].astype(str))
        rows = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return {
            "rows": [{**row, "examples": list(row["examples"])} for row in rows],
            "by_month": months.to_dict("records"),
            "n_texts": self.n_texts,
            "n_without": self.n_without,
        }


def masked(text: str) -> str:
    """Return a text with links, e-mail addresses and long numbers masked, cut to an example's length.

    Parameters
    ----------
    text : str
        As a customer wrote it.

    Examples
    --------
    >>> masked("Call me on +49 170 1234567 or jo@example.org, order 12")
    'Call me on [number] or [e-mail], order 12'
    """
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def find_themes(
    texts: pd.Series,
    *,
    day: npt.ArrayLike,
    score: npt.ArrayLike | None = None,
    n_themes: int = 8,
    n_examples: int = 3,
    confidence: float = 0.95,
    random_state: int = 0,
) -> Themes:
    """Group texts into themes, and tell how often each comes up, whether more of late, and how it sounds.

    Parameters
    ----------
    texts : Series of str, shape (n_texts,)
        What customers wrote; missing and blank ones are left out.
    day : array_like of datetime64 or date, shape (n_texts,)
        When.
    score : array_like of shape (n_texts,), optional
        What came with the text, such as the answer to a survey; NaN where none did.
    n_themes : int
        At most so many, from 2 on. Fewer are found where texts differ in less.
    n_examples : int
        Texts shown of each theme: the most typical ones, none twice.
    confidence : float
        Of the intervals, and of trends, in (0, 1).
    random_state : int
        Which texts themes are learned from, where there are more than 50,000.

    Raises
    ------
    DataError
        Where fewer than 30 texts have words, or lengths differ.
    SettingsError
        Where a number is none.

    Notes
    -----
    Words are weighed by TF-IDF with logarithmic counts; words in fewer than 3 texts or in more than half of
    them are left out. A text belongs to the theme with most of its weight, if that is 35 % or more. A trend
    is told where the share in the later half of the days differs from that in the earlier one beyond chance
    (two-sample test of shares), corrected for the number of themes (Holm). Several texts of one customer
    count each for itself.

    References
    ----------
    Lee, D. and Seung, H. (1999). Learning the parts of objects by non-negative matrix factorization. Nature
    401, 788-791.

    Examples
    --------
    >>> texts = pd.Series(["late delivery", "delivery late", "rude staff", "staff rude"] * 10)
    >>> found = find_themes(texts, day=pd.date_range("2026-01-01", periods=40), n_themes=2)
    >>> sorted(found.frame["theme"]), found.frame["n"].to_list()
    (['delivery, late', 'rude, staff'], [20, 20])
    """
    _check(n_themes, n_examples, confidence)
    days = pd.DatetimeIndex(np.asarray(day, dtype="datetime64[ns]"))
    scores = np.full(len(texts), np.nan) if score is None else np.asarray(score, dtype=np.float64)
    if not len(texts) == len(days) == len(scores):
        raise DataError(f"expected a day and a score for each of {len(texts):,} texts.")
    said = texts.fillna("").astype(str).str.strip().to_numpy(dtype=object)
    rows = np.flatnonzero(said != "")
    weights, names = _factored(said[rows], n_themes, random_state)
    label = _of_theme(weights)
    order = np.argsort(-np.bincount(label[label >= 0], minlength=len(names)), kind="stable")
    rank = np.append(np.argsort(order), -1)
    label, weights, names = rank[label], weights[:, order], [names[one] for one in order]
    parts = count_themes(label, days[rows], names, confidence).assign(
        score=_mean_scores(label, scores[rows], len(names)),
        examples=[_examples(said[rows], weights, label, one, n_examples) for one in range(len(names))],
    )
    parts = parts.iloc[: len(set(label[label >= 0]))]  # those without a text come last
    labels = np.full(len(texts), -1, dtype=np.intp)
    labels[rows] = label
    return Themes(parts, _months(label, days[rows], names), len(rows), int((label < 0).sum()), labels)


def count_themes(
    label: npt.NDArray[np.intp], days: pd.DatetimeIndex, names: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Return how often each theme comes up, and whether more often of late.

    Parameters
    ----------
    label : ndarray of int, shape (n_texts,)
        The theme of each text; -1 where none.
    days : DatetimeIndex of shape (n_texts,)
        When.
    names : sequence of str
        Of the themes.
    confidence : float
        Of the intervals, and of trends, in (0, 1).

    Returns
    -------
    DataFrame
        theme, n, share, lower, upper, before, after and trend, as in `Themes.frame`.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=60)
    >>> count_themes(np.repeat([0, 1], 30), days, ["late", "rude"], 0.95)["trend"].to_list()
    ['falling', 'rising']
    """
    of = label[:, np.newaxis] == np.arange(len(names))
    n = of.sum(axis=0)
    lower, upper = wilson_interval(
        n / len(label), np.full(len(names), float(len(label))), confidence=confidence
    )
    since = days.to_numpy()
    late = since > since.min() + (since.max() - since.min()) / 2
    n_late, n_early = int(late.sum()), int((~late).sum())
    before = of[~late].sum(axis=0) / max(n_early, 1)
    after = of[late].sum(axis=0) / max(n_late, 1)
    pooled = n / len(label)
    spread = np.sqrt(pooled * (1.0 - pooled) * (1.0 / max(n_late, 1) + 1.0 / max(n_early, 1)))
    z = np.divide(
        after - before, spread, out=np.zeros(len(names)), where=(spread > 0.0) & (n_late * n_early > 0)
    )
    believed = holm(2.0 * norm.sf(np.abs(z))) <= 1.0 - confidence
    trend = np.where(believed, np.where(z > 0.0, "rising", "falling"), "")
    return pd.DataFrame(
        {
            "theme": names,
            "n": n,
            "share": n / len(label),
            "lower": lower,
            "upper": upper,
            "before": before if n_early else np.nan,
            "after": after if n_late else np.nan,
            "trend": trend.astype(object),
        }
    )


def _check(n_themes: int, n_examples: int, confidence: float) -> None:
    if n_themes < 2 or n_examples < 0:
        raise SettingsError(f"n_themes from 2 on, n_examples from 0; got {n_themes} and {n_examples}.")
    check_confidence(confidence)


def _factored(
    said: npt.NDArray[np.object_], n_themes: int, random_state: int
) -> tuple[FloatArray, list[str]]:
    """Return how much of each text is of each theme, and the themes' words."""
    if len(said) < _FEWEST_TEXTS:
        raise DataError(
            f"{one_or_many(len(said), 'text')} with words, and themes need {_FEWEST_TEXTS}: read them."
        )
    words = TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=_IN_TEXTS,
        max_df=_COMMON,
        max_features=_MOST_WORDS,
        sublinear_tf=True,
        token_pattern=r"(?u)\b[^\W\d_]{2,}\b",
    )
    try:
        table = csr_matrix(words.fit_transform(said))
    except ValueError as error:
        raise DataError(
            f"No word stands in {_IN_TEXTS} of {one_or_many(len(said), 'text')}: they share no theme."
        ) from error
    n_themes = min(n_themes, len(words.vocabulary_), len(said))
    draw = np.random.default_rng(random_state)
    learned = draw.permutation(len(said))[:_MOST_TEXTS] if len(said) > _MOST_TEXTS else slice(None)
    model: Any = NMF  # its stub takes n_components for text
    model = model(n_components=n_themes, init="nndsvda", max_iter=400, tol=1e-3, random_state=random_state)
    model.fit(table[learned])
    parts = np.asarray(model.components_, dtype=np.float64)
    named = np.asarray(words.get_feature_names_out(), dtype=object)
    # A theme's size may stand in either factor: all of it is to stand with the texts.
    return np.asarray(model.transform(table)) * parts.sum(axis=1), [_name(row, named) for row in parts]


def _name(weights: FloatArray, words: npt.NDArray[np.object_]) -> str:
    """Return the three heaviest words of a theme, none of which repeats another's, fillers last."""
    told = list[str]()
    heavy = [
        str(words[one])
        for one in np.argsort(-weights, kind="stable")
        if weights[one] > _HEAVY * weights.max()
    ]
    fillers = [word for word in heavy if ENGLISH_STOP_WORDS & {*word.split()}]
    for word in [*(one for one in heavy if one not in fillers), *fillers]:
        if not any({*word.split()} & {*one.split()} for one in told):
            told.append(word)
    return ", ".join(told[:3])


def _of_theme(weights: FloatArray) -> npt.NDArray[np.intp]:
    """Return the theme of each text; -1 where none is clear."""
    total = weights.sum(axis=1)
    best = weights.argmax(axis=1)
    clear = (total > 0.0) & (weights.max(axis=1) >= _CLEAR * total)
    return np.where(clear, best, -1)


def _mean_scores(label: npt.NDArray[np.intp], scores: FloatArray, n_themes: int) -> FloatArray:
    """Return the mean score of each theme's texts; NaN where none came with a score."""
    there = (label >= 0) & ~np.isnan(scores)
    n = np.bincount(label[there], minlength=n_themes)
    sums = np.bincount(label[there], weights=scores[there], minlength=n_themes)
    return np.divide(sums, n, out=np.full(n_themes, np.nan), where=n > 0)


def _examples(
    said: npt.NDArray[np.object_],
    weights: FloatArray,
    label: npt.NDArray[np.intp],
    theme: int,
    n_examples: int,
) -> tuple[str, ...]:
    """Return the texts that are most of a theme, each once."""
    inside = np.flatnonzero(label == theme)
    share = weights[inside, theme] / weights[inside].sum(axis=1)
    typical = inside[np.lexsort((inside, -weights[inside, theme], -share.round(3)))]
    return tuple(dict.fromkeys(masked(str(said[one])) for one in typical[: 20 * n_examples]))[:n_examples]


def _months(label: npt.NDArray[np.intp], days: pd.DatetimeIndex, names: list[str]) -> pd.DataFrame:
    """Return how many texts of each theme came in each month, of how many."""
    months, month = np.unique(days.to_numpy().astype("datetime64[M]"), return_inverse=True)
    counts = np.zeros((len(months), len(names) + 1), dtype=np.intp)
    np.add.at(counts, (month, label), 1)  # those of no theme are counted in the last column
    at, theme = np.nonzero(counts[:, :-1])
    return pd.DataFrame(
        {
            "month": pd.PeriodIndex(months[at], freq="M"),
            "theme": [names[one] for one in theme],
            "n": counts[at, theme],
            "n_texts": counts.sum(axis=1)[at],
        }
    )
