"""Prepares a million rows with the template and with scikit-learn, in turn, each in a process of its own.

    python -m benchmarks.preparation [--rows 1000000] [--rounds 3]

Both read the same Parquet file and end with the matrix that a model learns from. First both prepare a smaller table, and the
matrices are compared: the steps are the same. Output: a table, and benchmarks/results/preparation.json. Exit code 1 if the
template is slower or takes more memory than the better of the two peers, scikit-learn in float64 and in float32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.preparation.rows import CATEGORIES, MODEL, NUMERIC, WITH_GAPS, write
from build_scripts.step_modules import STEPS
from pipelines.tabular.specification import specification_json

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "preparation.json"
OURS, PEERS = "template", {"scikit-learn float64": "float64", "scikit-learn float32": "float32"}
COMPARED_ROWS = 100_000


class Contest:
    """One table on disk, and the commands that prepare it."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._data, self._specification = folder / f"{rows}.parquet", folder / "specification.json"
        write(self._data, rows)
        self._specification.write_text(specification_json(MODEL), encoding="utf-8")

    def run(self, name: str, matrix: Path | None = None) -> dict[str, Any]:
        """What the process took; the matrix is kept in `matrix`."""
        if name == OURS:
            command = ["ours.py", str(STEPS), str(self._specification)]
        else:
            kept = str(MODEL.preparation.max_categories)
            command = ["peer.py", PEERS[name], ",".join(NUMERIC), ",".join(CATEGORIES), ",".join(sorted(WITH_GAPS)), kept]
        arguments = [str(HERE / command[0]), *command[1:], str(self._data), *([str(matrix)] if matrix else [])]
        finished = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
        if finished.returncode:
            raise SystemExit(f"{name} failed:\n{finished.stderr}")
        answer: dict[str, Any] = json.loads(finished.stdout)
        return answer


def largest_difference(folder: Path) -> dict[str, float]:
    """Largest absolute difference of any cell to scikit-learn's matrix, after the columns are paired by meaning."""
    contest = Contest(folder, COMPARED_ROWS)
    ours = contest.run(OURS, folder / "ours.npy")
    own = dict(zip(ours["columns"], np.load(folder / "ours.npy").T, strict=True))
    found = {}
    for name in PEERS:
        peer = contest.run(name, folder / "peer.npy")
        others = dict(zip(map(_our_name, peer["columns"]), np.load(folder / "peer.npy").T, strict=True))
        # A column for categories that never occurred in training is all zero; scikit-learn leaves it out.
        unused = [column for column in own if column not in others]
        assert set(others) <= set(own), f"only in {name}: {sorted(set(others) - set(own))[:5]}"
        assert all(column.endswith("=<other>") and not own[column].any() for column in unused), unused
        found[name] = max(float(np.max(np.abs(own[column] - others[column]))) for column in others)
    return found


def _our_name(column: str) -> str:
    if column.startswith("missingindicator_"):
        return f"{column.removeprefix('missingindicator_')}=<missing>"
    if column in NUMERIC:
        return column
    name, _, value = column.partition("_")
    return f"{name}={ {'None': '<missing>', 'infrequent_sklearn': '<other>'}.get(value, value) }"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.preparation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        difference = largest_difference(folder)
        contest = Contest(folder, given.rows)
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in (OURS, *PEERS)}
        for number in range(given.rounds):
            for name, samples in rounds.items():
                samples.append({key: value for key, value in contest.run(name).items() if key != "columns"})
            print(f"round {number + 1} of {given.rounds}", flush=True)
    return report(given.rows, rounds, difference)


def report(rows: int, rounds: dict[str, list[dict[str, Any]]], difference: dict[str, float]) -> int:
    measured = ("seconds", "cpu_seconds", "peak_mib")
    medians = {name: {key: statistics.median(sample[key] for sample in samples) for key in measured} for name, samples in rounds.items()}
    print(f"\n{'':22}{'seconds':>9}{'CPU s':>9}{'peak MiB':>10}{'largest difference':>20}")
    for name, row in medians.items():
        shown = f"{difference[name]:.1e}" if name in difference else ""
        print(f"{name:22}{row['seconds']:9.1f}{row['cpu_seconds']:9.1f}{row['peak_mib']:10.0f}{shown:>20}")
    ratios = {key: medians[OURS][key] / min(medians[name][key] for name in PEERS) for key in ("seconds", "peak_mib")}
    wins = all(ratio <= 1 for ratio in ratios.values())
    print(f"\ntemplate / better peer: {ratios['seconds']:.2f} of the time, {ratios['peak_mib']:.2f} of the memory")
    document = {
        "machine": describe_machine(),
        "rows": rows,
        "columns": {"numeric": len(NUMERIC), "categorical": len(CATEGORIES)},
        "median": medians,
        "template_over_better_peer": ratios,
        "largest_difference": difference,
        "no_slower_and_no_more_memory": wins,
        "rounds": rounds,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if wins else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
