"""The scores at the door: one row per customer, checked, and its numbers taken out.

What comes in is the frame that a scoring run wrote; what goes out are arrays of floats in which whatever is
missing is NaN. Nothing is summed up here: that is :mod:`habitue.report.customers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from habitue.errors import DataError, SchemaError
from habitue.vocabulary import one_or_many

__all__ = ["AT_RISK_ABOVE", "NUMBERS", "REASONS", "Scores", "read_scores"]

Floats = NDArray[np.float64]

AT_RISK_ABOVE = 0.5
"""Above this probability a customer is more likely to leave than to stay."""

NUMBERS = (
    "churn_probability",
    "p_alive",
    "expected_purchases",
    "clv",
    "clv_lower",
    "clv_upper",
    "decile",
    "expected_residual_lifetime_365d",
    "frequency",
    "inactivity",
    "spend_total",
)
"""Columns that are read as numbers where they are there."""

REASONS = ("reason_1", "reason_2", "reason_3")
"""Columns that are read as text where they are there."""


@dataclass(frozen=True)
class Scores:
    """The score frame as arrays, one entry a customer.

    Attributes
    ----------
    customer_ids : numpy.ndarray of object
        Who they are, each once.
    numbers : dict of str to numpy.ndarray of float
        The numeric columns; NaN where a number is missing, columns of nothing but NaN left out.
    reasons : tuple of numpy.ndarray of object
        The first, second and third reason, as far as there are; None where there is none.
    answered_by : dict of str to numpy.ndarray of object
        Which models answered, by the answer that they gave: "churn_probability", "clv".
    """

    customer_ids: NDArray[np.object_]
    numbers: dict[str, Floats]
    reasons: tuple[NDArray[np.object_], ...]
    answered_by: dict[str, NDArray[np.object_]] = field(default_factory=dict[str, NDArray[np.object_]])

    def get(self, name: str) -> Floats | None:
        """Return a column of numbers, or None where there is none.

        Parameters
        ----------
        name : str
            E.g. ``"clv"``.
        """
        return self.numbers.get(name)

    @property
    def at_risk(self) -> NDArray[np.bool_] | None:
        """Say of each customer whether leaving is likelier than staying."""
        churn = self.get("churn_probability")
        return None if churn is None else churn > AT_RISK_ABOVE


def read_scores(frame: pd.DataFrame) -> Scores:
    """Check a frame of scores at the door and take its numbers out.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per customer: ``customer_id``, and ``churn_probability``, ``clv`` or both.

    Returns
    -------
    Scores

    Raises
    ------
    SchemaError
        If ``customer_id`` is missing, or both predictions are, or a column is not made of numbers.
    DataError
        If there is no row, a customer twice, or a probability outside [0, 1].

    Examples
    --------
    >>> scores = read_scores(pd.DataFrame({"customer_id": ["a", "b"], "clv": [1.0, 2.0]}))
    >>> scores.get("clv"), scores.get("churn_probability")
    (array([1., 2.]), None)
    """
    if "customer_id" not in frame.columns and frame.index.name == "customer_id":
        frame = frame.reset_index()
    there = ", ".join(map(str, frame.columns))
    if "customer_id" not in frame.columns:
        raise SchemaError(f"A report needs the column customer_id in the scores; the columns are: {there}.")
    if not {"churn_probability", "clv"} & set(frame.columns):
        raise SchemaError(
            "A report needs churn_probability, clv or both in the scores; "
            f"the columns are: {there}. Score with at least one model first."
        )
    if frame.empty:
        raise DataError("A report needs at least one scored customer; the scores have no rows.")
    ids = pd.Series(frame["customer_id"])
    _refuse_twice(ids)
    columns = {name: _numbers(frame, name) for name in NUMBERS if name in frame.columns}
    _refuse_beyond_one(columns)
    return Scores(
        ids.to_numpy(dtype=object),
        {name: x for name, x in columns.items() if np.isfinite(x).any()},
        tuple(_texts(frame, name) for name in REASONS if name in frame.columns),
        _answered_by(frame),
    )


def _refuse_twice(ids: pd.Series) -> None:
    twice = ids.duplicated().to_numpy(dtype=bool)
    if twice.any():
        told = one_or_many(twice.sum(), "row repeats", plural="rows repeat")
        raise DataError(
            f"A report needs one row per customer; {told} a customer_id, the first of them "
            f"{ids.to_numpy(dtype=object)[twice][0]!r}. Keep one cutoff and one row of each customer."
        )


def _refuse_beyond_one(columns: dict[str, Floats]) -> None:
    for name in ("churn_probability", "p_alive"):
        values = columns.get(name)
        if values is None:
            continue
        wrong = (values < 0.0) | (values > 1.0)
        if wrong.any():
            told = one_or_many(wrong.sum(), "row does", plural="rows do")
            raise DataError(
                f"{name} must lie between 0 and 1; {told} not, the first of them "
                f"{values[wrong][0]:g}. Hand in probabilities, not percentages."
            )


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    """Take a column as floats; whatever is not finite counts as missing."""
    column = pd.Series(frame[name])
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"The scores' column {name} must hold numbers; it holds {column.dtype}.") from error
    return np.where(np.isfinite(values), values, np.nan)


def _answered_by(frame: pd.DataFrame) -> dict[str, NDArray[np.object_]]:
    """Take who answered; of two models the columns of the churn model are named plainly."""
    first = "churn_probability" if "churn_probability" in frame.columns else "clv"
    columns = {first: "answered_by", "clv": "clv_answered_by" if first != "clv" else "answered_by"}
    return {answer: _texts(frame, name) for answer, name in columns.items() if name in frame.columns}


def _texts(frame: pd.DataFrame, name: str) -> NDArray[np.object_]:
    """Take a column as text; an empty text counts as missing."""
    column = pd.Series(frame[name])
    texts = column.to_numpy(dtype=object).copy()
    texts[column.isna().to_numpy(dtype=bool) | (texts == "")] = None
    return texts
