"""What classifiers of churn do with a probability: both classes side by side, and the likelier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from habitue.models.outcomes import FloatArray
from habitue.models.purchase_history import CustomerTable

__all__ = ["LikelierClass", "both_classes"]


class LikelierClass:
    """A classifier that, asked for a class and no probability, answers with the likelier of two.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Stays, churns.
    """

    if TYPE_CHECKING:
        classes_: npt.NDArray[np.generic]

        def predict_proba(self, X: Any) -> FloatArray: ...  # noqa: D102

    def predict(self, X: CustomerTable) -> npt.NDArray[np.generic]:
        """Return the likelier class of each customer; probabilities are the better guide to what to do.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_customers,)
            One of `classes_` each: staying at exactly one half.
        """
        likelier = (self.predict_proba(X)[:, 1] > 0.5).astype(np.intp)
        return self.classes_[likelier]


def both_classes(p_churn: FloatArray) -> FloatArray:
    """Return the chances of staying and of churning.

    Parameters
    ----------
    p_churn : ndarray of shape (n_customers,)
        Chances of churning.

    Returns
    -------
    ndarray of shape (n_customers, 2)
        Column 1 is what was handed in.

    Examples
    --------
    >>> both_classes(np.array([0.25])).tolist()
    [[0.75, 0.25]]
    """
    return np.column_stack([1.0 - p_churn, p_churn])
