"""What a run will take and cost, told from the size of its data before it starts."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyarrow import parquet

from build_scripts.data_size import LOOK_BYTES, DataSize, in_words, measure
from build_scripts.run_estimate import BINS_SHARE, BYTES_PER_ROW, DISK_BYTES_PER_CELL, Instances, Run, estimate
from build_scripts.step_modules import load
from settings_schema import Choice, Prices, Processing, Training, Tuning
from tests.example_models import ABALONE
from tests.unit.script_account import S3, refusal

PRICES = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.xlarge": 0.23})
M5 = Instances("ml.m5.xlarge", 1)
URL = "s3://data/training/abalone/"


def run_of(rows: int, **changes: Any) -> Run:
    given = {"model": ABALONE, "processing": M5, "training": M5, "prices": PRICES, "disk_gib": 30, **changes}
    return Run(data=DataSize(rows * 72, 1, rows, 9), **given)


def bucket(**files: bytes) -> S3:
    s3 = S3()
    for name, body in files.items():
        s3.put_object(Bucket="data", Key=f"training/abalone/{name.replace('_', '.')}", Body=body)
    return s3


def parquet_file(rows: int) -> bytes:
    """Of three columns; random, so that it is larger than what is looked at."""
    written = io.BytesIO()
    generator = np.random.default_rng(1)
    parquet.write_table(pa.table({name: generator.normal(size=rows) for name in "abc"}), written)
    return written.getvalue()


def test_a_parquet_file_says_its_rows_in_its_footer_and_nothing_else_of_it_is_read() -> None:
    s3, body = bucket(a_parquet=parquet_file(50_000)), []

    def ranged(**request: str) -> dict[str, Any]:
        body.append(request["Range"])
        return S3.get_object(s3, **request)

    s3.get_object = ranged  # type: ignore[method-assign]
    size = len(s3.objects["data/training/abalone/a.parquet"])
    assert measure(s3, URL) == DataSize(size, 1, 50_000, 3)
    assert body == [f"bytes={size - LOOK_BYTES}-{size - 1}"]


def test_the_rows_of_a_large_csv_file_are_reckoned_from_its_first_lines_and_those_of_a_small_one_counted() -> None:
    large = b"a,b\n" + b"1.25,2\n" * 100_000
    found = measure(bucket(a_csv=large), URL)
    assert found.is_about and found.columns == 2
    assert found.rows == pytest.approx(100_000, rel=0.001)
    assert measure(bucket(a_csv=b"a,b\n1,2\n3,4"), URL) == DataSize(11, 1, 2, 2)


def test_of_many_files_those_that_are_not_looked_at_are_taken_to_be_like_the_others() -> None:
    files = {f"f{number}_csv": b"a,b\n" + b"1,2\n" * 10 for number in range(14)}
    found = measure(bucket(**files), URL)
    assert (found.files, found.rows, found.columns) == (14, 140, 2)
    assert found.is_about


def test_what_may_not_be_read_has_bytes_only_and_what_is_no_file_of_its_kind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(a_parquet=b"no parquet at all")
    assert measure(s3, URL) == DataSize(17, 1)
    s3 = bucket(a_csv=b"a,b\n1,2\n")

    def refused(**_: str) -> dict[str, Any]:
        raise refusal("AccessDenied", "no", "GetObject")

    monkeypatch.setattr(s3, "get_object", refused)
    assert measure(s3, URL) == measure(s3, URL, looks=False) == DataSize(8, 1)
    monkeypatch.setattr(s3, "list_objects_v2", refused)
    with pytest.raises(ClientError):
        measure(s3, URL)


def test_the_size_is_said_in_units_that_a_person_reads() -> None:
    assert in_words(DataSize(1_200_000_000, 14, 10_000_000, 31, is_about=True)) == "1.2 GB in 14 files, about 10 M rows x 31"
    assert in_words(DataSize(191_000, 1, 4177, 9)) == "191 kB in 1 file, 4,177 rows x 9"
    assert in_words(DataSize(191_000, 1)) == "191 kB in 1 file"


def test_more_rows_take_longer_and_cost_more_and_each_trial_is_paid() -> None:
    few, many = estimate(run_of(10_000)), estimate(run_of(10_000_000))
    twice = estimate(run_of(10_000_000, model=ABALONE.but(tuning=Tuning(trials=8, parallel_trials=4))))
    assert few.usd is not None and many.usd is not None and twice.usd is not None
    assert many.minutes > few.minutes and many.usd > few.usd
    assert twice.minutes == pytest.approx(many.minutes) and twice.usd > many.usd


def test_a_search_takes_and_costs_no_more_than_its_minutes() -> None:
    budget = Tuning(trials=100, parallel_trials=10)
    long, short = (estimate(run_of(10_000_000, model=ABALONE.but(tuning=tuning))) for tuning in (budget, budget.but(max_minutes=5)))
    assert long.usd is not None and short.usd is not None
    assert short.minutes < long.minutes and short.usd < long.usd


def test_boosting_on_two_instances_takes_less_time_and_costs_as_much() -> None:
    boosting = ABALONE.but(algorithms=tuple(one for one in ABALONE.algorithms if one.name == "gradient_boosting"))
    one, two = (estimate(run_of(300_000_000, model=boosting, training=Instances("ml.m5.xlarge", count))) for count in (1, 2))
    assert two.minutes < one.minutes
    assert one.usd is not None and two.usd == pytest.approx(one.usd, rel=0.2)


@pytest.mark.parametrize(("rows", "engine"), [(1_000_000, "in memory"), (200_000_000, "external memory, bins on disk")])
def test_the_engine_is_the_one_that_training_chooses_by_the_memory_of_the_instance(rows: int, engine: str) -> None:
    (said,) = [line for line in estimate(run_of(rows)).lines if line.startswith("training: ")]
    assert engine in said
    assert "6 + 6 + 6 trials on 1 ml.m5.xlarge each" in said


def test_the_rule_for_memory_is_that_of_the_step() -> None:
    matrices = load("matrices")
    assert (BINS_SHARE, BYTES_PER_ROW) == (matrices.LARGEST_MEMORY_SHARE, matrices.BYTES_PER_ROW)


def test_what_the_step_refuses_for_want_of_disk_is_warned_of() -> None:
    assert load("large_files")._DISK_BYTES_OF_CELL == DISK_BYTES_PER_CELL
    rows, cells = 130_000_000, 130_000_000 * 9
    gib = DISK_BYTES_PER_CELL * cells / 2**30  # the step wants so much beside the files
    estimated = estimate(run_of(rows, disk_gib=int(gib)))
    assert any(line.startswith("warning") for line in estimated.lines)


def test_a_table_that_the_disk_does_not_hold_is_warned_of_with_what_to_set() -> None:
    assert not any(line.startswith("warning") for line in estimate(run_of(1_000_000)).lines)
    (warning,) = [line for line in estimate(run_of(400_000_000)).lines if line.startswith("warning")]
    assert "will not fit" in warning and "VOLUME_GIB in pipelines/tabular/jobs.py" in warning
    assert not any(line.startswith("warning") for line in estimate(run_of(400_000_000, disk_gib=500)).lines)


def test_a_price_that_is_not_noted_is_said_to_be_unknown_and_time_is_told_all_the_same() -> None:
    found = estimate(run_of(1000, training=Instances("ml.m7i.xlarge", 1)))
    assert found.usd is None
    assert found.lines[-1].endswith("no price of ml.m7i.xlarge in PRICES of settings.py")
    assert " min" in found.lines[-1]


def test_spare_capacity_is_told_to_cost_less_than_what_is_said() -> None:
    spot = estimate(run_of(1000, model=ABALONE.but(training=Training(use_spot=True))))
    assert "less on spare capacity (use_spot)" in spot.lines[-1]
    assert "use_spot" not in estimate(run_of(1000)).lines[-1]
    assert "noted 2026-01 in settings.py" in spot.lines[-1]


def test_spark_takes_less_time_on_more_instances_and_only_prepare_pays_for_them() -> None:
    """300 million rows: the driver's own share stays, whatever the number of instances."""
    on_spark = run_of(300_000_000, model=ABALONE.but(processing=Processing(spark=True)))
    one, nine = (estimate(replace(on_spark, processing=replace(on_spark.processing, count=count))) for count in (1, 9))
    assert one.minutes / 3 < nine.minutes < one.minutes
    assert one.usd is not None and nine.usd is not None and one.usd < nine.usd < 9 * one.usd
    assert any(line.startswith("prepare: 9 ml.m5.xlarge with Spark, ") for line in nine.lines)
    assert any(line.startswith("evaluation: 1 ml.m5.xlarge, ") for line in nine.lines)


def test_fitting_the_chosen_model_again_is_told_and_takes_time() -> None:
    again, single, never = (
        estimate(run_of(10_000_000, model=ABALONE.but(choice=choice))) for choice in (Choice(), Choice(blend=None), Choice(refit=False))
    )
    assert again.minutes > single.minutes > never.minutes
    (said,) = [line for line in single.lines if line.startswith("choice")]
    assert said.startswith("choice and refit: 1 ml.m5.xlarge, about ")
    assert "choice: 1 ml.m5.xlarge, about 4 min" in never.lines
