"""Logistic regression for churn: the linear rival that every boosted model has to beat.

On small or clean tables it often is the better of the two, and where it is level it is to be preferred: its
reasons are a sum that anyone can check. It sees the same columns as the boosted model, brought to a shape in
which a straight line makes sense. It is deliberately not tuned: one ridge, said in its parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.feature_table import known_table, learn_table, levels_of, needed
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, read_churned, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights

__all__ = ["LogisticChurnClassifier", "Straightening"]

_TAIL = 3.0
"""Geometric means from which on a column grows by its logarithm rather than by itself."""


@persistent
class Straightening(NamedTuple):
    """How columns with heavy tails and gaps are brought to a shape that a straight line suits.

    A value x becomes (arsinh(x / unit) - centre) / spread: linear where x is small, logarithmic where it is
    large, of either sign. A missing one becomes 0, which is the mean.

    Attributes
    ----------
    unit : ndarray of shape (n_features,)
        Three times the geometric mean of the sizes of values that are not 0: what most customers have stays
        nearly linear, and only a tail is drawn in.
    centre, spread : ndarray of shape (n_features,)
        Mean and standard deviation of arsinh(x / unit), so that columns weigh alike.
    """

    unit: FloatArray
    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, values: FloatArray, weights: FloatArray) -> Self:
        """Learn it from columns of numbers; NaN is missing.

        Parameters
        ----------
        values : ndarray of shape (n_customers, n_features)
            Finite or NaN.
        weights : ndarray of shape (n_customers,)
            How much each row counts.
        """
        size = np.abs(values)
        sized = size > 0.0  # neither 0 nor missing
        log_size = np.log(size, out=np.zeros_like(size), where=sized)
        unit = _TAIL * np.exp(_means(log_size, weights[:, np.newaxis] * sized))
        known = ~np.isnan(values)
        share = weights[:, np.newaxis] * known
        shaped = np.where(known, np.arcsinh(values / unit), 0.0)
        centre = _means(shaped, share)
        spread = np.sqrt(_means((shaped - centre) ** 2, share))
        # A column that is the same for all but for rounding says nothing; it must not be blown up.
        says_something = spread > 1e-9 * (1.0 + np.abs(centre))
        return cls(unit, centre, np.where(says_something, spread, np.inf))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the columns in their new shape, without gaps.

        Parameters
        ----------
        values : ndarray of shape (n_customers, n_features)
            Finite or NaN.
        """
        shaped = (np.arcsinh(values / self.unit) - self.centre) / self.spread
        return np.nan_to_num(shaped, copy=False, nan=0.0)


