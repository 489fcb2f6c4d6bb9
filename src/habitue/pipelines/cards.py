"""The model card of a challenger, gathered in training; and that of a registered version, told again.

Facts are kept with the run as ``card.json`` and worded each time they are asked for: only then is the number
of the version known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from habitue.errors import RegistryError, SettingsError
from habitue.pipelines.auditing import Findings
from habitue.pipelines.files import write_text
from habitue.pipelines.training import Training, asked_model
from habitue.report.model_card import CardFacts, facts_from_json, model_card, model_card_page

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["CARD", "calibration_told", "calibration_words", "card_of", "card_of_version", "write_card"]

CARD: Final = "card.json"
"""The text of a run that holds the facts of its card."""

_CALIBRATIONS: Final[Mapping[str, str]] = {
    "none": "none (the probabilities are those of the trees)",
    "platt": "Platt's (a straight line in log-odds)",
    "beta": "beta calibration (three parameters)",
    "isotonic": "isotonic (any rising step function)",
    "venn-abers": "Venn-Abers (isotonic, once with each outcome)",
}


def card_of(label: str, answers: Any, training: Training, found: Findings) -> CardFacts:
    """Gather what the card of one challenger tells.

    Parameters
    ----------
    label : str
        The challenger's name in the recipe.
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    training : Training
        What all challengers share.
    found : Findings
        What was found out about this one.
    """
    recipe, tested, model = training.recipe, training.tested, asked_model(answers)
    return CardFacts(
        name=recipe.name,
        label=label,
        model=next(one.model for one in recipe.challengers if one.name == label),
        target=recipe.target,
        horizon=tested.horizon,
        source=training.source,
        fingerprint=training.fingerprint,
        cutoff=training.cutoff,
        scores=training.scores,
        comparisons=training.comparisons,
        why=training.why,
        params={name: " ".join(str(value).split()) for name, value in model.get_params(deep=False).items()},
        calibration=calibration_told(model),
        leakage=[training.probed],
        first_day=training.first_day,
        last_day=training.last_day,
        n_customers=len(training.known.now.X),
        n_quarantined=training.n_quarantined,
        learned_from=[one.window.cutoff for one in training.known.past],
        tested_at=list(tested.trained_until),
        features=answers.input_columns_,
        silent=training.known.silent,
        not_fitted=tested.left_out,
        by_segment=training.by_segment,
        coverage=found.coverage,
        importance=found.importance,
        stability=found.stability,
        stability_note=found.stability_note,
        fairness=list(found.fairness_told) or None,
        groups=None if found.fairness is None else found.fairness.groups,
        pictures=list(found.pictures),
    )


def card_of_version(store: Store, reference: str) -> CardFacts:
    """Return what the card of a registered version tells, its number included.

    Parameters
    ----------
    store : Store
        MLflow's home.
    reference : str
        Such as ``habitue-churn@champion`` or ``habitue-churn/3``.

    Raises
    ------
    RegistryError
        Where there is no such model, version or alias, or it was registered without a card.
    """
    from habitue.tracking import resolve
    from habitue.tracking.texts import logged_text

    version = resolve(store, reference)
    text = logged_text(store, version.run_id, CARD)
    if text is None:
        raise RegistryError(
            f"{version.label} was registered without the facts of its card ({CARD}); train it again, and the "
            "new version has one."
        )
    return replace(facts_from_json(text), version=version.version)


def write_card(facts: CardFacts, path: Path) -> Path:
    """Write a card to a file, as Markdown or as a page of HTML.

    Parameters
    ----------
    facts : CardFacts
        What it tells.
    path : Path
        The ending says which: .md or .html.

    Raises
    ------
    SettingsError
        Where it is neither, or nothing can be written there.
    """
    ways = {".md": model_card, ".html": model_card_page}
    if path.suffix not in ways:
        raise SettingsError(f"A card is written to a file that ends in .md or .html; got {path}.")
    return write_text(path, ways[path.suffix](facts))


# ---- calibration, in words -------------------------------------------------------------------------


def calibration_told(model: Any) -> str | None:
    """Say how predictions were calibrated, and by what figures that was chosen.

    Parameters
    ----------
    model : estimator
        Fitted; a search of settings is asked for what it found.

    Returns
    -------
    str or None
        None where nothing is known beyond what the model is.
    """
    found = getattr(model, "best_estimator_", model)
    if hasattr(found, "calibration_"):
        losses = getattr(found, "calibration_losses_", None)
        return calibration_words(found.calibration_, getattr(found, "calibration", "auto"), losses)
    if hasattr(found, "scale_"):
        return (
            "totals were made to add up, over customers of the last cutoff learned from whom copies of the "
            "trees had not seen (over all of them, where fewer than 60 of these bought)"
        )
    return None


def calibration_words(chosen: str, asked: str, losses: Mapping[str, Any] | pd.DataFrame | None) -> str:
    """Say which calibration was taken and why.

    Parameters
    ----------
    chosen, asked : str
        Names of `habitue.models.CALIBRATORS`, or "auto".
    losses : DataFrame or Mapping, optional
        Of `choose_calibrator`, or its rows by name: log_loss, behind and behind_se of each.

    Examples
    --------
    >>> table = pd.DataFrame({"log_loss": [0.31, 0.3], "behind": [0.01, 0.0], "behind_se": [0.002, 0.0]},
    ...                      index=["none", "platt"])
    >>> print(calibration_words("platt", "auto", table))
    Platt's (a straight line in log-odds); taken as the simplest whose log loss is within one standard error
    of the best, on customers that neither trees nor calibration had seen: none 0.3100 (0.0100 behind the
    best, standard error 0.0020), platt 0.3000 (the best)
    """
    name = _CALIBRATIONS.get(chosen, chosen)
    table = pd.DataFrame.from_dict(dict(losses), orient="index") if isinstance(losses, Mapping) else losses
    if asked != "auto":
        return f"{name}, as the recipe asks"
    if table is None:
        return name
    if table.empty:
        return f"{name}: too few customers of the rarer outcome to judge any other"
    told = ", ".join(_loss(str(one), row) for one, row in table.to_dict("index").items())
    return (
        f"{name}; taken as the simplest whose log loss is within one standard error of the best, on "
        f"customers that neither trees nor calibration had seen: {told}"
    )


def _loss(name: str, row: Mapping[Any, Any]) -> str:
    behind = float(row["behind"])
    words = (
        f"{behind:.4f} behind the best, standard error {row['behind_se']:.4f}" if behind > 0.0 else "the best"
    )
    return f"{name} {row['log_loss']:.4f} ({words})"
