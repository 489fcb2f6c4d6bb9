"""What each customer may bring within a horizon, and all together: a distribution, not one number.

A customer's value is uncertain three times over: how often he will buy and whether he is still there, what he
usually spends, and what each purchase comes to. Where posterior draws of the parameters are given there is a
fourth, which all customers share. Everything is drawn jointly: a possible future of one customer has his
purchases, and one level of spend behind all of them.

Deliberately not here: how far off the models themselves are. An interval that held for customers like this
one is :class:`habitue.models.value_interval.ValueInterval`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, SettingsError
from habitue.models.btyd_churn import as_frame
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.maximum_likelihood import check_setting
from habitue.models.parameter_draws import params_at
from habitue.models.purchase_history import CustomerTable, read_columns
from habitue.models.purchase_model import PurchaseHistoryModel
from habitue.numerics import gamma_gamma
from habitue.numerics.discounting import Discount
from habitue.numerics.many_rows import blocks
from habitue.numerics.purchases import Purchases

__all__ = ["CLVDistribution", "ParameterDraws", "clv_distribution"]

FloatArray = npt.NDArray[np.float64]

ParameterDraws: TypeAlias = "tuple[Any, ...] | Callable[[slice], tuple[Any, ...]]"
"""Posterior draws of a family's parameters: its ``Params`` with fields of shape (m, 1), or (m, n_customers)
where covariates move them; or a function that returns these of a slice of the customers, where all of them do
not fit in memory."""

_COLUMNS = ("frequency", "recency", "T", "monetary_value")
_FUTURES_AT_ONCE = 2**16  # futures of a block of customers: fixed, as each block has a generator of its own
_PURCHASES_AT_ONCE = 2**19  # in tens of megabytes, however many purchases heavy buyers make


@dataclass(frozen=True)
class CLVDistribution:
    """What customers may bring within the horizon.

    Attributes
    ----------
    customers : DataFrame of shape (n_customers, 6)
        Indexed like X: mean, sd, median, lower, upper (money) and p_zero (probability of no purchase). sd is
        infinite where it does not exist.
    total : ndarray of shape (n_draws,)
        Possible values of all customers together. Where parameters were drawn, all customers of a draw share
        them, so that the total is as uncertain as it should be.
    level : float
        Probability that lower and upper hold, half of the rest on each side.
    """

    customers: pd.DataFrame
    total: FloatArray
    level: float

    def equity(self) -> pd.Series:
        """Return mean, sd, median, lower and upper of all customers together: customer equity.

        Returns
        -------
        Series
            Money. The mean is the sum of the customers' means; the rest is of `total`.
        """
        lower, median, upper = np.quantile(self.total, _levels(self.level), method="weibull")
        told = {
            "mean": float(self.customers["mean"].to_numpy().sum()),
            "sd": float(np.std(self.total, ddof=1)) if np.isfinite(self.customers["sd"]).all() else np.inf,
            "median": float(median),
            "lower": float(lower),
            "upper": float(upper),
        }
        return pd.Series(told, name="equity")


def clv_distribution(
    purchases: PurchaseHistoryModel,
    spend: GammaGamma,
    X: CustomerTable,
    *,
    horizon: float,
    n_draws: int = 1000,
    level: float = 0.8,
    discount: Discount | None = None,
    net_share: float = 1.0,
    purchase_draws: ParameterDraws | None = None,
    spend_draws: ParameterDraws | None = None,
    random_state: int | np.random.Generator | None = None,
) -> CLVDistribution:
    """Return the distribution of what each customer will bring within the horizon, and of their sum.

    Parameters
    ----------
    purchases : PurchaseHistoryModel
        Fitted model of purchases.
    spend : GammaGamma
        Fitted model of spend per purchase.
    X : DataFrame or ndarray of shape (n_customers, 4)
        Columns frequency, recency, T, monetary_value, and the models' covariates.
    horizon : float
        Length of the time ahead, in the unit of T: days (opportunities for `BGBB`).
    n_draws : int, default 1000
        Possible futures of each customer.
    level : float, default 0.8
        Probability that the interval from lower to upper holds, in (0, 1).
    discount : Discount, optional
        Counts each purchase with its present value at the day it is made; no discount where None.
    net_share : float, default 1.0
        Share of each amount that is left after returns, in [0, 1]; see Notes.
    purchase_draws, spend_draws : ParameterDraws, optional
        Posterior draws of the parameters of each model. Future number i of every customer takes draw number
        i modulo their number. Where None they are those that the model was fitted with
        (``fit(..., posterior_draws=1000)``); without any, the fitted parameters are taken as known.
    random_state : int or numpy.random.Generator, optional
        Source of chance; the same number gives the same answer.

    Returns
    -------
    CLVDistribution
        Per customer and in total.

    Raises
    ------
    SchemaError, DataError
        Where a column is missing, a row cannot be a customer's history, or draws have another shape.
    SettingsError
        Where horizon, n_draws, level or net_share is out of range.

    Notes
    -----
    Given the parameters, purchases are drawn from the family's own posterior (``simulate``); amounts are
    Gamma(p, rate nu), with one nu ~ Gamma(p x + q, rate v + x m) a customer and future, shared by all
    purchases in it. For a customer without a repeat purchase or with monetary_value <= 0, x is 0: nothing is
    known of his spend then, just as for `GammaGamma`.

    The mean is exact, expected (discounted) purchases times expected spend times net_share, and so is p_zero,
    ``p_no_purchase``; with draws of parameters both are averages over the futures. The
    variance of spend exists where p x + q > 2; elsewhere sd is infinite. Quantiles are those between
    which one more future falls with the stated probability, however few are drawn (Weibull's positions).

    Returns: the gamma-gamma knows positive amounts only. What is sent back is taken off by one share for all,
    `net_share`, as in `BTYDValueRegressor`, whose ``net_share_`` can be handed in. So no future is
    negative, and value is zero exactly where there is no purchase.

    Customers are taken in blocks, each with a generator of its own (spawned from random_state), so memory
    does not grow with their number, apart from the answer's 48 bytes a customer.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
    base analysis. Journal of Marketing Research 42, 415-430 (means).

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1998-03-31", horizon=91)).X
    >>> value = clv_distribution(
    ...     hb.BGNBD().fit(X), hb.GammaGamma().fit(X), X, horizon=91, n_draws=200, random_state=0
    ... )
    >>> list(value.customers.columns)
    ['mean', 'sd', 'median', 'lower', 'upper', 'p_zero']
    >>> equity = value.equity()
    >>> bool(equity.lower < equity["mean"] < equity.upper)
    True
    """
    _check(horizon, n_draws, level, net_share)
    frame = as_frame(X, _COLUMNS)
    draws = (
        _posterior_of(purchases, frame) if purchase_draws is None else purchase_draws,
        _posterior_of(spend, frame) if spend_draws is None else spend_draws,
    )
    futures = _futures(purchases, spend, frame, horizon, discount, draws)
    answers = np.empty((len(frame), 6))
    total = np.zeros(n_draws)
    for block, values in _values(futures, n_draws, np.random.default_rng(random_state)):
        values *= net_share
        total += values.sum(axis=0)
        answers[block] = _summary(values, level)
    if draws == (None, None):
        answers[:, 0] = futures.expected * np.asarray(spend.expected_spend(frame)) * net_share
        answers[:, 5] = np.asarray(purchases.p_no_purchase(frame, horizon=horizon))
    answers[_has_no_variance(futures, n_draws), 1] = np.inf
    names = ["mean", "sd", "median", "lower", "upper", "p_zero"]
    return CLVDistribution(pd.DataFrame(answers, index=frame.index, columns=names), total, level)


class _Futures(NamedTuple):
    """What futures are drawn from.

    Attributes
    ----------
    formulas : module
        Of the purchases.
    history, amounts : ndarray of shape (n_customers, 3) and (n_customers, 2)
        Frequency, recency, T; and frequency, monetary_value as far as they tell of spend.
    purchase_params, spend_params : callable
        Parameters of a slice of the customers.
    expected : ndarray of shape (n_customers,)
        Expected purchases, discounted where asked.
    horizon, rate : float
        Time ahead, and continuous rate of discount.
    """

    formulas: Any
    history: FloatArray
    amounts: FloatArray
    purchase_params: Callable[[slice], tuple[Any, ...]]
    spend_params: Callable[[slice], tuple[Any, ...]]
    expected: FloatArray
    horizon: float
    rate: float


def _check(horizon: float, n_draws: int, level: float, net_share: float) -> None:
    """Refuse settings out of range."""
    check_setting("horizon", horizon, above=0)
    check_setting("n_draws", n_draws, at_least=2, whole=True)
    if not 0.0 < level < 1.0:
        raise SettingsError(f"expected level to be a probability above 0 and below 1; got {level!r}")
    if not 0.0 <= net_share <= 1.0:
        raise SettingsError(f"expected net_share to be a share from 0 to 1; got {net_share!r}")


def _futures(
    purchases: PurchaseHistoryModel,
    spend: GammaGamma,
    frame: pd.DataFrame,
    horizon: float,
    discount: Discount | None,
    draws: tuple[ParameterDraws | None, ParameterDraws | None],
) -> _Futures:
    """Return checked customers with the parameters that each takes."""
    bought: Any = purchases  # its own door and formulas, which no caller outside this package needs
    spent: Any = spend
    if discount is None:
        expected, rate = purchases.expected_purchases(frame, horizon=horizon), 0.0
    else:
        expected = purchases.residual_transactions(frame, discount=discount, horizon=horizon)
        rate = float(bought._rate(discount))
    spend.expected_spend(frame)  # checks the amounts
    columns = bought._read(frame).values
    amounts = read_columns(frame, spent._names()).values
    n, (of_purchases, of_spend) = len(frame), draws
    informative = (amounts[:, :1] > 0) & (amounts[:, 1:2] > 0)
    return _Futures(
        bought._formulas(),
        columns[:, :3],
        np.where(informative, amounts[:, :2], 0.0),
        _known(bought._params_of(columns))
        if of_purchases is None
        else _drawn(of_purchases, "purchase_draws", n),
        _known(spent._params_of(amounts)) if of_spend is None else _drawn(of_spend, "spend_draws", n),
        np.asarray(expected, dtype=np.float64),
        float(horizon),
        rate,
    )


def _posterior_of(model: Any, frame: pd.DataFrame) -> Callable[[slice], tuple[Any, ...]] | None:
    """Return what cuts the draws that a model was fitted with; None where there are none."""
    check_is_fitted(model)
    if model.posterior_ is None:
        return None
    family, draws = model._family(), model.posterior_.draws
    design, _ = model._design_of(read_columns(frame, model._names()).values)
    return lambda rows: params_at(family, draws, design.at(rows))


def _known(params: Any) -> Callable[[slice], tuple[Any, ...]]:
    """Return what cuts fitted parameters: a field is one number for all, or one a customer."""
    return lambda rows: params._make(
        field if np.ndim(field) == 0 else np.asarray(field)[None, rows] for field in params
    )


def _drawn(draws: ParameterDraws, name: str, n_customers: int) -> Callable[[slice], tuple[Any, ...]]:
    """Return what cuts posterior draws of parameters."""
    if not isinstance(draws, tuple):
        return draws
    params: Any = draws
    fields = [np.asarray(field) for field in params]
    if any(field.ndim not in (0, 2) or field.shape[1:] not in ((), (1,), (n_customers,)) for field in fields):
        raise DataError(
            f"expected {name} with fields of shape (n_parameter_draws, 1) or (n_parameter_draws, "
            f"{n_customers}), one a customer; got {', '.join(str(field.shape) for field in fields)}"
        )
    return lambda rows: params._make(
        field[:, rows] if field.shape[1:] == (n_customers,) else field if field.ndim else field.item()
        for field in fields
    )


def _values(
    futures: _Futures, n_draws: int, random_state: np.random.Generator
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of customers with their possible values, of shape (n_customers, n_draws)."""
    for block in blocks(len(futures.history), max(_FUTURES_AT_ONCE // n_draws, 1)):
        (generator,) = random_state.spawn(1)
        yield block, _values_of_block(futures, block, n_draws, generator)


def _values_of_block(
    futures: _Futures, block: slice, n_draws: int, random_state: np.random.Generator
) -> FloatArray:
    """Return possible values of some customers, of shape (n_customers, n_draws)."""
    size = block.stop - block.start
    bought = _by_future(futures.purchase_params(block), size, n_draws)
    spent = _by_future(futures.spend_params(block), size, n_draws)
    x, t_x, T = np.repeat(futures.history[block].T, n_draws, axis=1)
    known = np.repeat(futures.amounts[block].T, n_draws, axis=1)
    values = np.empty(size * n_draws)
    for rows in _in_pieces(np.repeat(futures.expected[block], n_draws)):
        future: Purchases = futures.formulas.simulate(
            _at(bought, rows), x[rows], t_x[rows], T[rows], futures.horizon, random_state=random_state
        )
        who = future.customer
        frequency, mean_amount = known[:, rows]
        amounts = gamma_gamma.simulate_amounts(
            _at(spent, rows), frequency, mean_amount, who, random_state=random_state
        )
        if futures.rate != 0.0:
            amounts *= np.exp(-futures.rate * (future.time - T[rows][who]))
        values[rows] = np.bincount(who, weights=amounts, minlength=rows.stop - rows.start)
    return values.reshape(size, n_draws)


def _by_future(params: Any, size: int, n_draws: int) -> Any:
    """Return parameters with one number a future, customers first, or one for all where it is one anyway."""

    def spread(field: Any) -> Any:
        if np.ndim(field) == 0:
            return field
        draws = np.asarray(field, dtype=np.float64)
        return np.broadcast_to(draws[np.arange(n_draws) % len(draws)].T, (size, n_draws)).reshape(-1)

    return params._make(spread(field) for field in params)


def _at(params: Any, rows: slice) -> Any:
    """Return the parameters of some futures."""
    return params._make(field if np.ndim(field) == 0 else field[rows] for field in params)


def _in_pieces(expected: FloatArray) -> list[slice]:
    """Cut futures into runs of a bounded number of purchases."""
    part = np.floor(np.cumsum(expected) / _PURCHASES_AT_ONCE)
    ends = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), expected.size]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _levels(level: float) -> list[float]:
    """Return the levels of lower end, median and upper end."""
    return [0.5 * (1.0 - level), 0.5, 0.5 * (1.0 + level)]


def _summary(values: FloatArray, level: float) -> FloatArray:
    """Return mean, sd, median, lower, upper and share of zeros of each row."""
    lower, median, upper = np.quantile(values, _levels(level), axis=1, method="weibull")
    mean, sd, zero = values.mean(axis=1), values.std(axis=1, ddof=1), (values == 0.0).mean(axis=1)
    return np.stack([mean, sd, median, lower, upper, zero], axis=1)


def _has_no_variance(futures: _Futures, n_draws: int) -> npt.NDArray[np.bool_]:
    """Tell of whom the mean amount has no variance, in some draw."""
    answer = np.empty(len(futures.amounts), dtype=np.bool_)
    for rows in blocks(len(answer), max(_FUTURES_AT_ONCE // n_draws, 1)):
        p, q, _ = futures.spend_params(rows)
        answer[rows] = np.any(np.atleast_2d(p * futures.amounts[rows, 0] + q) <= 2.0, axis=0)
    return answer & (futures.expected > 0.0)
