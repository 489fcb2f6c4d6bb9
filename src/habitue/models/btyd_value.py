"""Value by probability models: expected purchases within the horizon times expected spend per purchase."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.btyd_churn import PurchaseModel, as_frame
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable
from habitue.models.purchase_shapley import known_things, shapley, typical_customer
from habitue.models.purchases_and_spend import HISTORY_AND_SPEND, PurchasesAndSpend

__all__ = ["BTYDValueRegressor"]

FloatArray = npt.NDArray[np.float64]
_THINGS = ("frequency", "inactivity", "T", "monetary_value")


@persistent
class BTYDValueRegressor(RegressorMixin, PurchasesAndSpend):
    """Predict what each customer will spend within the horizon: how often, times how much.

    Parameters
    ----------
    horizon : int
        Days ahead.
    purchases : PurchaseModel, optional
        Model of purchases, unfitted; `BGNBD` where None.
    spend : GammaGamma, optional
        Model of spend per purchase, unfitted; `GammaGamma` where None.

    Attributes
    ----------
    purchases_, spend_ : fitted models
    net_share_ : float
        What is left of a purchase after returns: 1 less the amount returned over the amount purchased, in X.
    typical_ : dict of float
        The median customer, with whom reasons compare.
    feature_names_in_ : ndarray of str
        The columns it predicts from, whatever others X has: frequency, recency, T, monetary_value.
    n_features_in_ : int
        4.

    Notes
    -----
    E[spend] = E[purchases] * E[spend per purchase], as the two are assumed independent given the customer's
    traits. No outcome is needed to fit; y is not read.

    Where the customers are too few to determine one of the models, it is steadied with a small penalty and a
    warning says so (see `habitue.models.small_bases`).

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for
       customer base analysis. Journal of Marketing Research 42(4), 415-430.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1998-03-31", horizon=91)).X
    >>> model = BTYDValueRegressor(horizon=91).fit(X)
    >>> model.predict(X).shape
    (2357,)
    """

    if TYPE_CHECKING:
        net_share_: float
        typical_: dict[str, float]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(
        self,
        *,
        horizon: int = 91,
        purchases: PurchaseModel | None = None,
        spend: GammaGamma | None = None,
    ) -> None:
        super().__init__(horizon=horizon, purchases=purchases, spend=spend)

    def fit(self, X: CustomerTable, y: object = None) -> Self:  # noqa: ARG002
        """Learn how customers buy, leave and spend.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T and monetary_value, or an array of exactly these; returns_share and
            spend_total where there are returns.
        y : ignored

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        FitError
            Where nobody bought twice, repeat purchases have one amount only, or no penalty steadies a model.
        SettingsError
            Where the horizon is not above 0.

        Warns
        -----
        HabitueWarning
            Where a model needed a penalty, or spend goes with frequency.
        """
        frame = as_frame(X, HISTORY_AND_SPEND)
        self._fit_both(frame)
        self.net_share_ = _net_share(frame)
        self.typical_ = typical_customer(known_things(frame, _THINGS))
        read = [*HISTORY_AND_SPEND, *getattr(self.purchases_, "feature_names_in_", ())]
        self.feature_names_in_ = np.array(list(dict.fromkeys(read)), dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def predict(self, X: CustomerTable, *, horizon: float | None = None) -> FloatArray:
        """Return the expected spend of each customer within the horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T and monetary_value, or an array of exactly these.
        horizon : float, optional
            Days ahead, any number above 0; the constructor's where None.

        Returns
        -------
        ndarray of shape (n_customers,)
            Money, returns taken off.

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        SettingsError
            Where the horizon is not above 0.
        """
        check_is_fitted(self, "purchases_")
        frame = as_frame(X, HISTORY_AND_SPEND)
        days = self.horizon if horizon is None else horizon
        purchases = np.asarray(self.purchases_.expected_purchases(frame, horizon=days), dtype=np.float64)
        return purchases * np.asarray(self.spend_.expected_spend(frame), dtype=np.float64) * self.net_share_

    def contributions(self, X: CustomerTable, *, horizon: float | None = None) -> pd.DataFrame:
        """Return what each known thing adds to the log of expected spend, against the median customer.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T and monetary_value, or an array of exactly these.
        horizon : float, optional
            Days ahead; the constructor's where None.

        Returns
        -------
        DataFrame of shape (n_customers, 4)
            Exact Shapley values against `typical_`, with spend held at 1e-12 or more.
        """
        check_is_fitted(self, "purchases_")
        frame = as_frame(X, HISTORY_AND_SPEND)
        known = known_things(frame, _THINGS)
        return shapley(
            partial(self._log_value, horizon=horizon), known, pd.Series(self.typical_), beside=frame
        )

    def _log_value(self, X: pd.DataFrame, *, horizon: float | None) -> FloatArray:
        return np.log(np.maximum(self.predict(X, horizon=horizon), 1e-12))

    def __sklearn_tags__(self) -> Tags:
        """Tell that no outcome is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


def _net_share(X: pd.DataFrame) -> float:
    """Share of purchases that was kept; 1 where X says nothing of returns."""
    if not {"returns_share", "spend_total"} <= set(X.columns):
        return 1.0
    share, spent = (
        X[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("returns_share", "spend_total")
    )
    returned, bought = float(np.nansum(share * spent)), float(np.nansum(spent))
    return max(1.0 - returned / bought, 0.0) if bought > 0 else 1.0
