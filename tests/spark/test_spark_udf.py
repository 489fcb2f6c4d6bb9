"""The same model behind ``mlflow.pyfunc.spark_udf`` and behind `LoadedModel.predict`: the same last digit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pandas as pd
import pytest

from habitue.pipelines.settings import read_settings
from habitue.snapshots import Population, Window, take_snapshot
from habitue.tracking import LoadedModel, download, load, open_store, resolve

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    # Only Arrow goes between the two, and what comes back is compared with what went in.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

REASONS = ["reason_1", "reason_2", "reason_3"]
BATCH = 97
"""Customers that Spark hands over at a time: no divisor of how many there are, nor of any of our blocks."""


class Served(NamedTuple):
    """A registered version in memory, its verified folder, and the customers it is asked about."""

    loaded: LoadedModel
    folder: Path
    X: pd.DataFrame


@pytest.fixture(scope="module")
def served(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Return what brings a registered version of the templates, such as ``habitue-churn/2``, back twice."""
    store, folder = open_store(shop / "mlruns"), tmp_path_factory.mktemp("verified")
    log = read_settings(shop / "habitue.toml").read(shop, today=None)

    def bring(reference: str) -> Served:
        version = resolve(store, reference)
        loaded, place = load(store, version), folder / reference.replace("/", "-")
        if not place.exists():
            download(store, version, place)
        answers = loaded.answers
        population = Population.from_json(answers.population)
        window = Window(log.observed_until, answers.horizon)
        X = take_snapshot(log, window, loaded.input_columns, population=population).X
        return Served(loaded, place, X.loc[:, loaded.input_columns].astype("float64"))

    return bring


@pytest.fixture
def in_small_batches(spark: Any) -> Iterator[Any]:
    """Give Spark with batches so small that no answer can depend on who is asked about together."""
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(setting)
    spark.conf.set(setting, BATCH)
    yield spark
    spark.conf.set(setting, before)


def answered_by_spark(spark: Any, one: Served, folder: Path, **asked: Any) -> pd.DataFrame:
    """Let Spark answer from a Parquet file into another, by the customers' ids."""
    from pyspark.sql.functions import struct

    asked_file, told_folder = folder / "asked.parquet", folder / "told"
    one.X.reset_index().to_parquet(asked_file, index=False)
    answer = mlflow.pyfunc.spark_udf(spark, str(one.folder), env_manager="local", **asked)
    asked_of = spark.read.parquet(str(asked_file)).repartition(3)
    told = asked_of.select("customer_id", answer(struct(*one.loaded.input_columns)).alias("told"))
    told.select("customer_id", "told.*").write.parquet(str(told_folder))
    return pd.read_parquet(told_folder).set_index("customer_id").sort_index()


def assert_to_the_last_digit(told: pd.DataFrame, local: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(told, local.sort_index(), check_exact=True)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("name", ["habitue-churn", "habitue-clv"])
def test_each_model_of_the_templates_answers_on_spark_as_it_does_here(
    served: Callable[[str], Served], in_small_batches: Any, tmp_path: Path, name: str, version: int
) -> None:
    one = served(f"{name}/{version}")
    # What comes out, texts too, is read from the signature.
    told = answered_by_spark(in_small_batches, one, tmp_path)
    assert len(told) > 2 * BATCH
    assert_to_the_last_digit(told, one.loaded.predict(one.X))


def test_another_horizon_can_be_asked_for(
    served: Callable[[str], Served], in_small_batches: Any, tmp_path: Path
) -> None:
    one = served("habitue-clv/1")  # the probability model, which answers for any
    told = answered_by_spark(in_small_batches, one, tmp_path, params={"horizon": 45})
    local = one.loaded.predict(one.X, horizon=45)
    assert_to_the_last_digit(told, local)
    assert (local["clv"] != one.loaded.predict(one.X)["clv"]).any()


def test_reasons_come_where_the_result_type_names_them(
    served: Callable[[str], Served], in_small_batches: Any, tmp_path: Path
) -> None:
    one = served("habitue-churn/2")
    columns = ["p_alive double", "churn_probability double", *(f"{name} string" for name in REASONS)]
    told = answered_by_spark(
        in_small_batches, one, tmp_path, params={"reasons": True}, result_type=", ".join(columns)
    )
    assert_to_the_last_digit(told, one.loaded.predict(one.X, reasons=True))
    assert told["reason_1"].str.len().gt(0).all()


def test_missing_values_arrive_as_missing(
    served: Callable[[str], Served], in_small_batches: Any, tmp_path: Path
) -> None:
    one = served("habitue-churn/2")
    needed = ("frequency", "recency", "T")
    holes = one.X.mask((one.X * 7).sum(axis=1) % 3 < 1).fillna({name: one.X[name] for name in needed})
    assert holes.isna().any(axis=None)
    asked = one._replace(X=holes)
    assert_to_the_last_digit(answered_by_spark(in_small_batches, asked, tmp_path), one.loaded.predict(holes))
