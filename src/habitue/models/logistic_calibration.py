"""Calibrators of two or three parameters: a logistic regression on what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from habitue.models.persistence import persistent
from habitue.models.predicted_probabilities import Calibrator, FloatArray
from habitue.numerics import calibration_maps as maps

__all__ = ["BetaCalibrator", "PlattCalibrator"]


@persistent
class PlattCalibrator(Calibrator):
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
    >>> import numpy as np
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

    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        self.slope_, self.intercept_ = maps.fit_platt(predicted, churned, weights)

    def _put_right(self, predicted: FloatArray) -> FloatArray:
        return maps.platt(maps.PlattMap(self.slope_, self.intercept_), predicted)


@persistent
class BetaCalibrator(Calibrator):
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
    >>> import numpy as np
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

    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        self.a_, self.b_, self.c_ = maps.fit_beta(predicted, churned, weights)

    def _put_right(self, predicted: FloatArray) -> FloatArray:
        return maps.beta(maps.BetaMap(self.a_, self.b_, self.c_), predicted)
