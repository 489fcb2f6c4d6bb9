"""What a feature is: a name and one SQL aggregate over a customer's records.

A feature is stateless: it learns nothing, and a customer's value depends on nobody else's records. Its SQL is
written in DuckDB's dialect and may use only the functions listed in `ALLOWED`, so that it can be translated;
anything else is refused when the feature is defined.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from habitue.errors import SettingsError
from habitue.records.schema import SCHEMAS
from habitue.vocabulary import VOCABULARY, Pillar

__all__ = ["ALLOWED", "PARAMETERS", "READS", "Feature", "columns_of", "feature"]

ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.Count,
    exp.Sum,
    exp.Min,
    exp.Max,
    exp.ArgMin,
    exp.ArgMax,
    exp.Coalesce,
    exp.Nullif,
    exp.Greatest,
    exp.Least,
    exp.Abs,
    exp.Sqrt,
    exp.Exp,
    exp.Ln,
    exp.DateDiff,
    exp.Cast,
    exp.Case,
    exp.If,
    exp.And,
    exp.Or,
)
"""Functions a feature may call. Sums of exact numbers only: their order must not matter."""

PARAMETERS = ("cutoff", "horizon")
"""What is bound when a feature is built."""

_REFUSED = (exp.Query, exp.Subquery, exp.Window, exp.Command)

READS = {"visits": "transactions", "transactions": "transactions", "events": "events"}
"""Relations a feature may read, and the kind of record each is made from (see `habitue.features.compile`)."""


@dataclass(frozen=True)
class Feature:
    """One column of X.

    Attributes
    ----------
    name : str
        A line of the vocabulary.
    reads : str
        A key of `READS`.
    sql : str
        An aggregate over that relation's rows of one customer; ``$cutoff`` and ``$horizon`` are bound.
    """

    name: str
    reads: str
    sql: str

    def __post_init__(self) -> None:
        """Refuse what could not be translated, explained or computed.

        Raises
        ------
        SettingsError
            Where the name is not in the vocabulary, the relation is unknown, or the SQL calls other
            functions, reads other columns or is more than an aggregate (a subquery, a window).
        """
        term = VOCABULARY.get(self.name)
        if term is None or term.pillar is None:
            raise SettingsError(f"Feature {self.name!r} needs a line with a pillar in habitue.vocabulary.")
        if self.reads not in READS:
            raise SettingsError(
                f"Feature {self.name!r} reads {self.reads!r}; it may read {', '.join(READS)}."
            )
        try:
            tree = sqlglot.parse_one(self.sql, dialect="duckdb")
        except SqlglotError as error:
            # sqlglot underlines with escape codes, which are no part of a sentence.
            detail = re.sub(r"\x1b\[\d+m", "", str(error).splitlines()[0])
            raise SettingsError(f"Feature {self.name!r} is no SQL expression: {detail}") from error
        _refuse_strange_calls(self.name, tree)
        _refuse_strange_names(self.name, self.reads, tree)

    @property
    def kind(self) -> str:
        """Kind of record that it is made from."""
        return READS[self.reads]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the relation that it reads."""
        tree = sqlglot.parse_one(self.sql, dialect="duckdb")
        return tuple(sorted({column.name for column in tree.find_all(exp.Column)}))

    @property
    def pillar(self) -> Pillar:
        """The pillar of loyalty that it speaks of."""
        return VOCABULARY[self.name].pillar or Pillar.CONTEXT

    @property
    def unit(self) -> str:
        """Its unit, from the vocabulary."""
        return VOCABULARY[self.name].unit


def columns_of(reads: str) -> tuple[str, ...]:
    """Return the columns that a relation may have (a log may lack the optional ones).

    Parameters
    ----------
    reads : str
        A key of `READS`.

    Examples
    --------
    >>> columns_of("visits")
    ('customer_id', 'day', 'amount', 'nth', 'gap')
    """
    if reads == "visits":
        return ("customer_id", "day", "amount", "nth", "gap")
    return ("day", *(column.name for column in SCHEMAS[READS[reads]].columns))


def _refuse_strange_calls(name: str, tree: exp.Expr) -> None:
    if not isinstance(tree, exp.Condition | exp.Filter) or any(tree.find_all(*_REFUSED)):
        raise SettingsError(
            f"Feature {name!r} must be one aggregate, without subqueries, windows or statements."
        )
    calls = [node for node in tree.find_all(exp.Func) if not isinstance(node, ALLOWED)]
    if calls:
        told = sorted(
            {node.name if isinstance(node, exp.Anonymous) else type(node).__name__ for node in calls}
        )
        raise SettingsError(
            f"Feature {name!r} calls {', '.join(told)}, which is not known to mean the same "
            f"on every engine; allowed are {', '.join(sorted(kind.__name__ for kind in ALLOWED))}."
        )


def _refuse_strange_names(name: str, reads: str, tree: exp.Expr) -> None:
    known = columns_of(reads)
    strange = sorted({column.sql() for column in tree.find_all(exp.Column) if column.sql() not in known})
    if strange:
        raise SettingsError(
            f"Feature {name!r} reads {', '.join(strange)}, which {reads} lacks; it has {', '.join(known)}."
        )
    bound = {str(node.name) for node in tree.find_all(exp.Parameter, exp.Placeholder)} - set(PARAMETERS)
    if bound:
        raise SettingsError(
            f"Feature {name!r} needs a value for {', '.join(sorted(bound)) or '?'}; bound are "
            f"{', '.join('$' + parameter for parameter in PARAMETERS)}."
        )


def feature(reads: str) -> Callable[[Callable[[], str]], Feature]:
    """Make a feature of a function that returns SQL; the function's name is the feature's.

    Parameters
    ----------
    reads : str
        The relation whose rows it aggregates, a key of `READS`.

    Examples
    --------
    >>> @feature("visits")
    ... def inactivity() -> str:
    ...     return "DATE_DIFF('day', MAX(day), $cutoff)"
    >>> inactivity.pillar
    <Pillar.ACTIVITY: 'activity'>
    """

    def define(function: Callable[[], str]) -> Feature:
        return Feature(function.__name__, reads, function())

    return define
