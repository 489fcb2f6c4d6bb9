"""The numbers behind the pictures that show how well a purchase model fits: when, how many, and for whom.

Each function takes a fitted model of frequency, recency and T and returns a tidy DataFrame that a picture, a
table or a test can read. `tracking`, the one over calendar time, is made in
:mod:`habitue.evaluation.tracking_curves`. Nothing here draws (see :mod:`habitue.report.plots`), and nothing
here is a score.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import SettingsError
from habitue.evaluation.bootstrap import RandomState, weight_chunks
from habitue.evaluation.newcomers import CELLS_AT_ONCE, cohorts_of, covariates_of, params_of_newcomers
from habitue.evaluation.ranking import FloatArray, ratio
from habitue.evaluation.tracking_curves import tracking
from habitue.numerics.many_rows import blocks
from habitue.snapshots import Snapshot

__all__ = ["conditional_expectations", "frequencies", "recency_frequency", "tracking"]

_UPPER: Final = 1.959963984540054  # of a two-sided normal interval at 95 %


def frequencies(model: Any, X: pd.DataFrame, *, last: int = 10) -> pd.DataFrame:
    """Count customers by their number of repeat purchases, and those that a model expects.

    Parameters
    ----------
    model : estimator
        A fitted purchase model.
    X : DataFrame of shape (n_customers, n_features)
        Columns frequency, T and the model's covariates, such as the customers it was fitted to.
    last : int, default 10
        Number from which on all are counted together.

    Returns
    -------
    DataFrame
        One row a number: n_purchases (int; the last row is that number or more), label ("0", ..., "10+"),
        actual and expected customers, and lower and upper, between which 95 of 100 actual counts would lie
        if the model were true.

    Raises
    ------
    SettingsError
        If `last` is below 1.

    Notes
    -----
    Each customer counts with the distribution of a customer just acquired over the following T days. The band
    is normal, from the variance sum p (1 - p); it does not know that the parameters were fitted to the same
    counts, hence is a little too wide.

    Examples
    --------
    >>> from habitue.models import BGNBD
    >>> X = pd.DataFrame({"frequency": [0.0, 2.0, 9.0], "recency": [0.0, 9.0, 30.0], "T": [30.0, 30.0, 31.0]})
    >>> counts = frequencies(BGNBD(penalizer=0.1).fit(X), X, last=3)
    >>> counts["label"].tolist(), counts["actual"].tolist(), float(counts["expected"].sum().round(9))
    (['0', '1', '2', '3+'], [1, 0, 1, 1], 3.0)
    """
    if last < 1:
        raise SettingsError(f"last must be a whole number of at least 1; got {last!r}.")
    names = covariates_of(model)
    cohorts = cohorts_of(X.loc[:, ["T", *names]].assign(n=1), names)
    expected, variance = _expected_counts(model, cohorts, last)
    actual = np.bincount(np.minimum(X["frequency"].to_numpy(dtype=np.intp), last), minlength=last + 1)
    half = _UPPER * np.sqrt(variance)
    return pd.DataFrame(
        {
            "n_purchases": np.arange(last + 1),
            "label": [*map(str, range(last)), f"{last}+"],
            "actual": actual,
            "expected": expected,
            "lower": np.maximum(expected - half, 0.0),
            "upper": expected + half,
        }
    )


def conditional_expectations(
    model: Any,
    snapshot: Snapshot,
    *,
    by: Literal["frequency", "recency"] = "frequency",
    last: int = 7,
    n_replicates: int = 1000,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Set purchases expected of customers against those they made, group by group.

    Parameters
    ----------
    model : estimator
        A fitted purchase model.
    snapshot : Snapshot
        Customers at a cutoff whose future is known.
    by : {"frequency", "recency"}, default "frequency"
        What customers are grouped by: their repeat purchases up to the cutoff; or the day of the last one,
        counted from the first, in groups of about equal size.
    last : int, default 7
        Frequency from which on all are one group; or number of groups of those with repeat purchases.
    n_replicates : int, default 1000
        Bootstrap draws of the customers.
    random_state : int or numpy.random.Generator, default 0
        Seed.

    Returns
    -------
    DataFrame
        One row a group that has customers: by, label, n (customers), mean_actual, mean_expected (purchases
        within the snapshot's horizon), and lower and upper, which bound mean_actual with 95 % confidence.

    Raises
    ------
    DataError
        If the snapshot's future is not known.
    SettingsError
        If `by` is something else, or a number is below 1.

    Examples
    --------
    >>> import habitue as hb
    >>> snapshot = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273))
    >>> groups = conditional_expectations(hb.BGNBD().fit(snapshot.X), snapshot, last=3)
    >>> groups[["label", "n", "mean_actual", "mean_expected"]].round(2)
      label     n  mean_actual  mean_expected
    0     0  1411         0.24           0.23
    1     1   439         0.70           0.52
    2     2   214         1.39           1.04
    3    3+   293         3.22           3.01
    """
    if by not in ("frequency", "recency"):
        raise SettingsError(f"by must be 'frequency' or 'recency'; got {by!r}.")
    if last < 1:
        raise SettingsError(f"last must be a whole number of at least 1; got {last!r}.")
    actual = snapshot.outcomes["n_purchases"].to_numpy(dtype=np.float64)
    expected = np.asarray(model.expected_purchases(snapshot.X, horizon=snapshot.window.horizon))
    code, labels = (_by_frequency if by == "frequency" else _by_recency)(snapshot.X, last)
    members = np.eye(len(labels))[code]
    n = members.sum(axis=0)
    draws = np.concatenate(
        [
            ratio(chunk @ (members * actual[:, None]), chunk @ members)
            for chunk in weight_chunks(len(code), n_replicates=n_replicates, random_state=random_state)
        ]
    )
    lower, upper = np.nanquantile(draws, [0.025, 0.975], axis=0)
    return pd.DataFrame(
        {
            "by": by,
            "label": labels,
            "n": n.astype(np.int64),
            "mean_actual": actual @ members / n,
            "mean_expected": expected @ members / n,
            "lower": lower,
            "upper": upper,
        }
    )


