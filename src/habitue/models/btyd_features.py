"""What probability models answer about a customer, as features for other models.

A booster sees counts and days; BG/NBD and gamma-gamma turn them into a belief about who is still there and
how much they buy. They learn from what was known at the earliest cutoff alone: at later ones a customer's
history holds what earlier rows are to predict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from habitue.models.btyd_churn import PurchaseModel, as_frame
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable
from habitue.models.purchases_and_spend import HISTORY_AND_SPEND, PurchasesAndSpend

__all__ = ["BTYDFeatures"]

_ANSWERS = ("p_alive", "expected_purchases", "p_no_purchase", "expected_spend")


@persistent
class BTYDFeatures(TransformerMixin, PurchasesAndSpend):
    """Add p_alive, expected_purchases, p_no_purchase and expected_spend to what is known of each customer.

    Parameters
    ----------
    horizon : int
        Days ahead that expected_purchases and p_no_purchase speak of.
    purchases : PurchaseModel, optional
        Model of purchases, unfitted; `BGNBD` where None.
    spend : GammaGamma, optional
        Model of spend per purchase, unfitted; `GammaGamma` where None.

    Attributes
    ----------
    purchases_, spend_ : fitted models
    feature_names_in_ : ndarray of str
        The columns it reads, whatever others X has: frequency, recency, T, monetary_value.
    n_features_in_ : int
        4.

    Notes
    -----
    Of an X that `habitue.snapshots.stack` made of several cutoffs, only the rows of the first are learned
    from: the parameters then rest on nothing that happened after any row's cutoff. Their own customers are
    among the rows answered, as they are when a probability model answers by itself; four (or seven)
    parameters shared by all remember nobody.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=91)).X
    >>> BTYDFeatures(horizon=91).fit(X).transform(X).columns[-4:].tolist()
    ['p_alive', 'expected_purchases', 'p_no_purchase', 'expected_spend']
    """

    if TYPE_CHECKING:
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
        """Learn how customers buy, leave and spend from what was known at the earliest cutoff.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T and monetary_value, or an array of exactly these. Where an index level
            is called cutoff, only the rows of its earliest are read.
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
        frame = _at_the_first_cutoff(as_frame(X, HISTORY_AND_SPEND))
        self._fit_both(frame)
        self.feature_names_in_ = np.array(HISTORY_AND_SPEND, dtype=object)
        self.n_features_in_ = len(HISTORY_AND_SPEND)
        return self

    def transform(self, X: CustomerTable) -> pd.DataFrame:
        """Return X with the four answers as further columns.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T and monetary_value, or an array of exactly these.

        Returns
        -------
        DataFrame of shape (n_customers, n_features + 4)
            Two probabilities, days with a purchase, and money per purchase, after the columns of X.

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        """
        check_is_fitted(self, "purchases_")
        frame = as_frame(X, HISTORY_AND_SPEND)
        answers = (
            self.purchases_.p_alive(frame),
            self.purchases_.expected_purchases(frame, horizon=self.horizon),
            self.purchases_.p_no_purchase(frame, horizon=self.horizon),
            self.spend_.expected_spend(frame),
        )
        return frame.assign(
            **{
                name: np.asarray(answer, dtype=np.float64)
                for name, answer in zip(_ANSWERS, answers, strict=True)
            }
        )

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> npt.NDArray[np.object_]:
        """Return the columns that `transform` returns.

        Parameters
        ----------
        input_features : array_like of str, optional
            Columns of X; those that it reads where None.
        """
        given = self.feature_names_in_ if input_features is None else np.asarray(input_features, dtype=object)
        return np.array([*given, *_ANSWERS], dtype=object)


def _at_the_first_cutoff(X: pd.DataFrame) -> pd.DataFrame:
    if "cutoff" not in X.index.names:
        return X
    cutoffs = X.index.get_level_values("cutoff")
    return X.loc[cutoffs == cutoffs.min()]
