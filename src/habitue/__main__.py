"""The process behind the command ``habitue``, and ``python -m habitue``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from habitue.cli import EXIT_CODES, main

__all__ = ["run"]


def run() -> NoReturn:
    """Run the command line and end the process with its exit code.

    After an interruption the process ends at once: a thread that a library was just starting when the signal
    came may never be told to stop, and an orderly exit would wait for it for ever. By then files and runs are
    in order.
    """
    code = main()
    if code == EXIT_CODES[KeyboardInterrupt]:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
