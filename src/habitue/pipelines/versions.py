"""`habitue versions`: what is registered under a name, and what became of its aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["listed_changes", "listed_versions"]

_NONE = "–"


def listed_versions(store: Store, name: str) -> list[dict[str, Any]]:
    """Return one row a version, the newest first.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    list of dict
        version, label, aliases, learned until, score (that of the recipe's rule, in its own training) and
        registered, as texts.

    Raises
    ------
    RegistryError
        Where there is no such model; names those there are.
    """
    from habitue.tracking.registry import learned_until, registered_versions

    return [
        {
            "version": one.version.version,
            "label": one.version.tags.get("habitue.label", _NONE),
            "aliases": ", ".join(one.aliases) or _NONE,
            "learned until": str(learned_until(store, one.version) or _NONE),
            "score": one.version.tags.get("habitue.score", _NONE),
            "registered": f"{one.created:%Y-%m-%d %H:%M}",
        }
        for one in registered_versions(store, name)
    ]


def listed_changes(store: Store, name: str) -> list[dict[str, Any]]:
    """Return one row a change of alias, the last one first.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    list of dict
        no., when, alias, from, to, how, who and why.
    """
    from habitue.tracking.alias_changes import changes

    return [
        {
            "no.": one.number,
            "when": one.when[:16].replace("T", " ") or _NONE,
            "alias": one.alias,
            "from": one.before or _NONE,
            "to": one.to or _NONE,
            "how": one.how,
            "who": one.who or _NONE,
            "why": one.why,
        }
        for one in reversed(changes(store, name))
    ]
