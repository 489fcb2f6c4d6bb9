"""What a feature is: a name and one SQL aggregate over a customer's records.

A feature is stateless: it learns nothing, and a customer's value depends on nobody else's records. Its SQL is
written in DuckDB's dialect and may use only the functions listed in `ALLOWED`, so that it can be translated;
anything else is refused when the feature is defined. A division is one of doubles, and has no value where the
divisor is 0 (see `habitue.records.dialects`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from habitue.errors import SettingsError
from habitue.features.relations import RELATIONS, Relation
from habitue.vocabulary import VOCABULARY, Pillar, Term

__all__ = ["ALLOWED", "PARAMETERS", "Feature", "feature"]

ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.Count,
    exp.Sum,
    exp.Min,
    exp.Max,
    exp.ArgMin,
    exp.ArgMax,
    exp.PercentileDisc,
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


@dataclass(frozen=True)
class Feature:
    """One column of X.

    Attributes
    ----------
    name : str
        A line of the vocabulary.
    reads : str
        A relation, a key of `RELATIONS`.
    sql : str
        An aggregate over that relation's rows of one customer; ``$cutoff`` and ``$horizon`` are bound.
    absent : float, optional
        What stands where the aggregate has no value, as for a customer without a row in that relation: 0 for
        what is counted, missing for all else unless said otherwise.
    own_term : Term, optional
        Its line of the vocabulary, where it is not in `VOCABULARY`.
    """

    name: str
    reads: str
    sql: str
    absent: float | None = None
    own_term: Term | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be translated, explained or computed.

        Raises
        ------
        SettingsError
            Where the name is not in the vocabulary, the relation is unknown, or the SQL calls other
            functions, reads other columns or is more than an aggregate (a subquery, a window).
        """
        term = self.own_term or VOCABULARY.get(self.name)
        if term is None or term.pillar is None:
            raise SettingsError(f"Feature {self.name!r} needs a line with a pillar in habitue.vocabulary.")
        if self.reads not in RELATIONS:
            raise SettingsError(
                f"Feature {self.name!r} reads {self.reads!r}; it may read {', '.join(RELATIONS)}."
            )
        if self.absent is None and term.unit == "count":
            # No record of an event is a count of none, not an unknown count.
            object.__setattr__(self, "absent", 0)
        try:
            tree = sqlglot.parse_one(self.sql, dialect="duckdb")
        except SqlglotError as error:
            # sqlglot underlines with escape codes, which are no part of a sentence.
            detail = re.sub(r"\x1b\[\d+m", "", str(error).splitlines()[0])
            raise SettingsError(f"Feature {self.name!r} is no SQL expression: {detail}") from error
        _refuse_strange_calls(self.name, tree)
        _refuse_strange_names(self.name, self.relation, tree)

    @property
    def relation(self) -> Relation:
        """The relation that it reads."""
        return RELATIONS[self.reads]

    @property
    def kind(self) -> str:
        """Kind of record that it is made from."""
        return self.relation.kind

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the relation that it reads."""
        tree = sqlglot.parse_one(self.sql, dialect="duckdb")
        return tuple(sorted({column.name for column in tree.find_all(exp.Column)}))

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Optional columns of the records without which it cannot be built."""
        behind = (self.relation.columns.get(column, (column,)) for column in self.columns)
        return tuple(sorted({column for columns in behind for column in columns}))

    @property
    def term(self) -> Term:
        """Its line of the vocabulary."""
        return self.own_term or VOCABULARY[self.name]

    @property
    def pillar(self) -> Pillar:
        """The pillar of loyalty that it speaks of."""
        return self.term.pillar or Pillar.CONTEXT

    @property
    def unit(self) -> str:
        """Its unit, from the vocabulary."""
        return self.term.unit


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


def _refuse_strange_names(name: str, relation: Relation, tree: exp.Expr) -> None:
    used = {column.sql(): column.name for column in tree.find_all(exp.Column)}
    # Attributes of customers are whatever the source calls them.
    strange = sorted(
        told
        for told, column in used.items()
        if "." in told.replace(column, "")
        or (relation.name != "customers" and column not in relation.columns)
    )
    if strange:
        raise SettingsError(
            f"Feature {name!r} reads {', '.join(strange)}, which {relation.name} lacks; it has "
            f"{', '.join(relation.columns)}."
        )
    bound = {str(node.name) for node in tree.find_all(exp.Parameter, exp.Placeholder)} - set(PARAMETERS)
    if bound:
        raise SettingsError(
            f"Feature {name!r} needs a value for {', '.join(sorted(bound)) or '?'}; bound are "
            f"{', '.join('$' + parameter for parameter in PARAMETERS)}."
        )


def feature(reads: str, *, absent: float | None = None) -> Callable[[Callable[[], str]], Feature]:
    """Make a feature of a function that returns SQL; the function's name is the feature's.

    Parameters
    ----------
    reads : str
        The relation whose rows it aggregates, a key of `RELATIONS`.
    absent : float, optional
        The value for a customer who has no row there; see `Feature`.

    Examples
    --------
    >>> @feature("visits")
    ... def inactivity() -> str:
    ...     return "DATE_DIFF('day', MAX(day), $cutoff)"
    >>> inactivity.pillar
    <Pillar.ACTIVITY: 'activity'>
    """

    def define(function: Callable[[], str]) -> Feature:
        return Feature(function.__name__, reads, function(), absent)

    return define
