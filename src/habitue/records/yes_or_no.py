"""Yes and no, as people write them: of consent, of opting out, and wherever a record has a flag.

The one list of words, for the door and for whatever reads answers elsewhere; case and white space around a
word do not matter. What is neither is not guessed: it is unknown, and its words are handed back, so that
whoever asked can say so.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from habitue.records.customer_ids import NO_VALUE
from habitue.records.engine import literal, quoted

__all__ = ["ACCEPTED", "NO", "YES", "answer_sql", "as_answers", "unknown_words", "word_sql"]

YES: Final = frozenset(
    {"true", "t", "yes", "y", "1", "1.0", "on", "ja", "j", "oui", "si", "sí", "sì", "sim", "tak"}
)
"""Words that say yes, in lower case."""

NO: Final = frozenset(
    {"false", "f", "no", "n", "0", "0.0", "off", "nein", "non", "nee", "não", "nao", "nej", "nie"}
)
"""Words that say no, in lower case."""

ACCEPTED: Final = f"yes is written {', '.join(sorted(YES))}; no is written {', '.join(sorted(NO))}"
"""Both lists, for messages."""

_BLANKS: Final = " \t\r\n\xa0"
_NOTHING: Final = frozenset(NO_VALUE) | {""}


def answer_sql(source: str, sql_type: str) -> str:
    """Return SQL that reads a column as `as_answers` does: BOOLEAN, NULL where it cannot be read.

    Parameters
    ----------
    source, sql_type : str
        The source's column and its SQL type.

    Examples
    --------
    >>> from habitue.records import DuckDBEngine
    >>> answers = "SELECT unnest(['Ja', ' no', 'perhaps', '1.0']) AS agreed"
    >>> DuckDBEngine().rows(f"SELECT {answer_sql('agreed', 'VARCHAR')} FROM ({answers})")
    [(True,), (False,), (None,), (True,)]
    """
    name = quoted(source)
    if sql_type == "BOOLEAN":
        return name
    if sql_type != "VARCHAR":
        number = f"TRY_CAST(CAST({name} AS VARCHAR) AS DOUBLE)"
        return f"CASE WHEN {number} = 1 THEN true WHEN {number} = 0 THEN false END"
    return word_sql(f"lower(trim({name}, {literal(_BLANKS)}))")


def word_sql(word: str) -> str:
    """Return SQL, of any dialect, that reads a word in lower case; twice as fast as looking it up with IN.

    Parameters
    ----------
    word : str
        SQL for the word.
    """
    yes = (f"WHEN {literal(one)} THEN true" for one in sorted(YES))
    no = (f"WHEN {literal(one)} THEN false" for one in sorted(NO))
    return f"CASE {word} {' '.join([*yes, *no])} END"


def as_answers(values: pd.Series) -> pd.Series:
    """Read a column of answers.

    Parameters
    ----------
    values : Series of shape (n,)
        Statements, numbers or words.

    Returns
    -------
    Series of boolean of shape (n,)
        True, False, or missing where nothing was said or it cannot be read.

    Examples
    --------
    >>> as_answers(pd.Series(["Ja", "no", 1.0, None, "perhaps", 2])).tolist()
    [True, False, True, <NA>, <NA>, <NA>]
    """
    words = values.map(_word)
    return words.map(lambda word: True if word in YES else False if word in NO else None).astype("boolean")


def unknown_words(values: pd.Series, *, known: frozenset[str] = YES | NO) -> tuple[int, tuple[str, ...]]:
    """Return how many answers say neither yes nor no, and up to five of them as they are written.

    Parameters
    ----------
    values : Series of shape (n,)
        As `as_answers`.
    known : frozenset of str
        Words that say yes or no, in lower case.

    Examples
    --------
    >>> unknown_words(pd.Series(["yes", "perhaps", "", "perhaps", None]))
    (2, ('perhaps',))
    """
    words = values.map(_word)
    off: Any = values[~words.isin(list(known | _NOTHING))]
    return len(off), tuple(off.astype(str).str.strip().value_counts().index[:5])


def _word(value: Any) -> str:
    """Return an answer as it is looked up."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    return str(value).strip(_BLANKS).lower()
