"""The solver's own words kept off the process's standard output, where an answer may be underway.

HiGHS 1.12 prints a line of debugging to standard output whatever it was told (HiGHS issue 2783, mended
upstream). In a command that answers with JSON that line would be taken for the answer.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["off_stdout"]

_STDOUT, _STDERR = 1, 2


@contextmanager
def off_stdout() -> Generator[None]:
    """Send what is printed meanwhile to standard error, also by C code.

    Examples
    --------
    >>> with off_stdout():
    ...     found = 2 + 2
    """
    sys.stdout.flush()
    flush = ctypes.CDLL(None).fflush
    try:
        kept = os.dup(_STDOUT)
    except OSError:  # no standard output that could be spoilt
        yield
        return
    try:
        flush(None)
        os.dup2(_STDERR, _STDOUT)
        yield
    finally:
        flush(None)  # C keeps what it prints until its buffer is full
        os.dup2(kept, _STDOUT)
        os.close(kept)
