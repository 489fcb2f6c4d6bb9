"""A model as the folder that MLflow logs: text files, an explicit signature, pinned requirements.

What it is for: everything that must be settled before a model is registered. The signature is written down,
not inferred; so are the requirements, which MLflow would otherwise find out by loading the model in a new
process.

What it deliberately is not: a place where anything is pickled, or sent anywhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from habitue.errors import DataError
from habitue.models.persistence import save_model
from habitue.tracking.environment import quiet
from habitue.tracking.fingerprints import checksums
from habitue.tracking.served_model import (
    MODEL_ARTIFACT,
    Answers,
    as_input,
    can_discount,
    learned_horizon,
)

__all__ = ["LOADER", "pack", "serving_requirements", "signature_of"]

LOADER = Path(__file__).parent / "loader.py"
"""The code file that is logged with every model."""

_SERVING = (
    "habitue",
    "lightgbm",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
)


def serving_requirements() -> list[str]:
    """Return the exact versions of the packages that a prediction passes through.

    Returns
    -------
    list of str
        ``name==version`` of what is installed here, by name.

    Examples
    --------
    >>> [requirement.split("==")[0] for requirement in serving_requirements()][:3]
    ['habitue', 'lightgbm', 'mlflow']
    """
    return [f"{name}=={metadata.version(name)}" for name in _SERVING]


def signature_of(model: Answers, input_example: pd.DataFrame) -> ModelSignature:
    """Return what goes in, what comes out and what may be asked for.

    Parameters
    ----------
    model : Answers
        A fitted model.
    input_example : DataFrame
        A few rows with the model's columns; it answers them, to see what comes out.

    Returns
    -------
    mlflow.models.ModelSignature
        Inputs as double; outputs as double, or string where a column holds texts; the parameters ``reasons``
        and ``reasons_from``; where the model can be asked for other days ahead than it learned, ``horizon``,
        which is those it learned if left out; where it answers with money, ``discount_rate``, per year. The
        columns that ``reasons`` adds are not listed, since they come only when asked for.

    Raises
    ------
    SchemaError
        If the example lacks a column.
    DataError
        If the answers don't have one row a customer.
    """
    X = as_input(input_example, model.input_columns_)
    answers = model.answer(X)
    if not answers.index.equals(X.index):
        name = type(model).__name__
        raise DataError(
            f"{name}.answer returned {len(answers)} rows for {len(X)}, or another index; keep X's"
        )
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in model.input_columns_]),
        outputs=Schema([ColSpec(_type_of(dtype), str(name)) for name, dtype in answers.dtypes.items()]),
        params=ParamSchema(_params_of(model)),
    )


def pack(
    model: Answers,
    folder: Path,
    *,
    input_example: pd.DataFrame,
    requirements: Sequence[str],
    run_id: str,
    model_id: str,
) -> dict[str, str]:
    """Write a fitted model as an MLflow model folder.

    Parameters
    ----------
    model : Answers
        A fitted model.
    folder : Path
        Where to write; must not exist.
    input_example : DataFrame
        A few rows that show what goes in. They are stored and shown to whoever opens the model: no index, but
        their values are, so make them up or choose harmless ones.
    requirements : sequence of str
        Exact requirements for serving.
    run_id, model_id : str
        MLflow's ids of the run that trains it and of the model.

    Returns
    -------
    dict of str to str
        The SHA-256 of every file, by relative path.

    Raises
    ------
    DataError
        If the model holds something that can't be stored as text, or the example doesn't fit it.
    """
    example = as_input(input_example, model.input_columns_).reset_index(drop=True)
    with tempfile.TemporaryDirectory() as scratch, quiet():
        stored = Path(scratch) / MODEL_ARTIFACT
        save_model(model, stored)
        pyfunc.save_model(
            path=folder,
            python_model=str(LOADER),
            artifacts={MODEL_ARTIFACT: str(stored)},
            signature=signature_of(model, example),
            input_example=example,
            pip_requirements=list(requirements),
            mlflow_model=Model(run_id=run_id, model_id=model_id, model_uuid=model_id),
        )
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    return checksums(folder)


def _params_of(model: Answers) -> list[ParamSpec]:
    """Return what may be asked for, and what holds where it is not."""
    asked = [
        ParamSpec("reasons", DataType.boolean, default=False),
        ParamSpec("reasons_from", DataType.double, default=0.0),
    ]
    if (learned := learned_horizon(model)) is not None:
        asked.append(ParamSpec("horizon", DataType.long, default=learned))
    if can_discount(model):
        asked.append(ParamSpec("discount_rate", DataType.double, default=0.0))
    return asked


def _type_of(dtype: Any) -> DataType:
    return DataType.double if pd.api.types.is_numeric_dtype(dtype) else DataType.string
