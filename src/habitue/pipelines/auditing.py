"""What a training finds out of each challenger beyond its scores: fairness, coverage, stability of reasons.

All of it is judged on the outcomes after the cutoff, by models and intervals that knew nothing of them. What
was not asked for or could not be measured is told, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import pandas as pd

from habitue.decisions.stability import importance_by_pillar, reason_stability
from habitue.errors import DataError, FitError, SettingsError
from habitue.evaluation import FairnessAudit, audit_fairness, coverage_table, decile_groups
from habitue.evaluation.fairness import require_fairlearn
from habitue.evaluation.fairness_measures import groups_of
from habitue.evaluation.rivals import needs_outcomes
from habitue.features.context import attribute_features, attributes
from habitue.pipelines.backtests import Progress
from habitue.pipelines.recipes import Recipe
from habitue.pipelines.training import Training, asked_model, seen_by
from habitue.records import CustomerLog
from habitue.records.engine import quoted
from habitue.records.history import History
from habitue.report.feature_charts import feature_charts
from habitue.snapshots import Population, stack
from habitue.vocabulary import one_or_many

__all__ = ["Findings", "audited", "check_declared", "features_made_of", "read_attributes"]

_TOLD: Final = 2_000
"""Customers whose reasons stand for all."""

_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "number": ("DOUBLE", "float64"),
    "flag": ("BOOLEAN", "boolean"),
    "text": ("VARCHAR", "object"),
}
"""How an attribute is read, and what its column is."""


@dataclass(frozen=True)
class Findings:
    """What was found out about one challenger.

    Attributes
    ----------
    fairness : FairnessAudit or None
        None where no attribute was declared.
    fairness_told : sequence of str
        What it says, and whether the model reads the attributes itself.
    coverage : DataFrame or None
        by, group, n, stated and the columns of `coverage_table`; None where the model gives no interval.
    importance, stability : DataFrame or None
        Of `importance_by_pillar`, and of `reason_stability` (its ``overall``).
    stability_note : str
        How it was measured, or why it was not.
    pictures : Mapping[str, str]
        Features that move predictions most, and what they do as SVG.
    """

    fairness: FairnessAudit | None = None
    fairness_told: Sequence[str] = ()
    coverage: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    stability: pd.DataFrame | None = None
    stability_note: str = ""
    pictures: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Those that there are, by the name under which a run keeps them."""
        audit = self.fairness
        found = {
            "fairness": None if audit is None else audit.groups,
            "fairness_gaps": None if audit is None else audit.gaps,
            "coverage": self.coverage,
            "importance": self.importance,
            "stability": self.stability,
        }
        return {name: table for name, table in found.items() if table is not None}


