"""`[scorecard]` and `[[targets]]` of `habitue.toml`: how the scorecard is made, and what is to be reached."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from habitue.pipelines.strict_tables import Strict

if TYPE_CHECKING:
    from habitue.scorecard.targets import Target

__all__ = ["ScorecardSettings", "TargetSettings"]


class ScorecardSettings(Strict):
    """How the scorecard is made; see `habitue.scorecard.scorecard`."""

    by: list[str] | None = None
    """Cuts beside months: cohort, channel, and attributes of customers; where left out, segment if there is
    one."""
    min_count: int = Field(default=30, ge=1)
    """Customers that a number needs to be shown."""
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    cohort: Literal["month", "quarter"] = "quarter"
    point_value: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Money that a reward point is worth."""
    asked: dict[str, str] = Field(default_factory=dict[str, str])
    """Survey to the event that says who was asked."""
    reweight_by: list[str] | None = None
    """In what respondents are made to look like the base; segment and activity where it is left out."""
    off_scale: Literal["refuse", "leave_out"] = "refuse"
    output: str = "scores/scorecard.json"


def _check_group(given: dict[str, str] | None) -> dict[str, str] | None:
    if given is not None and (len(given) != 1 or "month" in given):
        raise PydanticCustomError("group", 'expected one attribute and its value, {"segment" = "business"}')
    return given


class TargetSettings(Strict):
    """What is to be reached: a measure, its level and the day."""

    metric: str
    level: float = Field(allow_inf_nan=False)
    by: date
    direction: Literal["up", "down"] | None = None
    """What is better for the measure where it is left out."""
    group: Annotated[dict[str, str] | None, AfterValidator(_check_group)] = None
    """Of whom, such as {segment = "business"}; everybody where it is left out."""

    def to_target(self) -> Target:
        """Return it as `habitue.scorecard.targets` judges it."""
        from habitue.scorecard.targets import Target

        attribute, value = next(iter((self.group or {"all": "all"}).items()))
        return Target(self.metric, self.level, self.by, self.direction, attribute, value)
