"""What a contract is worth where nothing but its price is known: no purchases, and so no model of value."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.errors import DataError, SettingsError

__all__ = ["ContractValue", "value_of_contracts"]


class ContractValue(NamedTuple):
    """What contracts bring, and how much of it one brings who leaves.

    Attributes
    ----------
    clv : ndarray of shape (n,)
        Expected price within the days that count, the chance of leaving included; money.
    leaver_share : float
        Share of a stayer's price that one who leaves within the horizon still brings, in (0, 1).
    days : float
        Expected days, of those that count, for which one who stays within the horizon pays.
    """

    clv: npt.NDArray[np.float64]
    leaver_share: float
    days: float


def value_of_contracts(
    p_leave: npt.ArrayLike, price_per_day: npt.ArrayLike, *, horizon: int, value_days: int
) -> ContractValue:
    r"""Return what customers with contracts are expected to bring.

    Parameters
    ----------
    p_leave : array_like of shape (n,)
        Chance that the contract ends within the horizon, in [0, 1].
    price_per_day : array_like of shape (n,)
        Of all contracts of the customer that run now; money, 0 or more.
    horizon : int
        Days that p_leave looks ahead.
    value_days : int
        Days ahead in which what is paid counts; the horizon or more.

    Returns
    -------
    ContractValue

    Raises
    ------
    DataError
        Where a number is missing or out of range, or the two are not of the same customers.
    SettingsError
        Where value_days is below the horizon, or the horizon below 1.

    Notes
    -----
    With h the horizon, V the days that count and :math:`\bar p` the mean of p_leave, one who stays within
    the horizon is taken to leave later at the rate of the whole base, :math:`r = -\ln(1 - \bar p) / h`, not
    at his own: who was talked into staying is no more at risk than others. He pays for

    .. math:: D = h + \frac{1 - e^{-r (V - h)}}{r}

    days, one who leaves for h / 2, so that :math:`\lambda = h / (2 D)` and
    :math:`clv = \text{price} \cdot D \, (1 - p + \lambda p)`.

    Nothing is discounted, and the price stays as it is.

    Examples
    --------
    Half the base leaves within 30 days; of 60 days those who stay pay for 51.6, those who leave for 15:

    >>> told = value_of_contracts([0.0, 1.0], [1.0, 1.0], horizon=30, value_days=60)
    >>> told.clv.round(1).tolist(), round(told.days, 1)
    ([51.6, 15.0], 51.6)
    """
    p, price = _checked(p_leave, price_per_day)
    if not 1 <= horizon <= value_days:
        raise SettingsError(
            f"value_days says for how long what a contract brings counts, the horizon of the scores "
            f"({horizon} days) or longer; got {value_days!r}."
        )
    later = value_days - horizon
    mean = min(float(p.mean()), 1.0) if p.size else 0.0
    days = float(horizon)
    if mean < 1.0:
        rate = -math.log1p(-mean) / horizon
        days += -math.expm1(-rate * later) / rate if rate * later > 1e-12 else later
    share = horizon / (2.0 * days)
    return ContractValue(price * days * (1.0 - p + share * p), share, days)


def _checked(
    p_leave: npt.ArrayLike, price_per_day: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    p, price = np.asarray(p_leave, dtype=np.float64), np.asarray(price_per_day, dtype=np.float64)
    if p.shape != price.shape:
        raise DataError(f"Each customer has a p_leave and a price; got {p.shape} and {price.shape}.")
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise DataError("p_leave must be numbers from 0 to 1; score the customers again.")
    if not ((price >= 0.0) & np.isfinite(price)).all():
        raise DataError("Prices of contracts must be finite and 0 or more.")
    return p, price
