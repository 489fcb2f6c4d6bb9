"""How well probability models foretold how many purchases came: log scores, bias and errors, with intervals.

A model of this kind gives every customer a whole distribution, and the log score judges all of it: the log of
the probability it had given to exactly what then happened. One number a customer first, the average last; all
models are judged on the same bootstrap draws, so that what they share cancels in a difference.

It deliberately fits nothing, and knows of no table beyond the holdout: that is
:mod:`habitue.evaluation.comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.evaluation.bootstrap import RandomState, weight_chunks
from habitue.evaluation.ranking import FloatArray, ratio

__all__ = ["HOLDOUT_COLUMNS", "judge_holdout", "purchase_log_scores"]

HOLDOUT_COLUMNS = (
    "log_score",
    "log_score_lower",
    "log_score_upper",
    "behind_best",
    "behind_best_lower",
    "behind_best_upper",
    "bias",
    "bias_lower",
    "bias_upper",
    "mae",
    "mae_over_zero",
    "rmse",
)
"""Columns of `judge_holdout`."""

_TIED = 1e-9  # below it two log scores differ by rounding
_IMPOSSIBLE = np.finfo(np.float64).tiny  # what a probability that underflows is taken for


def purchase_log_scores(
    model: Any, X: pd.DataFrame, n_purchases: npt.ArrayLike, *, horizon: float
) -> FloatArray:
    """Return the log of the probability that a model gave to each customer's actual number of purchases.

    Parameters
    ----------
    model : estimator
        Fitted, with ``purchase_pmf``.
    X : DataFrame of shape (n_customers, n_features)
        What was known at the cutoff.
    n_purchases : array_like of int of shape (n_customers,)
        Purchases that each made within the horizon.
    horizon : float
        Days.

    Returns
    -------
    ndarray of shape (n_customers,)
        At most 0; nearer to 0 is better. A probability below 2.2e-308 counts as that, -708.

    Examples
    --------
    >>> from habitue.models import BGNBD
    >>> X = pd.DataFrame({"frequency": [0.0, 2.0, 9.0], "recency": [0.0, 9.0, 30.0], "T": [30.0, 30.0, 31.0]})
    >>> model = BGNBD(penalizer=0.1).fit(X)
    >>> scores = purchase_log_scores(model, X, [0, 0, 7], horizon=30.0)
    >>> bool(np.isclose(np.exp(scores[2]), model.purchase_pmf(X, 7, horizon=30.0).iloc[2]))
    True
    """
    actual = np.asarray(n_purchases)
    scores = np.empty(actual.size)
    for n in np.unique(actual):
        at = actual == n
        scores[at] = model.purchase_pmf(X.iloc[np.flatnonzero(at)], int(n), horizon=horizon)
    return np.log(np.maximum(scores, _IMPOSSIBLE))


def judge_holdout(
    log_scores: Mapping[str, FloatArray],
    expected: Mapping[str, FloatArray],
    n_purchases: npt.ArrayLike,
    *,
    weights: FloatArray | None = None,
    n_replicates: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Average log scores and errors of several models over the same customers, with intervals.

    Parameters
    ----------
    log_scores : Mapping of str to ndarray of shape (n_customers,)
        For each model what `purchase_log_scores` returns.
    expected : Mapping of str to ndarray of shape (n_customers,)
        For each model the purchases it expected; same names.
    n_purchases : array_like of shape (n_customers,)
        Purchases that came.
    weights : ndarray of shape (n_customers,), optional
        Customers that each row stands for; one each where left out.
    n_replicates : int, default 1000
        Bootstrap draws of the rows.
    confidence : float, default 0.95
        Of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator, default 0
        Seed. The same seed gives the same intervals, in whatever order the customers come.

    Returns
    -------
    DataFrame
        One row a model. log_score: mean per customer; behind_best: that less the best model's, 0 for the
        best; bias: purchases expected over purchases made, less 1; each with ``_lower`` and ``_upper``. mae,
        mae_over_zero (over that of expecting no purchase of anybody) and rmse of the expected purchases.

    Notes
    -----
    ``behind_best`` has the interval of the paired difference, much narrower than the intervals of the two
    scores. Which model is the best is told by the same customers, so the interval flatters it a little. Of
    models that tie the first is the best.

    Examples
    --------
    >>> table = judge_holdout({"a": np.log([0.5, 0.5]), "b": np.log([0.4, 0.4])},
    ...                       {"a": np.array([1.0, 1.0]), "b": np.array([1.5, 1.0])}, [1, 1])
    >>> table[["behind_best", "bias", "mae_over_zero"]].round(3).rename_axis(None)
       behind_best  bias  mae_over_zero
    a        0.000  0.00           0.00
    b       -0.223  0.25           0.25
    """
    names = list(log_scores)
    if not names:
        return pd.DataFrame(columns=list(HOLDOUT_COLUMNS), dtype="float64")
    actual = np.asarray(n_purchases, dtype=np.float64)
    per_row = np.column_stack(
        [*(log_scores[name] for name in names), *(expected[name] for name in names), actual]
    )
    shares = np.ones(actual.size) if weights is None else weights
    order = np.lexsort((shares, *per_row.T))  # the draws must not depend on the customers' order
    sums = _with_weights(per_row[order], shares[order])
    values = _averages(sums, np.ones((1, actual.size)), len(names))
    of_models = values[0, : len(names)]
    best = int(np.argmax(of_models > of_models.max() - _TIED))  # the first of those that tie
    draws = [
        _averages(sums, chunk, len(names))
        for chunk in weight_chunks(actual.size, n_replicates=n_replicates, random_state=random_state)
    ]
    table = _intervals(values[0], np.concatenate(draws), best, confidence)
    table.index = pd.Index(names, name="model")
    return table.join(_errors(expected, actual, shares)).reindex(columns=list(HOLDOUT_COLUMNS))


