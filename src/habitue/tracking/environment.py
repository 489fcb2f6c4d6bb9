"""How MLflow behaves in our process: no telemetry, no guessing at requirements, no progress bars.

What it is for: settings that MLflow reads from the environment, some of them while it is imported. This
module is therefore the first that the package imports. A variable that is set already is left as it is:
whoever starts the process decides.

What it deliberately is not: a global change of Python's warnings or logging. `quiet` lowers MLflow's chatter
for the time of one call of ours and puts everything back.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["SETTINGS", "quiet"]

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read at import: usage is nobody else's business
    "MLFLOW_UV_AUTO_DETECT": "false",  # else a uv.lock in the working directory travels with every model
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # its own 7, each waiting twice as long, take minutes to say no
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # else a command's output is mixed with addresses
}
"""The environment variables that are set, unless they are set already, and to what."""

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)

# MLflow warns of its own type hints while it is imported. Whoever turns warnings into errors could not import
# it at all; so this one import, and nothing after it, goes unwarned.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    importlib.import_module("mlflow.pyfunc")

_CHATTY = ("mlflow", "alembic")


@contextmanager
def quiet() -> Generator[None]:
    """Silence MLflow's progress messages and its use of what others deprecate, while a block runs.

    Its own warnings in the log stay, such as one about packages of other versions than a model was made
    with.

    Yields
    ------
    None
        Nothing; afterwards the loggers speak as before.

    Examples
    --------
    >>> with quiet():
    ...     logging.getLogger("mlflow").isEnabledFor(logging.INFO)
    False
    """
    loggers = [logging.getLogger(name) for name in _CHATTY]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
