"""Learners of effects: the same nuisances, put to use in different ways.

Each learner answers the same question, the effect of one arm against the control, and tells besides what
copies of it said of customers that they had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.models.tree_growing import grow
from habitue.models.uplift.effects import ArmEffect, EffectPart
from habitue.models.uplift.growing import EffectTargets, GrownEffect, grow_effect, regrow
from habitue.models.uplift.inputs import Experiment
from habitue.models.uplift.material import Material
from habitue.models.uplift.nuisance import OUTCOMES, Nuisances
from habitue.numerics.uplift import r_targets, x_targets
from habitue.numerics.uplift_calibration import best_line

__all__ = ["LEARNERS", "Learned", "Refit"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Refit = Callable[[BoolArray], ArmEffect]
"""What trains the learner once more, as large as it is, on some rows."""


class Learned(NamedTuple):
    """What was learned of one arm's effect.

    Attributes
    ----------
    effect : ArmEffect
        Learned from all rows.
    unseen : ndarray of shape (n,)
        Effects by copies that had not seen the row's fold.
    refit : callable
        What learns again from some rows.
    """

    effect: ArmEffect
    unseen: FloatArray
    refit: Refit


def learn_average(material: Material, arm: int) -> Learned:
    """Learn one effect for all: the honest baseline.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.
    """
    scores, weights = material.effect_scores(arm), material.experiment.weights

    def mean(rows: BoolArray) -> float:
        return float(np.average(scores[rows], weights=weights[rows]))

    everyone = np.ones(len(weights), dtype=np.bool_)
    unseen = np.full(
        len(weights), mean(everyone)
    )  # who gains more is not told: nothing that could be overfitted
    return Learned(ArmEffect(mean(everyone), []), unseen, lambda rows: ArmEffect(mean(rows), []))


def learn_risk(material: Material, arm: int) -> Learned:
    """Learn the effect as a line in the outcome expected whatever is done.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.

    References
    ----------
    .. [1] Kent, D. M. et al. (2020). The Predictive Approaches to Treatment effect Heterogeneity (PATH)
       statement. Annals of Internal Medicine 172(1), 35-45: risk modelling.
    """
    nuisances, weights = material.nuisances, material.experiment.weights
    unseen = np.empty(len(weights))
    for k, expected in enumerate(nuisances.without):
        seen, asked = nuisances.fold != k, nuisances.fold == k
        slope, constant = _risk_line(
            _risk(expected, arm)[seen], material.scores_by(expected, arm)[seen], weights[seen]
        )
        unseen[asked] = constant + slope * _risk(nuisances.known, arm)[asked]
    risk, scores = _risk(nuisances.known, arm), material.effect_scores(arm)

    def refit(rows: BoolArray) -> ArmEffect:
        slope, constant = _risk_line(risk[rows], scores[rows], weights[rows])
        parts = [
            EffectPart(slope / 2.0 * nuisances.unit, material.kind, nuisances.boosters[one])
            for one in (0, arm)
        ]
        return ArmEffect(constant, parts)

    return Learned(refit(np.ones(len(weights), dtype=np.bool_)), unseen, refit)


def learn_t(material: Material, arm: int) -> Learned:
    """Learn the effect as the difference of two expected outcomes: the T-learner.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.
    """
    experiment, nuisances = material.experiment, material.nuisances

    def of(boosters: list[Any]) -> ArmEffect:
        pairs = zip((-1.0, 1.0), boosters, strict=True)
        return ArmEffect(
            0.0, [EffectPart(weight * nuisances.unit, material.kind, booster) for weight, booster in pairs]
        )

    def refit(rows: BoolArray) -> ArmEffect:
        settings = material.outcome_settings | OUTCOMES[material.kind]
        boosters: list[Any] = []
        for one in (0, arm):
            chosen = rows & (experiment.drawn == one) & (experiment.weights > 0.0)
            n_trees = nuisances.boosters[one].num_trees()
            grown = grow(
                material.matrix,
                experiment.y[chosen] / nuisances.unit,
                experiment.weights,
                settings,
                rows=chosen,
                n_estimators=n_trees,
            )
            boosters.append(grown.booster)
        return of(boosters)

    unseen = nuisances.known[:, arm] - nuisances.known[:, 0]
    return Learned(of([nuisances.boosters[one] for one in (0, arm)]), unseen, refit)


def learn_x(material: Material, arm: int) -> Learned:
    """Learn imputed effects of the treated and of the controls, and blend them: the X-learner.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.

    References
    ----------
    .. [1] Künzel, S. R., Sekhon, J. S., Bickel, P. J. & Yu, B. (2019). Metalearners for estimating
       heterogeneous treatment effects using machine learning. PNAS 116(10), 4156-4165.
    """
    experiment, nuisances = material.experiment, material.nuisances
    mass = [float(experiment.weights[experiment.drawn == one].sum()) for one in (0, arm)]
    # Kuenzel's g: the more were treated, the more is asked of the controls' imputed effects.
    shares = [mass[1] / sum(mass), mass[0] / sum(mass)]
    sides = [
        _from_targets(material, _imputed(experiment, nuisances, drawn=one, other=other))
        for one, other in ((0, arm), (arm, 0))
    ]
    unseen = sum((share * side.unseen for share, side in zip(shares, sides, strict=True)), np.zeros(1))

    def refit(rows: BoolArray) -> ArmEffect:
        return _blend(shares, [side.refit(rows) for side in sides])

    return Learned(_blend(shares, [side.effect for side in sides]), unseen, refit)


def learn_dr(material: Material, arm: int) -> Learned:
    """Learn doubly robust scores: the DR-learner.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.

    References
    ----------
    .. [1] Kennedy, E. H. (2023). Towards optimal doubly robust estimation of heterogeneous causal effects.
       Electronic Journal of Statistics 17(2), 3008-3049.
    """
    nuisances = material.nuisances
    without = [material.scores_by(expected, arm) for expected in nuisances.without]
    targets = EffectTargets(material.effect_scores(arm), without, material.experiment.weights)
    return _from_targets(material, targets)


def learn_r(material: Material, arm: int) -> Learned:
    """Learn what outcomes expected without knowing the arm leave open: the R-learner.

    Parameters
    ----------
    material : Material
        What may be used.
    arm : int
        Its place, above 0.

    References
    ----------
    .. [1] Nie, X. & Wager, S. (2021). Quasi-oracle estimation of heterogeneous treatment effects. Biometrika
       108(2), 299-319.
    """
    experiment, nuisances = material.experiment, material.nuisances
    treated = experiment.drawn == arm
    # Weighted by 1 / p, arm and control are equally likely for everybody.
    counts = np.where(treated | (experiment.drawn == 0), experiment.weights / material.chance, 0.0)

    def values(expected: FloatArray) -> FloatArray:
        return r_targets(experiment.y, treated, _risk(expected, arm)).values

    weights = counts * r_targets(experiment.y, treated, _risk(nuisances.known, arm)).weights
    without = [values(expected) for expected in nuisances.without]
    return _from_targets(material, EffectTargets(values(nuisances.known), without, weights))


LEARNERS: Mapping[str, Callable[[Material, int], Learned]] = MappingProxyType(
    {
        "average": learn_average,
        "risk": learn_risk,
        "T": learn_t,
        "X": learn_x,
        "DR": learn_dr,
        "R": learn_r,
    }
)
"""Learners by name, the simpler first."""


def _risk(expected: FloatArray, arm: int) -> FloatArray:
    """Return the outcome expected of a customer who may draw arm or control."""
    return (expected[:, 0] + expected[:, arm]) / 2.0


def _risk_line(risk: FloatArray, scores: FloatArray, weights: FloatArray) -> tuple[float, float]:
    line = best_line(risk, scores, weights=weights)
    return line.slope.value, line.average.value - line.slope.value * line.centre


def _imputed(experiment: Experiment, nuisances: Nuisances, *, drawn: int, other: int) -> EffectTargets:
    """Return imputed effects of those who drew one arm of a pair."""
    rows = experiment.drawn == drawn
    treated = np.full(len(rows), drawn != 0)

    def values(expected: FloatArray) -> FloatArray:
        return x_targets(experiment.y, treated, expected[:, other])

    without = [values(expected) for expected in nuisances.without]
    return EffectTargets(values(nuisances.known), without, np.where(rows, experiment.weights, 0.0))


def _from_targets(material: Material, targets: EffectTargets) -> Learned:
    grown = grow_effect(
        material.matrix,
        targets,
        material.nuisances.fold,
        material.effect_settings,
        n_estimators=material.n_estimators,
        num_leaves=material.num_leaves,
    )
    return Learned(
        _as_effect(grown.booster, grown.constant), grown.unseen, _regrowing(material, targets, grown)
    )


def _regrowing(material: Material, targets: EffectTargets, grown: GrownEffect) -> Refit:
    settings = material.effect_settings | {"num_leaves": grown.num_leaves}

    def refit(rows: BoolArray) -> ArmEffect:
        return _as_effect(*regrow(material.matrix, targets, rows, settings, n_trees=grown.n_trees))

    return refit


def _as_effect(booster: Any, constant: float) -> ArmEffect:
    return ArmEffect(constant, [] if booster is None else [EffectPart(1.0, "continuous", booster)])


def _blend(shares: list[float], effects: list[ArmEffect]) -> ArmEffect:
    pairs = list(zip(shares, effects, strict=True))
    parts = [part._replace(weight=share * part.weight) for share, effect in pairs for part in effect.parts]
    return ArmEffect(sum(share * effect.constant for share, effect in pairs), parts)
