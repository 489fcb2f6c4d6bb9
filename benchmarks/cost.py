"""Measures what records cost, from a hundred thousand to a hundred million: ``python -m benchmarks.cost``.

It prints the tables of docs/explanation/cost.md. ``--most N`` stops at so many purchases; ``--spark N`` takes
Spark in local mode instead, on so many (pyspark and Java 17).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import alone
from benchmarks.purchases import CUTOFF, HORIZON, stored_purchases
from habitue.features import LITERATURE, Feature, features_for, statement

SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000)
WORKS = ("door_on_disk", "literature_to_file_on_disk", "everything_to_file_on_disk")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number of purchases")
    parser.add_argument("--spark", type=int, help="measure Spark on so many purchases instead")
    asked = parser.parse_args()
    if asked.spark:
        on_spark(asked.spark)
        return
    print("| purchases | door | four columns | all features | memory at most | log on disk |")
    print("|---|---|---|---|---|---|", flush=True)
    for n_rows in (size for size in SIZES if size <= asked.most):
        with tempfile.TemporaryDirectory() as folder:
            path = stored_purchases(Path(folder), n_rows)
            done = [alone(work, path, repeats=1) for work in WORKS]
            times = " | ".join(f"{one.seconds:.3g} s" for one in done)
            peak = max(one.facts["peak"] for one in done)
            held = path.with_suffix(".duckdb").stat().st_size / 2**20
            print(f"| {n_rows:,} | {times} | {peak:,.0f} MB | {held:,.0f} MB |", flush=True)


def on_spark(n_rows: int) -> None:
    """Measure the same statements in local mode, from Parquet to Parquet, the door's checks included."""
    from pyspark.sql import SparkSession

    from habitue.records.spark import read_spark_log

    cores = os.cpu_count()
    spark = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.driver.memory", "6g")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    with tempfile.TemporaryDirectory() as folder:
        purchases = spark.read.parquet(str(stored_purchases(Path(folder), n_rows)))
        log = read_spark_log(spark, transactions=purchases, observed_until="2023-12-31")
        history = log.until(CUTOFF)

        def write(features: tuple[Feature, ...]) -> float:
            start = time.perf_counter()
            query = log.engine.query(
                statement(history, features), {"cutoff": history.cutoff, "horizon": HORIZON}
            )
            query.write.mode("overwrite").parquet(str(Path(folder) / "features"))
            return time.perf_counter() - start

        four, everything = write(LITERATURE), write(features_for(history))
        print(f"| {n_rows:,} | {four:.3g} s | {everything:.3g} s | local[{cores}] |")
    spark.stop()


if __name__ == "__main__":
    main()
