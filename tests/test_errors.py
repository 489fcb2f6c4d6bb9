"""Errors: the tree is the one its docstring draws."""

from __future__ import annotations

import pytest

from habitue import errors


def test_every_name_is_an_error_or_a_warning_with_a_sentence():
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.HabitueError | errors.HabitueWarning)
        assert kind.__doc__
        assert name in errors.__doc__


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        ("DataError", ValueError), ("SchemaError", ValueError), ("LeakageError", ValueError),
        ("SettingsError", ValueError), ("FitError", RuntimeError), ("ConvergenceError", RuntimeError),
        ("RegistryError", LookupError), ("AssumptionWarning", UserWarning),
    ],
)  # fmt: skip
def test_who_does_not_know_habitue_can_catch_them_too(kind, also):
    assert issubclass(getattr(errors, kind), also)


def test_a_convergence_error_carries_where_it_stopped():
    params = {"r": 1.0}
    error = errors.ConvergenceError("stopped; try more data", iterations=7, gradient_norm=0.5, params=params)
    params["r"] = 2.0
    assert (str(error), error.iterations, error.gradient_norm, error.params) == (
        "stopped; try more data", 7, 0.5, {"r": 1.0},
    )  # fmt: skip
