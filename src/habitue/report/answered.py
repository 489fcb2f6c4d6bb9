"""Who answered: of how many customers each answer came from which models, counted and said in sentences.

Only models made of several say so; of all others there is nothing to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from habitue.report.scores import Scores
from habitue.vocabulary import one_or_many

__all__ = ["Answered", "count_answered", "sentences_on"]

_QUESTIONS = {"churn_probability": "Who leaves", "clv": "What they spend"}
_ALONE = " alone"
"""How models end the name of one that answers by itself where the others' examples do not reach."""


@dataclass(frozen=True)
class Answered:
    """Of how many customers an answer came from whom.

    Attributes
    ----------
    answer : str
        "churn_probability" or "clv".
    by : str
        The models, as they name themselves.
    n : int
        Customers.
    """

    answer: str
    by: str
    n: int


def count_answered(scores: Scores) -> tuple[Answered, ...]:
    """Count the customers of each answer by who gave it.

    Parameters
    ----------
    scores : Scores
        The scores, checked.

    Returns
    -------
    tuple of Answered
        By answer, the most frequent first.

    Examples
    --------
    >>> from habitue.report.scores import read_scores
    >>> who = ["A, B", "A alone", "A, B"]
    >>> frame = pd.DataFrame({"customer_id": [1, 2, 3], "clv": 9.0, "answered_by": who})
    >>> count_answered(read_scores(frame))
    (Answered(answer='clv', by='A, B', n=2), Answered(answer='clv', by='A alone', n=1))
    """
    return tuple(
        Answered(answer, str(by), int(n))
        for answer, told in scores.answered_by.items()
        for by, n in pd.Series(told).value_counts().items()
    )


def sentences_on(answered: Sequence[Answered]) -> tuple[str, ...]:
    """Say who answered, one sentence an answer.

    Parameters
    ----------
    answered : sequence of Answered
        As counted.

    Returns
    -------
    tuple of str
        None where no model says so; a last one says why a model answered alone, if one did.

    Examples
    --------
    >>> sentences_on([Answered("clv", "A, B", 1_200), Answered("clv", "A alone", 1)])[0]
    'What they spend was answered for 1,200 customers by A, B, and for 1 customer by A alone.'
    """
    sentences: list[str] = []
    for answer, asked in _QUESTIONS.items():
        told = [
            f"for {one_or_many(one.n, 'customer')} by {one.by}" for one in answered if one.answer == answer
        ]
        if told:
            sentences.append(f"{asked} was answered {', and '.join(told)}.")
    if any(_ALONE in one.by for one in answered):
        sentences.append(
            "A model answers alone where a customer's history is much longer than any that the others "
            "learned from."
        )
    return tuple(sentences)
