"""The how-to of Spark tells the truth: its code runs, block after block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.spark]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "spark.md"


def test_the_code_of_the_page_runs(spark, tmp_path, monkeypatch):
    if not PAGE.is_file():
        pytest.skip("docs/ lies beside src/ and is no part of what is installed")
    monkeypatch.chdir(tmp_path)
    spark.sql("CREATE DATABASE sales")
    spark.sql(
        "CREATE TABLE sales.orders AS SELECT id % 40 AS buyer, TIMESTAMP '2024-01-01 10:00:00 UTC' "
        "+ MAKE_DT_INTERVAL(CAST(id AS INT)) AS ordered_at, CAST(id % 7 AS DECIMAL(18, 2)) AS total "
        "FROM RANGE(300)"
    )
    namespace = {"spark": spark}
    try:
        for block in re.findall(
            r"^```py\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            exec(compile(block, str(PAGE), "exec"), namespace)
        assert spark.table("sales.matrix").count() == 40
    finally:
        spark.sql("DROP DATABASE IF EXISTS sales CASCADE")
