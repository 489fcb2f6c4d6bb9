"""Monitorings in MLflow: one run each, in an experiment beside the model's, and the last one read back.

It deliberately does not know what a monitoring found: that is text and numbers that the caller gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.tracking.environment import quiet
from habitue.tracking.registry import ModelVersion
from habitue.tracking.runs import log_training
from habitue.tracking.store import Store
from habitue.tracking.texts import logged_text

__all__ = ["last_monitoring", "log_monitoring", "monitoring_experiment", "training_of"]

_FOUND = "monitor.json"


def monitoring_experiment(name: str) -> str:
    """Return the experiment in which monitorings of a model stand.

    Parameters
    ----------
    name : str
        The registered name.

    Examples
    --------
    >>> monitoring_experiment("habitue-churn")
    'habitue-churn monitoring'
    """
    return f"{name} monitoring"


def log_monitoring(
    store: Store,
    version: ModelVersion,
    cutoff: str,
    *,
    found: str,
    metrics: Mapping[str, float],
    tables: Mapping[str, pd.DataFrame],
    params: Mapping[str, object],
    page: str,
) -> str:
    """Write one monitoring of one version.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        What was monitored.
    cutoff : str
        As of which day.
    found : str
        JSON, kept as ``texts/monitor.json`` and read back by `last_monitoring`.
    metrics : Mapping[str, float]
        Numbers.
    tables : Mapping[str, DataFrame]
        Kept as ``tables/<name>.csv``.
    params : Mapping[str, object]
        What was chosen.
    page : str
        HTML, kept as ``texts/monitor.html``.

    Returns
    -------
    str
        The run's id.
    """
    logged = log_training(
        store,
        experiment=monitoring_experiment(version.name),
        run_name=f"{version.label} {cutoff}",
        params={"model": version.label, "cutoff": cutoff, **params},
        metrics=metrics,
        tags={"habitue.monitored": version.label, "habitue.monitored_run": version.run_id},
        tables=tables,
        texts={_FOUND: found, "monitor.html": page},
    )
    return logged.run_id


def last_monitoring(store: Store, name: str) -> str | None:
    """Return what the last finished monitoring of a model found.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    str or None
        JSON as it was given to `log_monitoring`; None where there was none yet.

    Raises
    ------
    RegistryError
        Where the run's files are gone.
    """
    client = store.client()
    with quiet():
        experiment = client.get_experiment_by_name(monitoring_experiment(name))
        if experiment is None:
            return None
        runs = client.search_runs(
            [experiment.experiment_id],
            "attributes.status = 'FINISHED'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
    return logged_text(store, runs[0].info.run_id, _FOUND) if runs else None


def training_of(store: Store, version: ModelVersion) -> tuple[dict[str, str], dict[str, float]]:
    """Return what was chosen in the training of a version, and what came out of its backtest.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        A pinned version.

    Returns
    -------
    params : dict of str
        Such as ``cutoff``.
    metrics : dict of float
        Such as ``auc``, ``auc_lower`` and ``auc_upper``.

    Raises
    ------
    RegistryError
        Where the run is gone.
    """
    try:
        with quiet():
            data = store.client().get_run(version.run_id).data
    except MlflowException as error:
        raise RegistryError(
            f"The run that trained {version.label} is gone, and with it what its backtest promised; train it "
            "again."
        ) from error
    return dict(data.params), dict(data.metrics)
