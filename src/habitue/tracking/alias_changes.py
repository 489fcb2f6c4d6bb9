"""The trail of an alias: who moved it, when, why, from which version to which; no two at a time.

What it is for: MLflow lets the last writer win, and forgets who it was. It has two things, though, that can
be made only once, in every database and behind its server: a parameter of a run, and an experiment's name. So
each registered model has one run whose parameters are the entries of its trail, ``change-000001`` and on.
Whoever writes the next number owns the change; whoever comes second reads again, and takes the number after
it. The alias follows the trail: it is set to what the entry says, then the entry is marked as done, and only
then is the next one written. If a process dies in between, the next one does for it what is left to do.

What it deliberately is not: a lock, nor a judge. Who reads an alias asks MLflow and waits for nobody.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from habitue.errors import RegistryError, UnavailableError
from habitue.tracking.answering import answering
from habitue.tracking.environment import quiet
from habitue.tracking.store import Store

__all__ = ["ANY", "CHAMPION", "Change", "How", "change_alias", "changes"]

CHAMPION: Final = "champion"
"""The alias of the version in use."""

ANY: Final = "any"
"""Whatever the alias means now."""

How = Literal["trained", "promoted", "forced", "rolled back", "found"]
"""By which step an alias moved; found: by somebody who did not use habitue."""

_RUN_TAG = "habitue.changes_run"
_TAG = "habitue.change-{:06d}"
_ENTRY = re.compile(r"change-(\d{6,})")
_ABSENT, _EXISTS, _INVALID = (
    "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE",
)  # fmt: skip
_CLASHED, _BUSY = "BAD_REQUEST", "TEMPORARILY_UNAVAILABLE"  # two inserted one row; the database is locked
_LONGEST = {"why": 2_000, "who": 100}  # characters; a parameter holds 6,000 with what JSON adds
_OUTSIDE = "The alias was found moved; whoever did it did not use habitue."

_POLL, _PATIENCE, _TRIES, _TWICE = 0.1, 50, 200, 5
"""Seconds between two looks, looks until a change is taken for left behind, attempts at one's own, and how
often a clash is tried again."""


@dataclass(frozen=True)
class Change:
    """One entry of the trail.

    Attributes
    ----------
    number : int
        From 1, without gaps.
    alias : str
        Such as ``champion``.
    before, to : int or None
        The version that it meant, and the one that it means since; None where it meant or means none.
    how : {"trained", "promoted", "forced", "rolled back", "found"}
        By which step; found: by somebody who did not use habitue.
    why, who : str
        As given.
    when : str
        ISO instant; empty where it is not known.

    Examples
    --------
    >>> Change(1, "champion", 2, 3, "trained", why="better", who="ann", when="").tag
    '{"alias": "champion", "from": 2, "to": 3, "how": "trained", "why": "better", "who": "ann", "when": ""}'
    """

    number: int
    alias: str
    before: int | None
    to: int | None
    how: How
    why: str
    who: str
    when: str

    @property
    def tag(self) -> str:
        """What stands on the registered model, as JSON."""
        return json.dumps(self._told(), ensure_ascii=False)

    def _told(self) -> dict[str, Any]:
        return {
            "alias": self.alias, "from": self.before, "to": self.to,
            "how": self.how, "why": self.why, "who": self.who, "when": self.when,
        }  # fmt: skip

    def claim(self) -> str:
        """Return what a parameter holds: unlike any other claim, even of the same change."""
        return json.dumps({**self._told(), "claim": uuid4().hex}, ensure_ascii=False)


def changes(store: Store, name: str) -> tuple[Change, ...]:
    """Return the trail of a registered model.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    tuple of Change
        In order; empty where no alias was ever moved by habitue.

    Raises
    ------
    RegistryError
        If there is no such model, or the run that holds its trail is gone.
    """
    with quiet(), answering(store.tracking_uri):
        client = store.client()
        run_id = _known_run(client, name)
        return () if run_id is None else _Trail(client, name, run_id).read()[0]


def change_alias(
    store: Store,
    name: str,
    alias: str,
    to: int | None,
    *,
    how: How,
    why: str,
    who: str = "",
    when: dt.datetime | None = None,
    expected: int | Literal["any"] | None = ANY,
) -> Change:
    """Move an alias, and leave the change in the model's trail and as a tag on the registered model.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.
    alias : str
        Such as ``champion``.
    to : int or None
        The version that it is to mean; None takes the alias away.
    how : {"trained", "promoted", "forced", "rolled back"}
        By which step.
    why, who : str
        For those who ask later; the first 2,000 and 100 characters are kept.
    when : datetime, optional
        The moment, if it is to be noted.
    expected : int, None or "any"
        What the alias means as far as the caller knows: if it means something else by now, nothing is done.

    Returns
    -------
    Change
        The entry. Its `before` is the `to` of the entry before it of the same alias, always.

    Raises
    ------
    RegistryError
        If there is no such model or version, or the alias does not mean what was expected.
    UnavailableError
        If the store does not answer, or others change this model's aliases without end. What was begun by
        then is done by the next change.

    Notes
    -----
    The order in which things are written: the entry (it counts from then on), tags, the alias, the mark that
    all is done. A process that lags behind can set the alias back for a moment; it looks at the trail again
    before it goes, and sets what the last entry says. An alias that was moved by other means is not moved
    back: that it was found so becomes an entry of its own.
    """
    told = {"why": why[: _LONGEST["why"]], "who": who[: _LONGEST["who"]]}
    wanted = Change(0, alias, None, to, how, when=when.isoformat() if when else "", **told)
    with quiet(), answering(store.tracking_uri):
        client = store.client()
        run_id = _known_run(client, name) or _made_run(client, store, name)
        return _Trail(client, name, run_id).add(wanted, expected)


class _Trail:
    """The run that holds the entries of one model."""

    def __init__(self, client: MlflowClient, name: str, run_id: str) -> None:
        self.client, self.name, self.run_id = client, name, run_id

    def read(self) -> tuple[tuple[Change, ...], bool]:
        """Return all entries, and whether the last one is done."""
        params = self._params()
        numbers = sorted(int(match[1]) for key in params if (match := _ENTRY.fullmatch(key)))
        entries = tuple(_entry(number, params[f"change-{number:06d}"]) for number in numbers)
        return entries, not entries or f"done-{numbers[-1]:06d}" in params

    def add(self, wanted: Change, expected: int | Literal["any"] | None) -> Change:
        """Write the next entry, once what was begun before it is done."""
        for _ in range(_TRIES):
            entries = self._settled()
            now = self._meaning(wanted.alias)
            number = len(entries) + 1
            last = _last(entries, wanted.alias)
            if last is not None and last.to != now:
                found = Change(number, wanted.alias, last.to, now, "found", _OUTSIDE, "", wanted.when)
                if self._claimed(found):
                    self._finish(found)
                continue
            if expected not in (ANY, now):
                raise RegistryError(
                    f"{self.name}@{wanted.alias} means {_told(now)} by now, not {_told(expected)}: somebody "
                    f"moved it meanwhile; look at `habitue versions {self.name}`, and run the command again"
                )
            entry = replace(wanted, number=number, before=now)
            if self._claimed(entry):
                if not self._finish(entry):
                    raise RegistryError(f"{self.name} has no version {entry.to}: it was deleted meanwhile")
                return entry
        raise UnavailableError(
            f"others change the aliases of {self.name} again and again; try again in a minute"
        )

    def _settled(self) -> tuple[Change, ...]:
        """Return all entries once the last one is done: by its owner, or by us where that one is gone."""
        for _ in range(_PATIENCE):
            entries, done = self.read()
            if done:
                return entries
            time.sleep(_POLL)
        entries, done = self.read()
        if not done:
            self._finish(entries[-1])
        return entries

    def _claimed(self, entry: Change) -> bool:
        """Write an entry, unless somebody else wrote that number first."""
        key, value = f"change-{entry.number:06d}", entry.claim()
        try:
            self.client.log_param(self.run_id, key, value, synchronous=True)
        except MlflowException as error:
            there = self._params()
            if key in there:  # ours where only the answer got lost
                return there[key] == value
            if error.error_code != _CLASHED:
                raise self._unwritable(error) from error
            return False
        return True

    def _finish(self, entry: Change) -> bool:
        """Do what an entry says, and mark it as done; tell whether its version is there."""
        there = True
        try:
            if entry.how != "found":
                self._note(entry)
                self._follow(entry)
        except MlflowException as error:
            if error.error_code != _ABSENT:
                raise
            there = False
        _surely(self.client.set_registered_model_tag, self.name, _TAG.format(entry.number), entry.tag)
        _surely(self.client.log_param, self.run_id, f"done-{entry.number:06d}", "yes", synchronous=True)
        return there

    def _note(self, entry: Change) -> None:
        """Tell a new champion why it is one."""
        if entry.alias != CHAMPION or entry.to is None:
            return
        tags = {"why": entry.why, "from": str(entry.before or "none")}
        for key, value in (tags | ({"when": entry.when} if entry.when else {})).items():
            tag = f"habitue.champion_{key}"
            _surely(self.client.set_model_version_tag, self.name, str(entry.to), tag, value)

    def _follow(self, entry: Change) -> None:
        """Set the alias to what the trail says last: if others went on meanwhile, to what they wrote."""
        while True:
            if entry.to is None:
                _surely(self.client.delete_registered_model_alias, self.name, entry.alias)
            else:
                _surely(self.client.set_registered_model_alias, self.name, entry.alias, str(entry.to))
            last = _last(self.read()[0], entry.alias)
            if last is None or last.number <= entry.number:
                return
            entry = last

    def _meaning(self, alias: str) -> int | None:
        """Return the version that an alias means."""
        version = self.client.get_registered_model(self.name).aliases.get(alias)
        return None if version is None else int(version)

    def _params(self) -> dict[str, str]:
        try:
            return dict(self.client.get_run(self.run_id).data.params)
        except MlflowException as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: MlflowException) -> RegistryError | MlflowException:
        """Say how the trail comes back, where its run was deleted."""
        if error.error_code not in (_ABSENT, _INVALID):
            return error
        return RegistryError(
            f"the run {self.run_id} that holds the changes of {self.name}'s aliases can't be used: was it "
            f"deleted? `mlflow runs restore --run-id {self.run_id}` brings it back"
        )


def _known_run(client: MlflowClient, name: str) -> str | None:
    """Return the run that holds a model's trail, if there is one."""
    try:
        run_id: str | None = client.get_registered_model(name).tags.get(_RUN_TAG)
    except MlflowException as error:
        if error.error_code != _ABSENT:
            raise
        raise RegistryError(f"there is no model {name!r}") from error
    if run_id is not None:
        return run_id
    claimed = client.get_experiment_by_name(_claim(name))
    return None if claimed is None else claimed.tags.get(_RUN_TAG)


