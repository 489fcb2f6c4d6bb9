"""What is at stake with each customer: the margin ahead, and the chance that it goes.

A customer is worth keeping for what is still to come, not for what was. The CLV of a horizon has the chance
of leaving in it already, so that it is not what is lost when one leaves: that is what the customer would
bring if staying, worked out here. Nothing is said of offers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.special import ndtri

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.numerics.offer_gain import gain_terms, margin_if_staying

__all__ = ["Stakes", "reached_share", "value_at_stake"]

FloatArray = npt.NDArray[np.float64]

_BELIEVED: Final = 0.75
"""Chance of leaving, up to which the quotient of clv and chance of staying is believed whatever it is."""

_FEWEST: Final = 50
"""Customers whose p_alive is known, from which on they stand in for those of whom it is not."""


@dataclass(frozen=True, eq=False)
class Stakes:
    """Chance of leaving and margin ahead of each customer.

    Attributes
    ----------
    customers : Index of shape (n,)
        Ids, each once.
    p_leave : ndarray of shape (n,)
        Chance of being lost within the horizon, in [0, 1].
    clv : ndarray of shape (n,)
        Expected margin within the horizon, the chance of leaving included; money, 0 or more.
    value : ndarray of shape (n,)
        Margin within the horizon of one who stays; money, 0 or more.
    spread : ndarray of shape (n,)
        Standard deviation of the logarithm of the customer's own value, 0 or more; 0 where it is not known.
    leaver_share : float
        Share of a stayer's margin that one who leaves still brings.
    n_capped : int
        Customers likely to leave whose value was cut to what can be believed.
    p_gone : ndarray of shape (n,), optional
        Chance of being gone already, whom no offer reaches, in [0, p_leave]; nobody is where None.
    """

    customers: pd.Index
    p_leave: FloatArray
    clv: FloatArray
    value: FloatArray
    spread: FloatArray
    leaver_share: float = 0.0
    n_capped: int = 0
    p_gone: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.customers)

    @property
    def at_stake(self) -> FloatArray:
        """Margin that is lost on average for want of a cure: p_reached * value * (1 - leaver_share)."""
        return self.p_reached * self.value * (1.0 - self.leaver_share)

    @property
    def p_reached(self) -> FloatArray:
        """Chance of leaving of a customer who is not gone yet, and so can be kept: p_leave - p_gone."""
        return self.p_leave if self.p_gone is None else self.p_leave - self.p_gone

    def terms(self) -> FloatArray:
        """Return the numbers that gains are linear in; see `habitue.numerics.offer_gain.gain_terms`."""
        return gain_terms(self.p_leave, self.value, 0.0 if self.p_gone is None else self.p_gone)


def value_at_stake(
    scores: pd.DataFrame,
    *,
    margin: float,
    leaver_share: float = 0.0,
    interval: float = 0.8,
    consistent: bool = False,
) -> Stakes:
    r"""Return what is at stake with each customer, from their scores.

    Parameters
    ----------
    scores : DataFrame of shape (n, n_columns)
        churn_probability and clv; clv_lower, clv_upper and p_alive where known; customer_id as a column or
        the index.
    margin : float
        Share of the clv that is margin, in (0, 1]: 1 where the model of value predicts margin.
    leaver_share : float, default 0
        Share of a stayer's margin that one who leaves still brings within the horizon, in [0, 1): 0 where
        leaving means no purchase within the horizon, about 0.5 where contracts end evenly over it.
    interval : float, default 0.8
        Of which customers' values lie between clv_lower and clv_upper, in (0, 1).
    consistent : bool, default False
        Whether clv was worked out from this very chance of leaving, so that nothing need be cut.

    Returns
    -------
    Stakes
        In the order of the scores.

    Raises
    ------
    SchemaError
        Where a column is missing; says how to get it.
    DataError
        Where scores are missing, out of range, or a customer has two.
    SettingsError
        Where a setting is out of range.

    Notes
    -----
    Where the scores tell how likely a customer is still one (p_alive), who is lost is told apart: gone
    already, with probability g = min(1 - p_alive, p), or about to leave, q = p - g. No offer reaches the
    former. Without p_alive, as with contracts, all are about to leave. A p_alive of exactly 1 is no
    knowledge: BG/NBD gives it to all who bought once, however long ago. They, and those without one, are
    taken to be gone as often as the others of the same p (isotonic regression of g on p over these).

    By the law of total expectation, :math:`clv = (1 - p) v + q \lambda v`, so that a customer who stays
    brings :math:`v = clv / (1 - p + q \lambda)`. The two scores may come from two models, which are off in
    their own ways: where p is close to 1 the quotient would blow up what is off. Of customers with p > 0.75
    no value therefore exceeds four times their own clv or, if that is more, the median of the values of those
    with p <= 0.5 (of all, where there are none); `Stakes.n_capped` says how many that are. Expected values
    below 0 (more returns than purchases) are taken for 0.

    A customer's own value is taken for lognormal around its mean, with the standard deviation of a Normal
    distribution whose interval is as wide as that of the score.

    Examples
    --------
    >>> scores = pd.DataFrame({"churn_probability": [0.0, 0.5], "clv": [100.0, 50.0]}, index=["a", "b"])
    >>> value_at_stake(scores, margin=0.4).value
    array([40., 40.])
    """
    _check_settings(margin, leaver_share, interval)
    customers, columns = _columns(scores)
    p, clv = columns["churn_probability"], np.maximum(margin * columns["clv"], 0.0)
    gone = _gone(scores, p)
    staying = margin_if_staying(clv, p, p_gone=0.0 if gone is None else gone, leaver_share=leaver_share)
    value, n_capped = (staying, 0) if consistent else _within_reason(staying, p, clv)
    spread = _spread(scores, np.asarray(columns["clv"]), interval)
    return Stakes(customers, p, clv, value, spread, leaver_share, n_capped, gone)


def reached_share(scores: pd.DataFrame) -> float:
    """Return which share of those who will be lost is not gone yet, and so can be kept.

    Parameters
    ----------
    scores : DataFrame of shape (n, n_columns)
        churn_probability, and p_alive where known.

    Returns
    -------
    float
        In [0, 1]; 1 where nobody tells who is gone.

    Raises
    ------
    DataError
        Where scores are missing or out of range.

    Examples
    --------
    >>> reached_share(pd.DataFrame({"churn_probability": [0.5, 0.5], "p_alive": [1.0, 0.7]}))
    0.7
    """
    p = _numbers(scores, "churn_probability")
    gone = _gone(scores, p)
    lost = float(p.sum())
    return 1.0 if gone is None or not lost else 1.0 - float(gone.sum()) / lost


def _gone(scores: pd.DataFrame, p: FloatArray) -> FloatArray | None:
    """Return the chance that each customer is gone already; who has no p_alive is taken for still there."""
    if "p_alive" not in scores.columns:
        return None
    alive = scores["p_alive"].to_numpy(dtype=np.float64, na_value=np.nan)
    if ((alive < 0.0) | (alive > 1.0)).any():
        raise DataError("p_alive must be a number from 0 to 1; score the customers again.")
    known = alive < 1.0
    gone = np.where(known, np.minimum(1.0 - alive, p), 0.0)
    if known.sum() >= _FEWEST:
        gone[~known] = _as_of_others(p[~known], p[known], gone[known])
    return gone


def _as_of_others(p: FloatArray, others: FloatArray, gone: FloatArray) -> FloatArray:
    """Return how likely customers are gone, by those of whom that is known: it rises with p."""
    order = np.argsort(others, kind="stable")
    fitted = isotonic_regression(gone[order]).x
    # From nobody, at p = 0, in a straight line to the first.
    return np.minimum(np.interp(p, np.append(0.0, others[order]), np.append(0.0, fitted)), p)


def _check_settings(margin: float, leaver_share: float, interval: float) -> None:
    if not 0.0 < margin <= 1.0:
        raise SettingsError(
            f"margin is the share of the spend that is margin, above 0 and at most 1, e.g. 0.4; "
            f"got {margin!r}."
        )
    if not 0.0 <= leaver_share < 1.0:
        raise SettingsError(f"leaver_share must be at least 0 and below 1; got {leaver_share!r}.")
    if not 0.0 < interval < 1.0:
        raise SettingsError(f"interval must lie between 0 and 1, e.g. 0.8; got {interval!r}.")


_WAYS_OUT: Final = {
    "churn_probability": "score with a model of churn (habitue train models/churn.toml, then habitue score)",
    "clv": "score with a model of value too (habitue train models/clv.toml, then habitue score)",
}


def _columns(scores: pd.DataFrame) -> tuple[pd.Index, dict[str, FloatArray]]:
    """Return who they are, and the two scores that are needed."""
    for name, way_out in _WAYS_OUT.items():
        if name not in scores.columns:
            raise SchemaError(
                f"What an offer gains needs {name} in the scores; {way_out}. "
                f"They have {', '.join(map(str, scores.columns))}."
            )
    customers = pd.Index(scores["customer_id"]) if "customer_id" in scores.columns else scores.index
    if not customers.is_unique:
        again = customers[customers.duplicated()][0]
        raise DataError(f"Each customer has one row of scores; {again!r} has several.")
    return customers, {name: _numbers(scores, name) for name in _WAYS_OUT}


def _numbers(scores: pd.DataFrame, name: str) -> FloatArray:
    try:
        numbers = scores[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be numbers: {error}.") from error
    off = ~np.isfinite(numbers)
    if name == "churn_probability":
        off |= (numbers < 0.0) | (numbers > 1.0)
    if off.any():
        told = "a number from 0 to 1" if name == "churn_probability" else "a finite number"
        raise DataError(
            f"{name} must be {told}; of {len(numbers):,} customers {int(off.sum()):,} have none, the first "
            f"{numbers[off][0]!r}. Leave them out, or score them again."
        )
    return numbers


def _within_reason(value: FloatArray, p: FloatArray, clv: FloatArray) -> tuple[FloatArray, int]:
    """Return the values of those likely to leave cut to what can be believed, and how many were cut."""
    sure = value[p <= 0.5]
    known = sure if sure.size else value[np.isfinite(value)]
    typical = float(np.median(known)) if known.size else 0.0
    most = np.where(p > _BELIEVED, np.maximum(clv / (1.0 - _BELIEVED), typical), np.inf)
    return np.minimum(value, most), int((value > most).sum())


def _spread(scores: pd.DataFrame, clv: FloatArray, interval: float) -> FloatArray:
    """Return the standard deviation of the logarithm of each customer's value."""
    if not {"clv_lower", "clv_upper"} <= set(scores.columns):
        return np.zeros(len(clv))
    lower, upper = _numbers(scores, "clv_lower"), _numbers(scores, "clv_upper")
    if (lower > upper).any():
        raise DataError("clv_lower must not be above clv_upper; score the customers again.")
    sd = (upper - lower) / (2.0 * float(ndtri(0.5 + interval / 2.0)))
    relative = np.divide(sd, clv, out=np.zeros_like(sd), where=clv > math.ulp(1.0))
    return np.sqrt(np.log1p(relative**2))
