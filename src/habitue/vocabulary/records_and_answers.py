"""Words beside the records' features: who and when, what came to be, and what models answer.

Answers of probability models may be features of other models; those have a pillar and a phrase.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term

__all__ = ["TERMS"]

_P, _STAYS, _LEAVES = Pillar.ACTIVITY, Direction.STAYS, Direction.LEAVES

TERMS: Mapping[str, Term] = {
    # who and when
    "customer_id": Term("The customer, as the source names them.", ""),
    "timestamp": Term("When it happened.", ""),
    "amount": Term("Money of one transaction; negative for a return.", "money"),
    "cutoff": Term("The day up to which records were known, included.", ""),
    "horizon": Term("Days ahead that an answer covers, starting the day after the cutoff.", "day"),
    "observed_until": Term("The last day on which the log is complete.", ""),
    # outcomes: facts about an interval
    "n_purchases": Term("Days with a purchase within the horizon.", "count"),
    "spend": Term("Money spent within the horizon, returns taken off.", "money"),
    "churned": Term(
        "No purchase within the horizon, or no contract left at its end: a fact, known afterwards.", ""
    ),
    "churn_reason": Term("Why the last contract ended, of those who churned.", ""),
    # what models answer
    "p_alive": Term(
        "Belief that the customer has not left for good, by the BG/NBD model.",
        "probability", _P, _STAYS, "by the rhythm of purchases still a customer with {value}",
    ),
    "churn_probability": Term(
        "Predicted chance of no purchase within the horizon, or of no contract left at its end.",
        "probability",
    ),
    "churn_probability_30d": Term("Predicted chance of leaving within 30 days, by hazards.", "probability"),
    "churn_probability_365d": Term("Predicted chance of leaving within 365 days, by hazards.", "probability"),
    "churn_probability_voluntary": Term(
        "Predicted chance of leaving of one's own will within the horizon, by hazards of several causes.",
        "probability",
    ),
    "churn_probability_involuntary": Term(
        "Predicted chance of leaving against one's will within the horizon, by hazards of several causes.",
        "probability",
    ),
    "churn_probability_other": Term(
        "Predicted chance of leaving for a reason of another kind, or none that is told, within the horizon.",
        "probability",
    ),
    "expected_residual_lifetime_365d": Term(
        "Days of the next 365 that the customer is expected to stay, by hazards: the restricted mean.", "day"
    ),
    "expected_purchases": Term(
        "Expected days with a purchase within the horizon.",
        "count", _P, _STAYS, "{value} purchases ahead by the rhythm so far",
    ),
    "p_no_purchase": Term(
        "Chance of no purchase within the horizon, by the BG/NBD model.",
        "probability", _P, _LEAVES, "by the rhythm of purchases none ahead with {value}",
    ),
    "expected_spend": Term(
        "Expected mean amount of a purchase.",
        "money", _P, _STAYS, "{value} expected per purchase",
    ),
    "clv": Term("Expected spend within the horizon, returns taken off.", "money"),
    "clv_lower": Term("Lower end of the interval for the customer's spend within the horizon.", "money"),
    "clv_upper": Term("Upper end of the interval for the customer's spend within the horizon.", "money"),
    "decile": Term(
        "Tenth of the base by clv, 1 the highest; by churn_probability where there is no clv.", ""
    ),
    "reason_1": Term("What moved the prediction most, in words.", ""),
    "reason_2": Term("What moved the prediction second most, in words.", ""),
    "reason_3": Term("What moved the prediction third most, in words.", ""),
    "answered_by": Term(
        "Models whose answer was taken, of those that are stacked; of churn where two models answered.", ""
    ),
    "model_name": Term("Registered model that answered; of the churn model where two did.", ""),
    "model_version": Term("Its version in the registry.", ""),
    "run_id": Term("The MLflow run that trained it.", ""),
    "feature_set": Term(
        "Fingerprint of the features it read: names, SQL, and what was learned of the population.", ""
    ),
    "clv_answered_by": Term("Models whose answer for clv was taken, where two models answered.", ""),
    "clv_model_name": Term("Registered model behind clv, where two models answered.", ""),
    "clv_model_version": Term("Its version in the registry.", ""),
    "clv_run_id": Term("The MLflow run that trained it.", ""),
    "clv_feature_set": Term("Fingerprint of the features that the model behind clv read.", ""),
    "scored_at": Term("When the scores were made (UTC).", ""),
}  # fmt: skip
