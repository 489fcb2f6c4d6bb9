"""Which model is meant: names, versions and the champion.

What it is for: turning a reference such as ``habitue-clv@champion`` into one pinned version, listing what
there is, and moving aliases by way of their trail (`habitue.tracking.alias_changes`). An alias is looked up
once; whoever got the version keeps it, whatever happens to the alias meanwhile.

What it deliberately is not: a judge. Whether a challenger deserves to be champion is decided before.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError
from habitue.tracking.alias_changes import ANY, CHAMPION, How, change_alias
from habitue.tracking.answering import answering
from habitue.tracking.store import Store

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "CHECKSUMS_TAG",
    "ModelVersion",
    "Registered",
    "champion",
    "learned_until",
    "registered_versions",
    "resolve",
    "set_challenger",
    "set_champion",
    "version_at",
]

CHALLENGER = "challenger"
"""The alias of the version that is next to be compared with the champion."""

CHECKSUMS_TAG = "habitue.sha256"
"""The tag of a version that holds the SHA-256 of each of its files, as JSON."""

_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[\w .()-]+)(?:@(?P<alias>[\w-]+)|/(?P<version>[1-9]\d*))?")
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_LEARNED = ("cutoff", "trained_until")
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
    with answering(store.tracking_uri):
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
    return version_at(store, name, CHAMPION)


def version_at(store: Store, name: str, alias: str) -> ModelVersion | None:
    """Return the version that an alias means, if it means one.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name, alias : str
        The registered name, and such as ``challenger``.

    Returns
    -------
    ModelVersion or None
        None if there is no such alias, or no such model yet.
    """
    try:
        return _pinned(store.client().get_model_version_by_alias(name, alias))
    except MlflowException as error:
        if error.error_code not in (_ABSENT, _INVALID):
            raise
        return None


def set_champion(
    store: Store,
    name: str,
    version: int,
    *,
    why: str,
    when: dt.datetime | None = None,
    who: str = "",
    how: How = "promoted",
    expected: int | Literal["any"] | None = ANY,
) -> ModelVersion:
    """Put a version in use, and note why on it and in the trail of the model.

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
    who : str
        Who did it.
    how : {"trained", "promoted", "forced", "rolled back"}
        By which step.
    expected : int, None or "any"
        The number of the champion before: if it is another by now, nothing is done.

    Returns
    -------
    ModelVersion
        The new champion, with the tags ``habitue.champion_why``, ``habitue.champion_from`` (the number of the
        champion before, or ``none``) and, if given, ``habitue.champion_when``.

    Raises
    ------
    RegistryError
        If there is no such model or version, or the champion is not the one expected.
    UnavailableError
        If the store does not answer.
    """
    chosen = resolve(store, f"{name}/{version}")
    change_alias(store, name, CHAMPION, version, how=how, why=why, who=who, when=when, expected=expected)
    return resolve(store, chosen.label)


def set_challenger(
    store: Store,
    name: str,
    version: int | None,
    *,
    why: str,
    when: dt.datetime | None = None,
    who: str = "",
    how: How = "trained",
) -> None:
    """Name the version that is next to be compared with the champion, or take the alias away.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.
    version : int or None
        The number of the version; None for none.
    why, who : str
        For the trail.
    when : datetime, optional
        The moment, if it is to be noted.
    how : {"trained", "promoted", "forced", "rolled back"}
        By which step.

    Raises
    ------
    RegistryError
        If there is no such model or version.
    UnavailableError
        If the store does not answer.
    """
    if version is not None:
        resolve(store, f"{name}/{version}")
    change_alias(store, name, CHALLENGER, version, how=how, why=why, who=who, when=when)


@dataclass(frozen=True)
class Registered:
    """A version as a list of versions tells it.

    Attributes
    ----------
    version : ModelVersion
        Which.
    aliases : tuple of str
        What it is called now, in the order of the alphabet.
    created : datetime
        When it was registered, in UTC.
    """

    version: ModelVersion
    aliases: tuple[str, ...]
    created: dt.datetime


def registered_versions(store: Store, name: str) -> list[Registered]:
    """Return all versions of a registered model, the newest first.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Raises
    ------
    RegistryError
        If there is no such model; it names those there are.
    """
    client = store.client()
    try:
        if not _REFERENCE.fullmatch(name):
            raise RegistryError(f"{name!r} is no model's name; expected one such as habitue-churn")
        aliases: dict[str, Any] = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code not in (_ABSENT, _INVALID):
            raise
        raise RegistryError(_what_there_is(client, name, CHAMPION, None)) from error
    found = [
        Registered(
            _pinned(one),
            tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(one.version))),
            dt.datetime.fromtimestamp(one.creation_timestamp / 1000, dt.UTC),
        )
        for one in _all_versions(client, name)
    ]
    return sorted(found, key=lambda one: -one.version.version)


def learned_until(store: Store, version: ModelVersion) -> dt.date | None:
    """Return the last day that a version learned from.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        Which.

    Returns
    -------
    date or None
        Of its tags ``habitue.cutoff`` and ``habitue.trained_until`` or, where it was registered before there
        were such tags, of its run's parameters; None where neither tells.
    """
    told = [version.tags.get(f"habitue.{key}") for key in _LEARNED]
    if not any(told) and version.run_id:
        try:
            params = store.client().get_run(version.run_id).data.params
        except MlflowException as error:
            if error.error_code != _ABSENT:
                raise
            params = {}
        told = [params.get(key) for key in _LEARNED]
    days = [dt.date.fromisoformat(day) for day in told if day]
    return max(days, default=None)


def _all_versions(client: MlflowClient, name: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


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
        if not names:
            return f"there is no model {name!r}, nor any other; `habitue train` and a recipe register one"
        return f"there is no model {name!r}; {_close(name, names)}registered are: {_listed(names)}"
    versions = sorted(int(found.version) for found in _all_versions(client, name))
    numbers = _listed(map(str, versions))
    if number:
        return f"{name} has no version {number}; its versions are: {numbers}"
    told = _listed(f"{key} (version {value})" for key, value in sorted(aliases.items()))
    instead = f"; name one, such as {name}/{versions[-1]}" if versions else ""
    return (
        f"{name} has no alias {alias!r}; {_close(alias, aliases)}its aliases are: {told}; "
        f"its versions are: {numbers}{instead}"
    )


def _close(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
