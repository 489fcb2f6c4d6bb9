"""How far reasons may be trusted: whether they stay when the model is trained on other customers.

A reason is true of the model that gave it. Whether another training, on customers as good as these, would
have given the same one is measured here: the model is refitted to resamples of the customers, and the reasons
that it then gives the same customers are compared. Beside it stands what pillars weigh over all customers,
with what chance does to that. Nothing here says that a reason causes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student
from sklearn.base import BaseEstimator, clone

from habitue.decisions.reasons import N_REASONS, by_pillar, reasons_in_words
from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import weight_chunks

__all__ = ["LEVELS", "Stability", "importance_by_pillar", "reason_stability"]

FloatArray = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.object_]

LEVELS: Final = ("sentence", "feature", "pillar")
"""What is compared: the words that a reader sees, the features behind them, the pillars these belong to."""


_NOTHING: Final = -1  # the code of a reason that is not there


class Stability(NamedTuple):
    """How often the same reasons would be given again.

    Attributes
    ----------
    overall : DataFrame
        level, top, jaccard, lower, upper, shared, of_another: for each level and number of top reasons, what
        the two sets share over what they have together, averaged over customers and refits, with an interval
        over refits; the share of the reasons that are given again; and the jaccard of the reasons that the
        refits give to *other* customers, drawn by chance: reasons that everybody has are no news.
    customers : DataFrame of shape (n_customers, n_columns)
        The jaccard of each customer, averaged over refits; columns (level, top).
    """

    overall: pd.DataFrame
    customers: pd.DataFrame


def reason_stability(
    model: BaseEstimator,
    X: pd.DataFrame,
    y: npt.ArrayLike | None = None,
    *,
    told: pd.DataFrame | None = None,
    top: tuple[int, ...] = (1, 2, 3),
    n_resamples: int = 10,
    confidence: float = 0.95,
    random_state: int = 0,
) -> Stability:
    """Refit a model to resamples of its customers, and compare the reasons it gives.

    Parameters
    ----------
    model : estimator
        With ``contributions(X)``; left as it is, copies are fitted.
    X : DataFrame of shape (n_rows, n_features)
        What it learns from. Where the index has a level ``customer_id`` whole customers are drawn, with all
        their cutoffs; else each row is a customer.
    y : array_like of shape (n_rows,), optional
        The outcomes; None for models that need none.
    told : DataFrame of shape (n_customers, n_features), optional
        The customers whose reasons are compared; those of X where None.
    top : tuple of int
        Numbers of top reasons that are compared, each from 1 to 3.
    n_resamples : int
        Refits, 2 or more; each takes as long as a training.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int
        Seed.

    Returns
    -------
    Stability

    Raises
    ------
    SettingsError
        Where the model gives no reasons, or a setting is out of range.
    DataError
        Where X and y do not match, or nobody is told.

    Notes
    -----
    The refits are compared with the model fitted to all customers, which is the one whose reasons are read.
    Two sets of top reasons are compared by the index of Jaccard [1]_, size of the intersection over that
    of their union; 1 where both are empty. Customers whom fewer things moved have shorter sets. The interval
    is Student's t over the means of the refits. Two features that say nearly the same change places at the
    least occasion: that is what the level of pillars is for.

    References
    ----------
    .. [1] Kalousis, A., Prados, J. & Hilario, M. (2007). Stability of feature selection algorithms: a study
       on high-dimensional spaces. Knowledge and Information Systems 12, 95-116.

    Examples
    --------
    >>> import habitue as hb
    >>> past = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=91))
    >>> X, y = past.X[["frequency", "inactivity", "T"]], past.y["churned"]
    >>> model = hb.BoostedChurnClassifier(n_estimators=10, n_jobs=1)
    >>> found = reason_stability(model, X, y, n_resamples=3, top=(1,))
    >>> list(found.overall["level"]), bool(found.overall["jaccard"].between(0, 1).all())
    (['sentence', 'feature', 'pillar'], True)
    """
    _check(model, X, y, top=top, n_resamples=n_resamples, confidence=confidence)
    judged = X if told is None else told
    if not len(judged):
        raise DataError("There is no customer whose reasons could be compared; hand in at least one.")
    reference = _reasons(_fit(model, X, y), judged)
    another = np.random.default_rng(random_state).permutation(len(judged))
    found: dict[tuple[str, int], list[_Agreement]] = {(level, k): [] for level in LEVELS for k in top}
    for rows in _resamples(X, n_resamples, random_state):
        refitted = _fit(model, X.iloc[rows], None if y is None else np.asarray(y)[rows])
        again = _reasons(refitted, judged)
        for level, k in found:
            found[level, k].append(_agreement(reference[level][:, :k], again[level][:, :k], another))
    each = {key: np.mean([one.jaccard for one in refits], axis=0) for key, refits in found.items()}
    customers = pd.DataFrame(each, index=judged.index).rename_axis(columns=["level", "top"])
    return Stability(_overall(found, confidence), customers)


class _Agreement(NamedTuple):
    """What one refit's reasons share with those that are told."""

    jaccard: FloatArray  # of each customer
    shared: float
    of_another: float


