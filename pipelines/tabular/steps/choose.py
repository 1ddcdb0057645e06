"""Step 3: the best candidate on the validation rows, or a blend of them, is fitted again on training and validation rows and packed.

Inputs: one folder `candidate-*` per algorithm, each with the best trial's `model.tar.gz`; `train`, `validation` and `preparation`.
Outputs: `model/model.tar.gz` (fitted preparation, model, serving code, where it came from: equal inputs give
equal bytes) and `choice/choice.json` (who competed). Next: `evaluate.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import archive
import competition
import dataset
import failure
import prediction_shares
import refit
import trial
from combined_rows import Together
from competition import Candidate
from dataset import Shards
from specification import Specification, load

#: Their versions change predictions, so they belong to the identity of a model. `xgboost` may be installed as xgboost-cpu.
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "xgboost")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candidates", default="/opt/ml/processing/input", help="folder that holds the folders candidate-*")
    arguments.add_argument("--train", default="/opt/ml/processing/input/train", help="output `train` of prepare.py")
    arguments.add_argument("--validation", default="/opt/ml/processing/input/validation", help="output `validation` of prepare.py")
    arguments.add_argument("--preparation", default="/opt/ml/processing/input/preparation", help="output `preparation` of prepare.py")
    arguments.add_argument("--output", default="/opt/ml/processing/output")
    arguments.add_argument("--weights", help="name=weight name=weight: the blend that was chosen once, instead of a competition")
    arguments.add_argument("--specification", help="specification.json; default: the one beside this script")
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    specification = load(options.specification)
    preparation, output = Path(options.preparation), Path(options.output)
    with _scratch(output) as scratch:
        candidates = _candidates(options, specification, scratch)
        best = candidates[0]
        parts = ("train", "validation") if specification.choice["refit"] else ("train",)
        model = _model_files(best, [dataset.shards(Path(vars(options)[name])) for name in parts], scratch / "model")
    code = archive.code_files(Path(__file__).parent)
    version = {
        **best.record,
        **_data(preparation, parts),
        "schema_sha256": specification.schema_sha256,
        "specification_sha256": specification.sha256,
        "code_sha256": archive.sha256(code),
        "libraries": libraries(),
    }
    members = {
        **model,
        prediction_shares.FILE: json.dumps(best.shares).encode(),
        "version.json": json.dumps(version, indent=1, sort_keys=True).encode(),
        "preparation.json": (preparation / "preparation.json").read_bytes(),
        **{f"code/{name}": content for name, content in code.items()},
    }
    _write(output, archive.pack(members), candidates)
    standings = ", ".join(f"{candidate.algorithm} {candidate.record['validation']:.5g}" for candidate in candidates)
    print(f"chose {best.algorithm} by validation {best.record['metric']} ({standings})")


def _candidates(options: argparse.Namespace, specification: Specification, scratch: Path) -> list[Candidate]:
    """The chosen one first."""
    single = competition.trials(Path(options.candidates), scratch, specification)
    if options.weights:
        weights = {name: float(weight) for name, weight in (pair.split("=") for pair in options.weights.split(" "))}
        return [competition.of_weights(single, weights, Path(options.validation)), *single]
    return competition.with_blend(single, Path(options.validation), specification)


def _model_files(best: Candidate, parts: Sequence[Shards], folder: Path) -> dict[str, bytes]:
    """The files of the chosen model, by their path in the archive: of the trial, or of a model that is fitted again on two parts."""
    if len(parts) == 1 and best.folder is not None:
        return {file.name: file.read_bytes() for file in best.folder.iterdir() if file.is_file() and file.name != trial.FILE}
    folder.mkdir()
    model = best.load(parts[0].about) if len(parts) == 1 else refit.on_all_rows(best.record, Together(*parts), parts[0].about)
    model.save(folder)
    if len(parts) > 1:
        counts = " and ".join(f"{part.rows:,}" for part in parts)
        print(f"fitted {best.algorithm} again on {counts} training and validation rows: {json.dumps(model.settings, sort_keys=True)}")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@contextlib.contextmanager
def _scratch(output: Path) -> Iterator[Path]:
    """A folder on the volume that the outputs are written to, where bins are kept that memory does not hold (matrices.py), too."""
    before = tempfile.tempdir
    existing = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=".choose-", dir=existing) as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def libraries() -> dict[str, str]:
    """Installed versions of what computes."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        for distribution in (name, f"{name}-cpu"):
            try:
                versions[name] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return versions


def _data(preparation: Path, fitted_on: Sequence[str]) -> dict[str, Any]:
    """The part of the lineage that belongs to the bytes: not addresses, which differ between accounts."""
    lineage = json.loads((preparation / "lineage.json").read_text(encoding="utf-8"))
    rows = lineage["rows"]
    return {"data_sha256": lineage["data_sha256"], "rows": rows, "fitted_on": {name: rows[name] for name in fitted_on}}


def _write(output: Path, packed: bytes, candidates: Sequence[Candidate]) -> None:
    for name in ("model", "choice"):
        (output / name).mkdir(parents=True, exist_ok=True)
    (output / "model" / "model.tar.gz").write_bytes(packed)
    choice = [{**candidate.record, **candidate.evidence} for candidate in candidates]
    (output / "choice" / "choice.json").write_text(json.dumps(choice, indent=1, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    failure.run(main)
