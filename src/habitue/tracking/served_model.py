"""What MLflow calls: a table of customers in, a table of answers out.

What it is for: one model class for batch scoring, ``mlflow models serve`` and ``spark_udf``. It brings the
stored model back with `habitue.models.persistence.load_model` and asks it for its answers, and for reasons
when wanted.

What it deliberately is not: stored. MLflow keeps no instance of this class, only the few lines of
``loader.py`` that make a new one; so a model loads where pickled ones are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from habitue.decisions.reasons import reasons_for, whom_to_tell
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models.persistence import load_model

__all__ = ["MODEL_ARTIFACT", "Answers", "ServedModel", "as_input", "can_discount", "learned_horizon"]

MODEL_ARTIFACT = "model"
"""The name under which the stored model's folder is known to MLflow."""

_PARAMS = ("reasons", "reasons_from", "horizon", "discount_rate")


@runtime_checkable
class Answers(Protocol):
    """A fitted model that answers a marketer's questions, one row a customer.

    It may also have ``contributions(X) -> DataFrame``, which says what each feature adds; reasons need it.
    Where those speak of more than `X` holds, ``reason_values(X) -> DataFrame`` gives the values to name.

    Where it can be asked for other horizons than it learned, its attribute ``horizon`` is the one it learned,
    in days, and ``answer`` and ``contributions`` take a keyword of that name. Where it can discount money,
    ``answer`` takes a keyword ``discount_rate``, per year.
    """

    @property
    def input_columns_(self) -> list[str]:
        """The columns it reads, all of them numbers."""
        ...

    def answer(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return one row of answers a customer, with the index of `X`.

        Parameters
        ----------
        X : DataFrame
            The columns `input_columns_`, as float64.

        Returns
        -------
        DataFrame
            Columns such as ``churn_probability`` or ``clv``.
        """
        ...


class ServedModel(PythonModel):
    """A habitue model as MLflow's generic Python model."""

    def load_context(self, context: Any) -> None:
        """Bring the stored model back from its folder.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
            Knows where the folder lies.

        Raises
        ------
        DataError
            If the folder holds no readable model.
        """
        # Importing habitue.models has put all its classes on the list of those that may come back.
        self.model = load_model(context.artifacts[MODEL_ARTIFACT])

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  (MLflow's own says it returns None)
        self,
        context: Any,  # noqa: ARG002  (MLflow gives it by position)
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the model's answers, one row a customer.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
            Not used; MLflow gives it.
        model_input : DataFrame
            One row a customer with at least the model's columns, as numbers.
        params : dict, optional
            ``{"reasons": True}`` adds the columns ``reason_1``, ``reason_2`` and ``reason_3``;
            ``{"reasons_from": 0.5}`` leaves them empty, and saves their time, where the answer (the chance of
            leaving, or the money of a model without one) is lower; ``{"horizon": 180}`` asks for so many
            days ahead, where the model can answer that; ``{"discount_rate": 0.1}`` takes ten percent a year
            off money that comes later, where it answers with money.

        Returns
        -------
        DataFrame
            With the index of `model_input`.

        Raises
        ------
        SchemaError
            If columns are missing or hold no numbers.
        SettingsError
            If a parameter is not known, or the model cannot answer for that horizon or discounts nothing.
        DataError
            If reasons are wanted of a model that gives none.
        """
        asked = params or {}
        # MLflow drops parameters that it does not know with a warning; what reaches us is checked again.
        if unknown := sorted(set(asked) - set(_PARAMS)):
            raise SettingsError(f"unknown parameter {unknown[0]!r}; known: {', '.join(_PARAMS)}")
        wants_reasons, ahead = _wants_reasons(asked), _ahead(asked, self.model)
        discounted = _discounted(asked, self.model)
        X = as_input(model_input, self.model.input_columns_)
        answers = self.model.answer(X, **ahead, **discounted)
        if not wants_reasons:
            return answers
        return pd.concat([answers, self._reasons(X, _picked(answers, asked), ahead)], axis=1)

    def _reasons(
        self, X: pd.DataFrame, who: npt.NDArray[np.bool_] | None, ahead: Mapping[str, int]
    ) -> pd.DataFrame:
        if not hasattr(self.model, "contributions"):
            name = type(self.model).__name__
            raise DataError(
                f"{name} gives no reasons for its answers; ask without reasons, or a boosted model"
            )
        return reasons_for(self.model, X, who, **ahead)


def learned_horizon(model: Any) -> int | None:
    """Return the days ahead that a model learned, where it can be asked for others.

    Parameters
    ----------
    model : Answers
        Fitted or not.

    Returns
    -------
    int or None
        None where ``answer`` takes no horizon.
    """
    takes = "horizon" in signature(model.answer).parameters
    return int(model.horizon) if takes else None


def can_discount(model: Any) -> bool:
    """Tell whether a model can be asked for discounted money.

    Parameters
    ----------
    model : Answers
        Fitted or not.
    """
    return "discount_rate" in signature(model.answer).parameters


def as_input(X: Any, columns: Sequence[str]) -> pd.DataFrame:
    """Return the columns that a model reads, in its order and as float64.

    Parameters
    ----------
    X : DataFrame
        Any table that has these columns; others are ignored.
    columns : sequence of str
        The model's columns.

    Returns
    -------
    DataFrame
        With the index of `X`; `X` itself where it is all that already.

    Raises
    ------
    SchemaError
        If `X` is no table, or lacks or repeats a column, or one holds something other than numbers.

    Examples
    --------
    >>> as_input(pd.DataFrame({"T": [39], "note": ["-"], "frequency": [2]}), ["frequency", "T"])
       frequency     T
    0        2.0  39.0
    """
    if not isinstance(X, pd.DataFrame):
        raise SchemaError(
            f"expected a DataFrame with the columns {_named(columns)}, got a {type(X).__name__}"
        )
    there = X.columns.tolist()
    # Column by column takes longer than many a model does for one customer: not where nothing is to be done.
    if there == list(columns) and (X.dtypes == np.float64).all():
        return X
    if missing := [name for name in columns if name not in there]:
        raise SchemaError(
            f"missing columns: {_named(missing)}; the model reads {_named(columns)}, "
            f"the table has {_named([str(name) for name in there])}"
        )
    if repeated := [name for name in columns if there.count(name) > 1]:
        raise SchemaError(f"columns that occur more than once: {_named(repeated)}; keep one of each")
    try:
        return pd.DataFrame({name: _as_numbers(X[name]) for name in columns}, index=X.index)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{error}; the model reads numbers only") from error


def _as_numbers(column: Any) -> np.ndarray[Any, Any]:
    if isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype) or column.dtype.kind in "mMc":
        raise TypeError(f"the column {column.name} is of type {column.dtype}")
    if column.dtype == object and column.map(type).eq(str).any():
        raise TypeError(f"the column {column.name} holds texts")
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the column {column.name} holds something that is no number ({error})") from error


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _wants_reasons(params: Mapping[str, Any]) -> bool:
    wanted = params.get("reasons", False)
    if not isinstance(wanted, bool | np.bool_):
        raise SettingsError(f"reasons is true or false, got {wanted!r}")
    return bool(wanted)


def _picked(answers: pd.DataFrame, params: Mapping[str, Any]) -> npt.NDArray[np.bool_] | None:
    """Return whose reasons are wanted; everybody's, as None, where no answer to begin with is named."""
    main = next((name for name in ("churn_probability", "clv") if name in answers), None)
    if params.get("reasons_from") is None or main is None:
        return None
    return whom_to_tell(answers[main], at_least=float(params["reasons_from"]))


def _ahead(params: Mapping[str, Any], model: Any) -> dict[str, int]:
    """Return the horizon as a keyword; none where the model's own is meant."""
    days = params.get("horizon")
    if days is None or days == learned_horizon(model):
        return {}
    if learned_horizon(model) is None:
        raise SettingsError(f"{type(model).__name__} answers for one horizon only; ask without horizon")
    return {"horizon": days}


def _discounted(params: Mapping[str, Any], model: Any) -> dict[str, float]:
    """Return the discount rate as a keyword; none where money is wanted in full."""
    rate = params.get("discount_rate")
    if rate is None or rate == 0.0:
        return {}
    if not can_discount(model):
        raise SettingsError(f"{type(model).__name__} discounts no money; ask without discount_rate")
    return {"discount_rate": rate}
