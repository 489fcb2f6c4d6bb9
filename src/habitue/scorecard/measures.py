"""One number of the scorecard, with what has to stand beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Measure"]


@dataclass(frozen=True)
class Measure:
    """One number, how sure it is, of how many, and what it means.

    Attributes
    ----------
    name : str
        Such as "nps".
    value : float
        In the unit that the definition names; NaN where nobody tells.
    lower, upper : float
        Ends of its interval; NaN where too few tell for one.
    n : int
        Of how many answers, customers or records it is.
    definition : str
        One sentence.
    """

    name: str
    value: float
    lower: float
    upper: float
    n: int
    definition: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        return asdict(self)