def audited(label: str, answers: Any, training: Training, tell: Progress) -> Findings:
    """Find out what is told of a challenger beyond its scores.

    Parameters
    ----------
    label : str
        The challenger's name in the recipe.
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    training : Training
        What it was tested and trained on.
    tell : callable
        Called with one line before each step.
    """
    tell(f"{label}: what it goes by, and whom it serves")
    audit = _fairness(label, training, tell)
    told = [] if audit is None else [*_who_reads(answers, training), *audit.told]
    now = training.known.now.X
    some = now.iloc[:: max(len(now) // _TOLD, 1)]
    model = asked_model(answers)
    contributions = model.contributions(some) if hasattr(model, "contributions") else None
    stability, note = _stability(label, model, training, some, tell)
    return Findings(
        fairness=audit,
        fairness_told=told,
        coverage=_coverage(label, answers, training) if training.recipe.target == "spend" else None,
        importance=None if contributions is None else importance_by_pillar(contributions),
        stability=stability,
        stability_note=note,
        pictures={} if contributions is None else feature_charts(contributions, answers.reason_values(some)),
    )


# ---- fairness --------------------------------------------------------------------------------------


def check_declared(log: CustomerLog, recipe: Recipe) -> None:
    """Refuse, before anything is trained, an audit that could not be made.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        Says which attributes are declared.

    Raises
    ------
    SettingsError
        Where the records have no such attribute, or it is a day; where fairlearn is not installed.
    SchemaError
        Where an attribute makes no groups, as names do.
    """
    if recipe.fairness is None:
        return
    require_fairlearn()
    known = attributes(log.until(log.observed_until))
    for name in recipe.fairness.attributes:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            there = f"There are {', '.join(known)}" if known else "There are none"
            raise SettingsError(
                f"fairness.attributes names {name!r}, which is no attribute of the records of customers; "
                f"{hint}{there}; a day is none, cut it into bands first."
            )
    table = read_attributes(log, [log.observed_until], recipe.fairness.attributes)
    for name in recipe.fairness.attributes:
        groups_of(pd.Series(table[name]))  # which refuses what makes none


def read_attributes(log: CustomerLog, cutoffs: Sequence[date], names: Sequence[str]) -> pd.DataFrame:
    """Read attributes of customers as they were known at each cutoff.

    Parameters
    ----------
    log : CustomerLog
        With records of customers.
    cutoffs : sequence of date
        When. What is recorded of a customer on a later day (``recorded_at``) counts from then on; where the
        records do not say when, it always counts.
    names : sequence of str
        The attributes.

    Returns
    -------
    DataFrame
        By cutoff and customer_id: numbers, statements (yes, no, missing) and text. No feature is made here.
    """
    parts = [_read_at(log.until(cutoff), names) for cutoff in cutoffs]
    return pd.concat(parts, keys=list(cutoffs), names=["cutoff"])


def _read_at(history: History, names: Sequence[str]) -> pd.DataFrame:
    kinds = attributes(history)
    selected = ", ".join(
        f"CAST({quoted(name)} AS {_TYPES[kinds[name]][0]}) AS {quoted(name)}" for name in names
    )
    relation = history.relation("customers")
    values = {name: value for name, value in history.values.items() if f"${name}" in relation}
    frame = history.engine.frame(f"SELECT customer_id, {selected} FROM ({relation}) AS told", values)
    return frame.set_index("customer_id").astype({name: _TYPES[kinds[name]][1] for name in names})


def features_made_of(
    history: History, population: Population, names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return for each attribute the features that are made of it, whether or not a model reads them.

    Parameters
    ----------
    history : History
        Says which attributes there are.
    population : Population
        Says which levels of text have a feature.
    names : sequence of str
        The attributes.
    """
    made = attribute_features(history, population.levels)
    return {name: tuple(one.name for one in made if quoted(name) in one.sql) for name in names}


def _fairness(label: str, training: Training, tell: Progress) -> FairnessAudit | None:
    asked, table = training.recipe.fairness, training.attributes
    if asked is None or table is None:
        return None
    tell(f"{label}: fairness")
    rows = training.tested.of(training.recipe.target, label)
    keys = pd.MultiIndex.from_arrays([rows["cutoff"], rows["customer_id"]])
    return audit_fairness(
        rows["outcome"].to_numpy(),
        rows["prediction"].to_numpy(),
        table.reindex(keys),
        target=training.recipe.target,
        threshold=asked.threshold,
        top_share=asked.top_share,
        customers=rows["customer_id"].to_numpy(),
        at_least=asked.at_least,
        n_replicates=training.recipe.evaluation.n_replicates,
    )


def _who_reads(answers: Any, training: Training) -> list[str]:
    """Say of each declared attribute whether the model reads it, and who is flagged."""
    asked, read = training.recipe.fairness, set(answers.input_columns_)
    if asked is None:
        return []
    told: list[str] = []
    for name, made in training.read_as.items():
        own = [one for one in made if one in read]
        told.append(
            f"{name}: the model itself reads it, as {', '.join(own)}; name features in the recipe to keep it "
            "from the model."
            if own
            else f"{name}: no feature of the model is made of it; others may stand in for it."
        )
    flagged = (
        f"the {asked.top_share:.0%} with the highest predictions"
        if asked.threshold is None
        else f"all with a prediction of {asked.threshold:g} or more"
    )
    return [*told, f"Flagged, in this audit, are {flagged}."]


# ---- intervals -------------------------------------------------------------------------------------


def _coverage(label: str, answers: Any, training: Training) -> pd.DataFrame | None:
    """Judge the interval, learned before the last cutoff, on what came after it."""
    known, cutoff, stated = training.known, training.cutoff, training.recipe.interval
    said = answers.answer(known.now.X)
    if not {"clv_lower", "clv_upper"} <= set(said.columns):
        return None
    outcome = known.now.outcomes["spend"].to_numpy(dtype=np.float64)
    ends = said["clv_lower"].to_numpy(), said["clv_upper"].to_numpy()
    by: dict[str, Any] = {
        "everybody": np.full(len(said), "everybody"),
        "tenth": decile_groups(said["clv"]),
        "outcome": np.where(outcome > 0.0, "spent something", "spent nothing"),
    }
    if training.tested.segments is not None:
        by["segment"] = training.tested.segments.loc[cutoff].reindex(said.index).astype(str).to_numpy()
    tables = [
        coverage_table(outcome, *ends, confidence=stated, groups=groups).assign(by=name)
        for name, groups in by.items()
    ]
    alike = _one_for_all(training, len(said))
    tables.append(coverage_table(outcome, *alike, confidence=stated).assign(by="one interval for all"))
    table = pd.concat([one.astype({"group": "str"}) for one in tables], ignore_index=True)
    return table.assign(stated=stated, model=label)


def _one_for_all(training: Training, n: int) -> tuple[Any, Any]:
    """Return the interval that anybody could name: quantiles of what all spent on the last known days."""
    miss = (1.0 - training.recipe.interval) / 2.0
    spent = training.known.past[-1].outcomes["spend"].to_numpy(dtype=np.float64)
    lower, upper = np.quantile(spent, [miss, 1.0 - miss])
    return np.full(n, lower), np.full(n, upper)


# ---- reasons ---------------------------------------------------------------------------------------


def _stability(
    label: str, model: Any, training: Training, some: pd.DataFrame, tell: Progress
) -> tuple[pd.DataFrame | None, str]:
    """Refit the model to resamples of the customers that it learned from, and compare its reasons."""
    n_refits, known = training.recipe.card.n_refits, training.known
    if not n_refits:
        return None, (
            "It takes some refits, each as long as a training: `stability = 5` under `[card]` in the recipe."
        )
    if not hasattr(model, "contributions"):
        return None, "This model gives no reasons."
    tell(f"{label}: stability of reasons, {one_or_many(n_refits, 'refit')}")
    found = getattr(model, "best_estimator_", model)  # a tuned model is not tuned again
    past = stack(known.past) if needs_outcomes(found) else known.now
    y = past.outcomes[training.recipe.target].to_numpy() if needs_outcomes(found) else None
    try:
        measured = reason_stability(found, seen_by(found, past.X), y, told=some, n_resamples=n_refits)
    except (DataError, FitError) as error:
        return None, f"It was tried, and a refit to a resample could not be made: {error}"
    refits, customers = one_or_many(n_refits, "refit"), one_or_many(len(some), "customer")
    return measured.overall, f"By {refits}; reasons of {customers}."
