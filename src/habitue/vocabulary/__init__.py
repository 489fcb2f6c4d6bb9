"""The words of this project: every column and feature, its meaning, unit and pillar.

The glossary page, the data dictionary and the reasons told for a prediction are made from these lines, so a
new feature needs one line here, in the file of its pillar, and nothing else in prose. This package knows no
data and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from habitue.vocabulary import (
    activity,
    context,
    emotional_connection,
    habit,
    perceived_value,
    records_and_answers,
    relationship,
    satisfaction,
    switching_costs,
)
from habitue.vocabulary.counts import one_or_many
from habitue.vocabulary.learned import read_back
from habitue.vocabulary.term import WINDOW_DAYS, Direction, Pillar, Term

__all__ = ["VOCABULARY", "WINDOW_DAYS", "Direction", "Pillar", "Term", "describe", "one_or_many", "term_of"]

VOCABULARY: Mapping[str, Term] = MappingProxyType(
    {
        **activity.TERMS,
        **habit.TERMS,
        **perceived_value.TERMS,
        **satisfaction.TERMS,
        **relationship.TERMS,
        **emotional_connection.TERMS,
        **switching_costs.TERMS,
        **context.TERMS,
        **records_and_answers.TERMS,
    }
)
"""Every column and feature name that this project uses, in the order of the glossary."""


def term_of(name: str) -> Term:
    """Return the line of a column or feature, read from its name where the vocabulary has none.

    Parameters
    ----------
    name : str
        A column or feature name.

    Examples
    --------
    >>> term_of("inactivity").phrase, term_of("segment_is_gold").phrase
    ('last bought {value} ago', 'segment is gold')
    """
    return VOCABULARY.get(name) or read_back(name)


def describe(name: str) -> str:
    """Return what a column means, with its unit.

    Parameters
    ----------
    name : str
        A column or feature name.

    Returns
    -------
    str
        The meaning and the unit in brackets; the name itself where the vocabulary has no line for it.

    Examples
    --------
    >>> describe("inactivity")
    'Days since the last purchase. [day]'
    """
    term = VOCABULARY.get(name)
    if term is None:
        return name
    return f"{term.meaning} [{term.unit}]" if term.unit else term.meaning
