"""Small groups are pooled or held back, and none of them can be worked out from the others.

A group of few customers is noise, and what it says may point at somebody. Where just one is held back,
whoever knows the whole can subtract the rest: so at least two go together.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["OTHER", "hidden_months", "pooled"]

OTHER = "other"
"""Name of the group that small ones are pooled into."""


def pooled(sizes: Mapping[str, int], *, min_count: int) -> dict[str, str]:
    """Return which groups go into `OTHER`, so that all have enough customers.

    Parameters
    ----------
    sizes : Mapping[str, int]
        Customers in each group.
    min_count : int
        Customers that a group needs.

    Returns
    -------
    dict
        Group to the group it is shown in. The pool takes the next smallest group until it has enough
        customers, and two groups; with all groups in it, it is the whole, and may still be too small.

    Examples
    --------
    >>> pooled({"a": 900, "b": 400, "c": 12}, min_count=30)
    {'a': 'a', 'b': 'other', 'c': 'other'}
    """
    rising = sorted(sizes, key=lambda name: (sizes[name], name))
    taken = [name for name in rising if sizes[name] < min_count]
    if taken and OTHER in sizes and OTHER not in taken:
        taken.append(OTHER)
    for name in rising:
        enough = len(taken) > 1 and sum(map(sizes.__getitem__, taken)) >= min_count
        if not taken or enough:
            break
        if name not in taken:
            taken.append(name)
    return {name: OTHER if name in taken else name for name in sizes}


def hidden_months(sizes: Mapping[str, int], *, min_count: int) -> dict[str, str]:
    """Return the months to be held back, and why; pooling days far apart would say nothing.

    Parameters
    ----------
    sizes : Mapping[str, int]
        Customers in each month; those with none hide nothing.
    min_count : int
        Customers that a month needs.

    Returns
    -------
    dict
        Month to the reason. Where it would be one, or all of them too few, the next smallest goes with them.

    Examples
    --------
    >>> hidden_months({"2024-01": 12, "2024-02": 80, "2024-03": 70}, min_count=30)
    {'2024-01': 'suppressed: 12 of 30 needed', '2024-03': 'suppressed: with it another month could be told'}
    """
    hidden = {
        name: f"suppressed: {size} of {min_count} needed"
        for name, size in sizes.items()
        if 0 < size < min_count
    }
    rest = [name for name, size in sizes.items() if size >= min_count]
    for name in sorted(rest, key=lambda name: (sizes[name], name)):
        if not hidden or (len(hidden) > 1 and sum(map(sizes.__getitem__, hidden)) >= min_count):
            break
        hidden[name] = "suppressed: with it another month could be told"
    return hidden
