"""From a version in the registry to a model that answers, by way of a verified copy.

What it is for: `load` gives a model to score with, `download` a folder to hand to ``mlflow models serve`` or
``spark_udf``, which do not verify by themselves.

What it deliberately is not: a resolver of aliases. It takes the pinned version that
`habitue.tracking.registry` found, so that what is checked, loaded and noted as lineage is one and the same.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import pyfunc
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.files import without_password
from habitue.tracking.answering import answering
from habitue.tracking.environment import quiet
from habitue.tracking.registry import CHECKSUMS_TAG, ModelVersion
from habitue.tracking.served_model import as_input
from habitue.tracking.store import Store
from habitue.tracking.verification import only_plain_files, verify

__all__ = ["LoadedModel", "download", "expected_files", "fetch", "load", "open_copy"]

# MLflow hands the model from the code file to its caller through one global of the process: two threads that
# load at once could both end up with the same one.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class LoadedModel:
    """A registered model, in memory.

    Attributes
    ----------
    version : ModelVersion
        Which one it is: name, number, run and tags, for lineage.
    pyfunc : mlflow.pyfunc.PyFuncModel
        The model as MLflow sees it.
    from_cache : bool
        Whether it comes from a copy that was kept earlier, since the registry did not answer.
    """

    version: ModelVersion
    pyfunc: pyfunc.PyFuncModel
    from_cache: bool = False

    @property
    def answers(self) -> Any:
        """The answer object inside: `ChurnAnswers` or `ValueAnswers`."""
        return self.pyfunc.unwrap_python_model().model

    @property
    def input_columns(self) -> list[str]:
        """The columns that the model reads, in order."""
        return list(self.answers.input_columns_)

    def predict(
        self,
        X: pd.DataFrame,
        *,
        reasons: bool = False,
        horizon: int | None = None,
        discount_rate: float = 0.0,
    ) -> pd.DataFrame:
        """Return the model's answers, one row a customer.

        Parameters
        ----------
        X : DataFrame
            At least `input_columns`, as numbers of any type; other columns are ignored.
        reasons : bool
            Whether to add the columns ``reason_1``, ``reason_2`` and ``reason_3``.
        horizon : int, optional
            Days ahead; those that the model learned where None.
        discount_rate : float, default 0
            What a year takes off money that comes later, such as 0.10; of value models.

        Returns
        -------
        DataFrame
            With the index of `X`.

        Raises
        ------
        SchemaError
            If columns are missing or hold no numbers.
        SettingsError
            If the model cannot answer for that horizon.
        RegistryError
            If it was registered before horizons could be asked for.
        DataError
            If reasons are wanted of a model that gives none.
        """
        asked: dict[str, bool | float] = {"reasons": reasons}
        if horizon is not None and horizon != getattr(self.answers, "horizon", None):
            # MLflow would drop a parameter that the signature lacks, and answer for another horizon.
            if "horizon" not in self._params:
                raise RegistryError(
                    f"{self.version.label} can only be asked for the horizon that it learned; register it "
                    "anew, or another model"
                )
            asked["horizon"] = horizon
        if discount_rate:
            if "discount_rate" not in self._params:
                raise RegistryError(
                    f"{self.version.label} cannot be asked for discounted money; ask a value model, or "
                    "register it anew"
                )
            asked["discount_rate"] = float(discount_rate)
        return self.pyfunc.predict(as_input(X, self.input_columns), params=asked)

    @property
    def _params(self) -> set[str]:
        """Names of what may be asked for."""
        schema = self.pyfunc.metadata.get_params_schema()
        return set() if schema is None else {param.name for param in schema.params}


def download(store: Store, version: ModelVersion, folder: Path | str) -> Path:
    """Copy a version's files into a new folder and verify the copy.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        A pinned version.
    folder : Path or str
        Where to put the copy; must be empty or not exist.

    Returns
    -------
    Path
        The folder that MLflow can serve.

    Raises
    ------
    RegistryError
        If the files are gone, were changed since registration, or are not a habitue model.
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        raise RegistryError(f"{target} is not empty; name a new folder for {version.label}")
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(fetch(store, version, Path(scratch)), target, dirs_exist_ok=True)
    return target


def load(store: Store, version: ModelVersion) -> LoadedModel:
    """Bring a registered version into memory, after checking that it is what was registered.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        A pinned version, from `habitue.tracking.registry.resolve`.

    Returns
    -------
    LoadedModel
        Ready to predict; the files are not needed any more.

    Raises
    ------
    RegistryError
        If the files are gone, were changed since registration, or are not a habitue model.
    DataError
        If they are what was registered, but written by a version of habitue that this one can't read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return open_copy(version, fetch(store, version, Path(scratch)))


def fetch(store: Store, version: ModelVersion, scratch: Path) -> Path:
    """Copy a version's files into a folder of our own and verify the copy.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        A pinned version.
    scratch : Path
        Empty; nobody else writes to it.

    Returns
    -------
    Path
        The verified copy, in `scratch`.

    Raises
    ------
    RegistryError
        If the files are gone, were changed since registration, or are not a habitue model.
    UnavailableError
        If the place where they lie does not answer.
    """
    expected = expected_files(version)
    try:
        with quiet(), answering(store.tracking_uri):
            source = store.client().get_model_version_download_uri(version.name, str(version.version))
            only_plain_files(source, name=version.label)
            copy = download_artifacts(
                artifact_uri=source,
                dst_path=str(scratch),
                tracking_uri=store.tracking_uri,
                registry_uri=store.tracking_uri,
            )
    except (MlflowException, OSError) as error:
        reason = without_password(" ".join(str(error).split()))
        raise RegistryError(
            f"the files of {version.label} can't be fetched ({reason}); MLflow's home may have been moved, "
            "since it keeps absolute addresses: move it back, put a link in its old place, or register the "
            "model anew"
        ) from error
    verify(Path(copy), expected, name=version.label)
    return Path(copy)


def open_copy(version: ModelVersion, copy: Path, *, from_cache: bool = False) -> LoadedModel:
    """Bring a verified copy into memory.

    Parameters
    ----------
    version : ModelVersion
        Which one it is.
    copy : Path
        Its files, verified, in a folder that nobody else writes to.
    from_cache : bool
        Whether it is a copy that was kept earlier.

    Returns
    -------
    LoadedModel
        Ready to predict; the files are not needed any more.

    Raises
    ------
    DataError
        If it was written by a version of habitue that this one can't read.
    """
    with quiet(), _ONE_AT_A_TIME:
        return LoadedModel(version, pyfunc.load_model(str(copy)), from_cache)


def expected_files(version: ModelVersion) -> dict[str, str]:
    """Return the SHA-256 of each file of a version, as registered.

    Parameters
    ----------
    version : ModelVersion
        A pinned version.

    Returns
    -------
    dict of str to str
        By path in its folder.

    Raises
    ------
    RegistryError
        If they are not noted on it.
    """
    try:
        return dict(json.loads(version.tags[CHECKSUMS_TAG]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise RegistryError(
            f"{version.label} is not loaded: its tag {CHECKSUMS_TAG} is missing or damaged, so it was not "
            "registered by habitue or was changed since; register it anew"
        ) from error
