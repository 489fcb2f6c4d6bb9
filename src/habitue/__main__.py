"""``python -m habitue`` is the same as ``habitue``."""

from __future__ import annotations

import sys

from habitue.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