def _check(
    model: Any,
    X: pd.DataFrame,
    y: npt.ArrayLike | None,
    *,
    top: tuple[int, ...],
    n_resamples: int,
    confidence: float,
) -> None:
    if not hasattr(model, "contributions"):
        raise SettingsError(
            f"{type(model).__name__} gives no reasons: only models with contributions(X) can be asked."
        )
    if not top or min(top) < 1 or max(top) > N_REASONS:
        raise SettingsError(f"top must be numbers of reasons from 1 to {N_REASONS}; got {top}.")
    if n_resamples < 2 or not 0.0 < confidence < 1.0:
        raise SettingsError(
            f"n_resamples must be 2 or more and confidence between 0 and 1; got {n_resamples} and "
            f"{confidence}."
        )
    if y is not None and len(np.asarray(y)) != len(X):
        raise DataError(f"y must have one outcome for each of {len(X)} rows of X; got {len(np.asarray(y))}.")


def _fit(model: Any, X: pd.DataFrame, y: npt.ArrayLike | None) -> Any:
    fresh: Any = clone(model)
    return fresh.fit(X) if y is None else fresh.fit(X, y)


def _resamples(X: pd.DataFrame, n_resamples: int, random_state: int) -> Iterator[npt.NDArray[np.intp]]:
    """Draw customers with replacement; yield the rows of each draw, repeated as often as drawn."""
    customers = X.index.get_level_values("customer_id") if "customer_id" in X.index.names else None
    for chunk in weight_chunks(len(X), n_replicates=n_resamples, random_state=random_state, groups=customers):
        for counts in chunk:
            yield np.repeat(np.arange(len(X)), counts.astype(np.intp))


def _reasons(model: Any, X: pd.DataFrame) -> Mapping[str, TextArray]:
    """Return each customer's top reasons by level, the strongest first; empty text where there are fewer."""
    contributions: pd.DataFrame = model.contributions(X)
    values: pd.DataFrame = model.reason_values(X) if hasattr(model, "reason_values") else X
    return {
        "sentence": reasons_in_words(contributions, values).to_numpy(dtype=object),
        "feature": _strongest(contributions),
        "pillar": _strongest(by_pillar(contributions)),
    }


def _strongest(contributions: pd.DataFrame) -> TextArray:
    weight = np.abs(contributions.to_numpy(dtype=np.float64))
    order = np.argsort(-weight, axis=1, kind="stable")[:, :N_REASONS]
    names = contributions.columns.to_numpy(dtype=object)[order]
    return np.where(np.take_along_axis(weight, order, axis=1) > 0.0, names, "")


def _agreement(ours: TextArray, theirs: TextArray, another: npt.NDArray[np.intp]) -> _Agreement:
    """Compare two models' reasons customer by customer, and with those of another customer."""
    codes, names = pd.factorize(np.concatenate([ours, theirs]).ravel())
    numbers = np.where(names[codes] == "", _NOTHING, codes).reshape(-1, ours.shape[1])
    mine, again = numbers[: len(ours)], numbers[len(ours) :]
    jaccard, n_shared = _jaccard(mine, again)
    n_told = int((mine != _NOTHING).sum())
    shared = float(n_shared.sum() / n_told) if n_told else 1.0
    return _Agreement(jaccard, shared, float(_jaccard(mine, again[another])[0].mean()))


