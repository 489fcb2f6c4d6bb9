"""Why a probability model said so: the exact Shapley value of each thing it knows about a customer.

The models read frequency, recency and T. People think of how often, how long ago and how long a customer, so
a customer is compared with a typical one in frequency, inactivity (T - recency) and T, and in monetary_value
where money is asked about. With three or four things all coalitions can be computed: nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.models.purchase_history import read_columns

__all__ = ["HISTORY", "known_things", "shapley", "typical_customer"]

HISTORY = ("frequency", "recency", "T")
"""Columns that a model of purchases reads."""

FloatArray = npt.NDArray[np.float64]


def known_things(X: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return frequency, inactivity, T and the like as columns, inactivity computed where it is absent.

    Parameters
    ----------
    X : DataFrame
        With frequency, recency and T.
    names : sequence of str
        Columns wanted.

    Returns
    -------
    DataFrame of float64
        Always inactivity = T - recency, whatever a column of that name says; a missing monetary_value, which
        one-time buyers may have, is 0.

    Raises
    ------
    SchemaError
        Where a column is missing.

    Examples
    --------
    >>> X = pd.DataFrame({"frequency": [2], "recency": [70], "T": [90]})
    >>> known_things(X, ["frequency", "inactivity"])
       frequency  inactivity
    0        2.0        20.0
    """
    read = list(dict.fromkeys([*HISTORY, *(name for name in names if name != "inactivity")]))
    known = pd.DataFrame(read_columns(X, read).values, columns=read, index=X.index)
    known["inactivity"] = known["T"] - known["recency"]
    if "monetary_value" in known:
        known["monetary_value"] = known["monetary_value"].fillna(0.0)
    return known.reindex(columns=list(names))


def typical_customer(things: pd.DataFrame) -> dict[str, float]:
    """Return the customer with whom reasons compare: the lower median of each thing.

    Parameters
    ----------
    things : DataFrame of shape (n_customers, n_things)

    Notes
    -----
    The lower of two medians is a number that some customer has: there is no half purchase.

    Examples
    --------
    >>> typical_customer(pd.DataFrame({"frequency": [0.0, 1.0], "T": [90.0, 20.0]}))
    {'frequency': 0.0, 'T': 20.0}
    """
    middle = things.quantile(0.5, interpolation="lower")
    return {str(name): float(value) for name, value in middle.items()}


def shapley(
    answer: Callable[[pd.DataFrame], FloatArray],
    things: pd.DataFrame,
    typical: pd.Series,
    *,
    beside: pd.DataFrame | None = None,
) -> pd.DataFrame:
    r"""Divide the difference between a customer's answer and a typical customer's among what is known.

    Parameters
    ----------
    answer : callable
        From a frame with frequency, recency, T (and the other columns) to one number a customer. It is asked
        2^n times, once for each coalition.
    things : DataFrame of shape (n_customers, n_things)
        What is known, inactivity among it.
    typical : Series of shape (n_things,)
        The customer to compare with.
    beside : DataFrame of shape (n_customers, n_columns), optional
        Where further columns that the answer reads come from, such as covariates; they stay the customer's.

    Returns
    -------
    DataFrame of shape (n_customers, n_things)
        They add up to answer(customer) - answer(typical).

    Notes
    -----
    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!} (v(S \cup i) - v(S))

    References
    ----------
    .. [1] Shapley, L. S. (1953). A value for n-person games. Contributions to the Theory of Games II,
       307-317.
    """
    names = list(things.columns)
    n = len(names)
    taken = {*names, *HISTORY}
    fixed = {} if beside is None else {str(one): beside[one] for one in beside.columns if one not in taken}
    values = {
        subset: answer(_mixed(things, typical, subset).assign(**fixed))
        for size in range(n + 1)
        for subset in combinations(names, size)
    }
    shares = {name: np.zeros(len(things)) for name in names}
    for subset, value in values.items():
        for name in set(names) - set(subset):
            joined = tuple(known for known in names if known in subset or known == name)
            weight = factorial(len(subset)) * factorial(n - len(subset) - 1) / factorial(n)
            shares[name] += weight * (values[joined] - value)
    return pd.DataFrame(shares, index=things.index)


def _mixed(things: pd.DataFrame, typical: pd.Series, subset: Sequence[str]) -> pd.DataFrame:
    """Take the customer's own value for the subset and the typical one for the rest, as one history."""
    usual = dict(zip(typical.index, typical.to_numpy(dtype=np.float64), strict=True))
    mixed = pd.DataFrame(
        {name: things[name] if name in subset else usual[name] for name in things.columns},
        index=things.index,
    )
    repeats = mixed["frequency"] > 0
    # The clock of a one-time buyer starts at the only purchase: silent for as long as a customer.
    mixed["recency"] = np.where(repeats, np.maximum(mixed["T"] - mixed["inactivity"], 0.0), 0.0)
    return mixed
