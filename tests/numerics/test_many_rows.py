"""Laws of taking customers a few at a time: each row is done once, and no answer depends on the cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import many_rows
from habitue.numerics.arrays import floats
from habitue.numerics.many_rows import by_nodes, cut, in_blocks


def powers(shift: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a matrix for each row."""
    first = shift + x * y
    return np.stack([np.stack([first, y]), np.stack([x, first**2])]).T


@pytest.mark.parametrize("shape", [(), (0,), (1,), (9,), (3, 5), (4, 0), (2, 3, 2)])
@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_blocks_change_nothing(shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_rows, "_ROWS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    x, y = floats(rng.random(shape), rng.random(shape[-1:]))  # the second is broadcast
    whole = powers(2.0, x.reshape(-1), y.reshape(-1)).reshape(*shape, 2, 2)
    np.testing.assert_array_equal(in_blocks(powers, 2.0, x, y), whole)
    np.testing.assert_array_equal(in_blocks(np.hypot, x, y), np.hypot(x, y))
    np.testing.assert_array_equal(in_blocks(np.hypot, x, y, elementwise=True), np.hypot(x, y))


def test_an_answer_is_not_what_was_handed_in() -> None:
    x = np.ones(3)
    in_blocks(lambda x: x, x)[0] = 7.0
    assert x.tolist() == [1.0, 1.0, 1.0]


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.integers(0, 99)), at_once=st.integers(1, 9))
def test_cut_pieces_are_the_whole(rows: list[int], at_once: int) -> None:
    pieces = [piece.tolist() for piece in cut(np.array(rows, dtype=np.intp), at_once)]
    assert [row for piece in pieces for row in piece] == rows
    assert all(len(piece) == at_once for piece in pieces[:-1])


@settings(deadline=None, max_examples=60)
@given(n_nodes=st.lists(st.sampled_from([0, 16, 32, 100_000]), max_size=40))
@pytest.mark.parametrize("kind", [np.intp, np.float64])
def test_rows_are_grouped_by_their_nodes(kind: type, n_nodes: list[int]) -> None:
    found = [(n, row) for n, rows in by_nodes(np.array(n_nodes, dtype=kind)) for row in rows.tolist()]
    assert found == sorted((n, row) for row, n in enumerate(n_nodes) if n > 0)


def test_groups_fit_the_work_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_rows, "CELLS_AT_ONCE", 64)
    sizes = [(n, rows.size) for n, rows in by_nodes(np.repeat([16, 100], [9, 2]))]
    assert sizes == [(16, 4), (16, 4), (16, 1), (100, 1), (100, 1)]