def _with_weights(per_row: FloatArray, shares: FloatArray) -> FloatArray:
    """Return what is summed over rows: numbers times weights, and the weights."""
    return np.column_stack([per_row * shares[:, None], shares])


def _averages(sums: FloatArray, counts: FloatArray, n_models: int) -> FloatArray:
    """Return mean log scores, then biases, one row for each way of counting the rows."""
    total = counts @ sums
    scores = ratio(total[:, :n_models], total[:, -1:])
    bias = ratio(total[:, n_models : 2 * n_models], total[:, -2:-1]) - 1.0
    return np.concatenate([scores, bias], axis=1)


def _intervals(values: FloatArray, draws: FloatArray, best: int, confidence: float) -> pd.DataFrame:
    """Return values with percentile intervals; the difference to the best is taken draw by draw."""
    n_models = values.size // 2
    tail = (1.0 - confidence) / 2.0
    columns: dict[str, FloatArray] = {}
    for name, value, drawn in (
        ("log_score", values[:n_models], draws[:, :n_models]),
        (
            "behind_best",
            np.minimum(values[:n_models] - values[best], 0.0),
            draws[:, :n_models] - draws[:, best : best + 1],
        ),
        ("bias", values[n_models:], draws[:, n_models:]),
    ):
        lower, upper = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
        columns |= {name: value, f"{name}_lower": lower, f"{name}_upper": upper}
    return pd.DataFrame(columns)


def _errors(expected: Mapping[str, FloatArray], actual: FloatArray, shares: FloatArray) -> pd.DataFrame:
    """Return errors of the expected purchases, one row a model."""
    total = shares.sum()
    of_zero = shares @ np.abs(actual) / total
    rows = {}
    for name, values in expected.items():
        mae = shares @ np.abs(values - actual) / total
        rmse = np.sqrt(shares @ (values - actual) ** 2 / total)
        over_zero = mae / of_zero if of_zero > 0.0 else np.nan
        rows[name] = {"mae": mae, "mae_over_zero": over_zero, "rmse": rmse}
    return pd.DataFrame.from_dict(rows, orient="index")
