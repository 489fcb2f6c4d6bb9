"""The how-to of Spark tells the truth: its code runs, block after block."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from habitue.models import BGNBD, BTYDChurnClassifier, ChurnAnswers
from habitue.tracking import log_training, open_store, set_champion

pytestmark = [
    pytest.mark.slow,
    pytest.mark.spark,
    # Only Arrow goes between the two.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "spark.md"


def register_a_champion(home):
    """Put a small churn model in use, as `habitue train` does."""
    store = open_store(home)
    X = pd.DataFrame(
        {
            "frequency": [0.0, 3, 1, 8, 0, 2],
            "recency": [0.0, 60, 9, 88, 0, 40],
            "T": [90.0, 80, 70, 90, 30, 60],
        }
    )
    classifier = BTYDChurnClassifier(horizon=90, purchases=BGNBD(penalizer=0.1)).fit(X)
    log_training(
        store,
        experiment="churn",
        run_name="BG/NBD",
        params={},
        metrics={},
        model=ChurnAnswers(classifier=classifier, purchases=classifier.purchases_, horizon=90),
        registered_name="habitue-churn",
        input_example=X.head(3),
    )
    when = datetime(2024, 10, 1, tzinfo=UTC)
    set_champion(store, "habitue-churn", 1, why="the only one", when=when)


def test_the_code_of_the_page_runs(spark, tmp_path, monkeypatch, mlflow_home):
    if not PAGE.is_file():
        pytest.skip("docs/ lies beside src/ and is no part of what is installed")
    monkeypatch.chdir(tmp_path)
    spark.sql("CREATE DATABASE sales")
    spark.sql(
        "CREATE TABLE sales.orders AS SELECT id % 40 AS buyer, TIMESTAMP '2024-01-01 10:00:00 UTC' "
        "+ MAKE_DT_INTERVAL(CAST(id AS INT)) AS ordered_at, CAST(id % 7 AS DECIMAL(18, 2)) AS total "
        "FROM RANGE(300)"
    )
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    register_a_champion(tmp_path / "mlruns")
    namespace = {"spark": spark}
    try:
        for block in re.findall(
            r"^```py\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            exec(compile(block, str(PAGE), "exec"), namespace)
        assert spark.table("sales.matrix").count() == 40
        scores = spark.table("sales.scores").collect()
        assert len(scores) == 40
        assert all(0.0 <= one.churn_probability <= 1.0 for one in scores)
        # With the page's last way to ask, reasons come for those alone who may well leave.
        asked = namespace["churn"](namespace["struct"](*namespace["columns"])).alias("told")
        told = spark.table("sales.matrix").select(asked).select("told.*").collect()
        assert all((one.reason_1 != "") == (one.churn_probability >= 0.5) for one in told)
    finally:
        spark.sql("DROP DATABASE IF EXISTS sales CASCADE")
