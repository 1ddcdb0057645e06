"""Step 2: one trial. Fits the algorithm named by a hyperparameter and prints its quality on the validation rows.

Inputs: the channels `train` and `validation` that `prepare.py` wrote. Output: the model folder, which SageMaker packs
as `model.tar.gz`, with `trial.json`: the hyperparameters in force, the decision threshold of a binary problem and the quality; and with
`predictions.json`: how its predictions on the validation rows are spread, which the endpoint compares its own with (`trial.py`).
The tuner reads the line of `tuner_contract.py`. On several instances all train the one model, and the first writes it (`hosts.py`).
Next: `choose.py`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import algorithms
import dataset
import failure
import hosts
import trial
import tuner_contract
from combined_rows import Unweighted
from failure import BadInput


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__, epilog="Further --name value pairs are the algorithm's hyperparameters.")
    named = os.environ.get(tuner_contract.ALGORITHM_VARIABLE)
    arguments.add_argument("--algorithm", default=named, required=named is None, help="a module of algorithms/")
    arguments.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    arguments.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation"))
    arguments.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    return arguments


def main(argv: list[str]) -> None:
    """Fits, measures and saves. Raises BadInput."""
    options, rest = parser().parse_known_args(argv)
    hyperparameters = _pairs(rest)
    all_hosts = hosts.of_job()
    train, validation = dataset.shards(Path(options.train)), dataset.shards(Path(options.validation))
    about, place = train.about, (all_hosts.rank, all_hosts.count)
    own, judged = (train, validation) if all_hosts.count == 1 else (train.share(*place), validation.every(*place))
    with hosts.together(all_hosts):
        model = algorithms.find(options.algorithm).fit(own, Unweighted(judged), about, hyperparameters)
    if not all_hosts.is_first:
        print(f"{all_hosts.current} trained with {all_hosts.names[0]}, which writes the model")
        return
    record, shares = trial.judged(options.algorithm, model, validation, about)
    if all_hosts.count > 1:
        record["instances"] = all_hosts.count
    folder = Path(options.model_dir)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder)
    trial.write(folder, record, shares)
    print(f"{options.algorithm} {json.dumps(model.settings, sort_keys=True)}")
    print(tuner_contract.line(about["metric"], about["problem"], record["validation"]))


def _pairs(rest: Sequence[str]) -> dict[str, str]:
    """`--name value` pairs. SageMaker's own (`_tuning_objective_metric`, `sagemaker_*`) are not the algorithm's."""
    if len(rest) % 2 or any(not name.startswith("--") for name in rest[::2]):
        raise BadInput(f"hyperparameters come as --name value pairs; got {' '.join(rest)}")
    pairs = {name[2:].replace("-", "_"): value for name, value in zip(rest[::2], rest[1::2], strict=True)}
    return {name: value for name, value in pairs.items() if not name.startswith(("_", "sagemaker_"))}


if __name__ == "__main__":
    failure.run(main)
