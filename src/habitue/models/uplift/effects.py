"""A fitted effect of one arm: a sum of what boosters say, so that its reasons add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.models.boosting import ask
from habitue.models.persistence import persistent
from habitue.models.uplift.nuisance import expectation

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["ArmEffect", "EffectPart"]

FloatArray = npt.NDArray[np.float64]


@persistent
class EffectPart(NamedTuple):
    """What one booster adds to an effect.

    Attributes
    ----------
    weight : float
        How often what it says is added.
    kind : str
        What its raw score is turned into: a name of `OUTCOMES`; "continuous" where it is left as it is.
    booster : lightgbm.Booster
        Trained.
    """

    weight: float
    kind: str
    booster: Booster


@persistent
class ArmEffect(NamedTuple):
    """The effect of one arm against the control, before it is calibrated.

    Attributes
    ----------
    constant : float
        Where it starts from.
    parts : list of EffectPart
        What is added; none where the effect is the same for all.
    """

    constant: float
    parts: list[EffectPart]

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Return effects.

        Parameters
        ----------
        matrix : ndarray of shape (n, n_features)
            Features; NaN is missing.

        Examples
        --------
        >>> ArmEffect(0.5, []).predict(np.zeros((2, 1)))
        array([0.5, 0.5])
        """
        told = np.full(len(matrix), self.constant)
        for part in self.parts:
            told += part.weight * expectation(part.kind, ask(part.booster, matrix, raw_score=True))
        return told

    def contributions(self, matrix: FloatArray) -> FloatArray:
        """Return what each feature adds to each effect, with the start in the last column.

        Parameters
        ----------
        matrix : ndarray of shape (n, n_features)
            Features; NaN is missing.

        Returns
        -------
        ndarray of shape (n, n_features + 1)
            Rows add up to `predict`.

        Notes
        -----
        SHAP values of each booster. Where its score is turned into an outcome, what the outcome differs from
        the start's is shared out in proportion to them.

        Examples
        --------
        >>> ArmEffect(0.5, []).contributions(np.zeros((2, 1)))
        array([[0. , 0.5],
               [0. , 0.5]])
        """
        told = np.zeros((len(matrix), matrix.shape[1] + 1))
        told[:, -1] = self.constant
        for part in self.parts:
            told += part.weight * _carried(part.kind, ask(part.booster, matrix, pred_contrib=True))
        return told


def _carried(kind: str, values: FloatArray) -> FloatArray:
    """Return SHAP values of a raw score as those of the outcome it stands for."""
    if kind == "continuous":
        return values
    start = values[:, -1]
    score = values.sum(axis=1)
    far, near = expectation(kind, score), expectation(kind, start)
    moved = score - start
    still = np.abs(moved) < 1e-12
    told = values * np.divide(far - near, moved, out=np.zeros(len(values)), where=~still)[:, np.newaxis]
    told[:, -1] = np.where(still, far, near)
    return told
