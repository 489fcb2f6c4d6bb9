"""Calibrators that only ask the share that churned to rise with the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from habitue.models.persistence import persistent
from habitue.models.predicted_probabilities import Calibrator, FloatArray, read_probabilities
from habitue.numerics import calibration_maps as maps
from habitue.numerics import venn_abers

__all__ = ["IsotonicCalibrator", "VennAbersCalibrator"]

_PER_LOG_ODDS = 100.0
"""Steps of the scores of Venn-Abers in one unit of log-odds: odds that differ by 1 % are told apart."""


@persistent
class IsotonicCalibrator(Calibrator):
    """Share that churned as a function that only rises, of whatever shape.

    Attributes
    ----------
    knots_ : ndarray of shape (n_knots,)
        Predicted probabilities at which it bends, ascending.
    values_ : ndarray of shape (n_knots,)
        What they become: straight between two knots, level outside. The least is 1 / (n + 1) or more, where n
        customers stand at the bottom.

    See Also
    --------
    habitue.numerics.calibration_maps.fit_isotonic : The formula, and how extremes are avoided.

    References
    ----------
    .. [1] Zadrozny, B. & Elkan, C. (2002). Transforming classifier scores into accurate multiclass
       probability estimates. KDD, 694-699.

    Examples
    --------
    >>> fitted = IsotonicCalibrator().fit([0.1, 0.1, 0.6, 0.6], [0, 0, 1, 1])
    >>> fitted.calibrate([0.1, 0.35, 0.6]).round(3)
    array([0.333, 0.5  , 0.667])
    """

    if TYPE_CHECKING:
        knots_: FloatArray
        values_: FloatArray

    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        self.knots_, self.values_ = maps.fit_isotonic(predicted, churned, weights)

    def _put_right(self, predicted: FloatArray) -> FloatArray:
        return maps.isotonic(maps.IsotonicMap(self.knots_, self.values_), predicted)


@persistent
class VennAbersCalibrator(Calibrator):
    """Two isotonic probabilities: the right one if this customer stays, and the right one if not.

    Attributes
    ----------
    scores_ : ndarray of shape (n_scores,)
        Predicted log-odds in hundredths, ascending.
    lower_, upper_ : ndarray of shape (n_scores + 1,)
        Both probabilities between them, as steps.

    See Also
    --------
    habitue.numerics.calibration_venn_abers.fit : The formula.

    Notes
    -----
    What makes them valid is only that customers are exchangeable; where few are like this one, the two lie
    apart. `calibrate` says what lies between them and is least regretted in log loss. Predictions are rounded
    to hundredths of log-odds before anything is learned, a rule that looks at no outcome: so a model is small
    however many customers it learned from.

    References
    ----------
    .. [1] Vovk, V. & Petej, I. (2014). Venn-Abers predictors. UAI, 829-838.

    Examples
    --------
    >>> fitted = VennAbersCalibrator().fit([0.1, 0.1, 0.6, 0.6], [0, 0, 1, 1])
    >>> fitted.calibrate([0.1, 0.6]).round(2)
    array([0.25, 0.75])
    >>> [end.round(2).tolist() for end in fitted.bounds([0.1, 0.6])]
    [[0.0, 0.67], [0.33, 1.0]]
    """

    if TYPE_CHECKING:
        scores_: FloatArray
        lower_: FloatArray
        upper_: FloatArray

    def bounds(self, probability: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the probability if the customer stays, and if the customer churns.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].

        Returns
        -------
        p0, p1 : ndarray of shape (n_customers,)
            In [0, 1]; what `calibrate` says lies between.
        """
        check_is_fitted(self)
        return self._bounds(read_probabilities(probability))

    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        self.scores_, self.lower_, self.upper_ = venn_abers.fit(_hundredths(predicted), churned, weights)

    def _put_right(self, predicted: FloatArray) -> FloatArray:
        """Return the probability between the two whose log loss is least regretted."""
        return venn_abers.merged(*self._bounds(predicted))

    def _bounds(self, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
        fitted = venn_abers.Steps(self.scores_, self.lower_, self.upper_)
        return venn_abers.bounds(fitted, _hundredths(predicted))


def _hundredths(probability: FloatArray) -> FloatArray:
    return np.round(maps.log_odds(probability) * _PER_LOG_ODDS)
