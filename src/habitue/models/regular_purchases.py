"""What the two families of regular buyers add: the regularity k, and the gaps that tell it.

In (M)BG/CNBD-k every k-th event of a random process is a purchase, so gaps are more regular the larger k.
For a given k the gaps' lengths change nothing that is fitted; k itself is told by their geometric mean, which
a snapshot has as ``gap_geometric_mean``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import ConvergenceError, DataError, SchemaError
from habitue.models.coordinates import Coordinates
from habitue.models.distinct_rows import Distinct
from habitue.models.fitting import Fitted, fit_family
from habitue.models.likelihood import Family, Formulas
from habitue.models.maximum_likelihood import check_setting
from habitue.models.parameter_draws import PosteriorRequest
from habitue.models.priors import Prior
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    read_columns,
    read_weights,
    worth_fitting,
)
from habitue.models.purchase_model import PurchaseHistoryModel

__all__ = ["GAPS", "RegularPurchaseModel"]

FloatArray = npt.NDArray[np.float64]

GAPS = "gap_geometric_mean"
"""Column that tells k: the geometric mean of the days between purchases."""

_MOST_REGULAR = 12  # beyond it gaps are clockwork, and a family of chance the wrong one


class RegularPurchaseModel(PurchaseHistoryModel):
    """An estimator of frequency, recency and T whose purchases come more regularly than by chance.

    A subclass has ``_REGULAR``, the formulas and their Params, and a constructor that stores ``k`` besides
    what every family's stores.

    Attributes
    ----------
    k_ : int
        The regularity: the constructor's, or the one that explains the gaps best.
    """

    _REGULAR: ClassVar[tuple[Formulas, Callable[..., Any]]]

    if TYPE_CHECKING:
        k: int | None
        k_: int

    def fit(
        self,
        X: CustomerTable,
        y: object = None,  # noqa: ARG002
        sample_weight: npt.ArrayLike | None = None,
        *,
        posterior_draws: int = 0,
        prior: Prior | None = None,
        random_state: int | np.random.Generator | None = None,
    ) -> Self:
        """Learn the parameters, and the regularity where the constructor leaves it open.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T (days); and gap_geometric_mean (days), needed where k is open.
        y : None
            Not used; here for scikit-learn's sake.
        sample_weight : array_like of shape (n_customers,), optional
            Customers that each row stands for.
        posterior_draws : int, default 0
            Draws from the posterior of the parameters, given k, to keep in ``posterior_``.
        prior : Mapping of str to Distribution, optional
            What is believed before, where it differs from :func:`habitue.models.priors.default_prior`.
        random_state : int or numpy.random.Generator, optional
            Source of chance of the draws.

        Returns
        -------
        Self
            This estimator.

        Raises
        ------
        SchemaError
            If a column is missing.
        DataError
            If a row cannot be a customer's history.
        FitError
            If all customers have the same history, or nobody bought twice.
        ConvergenceError
            If no inner maximum of the likelihood was found.
        SettingsError
            If a constructor parameter is out of range.
        """
        self._check_settings()
        columns = self._read(X)
        weights = read_weights(sample_weight, len(columns.values))
        of_gaps = _likelihood_of_gaps(X, columns, weights)
        if of_gaps is None and self.k is None:
            raise SchemaError(
                f"expected the column {GAPS} to choose k by: the geometric mean of the days between "
                "purchases, which a snapshot has; add it, or set k"
            )
        histories = worth_fitting(columns.values, weights)
        self.k_, fitted = self._most_likely(histories, of_gaps or (lambda k: 0.0 if k == 1 else np.nan))
        self._keep(fitted, PosteriorRequest(posterior_draws, prior, random_state))
        return self

    def log_likelihood(self, X: CustomerTable) -> Answer:
        """Return how well the fitted family explains each customer's history and the lengths of its gaps.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T; and gap_geometric_mean where k is above 1.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Log densities, with time in days; over the customers fitted to they sum to ``loglik_``.

        Raises
        ------
        SchemaError
            If k is above 1 and X has no gap_geometric_mean.
        """
        of_history = super().log_likelihood(X)
        if self.k_ == 1:
            return of_history
        frequency, gap = read_columns(X, ("frequency", GAPS)).values.T
        logs = np.log(gap, out=np.zeros_like(gap), where=frequency > 0)
        return of_history + (self.k_ - 1) * frequency * logs

    def _family(self, k: int | None = None) -> Family:
        formulas, params = self._REGULAR
        return Family(
            make=partial(params, self.k_ if k is None else k),
            formulas=formulas,
            coordinates=Coordinates(("r", "alpha", "a", "b"), (0, 1, 0, 0), beta_pair=(2, 3)),
        )

    def _check_settings(self) -> None:
        check_setting("horizon", self.horizon, above=0)
        check_setting("penalizer", self.penalizer, at_least=0)
        check_setting("max_iter", self.max_iter, at_least=1)
        if self.k is not None:
            check_setting("k", self.k, at_least=1, whole=True)

    def _covariates(self) -> dict[str, tuple[str, ...]]:
        return {}

    def _most_likely(self, histories: Distinct, of_gaps: Callable[[int], float]) -> tuple[int, Fitted]:
        """Return the regularity asked for, or the first that a larger one does not improve on."""

        def at(k: int) -> Fitted:
            fitted = fit_family(
                self._family(k),
                histories,
                {},
                penalizer=self.penalizer,
                covariate_penalizer=0.0,
                max_iter=self.max_iter,
            )
            return fitted._replace(loglik=fitted.loglik + of_gaps(k))

        if self.k is not None:
            return self.k, at(self.k)
        best: tuple[int, Fitted] | None = None
        error: ConvergenceError | None = None
        for k in range(1, _MOST_REGULAR + 1):
            try:
                tried = at(k)
            except ConvergenceError as no_maximum:  # chance buying may leave none where regularity has one
                error = error or no_maximum
                continue
            if best is not None and tried.loglik <= best[1].loglik:
                return best
            best = k, tried
        if best is None:
            raise error  # pyright: ignore[reportGeneralTypeIssues]
        return best


def _likelihood_of_gaps(
    X: CustomerTable, columns: Columns, weights: FloatArray
) -> Callable[[int], float] | None:
    """Return what the lengths of the gaps add to the log-likelihood at each k; None where X has none."""
    if not (isinstance(X, pd.DataFrame) and GAPS in X.columns):
        return None
    frequency, gap = columns.values[:, 0], read_columns(X, [GAPS]).values[:, 0]
    repeats = frequency > 0
    if not (gap[repeats] > 0).all():
        raise DataError(
            f"expected {GAPS} to be a number of days above 0 where frequency is above 0; got "
            f"{gap[repeats].min():g}. Gaps are days between purchases, one purchase a customer and day"
        )
    n_gaps = weights[repeats] * frequency[repeats]
    sum_of_logs = float(n_gaps @ np.log(gap[repeats]))
    return lambda k: (k - 1) * sum_of_logs
