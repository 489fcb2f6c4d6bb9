"""Customers as they were when just acquired: what a model says before it has seen any of them buy.

Pictures of the fit compare a base with what its parameters alone foretell, so nothing here looks at what a
customer did, only at when each was acquired and at the covariates.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

__all__ = ["CELLS_AT_ONCE", "cohorts_of", "covariates_of", "params_of_newcomers"]

CELLS_AT_ONCE: Final = 200_000
"""Answers computed at once; bounds memory to some megabytes."""

_HISTORY: Final = ("frequency", "recency", "T")


def covariates_of(model: Any) -> list[str]:
    """Return the columns that a model reads besides a customer's history.

    Parameters
    ----------
    model : estimator
        Fitted.
    """
    return [name for name in model.feature_names_in_ if name not in _HISTORY]


def cohorts_of(customers: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return how many customers there are of each T and covariates.

    Parameters
    ----------
    customers : DataFrame
        T, covariates and n, the customers that a row stands for.
    names : list of str
        The covariates.

    Returns
    -------
    DataFrame
        T, covariates, n; one row for each combination, by T.

    Examples
    --------
    >>> cohorts_of(pd.DataFrame({"T": [9.0, 2.0, 9.0], "n": 1}), [])
         T  n
    0  2.0  1
    1  9.0  2
    """
    return customers.groupby(["T", *names], as_index=False, sort=True).agg({"n": "sum"})


def params_of_newcomers(model: Any, cohorts: pd.DataFrame) -> Any:
    """Return the model's parameters for the customers of each cohort, moved by their covariates.

    Parameters
    ----------
    model : estimator
        Fitted.
    cohorts : DataFrame
        What `cohorts_of` returned.

    Returns
    -------
    NamedTuple
        The family's parameters; a field that covariates move has one number a cohort.
    """
    rows = model._read(cohorts.assign(frequency=0.0, recency=0.0, T=0.0)).values
    return model._params_of(rows)
