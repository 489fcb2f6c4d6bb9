"""Calibrators of two or three parameters: a logistic regression on what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.models.persistence import persistent
from habitue.models.predicted_probabilities import read_predictions, read_probabilities
from habitue.numerics import calibration_maps as maps

__all__ = ["BetaCalibrator", "PlattCalibrator"]

FloatArray = npt.NDArray[np.float64]


@persistent
class PlattCalibrator(BaseEstimator):
    """Stretch and shift log-odds: right where a model is too sure, too timid, or off by a constant.

    Attributes
    ----------
    slope_ : float
        At least 0; 1 changes nothing.
    intercept_ : float
        Shift of the log-odds.

    See Also
    --------
    habitue.numerics.calibration_maps.fit_platt : The formula, and how extremes are avoided.

    References
    ----------
    .. [1] Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods. Advances in Large Margin Classifiers, 61-74.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.beta(2.0, 5.0, 20_000)
    >>> too_sure = 1 / (1 + ((1 - true) / true) ** 2)
    >>> fitted = PlattCalibrator().fit(too_sure, rng.uniform(size=20_000) < true)
    >>> round(fitted.slope_, 2)
    0.49
    """

    if TYPE_CHECKING:
        slope_: float
        intercept_: float

    def fit(
        self, probability: npt.ArrayLike, outcome: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Learn from customers that the model had not seen.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].
        outcome : array_like of shape (n_customers,)
            True or 1 for those who churned.
        sample_weight : array_like of shape (n_customers,), optional
            How many customers each row stands for.

        Raises
        ------
        DataError
            Where there is nobody, they do not match, or something is no probability.
        """
        self.slope_, self.intercept_ = maps.fit_platt(*read_predictions(probability, outcome, sample_weight))
        return self

    def calibrate(self, probability: npt.ArrayLike) -> FloatArray:
        """Return probabilities put right.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].

        Returns
        -------
        ndarray of shape (n_customers,)
            Inside (0, 1).
        """
        check_is_fitted(self, "slope_")
        return maps.platt(maps.PlattMap(self.slope_, self.intercept_), read_probabilities(probability))


@persistent
class BetaCalibrator(BaseEstimator):
    """Stretch and shift log-odds, with a stretch of its own for each end.

    Attributes
    ----------
    a_, b_ : float
        Stretch where probabilities are low and where they are high, at least 0; 1 changes nothing.
    c_ : float
        Shift of the log-odds.

    See Also
    --------
    habitue.numerics.calibration_maps.fit_beta : The formula, and how extremes are avoided.

    References
    ----------
    .. [1] Kull, M., Silva Filho, T. & Flach, P. (2017). Beta calibration: a well-founded and easily
       implemented improvement on logistic calibration for binary classifiers. AISTATS, PMLR 54, 623-631.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=20_000)
    >>> fitted = BetaCalibrator().fit(p, rng.uniform(size=20_000) < p)
    >>> fitted.calibrate([0.1, 0.5, 0.9]).round(1)
    array([0.1, 0.5, 0.9])
    """

    if TYPE_CHECKING:
        a_: float
        b_: float
        c_: float

    def fit(
        self, probability: npt.ArrayLike, outcome: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Learn from customers that the model had not seen.

        Parameters
        ----------
        probability, outcome, sample_weight : array_like of shape (n_customers,)
            As `PlattCalibrator.fit`.

        Raises
        ------
        DataError
            Where there is nobody, they do not match, or something is no probability.
        """
        self.a_, self.b_, self.c_ = maps.fit_beta(*read_predictions(probability, outcome, sample_weight))
        return self

    def calibrate(self, probability: npt.ArrayLike) -> FloatArray:
        """Return probabilities put right.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].

        Returns
        -------
        ndarray of shape (n_customers,)
            Inside (0, 1).
        """
        check_is_fitted(self, "a_")
        return maps.beta(maps.BetaMap(self.a_, self.b_, self.c_), read_probabilities(probability))
