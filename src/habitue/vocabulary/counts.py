"""Counts with their nouns, singular where they are one: "1 row", "2,000 rows"."""

from __future__ import annotations

__all__ = ["one_or_many"]


def one_or_many(n: float, noun: str, *, plural: str | None = None) -> str:
    """Write a count with its noun, singular or plural as it needs.

    Parameters
    ----------
    n : float
        The count.
    noun : str
        What stands after 1: the noun, or more of the sentence.
    plural : str, optional
        What stands after any other count; the noun and an s where None.

    Examples
    --------
    >>> one_or_many(1, "customer"), one_or_many(2000, "customer")
    ('1 customer', '2,000 customers')
    >>> one_or_many(0, "row was", plural="rows were")
    '0 rows were'
    """
    told = f"{n:,.0f}" if float(n).is_integer() else f"{n:g}"
    return f"{told} {noun if n == 1 else plural or noun + 's'}"
