"""How LightGBM is loaded, wherever it is needed: late, and with threads that let others work."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

__all__ = ["load_lightgbm"]


def load_lightgbm() -> ModuleType:
    """Import LightGBM so that its threads sleep while they wait.

    Spinning threads are a little faster on an idle machine and ten times slower on a shared one, where a
    thread that waits keeps the one that works from its core. The variable counts when the library is first
    loaded; one that the user has set is left alone.

    Returns
    -------
    module
        ``lightgbm``.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return import_module("lightgbm")
