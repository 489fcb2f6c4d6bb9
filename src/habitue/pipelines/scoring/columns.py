"""The columns of a scores file, and their order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

__all__ = ["SCORE_COLUMNS", "as_table", "completed", "in_order", "schema_of"]

SCORE_COLUMNS = (
    "customer_id",
    "cutoff",
    "horizon",
    "p_alive",
    "churn_probability",
    "churn_probability_30d",
    "churn_probability_365d",
    "churn_probability_voluntary",
    "churn_probability_involuntary",
    "expected_residual_lifetime_365d",
    "expected_purchases",
    "clv",
    "clv_lower",
    "clv_upper",
    "decile",
    "reason_1",
    "reason_2",
    "reason_3",
    "frequency",
    "inactivity",
    "spend_total",
    "contract_tenure",
    "answered_by",
    "model_name",
    "model_version",
    "run_id",
    "feature_set",
    "clv_answered_by",
    "clv_model_name",
    "clv_model_version",
    "clv_run_id",
    "clv_feature_set",
    "scored_at",
)
"""Columns of a scores file, in order; those that no model of the run answers are left out. Where customers
leave by other causes, churn_probability_<cause> stands in the place of these two."""


def in_order(there: Collection[str]) -> list[str]:
    """Put columns in the order of `SCORE_COLUMNS`; causes that it does not name stand with those it does.

    Parameters
    ----------
    there : collection of str
        Columns of answers, and of what stands beside them.

    Returns
    -------
    list of str
        Those that a scores file has.

    Examples
    --------
    >>> in_order(["decile", "churn_probability_card_failed", "churn_probability", "T"])
    ['churn_probability', 'churn_probability_card_failed', 'decile']
    """
    place = SCORE_COLUMNS.index("expected_residual_lifetime_365d")
    causes = [name for name in there if name.startswith("churn_probability_") and name not in SCORE_COLUMNS]
    return [name for name in (*SCORE_COLUMNS[:place], *causes, *SCORE_COLUMNS[place:]) if name in there]


_TYPES: Final[Mapping[str, pa.DataType]] = {
    "cutoff": pa.date32(),
    "horizon": pa.int64(),
    "decile": pa.int64(),
    "model_version": pa.int64(),
    "clv_model_version": pa.int64(),
    "scored_at": pa.timestamp("us", tz="UTC"),
}
_TEXTS: Final = frozenset(
    {f"reason_{place}" for place in (1, 2, 3)}
    | {
        f"{of}{name}"
        for of in ("", "clv_")
        for name in ("answered_by", "model_name", "run_id", "feature_set")
    }
)


def schema_of(there: Collection[str], ids: pa.DataType) -> pa.Schema:
    """Return the columns of a batch in order, with their types, whatever the first customers happen to have.

    Parameters
    ----------
    there : collection of str
        Columns of answers and of what stands beside them.
    ids : pyarrow.DataType
        That of customer_id.

    Returns
    -------
    pyarrow.Schema
        Whole numbers, days, the moment and texts by name; all else is a double.
    """
    types = {"customer_id": ids, **_TYPES, **dict.fromkeys(_TEXTS, pa.string())}
    return pa.schema([(name, types.get(name, pa.float64())) for name in in_order(there)])


def completed(
    answers: pd.DataFrame,
    tenths: npt.NDArray[np.int8],
    *,
    cutoff: date,
    horizon: int,
    lineage: Mapping[str, Any],
    scored_at: Any,
) -> pd.DataFrame:
    """Add to answers of some customers what else a row of scores carries, and put the columns in order.

    Parameters
    ----------
    answers : DataFrame
        Indexed by customer_id.
    tenths : ndarray of int8, shape (n_customers,)
        Of `deciles`: 0 for who has none.
    cutoff : date
        The last day known.
    horizon : int
        Days ahead.
    lineage : Mapping[str, object]
        Which models answered, and what they read.
    scored_at : datetime
        When.
    """
    decile = pd.Series(tenths, index=answers.index).astype("Int64").mask(tenths == 0)
    frame = answers.assign(
        cutoff=cutoff,
        horizon=horizon,
        decile=decile if (tenths == 0).any() else decile.astype("int64"),
        **lineage,
        scored_at=pd.Timestamp(scored_at),
    )
    frame = frame.rename_axis("customer_id").reset_index()
    return frame.loc[:, in_order(frame.columns)]


def as_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return scores as Arrow has them; columns that some customers lack altogether are missing values.

    Parameters
    ----------
    frame : DataFrame
        Of `completed`.
    schema : pyarrow.Schema
        Of `schema_of`.
    """
    columns = [
        _array(frame[field.name], field.type) if field.name in frame else pa.nulls(len(frame), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _array(column: Any, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_timestamp(kind):
        # pyarrow takes moments with a zone by a way that pandas gives up; without one they are UTC.
        naive: Any = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return pa.array(naive.to_numpy(), type=pa.timestamp("us")).cast(kind)
    return pa.array(column, type=kind, from_pandas=True)
