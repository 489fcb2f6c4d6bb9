"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of data sets beside the project, or skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the data sets that lie beside the project (../shared) are not here")
    return SHARED
