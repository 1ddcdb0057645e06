"""Scores rows with a packed version's own code. A process of its own, because two versions' modules have the same names.

Inputs: `--model-dir` (an unpacked model.tar.gz) and `--rows` (CSV without header, in that version's column order; or a folder of such
files, each of which is asked for by itself). Output: `--output`, the version's JSON answer, or a folder of them with the files' names.
Started by `evaluation/champion.py`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model-dir", required=True)
    arguments.add_argument("--rows", required=True)
    arguments.add_argument("--output", required=True)
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    # The folder of this script is first on the path; the version's own code takes its place.
    sys.path[0] = str(Path(options.model_dir, "code"))
    version = importlib.import_module("inference")
    model = version.model_fn(options.model_dir)
    # A comparison asks what a version would say, also of values that only a later contract allows.
    for column in (*model.dataset["numeric"], *model.dataset["categorical"]):
        column.update(minimum=None, maximum=None, values=None)
    rows, output = Path(options.rows), Path(options.output)
    if rows.is_file():
        _score(version, model, rows, output)
        return
    output.mkdir()
    for file in sorted(rows.iterdir()):
        if file.stat().st_size:  # of some batches there may be no row
            _score(version, model, file, output / f"{file.stem}.json")


def _score(version: Any, model: Any, source: Path, target: Path) -> None:
    rows = version.input_fn(source.read_bytes(), "text/csv")
    answer = version.output_fn(version.predict_fn(rows, model), "application/json")
    if hasattr(answer, "status_code"):  # a refusal, as a response
        sys.exit(answer.get_data(as_text=True).strip())
    target.write_text(answer[0] if isinstance(answer, tuple) else answer, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
