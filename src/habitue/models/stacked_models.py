"""What stacked churn and value models share: members, folds, reach, and a word on who answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, SettingsError
from habitue.models.boosting import PLENTY_JUDGED
from habitue.models.feature_table import known_frame
from habitue.models.out_of_time import Fold, Judged, out_of_time_folds
from habitue.models.purchase_history import CustomerTable
from habitue.models.stacking import Reach, fit_and_judge, judged_rows, latest, structural_of
from habitue.models.tree_growing import FEWEST_JUDGED

__all__ = ["StackedModels"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


_HEARD = 0.01
"""Weight from which on a model is named among those that answered."""


class StackedModels(BaseEstimator):
    """Several models as one; what they are asked is left to those who inherit.

    Parameters
    ----------
    models : Mapping[str, estimator], optional
        Two or more by name; `DEFAULT` where None.
    horizon : int
        Days ahead that y was made with; set in the models that have a parameter of that name.
    n_folds : int
        Groups of customers by which the weights are learned, at least 2.
    """

    DEFAULT: ClassVar[Mapping[str, BaseEstimator]]

    if TYPE_CHECKING:
        models_: dict[str, Any]
        weights_: FloatArray
        structural_: str | None
        reach_: Reach
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(
        self,
        *,
        models: Mapping[str, BaseEstimator] | None = None,
        horizon: int = 91,
        n_folds: int = 3,
    ) -> None:
        self.models = models
        self.horizon = horizon
        self.n_folds = n_folds

    def answers_any_horizon(self) -> bool:
        """Tell whether one of the models learns from no outcomes, so that its story reaches any day."""
        return structural_of(self.DEFAULT if self.models is None else self.models) is not None

    def answered_by(self, X: CustomerTable, *, horizon: int | None = None) -> pd.Series:
        """Say of each customer which models the answer comes from.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting.
        horizon : int, optional
            Days ahead that are asked about; those of fitting where None.

        Returns
        -------
        Series of str
            Names of the models with a weight of 0.01 or more, or the structural one alone where the history
            is more than twice as long as any that was learned from; and who tells of the days between the
            horizon learned and the one asked about.

        Raises
        ------
        SchemaError
            Where a column is missing.
        SettingsError
            Where no model can answer for another horizon.
        """
        frame = self._known(X)
        heard = [name for name, weight in zip(self.models_, self.weights_, strict=True) if weight >= _HEARD]
        told = np.full(len(frame), ", ".join(heard), dtype=object)
        if self.structural_ is not None:
            told[~self.reach_.holds(frame)] = f"{self.structural_} alone"
        if horizon is not None and horizon != self.horizon:
            side = "beyond" if horizon > self.horizon else "within"
            told += f"; {self._story(horizon)[0]} {side} {self.horizon} days"
        return pd.Series(told, index=frame.index, name="answered_by")

    def _learn_members(
        self,
        X: pd.DataFrame,
        y: FloatArray,
        weights: FloatArray | None,
        happened: Sequence[BoolArray],
        ask: Callable[[Any, pd.DataFrame], FloatArray],
        now: pd.DataFrame | None,
    ) -> Judged:
        """Fit all members; return what copies said of customers they had not seen: nobody where they are few.

        Enough is told by each of the outcomes in `happened`: it is there on both sides of each fold.
        """
        models = self._defaults(X) if self.models is None else self.models
        self.structural_ = structural_of(models)
        folds = _enough(out_of_time_folds(X.index, horizon=self.horizon, n_folds=self.n_folds), happened)
        today = X.loc[latest(X)] if now is None else now
        self.models_ = {}
        said: list[FloatArray] = []
        for name, one in models.items():
            self.models_[name], told = fit_and_judge(
                one, X, y, weights, folds=folds, ask=ask, now=today, horizon=self.horizon
            )
            said.append(told)
        self.reach_ = Reach(float(X["T"].to_numpy().max()) if "T" in X else np.inf)
        self.feature_names_in_ = np.array(list(X.columns), dtype=object)
        self.n_features_in_ = X.shape[1]
        return Judged(judged_rows(folds), np.column_stack(said))

    def _defaults(self, X: pd.DataFrame) -> Mapping[str, BaseEstimator]:
        """Return the models that stand in where none are named."""
        del X
        return self.DEFAULT

    def _story(self, horizon: int) -> tuple[str, Any]:
        """Return the name and the model that answers for other horizons."""
        if self.structural_ is None:
            raise SettingsError(
                f"{', '.join(self.models_)} learned {self.horizon} days ahead and cannot answer for "
                f"{horizon}: stack a probability model with them, such as BTYDChurnClassifier or "
                "BTYDValueRegressor."
            )
        return self.structural_, self.models_[self.structural_]

    def _by_reach(self, X: pd.DataFrame, said: Mapping[str, FloatArray]) -> FloatArray:
        """Return the weighted sum of what models say, or of the structural one alone beyond the reach."""
        # Added up row by row and not by BLAS, whose rounding depends on a customer's place in the table.
        together = (np.column_stack(list(said.values())) * self.weights_).sum(axis=1)
        if self.structural_ is None:
            return together
        return np.where(self.reach_.holds(X), together, said[self.structural_])

    def _told(self, X: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Return what each feature adds to each member's own score."""
        if silent := [name for name, one in self.models_.items() if not hasattr(one, "contributions")]:
            raise DataError(f"{', '.join(silent)} gives no reasons; stack models that do, or ask without.")
        return {name: one.contributions(X) for name, one in self.models_.items()}

    def _known(self, X: CustomerTable) -> pd.DataFrame:
        check_is_fitted(self, "models_")
        return known_frame(X, list(self.feature_names_in_), asked=type(self).__name__)

    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that contributions speak of: X, and what members add to it.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting.
        """
        values = X
        for one in self.models_.values():
            values = one.reason_values(values) if hasattr(one, "reason_values") else values
        return values

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _enough(folds: Sequence[Fold], happened: Sequence[BoolArray]) -> Sequence[Fold]:
    """Return the folds as boosted models have them: none where an outcome is rare, one of very many."""
    for one in happened:
        everywhere = all(one[rows].any() for fold in folds for rows in fold)
        if not everywhere or sum(int(one[fold.judged].sum()) for fold in folds) < FEWEST_JUDGED:
            return []
    return folds[:1] if folds and len(folds[0].judged) >= PLENTY_JUDGED else folds
