"""What all learners of effects have in common: the experiment, and outcomes that were expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from habitue.models.uplift.inputs import Experiment
from habitue.models.uplift.nuisance import Nuisances
from habitue.numerics.uplift import arm_scores, effect_scores

__all__ = ["Material"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """All that a learner of effects may use.

    Attributes
    ----------
    matrix : ndarray of shape (n, n_features)
        Features; NaN is missing.
    experiment : Experiment
        Who drew what, and what came of it.
    chance : ndarray of shape (n,)
        Of the arm that was drawn.
    nuisances : Nuisances
        Outcomes expected under each arm.
    kind : str
        Of the outcome.
    outcome_settings, effect_settings : dict
        LightGBM's parameters for outcomes, and for effects.
    n_estimators : int
        Trees of an effect, at most.
    num_leaves : tuple of int
        Sizes of trees of an effect that are tried.
    """

    matrix: FloatArray
    experiment: Experiment
    chance: FloatArray
    nuisances: Nuisances
    kind: str
    outcome_settings: dict[str, Any]
    effect_settings: dict[str, Any]
    n_estimators: int
    num_leaves: tuple[int, ...]

    def arm_scores(self) -> FloatArray:
        """Return doubly robust scores of each arm, shape (n, n_arms)."""
        return arm_scores(self.experiment.y, self.experiment.drawn, self.chance, self.nuisances.known)

    def effect_scores(self, arm: int) -> FloatArray:
        """Return doubly robust scores of an arm's effect, shape (n,).

        Parameters
        ----------
        arm : int
            Its place, above 0.
        """
        return self.scores_by(self.nuisances.known, arm)

    def scores_by(self, expected: FloatArray, arm: int) -> FloatArray:
        """Return doubly robust scores of an arm's effect by given expectations, shape (n,).

        Parameters
        ----------
        expected : ndarray of shape (n, n_arms)
            Outcome expected under each arm.
        arm : int
            Its place, above 0.
        """
        experiment = self.experiment
        return effect_scores(experiment.y, experiment.drawn, self.chance, expected)[:, arm - 1]
