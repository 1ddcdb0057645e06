"""Step 3: the best candidate on the validation rows becomes `model.tar.gz`.

Inputs: one folder `candidate-*` per algorithm, each with the best trial's `model.tar.gz`; and `preparation`.
Outputs: `model/model.tar.gz` (fitted preparation, model, serving code, where it came from: equal inputs give
equal bytes) and `choice/choice.json` (who competed). Next: `evaluate.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import archive
import failure
from failure import BadInput
from specification import Specification, load
from train import TRIAL_FILE

#: Their versions change predictions, so they belong to the identity of a model. `xgboost` may be installed as xgboost-cpu.
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "xgboost")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candidates", default="/opt/ml/processing/input", help="folder that holds the folders candidate-*")
    arguments.add_argument("--preparation", default="/opt/ml/processing/input/preparation", help="output `preparation` of prepare.py")
    arguments.add_argument("--output", default="/opt/ml/processing/output")
    arguments.add_argument("--specification", help="specification.json; default: the one beside this script")
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    specification = load(options.specification)
    preparation = Path(options.preparation)
    with tempfile.TemporaryDirectory() as scratch:
        candidates = _candidates(Path(options.candidates), Path(scratch), specification)
        best = candidates[0]
        members = {file.name: file.read_bytes() for file in best["folder"].iterdir() if file.is_file() and file.name != TRIAL_FILE}
    code = archive.code_files(Path(__file__).parent)
    version = {
        **best["trial"],
        **_data(preparation),
        "schema_sha256": specification.schema_sha256,
        "specification_sha256": specification.sha256,
        "code_sha256": archive.sha256(code),
        "libraries": libraries(),
    }
    members["version.json"] = json.dumps(version, indent=1, sort_keys=True).encode()
    members["preparation.json"] = (preparation / "preparation.json").read_bytes()
    members |= {f"code/{name}": content for name, content in code.items()}
    _write(Path(options.output), archive.pack(members), candidates)
    standings = ", ".join(f"{item['trial']['algorithm']} {item['trial']['validation']:.5g}" for item in candidates)
    print(f"chose {best['trial']['algorithm']} by validation {best['trial']['metric']} ({standings})")


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


def _candidates(folder: Path, scratch: Path, specification: Specification) -> list[dict[str, Any]]:
    """Best first; ties by the algorithm's name. Raises BadInput when there is none."""
    candidates = []
    for source in sorted(folder.glob("candidate-*/model.tar.gz")):
        unpacked = scratch / source.parent.name
        archive.unpack(source, unpacked)
        trial = json.loads((unpacked / TRIAL_FILE).read_text(encoding="utf-8"))
        candidates.append({"folder": unpacked, "trial": trial})
    if not candidates:
        raise BadInput("no candidate-*/model.tar.gz was given; every tuning step must have one trial that succeeded")
    sign = -1 if specification.more_is_better(specification.metric) else 1
    return sorted(candidates, key=lambda item: (sign * item["trial"]["validation"], item["trial"]["algorithm"]))


def _data(preparation: Path) -> dict[str, Any]:
    """The part of the lineage that belongs to the bytes: not addresses, which differ between accounts."""
    lineage = json.loads((preparation / "lineage.json").read_text(encoding="utf-8"))
    return {"data_sha256": lineage["data_sha256"], "rows": lineage["rows"]}


def _write(output: Path, packed: bytes, candidates: list[dict[str, Any]]) -> None:
    for name in ("model", "choice"):
        (output / name).mkdir(parents=True, exist_ok=True)
    (output / "model" / "model.tar.gz").write_bytes(packed)
    choice = [item["trial"] for item in candidates]
    (output / "choice" / "choice.json").write_text(json.dumps(choice, indent=1, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    failure.run(main)
