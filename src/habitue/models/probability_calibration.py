"""Churn probabilities that mean what they say: of those called 30 %, three in ten leave.

A calibrator learns from probabilities and outcomes of customers that the model had not seen. All are
monotone: no two customers change places. Which of them is worth its freedom is `choose_calibrator`'s to say;
the formulas are in ``numerics.calibration_maps`` and ``numerics.venn_abers``. Whether a model is calibrated
is judged elsewhere, by scores on a later cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.models.isotonic_calibration import IsotonicCalibrator, VennAbersCalibrator
from habitue.models.logistic_calibration import BetaCalibrator, PlattCalibrator
from habitue.models.outcomes import read_churned
from habitue.models.persistence import persistent
from habitue.models.predicted_probabilities import Calibrator, FloatArray, read_probabilities
from habitue.numerics.calibration_maps import FLOOR

__all__ = [
    "CALIBRATORS",
    "BetaCalibrator",
    "Calibrator",
    "Chosen",
    "IsotonicCalibrator",
    "NoCalibration",
    "PlattCalibrator",
    "VennAbersCalibrator",
    "choose_calibrator",
]


@persistent
class NoCalibration(Calibrator):
    """Leave probabilities as they are.

    Examples
    --------
    >>> NoCalibration().calibrate([0.2, 0.7])
    array([0.2, 0.7])
    """

    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        """There is nothing to learn."""

    def _put_right(self, predicted: FloatArray) -> FloatArray:
        return predicted

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that it is ready as it is."""
        return True


class Chosen(NamedTuple):
    """A calibrator, and what was found of its rivals.

    Attributes
    ----------
    name : str
        How it is called among `CALIBRATORS`.
    calibrator : Calibrator
        Fitted on all.
    losses : DataFrame
        One row a method, simple to complex: mean log_loss and brier on folds it was not fitted on, with
        standard errors; how far its log loss lies behind the best (``behind``), with the standard error of
        that paired difference. No row where nothing was judged.
    """

    name: str
    calibrator: Calibrator
    losses: pd.DataFrame


CALIBRATORS: Mapping[str, type[Calibrator]] = MappingProxyType(
    {
        "none": NoCalibration,
        "platt": PlattCalibrator,
        "beta": BetaCalibrator,
        "isotonic": IsotonicCalibrator,
        "venn-abers": VennAbersCalibrator,
    }
)
"""Ways of calibrating, from simple to complex."""

FEW = 50
"""Of fewer customers of the rarer class nothing is judged: what looks better is as likely chance."""

_COLUMNS = ["log_loss", "log_loss_se", "brier", "brier_se", "behind", "behind_se"]


def choose_calibrator(
    probability: npt.ArrayLike,
    outcome: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    candidates: Sequence[str] = tuple(CALIBRATORS),
) -> Chosen:
    """Choose the simplest calibrator that none is clearly better than, on customers it had not seen.

    Parameters
    ----------
    probability : array_like of shape (n_customers,)
        Predicted by a model that had not seen them, in [0, 1].
    outcome : array_like of shape (n_customers,)
        True or 1 for those who churned.
    groups : array_like of shape (n_customers,)
        Fold of each: a calibrator is fitted on the others and judged on this one.
    candidates : sequence of str
        Names of `CALIBRATORS`; a single one is taken unasked.

    Returns
    -------
    Chosen
        Name, the calibrator fitted on all, and losses by method.

    Raises
    ------
    SettingsError
        Where a name is unknown, or there is none.
    DataError
        Where arrays do not match, or something is no probability.

    Notes
    -----
    The best has the least mean log loss. Taken is the simplest whose paired difference to it is no more than
    one standard error of that difference. Nothing is judged, and the simplest candidate is taken, where the
    rarer class has fewer than 50 customers, there are fewer than two folds, or one has a single class.

    References
    ----------
    .. [1] Breiman, L. et al. (1984). Classification and Regression Trees, section 3.4.3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(2.0, 5.0, 6_000)
    >>> churned = rng.uniform(size=6_000) < p
    >>> choose_calibrator(p, churned, np.arange(6_000) % 3).name
    'none'
    >>> choose_calibrator(p**2 / (p**2 + (1 - p) ** 2), churned, np.arange(6_000) % 3).name
    'platt'
    """
    predicted, happened, folds = read_probabilities(probability), np.asarray(outcome), np.asarray(groups)
    if not len(predicted) == len(happened) == len(folds):
        raise DataError(
            f"Predictions, outcomes and folds must be of the same customers; got {len(predicted)}, "
            f"{len(happened)} and {len(folds)}."
        )
    kinds = _known(candidates)
    name, losses = next(iter(kinds)), pd.DataFrame(columns=_COLUMNS, dtype=np.float64)
    if _can_be_judged(happened, folds):
        churned, _ = read_churned(happened, len(predicted))
        told = {one: _told_by_others(kind, predicted, churned, folds) for one, kind in kinds.items()}
        losses = _losses(told, churned)
        close = losses["behind"].to_numpy() <= losses["behind_se"].to_numpy()
        name = list(kinds)[int(np.argmax(close))]
    calibrator = kinds[name]()
    return Chosen(name, calibrator if name == "none" else calibrator.fit(predicted, happened), losses)


def _known(names: Sequence[str]) -> dict[str, type[Calibrator]]:
    """Return the classes of names, from simple to complex."""
    unknown = [name for name in names if name not in CALIBRATORS]
    if unknown or not names:
        told = ", ".join(map(repr, unknown)) or "none"
        raise SettingsError(f"candidates must be some of {', '.join(CALIBRATORS)}; got {told}.")
    return {name: kind for name, kind in CALIBRATORS.items() if name in names}


def _can_be_judged(outcome: npt.NDArray[np.generic], groups: npt.NDArray[np.generic]) -> bool:
    """Tell whether there is enough of both classes, in every fold."""
    _, fold = np.unique(groups, return_inverse=True)
    ones, zeros = (np.bincount(fold, np.asarray(outcome) == one) for one in (1, 0))
    there = ones.size > 1 and min(ones.min(), zeros.min()) > 0
    return there and min(ones.sum(), zeros.sum()) >= FEW


def _told_by_others(
    kind: type[Calibrator], probability: FloatArray, churned: FloatArray, groups: npt.NDArray[np.generic]
) -> FloatArray:
    """Calibrate each fold by what was learned from the others."""
    told = np.empty_like(probability)
    for group in np.unique(groups):
        mine = groups == group
        fitted = kind().fit(probability[~mine], churned[~mine])
        told[mine] = fitted.calibrate(probability[mine])
    return told


def _losses(told: Mapping[str, FloatArray], churned: FloatArray) -> pd.DataFrame:
    """Average each method's losses, and its paired difference to the best."""
    inside = {name: np.clip(p, FLOOR, 1.0 - FLOOR) for name, p in told.items()}
    logs = {name: -np.log(np.where(churned > 0.0, p, 1.0 - p)) for name, p in inside.items()}
    best = min(logs, key=lambda name: float(logs[name].mean()))
    rows = [
        (*_mean(logs[name]), *_mean((told[name] - churned) ** 2), *_mean(logs[name] - logs[best]))
        for name in told
    ]
    return pd.DataFrame(rows, index=pd.Index(list(told), name="calibrator"), columns=_COLUMNS)


def _mean(loss: FloatArray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(loss.mean()), float(loss.std(ddof=1) / np.sqrt(len(loss)))
