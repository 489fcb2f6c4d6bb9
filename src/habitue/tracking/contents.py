"""What a run holds besides its model: parameters, scores, files, and the fingerprints of its data.

What it is for: putting these into the forms and sizes that MLflow accepts, through its client alone.

What it deliberately is not: a decision about what is worth keeping; that is the caller's.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH

from habitue.errors import SettingsError
from habitue.tracking.fingerprints import content_hash

__all__ = ["log_datasets", "log_files", "log_metrics", "log_params", "split_params"]

_DIGEST_LENGTH = 32  # MLflow keeps 36 characters of a data set's digest; the whole stands in a tag


def split_params(params: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Return parameters as MLflow can keep them, and as files those that are too long for it.

    Parameters
    ----------
    params : Mapping[str, object]
        Any values; their text counts.

    Returns
    -------
    short : dict of str to str
        Each parameter, a long one replaced by the name of its file.
    files : dict of str to str
        The text of each long one, by path in the run.

    Examples
    --------
    >>> short, files = split_params({"rounds": 60, "columns": "x" * 10_000})
    >>> short
    {'rounds': '60', 'columns': 'see the file params/columns.txt'}
    >>> list(files)
    ['params/columns.txt']
    """
    told = {name: str(value) for name, value in params.items()}
    paths = {name: f"params/{name}.txt" for name, value in told.items() if len(value) > MAX_PARAM_VAL_LENGTH}
    short = told | {name: f"see the file {path}" for name, path in paths.items()}
    return short, {path: told[name] for name, path in paths.items()}


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, str]) -> None:
    """Note parameters on a run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the store.
    run_id : str
        The run.
    params : Mapping[str, str]
        Any number of them.
    """
    entries = [Param(name, value) for name, value in params.items()]
    for i in range(0, len(entries), MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, params=entries[i : i + MAX_PARAMS_TAGS_PER_BATCH])


def log_metrics(
    client: MlflowClient, run_id: str, metrics: Mapping[str, float], *, model_id: str | None
) -> None:
    """Note scores on a run, and on its model if there is one.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the store.
    run_id : str
        The run.
    metrics : Mapping[str, float]
        Any number of them.
    model_id : str or None
        The model that they are about.
    """
    moment = client.get_run(run_id).info.start_time
    entries = [
        Metric(name, float(value), timestamp=moment, step=0, model_id=model_id, run_id=run_id)
        for name, value in metrics.items()
    ]
    for i in range(0, len(entries), MAX_METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=entries[i : i + MAX_METRICS_PER_BATCH])


def log_datasets(client: MlflowClient, run_id: str, datasets: Mapping[str, pd.DataFrame | str]) -> None:
    """Note on a run which data it used: fingerprint, column names and types, number of rows; no rows.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the store.
    run_id : str
        The run.
    datasets : Mapping[str, DataFrame or str]
        Tables, or fingerprints made elsewhere, by role.
    """
    if datasets:
        client.log_inputs(run_id, datasets=[_dataset_input(role, data) for role, data in datasets.items()])


def log_files(client: MlflowClient, run_id: str, files: Mapping[str, str]) -> None:
    """Keep texts as files of a run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the store.
    run_id : str
        The run.
    files : Mapping[str, str]
        Texts by path in the run.

    Raises
    ------
    SettingsError
        If a path leads out of the run.
    """
    if not files:
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch).resolve()
        for name, text in files.items():
            path = (root / name).resolve()
            if not path.is_relative_to(root) or path == root:
                raise SettingsError(f"{name!r} can't be the name of a file of a run; leave out '..'")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, str(root))


def _dataset_input(role: str, data: pd.DataFrame | str) -> DatasetInput:
    fingerprint = data if isinstance(data, str) else content_hash(data)
    schema, profile = (None, None) if isinstance(data, str) else _described(data)
    source = json.dumps({"tags": {"habitue.content": fingerprint}})
    dataset = Dataset(role, fingerprint[:_DIGEST_LENGTH], "code", source, schema, profile)
    tags = [InputTag("mlflow.data.context", role), InputTag("habitue.content", fingerprint)]
    return DatasetInput(dataset, tags=tags)


def _described(data: pd.DataFrame) -> tuple[str, str]:
    columns = [{"name": str(name), "type": str(dtype)} for name, dtype in data.dtypes.items()]
    rows = {"num_rows": len(data), "num_elements": int(data.size)}
    return json.dumps({"mlflow_colspec": columns}), json.dumps(rows)
