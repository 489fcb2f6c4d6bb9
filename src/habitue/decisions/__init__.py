"""What to do, and why: reasons in words."""

from habitue.decisions.reasons import by_pillar, reasons_in_words

__all__ = ["by_pillar", "reasons_in_words"]
