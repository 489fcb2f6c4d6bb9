"""The numbers behind the charts that show how good predictions are: reliability, gains, deciles, totals.

Tables are small DataFrames that a chart, a page or a test can read. Bins hold exactly n / n_bins
customers: the customer at an edge counts in part, and tied predictions are spread over the bins they straddle
as in the average over random orders, so that the order of the rows favours nobody and counts need not be
whole.

Nothing here draws, and nothing here is a score (see ``scores``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from habitue.errors import SettingsError
from habitue.evaluation.deciles import cumulative_sums
from habitue.evaluation.pairs import check_labels, check_pair
from habitue.evaluation.ranking import FloatArray, ratio
from habitue.numerics.shares import wilson_interval

__all__ = ["decile_table", "gains", "reliability", "totals", "tracking_error"]

_N_DECILES: Final = 10
_UPPER: Final = 0.975  # of two-sided intervals at 95 %


def reliability(outcome: npt.ArrayLike, prediction: npt.ArrayLike, *, n_bins: int = 10) -> pd.DataFrame:
    """Set predicted churn probabilities against how many of those customers really left.

    Parameters
    ----------
    outcome : array_like of shape (n,)
        Whether each customer left: 0 or 1.
    prediction : array_like of shape (n,)
        Predicted probabilities, in [0, 1].
    n_bins : int
        Number of bins with the same number of customers each.

    Returns
    -------
    DataFrame
        One row per bin, lowest predictions first: mean_prediction, observed_rate, n, lower, upper. The
        last two bound the rate with 95 % confidence (Wilson).

    Raises
    ------
    DataError
        Input that is no churn prediction.
    SettingsError
        `n_bins` is less than one.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> reliability([0, 0, 1, 0, 1, 1], [0.1, 0.1, 0.4, 0.6, 0.8, 0.9], n_bins=2).round(3)
       mean_prediction  observed_rate    n  lower  upper
    0            0.200          0.333    3.0  0.061  0.792
    1            0.767          0.667    3.0  0.208  0.939
    """
    if n_bins < 1:
        raise SettingsError(f"n_bins must be at least 1, got {n_bins}")
    actual, predicted = check_pair(outcome, prediction, target="churned")
    count, (mean_prediction, rate) = _bin_means(predicted, n_bins, predicted, actual)
    rate = np.clip(rate, 0.0, 1.0)  # differences of sums can stick out by a rounding error
    lower, upper = wilson_interval(rate, count)
    return pd.DataFrame(
        {
            "mean_prediction": mean_prediction,
            "observed_rate": rate,
            "n": count,
            "lower": lower,
            "upper": upper,
        }
    )


def gains(outcome: npt.ArrayLike, prediction: npt.ArrayLike, *, n_points: int = 101) -> pd.DataFrame:
    """Tell which share of all leavers (or of all spend) is reached by contacting the top of the list.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted; those with the highest predictions are contacted first.
    n_points : int
        Number of points, from nobody to everybody, evenly spaced.

    Returns
    -------
    DataFrame
        share_contacted (of customers), share_captured (of the outcome), share_captured_perfect (the same if
        customers were contacted in the order of the outcome itself). A random order captures as much as it
        contacts.

    Raises
    ------
    DataError
        Values are missing or lengths differ.
    SettingsError
        `n_points` is less than two.

    Notes
    -----
    nan where the outcomes sum to zero. With negative outcomes (net returns) the perfect curve rises above 1
    first.

    Examples
    --------
    >>> gains([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], n_points=5)
       share_contacted  share_captured  share_captured_perfect
    0             0.00             0.0                     0.0
    1             0.25             0.5                     0.5
    2             0.50             0.5                     1.0
    3             0.75             1.0                     1.0
    4             1.00             1.0                     1.0
    """
    if n_points < 2:
        raise SettingsError(f"n_points must be at least 2, got {n_points}")
    actual, predicted = check_pair(outcome, prediction)
    contacted = np.linspace(0.0, 1.0, n_points)
    return pd.DataFrame(
        {
            "share_contacted": contacted,
            "share_captured": _captured(actual, predicted, contacted),
            "share_captured_perfect": _captured(actual, actual, contacted),
        }
    )


def decile_table(outcome: npt.ArrayLike, prediction: npt.ArrayLike) -> pd.DataFrame:
    """Set predicted against actual means in ten equal groups of customers; decile 1 is the highest predicted.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted.

    Returns
    -------
    DataFrame
        decile (1 to 10), n (customers, n / 10 each), mean_prediction, mean_actual, and lower and upper, which
        bound the actual mean with 95 % confidence.

    Raises
    ------
    DataError
        Values are missing or lengths differ.

    Notes
    -----
    The interval is Student's, mean -+ t(n - 1) s / sqrt(n): rough for spend in small deciles, where a few
    large customers rule (``bootstrap.evaluate`` is for decisions); nan for a single customer or less.

    Examples
    --------
    >>> decile_table(range(20), range(20)).loc[:1].round(2)
       decile    n  mean_prediction  mean_actual  lower  upper
    0       1  2.0             18.5         18.5  12.15  24.85
    1       2  2.0             16.5         16.5  10.15  22.85
    """
    actual, predicted = check_pair(outcome, prediction)
    centre = actual.mean()  # the second moment about it loses no digits to a large mean
    count, (mean_prediction, mean, second) = _bin_means(
        -predicted, _N_DECILES, predicted, actual - centre, (actual - centre) ** 2
    )
    half = _student_half_width(np.maximum(second - mean**2, 0.0), count)
    return pd.DataFrame(
        {
            "decile": np.arange(1, _N_DECILES + 1),
            "n": count,
            "mean_prediction": mean_prediction,
            "mean_actual": mean + centre,
            "lower": mean + centre - half,
            "upper": mean + centre + half,
        }
    )


def totals(outcome: npt.ArrayLike, prediction: npt.ArrayLike, cutoffs: npt.ArrayLike) -> pd.DataFrame:
    """Set the predicted total of each cutoff against what came to be.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted, one row per customer and cutoff.
    cutoffs : array_like of shape (n,)
        When each prediction was made: dates, or any other labels that sort.

    Returns
    -------
    DataFrame
        One row per cutoff, in order: cutoff, n, predicted, actual, error (predicted over actual, less 1; over
        the absolute value where returns outweigh purchases, nan where nothing came to be).

    Raises
    ------
    DataError
        Lengths differ or values are missing.

    Examples
    --------
    >>> totals([10.0, 30.0, 50.0], [20.0, 30.0, 40.0], ["2024-01", "2024-01", "2024-07"])
        cutoff  n  predicted  actual  error
    0  2024-01  2       50.0    40.0   0.25
    1  2024-07  1       40.0    50.0  -0.20
    """
    actual, predicted = check_pair(outcome, prediction)
    labels = check_labels(cutoffs, actual.size, "cutoffs")
    rows = pd.DataFrame({"cutoff": labels, "n": 1, "predicted": predicted, "actual": actual})
    table = pd.DataFrame(rows.groupby("cutoff", sort=True, observed=True).sum()).reset_index()
    predicted, actual = (table[name].to_numpy(dtype=np.float64) for name in ("predicted", "actual"))
    return table.assign(error=ratio(predicted - actual, np.abs(actual)))


def tracking_error(outcome: npt.ArrayLike, prediction: npt.ArrayLike, cutoffs: npt.ArrayLike) -> float:
    """Return how far predicted totals miss the actual ones, as a share, averaged over cutoffs.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted, one row per customer and cutoff.
    cutoffs : array_like of shape (n,)
        When each prediction was made.

    Returns
    -------
    float
        0 or more. Cutoffs after which nothing came to be are left out; nan where that is all of them.

    Raises
    ------
    DataError
        Lengths differ or values are missing.

    Notes
    -----
    mean over cutoffs of |predicted total - actual total| / |actual total|. Too much in spring does not make
    up for too little in autumn, as it does in the bias over all cutoffs. What a purchase model expects each
    week of one holdout is in ``fit_curves.tracking``.

    Examples
    --------
    >>> round(tracking_error([10.0, 30.0, 50.0], [20.0, 30.0, 40.0], ["2024-01", "2024-01", "2024-07"]), 6)
    0.225
    """
    errors = totals(outcome, prediction, cutoffs)["error"].to_numpy(dtype=np.float64)
    defined = np.abs(errors[np.isfinite(errors)])
    return float(defined.mean()) if defined.size else np.nan


def _bin_means(key: FloatArray, n_bins: int, *values: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    """Return customers per bin and the means of values in bins of equal count, lowest key first."""
    count = np.full(n_bins, key.size / n_bins)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    sums = cumulative_sums(key, np.ones((1, key.size)), edges, *values)
    return count, [np.diff(total[0]) / count for total in sums]


def _captured(outcome: FloatArray, key: FloatArray, contacted: FloatArray) -> FloatArray:
    sums = cumulative_sums(-key, np.ones((1, key.size)), contacted, outcome)[0][0]
    return ratio(sums, sums[-1:])


def _student_half_width(variance: FloatArray, count: FloatArray) -> FloatArray:
    """Return half the width of the 95 % interval of a mean; `variance` is the mean square about the mean."""
    freedom = np.where(count > 1.0, count - 1.0, np.nan)
    return t.ppf(_UPPER, freedom) * np.sqrt(variance / freedom)
