"""Which pillar of loyalty a reason belongs to, told from its words.

Scores hold reasons in words, made of the phrases of the vocabulary; here the phrase is found again, whatever
number stands in it. What the vocabulary never says, such as an attribute of a shop's own, has no pillar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from habitue.vocabulary import VOCABULARY

__all__ = ["pillar_behind"]

_WAY = re.compile(r" \((raises|lowers) it\)$")
_NUMBER = re.compile(r"(?:less than )?[-−]?\d[\d.,]*%?(?: days?\b)?|…%?(?: days?\b)?")
_PLURAL = re.compile(r"(?<=\w\w)(?:ies|y|s)\b")


def pillar_behind(reason: str) -> str:
    """Return the pillar of the feature that a reason speaks of.

    Parameters
    ----------
    reason : str
        As `habitue.decisions.reasons` words it; its numbers may have been left out ("…").

    Returns
    -------
    str
        As in `habitue.vocabulary.Pillar`; empty where no feature of the vocabulary says so.

    Examples
    --------
    >>> pillar_behind("last bought 94 days ago (raises it)"), pillar_behind("likes blue (lowers it)")
    ('activity', '')
    """
    return _phrases().get(_plain(_WAY.sub("", reason)), "")


@cache
def _phrases() -> Mapping[str, str]:
    """Return the pillar of each phrase of the vocabulary, without its numbers; the first feature counts."""
    found: dict[str, str] = {}
    for term in VOCABULARY.values():
        if term.pillar is None:
            continue
        for phrase in (term.phrase, term.missing, term.zero, term.negative):
            for value in ("1", "1 day", "1%"):
                found.setdefault(_plain(phrase.replace("{value}", value)), term.pillar.value)
    found.pop("", None)
    return found


def _plain(phrase: str) -> str:
    return _PLURAL.sub("", _NUMBER.sub("#", phrase))