@persistent
class LogisticChurnClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
    """Predict who will churn from a weighted sum of all that is known about a customer.

    Parameters
    ----------
    C : float
        How freely weights may leave 0, above 0: the variance of a normal prior on each, for columns of
        standard deviation 1.

    Attributes
    ----------
    coef_ : ndarray of shape (n_terms,)
        Log-odds of churning for one standard deviation of each term in its new shape. A term is a column, or
        one category of a column of categories: 1 where a customer is of it, else 0.
    missing_coef_ : ndarray of shape (n_features,)
        Log-odds of churning added where the value is missing; 0 where none was missing in fitting.
    missing_share_ : ndarray of shape (n_features,)
        Share of customers whose value was missing in fitting.
    intercept_ : float
        Log-odds of churning of the customer who is at the mean of everything.
    straightening_ : Straightening
        How values are brought to shape.
    classes_ : ndarray of shape (2,)
        Stays, churns.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.
    levels_ : dict of list
        Of each column of categories, those that there were in fitting.

    Notes
    -----
    P(churns) = 1 / (1 + exp(-(intercept + sum_t coef_t z_t + sum_j missing_coef_j (m_j - missing_share_j)))),
    with z_t the straightened value of term t, and m_j 1 where column j is missing. Maximum penalised
    likelihood, penalty sum coef^2 / (2 C). A missing value is taken at the mean of z, beside its own
    indicator where some were missing in fitting. Where all customers have one outcome, or no column tells
    any two of them apart, everybody gets the rate (k + 1/2) / (n + 1) of k churners in n.

    References
    ----------
    .. [1] Hastie, T., Tibshirani, R. & Friedman, J. (2009). The elements of statistical learning, 2nd ed.,
       section 4.4.
    .. [2] Neslin, S. A. et al. (2006). Defection detection: measuring and understanding the predictive
       accuracy of customer churn models. Journal of Marketing Research 43(2), 204-211.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = LogisticChurnClassifier().fit(past.X, past.y["churned"])
    >>> churn = model.predict_proba(past.X)[:, 1]
    >>> bool(abs(churn.mean() - past.y["churned"].mean()) < 1e-6)
    True
    """

    if TYPE_CHECKING:
        coef_: FloatArray
        missing_coef_: FloatArray
        missing_share_: FloatArray
        intercept_: float
        straightening_: Straightening
        classes_: npt.NDArray[np.generic]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int
        levels_: dict[str, list[Any]]

    def __init__(self, *, C: float = 1.0) -> None:
        self.C = C

    def fit(
        self, X: CustomerTable, y: npt.ArrayLike | None, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Learn from customers whose outcome is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known: numbers, and categories in columns of pandas' type ``category``; missing values
            are allowed, infinite ones are not.
        y : array_like of shape (n_customers,)
            True or 1 for those who churned.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.
        DataError
            Where a value is infinite, or X and y do not match.
        SettingsError
            Where C is no finite number above 0.
        """
        check_setting("C", self.C, above=0)
        frame, values = learn_table(X)
        refuse_other_rows(X, y)
        refuse_other_rows(X, sample_weight, called="sample_weight")
        churned, self.classes_ = read_churned(needed(y, asked=type(self).__name__), len(values))
        weights = read_weights(sample_weight, len(values))
        self.feature_names_in_ = np.array(list(frame.columns), dtype=object)
        self.n_features_in_ = frame.shape[1]
        self.levels_ = levels_of(frame)
        terms = self._terms(values)
        self.straightening_ = Straightening.of(terms, weights)
        missing = np.isnan(values)
        self.missing_share_ = weights @ missing / weights.sum()
        self._learn(self.straightening_(terms), missing, churned, weights)
        return self

    def _learn(
        self, shaped: FloatArray, missing: npt.NDArray[np.bool_], churned: FloatArray, weights: FloatArray
    ) -> None:
        """Find intercept and weights of the terms that tell customers apart; those of others are 0."""
        speaks = np.isfinite(self.straightening_.spread)
        has_gaps = (self.missing_share_ > 0.0) & (self.missing_share_ < 1.0)
        self.coef_, self.missing_coef_ = np.zeros(len(speaks)), np.zeros(len(has_gaps))
        n, k = float(weights.sum()), float(weights @ churned)
        self.intercept_ = float(logit((k + 0.5) / (n + 1.0)))
        if not (0.0 < k < n and (speaks.any() or has_gaps.any())):
            return
        gaps = missing[:, has_gaps] - self.missing_share_[has_gaps]
        solver: Any = LogisticRegression(C=self.C, solver="newton-cholesky", tol=1e-8)
        solver.fit(np.column_stack([shaped[:, speaks], gaps]), churned, sample_weight=weights)
        self.coef_[speaks], self.missing_coef_[has_gaps] = np.split(solver.coef_[0], [int(speaks.sum())])
        self.intercept_ = float(solver.intercept_[0])

    def predict_proba(self, X: CustomerTable) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order; or an array of exactly these.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(churns).

        Raises
        ------
        NotFittedError
            Before fit.
        SchemaError
            Where a column is missing, or holds something else than in fitting.
        DataError
            Where a value is infinite.

        Warns
        -----
        HabitueWarning
            Where categories come that were not there in fitting: they count as missing.
        """
        # Added up row by row and not by BLAS, whose rounding depends on a customer's place in the table.
        parts, _ = self._parts(X)
        return both_classes(expit(self.intercept_ + parts.sum(axis=1)))

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning, the mean customer's being 0.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_features)
            Exact: with `intercept_` they add up to the log-odds. That a value is missing counts for its
            feature.
        """
        parts, index = self._parts(X)
        return pd.DataFrame(parts, columns=list(self.feature_names_in_), index=index)

    def _parts(self, X: CustomerTable) -> tuple[FloatArray, pd.Index | None]:
        """Return each feature's part of the log-odds, and the customers' labels where there are any."""
        check_is_fitted(self, "coef_")
        names = list(self.feature_names_in_)
        _, values = known_table(X, names, asked=type(self).__name__, levels=self.levels_)
        of_terms = self.straightening_(self._terms(values)) * self.coef_
        first = np.cumsum([0, *self._n_terms()[:-1]])
        told = np.add.reduceat(of_terms, first, axis=1) if self.levels_ else of_terms
        told += (np.isnan(values) - self.missing_share_) * self.missing_coef_
        return told, X.index if isinstance(X, pd.DataFrame) else None

    def _n_terms(self) -> list[int]:
        """Return how many terms each column has: one for each category, at least one."""
        return [max(1, len(self.levels_.get(name, [0]))) for name in self.feature_names_in_]

    def _terms(self, values: FloatArray) -> FloatArray:
        """Return columns with each of categories spread to one of 0 and 1 for each; missing stays missing."""
        if not self.levels_:
            return values
        parts = [
            _indicators(column, n_terms) if name in self.levels_ else column[:, np.newaxis]
            for name, column, n_terms in zip(self.feature_names_in_, values.T, self._n_terms(), strict=True)
        ]
        return np.column_stack(parts)

    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that contributions speak of: X as it is.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting.
        """
        return X

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are welcome and classes are two."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags


def _indicators(codes: FloatArray, n_levels: int) -> FloatArray:
    """Return 1 in the column of each customer's category, else 0; NaN in all where it is missing."""
    ones = (codes[:, np.newaxis] == np.arange(n_levels)).astype(np.float64)
    ones[np.isnan(codes)] = np.nan
    return ones


def _means(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted mean of each column; 0 where nothing has a weight."""
    total = weights.sum(axis=0)
    return (values * weights).sum(axis=0) / np.where(total > 0.0, total, 1.0)
