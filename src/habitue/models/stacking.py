"""What several models say together: weights learned from customers, and days, that none of them had seen.

A probability model believes in a story and a booster in examples; which of them to listen to, and how much,
is learned from what copies of them said of other customers at the last cutoff. Where the examples do not
reach, as for customers with far longer histories than any that was learned from, the story speaks alone, and
each answer says who gave it. It deliberately searches no model: that is what a backtest is for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from habitue.errors import HabitueWarning, SettingsError
from habitue.models.out_of_time import Fold, Judged
from habitue.models.persistence import persistent
from habitue.models.season import DAY_OF_YEAR, reads_day_of_year

__all__ = [
    "Reach",
    "chance_weights",
    "fit_and_judge",
    "fit_member",
    "judged_rows",
    "latest",
    "money_weights",
    "structural_of",
]

FloatArray = npt.NDArray[np.float64]

_FARTHER = 2.0
"""Times the longest history learned from, beyond which trees only repeat the leaf of the longest."""


@persistent
class Reach(NamedTuple):
    """How far the histories reach that were learned from.

    Attributes
    ----------
    longest : float
        Days from the first purchase to the cutoff, at most.
    """

    longest: float

    def holds(self, X: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Tell whose history is no more than twice as long; everybody where X has no T.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With the column T, in days.
        """
        if "T" not in X:
            return np.ones(len(X), dtype=np.bool_)
        return (X["T"] <= _FARTHER * self.longest).to_numpy(dtype=np.bool_)


def fit_member(
    model: BaseEstimator,
    X: pd.DataFrame,
    y: FloatArray,
    weights: FloatArray | None,
    *,
    now: pd.DataFrame,
    horizon: int,
) -> Any:
    """Fit a fresh copy of a model: to outcomes, or where it learns from none, to what is known now.

    Parameters
    ----------
    model : estimator
        Left as it is; its parameter ``horizon`` is set where it has one.
    X : DataFrame of shape (n_rows, n_features)
        One snapshot, or several stacked.
    y : ndarray of shape (n_rows,)
        Outcomes.
    weights : ndarray of shape (n_rows,) or None
        How much each row counts, where the model can be told.
    now : DataFrame of shape (n_customers, n_features)
        The latest snapshot; its outcomes may not be known yet.
    horizon : int
        Days ahead.
    """
    fresh: Any = clone(model)
    if "horizon" in fresh.get_params(deep=False):
        fresh.set_params(horizon=horizon)
    if not get_tags(fresh).target_tags.required:
        return fresh.fit(_for(fresh, now))
    told = (
        {} if weights is None or not has_fit_parameter(fresh, "sample_weight") else {"sample_weight": weights}
    )
    return fresh.fit(_for(fresh, X), y, **told)


def _for(model: BaseEstimator, X: pd.DataFrame) -> pd.DataFrame:
    """Return X without the day of the year, by which trees would only learn which cutoff was which."""
    return X if DAY_OF_YEAR not in X or reads_day_of_year(model) else X.drop(columns=DAY_OF_YEAR)


def latest(X: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which rows are of the last cutoff; all where the index holds none.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_features)
        One snapshot, or several stacked.
    """
    if "cutoff" not in X.index.names:
        return np.ones(len(X), dtype=np.bool_)
    cutoffs = X.index.get_level_values("cutoff")
    return np.asarray(cutoffs == cutoffs.max(), dtype=np.bool_)


def fit_and_judge(
    model: BaseEstimator,
    X: pd.DataFrame,
    y: FloatArray,
    weights: FloatArray | None,
    *,
    folds: Sequence[Fold],
    ask: Callable[[Any, pd.DataFrame], FloatArray],
    now: pd.DataFrame,
    horizon: int,
) -> tuple[Any, FloatArray]:
    """Fit a fresh copy of a model on all rows, and ask others about the customers whom they have not seen.

    A model that asks copies of itself anyway (``fit_judged``) is taken at its word, where it asked about the
    same customers. Copies that learn from no outcomes know others as they were at the last cutoff.

    Parameters
    ----------
    model : estimator
        Left as it is.
    X : DataFrame of shape (n_rows, n_features)
        One snapshot, or several stacked.
    y : ndarray of shape (n_rows,)
        Outcomes.
    weights : ndarray of shape (n_rows,) or None
        How much each row counts.
    folds : sequence of Fold
        Nobody is asked about where there are none.
    ask : callable
        Takes a fitted model and a frame, returns its predictions.
    now : DataFrame of shape (n_customers, n_features)
        The latest snapshot; its outcomes may not be known yet.
    horizon : int
        Days ahead.

    Returns
    -------
    fitted : estimator
        On all rows.
    said : ndarray of shape (n_judged,)
        Fold after fold.
    """
    fresh: Any = clone(model)
    if hasattr(fresh, "fit_judged"):
        own: Judged = fresh.set_params(horizon=horizon).fit_judged(_for(fresh, X), y, weights)
        if np.array_equal(own.rows, judged_rows(folds)):
            return fresh, own.said
    else:
        fresh = fit_member(model, X, y, weights, now=now, horizon=horizon)
    last = np.flatnonzero(latest(X))
    copied = getattr(fresh, "best_estimator_", model)  # settings that were searched are not searched again
    said: list[FloatArray] = []
    for fold in folds:
        counts = None if weights is None else weights[fold.train]
        others = X.iloc[np.setdiff1d(last, fold.judged)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HabitueWarning)  # the copy that stays has told them
            one = fit_member(copied, X.iloc[fold.train], y[fold.train], counts, now=others, horizon=horizon)
            said.append(ask(one, X.iloc[fold.judged]))
    return fresh, np.concatenate(said) if said else np.zeros(0)


def judged_rows(folds: Sequence[Fold]) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows that are judged, fold after fold.

    Parameters
    ----------
    folds : sequence of Fold
        May be empty.
    """
    return np.concatenate([fold.judged for fold in folds]) if folds else np.zeros(0, dtype=np.int64)


