"""What every settings table has in common: a key that is not known is refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """A settings table that knows its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