def _jaccard(a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return size of intersection over size of union of each row's codes, and the former."""
    both = (
        ((a[:, :, None] == b[:, None, :]) & (a[:, :, None] != _NOTHING)).sum(axis=(1, 2)).astype(np.float64)
    )
    either = (a != _NOTHING).sum(axis=1) + (b != _NOTHING).sum(axis=1) - both
    return np.divide(both, either, out=np.ones_like(both), where=either > 0), both


def _overall(found: Mapping[tuple[str, int], list[_Agreement]], confidence: float) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for (level, k), refits in found.items():
        means = np.array([one.jaccard.mean() for one in refits])
        half = float(
            student.isf((1.0 - confidence) / 2.0, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
        )
        value = float(means.mean())
        rows.append(
            {"level": level, "top": k, "jaccard": value,
             "lower": max(value - half, 0.0), "upper": min(value + half, 1.0),
             "shared": float(np.mean([one.shared for one in refits])),
             "of_another": float(np.mean([one.of_another for one in refits]))}
        )  # fmt: skip
    return pd.DataFrame(rows)


def importance_by_pillar(
    contributions: pd.DataFrame,
    *,
    customers: npt.ArrayLike | None = None,
    confidence: float = 0.95,
    n_replicates: int = 200,
    random_state: int = 0,
) -> pd.DataFrame:
    """Say what each pillar weighs in a model's predictions, over all customers.

    Parameters
    ----------
    contributions : DataFrame of shape (n_rows, n_features)
        What each feature adds to each prediction, on any additive scale.
    customers : array_like of shape (n_rows,), optional
        The customer of each row, where customers appear more than once.
    confidence : float
        Of the intervals, in (0, 1).
    n_replicates : int
        Bootstrap draws of the customers.
    random_state : int
        Seed.

    Returns
    -------
    DataFrame
        pillar, n_features, importance, lower, upper, share, share_lower, share_upper; the heaviest first.
        The importance is the mean over customers of how far the pillar moves the prediction either way, on
        the scale of the contributions; the share is that over the sum of all pillars.

    Raises
    ------
    DataError
        Where there is no customer, or customers do not match.
    SettingsError
        Where a setting is out of range.

    Notes
    -----
    Contributions are summed within the pillar with their signs before the size is taken: two features of one
    pillar that pull against each other move nothing. The intervals are about the customers, not about the
    model, which stays as it is; `reason_stability` refits it.

    Examples
    --------
    >>> moved = pd.DataFrame({"inactivity": [1.0, -1.0], "frequency": [0.5, 0.5], "gap_mean": [-0.25, 0.25]})
    >>> importance_by_pillar(moved)[["pillar", "n_features", "importance", "share"]]
         pillar  n_features  importance  share
    0  activity           2        1.00    0.8
    1     habit           1        0.25    0.2
    """
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0 and 1; got {confidence}.")
    sums = by_pillar(contributions)
    sizes = np.abs(sums.to_numpy(dtype=np.float64))
    chunks = weight_chunks(len(sizes), n_replicates=n_replicates, random_state=random_state, groups=customers)
    draws = np.concatenate([chunk @ sizes / chunk.sum(axis=1, keepdims=True) for chunk in chunks])
    importance = sizes.mean(axis=0)
    tail = (1.0 - confidence) / 2.0
    ends, shares = (np.quantile(one, [tail, 1.0 - tail], axis=0) for one in (draws, _shares(draws)))
    pillars = [
        by_pillar(contributions.iloc[:1, [place]]).columns[0] for place in range(contributions.shape[1])
    ]
    table = pd.DataFrame(
        {"pillar": sums.columns, "n_features": [pillars.count(one) for one in sums.columns],
         "importance": importance, "lower": ends[0], "upper": ends[1],
         "share": _shares(importance), "share_lower": shares[0], "share_upper": shares[1]}
    )  # fmt: skip
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _shares(importance: FloatArray) -> FloatArray:
    total = importance.sum(axis=-1, keepdims=True)
    return np.divide(importance, total, out=np.zeros_like(importance), where=total > 0.0)
