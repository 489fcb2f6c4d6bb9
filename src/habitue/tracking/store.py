"""Where MLflow's home is: one function decides, and the answer never depends on the working directory.

What it is for: turning a folder (or an address) into a `Store` with an absolute tracking address and an
absolute place for artifacts. Everything else in this package is handed a `Store`.

What it deliberately is not: MLflow's global state. Nothing here calls ``mlflow.set_tracking_uri``; a notebook
that has set its own keeps it, and two stores may be used side by side. Nor a place for passwords: these come
from the environment, and an address that holds one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from habitue.errors import SettingsError
from habitue.files import has_password, make_writable, without_password
from habitue.tracking.answering import answering, ping
from habitue.tracking.environment import quiet

__all__ = ["Store", "open_store"]

_SQLITE = "sqlite:///"
_SERVERS = ("http://", "https://", "databricks")
_DATABASES = ("postgresql", "mysql", "mssql")
_EXISTS = "RESOURCE_ALREADY_EXISTS"


@dataclass(frozen=True)
class Store:
    """An MLflow home: where runs are remembered and where their files lie.

    Attributes
    ----------
    tracking_uri : str
        Absolute address of the database or server; the model registry is there too.
    artifact_location : str, optional
        Absolute address under which new experiments keep their files; None where a server decides.

    Examples
    --------
    >>> Store("https://mlflow.example.org", None).tracking_uri
    'https://mlflow.example.org'
    """

    tracking_uri: str
    artifact_location: str | None

    def client(self) -> MlflowClient:
        """Return MLflow's client for this home, tied to it and to nothing global.

        Returns
        -------
        mlflow.MlflowClient
            Tracking and registry of this store.
        """
        with quiet():
            return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def experiment_id(self, name: str) -> str:
        """Return the id of an experiment, making the experiment if there is none.

        Parameters
        ----------
        name : str
            The experiment's name.

        Returns
        -------
        str
            MLflow's id of it.

        Raises
        ------
        SettingsError
            If an experiment of that name was deleted.
        """
        client = self.client()
        found = client.get_experiment_by_name(name)
        if found is None:
            return self._create_experiment(client, name)
        if found.lifecycle_stage != LifecycleStage.ACTIVE:
            raise SettingsError(
                f"the experiment {name!r} was deleted; restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}) or choose another name"
            )
        return found.experiment_id

    def _create_experiment(self, client: MlflowClient, name: str) -> str:
        try:
            return client.create_experiment(name, artifact_location=self.artifact_location)
        except MlflowException as error:
            found = client.get_experiment_by_name(name)
            # Two processes may both have found none: the second takes what the first made.
            if error.error_code != _EXISTS or found is None:
                raise
            return found.experiment_id


def open_store(home: Path | str = "mlruns", *, artifacts: Path | str | None = None) -> Store:
    """Open MLflow's home, making it where there is none yet.

    Parameters
    ----------
    home : Path or str
        A folder, which gets a SQLite database ``mlflow.db`` and a folder ``artifacts``; or an address:
        ``sqlite:///...``, ``postgresql://...``, ``http://...``.
    artifacts : Path or str, optional
        Where files go. Needed with a database other than SQLite, whose default would be a folder beneath
        the working directory of whoever asks; ignored by a server, which decides itself.

    Returns
    -------
    Store
        With absolute addresses only.

    Raises
    ------
    SettingsError
        If the folder can't be made or written to, or the address is one that MLflow can't use, or it holds a
        password.
    UnavailableError
        If a database or server does not answer.
    RegistryError
        If a server asks for a name and password, or refuses those it was given.

    Notes
    -----
    A relative folder is made absolute at once, and a relative SQLite path too. A fresh database takes some
    seconds (MLflow's migrations), an existing one milliseconds. MLflow stores the addresses of artifacts as
    they are: a home that is moved afterwards loses them.

    Name and password of a server come from the environment variables ``MLFLOW_TRACKING_USERNAME`` and
    ``MLFLOW_TRACKING_PASSWORD`` (or ``MLFLOW_TRACKING_TOKEN``), the password of PostgreSQL from
    ``PGPASSWORD``, ``PGPASSFILE`` or ``~/.pgpass``.
    """
    address = str(home)
    if has_password(address) or has_password(str(artifacts)):
        raise SettingsError(
            f"{without_password(address)} holds a password, which would end up in files and messages: leave "
            "it out. A PostgreSQL password comes from PGPASSWORD or ~/.pgpass, a server's name and password "
            "from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment."
        )
    if address.startswith(_SERVERS):
        return _reached(Store(address, None))
    if address.startswith(_DATABASES):
        store = Store(address, _artifact_address(artifacts, address))
        ping(address)  # MLflow itself would knock for a hundred seconds
        return _reached(store)
    if address.startswith(_SQLITE):
        database = Path(address.removeprefix(_SQLITE)).absolute()
    elif ":/" in address:
        allowed = "a folder, sqlite:///..., postgresql://..., http://... or https://..."
        raise SettingsError(f"{address!r} is no home for MLflow; expected {allowed}")
    else:
        database = Path(home).absolute() / "mlflow.db"
    folder = _writable(database.parent)
    return _reached(Store(f"{_SQLITE}{database}", _uri(artifacts or folder / "artifacts")))


def _artifact_address(artifacts: Path | str | None, address: str) -> str:
    if artifacts is None:
        scheme = address.split(":", maxsplit=1)[0]
        raise SettingsError(
            f"a {scheme} home does not say where files go: give artifacts, a folder or an address"
        )
    return _uri(artifacts)


def _uri(place: Path | str) -> str:
    return str(place) if "://" in str(place) else Path(place).absolute().as_uri()


def _writable(folder: Path) -> Path:
    try:
        return make_writable(folder)
    except OSError as error:
        raise SettingsError(
            f"MLflow's home {folder} can't be written to ({error.strerror}); name a folder that can"
        ) from error


def _reached(store: Store) -> Store:
    """Return the store once it has answered, so that a wrong address is told here and not later."""
    try:
        with quiet(), answering(store.tracking_uri):
            store.client().search_experiments(max_results=1)
    except MlflowException as error:
        told = without_password(f"MLflow can't use {store.tracking_uri}: {error.message}")
        raise SettingsError(told) from error
    return store
