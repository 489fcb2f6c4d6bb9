"""Effects of offers that were measured for each customer, brought into the order of the customers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.value_at_stake import Stakes
from habitue.errors import DataError, SchemaError, SettingsError

__all__ = ["Measured", "measured_effects"]

FloatArray = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """What a contact with one offer adds to each customer's margin.

    Attributes
    ----------
    effect : ndarray of shape (n,)
        Margin within the horizon before costs; NaN where it was not measured.
    error : ndarray of shape (n,)
        Its standard error; money.
    """

    effect: FloatArray
    error: FloatArray


def measured_effects(
    effects: pd.DataFrame | None, errors: pd.DataFrame | None, *, stakes: Stakes, names: list[str]
) -> dict[str, Measured]:
    """Return measured effects by offer, in the order of the customers.

    Parameters
    ----------
    effects : DataFrame of shape (n_customers, n_measured) or None
        A column for each offer measured, indexed by customer.
    errors : DataFrame or None
        Their standard errors; 0 where None.
    stakes : Stakes
        Who the customers are.
    names : list of str
        Of the offers.

    Returns
    -------
    dict of str to Measured
        Empty where nothing was measured.

    Raises
    ------
    SchemaError
        Where a column is of no offer, or the two tables have different ones.
    DataError
        Where a customer has two rows, or an error is below 0 or missing.
    SettingsError
        Where there are errors and no effects.
    """
    if effects is None:
        if errors is not None:
            raise SettingsError("Errors of effects were given without the effects; hand in both.")
        return {}
    if unknown := [str(name) for name in effects.columns if name not in names]:
        raise SchemaError(
            f"Effects were measured of {', '.join(unknown)}, which is no offer; there are {', '.join(names)}."
        )
    if errors is not None and set(errors.columns) != set(effects.columns):
        raise SchemaError("Effects and their errors need the same columns.")
    if not effects.index.is_unique or (errors is not None and not errors.index.is_unique):
        raise DataError("Measured effects need one row for each customer; some have several.")
    ordered = effects.reindex(stakes.customers)
    off = None if errors is None else errors.reindex(stakes.customers)
    return {str(name): _measured(str(name), ordered, off) for name in effects.columns}


def _measured(name: str, effects: pd.DataFrame, errors: pd.DataFrame | None) -> Measured:
    effect = effects[name].to_numpy(dtype=np.float64)
    if errors is None:
        return Measured(effect, np.zeros_like(effect))
    error = errors[name].to_numpy(dtype=np.float64)
    if np.isinf(effect).any() or (~(error >= 0.0) & ~np.isnan(effect)).any():
        raise DataError(
            f"Effects of {name!r} must be finite, each with a standard error of 0 or more; some are not."
        )
    return Measured(effect, error)