def _made_run(client: MlflowClient, store: Store, name: str) -> str:
    """Make the run; of several who do so at once, the one that made the experiment of that name counts."""
    made: str = client.create_run(store.experiment_id(name), run_name="changes of aliases").info.run_id
    client.set_terminated(made, "FINISHED")
    told = f"Says which run of the experiment {name} holds the changes of its aliases. Keep both."
    tags = {_RUN_TAG: made, "mlflow.note.content": told}
    try:
        client.create_experiment(_claim(name), artifact_location=store.artifact_location, tags=tags)
        run_id: str | None = made
    except MlflowException as error:
        if error.error_code != _EXISTS:
            raise
        client.delete_run(made)
        run_id = _known_run(client, name)
        if run_id is None:
            raise RegistryError(
                f"the experiment {_claim(name)!r} was not made by habitue, which keeps the changes of "
                f"{name}'s aliases under that name: rename it"
            ) from error
    _surely(client.set_registered_model_tag, name, _RUN_TAG, run_id)
    return run_id


def _surely(write: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Write what may be written twice, again where another process wrote the same row at that moment."""
    for _ in range(_TWICE):
        try:
            write(*arguments, **named)
        except MlflowException as error:
            if error.error_code not in (_CLASHED, _BUSY):
                raise
            time.sleep(_POLL)
        else:
            return
    write(*arguments, **named)


def _claim(name: str) -> str:
    return f"{name} changes"


def _entry(number: int, text: str) -> Change:
    told = json.loads(text)
    told.pop("claim")
    return Change(number, before=told.pop("from"), **told)


def _last(entries: Iterable[Change], alias: str) -> Change | None:
    return next((one for one in reversed(tuple(entries)) if one.alias == alias), None)


def _told(version: int | str | None) -> str:
    return "no version" if version is None else f"version {version}"
