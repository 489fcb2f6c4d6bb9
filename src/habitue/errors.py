"""What can go wrong, as sentences with the way out.

The tree::

    HabitueError
    ├── DataError (ValueError)        what was handed in is wrong
    │   ├── SchemaError               missing, duplicate or mistyped columns; names them and those there
    │   └── LeakageError              records after the cutoff where none may be
    ├── SettingsError (ValueError)    a recipe or settings file says something impossible
    ├── FitError (RuntimeError)       a model could not be fitted
    │   └── ConvergenceError          the optimiser stopped short; carries where it stopped and what to try
    ├── RegistryError (LookupError)   no such model, version or alias; names those that exist
    └── UnavailableError (RuntimeError)  another job is at it, or a database does not answer: try again later
    HabitueWarning (UserWarning)
    ├── AssumptionWarning             the data contradict what a model assumes
    └── ManySetAsideWarning           so many rows cannot be used that what follows speaks of the others only

Every message says what was expected, what came and what to do. An estimator that was not fitted raises
scikit-learn's own ``NotFittedError``. Checks stand at the door (log, fit, settings); inside, data are
trusted.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AssumptionWarning",
    "ConvergenceError",
    "DataError",
    "FitError",
    "HabitueError",
    "HabitueWarning",
    "LeakageError",
    "ManySetAsideWarning",
    "RegistryError",
    "SchemaError",
    "SettingsError",
    "UnavailableError",
]


class HabitueError(Exception):
    """Everything that habitue raises on purpose."""


class DataError(HabitueError, ValueError):
    """What was handed in is wrong."""


class SchemaError(DataError):
    """Columns are missing, duplicated or of the wrong type."""


class LeakageError(DataError):
    """Records after the cutoff were found where none may be."""


class SettingsError(HabitueError, ValueError):
    """A recipe or settings file says something impossible."""


class FitError(HabitueError, RuntimeError):
    """A model could not be fitted to these data."""


class ConvergenceError(FitError):
    """The optimiser stopped before it found an optimum.

    Parameters
    ----------
    message : str
        What happened and what to try.
    iterations : int
        Iterations done.
    gradient_norm : float
        Largest absolute entry of the gradient where it stopped, per customer.
    params : Mapping[str, float]
        Parameters where it stopped.
    """

    def __init__(
        self, message: str, *, iterations: int, gradient_norm: float, params: Mapping[str, float]
    ) -> None:
        super().__init__(message)
        self.iterations = iterations
        self.gradient_norm = gradient_norm
        self.params = dict(params)


class RegistryError(HabitueError, LookupError):
    """No such model, version or alias in the registry."""


class UnavailableError(HabitueError, RuntimeError):
    """What is needed cannot be had just now, and the same call may do later.

    Another job is at the same batch; a database or a registry does not answer; a disk is full.
    """


class HabitueWarning(UserWarning):
    """Something is odd, and work goes on."""


class AssumptionWarning(HabitueWarning):
    """The data contradict what a model assumes."""


class ManySetAsideWarning(HabitueWarning):
    """More than one in twenty rows of a source was set aside: what follows speaks of the others only."""
