"""LightGBM's exact contributions for very many customers, without working the same thing out twice.

What a tree adds to a customer's reasons depends on his answers to its questions alone. A tree of fifteen
leaves asks fourteen, and a hundred thousand customers give some thousand different sets of answers. So
answers are collected first, each set is worked out once, and customers take theirs. The numbers are those of
LightGBM's own ``pred_contrib``, but for the last digits. Few customers, and trees too large for this, are
left to LightGBM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.leaf_shapley import leaf_shapley
from habitue.numerics.many_rows import blocks

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["exact_contributions"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_ENOUGH = 1_000
"""Customers from which on it pays to take trees apart first."""
_ROWS = 131_072
"""Customers whose answers are collected together."""
_SETS = 4_096
"""Sets of answers that are worked out together."""
_QUESTIONS = 62
"""Of a tree, at most: answers are the bits of one number."""
_PATTERNS = 8_192
"""What can happen in the leaves of a tree, at most."""


class _Question(NamedTuple):
    """Whether a feature is at most a threshold, or one of some levels; ``missing``: the answer of NaN."""

    feature: int
    threshold: float
    levels: list[int]
    missing: bool

    def asked(self, values: FloatArray) -> BoolArray:
        """Return who says yes."""
        if self.levels:
            return np.isin(values, self.levels)
        # A comparison with what is missing is false.
        return ~(values > self.threshold) if self.missing else values <= self.threshold


class _Condition(NamedTuple):
    """What a leaf wants of one feature: the answers to some questions, and the share who give them."""

    feature: int
    questions: int
    answers: int
    share: float


class _Leaf(NamedTuple):
    """A leaf, and what leads there, one condition a feature."""

    value: float
    n_customers: float
    conditions: list[_Condition]


class _Grown(NamedTuple):
    """A tree as LightGBM tells it: questions in the order of their bits, and leaves."""

    questions: list[_Question]
    leaves: list[_Leaf]


class _Tree(NamedTuple):
    """A tree, arranged for many customers.

    Attributes
    ----------
    questions : list of _Question
        In the order of their bits.
    masks, wanted, bits : ndarray of shape (n_conditions,)
        Of the leaves' conditions, leaf by leaf: questions, their answers, and the bit in the leaf's pattern.
    starts, rows : ndarray of shape (n_leaves,)
        Each leaf's first condition, and the first row of its patterns.
    table : ndarray of shape (n_patterns, n_deepest)
        What the features of a leaf add, by pattern.
    leaves, places : ndarray of shape (n_conditions,)
        Of the conditions, feature by feature: the leaf, and the column of the table.
    firsts : ndarray of shape (n_features,)
        Each feature's first among these.
    features : list of int
        Those that the tree asks for.
    """

    questions: list[_Question]
    masks: IntArray
    wanted: IntArray
    bits: IntArray
    starts: IntArray
    rows: IntArray
    table: FloatArray
    leaves: IntArray
    places: IntArray
    firsts: IntArray
    features: list[int]


def exact_contributions(booster: Booster, matrix: FloatArray) -> FloatArray:
    """Return what each feature adds to each customer's score, as ``booster.predict(pred_contrib=True)`` does.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trained.
    matrix : ndarray of shape (n_customers, n_features)
        Features; NaN is missing. At least one customer.

    Returns
    -------
    ndarray of shape (n_customers, n_classes * (n_features + 1))
        Class by class, the base value last in each; all but multiclass objectives have one.

    See Also
    --------
    habitue.numerics.leaf_shapley.leaf_shapley : The formula.

    References
    ----------
    .. [1] Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
       AI for trees. Nature Machine Intelligence 2, 56-67.
    """
    grown = _read(booster) if len(matrix) >= _ENOUGH else None
    if grown is None:
        return np.asarray(booster.predict(matrix, pred_contrib=True), dtype=np.float64)
    n_classes, width = booster.num_model_per_iteration(), matrix.shape[1] + 1
    told = np.zeros((len(matrix), n_classes * width), order="F")
    columns = [
        slice(number % n_classes * width, (number % n_classes + 1) * width) for number in range(len(grown))
    ]
    for place, tree in zip(columns, grown, strict=True):
        told[:, place.stop - 1] += _expected(tree)
    trees = list(_arranged(grown))
    for rows in blocks(len(matrix), _ROWS):
        features = np.asfortranarray(matrix[rows])
        for place, tree in zip(columns, trees, strict=True):
            if tree is not None:
                _add(tree, features, told[rows, place])
    return told


def _add(tree: _Tree, features: FloatArray, told: FloatArray) -> None:
    """Add what one tree says of some customers."""
    answers = np.zeros(len(features), dtype=np.int32 if len(tree.questions) < 31 else np.int64)
    for bit, question in enumerate(tree.questions):
        answers += question.asked(features[:, question.feature]) * answers.dtype.type(1 << bit)
    place, distinct = pd.factorize(answers)
    shares = _worked_out(tree, np.asarray(distinct, dtype=np.int64))
    for column, feature in enumerate(tree.features):
        told[:, feature] += shares[:, column].take(place)


def _worked_out(tree: _Tree, answers: IntArray) -> FloatArray:
    """Return what the tree's features add, for sets of answers."""
    told = np.empty((len(answers), len(tree.features)), order="F")
    for rows in blocks(len(answers), _SETS):
        given = (answers[rows, np.newaxis] & tree.masks) == tree.wanted
        pattern = np.add.reduceat(given * tree.bits, tree.starts, axis=1)
        cells = (tree.rows + pattern)[:, tree.leaves] * tree.table.shape[1] + tree.places
        told[rows] = np.add.reduceat(tree.table.take(cells), tree.firsts, axis=1)
    return told


