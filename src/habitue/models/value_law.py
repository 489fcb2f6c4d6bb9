"""What a value model asks of a law of spend: what its trees learn, and how their scores become money again.

Most customers spend nothing and a few a lot. A law says which boosters that takes, what each of them learns
from which customers, what is expected where they have spoken, and what each feature added to it. The laws
themselves are in `habitue.models.value_laws`.

Money comes divided by its mean and without what was sent back, so that no law has a unit in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lightgbm import Dataset

__all__ = ["BoolArray", "Evaluation", "FloatArray", "Task", "ValueLaw"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Evaluation: TypeAlias = "Callable[[FloatArray, Dataset], tuple[str, float, bool]]"


class Task(NamedTuple):
    """What one booster learns.

    Attributes
    ----------
    settings : dict
        LightGBM's objective, what belongs to it, and the metric to stop by.
    target : ndarray of shape (n_rows,)
        Of the customers to learn from.
    rows : ndarray of bool, shape (n_customers,), optional
        Which those are; all where None.
    evaluation : callable, optional
        The mean loss as LightGBM's ``feval``; None where ``settings`` names a metric of LightGBM's.
    """

    settings: dict[str, Any]
    target: FloatArray
    rows: BoolArray | None = None
    evaluation: Evaluation | None = None


class ValueLaw(Protocol):
    """A law of spend, with what it learned of the whole base."""

    def tasks(self, money: FloatArray) -> dict[str, Task]:
        """Return what each booster learns, by the booster's name.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        """
        ...

    def expected(self, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return expected money, above 0.

        Parameters
        ----------
        raw : Mapping[str, ndarray]
            Each booster's ``predict(X, raw_score=True)``.

        Returns
        -------
        ndarray of shape (n_customers,)
            In mean spends.
        """
        ...

    def contributions(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return what each feature adds to the logarithm of expected money.

        Parameters
        ----------
        parts : Mapping[str, ndarray]
            Each booster's ``predict(X, pred_contrib=True)``.

        Returns
        -------
        ndarray of shape (n_customers, n_features + 1)
            The base value stands last; each row adds up to the logarithm of `expected`.
        """
        ...

    def loss(self, money: FloatArray, raw: Mapping[str, FloatArray]) -> FloatArray:
        """Return each customer's proper loss, to stop or choose settings by; not comparable across laws.

        Parameters
        ----------
        money : ndarray of shape (n_customers,)
            Spend over its mean, not negative.
        raw : Mapping[str, ndarray]
            As for `expected`.

        Returns
        -------
        ndarray of shape (n_customers,)
            The smaller the better.
        """
        ...
