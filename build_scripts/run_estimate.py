"""What a run will take and cost, before it starts: a pure function of the data's size, the model, the instances and the prices.

The rates are processor seconds on the machine of benchmarks/README.md, measured once (docs/scale.md says how): an estimate that is right
within a factor of two says what it is for, whether to wait and whether to ask somebody first. Input: `Run`. Output: lines.
Used by run_pipeline.py and upload_data.py; afterwards run_bill.py says what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from build_scripts.data_size import DataSize, bytes_in_words, in_words
from capacity.sharing import size_of
from settings_schema import Algorithm, Model, Prices

#: An instance is there and has its image: assumed, since nothing here was measured in AWS (docs/parity.md). It is waited for, not paid.
START_MINUTES = 3.0
#: Of each job, beside its work: reading the data from S3 and writing what it made.
JOB_SECONDS = 30.0
#: Bytes of a row and column in the files, where nobody may look into them: compressed Parquet has fewer, CSV about as many.
BYTES_PER_CELL = 8
#: Processor seconds for a million cells (rows times columns) of the table, in one thread: 130,000 rows more of 31 columns took 1.7.
PREPARE_SECONDS = 0.45
#: With Spark: until YARN, Spark and their packages are there; what the driver does alone, of those processor seconds; and what the rest
#: becomes by being sent about. The second is of a profile of a million rows of Parquet; the others are assumed: nothing of it ran in AWS.
SPARK_SECONDS, DRIVER_SHARE, SENT_ABOUT = 90.0, 0.45, 1.5
#: ... for a million cells of the training rows, over all threads: a round of boosting (depth 6), and a tree of a forest (depth 10).
ROUND_SECONDS, TREE_SECONDS = 0.008, 0.018
#: ... and a linear model.
LINEAR_SECONDS = 0.8
#: ... for a million cells of the test rows, and for whatever is on a sample of them.
EVALUATE_SECONDS, SAMPLE_SECONDS = 3.0, 120.0
SAMPLED_CELLS = 1.5  # millions: 50,000 rows of 31 columns
#: How much of the memory bins may take, and what XGBoost keeps of each row (pipelines/tabular/steps/matrices.py; a test compares them).
BINS_SHARE, BYTES_PER_ROW = 0.5, 75
#: What Prepare refuses to begin without, of each cell (pipelines/tabular/steps/large_files.py; likewise).
DISK_BYTES_PER_CELL = 27
#: Prepared columns of a categorical column whose values are not declared.
COLUMNS_PER_CATEGORY = 20
#: What the algorithms do where a model's file does not say (pipelines/tabular/steps/algorithms/): early stopping ends most before that.
ROUNDS, TREES = 500, 100


@dataclass(frozen=True)
class Instances:
    """Of one kind of job."""

    instance_type: str
    count: int

    @property
    def cores(self) -> float:
        size = size_of(self.instance_type)
        return size.cores if size else 4.0

    @property
    def memory_bytes(self) -> float | None:
        size = size_of(self.instance_type)
        return None if size is None else size.memory_mb * 2**20


@dataclass(frozen=True)
class Run:
    """`disk_gib`: of each job's instance (VOLUME_GIB of pipelines/tabular/jobs.py)."""

    data: DataSize
    model: Model
    processing: Instances
    training: Instances
    prices: Prices
    disk_gib: int

    @property
    def rows(self) -> float:
        columns = len(self.model.data.features) + 1
        return self.data.rows if self.data.rows is not None else self.data.bytes / BYTES_PER_CELL / columns

    @property
    def cells(self) -> float:
        """Millions, of the table."""
        return self.rows * (len(self.model.data.features) + 1) / 1e6

    @property
    def prepared_columns(self) -> int:
        categories = (len(column.values) + 1 if column.values else COLUMNS_PER_CATEGORY for column in self.model.data.categorical)
        return len(self.model.data.numeric) + sum(categories)

    @property
    def learned_rows(self) -> float:
        split = self.model.preparation.split
        return self.rows * (1 - split.validation - split.test)

    @property
    def refitted_rows(self) -> float:
        """Training and validation rows, where the chosen model is fitted again on them."""
        return self.rows * (1 - self.model.preparation.split.test) if self.model.choice.refit else 0.0


@dataclass(frozen=True)
class Estimate:
    """`usd`: None where a price is not known."""

    lines: list[str]
    minutes: float
    usd: float | None

    @property
    def total(self) -> str:
        return f"about {_minutes(self.minutes)}" + (f" and {self.usd:,.2f} USD" if self.usd is not None else "")


