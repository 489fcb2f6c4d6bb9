"""The two probability models that together say what customers are worth: when they buy, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import BaseEstimator

from habitue.models.bgnbd import BGNBD
from habitue.models.btyd_churn import PurchaseModel
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.maximum_likelihood import check_setting
from habitue.models.purchase_shapley import HISTORY
from habitue.models.small_bases import fit_steadily

__all__ = ["HISTORY_AND_SPEND", "PurchasesAndSpend"]

HISTORY_AND_SPEND = (*HISTORY, "monetary_value")
"""What the two read."""


class PurchasesAndSpend(BaseEstimator):
    """What estimators of both models have in common: their parameters, and how the two are fitted.

    Parameters
    ----------
    horizon : int
        Days ahead.
    purchases : PurchaseModel, optional
        Model of purchases, unfitted; `BGNBD` where None.
    spend : GammaGamma, optional
        Model of spend per purchase, unfitted; `GammaGamma` where None.
    """

    if TYPE_CHECKING:
        purchases_: PurchaseModel
        spend_: GammaGamma

    def __init__(
        self,
        *,
        horizon: int = 91,
        purchases: PurchaseModel | None = None,
        spend: GammaGamma | None = None,
    ) -> None:
        self.horizon = horizon
        self.purchases = purchases
        self.spend = spend

    def _fit_both(self, X: pd.DataFrame) -> None:
        """Fit the two, with a penalty where customers are too few."""
        check_setting("horizon", self.horizon, above=0)
        self.purchases_ = fit_steadily(BGNBD() if self.purchases is None else self.purchases, X)
        self.spend_ = fit_steadily(GammaGamma() if self.spend is None else self.spend, X)
