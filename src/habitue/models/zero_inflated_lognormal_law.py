"""Zero-inflated log-normal law of spend: one booster whose trees learn three scores at once.

LightGBM has no such objective, so the law brings its own, and its own loss to stop by. Neither is stored with
the booster: predictions are made of raw scores only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from habitue.models.persistence import persistent
from habitue.models.value_law import FloatArray, Task
from habitue.numerics import zero_inflated_lognormal as ziln
from habitue.numerics.rescaling import rescale, to_log_chance

if TYPE_CHECKING:
    from lightgbm import Dataset

__all__ = ["ZeroInflatedLognormalLaw"]

_SPEND = "spend"

_LEAST_INFORMATION = 0.05
"""At the bounds of sigma both its gradient and its information vanish, and a step would be their quotient."""


@persistent
@dataclass(frozen=True)
class ZeroInflatedLognormalLaw:
    """The chance to buy, and a log-normal amount whose spread may differ: one booster, three scores.

    Attributes
    ----------
    start : tuple of float
        Scores of the whole base, to which the booster's are added; LightGBM has no start of its own for an
        objective it does not know.

    Notes
    -----
    Expected is p exp(mu + sigma^2 / 2): right where the logarithm of a buyer's spend is normal. Where its
    tail is another, totals are off by a factor that `habitue.numerics.spend_losses.balance` puts right.

    Trees step by Fisher's information for the second derivatives. To the variance's part of the logarithm,
    and to that of the chance, a feature adds in proportion to what it adds to that score.

    References
    ----------
    .. [1] Wang, X., Liu, T. & Miao, J. (2019). A deep probabilistic model for customer lifetime value
       prediction. arXiv:1912.07753.

    Examples
    --------
    >>> law = ZeroInflatedLognormalLaw((0.0, 1.0, 0.0))
    >>> np.log(law.expected({"spend": np.zeros((1, 3))})).round(4).tolist()
    [1.1519]
    """

    start: tuple[float, float, float]

    @classmethod
    def of(cls, money: FloatArray, weights: FloatArray | None = None) -> Self:
        """Return the law with the start that explains a whole base best.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative, of somebody above 0.
        weights : ndarray of shape (n_customers,), optional
            How much each customer counts.
        """
        return cls(ziln.start(money, weights))

    def tasks(self, money: FloatArray) -> dict[str, Task]:
        """Return one task of three scores, its objective and loss being the law's own; see `ValueLaw.tasks`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        """
        own = {"objective": self.derivatives, "num_class": len(self.start), "metric": "None"}
        return {_SPEND: Task(own, money, evaluation=self.mean_loss)}

    def derivatives(self, raw: FloatArray, data: Dataset) -> tuple[FloatArray, FloatArray]:
        """Return gradient and information at LightGBM's scores, weighted: its custom objective.

        Parameters
        ----------
        raw : ndarray of shape (n_customers, 3)
            Scores so far.
        data : lightgbm.Dataset
            With the money and its weights.

        Returns
        -------
        gradient, information : ndarray of shape (n_customers, 3)
            Of the loss, the latter never negative.
        """
        money, weights = _of(data)
        scores = raw + self.start
        curved = ziln.information(scores, money)
        curved[money > 0, 2] = np.maximum(curved[money > 0, 2], _LEAST_INFORMATION)
        return ziln.gradient(scores, money) * weights, curved * weights

    def mean_loss(self, raw: FloatArray, data: Dataset) -> tuple[str, float, bool]:
        """Return the weighted mean of `loss` in the form of LightGBM's ``feval``; less is better.

        Parameters
        ----------
        raw : ndarray of shape (n_customers, 3)
            Scores so far.
        data : lightgbm.Dataset
            With the money and its weights.
        """
        money, weights = _of(data)
        each = weights[:, 0] * self.loss(money, {_SPEND: raw})
        return "zero_inflated_lognormal", float(each.sum() / weights.sum()), False

    def expected(self, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return the law's mean; see `ValueLaw.expected`.

        Parameters
        ----------
        raw : Mapping[str, ndarray]
            Raw scores, of shape (n_customers, 3).
        """
        return np.exp(ziln.log_mean(raw[_SPEND] + self.start))

    def contributions(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return those to the three parts of the log of the mean, added up; see `ValueLaw.contributions`.

        Parameters
        ----------
        parts : Mapping[str, ndarray]
            LightGBM's contributions, those of the three scores side by side.
        """
        side_by_side = parts[_SPEND]
        n_scores = len(self.start)
        n_parts = side_by_side.shape[1] // n_scores
        each = side_by_side.reshape(len(side_by_side), n_scores, n_parts).copy()
        each[:, :, -1] += self.start
        spread = rescale(each[:, 2], _half_variance, _slope_of_half_variance)
        return to_log_chance(each[:, 0]) + each[:, 1] + spread

    def loss(self, money: FloatArray, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return negative log-likelihoods; see `ValueLaw.loss`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        raw : Mapping[str, ndarray]
            Raw scores, of shape (n_customers, 3).
        """
        return ziln.loss(raw[_SPEND] + self.start, money)


def _of(data: Dataset) -> tuple[FloatArray, FloatArray]:
    """Return money, and its weights as a column, from what LightGBM holds in single precision."""
    money = np.asarray(data.get_label(), dtype=np.float64)
    weights = data.get_weight()
    count = np.ones(len(money)) if weights is None else np.asarray(weights, dtype=np.float64)
    return money, count[:, np.newaxis]


def _half_variance(zeta: FloatArray) -> FloatArray:
    return 0.5 * ziln.sigma(zeta) ** 2


def _slope_of_half_variance(zeta: FloatArray) -> FloatArray:
    return ziln.sigma(zeta) * ziln.sigma_slope(zeta)