def estimate(run: Run) -> Estimate:
    prepare = _prepare_seconds(run)
    threads = run.training.cores * run.training.count
    trial = {algorithm.name: JOB_SECONDS + _fit_seconds(run, algorithm, run.learned_rows, threads) for algorithm in run.model.algorithms}
    refits = [_fit_seconds(run, algorithm, run.refitted_rows, run.processing.cores) for algorithm in run.model.algorithms]
    blended = run.model.choice.blend.max_members if run.model.choice.blend else 1
    choose = JOB_SECONDS + sum(sorted(refits)[-blended:])
    judged = run.cells * run.model.preparation.split.test
    evaluate = JOB_SECONDS + EVALUATE_SECONDS * judged + SAMPLE_SECONDS * min(1.0, judged / SAMPLED_CELLS)
    tuning = run.model.tuning
    waves = math.ceil(tuning.trials / tuning.parallel_trials)
    longest = min(waves * (START_MINUTES + max(trial.values()) / 60), tuning.max_minutes or math.inf)
    minutes = 3 * START_MINUTES + (prepare + choose + evaluate) / 60 + longest
    most = 60 * tuning.parallel_trials * (tuning.max_minutes or math.inf)
    processed = prepare * run.processing.count + choose + evaluate  # choice and evaluation take one instance
    trained = sum(min(tuning.trials * seconds, most) for seconds in trial.values()) * run.training.count
    usd = _usd(run, processed, trained)
    engine = " with Spark" if run.model.processing.spark else ""
    counts = " + ".join([str(tuning.trials)] * len(trial))
    lines = [
        f"data: {in_words(run.data)}",
        f"prepare: {_instances(run.processing)}{engine}, about {_minutes(START_MINUTES + prepare / 60)}",
        f"training: {_engine(run)}, {counts} trials on {_instances(run.training)} each, {len(trial) * tuning.parallel_trials} at once, "
        f"about {_minutes(longest)}",
        f"choice{' and refit' if run.refitted_rows else ''}: 1 {run.processing.instance_type}, "
        f"{'at most ' if run.refitted_rows and blended > 1 else ''}about {_minutes(START_MINUTES + choose / 60)}",
        f"evaluation: 1 {run.processing.instance_type}, about {_minutes(START_MINUTES + evaluate / 60)}",
        *_too_large(run),
    ]
    found = Estimate(lines, minutes, usd)
    return Estimate([*lines, f"together {found.total}{_at_prices(run, usd)}"], minutes, usd)


def _prepare_seconds(run: Run) -> float:
    work = PREPARE_SECONDS * run.cells
    if not run.model.processing.spark:
        return JOB_SECONDS + work
    spread = (1 - DRIVER_SHARE) * SENT_ABOUT / (run.processing.cores * run.processing.count)
    return JOB_SECONDS + SPARK_SECONDS + work * (DRIVER_SHARE + spread)


def _fit_seconds(run: Run, algorithm: Algorithm, rows: float, cores: float) -> float:
    cells = rows * run.prepared_columns / 1e6
    fixed = algorithm.fixed
    if algorithm.name == "linear":
        return LINEAR_SECONDS * cells
    threads = max(1.0, cores)
    if algorithm.name == "random_forest":
        return TREE_SECONDS * cells * float(fixed.get("num_parallel_tree", TREES)) / threads
    return ROUND_SECONDS * cells * float(fixed.get("num_round", ROUNDS)) / threads


def _engine(run: Run) -> str:
    """As steps/matrices.py decides: trees learn from bins of a byte a cell."""
    memory = run.training.memory_bytes
    if memory is None:
        return f"memory of {run.training.instance_type} not known"
    needed = run.rows * (1 - run.model.preparation.split.test) * (run.prepared_columns + BYTES_PER_ROW) / run.training.count
    return "in memory" if needed <= BINS_SHARE * memory else "external memory, bins on disk"


def _too_large(run: Run) -> list[str]:
    """On the disk of Prepare lie the files, the columns that they are sorted into (8 bytes a cell) and the prepared rows; the step refuses
    less than it reckons with itself.
    """
    needed = run.data.bytes + max(DISK_BYTES_PER_CELL * 1e6 * run.cells, 8e6 * run.cells + 4 * run.rows * run.prepared_columns)
    room = run.disk_gib * 2**30
    if needed <= room:
        return []
    remedy = f"raise VOLUME_GIB in pipelines/tabular/jobs.py to {math.ceil(needed / 2**30)}"
    return [f"warning: this will not fit: about {bytes_in_words(needed)} on a disk of {bytes_in_words(room)}; {remedy}"]


def _usd(run: Run, processing_seconds: float, training_seconds: float) -> float | None:
    """Of the seconds of all instances."""
    work = ((run.processing, processing_seconds), (run.training, training_seconds))
    hourly = [run.prices.usd_per_hour.get(instances.instance_type) for instances, _ in work]
    if None in hourly:
        return None
    return sum(price * seconds / 3600 for price, (_, seconds) in zip(hourly, work, strict=True) if price)


def _at_prices(run: Run, usd: float | None) -> str:
    if usd is None:
        unknown = sorted({run.processing.instance_type, run.training.instance_type} - set(run.prices.usd_per_hour))
        return f"; what it costs is not known: no price of {', '.join(unknown)} in PRICES of settings.py"
    spot = ", and less on spare capacity (use_spot), whose price changes" if run.model.training.use_spot else ""
    return f" at the on-demand prices noted {run.prices.as_of} in settings.py{spot}"


def _instances(instances: Instances) -> str:
    return f"{instances.count} {instances.instance_type}"


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
