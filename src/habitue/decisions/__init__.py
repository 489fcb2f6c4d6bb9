"""What to do, and why: offers, what they gain, who gets them under a budget, and reasons in words."""

from habitue.decisions.actions import action_list, assignments
from habitue.decisions.allocating.allocation import Allocation, allocate
from habitue.decisions.assumptions import Assumptions, draw_assumptions
from habitue.decisions.beliefs import Amount, Evidence, Share
from habitue.decisions.eligibility import eligible_for, not_tired
from habitue.decisions.fairness_limits import FairnessLimit, parity
from habitue.decisions.gains import Gains, expected_gains
from habitue.decisions.holdout import Explore, draw_round, holdout_shares
from habitue.decisions.offers import Fatigue, Offer
from habitue.decisions.policies import compare_policies
from habitue.decisions.profit_curves import best_shares, profit_curve
from habitue.decisions.proposals import Proposal, propose_experiments
from habitue.decisions.reasons import by_pillar, reasons_for, reasons_in_words, whom_to_tell
from habitue.decisions.sensitivity import tornado, value_of_information
from habitue.decisions.stability import importance_by_pillar, reason_stability
from habitue.decisions.value_at_stake import Stakes, value_at_stake
from habitue.decisions.wording import reasons_to_act, what_not_to_say

__all__ = [
    "Allocation",
    "Amount",
    "Assumptions",
    "Evidence",
    "Explore",
    "FairnessLimit",
    "Fatigue",
    "Gains",
    "Offer",
    "Proposal",
    "Share",
    "Stakes",
    "action_list",
    "allocate",
    "assignments",
    "best_shares",
    "by_pillar",
    "compare_policies",
    "draw_assumptions",
    "draw_round",
    "eligible_for",
    "expected_gains",
    "holdout_shares",
    "importance_by_pillar",
    "not_tired",
    "parity",
    "profit_curve",
    "propose_experiments",
    "reason_stability",
    "reasons_for",
    "reasons_in_words",
    "reasons_to_act",
    "tornado",
    "value_at_stake",
    "value_of_information",
    "what_not_to_say",
    "whom_to_tell",
]
