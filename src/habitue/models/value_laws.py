"""The laws of spend: squared error, Tweedie, hurdle; and `value_law`, which knows all of them by name.

See `habitue.models.value_law` for what a law is asked, and `habitue.models.zero_inflated_lognormal_law` for
the one with an objective of its own. They deliberately train nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import log_expit

from habitue.errors import SettingsError
from habitue.models.persistence import persistent
from habitue.models.value_law import FloatArray, Task, ValueLaw
from habitue.models.zero_inflated_lognormal_law import ZeroInflatedLognormalLaw
from habitue.numerics.rescaling import rescale, to_log_chance
from habitue.numerics.spend_losses import hurdle_loss, tweedie_deviance

__all__ = ["LAWS", "HurdleLaw", "SquaredLaw", "TweedieLaw", "value_law"]

LAWS: Final = ("tweedie", "hurdle", "zero_inflated_lognormal", "squared")
"""Names of the laws that `value_law` knows."""

_SPEND, _BUYS, _AMOUNT = "spend", "buys", "amount"

_LEAST_EXPECTED = 1e-3
"""Least that squared error may expect, in mean spends: its trees may go below 0, a logarithm can't."""


@persistent
@dataclass(frozen=True)
class SquaredLaw:
    """Squared error: the mean, without a word on how spend spreads.

    Notes
    -----
    Large customers decide it. Its trees are on money itself, so contributions to the logarithm go through the
    rescale rule; expected spend is held above a thousandth of the mean.

    Examples
    --------
    >>> SquaredLaw().expected({"spend": np.array([2.0, -1.0])}).tolist()
    [2.0, 0.001]
    """

    def tasks(self, money: FloatArray) -> dict[str, Task]:
        """Return one task: money itself; see `ValueLaw.tasks`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        """
        return {_SPEND: Task({"objective": "regression", "metric": "l2"}, money)}

    def expected(self, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return the score, held above 0; see `ValueLaw.expected`.

        Parameters
        ----------
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return np.maximum(raw[_SPEND], _LEAST_EXPECTED)

    def contributions(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return contributions to the logarithm; see `ValueLaw.contributions`.

        Parameters
        ----------
        parts : Mapping[str, ndarray]
            LightGBM's contributions.
        """
        return rescale(parts[_SPEND], _log_above_zero, _slope_of_log)

    def loss(self, money: FloatArray, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return squared errors; see `ValueLaw.loss`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return (money - self.expected(raw)) ** 2


@persistent
@dataclass(frozen=True)
class TweedieLaw:
    """A sum of a random number of gamma amounts: a mass at zero and a skewed tail in one booster.

    Attributes
    ----------
    power : float
        In (1, 2): the variance grows with the mean to this power.

    References
    ----------
    .. [1] Jørgensen, B. (1987). Exponential dispersion models. JRSS B 49(2), 127-162.

    Examples
    --------
    >>> TweedieLaw(1.5).expected({"spend": np.log([2.0, 0.5])}).round(6).tolist()
    [2.0, 0.5]
    """

    power: float = 1.5

    def tasks(self, money: FloatArray) -> dict[str, Task]:
        """Return one task: the logarithm of the mean; see `ValueLaw.tasks`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        """
        own = {"objective": "tweedie", "metric": "tweedie", "tweedie_variance_power": self.power}
        return {_SPEND: Task(own, money)}

    def expected(self, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return the mean, whose logarithm the score is; see `ValueLaw.expected`.

        Parameters
        ----------
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return np.exp(raw[_SPEND])

    def contributions(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return LightGBM's own, which are to the logarithm already; see `ValueLaw.contributions`.

        Parameters
        ----------
        parts : Mapping[str, ndarray]
            LightGBM's contributions.
        """
        return parts[_SPEND]

    def loss(self, money: FloatArray, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return Tweedie deviances; see `ValueLaw.loss`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return tweedie_deviance(money, self.expected(raw), self.power)


@persistent
@dataclass(frozen=True)
class HurdleLaw:
    """The chance to buy, times what is expected of who buys: two boosters.

    Notes
    -----
    The product is the expectation, so nobody is cut off at a chance of one half. The second booster (gamma
    objective: relative errors count) learns from buyers only, whom it is asked about too.

    References
    ----------
    .. [1] Mullahy, J. (1986). Specification and testing of some modified count data models. Journal of
       Econometrics 33, 341-365.

    Examples
    --------
    >>> raw = {"buys": np.array([0.0]), "amount": np.log([8.0])}
    >>> HurdleLaw().expected(raw).round(6).tolist()
    [4.0]
    """

    def tasks(self, money: FloatArray) -> dict[str, Task]:
        """Return two tasks: who buys, and how much of those who do; see `ValueLaw.tasks`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        """
        buys = money > 0
        return {
            _BUYS: Task({"objective": "binary", "metric": "binary_logloss"}, buys.astype(np.float64)),
            _AMOUNT: Task({"objective": "gamma", "metric": "gamma"}, money[buys], buys),
        }

    def expected(self, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return chance times amount; see `ValueLaw.expected`.

        Parameters
        ----------
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return np.exp(log_expit(raw[_BUYS]) + raw[_AMOUNT])

    def contributions(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return those to the log of the chance and of the amount, added up; see `ValueLaw.contributions`.

        Parameters
        ----------
        parts : Mapping[str, ndarray]
            LightGBM's contributions.
        """
        return to_log_chance(parts[_BUYS]) + parts[_AMOUNT]

    def loss(self, money: FloatArray, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return log losses of buying and amount; see `ValueLaw.loss`.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        raw : Mapping[str, ndarray]
            Raw scores.
        """
        return hurdle_loss(money, raw[_BUYS], raw[_AMOUNT])


def value_law(
    name: str, money: FloatArray, weights: FloatArray | None = None, *, tweedie_variance_power: float = 1.5
) -> ValueLaw:
    """Return the law of a name, with what it has to learn before any tree.

    Parameters
    ----------
    name : str
        One of `LAWS`.
    money : ndarray of shape (n_customers,)
        Spend over its mean, not negative, of somebody above 0.
    weights : ndarray of shape (n_customers,), optional
        How much each customer counts.
    tweedie_variance_power : float
        Of the Tweedie law; no other asks for it.

    Returns
    -------
    ValueLaw

    Raises
    ------
    SettingsError
        Where there is no such law.

    Examples
    --------
    >>> law = value_law("hurdle", np.array([0.0, 2.0]))
    >>> list(law.tasks(np.array([0.0, 2.0])))
    ['buys', 'amount']
    """
    if name == "tweedie":
        return TweedieLaw(tweedie_variance_power)
    if name == "hurdle":
        return HurdleLaw()
    if name == "zero_inflated_lognormal":
        return ZeroInflatedLognormalLaw.of(money, weights)
    if name == "squared":
        return SquaredLaw()
    raise SettingsError(f"law must be one of {', '.join(LAWS)}; got {name!r}.")


def _log_above_zero(money: FloatArray) -> FloatArray:
    return np.log(np.maximum(money, _LEAST_EXPECTED))


def _slope_of_log(money: FloatArray) -> FloatArray:
    return np.where(money > _LEAST_EXPECTED, 1.0 / np.maximum(money, _LEAST_EXPECTED), 0.0)