def recency_frequency(
    model: Any, *, T: float, horizon: float, most: int = 20, n_recencies: int = 100
) -> pd.DataFrame:
    """Tell what a model says of customers with every frequency and recency, all acquired on one day.

    Parameters
    ----------
    model : estimator
        A fitted purchase model; of one with covariates customers are taken whose covariates are all 0.
    T : float
        Days since the first purchase.
    horizon : float
        Days ahead.
    most : int, default 20
        Highest frequency.
    n_recencies : int, default 100
        Number of recencies, from 0 to T, at most one a day.

    Returns
    -------
    DataFrame
        frequency, recency, T, horizon, p_alive, expected_purchases; one row for each pair. NaN where nobody
        can be: recency 0 after a repeat purchase, above 0 without one, or below frequency (one purchase a
        day).

    Raises
    ------
    SettingsError
        If a number is out of range.

    Examples
    --------
    >>> from habitue.models import BGNBD
    >>> X = pd.DataFrame({"frequency": [0.0, 2.0, 9.0], "recency": [0.0, 9.0, 30.0], "T": [30.0, 30.0, 31.0]})
    >>> grid = recency_frequency(BGNBD(penalizer=0.1).fit(X), T=30.0, horizon=30.0, most=2, n_recencies=4)
    >>> grid[["frequency", "recency", "p_alive"]].dropna().round(2).tail(3)
        frequency  recency  p_alive
    9         2.0     10.0     0.40
    10        2.0     20.0     0.71
    11        2.0     30.0     0.86
    """
    if not (T >= 1 and horizon > 0 and most >= 1 and n_recencies >= 2):
        raise SettingsError(
            "T must be at least 1 day, horizon above 0, most at least 1 and n_recencies at least 2; got "
            f"T={T!r}, horizon={horizon!r}, most={most!r}, n_recencies={n_recencies!r}."
        )
    recencies = np.linspace(0.0, T, min(n_recencies, int(T) + 1))
    frequency, recency = (
        axis.ravel() for axis in np.meshgrid(np.arange(most + 1.0), recencies, indexing="ij")
    )
    grid = pd.DataFrame({"frequency": frequency, "recency": recency, "T": float(T)})
    possible = np.where(frequency == 0.0, recency == 0.0, recency >= frequency)
    customers = grid.loc[possible].assign(**dict.fromkeys(covariates_of(model), 0.0))
    return grid.assign(
        horizon=float(horizon),
        p_alive=model.p_alive(customers),
        expected_purchases=model.expected_purchases(customers, horizon=horizon),
    )


def _expected_counts(model: Any, cohorts: pd.DataFrame, last: int) -> tuple[FloatArray, FloatArray]:
    """Return how many customers are expected with 0, ..., last - 1, last or more purchases; and variances."""
    expected, variance = np.zeros(last + 1), np.zeros(last + 1)
    formula, at_once = model._formulas().purchase_pmf_new, max(1, CELLS_AT_ONCE // last)
    for rows in blocks(len(cohorts), at_once):
        some = cohorts.iloc[rows]
        T, n = (some[name].to_numpy(dtype=np.float64) for name in ("T", "n"))
        counts = np.arange(float(last))[:, None]
        shares = formula(params_of_newcomers(model, some), np.maximum(T, 1.0), counts)
        shares = np.where(T > 0.0, shares, counts == 0.0)  # nobody repeats on the day of acquisition
        shares = np.vstack([shares, np.maximum(1.0 - shares.sum(axis=0), 0.0)])
        expected += shares @ n
        variance += (shares * (1.0 - shares)) @ n
    return expected, variance


def _by_frequency(X: pd.DataFrame, last: int) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return the group of each customer by frequency, and the groups' labels."""
    frequency = np.minimum(X["frequency"].to_numpy(dtype=np.intp), last)
    there, code = np.unique(frequency, return_inverse=True)
    return code, [f"{n}+" if n == last else str(n) for n in there]


def _by_recency(X: pd.DataFrame, last: int) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return the group of each customer by recency, and the groups' labels: days, both ends included."""
    recency = X["recency"].to_numpy()
    repeats = recency > 0.0
    if not repeats.any():
        return np.zeros(recency.size, dtype=np.intp), ["none"]
    inner = np.quantile(recency[repeats], np.linspace(0.0, 1.0, last + 1)[1:], method="inverted_cdf")
    uppers = np.unique(inner)
    group = np.where(repeats, np.searchsorted(uppers, recency) + 1, 0)
    lowers = np.concatenate([[1.0], uppers[:-1] + 1.0])
    spans = [
        f"{low:g}–{high:g}" if low < high else f"{high:g}" for low, high in zip(lowers, uppers, strict=True)
    ]
    there, code = np.unique(group, return_inverse=True)
    return code, [["none", *spans][at] for at in there]
