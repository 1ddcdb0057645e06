"""The steps of prepare.py in polars' words, streaming: run by the Python of an environment of its own, which `large.py` makes.

    python large_polars.py <task.json> <data.parquet> <folder>

task.json: {"numeric", "categorical", "target", "categories": how many a column keeps}. The same work: a hash of the bytes, counts and ends
of every column and its correlation with the answer, copies of rows, the split by a hash of the features, Tukey's fences, median, mean and
deviation of the training rows and their deciles with the rows between them, the most frequent categories, and three files: prepared
training and validation rows (one-hot columns as 8-bit integers, which is the smallest that polars has), and raw test rows.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

DECILES = [step / 10 for step in range(11)]


def main(task: dict[str, Any], data: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    with Path(data).open("rb") as file:
        hashlib.file_digest(file, "sha256")
    numeric, categorical, target = task["numeric"], task["categorical"], task["target"]
    table = pl.scan_parquet(data).with_columns(
        (pl.struct(*numeric, *categorical).hash() % 10_000).alias("place"), pl.struct(*numeric, *categorical, target).hash().alias("row")
    )
    table.select(
        pl.col("row").n_unique(),
        *(pl.col(name).null_count().alias(f"{name} gaps") for name in (*numeric, *categorical)),
        *(end(pl.col(name)).alias(f"{name} {end.__name__}") for name in numeric for end in (pl.Expr.min, pl.Expr.max)),
        *(pl.corr(name, target).alias(f"{name} follows") for name in numeric),
    ).collect(engine="streaming")
    train = table.filter(pl.col("place") >= 3000)
    state, kept = fitted(train, numeric), most_frequent(train, categorical, task["categories"])
    columns = [pl.col(target), *(expression for name in numeric for expression in prepared(name, state[name]))]
    for name, values in kept.items():
        columns += [(pl.col(name) == value).fill_null(False).cast(pl.Int8).alias(f"{name}={value}") for value in values]
        columns.append((~pl.col(name).is_in(values)).fill_null(False).cast(pl.Int8).alias(f"{name}=<other>"))
        columns.append(pl.col(name).is_null().cast(pl.Int8).alias(f"{name}=<missing>"))
    train.select(columns).sink_parquet(folder / "train.parquet")
    table.filter(pl.col("place").is_between(1500, 2999)).select(columns).sink_parquet(folder / "validation.parquet")
    table.filter(pl.col("place") < 1500).drop("place", "row").sink_parquet(folder / "test.parquet")
    (folder / "state.json").write_text(json.dumps(state))


def fitted(train: pl.LazyFrame, numeric: list[str]) -> dict[str, dict[str, float]]:
    shares = sorted({*DECILES, 0.25, 0.75})
    quantiles = train.select(pl.col(name).quantile(shares, "linear") for name in numeric).collect(engine="streaming").row(0, named=True)
    found = {f"{name} {share}": value for name in numeric for share, value in zip(shares, quantiles[name], strict=True)}
    state = {}
    for name in numeric:
        first, third = found[f"{name} 0.25"], found[f"{name} 0.75"]
        reach = 3 * (third - first)
        state[name] = {"lower": first - reach, "upper": third + reach, "fill": found[f"{name} 0.5"]}
    sums = [
        *(pl.col(name).clip(state[name]["lower"], state[name]["upper"]).mean().alias(f"{name} centre") for name in numeric),
        *(pl.col(name).clip(state[name]["lower"], state[name]["upper"]).std(ddof=0).alias(f"{name} scale") for name in numeric),
        *(pl.col(name).mean().alias(f"{name} mean") for name in numeric),
        *(pl.col(name).std(ddof=0).alias(f"{name} deviation") for name in numeric),
        *((pl.col(name) < found[f"{name} {share}"]).sum().alias(f"{name} below {share}") for name in numeric for share in DECILES[1:-1]),
    ]
    facts = train.select(sums).collect(engine="streaming").row(0, named=True)
    for name in numeric:
        state[name] |= {"centre": facts[f"{name} centre"], "scale": facts[f"{name} scale"]}
    return state


def most_frequent(train: pl.LazyFrame, categorical: list[str], count: int) -> dict[str, list[str]]:
    kept = {}
    for name in categorical:
        counts = train.group_by(name).len().collect(engine="streaming").drop_nulls()
        kept[name] = sorted(counts.sort(["len", name], descending=[True, False])[name].head(count).to_list())
    return kept


def prepared(name: str, state: dict[str, float]) -> list[pl.Expr]:
    filled = pl.col(name).fill_null(state["fill"]).clip(state["lower"], state["upper"])
    scaled = ((filled - state["centre"]) / state["scale"]).cast(pl.Float32)
    return [scaled.alias(name), pl.col(name).is_null().cast(pl.Int8).alias(f"{name}=<missing>")]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], Path(sys.argv[3]))
