"""Which challenger is champion: the best by one score, or the simplest that the data cannot tell from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from habitue.evaluation import SCORES, Backtest
from habitue.pipelines.recipes import Recipe

__all__ = ["Choice", "choose_champion"]


@dataclass(frozen=True)
class Choice:
    """Which challenger won, and why, in one sentence."""

    label: str
    why: str


def choose_champion(tested: Backtest, scores: pd.DataFrame, recipe: Recipe) -> Choice:
    """Choose by the recipe's rule: the best by one score, or the simplest that the data cannot tell from it.

    Parameters
    ----------
    tested : Backtest
        For the paired comparison.
    scores : DataFrame
        Of `Backtest.scores`.
    recipe : Recipe
        Challengers from simple to complex, and the rule.

    Returns
    -------
    Choice
        Its sentence also names the challengers that could not be fitted. Where the score is not defined, as
        AUC where nobody left, the simplest challenger is chosen.
    """
    labels = [one.name for one in recipe.challengers if one.name not in tested.left_out]
    told = "".join(f" {name} could not be fitted: {why}" for name, why in tested.left_out.items())
    asked = (scores["target"] == recipe.target) & (scores["score"] == recipe.champion.metric)
    found = dict(zip(scores.loc[asked, "model"], scores.loc[asked, "value"], strict=True))
    values = {label: float(found[label]) for label in labels}
    chosen = _best(tested, values, recipe)
    return Choice(chosen.label, chosen.why + told)


def _best(tested: Backtest, values: Mapping[str, float], recipe: Recipe) -> Choice:
    """Apply the rule to the values of those that were fitted, from simple to complex."""
    metric, labels = recipe.champion.metric, list(values)
    score = next(one for one in SCORES[recipe.target] if one.name == metric)
    defined = [label for label in labels if np.isfinite(values[label])]
    ranked = sorted(defined, key=lambda label: float(score.loss(values[label])))
    if not ranked:
        why = f"{labels[0]}: {metric} is not defined on these held-out days; it is the simplest."
        return Choice(labels[0], why)
    told = ", ".join(f"{label} {values[label]:.4f}" for label in ranked)
    if len(labels) == 1:
        return Choice(labels[0], f"{labels[0]}: the only challenger ({metric} on held-out days {told}).")
    best, confidence = ranked[0], recipe.champion.confidence
    for simpler in labels[: labels.index(best)]:
        difference = tested.compare(best, simpler, metric, target=recipe.target, confidence=confidence)
        if not (difference.lower > 0.0 or difference.upper < 0.0):
            return Choice(
                simpler,
                f"{simpler}: by {metric} ({told}) {best} is not better beyond chance "
                f"({difference.value:+.4f}, {confidence:.0%} interval {difference.lower:+.4f} to "
                f"{difference.upper:+.4f}), and {simpler} is the simpler of the two.",
            )
    return Choice(best, f"{best}: best by {metric} on held-out days ({told}).")
