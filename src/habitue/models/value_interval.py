"""How far off a predicted spend may be: an interval that held for customers like this one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, HabitueWarning, SettingsError
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import read_amounts
from habitue.models.persistence import persistent
from habitue.numerics.conformal import conformal_quantile, enough_for, level_edges

__all__ = ["ValueInterval"]

FloatArray = npt.NDArray[np.float64]

_AT_LEAST = 50
"""Customers of a level, at least, that its ends may be trusted."""


@persistent
class ValueInterval(BaseEstimator):
    """Interval for the spend of one customer, learned from customers that the model had not seen.

    Parameters
    ----------
    confidence : float
        Share of customers whose spend lies inside, in (0, 1).
    n_levels : int
        Levels of predicted spend that are told apart, at most; each has at least 50 customers, more where
        confidence is high.

    Attributes
    ----------
    edges_ : ndarray of shape (n_levels - 1,)
        Predicted spend at which one level ends and the next begins.
    lower_, upper_ : ndarray of shape (n_levels,)
        Ends of the interval as multiples of the prediction.

    Notes
    -----
    Split-conformal within levels of the prediction (Mondrian), on the ratio of spend to prediction, so that a
    change of currency changes nothing else. Within each level the ends are the order statistics that hold at
    least the stated share for customers from the same law; the interval is then widened where needed to hold
    the prediction itself, which can only raise that share. Most customers of a low level spend nothing: there
    the interval is [0, prediction].

    A customer with a predicted spend of 0 gets [0, 0]: there is nothing to multiply. Predictions below 0
    count as 0.

    References
    ----------
    .. [1] Vovk, V., Gammerman, A. & Shafer, G. (2005). Algorithmic Learning in a Random World, ch. 4.
    .. [2] Lei, J. et al. (2018). Distribution-free predictive inference for regression. JASA 113, 1094-1111.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> predicted = rng.gamma(2.0, 10.0, 4_000)
    >>> spent = predicted * rng.exponential(1.0, 4_000)
    >>> interval = ValueInterval(confidence=0.8).fit(predicted[:2_000], spent[:2_000])
    >>> lower, upper = interval.bounds(predicted[2_000:])
    >>> bool(0.77 < np.mean((lower <= spent[2_000:]) & (spent[2_000:] <= upper)) < 0.9)
    True
    """

    if TYPE_CHECKING:
        edges_: FloatArray
        lower_: FloatArray
        upper_: FloatArray

    def __init__(self, *, confidence: float = 0.8, n_levels: int = 20) -> None:
        self.confidence = confidence
        self.n_levels = n_levels

    def fit(self, prediction: npt.ArrayLike, outcome: npt.ArrayLike) -> Self:
        """Learn from predictions for customers that the model was not fitted on.

        Parameters
        ----------
        prediction, outcome : array_like of shape (n_customers,)
            Money.

        Raises
        ------
        SettingsError
            Where confidence is not between 0 and 1, or n_levels is below 1.
        DataError
            Where there are no customers, a prediction is missing, or the two do not match.

        Warns
        -----
        HabitueWarning
            Where customers are too few for the stated share to hold; the interval then spans all that was
            seen.
        """
        if not 0.0 < self.confidence < 1.0:
            raise SettingsError(f"confidence must lie between 0 and 1; got {self.confidence}.")
        check_setting("n_levels", self.n_levels, at_least=1)
        predicted = _read_predictions(prediction)
        spent = read_amounts(outcome, len(predicted))
        some = predicted > 0
        if not some.any():
            raise DataError("An interval needs customers with a predicted spend above 0; there are none.")
        ratio, predicted = spent[some] / predicted[some], predicted[some]
        _warn_if_too_few(len(ratio), self.confidence)
        at_least = max(_AT_LEAST, enough_for((1.0 + self.confidence) / 2.0))
        self.edges_ = level_edges(predicted, int(self.n_levels), at_least)
        level = np.searchsorted(self.edges_, predicted, side="right")
        ends = [_ends(ratio[level == place], self.confidence) for place in range(len(self.edges_) + 1)]
        self.lower_, self.upper_ = (np.array(end) for end in zip(*ends, strict=True))
        return self

    def bounds(self, prediction: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return both ends of each customer's interval.

        Parameters
        ----------
        prediction : array_like of shape (n_customers,)
            Money.

        Returns
        -------
        lower, upper : ndarray of shape (n_customers,)
            Money; lower <= prediction <= upper.
        """
        check_is_fitted(self, "edges_")
        predicted = np.maximum(_read_predictions(prediction), 0.0)
        level = np.searchsorted(self.edges_, predicted, side="right")
        lower, upper = np.minimum(self.lower_, 1.0), np.maximum(self.upper_, 1.0)
        return predicted * lower[level], predicted * upper[level]


def _read_predictions(prediction: npt.ArrayLike) -> FloatArray:
    predicted = np.asarray(prediction, dtype=np.float64)
    if predicted.ndim != 1 or not np.isfinite(predicted).all():
        raise DataError(
            f"Predictions must be one finite amount a customer; got shape {predicted.shape} with "
            f"{int((~np.isfinite(predicted)).sum())} missing or infinite. Leave those customers out."
        )
    return predicted


def _warn_if_too_few(n_customers: int, confidence: float) -> None:
    enough = enough_for((1.0 + confidence) / 2.0)
    if n_customers < enough:
        warnings.warn(
            f"An interval that holds for {confidence:.0%} of customers takes {enough} or more "
            f"to learn from; there are {n_customers} with a predicted spend above 0. It now spans all that "
            "was seen of them, which holds less often. Use more customers or a lower confidence.",
            HabitueWarning,
            stacklevel=3,
        )


def _ends(ratio: FloatArray, confidence: float) -> tuple[float, float]:
    """Order statistics that leave out at most (1 - confidence) / 2 a side, for a further customer too."""
    share = (1.0 + confidence) / 2.0
    return -conformal_quantile(-ratio, share), conformal_quantile(ratio, share)