def _arranged(trees: Sequence[_Grown]) -> Iterator[_Tree | None]:
    """Yield trees arranged for many customers; None for one that is a single leaf."""
    games = iter(_games([leaf for tree in trees for leaf in tree.leaves]))
    for tree in trees:
        tables = list(islice(games, len(tree.leaves)))
        yield _side_by_side(tree, tables) if tree.questions else None


def _games(leaves: Sequence[_Leaf]) -> list[FloatArray]:
    """Return what each leaf's features add, by pattern; leaves of as many conditions together."""
    told: dict[int, FloatArray] = {}
    n_each = np.array([len(leaf.conditions) for leaf in leaves])
    for n in np.unique(n_each):
        some = np.flatnonzero(n_each == n).tolist()
        shares = np.array([[one.share for one in leaves[at].conditions] for at in some]).reshape(len(some), n)
        values = np.array([leaves[at].value for at in some])
        told.update(zip(some, values[:, np.newaxis, np.newaxis] * leaf_shapley(shares), strict=True))
    return [told[at] for at in range(len(leaves))]


def _side_by_side(tree: _Grown, tables: Sequence[FloatArray]) -> _Tree:
    """Put the leaves of a tree into arrays."""
    conditions = [one for leaf in tree.leaves for one in leaf.conditions]
    n_each = np.array([len(leaf.conditions) for leaf in tree.leaves])
    features, column = np.unique([one.feature for one in conditions], return_inverse=True)
    starts, rows = np.cumsum(n_each) - n_each, np.cumsum(2**n_each) - 2**n_each
    leaf = np.repeat(np.arange(len(n_each)), n_each)
    place = np.arange(len(conditions)) - starts[leaf]
    table = np.zeros((int((2**n_each).sum()), int(n_each.max())))
    for first, told in zip(rows, tables, strict=True):
        table[first : first + len(told), : told.shape[1]] = told
    by_feature = np.argsort(column, kind="stable")
    return _Tree(
        questions=tree.questions,
        masks=np.array([one.questions for one in conditions]),
        wanted=np.array([one.answers for one in conditions]),
        bits=1 << place,
        starts=starts,
        rows=rows,
        table=table,
        leaves=leaf[by_feature],
        places=place[by_feature],
        firsts=np.searchsorted(column[by_feature], np.arange(len(features))),
        features=features.tolist(),
    )


def _expected(tree: _Grown) -> float:
    """Return what a tree says of a customer of whom nothing is known."""
    return float(
        np.average([leaf.value for leaf in tree.leaves], weights=[leaf.n_customers for leaf in tree.leaves])
    )


def _read(booster: Booster) -> list[_Grown] | None:
    """Return a booster's trees, or None where one is too large or asks in another way."""
    found: list[_Grown] = []
    for told in booster.dump_model()["tree_info"]:
        nodes = sorted(_nodes(told["tree_structure"]), key=lambda node: node["split_index"])
        if len(nodes) > _QUESTIONS or any(node["missing_type"] == "Zero" for node in nodes):
            return None
        tree = _Grown([_question(node) for node in nodes], list(_leaves(told["tree_structure"], [])))
        if sum(2 ** len(leaf.conditions) for leaf in tree.leaves) > _PATTERNS:
            return None
        found.append(tree)
    return found


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all splits at and below a node."""
    if "split_index" in node:
        yield node
        yield from _nodes(node["left_child"])
        yield from _nodes(node["right_child"])


def _question(node: dict[str, Any]) -> _Question:
    if node["decision_type"] == "==":
        levels = [int(level) for level in node["threshold"].split("||")]
        return _Question(node["split_feature"], np.nan, levels, missing=False)
    # A feature that was never missing in training is read as 0 where it is.
    missing = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0
    return _Question(node["split_feature"], node["threshold"], [], missing)


def _leaves(node: dict[str, Any], path: list[_Condition]) -> Iterator[_Leaf]:
    """Yield the leaves at and below a node, which a path of splits leads to."""
    if "split_index" not in node:
        yield _Leaf(node["leaf_value"], _count(node), _by_feature(path))
        return
    bit = node["split_index"]
    for answer, child in ((1, node["left_child"]), (0, node["right_child"])):
        step = _Condition(node["split_feature"], 1 << bit, answer << bit, _count(child) / _count(node))
        yield from _leaves(child, [*path, step])


def _count(node: dict[str, Any]) -> float:
    # A tree that is a single leaf counts nobody.
    return float(node.get("internal_count", node.get("leaf_count", 1)))


def _by_feature(path: Sequence[_Condition]) -> list[_Condition]:
    """Return one condition a feature: what several splits by it ask together."""
    together: dict[int, _Condition] = {}
    for step in path:
        known = together.get(step.feature, _Condition(step.feature, 0, 0, 1.0))
        together[step.feature] = known._replace(
            questions=known.questions | step.questions,
            answers=known.answers | step.answers,
            share=known.share * step.share,
        )
    return list(together.values())
