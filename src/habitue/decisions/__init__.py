"""What to do, and why: reasons in words."""

from habitue.decisions.reasons import by_pillar, reasons_for, reasons_in_words, whom_to_tell
from habitue.decisions.stability import importance_by_pillar, reason_stability

__all__ = [
    "by_pillar",
    "importance_by_pillar",
    "reason_stability",
    "reasons_for",
    "reasons_in_words",
    "whom_to_tell",
]
