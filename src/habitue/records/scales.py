"""The scale that a score of feedback lies on: as its row says, or as is usual for its survey."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["scale_ends"]

_ENDS = {
    "scale_min": "CASE WHEN survey = 'nps' THEN 0 ELSE 1 END",
    "scale_max": "CASE WHEN survey = 'nps' THEN 10 ELSE 5 END",
}


def scale_ends(there: Collection[str] = tuple(_ENDS)) -> tuple[str, str]:
    """Return SQL for the lowest and the highest score that a row of feedback could have.

    Parameters
    ----------
    there : collection of str
        Columns that feedback has; both ends may be told by it, or one, or none.

    Examples
    --------
    >>> scale_ends(["survey", "score"])[1]
    "CASE WHEN survey = 'nps' THEN 10 ELSE 5 END"
    """
    lowest, highest = (
        f"COALESCE({name}, {usual})" if name in there else usual for name, usual in _ENDS.items()
    )
    return lowest, highest
