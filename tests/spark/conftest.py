"""One local Spark for all tests, and the log of everything that it is tried on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from many_logs import Everything, everything

OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "2g",
    # Short lives gain nothing from the second compiler.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    # Not UTC, so that whatever depends on a session's zone shows.
    "spark.sql.session.timeZone": "America/New_York",
    "spark.log.level": "ERROR",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Spark on two cores of this machine, or skip."""
    sql = pytest.importorskip("pyspark.sql", reason="the extra habitue[spark] is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, which is not here")
    # Who answers with Python needs this one, not the first python3 on the path.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").appName("habitue")
    builder = builder.config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
    for name, value in OPTIONS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """Return a log of all kinds of record with all features, built by the embedded database."""
    return everything(tmp_path_factory.mktemp("everything"))
