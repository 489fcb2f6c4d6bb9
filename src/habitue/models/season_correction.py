"""Totals that were wrong together before: by how much a model's sum may be off, and what a year ago tells.

Any model of amounts may be wrapped. What copies of it said at earlier cutoffs, knowing only outcomes that
were known by then, is compared with what came. It deliberately has no model of weeks and no dates but the
cutoffs: :class:`habitue.models.seasonal_purchases.SeasonalPurchases` is the other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, SettingsError
from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.feature_table import known_table, learn_table, needed
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, read_amounts
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_columns
from habitue.models.season import DAY_OF_YEAR, day_on_axis, reads_day_of_year
from habitue.numerics.season_totals import Ratio, next_ratio

__all__ = ["SeasonCorrected", "TotalInterval"]

_DAY, _NEW_YEAR = pd.Timedelta(days=1), pd.Timestamp(1900, 1, 1)


class TotalInterval(NamedTuple):
    """What a group will spend together.

    Attributes
    ----------
    expected, lower, upper : float
        Money, or whatever the model predicts.
    """

    expected: float
    lower: float
    upper: float


@persistent
class SeasonCorrected(RegressorMixin, BaseEstimator):
    """A model of amounts whose totals are corrected by those of a year before, and doubted as they deserve.

    Parameters
    ----------
    model : estimator, optional
        Unfitted regressor; `BoostedValueRegressor` where None.
    horizon : int
        Days ahead that y was made with; set in the model where it has a parameter of that name.

    Attributes
    ----------
    model_ : estimator
        Fitted on all rows.
    start_ : ndarray of shape (n_judged,)
        Earlier cutoffs at which copies could be judged, as days since 1899 of 365.25 a year.
    log_ratio_, variance_ : ndarray of shape (n_judged,)
        Log of what came over what a copy had said, all customers together, and the chance in it.
    spread_ : float
        Mean square of (amount - prediction) over that of predictions.
    feature_names_in_ : ndarray of str
        The columns that the model reads, and cutoff_day_of_year.
    n_features_in_ : int
        Their number.

    Notes
    -----
    At each training cutoff a copy is fitted to outcomes that were known by then, all customers': as the model
    itself is today. A model that learns from no outcomes is fitted to what was known of the customers at
    that cutoff. The ratio of totals has the variance of a ratio estimator, sum (y - R p)^2 / (sum y)^2.

    :func:`habitue.numerics.season_totals.next_ratio` turns the ratios into a factor. Where one of the windows
    shares days of the year with the asked one, which takes a cutoff about a year before, its ratio is used,
    shrunk by its noise and by what may have happened only once. Where none does, only what all ratios have
    in common is corrected, and their spread says how wrong a total may be: of few ratios as wide as was
    believed before any.

    That costs one more fit for each earlier cutoff. To reach back a year takes more of them than usual, such
    as ``n_training=8, step=91`` in a backtest with 91 days ahead. A season that is handed to a model inside
    (`SeasonalPurchases`) was not known to its copies at earlier cutoffs: their ratios are then too good.

    References
    ----------
    .. [1] Cochran, W. G. (1977). Sampling Techniques, 3rd ed., sec. 6.4 (variance of a ratio of totals).
    .. [2] Higgins, J. P. T., Thompson, S. G. & Spiegelhalter, D. J. (2009). A re-evaluation of random-effects
       meta-analysis. JRSS A 172, 137-159.

    Examples
    --------
    >>> import habitue as hb
    >>> from habitue.models import MeanRegressor
    >>> windows = [hb.Window(day, horizon=91) for day in ("1997-06-30", "1997-09-29", "1997-12-29")]
    >>> past = hb.stack(hb.take_snapshots(hb.datasets.cdnow(sample=True), windows))
    >>> X = past.X.assign(cutoff_day_of_year=past.X.index.get_level_values("cutoff").map(
    ...     lambda day: day.timetuple().tm_yday).astype("float64"))
    >>> model = SeasonCorrected(model=MeanRegressor()).fit(X, past.y["spend"])
    >>> np.exp(model.log_ratio_).round(2).tolist()
    [1.05, 0.93]
    >>> told = model.total_interval(X.xs(windows[-1].cutoff, level="cutoff"))
    >>> bool(told.lower < told.expected < told.upper)
    True
    """

    READS_DAY_OF_YEAR: ClassVar[bool] = True

    if TYPE_CHECKING:
        model_: Any
        start_: FloatArray
        log_ratio_: FloatArray
        variance_: FloatArray
        spread_: float
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(self, *, model: BaseEstimator | None = None, horizon: int = 91) -> None:
        self.model = model
        self.horizon = horizon

    def fit(self, X: CustomerTable, y: npt.ArrayLike | None, *, now: pd.DataFrame | None = None) -> Self:
        """Fit the model on all rows, and judge copies of it at the earlier cutoffs.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            What was known, with cutoff_day_of_year; several cutoffs stacked, or one, which leaves nothing to
            judge at.
        y : array_like of shape (n_rows,)
            Amounts within the horizon.
        now : DataFrame of shape (n_customers, n_features), optional
            The customers as they are known today, outcomes still open: a model that learns from no outcomes
            is fitted to them.

        Raises
        ------
        SchemaError, DataError, FitError
            Where cutoff_day_of_year is missing, or the model cannot be fitted.
        SettingsError
            Where the horizon is below 1.
        """
        check_setting("horizon", self.horizon, at_least=1)
        frame, _ = learn_table(X)
        read_columns(frame, [DAY_OF_YEAR])
        amounts = read_amounts(needed(y, asked=type(self).__name__), len(frame))
        cutoffs = _cutoffs(frame)
        last = np.asarray(cutoffs == cutoffs.max())
        today = frame.loc[last] if now is None else now
        self.model_ = self._fitted(frame, amounts, today)
        judged = [one for day in cutoffs.unique().sort_values() if (one := self._judged(frame, amounts, day))]
        self.start_ = day_on_axis(pd.DatetimeIndex([one.cutoff for one in judged]))
        self.log_ratio_ = np.array([one.log_ratio for one in judged], dtype=np.float64)
        self.variance_ = np.array([one.variance for one in judged], dtype=np.float64)
        own = _spread(amounts[last], self._say(self.model_, frame.loc[last]))
        self.spread_ = judged[-1].spread if judged else own
        read = [str(name) for name in self.model_.feature_names_in_ if name != DAY_OF_YEAR]
        self.feature_names_in_ = np.array([*read, DAY_OF_YEAR], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def predict(self, X: CustomerTable) -> FloatArray:
        """Return what each customer is expected to spend, corrected where a year ago tells.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `feature_names_in_`.

        Returns
        -------
        ndarray of shape (n_customers,)
            The model's predictions, those of each cutoff times one factor.

        Raises
        ------
        SchemaError
            Where a column is missing.
        """
        frame, day = self._known(X)
        days, place = np.unique(day, return_inverse=True)
        factors = np.array([np.exp(self._ratio(float(one)).expected) for one in days])
        return self._say(self.model_, frame) * factors[place]

    def total_interval(self, X: CustomerTable, *, confidence: float = 0.8) -> TotalInterval:
        """Return what a group of customers will spend together, and between which ends.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `feature_names_in_`, of one cutoff.
        confidence : float
            Mass between the ends, in (0, 1).

        Returns
        -------
        TotalInterval
            In its ends is that totals go wrong together, as far as earlier cutoffs tell, and the chance in
            single customers, whose variances are taken to go with the square of what is predicted.

        Raises
        ------
        DataError
            Where X holds several cutoffs.
        SettingsError
            Where confidence is not in (0, 1).
        """
        if not 0.0 < confidence < 1.0:
            raise SettingsError(f"confidence must lie between 0 and 1; got {confidence!r}.")
        frame, day = self._known(X)
        if len(set(day)) > 1:
            raise DataError(f"Totals are those of one cutoff; X holds {len(set(day))}. Ask for each alone.")
        said = self._say(self.model_, frame)
        total, ratio = float(said.sum()), self._ratio(float(day[0]))
        if total <= 0.0:  # nothing to multiply
            return TotalInterval(total, total, total)
        chance = self.spread_ * float(said @ said) / total**2
        ends = [ratio.quantile(0.5 * (1.0 + sign * confidence), also=chance) for sign in (-1.0, 1.0)]
        expected, lower, upper = (total * float(np.exp(log)) for log in (ratio.expected, *ends))
        return TotalInterval(expected, lower, upper)

    @available_if(
        lambda self: hasattr(self.model_ if hasattr(self, "model_") else self.model, "contributions")
    )
    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds, as the model tells it; the factor is the same for everybody.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least `feature_names_in_`.

        Returns
        -------
        DataFrame of shape (n_customers, n_things)
            See the model's own.
        """
        check_is_fitted(self, "model_")
        return self.model_.contributions(self._shown(self._known(X)[0]))

    def _ratio(self, day: float) -> Ratio:
        return next_ratio(self.log_ratio_, self.variance_, self.start_, day, horizon=float(self.horizon))

    def _fitted(self, X: pd.DataFrame, y: FloatArray, now: pd.DataFrame) -> Any:
        """Fit a fresh copy to outcomes, or where it learns from none to the customers known now."""
        fresh: Any = clone(BoostedValueRegressor() if self.model is None else self.model)
        if "horizon" in fresh.get_params(deep=False):
            fresh.set_params(horizon=self.horizon)
        return fresh.fit(self._shown(X), y) if _learns(fresh) else fresh.fit(self._shown(now))

    def _judged(self, X: pd.DataFrame, y: FloatArray, cutoff: pd.Timestamp) -> _Judged | None:
        """Compare a copy that knew what was known at a cutoff with what came; None where nothing was."""
        cutoffs = _cutoffs(X)
        known, here = np.asarray(cutoffs + self.horizon * _DAY <= cutoff), np.asarray(cutoffs == cutoff)
        if _learns(self.model_) and not known.any():
            return None
        copy = self._fitted(X.loc[known], y[known], X.loc[here])
        said, came = self._say(copy, X.loc[here]), y[here]
        if not (said.sum() > 0.0 and came.sum() > 0.0):
            return None
        ratio = float(came.sum() / said.sum())
        noise = float(((came - ratio * said) ** 2).sum() / came.sum() ** 2)
        return _Judged(cutoff, float(np.log(ratio)), max(noise, 1e-12), _spread(came, said * ratio))

    def _say(self, model: Any, X: pd.DataFrame) -> FloatArray:
        return np.asarray(model.predict(self._shown(X)), dtype=np.float64)

    def _shown(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what the model may see: trees would learn from the day which cutoff was which."""
        return X if reads_day_of_year(self.model) else X.drop(columns=DAY_OF_YEAR, errors="ignore")

    def _known(self, X: CustomerTable) -> tuple[pd.DataFrame, FloatArray]:
        check_is_fitted(self, "model_")
        frame, values = known_table(X, list(self.feature_names_in_), asked=type(self).__name__)
        return frame, values[:, -1]

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what the model inside tells of missing values."""
        tags = super().__sklearn_tags__()
        inside = get_tags(BoostedValueRegressor() if self.model is None else self.model)
        tags.input_tags.allow_nan = inside.input_tags.allow_nan
        return tags


class _Judged(NamedTuple):
    """What became of a copy's total at a cutoff."""

    cutoff: pd.Timestamp
    log_ratio: float
    variance: float
    spread: float


def _learns(model: Any) -> bool:
    return bool(get_tags(model).target_tags.required)


def _cutoffs(X: pd.DataFrame) -> pd.DatetimeIndex:
    """Return each row's cutoff; its day in some year where the index does not tell which."""
    if "cutoff" in X.index.names:
        return pd.DatetimeIndex(X.index.get_level_values("cutoff"))
    days = read_columns(X, [DAY_OF_YEAR]).values[:, 0]
    return pd.DatetimeIndex(_NEW_YEAR + pd.to_timedelta(days - 1.0, unit="D"))


def _spread(came: FloatArray, said: FloatArray) -> float:
    """Return the mean square of what was off over that of what was said."""
    square = float(said @ said)
    return float(((came - said) ** 2).sum()) / square if square > 0.0 else 0.0
