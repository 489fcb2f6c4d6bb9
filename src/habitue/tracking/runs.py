"""What was trained, on what, with what result: one call writes one run, and registers its model.

What it is for: `log_training` keeps parameters, scores, tables, charts, the data's fingerprints and the model
together, with the code's commit and the exact versions of the packages.

What it deliberately is not: MLflow's fluent interface with its active run. Every call names its run, so that
two trainings in one process don't mix. A run that broke off is marked as such and registers nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from habitue.errors import SettingsError
from habitue.files import safe_cells
from habitue.tracking.answering import answering
from habitue.tracking.contents import log_datasets, log_files, log_metrics, log_params, split_params
from habitue.tracking.environment import quiet
from habitue.tracking.origin import origin_tags
from habitue.tracking.packing import pack, serving_requirements
from habitue.tracking.registry import CHECKSUMS_TAG
from habitue.tracking.served_model import Answers
from habitue.tracking.store import Store

__all__ = ["LoggedModel", "log_training"]

_EXISTS = "RESOURCE_ALREADY_EXISTS"
_MARK = "habitue.mark"
"""Tag by which a run is found whose making was interrupted."""


@dataclass(frozen=True)
class LoggedModel:
    """What a training left in MLflow.

    Attributes
    ----------
    run_id : str
        The run.
    name : str or None
        The registered model, if one was registered.
    version : int or None
        The number of its new version.
    """

    run_id: str
    name: str | None = None
    version: int | None = None


def log_training(
    store: Store,
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    figures: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
    datasets: Mapping[str, pd.DataFrame | str] | None = None,
    model: Answers | None = None,
    registered_name: str | None = None,
    input_example: pd.DataFrame | None = None,
    requirements: Sequence[str] | None = None,
) -> LoggedModel:
    """Write one training into MLflow, and register its model if a name is given.

    Parameters
    ----------
    store : Store
        MLflow's home.
    experiment, run_name : str
        Under which headings.
    params : Mapping[str, object]
        What was chosen. One whose text is longer than MLflow keeps becomes the file ``params/<name>.txt``.
    metrics : Mapping[str, float]
        What came out; noted on the run and on the model.
    tags : Mapping[str, str], optional
        Anything else in a few words, such as the fingerprint of the records; also noted on the registered
        version. Added by itself: the versions of Python and habitue, the git commit of the working directory
        and whether it was changed since.
    tables : Mapping[str, DataFrame], optional
        Kept as ``tables/<name>.csv``, without the index; no text in them runs in a spreadsheet.
    figures : Mapping[str, str], optional
        SVG texts, kept as ``figures/<name>.svg``.
    texts : Mapping[str, str], optional
        Kept as ``texts/<name>``.
    datasets : Mapping[str, DataFrame or str], optional
        The tables it learned from and was tried on, by role (``train``, ``holdout``): a fingerprint of the
        content, names and types are kept, no rows. A text is taken for a fingerprint made elsewhere.
    model : Answers, optional
        The fitted model.
    registered_name : str, optional
        Registers the model as the next version of this name.
    input_example : DataFrame, optional
        A few harmless rows that show what the model reads; needed with `model`, and stored with it.
    requirements : sequence of str, optional
        Exact requirements for serving; by default those installed here.

    Returns
    -------
    LoggedModel
        Run, name and version.

    Raises
    ------
    SettingsError
        If a model comes without example, or a name without model.
    DataError
        If the model can't be stored as text, or doesn't fit the example.
    UnavailableError
        If the database or server does not answer.

    Notes
    -----
    An exception marks the run as failed, an interruption (Ctrl-C) as killed; both are raised on. The model is
    registered last, after the run is finished, together with the SHA-256 of each of its files.
    """
    if model is not None and input_example is None:
        raise SettingsError("a model is logged with an input_example: a few rows with the columns it reads")
    if registered_name is not None and model is None:
        raise SettingsError(f"nothing to register as {registered_name}: give the model too")
    client = store.client()
    short, long = split_params(params)
    with quiet(), answering(store.tracking_uri):
        headings = store.experiment_id(experiment), run_name, {**origin_tags(Path.cwd()), **(tags or {})}
        with _run(client, *headings) as run_id:
            log_params(client, run_id, short)
            log_datasets(client, run_id, datasets or {})
            log_files(client, run_id, _files(tables or {}, figures or {}, texts or {}) | long)
            if model is None or input_example is None:
                log_metrics(client, run_id, metrics, model_id=None)
                return LoggedModel(run_id)
            needed = serving_requirements() if requirements is None else requirements
            with _model(client, run_id, short) as model_id:
                sums = _log_model(client, run_id, model_id, model, input_example, needed)
            log_metrics(client, run_id, metrics, model_id=model_id)
        if registered_name is None:
            return LoggedModel(run_id)
        noted = {**(tags or {}), CHECKSUMS_TAG: json.dumps(sums, sort_keys=True)}
        with _marked(client, run_id):
            return LoggedModel(
                run_id, registered_name, _register(client, run_id, model_id, registered_name, noted)
            )


@contextmanager
def _run(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str]) -> Generator[str]:
    """Give a run's id; mark the run finished, failed or killed, as it goes."""
    mark = uuid4().hex
    try:
        run_id: str = client.create_run(experiment_id, run_name=name, tags={**tags, _MARK: mark}).info.run_id
    except KeyboardInterrupt:
        # Made, perhaps, and its id not yet known: nobody else would end it.
        for made in client.search_runs([experiment_id], f"tags.`{_MARK}` = '{mark}'"):
            client.set_terminated(made.info.run_id, "KILLED")
        raise
    with _marked(client, run_id):
        yield run_id
        client.set_terminated(run_id, "FINISHED")


