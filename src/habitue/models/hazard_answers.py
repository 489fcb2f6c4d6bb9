"""What a fitted model of hazards answers about customers who are there now, for any time ahead."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, HabitueWarning, SettingsError
from habitue.models import boosting
from habitue.models.hazard_boosting import Point, over_blocks
from habitue.models.hazard_material import read_ages, standing
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray
from habitue.models.purchase_history import Answer, CustomerTable
from habitue.numerics.discrete_hazards import incidence_ahead, restricted_mean, survival_ahead
from habitue.vocabulary.learned import learned_name

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["FURTHER", "LIMIT", "HazardAnswers"]

FURTHER = (30, 365)
"""Days ahead of which `HazardAnswers.time_to_churn` tells beside the horizon."""

LIMIT = 365
"""Days ahead of which it counts those that a customer is expected to stay."""

Formula = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Of hazards (n_customers, n_periods, n_causes), times ahead in periods, and shares of the present period."""


class HazardAnswers(LikelierClass):
    """A model of hazards, fitted: survival, causes, and time still to come.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees.
    causes_ : list of int or str
        Causes of leaving.
    period_ : float
        Days of a period.
    n_periods_ : int or None
        Periods since coming that somebody was seen in; None where ages are not known.
    """

    if TYPE_CHECKING:
        age: str | None
        horizon: int
        booster_: Booster
        causes_: list[int] | list[str]
        period_: float
        n_periods_: int | None
        feature_names_in_: npt.NDArray[np.object_]

    def predict_proba(
        self, X: CustomerTable, *, horizon: float | None = None, entry: npt.ArrayLike | None = None
    ) -> FloatArray:
        """Return the chances of staying and of leaving within a time, for customers who are there now.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        horizon : float, optional
            Days ahead, > 0, any number of them; the constructor's where left out.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out. 0 is a new customer.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(leaves within the horizon, by any cause), given that he is there now.

        Raises
        ------
        SchemaError
            Where a column is missing.
        DataError
            Where the model learned from durations and is not told how long customers have been there.

        Warns
        -----
        HabitueWarning
            Where hazards beyond the last period seen are needed.
        """
        days = self._days(horizon)
        matrix, at = self._now(X, entry)
        left = self._ahead(matrix, at, days, _left)
        return both_classes(left[:, 0])

    def survival_function(
        self, X: CustomerTable, times: npt.ArrayLike, *, entry: npt.ArrayLike | None = None
    ) -> pd.DataFrame | FloatArray:
        """Return the chance that customers who are there now are still there at times ahead.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        times : array_like of shape (n_times,)
            Days from now, >= 0.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        DataFrame or ndarray of shape (n_customers, n_times)
            Chances, one column a time; a frame indexed like X where X is one.

        Raises
        ------
        SchemaError, DataError
            As `predict_proba`, which tells what is warned of too.
        """
        days = _read_times(times)
        matrix, at = self._now(X, entry)
        return _labelled(self._ahead(matrix, at, days, _stays), X, days)

    def cumulative_incidence(
        self,
        X: CustomerTable,
        times: npt.ArrayLike,
        *,
        cause: int | str | None = None,
        entry: npt.ArrayLike | None = None,
    ) -> pd.DataFrame | FloatArray:
        """Return the chance that customers who are there now will have left by a cause at times ahead.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        times : array_like of shape (n_times,)
            Days from now, >= 0.
        cause : int or str, optional
            One of `causes_`; may be left out where there is but one.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        DataFrame or ndarray of shape (n_customers, n_times)
            Chances; over all causes they and `survival_function` add up to 1.

        Raises
        ------
        SettingsError
            Where there is no such cause.
        SchemaError, DataError
            As `predict_proba`.

        Warns
        -----
        HabitueWarning
            As `predict_proba`.
        """
        days, which = _read_times(times), self._cause(cause) - 1
        matrix, at = self._now(X, entry)

        def formula(hazards: FloatArray, ahead: FloatArray, elapsed: FloatArray) -> FloatArray:
            return incidence_ahead(hazards, ahead, elapsed)[..., which]

        return _labelled(self._ahead(matrix, at, days, formula), X, days)

    def expected_residual_lifetime(
        self, X: CustomerTable, *, horizon: float | None = None, entry: npt.ArrayLike | None = None
    ) -> Answer:
        """Return how many of the days ahead customers who are there now will still be there, on average.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        horizon : float, optional
            Days ahead that count, > 0; the constructor's where left out.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Days, at most the horizon: the restricted mean. A mean without an end would rest on times that
            nobody has seen.

        Raises
        ------
        SchemaError, DataError
            As `predict_proba`, which tells what is warned of too.
        """
        days = self._days(horizon)
        matrix, at = self._now(X, entry)
        lived = self._ahead(matrix, at, days, _lived) * self.period_
        if not isinstance(X, pd.DataFrame):
            return lived
        return pd.Series(lived, index=X.index, name="expected_residual_lifetime")

    def time_to_churn(
        self, X: CustomerTable, *, horizon: float | None = None, entry: npt.ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return what a model of hazards alone can tell: further horizons, causes, and days still to come.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        horizon : float, optional
            Days ahead that causes are told of, > 0; the constructor's where left out.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        DataFrame of shape (n_customers, 3) or (n_customers, 3 + n_causes)
            ``churn_probability_30d`` and ``churn_probability_365d``, the chances of leaving within `FURTHER`
            days; where several causes compete, for each the chance of leaving by it within the horizon, such
            as ``churn_probability_voluntary``: they add up to that of `predict_proba`; and
            ``expected_residual_lifetime_365d``, days of the next `LIMIT`, as `expected_residual_lifetime`.

        Raises
        ------
        SchemaError, DataError, SettingsError
            As `predict_proba`.

        Warns
        -----
        HabitueWarning
            As `predict_proba`.
        """
        days = np.concatenate([FURTHER, self._days(horizon), [LIMIT]])
        matrix, at = self._now(X, entry)
        competing = self.causes_ if len(self.causes_) > 1 else []

        def formula(hazards: FloatArray, ahead: FloatArray, elapsed: FloatArray) -> FloatArray:
            left_by = incidence_ahead(hazards, ahead[:-1], elapsed)
            further, within = left_by[:, : len(FURTHER)].sum(axis=2), left_by[:, -1, : len(competing)]
            return np.column_stack([further, within, _lived(hazards, ahead[-1:], elapsed) * self.period_])

        told = self._ahead(matrix, at, days, formula)
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(told, columns=_columns_of_times(competing), index=index)

    def _days(self, horizon: float | None) -> FloatArray:
        """Return the horizon asked for, or the constructor's."""
        days = self.horizon if horizon is None else horizon
        check_setting("horizon", days, above=0)
        return np.array([float(days)])

    def _now(self, X: CustomerTable, entry: npt.ArrayLike | None) -> tuple[FloatArray, Point]:
        """Return the features of customers without the clock, and where each of them stands."""
        matrix = boosting.known_matrix(self, X)  # pyright: ignore[reportArgumentType]
        features = self._features(matrix)
        if self.n_periods_ is None:
            if entry is not None:
                raise DataError("the model learned without ages: name the column that holds them with age")
            return features, standing(np.zeros(len(matrix)), self.period_)
        if entry is not None:
            return features, standing(read_ages(entry, len(matrix)), self.period_)
        if self.age is None:
            raise DataError(
                "it is not known how long these customers have been there: hand entry in (days; 0 for new "
                "customers), or name the column of X that holds them with age"
            )
        return features, standing(self._ages(matrix), self.period_)

    def _ages(self, matrix: FloatArray) -> FloatArray:
        return read_ages(matrix[:, self._age_column()], len(matrix))

    def _features(self, matrix: FloatArray) -> FloatArray:
        """Return the columns that trees learn from, without the clock."""
        return matrix if self.age is None else np.delete(matrix, self._age_column(), axis=1)

    def _age_column(self) -> int:
        return list(self.feature_names_in_).index(self.age)

    def _cause(self, cause: int | str | None) -> int:
        """Return the number of a cause, from 1."""
        numbers = {name: number for number, name in enumerate(self.causes_, start=1)}
        if cause is None and len(numbers) == 1:
            return 1
        if cause not in numbers:
            raise SettingsError(f"cause must be one of {', '.join(map(repr, numbers))}; got {cause!r}")
        return numbers[cause]

    def _ahead(self, matrix: FloatArray, at: Point, days: FloatArray, formula: Formula) -> FloatArray:
        """Return what a formula makes of hazards up to the last of some days ahead."""
        ahead = days / self.period_
        if not len(matrix):
            return formula(np.zeros((0, 1, len(self.causes_))), ahead, at.elapsed)
        furthest = at.elapsed + ahead.max(initial=0.0)
        self._warn_of_guesses(at.gone_by + furthest)
        return over_blocks(
            self.booster_,
            matrix,
            at,
            n_ahead=max(1, int(np.ceil(furthest.max()))),
            n_known=self.n_periods_ or 1,
            formula=lambda hazards, elapsed: formula(hazards, ahead, elapsed),
        )

    def _warn_of_guesses(self, reached: FloatArray) -> None:
        if self.n_periods_ is None:
            return
        n_beyond = int((reached > self.n_periods_ + 1e-9).sum())
        if n_beyond:
            warnings.warn(
                f"For {n_beyond} of {reached.size} customers the answer reaches beyond "
                f"{self.n_periods_ * self.period_:g} days since they came, where nobody has been seen: "
                "hazards stay as in the last period. Ask for a shorter time, or take it as a guess.",
                HabitueWarning,
                stacklevel=4,
            )


def _columns_of_times(competing: Sequence[int | str]) -> list[str]:
    """Return the columns of `HazardAnswers.time_to_churn`, each once."""
    names = [f"churn_probability_{days}d" for days in FURTHER]
    for cause in competing:
        word = cause if isinstance(cause, str) else f"cause {cause}"
        names.append(learned_name(f"churn_probability_{word}", taken=names))
    return [*names, f"expected_residual_lifetime_{LIMIT}d"]


def _left(hazards: FloatArray, ahead: FloatArray, elapsed: FloatArray) -> FloatArray:
    return 1.0 - _stays(hazards, ahead, elapsed)


def _stays(hazards: FloatArray, ahead: FloatArray, elapsed: FloatArray) -> FloatArray:
    return survival_ahead(hazards.sum(axis=2), ahead, elapsed)


def _lived(hazards: FloatArray, ahead: FloatArray, elapsed: FloatArray) -> FloatArray:
    return restricted_mean(hazards.sum(axis=2), ahead[0], elapsed)


def _read_times(times: npt.ArrayLike) -> FloatArray:
    days = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if days.ndim != 1 or not days.size or not (np.isfinite(days).all() and (days >= 0).all()):
        raise SettingsError(f"expected times to be one or more numbers of days >= 0; got {times!r}")
    return days


def _labelled(values: FloatArray, X: CustomerTable, days: FloatArray) -> pd.DataFrame | FloatArray:
    if not isinstance(X, pd.DataFrame):
        return values
    return pd.DataFrame(values, index=X.index, columns=pd.Index(days, name="days"))
