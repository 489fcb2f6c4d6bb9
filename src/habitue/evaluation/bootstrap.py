"""How sure a score is: the same customers, drawn again and again.

One draw counts every customer zero, one or several times; a score with those counts as weights is a
replicate. Two models are compared on the same draws, so that what they share cancels. Where a customer
appears several times (at several cutoffs), ``groups`` names the customers and whole customers are drawn.

Intervals are percentiles of the replicates. They tell what another sample of customers would have said in the
same period; they do not know that the next season may differ (several cutoffs do), and they do not refit the
model. Draws are made in chunks of a million counts: more replicates take longer, never more memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.evaluation.pairs import check_pair
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import Score
from habitue.vocabulary import one_or_many

__all__ = [
    "Difference",
    "bootstrap_weights",
    "check_confidence",
    "compare",
    "evaluate",
    "percentile_interval",
    "weight_chunks",
]

RandomState = int | np.random.Generator

_CHUNK: Final = 1_000_000  # counts held at once: 8 MB each time a score transforms them


class Difference(NamedTuple):
    """Score of a minus score of b, with its interval: zero outside of it means that they differ."""

    value: float
    lower: float
    upper: float


def bootstrap_weights(
    n: int, *, n_replicates: int, random_state: RandomState, groups: npt.ArrayLike | None = None
) -> FloatArray:
    """Draw the customers with replacement and count how often each came.

    Parameters
    ----------
    n : int
        Number of rows.
    n_replicates : int
        Number of draws, B.
    random_state : int or numpy.random.Generator
        Seed.
    groups : array_like of shape (n,), optional
        The customer of each row. Whole customers are drawn; each row is one if not given.

    Returns
    -------
    array of shape (B, n)
        Counts, as floats since they are multiplied with floats. Each row sums to n, or with groups of unequal
        size to n on average.

    Raises
    ------
    DataError
        No rows, or groups of another length or with gaps.
    SettingsError
        `n_replicates` is less than one.

    Notes
    -----
    Takes 8 B n bytes, and as much again while it is made. ``weight_chunks`` yields the same draws a few rows
    at a time.

    References
    ----------
    Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7.

    Examples
    --------
    >>> bootstrap_weights(4, n_replicates=2, random_state=0)
    array([[0., 1., 2., 1.],
           [3., 1., 0., 0.]])
    """
    return np.concatenate(
        list(weight_chunks(n, n_replicates=n_replicates, random_state=random_state, groups=groups))
    )


def weight_chunks(
    n: int, *, n_replicates: int, random_state: RandomState, groups: npt.ArrayLike | None = None
) -> Iterator[FloatArray]:
    """Draw what ``bootstrap_weights`` draws, a few replicates at a time.

    Parameters
    ----------
    n : int
        Number of rows.
    n_replicates : int
        Number of draws, at least one.
    random_state : int or numpy.random.Generator
        Seed.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once; a customer is drawn whole.

    Yields
    ------
    array of shape (b, n)
        At most a million counts, and at least one replicate.

    Raises
    ------
    DataError, SettingsError
        As in ``bootstrap_weights``.

    Examples
    --------
    >>> [chunk.shape for chunk in weight_chunks(400_000, n_replicates=3, random_state=0)]
    [(2, 400000), (1, 400000)]
    """
    if n_replicates < 1:
        raise SettingsError(f"n_replicates must be at least 1, got {n_replicates}")
    codes, n_drawn = _group_codes(n, groups)
    rng = np.random.default_rng(random_state)
    rows = max(1, _CHUNK // n)
    for first in range(0, n_replicates, rows):
        yield _draw(rng, min(rows, n_replicates - first), n_drawn, codes)


def _group_codes(n: int, groups: npt.ArrayLike | None) -> tuple[npt.NDArray[np.intp] | None, int]:
    """Return the group number of each row (None: its own) and how many groups there are."""
    if n < 1:
        raise DataError("there must be at least one row to draw from, got none")
    if groups is None:
        return None, n
    labels = _labels(n, groups)
    codes, names = pd.factorize(labels, sort=True)
    if codes.min() < 0:
        raise DataError(f"groups must have no gaps, got {int((codes < 0).sum())} missing values")
    return codes, len(names)


def _labels(n: int, groups: npt.ArrayLike) -> npt.NDArray[Any]:
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise DataError(
            f"groups must name the customer of each of {one_or_many(n, 'row')}, got shape {labels.shape}"
        )
    return labels


def _ordered_groups(groups: npt.ArrayLike | None, order: npt.NDArray[np.intp]) -> npt.NDArray[Any] | None:
    return None if groups is None else _labels(order.size, groups)[order]


def _draw(
    rng: np.random.Generator, n_rows: int, n_drawn: int, codes: npt.NDArray[np.intp] | None
) -> FloatArray:
    # Uniform draws, counted: the multinomial distribution, faster than one binomial per customer.
    counts = np.empty((n_rows, n_drawn))
    for row in counts:
        row[:] = np.bincount(rng.integers(n_drawn, size=n_drawn), minlength=n_drawn)
    return counts if codes is None else np.take(counts, codes, axis=1)


def evaluate(
    outcome: npt.ArrayLike,
    prediction: npt.ArrayLike,
    scores: Iterable[Score],
    *,
    groups: npt.ArrayLike | None = None,
    n_replicates: int = 200,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Judge predictions by several scores, each with its interval.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted.
    scores : iterable of Score
        E.g. ``SCORES["churned"]``.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_replicates : int
        Number of bootstrap draws.
    confidence : float
        Coverage of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator
        Seed. The same seed gives the same intervals, in whatever order the customers come.

    Returns
    -------
    DataFrame
        Columns score, value, lower, upper; one row per score. nan where a score is not defined.

    Raises
    ------
    DataError
        Input that is no prediction of the scores' target, or groups that do not fit.
    SettingsError
        `confidence` or `n_replicates` out of range.

    Notes
    -----
    Percentile intervals, of the replicates in which the score is defined. With a handful of customers of one
    class they are too narrow, as all bootstrap intervals are. The interval of ``decile_mape`` lies high and
    may even leave out the value: it averages absolute errors, and drawing again adds noise to each decile.

    Examples
    --------
    >>> from habitue.evaluation.scores import SCORES
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=500)
    >>> table = evaluate(rng.uniform(size=500) < p, p, SCORES["churned"], n_replicates=50)
    >>> table.loc[0, "score"], bool((table["lower"] <= table["upper"]).all())
    ('auc', True)
    """
    check_confidence(confidence)
    chosen = tuple(scores)
    actual, predicted = _check_columns(outcome, [prediction], chosen)
    # Sorted once here, the scores need not sort in every chunk; and the rows' order no longer matters.
    order = np.lexsort((actual, predicted[0]))
    actual, ordered = actual[order], predicted[0][order]
    values = _values(actual, ordered, chosen, np.ones((1, actual.size)))[:, 0]
    chunks = weight_chunks(
        actual.size,
        n_replicates=n_replicates,
        random_state=random_state,
        groups=_ordered_groups(groups, order),
    )
    replicates = np.concatenate([_values(actual, ordered, chosen, chunk) for chunk in chunks], axis=1)
    bounds = np.array([percentile_interval(row, confidence) for row in replicates]).reshape(-1, 2)
    bounds[np.isnan(values)] = np.nan
    names = [score.name for score in chosen]
    return pd.DataFrame({"score": names, "value": values, "lower": bounds[:, 0], "upper": bounds[:, 1]})


