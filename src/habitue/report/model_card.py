"""The model card: what a registered model is for, what it learned from, how good it is, and its limits.

A card is one page made of plain data, after [1]_: :mod:`~habitue.report.card_facts` holds what it tells,
``card_sections`` and ``card_evidence`` word it, ``card_blocks`` writes it. What was not measured is said to
be so, never left out in silence. It deliberately measures nothing itself and names nobody: who owns a model
is for the registry to say.

References
----------
.. [1] Mitchell, M. et al. (2019). Model cards for model reporting. FAT* 2019, 220-229.
"""

from __future__ import annotations

from habitue.report.card_blocks import as_html, as_markdown
from habitue.report.card_facts import CardFacts, facts_from_json, facts_to_json
from habitue.report.card_sections import sections_of

__all__ = ["CardFacts", "facts_from_json", "facts_to_json", "model_card", "model_card_page"]


def model_card(facts: CardFacts) -> str:
    """Write a model's card.

    Parameters
    ----------
    facts : CardFacts
        What it tells.

    Returns
    -------
    str
        Markdown; the same facts give the same text.

    Raises
    ------
    SchemaError
        Where the scores lack a column.

    Examples
    --------
    >>> from datetime import date
    >>> import pandas as pd
    >>> scores = pd.DataFrame({"target": "churned", "model": ["trees", "the mean"], "score": "auc",
    ...                        "value": [0.8, 0.5], "lower": [0.78, 0.5], "upper": [0.82, 0.5]})
    >>> facts = CardFacts("shop-churn", "trees", "BoostedChurnClassifier", "churned", 91, "shop.csv", "0a1b",
    ...                   date(2026, 6, 30), scores)
    >>> [line for line in model_card(facts).splitlines() if line.startswith("- AUC")]
    ['- AUC: clearly ahead of the mean.']
    """
    return as_markdown(_title(facts), sections_of(facts))


def model_card_page(facts: CardFacts) -> str:
    """Write a model's card as one page of HTML that needs nothing but itself.

    Parameters
    ----------
    facts : CardFacts
        What it tells.

    Returns
    -------
    str
        HTML; it says what `model_card` says.

    Raises
    ------
    SchemaError
        Where the scores lack a column.
    """
    return as_html(_title(facts), sections_of(facts))


def _title(facts: CardFacts) -> str:
    return f"Model card: {facts.name}{f', version {facts.version}' if facts.version else ''}"
