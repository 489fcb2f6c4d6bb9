"""Predictions of a purchase model over the draws of its posterior: by customer, and in total.

The half of :class:`habitue.models.purchase_model.PurchaseHistoryModel` that asks how sure the customer base
makes us of an answer. Draws are taken one by one, customers some at a time: memory is bounded by neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.distinct_rows import distinct_rows, grouped_rows
from habitue.models.likelihood import Design, Family
from habitue.models.parameter_draws import Posterior, params_at, row_of
from habitue.models.posterior_summary import Predict, summarise, totals
from habitue.models.purchase_history import Columns, CustomerTable
from habitue.numerics.discounting import Discount

__all__ = ["AnswersOverDraws"]

FloatArray = npt.NDArray[np.float64]

_OVER_DRAWS = ("expected_purchases", "p_no_purchase", "p_alive", "residual_transactions")
_N_HISTORY = 3  # frequency, recency, T; covariates come after them
_BYTES = 64 * 2**20  # of answers over all draws at a time


class AnswersOverDraws:
    """What a fitted purchase model says at each draw of its posterior.

    Attributes
    ----------
    posterior_ : Posterior or None
        Draws, where `fit` was asked for them.
    """

    if TYPE_CHECKING:
        posterior_: Posterior | None

        def _read(self, X: CustomerTable) -> Columns: ...
        def _family(self) -> Family: ...
        def _formulas(self) -> Any: ...
        def _days(self, horizon: float | None) -> float: ...
        def _design_of(self, rows: FloatArray) -> tuple[Design, FloatArray]: ...
        def _discounted(
            self, horizon: float | None, discount: Discount | float
        ) -> tuple[Callable[..., FloatArray], *tuple[float, ...]]: ...

    def posterior_summary(
        self,
        X: CustomerTable,
        answer: str = "expected_purchases",
        *,
        horizon: float | None = None,
        discount: Discount | float | None = None,
        confidence: float = 0.8,
    ) -> pd.DataFrame:
        """Return an answer about each customer with how sure the customer base makes us of it.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        answer : {"expected_purchases", "p_no_purchase", "p_alive", "residual_transactions"}
            Which; expected purchases where left out.
        horizon : float, optional
            Days ahead; the constructor's where left out (for residual transactions: without end).
        discount : Discount or float, optional
            What a year takes off, for residual transactions.
        confidence : float, default 0.8
            Mass between the ends of the interval.

        Returns
        -------
        DataFrame of n_customers rows
            mean, sd, lower, upper over the posterior draws, indexed like X. It does not hold what a customer
            will do by chance: that is `purchase_quantile`.

        Raises
        ------
        SettingsError
            If there are no draws, or no such answer.

        Notes
        -----
        Taken for some customers at a time: memory grows neither with customers nor with draws.
        """
        posterior, columns = self._posterior(), self._read(X)
        rows, which = grouped_rows(columns.values)
        order = np.lexsort((rows[:, 1], rows[:, 2], rows[:, 0]))  # formulas share work between equal (x, T)
        predict = self._over_draws(posterior, rows[order], answer, horizon, discount)
        n_draws = len(posterior.draws)
        block = max(1, _BYTES // (8 * n_draws))
        told = summarise(predict, len(rows), n_draws=n_draws, confidence=confidence, block=block)
        told = told.iloc[np.argsort(order)[which]]
        return told.set_axis(pd.RangeIndex(len(told)) if columns.labels is None else columns.labels, axis=0)

    def posterior_totals(
        self,
        X: CustomerTable,
        answer: str = "expected_purchases",
        *,
        horizon: float | None = None,
        discount: Discount | float | None = None,
    ) -> FloatArray:
        """Return an answer summed over all customers, at each posterior draw.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            Columns frequency, recency, T, and the covariates.
        answer : {"expected_purchases", "p_no_purchase", "p_alive", "residual_transactions"}
            Which: expected purchases of the base (where left out), expected number of silent ones, of those
            alive, or discounted purchases still to come.
        horizon : float, optional
            Days ahead; the constructor's where left out (for residual transactions: without end).
        discount : Discount or float, optional
            What a year takes off, for residual transactions.

        Returns
        -------
        ndarray of shape (n_draws,)
            Its quantiles are the interval of the total. Customers share the parameters, so intervals of
            single customers cannot be added up to it.

        Raises
        ------
        SettingsError
            If there are no draws, or no such answer.
        """
        posterior = self._posterior()
        customers = distinct_rows(self._read(X).values)
        predict = self._over_draws(posterior, customers.rows, answer, horizon, discount)
        n_draws = len(posterior.draws)
        return totals(predict, len(customers.rows), n_draws=n_draws, weights=customers.counts)

    def _posterior(self) -> Posterior:
        """Return the draws, or say how to come by them."""
        check_is_fitted(self)
        if self.posterior_ is None:
            raise SettingsError(
                "expected posterior draws; there are none. Fit with posterior_draws=1000 or more"
            )
        return self.posterior_

    def _over_draws(
        self,
        posterior: Posterior,
        rows: FloatArray,
        answer: str,
        horizon: float | None,
        discount: Discount | float | None,
    ) -> Predict:
        """Return what takes some rows and gives an answer about them at each draw."""
        if answer not in _OVER_DRAWS:
            raise SettingsError(f"expected answer to be one of {', '.join(_OVER_DRAWS)}; got {answer!r}")
        if answer == "residual_transactions":
            formula, *more = self._discounted(horizon, 0.0 if discount is None else discount)
        else:
            formula = getattr(self._formulas(), answer)
            more = [] if answer == "p_alive" else [self._days(horizon)]
        family, (design, _) = self._family(), self._design_of(rows)

        def predict(some: slice) -> FloatArray:
            history, covariates = rows[some].T[:_N_HISTORY], design.at(some)
            values = np.empty((len(posterior.draws), history.shape[1]))
            for at, draw in enumerate(posterior.draws):
                params = row_of(params_at(family, draw[None, :], covariates), history.shape[1])
                values[at] = formula(params, *history, *more)
            return values

        return predict