def chance_weights(
    log_odds: npt.ArrayLike, churned: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the weights of log-odds, none negative and all together 1, that minimise log loss.

    Parameters
    ----------
    log_odds : array_like of shape (n, n_models)
        What each model said.
    churned : array_like of shape (n,)
        1 and 0.
    sample_weight : array_like of shape (n,), optional
        How much each counts.

    Returns
    -------
    ndarray of shape (n_models,)

    Notes
    -----
    A logarithmic opinion pool. Models bring their own calibration: a constant or a slope on top, learned from
    one season, did more harm in the next than good (measured on Online Retail). A ridge of one customer's
    worth pulls towards equal weights, so that models that agree share.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.
    .. [2] Genest, C. & Zidek, J. V. (1986). Combining probability distributions: a critique and an annotated
       bibliography. Statistical Science 1(1), 114-135.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=20_000)
    >>> happened = rng.uniform(size=20_000) < expit(truth)
    >>> weights = chance_weights(np.column_stack([truth, rng.normal(size=20_000)]), happened)
    >>> bool(weights[0] > 0.95)
    True
    """
    said, y = np.asarray(log_odds, dtype=np.float64), np.asarray(churned, dtype=np.float64)
    equal = np.full(said.shape[1], 1.0 / said.shape[1])
    counts, n = _shares(sample_weight, len(y))

    def loss(at: FloatArray) -> tuple[float, FloatArray]:
        score, apart = said @ at, at - equal
        slope = said.T @ (counts * (expit(score) - y)) + apart / n
        return float(counts @ (np.logaddexp(0.0, score) - y * score) + 0.5 * apart @ apart / n), slope

    return _lowest(loss, equal)


def money_weights(
    said: npt.ArrayLike, spend: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the weights of expected amounts, none negative and all together 1, by which they foretell best.

    Parameters
    ----------
    said : array_like of shape (n, n_models)
        Expected amounts, above 0.
    spend : array_like of shape (n,)
        What was spent, not negative, of somebody above 0.
    sample_weight : array_like of shape (n,), optional
        How much each counts.

    Returns
    -------
    ndarray of shape (n_models,)

    Notes
    -----
    Minimises the Poisson deviance of the sum, sum(m - y log m), which is convex in the weights and, whatever
    the law of spend, right on average for the mean (Gourieroux, Monfort & Trognon 1984). Models bring their
    own level: weights that made the totals of one season add up as well would carry it into the next.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.
    .. [2] Gourieroux, C., Monfort, A. & Trognon, A. (1984). Pseudo maximum likelihood methods: theory.
       Econometrica 52, 681-700.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.gamma(2.0, 5.0, 20_000)
    >>> weights = money_weights(np.column_stack([truth, rng.gamma(2.0, 5.0, 20_000)]), rng.poisson(truth))
    >>> bool(weights[0] > 0.95)
    True
    """
    amounts, y = np.asarray(said, dtype=np.float64), np.asarray(spend, dtype=np.float64)
    equal = np.full(amounts.shape[1], 1.0 / amounts.shape[1])
    counts, _ = _shares(sample_weight, len(y))
    mean = float(counts @ y)
    shares, bought = amounts / mean, y / mean  # no currency is easier to search in than another

    def loss(at: FloatArray) -> tuple[float, FloatArray]:
        expected = np.maximum(shares @ at, 1e-12)
        slope = shares.T @ (counts * (1.0 - bought / expected))
        return float(counts @ (expected - bought * np.log(expected))), slope

    return _lowest(loss, equal)


def _lowest(loss: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray) -> FloatArray:
    """Return the weights, none negative and all together 1, where a convex loss is lowest."""
    found = minimize(
        loss,
        start,
        jac=True,
        bounds=[(0.0, 1.0)] * len(start),
        constraints=[{"type": "eq", "fun": lambda at: at.sum() - 1.0, "jac": np.ones_like}],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = np.maximum(np.asarray(found.x, dtype=np.float64), 0.0)
    return weights / weights.sum()


def _shares(weights: npt.ArrayLike | None, n: int) -> tuple[FloatArray, float]:
    """Return how much each row counts, all together 1, and how many there are."""
    counts = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    return counts / counts.sum(), float(counts.sum())


def structural_of(models: Mapping[str, BaseEstimator]) -> str | None:
    """Return the first model that learns from no outcomes; None where all need them.

    Parameters
    ----------
    models : Mapping[str, estimator]
        By name.

    Raises
    ------
    SettingsError
        Where there are fewer than two models.
    """
    if len(models) < 2:
        raise SettingsError(f"Stacking takes two models or more; got {', '.join(models) or 'none'}.")
    return next((name for name, one in models.items() if not get_tags(one).target_tags.required), None)
