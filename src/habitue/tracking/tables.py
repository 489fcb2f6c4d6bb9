"""Tables that a run kept, read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.files import plain_cells
from habitue.tracking.environment import quiet
from habitue.tracking.store import Store

__all__ = ["logged_tables"]


def logged_tables(store: Store, run_id: str) -> dict[str, pd.DataFrame]:
    """Return the tables that `log_training` kept with a run.

    Parameters
    ----------
    store : Store
        MLflow's home.
    run_id : str
        The run.

    Returns
    -------
    dict of DataFrame
        By name; empty where the run kept none.

    Raises
    ------
    RegistryError
        Where there is no such run, or its files are gone.
    """
    client = store.client()
    try:
        with quiet(), tempfile.TemporaryDirectory() as scratch:
            if not client.list_artifacts(run_id, "tables"):
                return {}
            folder = Path(client.download_artifacts(run_id, "tables", scratch))
            return {path.stem: plain_cells(pd.read_csv(path)) for path in sorted(folder.glob("*.csv"))}
    except (MlflowException, OSError) as error:
        raise RegistryError(f"The tables of run {run_id} could not be read: {error}") from error
