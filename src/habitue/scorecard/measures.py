"""One number of the scorecard, with what has to stand beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

from habitue.errors import SettingsError

__all__ = ["Measure", "Unit", "check_confidence"]

Unit: TypeAlias = Literal["", "points", "share", "money", "days", "hours", "score", "count"]
"""What a number counts; empty where nobody said."""


@dataclass(frozen=True)
class Measure:
    """One number, how sure it is, of how many, and what it means.

    Attributes
    ----------
    name : str
        Such as "nps".
    value : float
        In its unit; NaN where nobody tells, or too few for it to be shown.
    lower, upper : float
        Ends of its interval; NaN where too few tell for one, or where the number is a full count.
    n : int
        Of how many answers, customers or records it is.
    definition : str
        One sentence.
    by : str
        What it is cut by: "all", "month", "cohort", "channel", or an attribute such as "segment".
    group : str
        Of which group; "all" where it is not cut.
    start, end : datetime.date or None
        It is of the days in (start, end]; None where it was made from answers alone.
    unit : str
        One of points, share, money, days, hours, score and count; points are hundredths of a share.
    pillar : str
        Of loyalty, as in `habitue.vocabulary.Pillar`.
    note : str
        What has to be known to read it; empty where nothing has.
    """

    name: str
    value: float
    lower: float
    upper: float
    n: int
    definition: str
    by: str = "all"
    group: str = "all"
    start: date | None = None
    end: date | None = None
    unit: Unit = ""
    pillar: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        return asdict(self)


def check_confidence(confidence: float) -> None:
    """Refuse what cannot be the confidence of an interval.

    Parameters
    ----------
    confidence : float
        To lie in (0, 1).

    Raises
    ------
    SettingsError
        Where it does not.
    """
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"The confidence must lie between 0 and 1, e.g. 0.95; got {confidence}.")
