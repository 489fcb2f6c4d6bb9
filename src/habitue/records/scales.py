"""Which survey a row of feedback answers, and the scale that its score lies on.

The scale is what the row says, or what is usual for the survey. People write NPS, Nps and nps: it is one.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["SURVEY", "scale_ends"]

SURVEY = "LOWER(TRIM(survey))"
"""SQL for the name of a survey, however it is written."""

_ENDS = {
    "scale_min": f"CASE WHEN {SURVEY} = 'nps' THEN 0 ELSE 1 END",
    "scale_max": f"CASE WHEN {SURVEY} = 'nps' THEN 10 ELSE 5 END",
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
    "CASE WHEN LOWER(TRIM(survey)) = 'nps' THEN 10 ELSE 5 END"
    """
    lowest, highest = (
        f"COALESCE({name}, {usual})" if name in there else usual for name, usual in _ENDS.items()
    )
    return lowest, highest
