"""Answers by ``spark_udf`` against the same model in process, and that they are the same.

``python -m benchmarks.spark_scoring`` prints one line; ``--rows 1000000`` asks of so many customers. Spark
runs in local mode on two cores: what is measured is what crossing between it and Python costs, not a cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.boosting import HORIZON, customers
from benchmarks.measuring import best
from habitue.models import BGNBD, BoostedChurnClassifier, ChurnAnswers
from habitue.tracking import LoadedModel, Store, download, load, log_training, open_store, resolve

FEATURES = 48
_LEARNED_FROM = 50_000
_CORES = 2


class Compared(NamedTuple):
    """Seconds of both, and of Spark's first answer, which starts Python workers and loads the model there.

    Attributes
    ----------
    local, spark, first : float
        Wall time in seconds.
    equal : bool
        Whether every answer is the same to the last digit.
    """

    local: float
    spark: float
    first: float
    equal: bool


def registered(home: Path) -> tuple[Store, LoadedModel]:
    """Register the template's LightGBM churn model, and return it as it comes back."""
    X, churned, _ = customers(_LEARNED_FROM, FEATURES, seed=1)
    trees = BoostedChurnClassifier(horizon=HORIZON, n_jobs=_CORES).fit(X, churned)
    model = ChurnAnswers(classifier=trees, purchases=BGNBD().fit(X), horizon=HORIZON)
    store = open_store(home)
    log_training(
        store,
        experiment="benchmark",
        run_name="churn",
        params={},
        metrics={},
        model=model,
        registered_name="habitue-churn",
        input_example=X.head(3).fillna(0.0),
    )
    return store, load(store, resolve(store, "habitue-churn/1"))


def session(folder: Path) -> Any:
    """Start Spark on two cores."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = (
        SparkSession.builder.master(f"local[{_CORES}]").appName("habitue").config("spark.ui.enabled", "false")
    )
    # A few large batches: each costs a crossing, and each task loads the model once.
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 100_000)
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    return builder.config("spark.log.level", "ERROR").getOrCreate()


def compared(n_rows: int, folder: Path) -> Compared:
    """Answer from one Parquet file into another, here and by Spark."""
    import mlflow
    from pyspark.sql.functions import struct

    store, loaded = registered(folder / "mlruns")
    verified = download(store, loaded.version, folder / "verified")
    asked, told = folder / "asked.parquet", folder / "told"
    X = customers(n_rows, FEATURES, seed=2).X.loc[:, loaded.input_columns].astype("float64")
    X.rename_axis("customer_id").reset_index().to_parquet(
        asked, index=False, row_group_size=-(-n_rows // _CORES)
    )

    def here() -> None:
        known = pd.read_parquet(asked).set_index("customer_id")
        loaded.predict(known).reset_index().to_parquet(folder / "here.parquet", index=False)

    spark = session(folder)
    answer = mlflow.pyfunc.spark_udf(spark, str(verified), env_manager="local")

    def there() -> None:
        of = spark.read.parquet(str(asked)).repartition(_CORES)
        answers = of.select("customer_id", answer(struct(*loaded.input_columns)).alias("told"))
        answers.select("customer_id", "told.*").write.mode("overwrite").parquet(str(told))

    began = time.perf_counter()
    there()
    first = time.perf_counter() - began
    try:
        took = Compared(best(here), best(there, 2), first, equal=_equal(folder / "here.parquet", told))
    finally:
        spark.stop()
    return took


def _equal(one: Path, other: Path) -> bool:
    frames = [pd.read_parquet(path).set_index("customer_id").sort_index() for path in (one, other)]
    return frames[0].equals(frames[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark_scoring")
    parser.add_argument("--rows", type=int, default=400_000)
    n_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        took = compared(n_rows, Path(folder))
    if not took.equal:
        raise RuntimeError("Spark's answers are not those of the model in process")
    print(
        f"{n_rows:,} customers, {FEATURES} features, Parquet to Parquet, {_CORES} cores: "
        f"in process {took.local:.2f} s ({n_rows / took.local:,.0f} a second), "
        f"Spark {took.spark:.2f} s ({n_rows / took.spark:,.0f} a second), first answer {took.first:.1f} s; "
        f"Spark takes {took.spark / took.local:.2f} times as long. Answers equal to the last digit."
    )


if __name__ == "__main__":
    main()
