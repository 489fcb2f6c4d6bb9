"""Which model is meant: names, versions and the champion.

What it is for: turning a reference such as ``habitue-clv@champion`` into one pinned version, and moving the
alias ``champion`` with a note of why. An alias is looked up once; whoever got the version keeps it, whatever
happens to the alias meanwhile.

What it deliberately is not: a judge. Whether a challenger deserves to be champion is decided before.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.tracking.store import Store

__all__ = ["CHAMPION", "CHECKSUMS_TAG", "ModelVersion", "champion", "resolve", "set_champion"]

CHAMPION = "champion"
"""The alias of the version in use."""

CHECKSUMS_TAG = "habitue.sha256"
"""The tag of a version that holds the SHA-256 of each of its files, as JSON."""

_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[\w .()-]+)(?:@(?P<alias>[\w-]+)|/(?P<version>[1-9]\d*))?")
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_INVALID = "INVALID_PARAMETER_VALUE"  # what MLflow answers to an alias that does not exist


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model, pinned.

    Attributes
    ----------
    name : str
        The registered name.
    version : int
        Its number, from 1.
    run_id : str
        The run that trained it.
    uri : str
        MLflow's address of exactly this version.
    tags : Mapping[str, str]
        What was noted about it.

    Examples
    --------
    >>> ModelVersion("habitue-clv", 3, run_id="7f3a", uri="models:/habitue-clv/3").label
    'habitue-clv/3'
    """

    name: str
    version: int
    run_id: str
    uri: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def label(self) -> str:
        """Name and number, as in a reference."""
        return f"{self.name}/{self.version}"


def resolve(store: Store, reference: str) -> ModelVersion:
    """Return the version that a reference means at this moment.

    Parameters
    ----------
    store : Store
        MLflow's home.
    reference : str
        ``name@alias``, ``name/number``, or ``name`` alone for its champion.

    Returns
    -------
    ModelVersion
        Pinned: it stays the same when the alias moves on.

    Raises
    ------
    RegistryError
        If there is no such model, version or alias; it names those there are.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise RegistryError(
            f"{reference!r} names no model; expected a form like habitue-clv@champion, habitue-clv/3 or "
            "habitue-clv"
        )
    name, alias, number = match["name"], match["alias"], match["version"]
    client = store.client()
    try:
        if number:
            return _pinned(client.get_model_version(name, number))
        return _pinned(client.get_model_version_by_alias(name, alias or CHAMPION))
    except MlflowException as error:
        if error.error_code not in (_ABSENT, _INVALID):
            raise
        raise RegistryError(_what_there_is(client, name, alias or CHAMPION, number)) from error


def champion(store: Store, name: str) -> ModelVersion | None:
    """Return the version in use, if there is one.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    ModelVersion or None
        None if the model has no champion, or there is no such model yet.
    """
    try:
        return _pinned(store.client().get_model_version_by_alias(name, CHAMPION))
    except MlflowException as error:
        if error.error_code not in (_ABSENT, _INVALID):
            raise
        return None


def set_champion(
    store: Store, name: str, version: int, *, why: str, when: dt.datetime | None = None
) -> ModelVersion:
    """Put a version in use, and note why on it.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.
    version : int
        The number of the version.
    why : str
        The reason, for those who ask later.
    when : datetime, optional
        The moment, if it is to be noted.

    Returns
    -------
    ModelVersion
        The new champion, with the tags ``habitue.champion_why``, ``habitue.champion_from`` (the number of the
        champion before, or ``none``) and, if given, ``habitue.champion_when``.

    Raises
    ------
    RegistryError
        If there is no such model or version.
    """
    chosen = resolve(store, f"{name}/{version}")
    before = champion(store, name)
    tags = {"habitue.champion_why": why, "habitue.champion_from": str(before.version) if before else "none"}
    if when is not None:
        tags["habitue.champion_when"] = when.isoformat()
    client = store.client()
    for key, value in tags.items():
        client.set_model_version_tag(name, str(version), key, value)
    # The alias moves last: a call that breaks off halfway has changed nothing for those who score.
    client.set_registered_model_alias(name, CHAMPION, str(version))
    return resolve(store, chosen.label)


def _pinned(found: Any) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        version=int(found.version),
        run_id=found.run_id or "",
        uri=f"models:/{found.name}/{found.version}",
        tags=dict(found.tags),
    )


def _what_there_is(client: MlflowClient, name: str, alias: str, number: str | None) -> str:
    try:
        aliases: dict[str, Any] = client.get_registered_model(name).aliases
    except MlflowException:
        names = [model.name for model in client.search_registered_models(max_results=1000)]
        return f"there is no model {name!r}; {_close(name, names)}registered are: {_listed(names)}"
    versions = sorted(int(found.version) for found in client.search_model_versions(f"name = '{name}'"))
    numbers = _listed(map(str, versions))
    if number:
        return f"{name} has no version {number}; its versions are: {numbers}"
    told = _listed(f"{key} (version {value})" for key, value in sorted(aliases.items()))
    return (
        f"{name} has no alias {alias!r}; {_close(alias, aliases)}its aliases are: {told}; "
        f"its versions are: {numbers}"
    )


def _close(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
