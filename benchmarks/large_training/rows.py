"""Writes prepared rows as prepare.py does: 24 numeric columns, two classes, a batch at a time.

python rows.py STEPS FOLDER ROWS
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

COLUMNS = [f"n{number}" for number in range(24)]
ABOUT = {"problem": "binary", "metric": "auc", "decision_metric": "f1", "classes": ["no", "yes"], "columns": COLUMNS}
BATCH_ROWS = 250_000


def main(steps: str, folder: Path, rows: int) -> None:
    sys.path.insert(0, steps)
    from dataset import PartWriter

    generator = np.random.default_rng(0)
    for name, count in (("train", rows), ("validation", rows // 10)):
        writer = PartWriter(folder / name, ABOUT)
        for begin in range(0, count, BATCH_ROWS):
            size = min(BATCH_ROWS, count - begin)
            features = generator.standard_normal((size, len(COLUMNS)), dtype=np.float32)
            score = features[:, 0] + features[:, 1] * features[:, 2] - np.abs(features[:, 3])
            writer.append(features, (score + generator.logistic(size=size) > 0).astype(np.float64), np.ones(size))
        writer.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
