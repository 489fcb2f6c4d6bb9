"""Features that are named after data: attributes of customers, and the reasons of returns.

A fitted model knows no more of its columns than their names. So these names follow a rule by which they can
be read back: ``<column>_is_<level>`` for one level of text, the level ``true`` for a statement, and the
column alone for a number. What is neither letter nor digit at the source is a ``_`` here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["RETURN_REASON", "attribute_term", "learned_name", "read_back", "return_reason_term"]

RETURN_REASON = "return_reason"
"""The column whose levels are told of returns, not of customers."""

_IS, _TRUE = "_is_", "true"


def learned_name(column: str, level: str = "", *, taken: Collection[str] = ()) -> str:
    """Return the name of a feature of one level of a column, or of the column itself.

    Parameters
    ----------
    column : str
        As the source calls it.
    level : str, optional
        As the source writes it; ``true`` for a statement.
    taken : collection of str, optional
        Names of other features: what would come to the same is followed by ``_``.

    Examples
    --------
    >>> learned_name("plan (new)", "gold!"), learned_name("monthly fee"), learned_name("has_app", "true")
    ('plan_new_is_gold', 'monthly_fee', 'has_app_is_true')
    """
    # Only the first "_is_" of a name parts column and level.
    what = re.sub(r"_is(?=_|$)", "_IS", _word(column)) or "attribute"
    name = f"{what}{_IS}{_word(level) or 'sign'}" if level else what
    while name in taken:
        name += "_"
    return name


def _word(told: str) -> str:
    return re.sub(r"\W+", "_", told).strip("_")


def read_back(name: str) -> Term:
    """Return how a feature is told of which nothing is known but its name.

    Parameters
    ----------
    name : str
        As `learned_name` makes it. What it was made from had perhaps other signs than spaces.

    Returns
    -------
    Term
        Without a pillar where the name says no level: it may be of any.

    Examples
    --------
    >>> read_back("segment_is_gold").phrase, read_back("segment_is_gold").zero
    ('segment is gold', 'segment is not gold')
    >>> read_back("return_reason_is_too_small").phrase
    "{value} of returns have the reason 'too small'"
    >>> read_back("monthly_fee").phrase
    'monthly fee: {value}'
    """
    column, _, level = name.partition(_IS)
    if column == RETURN_REASON and level:
        return return_reason_term(_said(level))
    if column and level:
        return attribute_term(_said(column), _said(level))
    return replace(attribute_term(_said(name)), pillar=None)


def _said(word: str) -> str:
    return word.replace("_", " ").strip()


def attribute_term(column: str, level: str = "") -> Term:
    """Return the line of an attribute of customers, or of one level of it.

    Parameters
    ----------
    column : str
        The attribute, in words.
    level : str, optional
        The level, in words; ``true`` for a statement, none for a number.
    """
    missing = f"{column} is not known"
    if not level:
        return Term(
            f"Attribute {column} of the customer.", "", Pillar.CONTEXT,
            phrase=f"{column}: {{value}}", missing=missing,
        )  # fmt: skip
    meaning = f"Attribute {column} of the customer: 1 where it is {level}, 0 where it is something else."
    if level == _TRUE:
        return Term(
            meaning, "flag", Pillar.CONTEXT,
            phrase=f"{column}: {{value}}", missing=missing, zero=f"{column}: no",
        )  # fmt: skip
    return Term(
        meaning, "flag", Pillar.CONTEXT,
        phrase=f"{column} is {level}", missing=missing, zero=f"{column} is not {level}",
    )  # fmt: skip


def return_reason_term(reason: str) -> Term:
    """Return the line of one reason why customers send things back.

    Parameters
    ----------
    reason : str
        The reason, in words.
    """
    return Term(
        f"Share of the returns with a reason whose reason is {reason}.", "share", Pillar.PERCEIVED_VALUE,
        Direction.LEAVES, f"{{value}} of returns have the reason '{reason}'",
        "no return with a reason", f"no return has the reason '{reason}'",
    )  # fmt: skip
