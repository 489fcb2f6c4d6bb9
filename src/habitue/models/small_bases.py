"""Fitting a probability model where customers are few: as asked, and steadied where that has no best fit.

On a few dozen customers the likelihood of a probability model may have no inner maximum. The two models that
people ask for churn and value then steady it with a penalty and say so; a model fitted by itself still
raises, so that whoever studies parameters is never handed others than asked for.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from sklearn.base import clone

from habitue.errors import ConvergenceError, HabitueWarning
from habitue.models.purchase_history import CustomerTable

__all__ = ["PENALIZERS", "fit_steadily"]

M = TypeVar("M")

PENALIZERS = (0.001, 0.01, 0.1)
"""Strengths that are tried one after the other; the first that leads to a best fit is taken."""


def fit_steadily(model: M, X: CustomerTable) -> M:
    """Return a fitted copy of a model, with a penalty where these customers do not determine it without one.

    Parameters
    ----------
    model : BGNBD, GammaGamma or the like
        Left as it is.
    X : DataFrame or array_like
        What it is fitted to.

    Returns
    -------
    estimator
        Of the same class; its ``penalizer`` says which strength it took.

    Raises
    ------
    ConvergenceError
        Where no strength helps, the model has no ``penalizer``, or one was set already: what was set is not
        changed behind anybody's back.
    FitError
        Where there is nothing to learn from, such as nobody who bought twice.

    Warns
    -----
    HabitueWarning
        Where a penalty was needed.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.models.bgnbd import BGNBD
    >>> X = pd.DataFrame({"frequency": [0, 1, 0, 2], "recency": [0, 9, 0, 80], "T": [90, 90, 80, 85]})
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     fit_steadily(BGNBD(), X).penalizer, len(told)
    (0.001, 1)
    """
    asked: Any = clone(model)  # pyright: ignore[reportArgumentType, reportCallIssue]
    try:
        return asked.fit(X)
    except ConvergenceError as error:
        if asked.get_params(deep=False).get("penalizer") != 0:
            raise
        return _fit_with_penalty(asked, X, error)


def _fit_with_penalty(asked: Any, X: CustomerTable, error: ConvergenceError) -> Any:
    for penalizer in PENALIZERS:
        steadied: Any = clone(asked)
        steadied.set_params(penalizer=penalizer)
        try:
            steadied.fit(X)
        except ConvergenceError:
            continue
        name = type(asked).__name__
        warnings.warn(
            f"These customers do not determine {name} by themselves, so it was fitted with "
            f"penalizer={penalizer}, a pull towards ordinary parameters. Use more customers or a longer "
            f"observation, or hand in {name}(penalizer={penalizer}) to choose it yourself.",
            HabitueWarning,
            stacklevel=4,
        )
        return steadied
    raise error