@contextmanager
def _marked(client: MlflowClient, run_id: str) -> Generator[None]:
    try:
        yield
    except BaseException as error:
        client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise


@contextmanager
def _model(client: MlflowClient, run_id: str, params: Mapping[str, str]) -> Generator[str]:
    """Give the id of the run's model; mark the model ready or failed, as it goes."""
    experiment_id = client.get_run(run_id).info.experiment_id
    made = client.create_logged_model(experiment_id, "model", source_run_id=run_id, params=dict(params))
    model_id: str = made.model_id
    client.log_outputs(run_id, models=[LoggedModelOutput(model_id, step=0)])
    try:
        yield model_id
    except BaseException:
        client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)


def _log_model(
    client: MlflowClient,
    run_id: str,
    model_id: str,
    model: Answers,
    input_example: pd.DataFrame,
    requirements: Sequence[str],
) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "packed"
        sums = pack(
            model,
            folder,
            input_example=input_example,
            requirements=requirements,
            run_id=run_id,
            model_id=model_id,
        )
        client.log_model_artifacts(model_id, str(folder))
    return sums


def _register(client: MlflowClient, run_id: str, model_id: str, name: str, tags: Mapping[str, str]) -> int:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != _EXISTS:
            raise
    # The model's own address, not models:/<id>: MLflow resolves that one through its global settings.
    version = client.create_model_version(
        name,
        source=client.get_logged_model(model_id).artifact_location,
        run_id=run_id,
        model_id=model_id,
        tags=dict(tags),
    )
    told = [
        {"name": name, "version": version.version}
    ]  # MLflow's pages link from the model to its versions by it
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(told)})
    return int(version.version)


def _files(
    tables: Mapping[str, pd.DataFrame], figures: Mapping[str, str], texts: Mapping[str, str]
) -> dict[str, str]:
    """Return the text of each file by its path in the run."""
    return {
        **{f"tables/{name}.csv": safe_cells(table).to_csv(index=False) for name, table in tables.items()},
        **{f"figures/{name}.svg": svg for name, svg in figures.items()},
        **{f"texts/{name}": text for name, text in texts.items()},
    }
