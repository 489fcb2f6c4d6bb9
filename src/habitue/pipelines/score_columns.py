"""The columns of a scores file, and their order."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["SCORE_COLUMNS", "in_order"]

SCORE_COLUMNS = (
    "customer_id",
    "cutoff",
    "horizon",
    "p_alive",
    "churn_probability",
    "churn_probability_30d",
    "churn_probability_365d",
    "churn_probability_voluntary",
    "churn_probability_involuntary",
    "expected_residual_lifetime_365d",
    "expected_purchases",
    "clv",
    "clv_lower",
    "clv_upper",
    "decile",
    "reason_1",
    "reason_2",
    "reason_3",
    "frequency",
    "inactivity",
    "spend_total",
    "contract_tenure",
    "answered_by",
    "model_name",
    "model_version",
    "run_id",
    "clv_answered_by",
    "clv_model_name",
    "clv_model_version",
    "clv_run_id",
    "scored_at",
)
"""Columns of a scores file, in order; those that no model of the run answers are left out. Where customers
leave by other causes, churn_probability_<cause> stands in the place of these two."""


def in_order(there: Collection[str]) -> list[str]:
    """Put columns in the order of `SCORE_COLUMNS`; causes that it does not name stand with those it does.

    Parameters
    ----------
    there : collection of str
        Columns of answers, and of what stands beside them.

    Returns
    -------
    list of str
        Those that a scores file has.

    Examples
    --------
    >>> in_order(["decile", "churn_probability_card_failed", "churn_probability", "T"])
    ['churn_probability', 'churn_probability_card_failed', 'decile']
    """
    place = SCORE_COLUMNS.index("expected_residual_lifetime_365d")
    causes = [name for name in there if name.startswith("churn_probability_") and name not in SCORE_COLUMNS]
    return [name for name in (*SCORE_COLUMNS[:place], *causes, *SCORE_COLUMNS[place:]) if name in there]