def compare(
    outcome: npt.ArrayLike,
    prediction_a: npt.ArrayLike,
    prediction_b: npt.ArrayLike,
    score: Score,
    *,
    groups: npt.ArrayLike | None = None,
    n_replicates: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> Difference:
    """Tell by how much model a differs from model b on the same customers, with an interval.

    Parameters
    ----------
    outcome, prediction_a, prediction_b : array_like of shape (n,)
        What happened and what the two models predicted.
    score : Score
        How to judge them.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_replicates : int
        Number of bootstrap draws.
    confidence : float
        Coverage of the interval, in (0, 1).
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    Difference
        value, lower, upper of score(a) - score(b). Whether positive is good is for `score` to say.

    Raises
    ------
    DataError
        Input that is no prediction of the score's target, or groups that do not fit.
    SettingsError
        `confidence` or `n_replicates` out of range.

    Notes
    -----
    Paired: both models are judged on the same draws, and the interval is that of the difference. It is far
    narrower than the two intervals of ``evaluate`` suggest, since an unusual customer is unusual for both.

    Examples
    --------
    >>> from habitue.evaluation.scores import SCORES
    >>> mae = SCORES["spend"][0]
    >>> compare([1.0, 2.0, 6.0], [1.0, 2.0, 6.0], [2.0, 3.0, 7.0], mae)
    Difference(value=-1.0, lower=-1.0, upper=-1.0)
    """
    check_confidence(confidence)
    actual, (a, b) = _check_columns(outcome, [prediction_a, prediction_b], (score,))
    order = np.lexsort((actual, b, a))
    actual, a, b = actual[order], a[order], b[order]
    value = _difference(actual, a, b, score, np.ones((1, actual.size)))[0]
    chunks = weight_chunks(
        actual.size,
        n_replicates=n_replicates,
        random_state=random_state,
        groups=_ordered_groups(groups, order),
    )
    replicates = np.concatenate([_difference(actual, a, b, score, chunk) for chunk in chunks])
    lower, upper = (np.nan, np.nan) if np.isnan(value) else percentile_interval(replicates, confidence)
    return Difference(float(value), lower, upper)


def check_confidence(confidence: float) -> None:
    """Refuse what cannot be the confidence of an interval.

    Parameters
    ----------
    confidence : float
        To lie in (0, 1).

    Raises
    ------
    SettingsError
        Where it does not.
    """
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0 and 1, e.g. 0.95, got {confidence}")


def _check_columns(
    outcome: npt.ArrayLike, predictions: Sequence[npt.ArrayLike], scores: Sequence[Score]
) -> tuple[FloatArray, list[FloatArray]]:
    targets = {score.target for score in scores}
    if len(targets) > 1:
        raise DataError(f"all scores must judge one target, got scores of {sorted(targets)}")
    target = next(iter(targets), None)
    order_only = all(score.order_only for score in scores)
    pairs = [
        check_pair(outcome, prediction, target=target, order_only=order_only) for prediction in predictions
    ]
    return pairs[0][0], [predicted for _, predicted in pairs]


def _values(
    outcome: FloatArray, prediction: FloatArray, scores: Sequence[Score], weights: FloatArray
) -> FloatArray:
    values = [score.function(outcome, prediction, weights) for score in scores]
    return np.array(values).reshape(len(scores), len(weights))


def _difference(
    outcome: FloatArray, a: FloatArray, b: FloatArray, score: Score, weights: FloatArray
) -> FloatArray:
    return score.function(outcome, a, weights) - score.function(outcome, b, weights)


def percentile_interval(replicates: FloatArray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of the defined replicates; nan if there are none.

    Parameters
    ----------
    replicates : ndarray of shape (n_replicates,)
        Of a score, or of a difference; nan where it is not defined.
    confidence : float
        In (0, 1).

    Returns
    -------
    lower, upper : float
    """
    defined = replicates[np.isfinite(replicates)]
    if defined.size == 0:
        return np.nan, np.nan
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(defined, [tail, 1.0 - tail])
    return float(lower), float(upper)
