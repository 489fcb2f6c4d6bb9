"""A model of purchases whose clock runs faster in the high season.

A customer who was silent for six weeks of summer has told less than one who was silent before Christmas.
Counted in days of an average season, the two can be read by any model of purchases, and so can the days
ahead. The profile of the year is handed in: it takes totals over time to learn it, and X has none
(:func:`habitue.evaluation.seasons.season_of`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, SettingsError
from habitue.models.bgnbd import BGNBD
from habitue.models.btyd_churn import PurchaseModel
from habitue.models.maximum_likelihood import check_setting
from habitue.models.persistence import persistent
from habitue.models.purchase_history import (
    Answer,
    Columns,
    CustomerTable,
    answer,
    check_frequency,
    check_times,
    read_columns,
)
from habitue.models.purchase_shapley import HISTORY
from habitue.models.regular_purchases import GAPS
from habitue.models.season import DAY_OF_YEAR, YearlySeason
from habitue.models.small_bases import fit_steadily

__all__ = ["YEARLY", "SeasonalPurchases"]

FloatArray = npt.NDArray[np.float64]

YEARLY: Final = "yearly"
"""A season that is still to be learned from the records known at each cutoff; backtests do it."""


@persistent
class SeasonalPurchases(BaseEstimator):
    """Any model of purchases, in a business that has seasons.

    Parameters
    ----------
    model : PurchaseModel, optional
        Unfitted; `BGNBD` where None.
    season : YearlySeason or "yearly", default "yearly"
        The profile of the year. ``"yearly"`` stands for the one that was known at the cutoff: a backtest and
        `habitue.evaluation.seasons.with_season` put it in; by itself it cannot be fitted.
    horizon : float, default 365.0
        Days ahead that answers are for, where no other horizon is asked for.

    Attributes
    ----------
    purchases_ : PurchaseModel
        Fitted by the seasonal clock: its rates are those of an average day of the year.
    feature_names_in_ : ndarray of str
        The columns it reads: those of the model, and cutoff_day_of_year.
    n_features_in_ : int
        Their number.

    Notes
    -----
    Let purchases of customer i, while there, be a Poisson process of rate lambda_i s(t), s having mean 1 over
    the year, and Lambda(t) its integral. By the clock Lambda they have the rate lambda_i, so that T, recency
    and horizon are turned into differences of Lambda. The profile has the period of a year: the day of the
    year of the cutoff and T place every history, no dates are needed.

    That is exact where customers leave after purchases (BG/NBD, MBG/NBD) or never (NBD). Where they leave at
    any time (Pareto/NBD, gamma/Gompertz/NBD), the clock of leaving would run faster in the high season
    too, which is an approximation. So are regular buyers, (M)BG/CNBD-k: gaps are rescaled by their sum.

    The likelihood is that of the times by the clock; by the calendar its log is larger by the sum of log s
    over repeat purchases, which no parameter changes. Parameters may be compared with those of the model
    alone, likelihoods may not.

    References
    ----------
    .. [1] Cox, D. R. & Isham, V. (1980). Point Processes, sec. 4.2 (change of time).
    .. [2] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting Your Customers" the easy way.
       Marketing Science 24, 275-284.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=91)).X
    >>> X["cutoff_day_of_year"] = 273.0
    >>> seasonal = SeasonalPurchases(season=YearlySeason(coefficients=(0.3, 0.0))).fit(X)
    >>> plain = BGNBD().fit(X)
    >>> bool(seasonal.expected_purchases(X, horizon=91).sum() > plain.expected_purchases(X, horizon=91).sum())
    True
    """

    READS_DAY_OF_YEAR: ClassVar[bool] = True

    if TYPE_CHECKING:
        purchases_: Any
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(
        self,
        *,
        model: PurchaseModel | None = None,
        season: YearlySeason | str = YEARLY,
        horizon: float = 365.0,
    ) -> None:
        self.model = model
        self.season = season
        self.horizon = horizon

    def fit(self, X: CustomerTable, y: object = None) -> Self:  # noqa: ARG002
        """Learn how customers buy and leave, by the seasonal clock.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T, cutoff_day_of_year and the model's covariates; or an array of exactly
            the first four.
        y : ignored

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        FitError
            Where nobody bought twice, or no penalty steadies the model.
        SettingsError
            Where the season was not put in, or the horizon is not above 0.

        Warns
        -----
        HabitueWarning
            Where the model needed a penalty (see `habitue.models.small_bases`).
        """
        check_setting("horizon", self.horizon, above=0)
        _, frame = self._by_the_clock(X)
        self.purchases_ = fit_steadily(BGNBD() if self.model is None else self.model, frame)
        read = [str(name) for name in self.purchases_.feature_names_in_]
        self.feature_names_in_ = np.array([*read, DAY_OF_YEAR], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    @property
    def params_(self) -> Any:
        """Fitted parameters of the model, a day being one of an average season."""
        check_is_fitted(self, "purchases_")
        return self.purchases_.params_

    def p_alive(self, X: CustomerTable) -> Answer:
        """Return the probability that each customer has not left for good.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        check_is_fitted(self, "purchases_")
        columns, frame = self._by_the_clock(X)
        return answer(np.asarray(self.purchases_.p_alive(frame), dtype=np.float64), columns, "p_alive")

    def expected_purchases(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return how many purchases each customer will make within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`.
        horizon : float, optional
            Days ahead by the calendar; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers.
        """
        return self._ahead("expected_purchases", X, horizon)

    def p_no_purchase(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return the probability that each customer buys nothing within the horizon: the churn probability.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`.
        horizon : float, optional
            Days ahead by the calendar; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self._ahead("p_no_purchase", X, horizon)

    def purchase_pmf(self, X: CustomerTable, n: int, *, horizon: float | None = None) -> Answer:
        """Return the probability that each customer makes exactly n purchases within the horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`.
        n : int
            Number of purchases, >= 0.
        horizon : float, optional
            Days ahead by the calendar; the constructor's where left out.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Probabilities.
        """
        return self._ahead("purchase_pmf", X, horizon, n)

    def predict(self, X: CustomerTable) -> Answer:
        """Return ``expected_purchases(X)`` within the constructor's horizon.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`.

        Returns
        -------
        Series or ndarray of shape (n_customers,)
            Expected numbers.
        """
        return self.expected_purchases(X)

    def season_interval(
        self, X: CustomerTable, *, horizon: float | None = None, confidence: float = 0.8
    ) -> tuple[float, float]:
        """Return between which ends the expected purchases of all these customers lie, the season in doubt.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_customers, n_features)
            As in `fit`, of one cutoff.
        horizon : float, optional
            Days ahead by the calendar; the constructor's where left out.
        confidence : float, default 0.8
            Mass between the ends, in (0, 1).

        Returns
        -------
        lower, upper : float
            Purchases of all together.

        Raises
        ------
        DataError
            Where X holds several cutoffs.
        SettingsError
            Where confidence is not in (0, 1).

        Notes
        -----
        The expectation is the rate learned from the days before times the days ahead; what is not known of
        the season is the deviation of the ratio of the two (`YearlySeason.factor`). The chance in single
        purchases and what is not known of the other parameters are not in it.
        """
        if not 0.0 < confidence < 1.0:
            raise SettingsError(f"confidence must lie between 0 and 1; got {confidence!r}.")
        total = float(np.sum(self.expected_purchases(X, horizon=horizon)))
        T, day = read_columns(X, (*HISTORY, DAY_OF_YEAR)).values.T[2:]
        if len(set(day)) > 1:
            raise DataError(f"Totals are those of one cutoff; X holds {len(set(day))}. Ask for each alone.")
        doubt = self._season().factor(float(day[0]), self._days(horizon), history=T).log_sd
        reach = float(np.exp(ndtri(0.5 * (1.0 + confidence)) * doubt))
        return total / reach, total * reach

    def _ahead(self, name: str, X: CustomerTable, horizon: float | None, *more: int) -> Answer:
        """Ask the model about the days ahead, those of each day of the year together."""
        check_is_fitted(self, "purchases_")
        columns, frame = self._by_the_clock(X)
        days, day = self._days(horizon), columns.values[:, -1]
        values = np.empty(len(day))
        for one in np.unique(day):
            ahead = float(self._season().exposure(one, days))
            told = getattr(self.purchases_, name)(frame.loc[day == one], *more, horizon=ahead)
            values[day == one] = np.asarray(told, dtype=np.float64)
        return answer(values, columns, name)

    def _by_the_clock(self, X: CustomerTable) -> tuple[Columns, pd.DataFrame]:
        """Return what was read, and X with times in days of an average season."""
        names = (*HISTORY, DAY_OF_YEAR)
        columns = read_columns(X, names)
        check_frequency(columns)
        check_times(columns)
        columns.refuse(
            ~((columns.values[:, 3] >= 1.0) & (columns.values[:, 3] <= 366.0)),
            f"{DAY_OF_YEAR} to be a day of the year, 1 to 366",
            advice="It is that of the cutoff; a snapshot has it as a feature when asked for it.",
        )
        _, recency, T, day = columns.values.T
        season, start = self._season(), day - T
        total, active = season.exposure(start, T), season.exposure(start, recency)
        frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(columns.values, columns=list(names))
        told: dict[str, Any] = {"recency": np.minimum(active, total), "T": total}
        if GAPS in frame.columns:
            told[GAPS] = frame[GAPS] * np.divide(active, recency, out=np.ones_like(T), where=recency > 0.0)
        return columns, frame.assign(**told)

    def _days(self, horizon: float | None) -> float:
        days = self.horizon if horizon is None else horizon
        check_setting("horizon", days, above=0)
        return days

    def _season(self) -> YearlySeason:
        if isinstance(self.season, YearlySeason):
            return self.season
        raise SettingsError(
            f"expected season to be a YearlySeason; got {self.season!r}, which a backtest replaces by what "
            "was known at each cutoff. To fit by yourself, hand in season_of(log, until=cutoff)."
        )
