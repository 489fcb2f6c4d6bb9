"""Texts that a run kept, read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.tracking.environment import quiet
from habitue.tracking.store import Store

__all__ = ["logged_text"]


def logged_text(store: Store, run_id: str, name: str) -> str | None:
    """Return a text that `log_training` kept with a run.

    Parameters
    ----------
    store : Store
        MLflow's home.
    run_id : str
        The run.
    name : str
        Of the text, such as ``card.json``.

    Returns
    -------
    str or None
        None where the run kept no such text.

    Raises
    ------
    RegistryError
        Where there is no such run, or its files are gone.
    """
    client = store.client()
    try:
        with quiet(), tempfile.TemporaryDirectory() as scratch:
            kept = {Path(one.path).name for one in client.list_artifacts(run_id, "texts")}
            if name not in kept:
                return None
            return Path(client.download_artifacts(run_id, f"texts/{name}", scratch)).read_text(
                encoding="utf-8"
            )
    except (MlflowException, OSError) as error:
        raise RegistryError(f"The text {name} of run {run_id} could not be read: {error}") from error
