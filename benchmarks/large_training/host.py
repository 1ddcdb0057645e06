"""One host that trains on the rows of rows.py; prints what it took as JSON.

    python host.py STEPS FOLDER WAY ROUNDS

WAY: `dense` (NumPy and DMatrix, as before), `bins` (in memory) or `disk` (external memory); several hosts are in the environment, as in
a container. Peak memory is that of the process, with (RSS) and without the pages of mapped files (anonymous, 20 looks a second).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any


class Memory(threading.Thread):
    """The most anonymous memory that this process has had."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_kib = 0

    def run(self) -> None:
        while True:
            found = re.search(r"RssAnon:\s*(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
            self.peak_kib = max(self.peak_kib, int(found[1]) if found else 0)
            time.sleep(0.05)


def main(steps: str, folder: Path, way: str, rounds: str) -> dict[str, Any]:
    sys.path.insert(0, steps)
    import dataset
    import hosts
    import matrices
    from algorithms import gradient_boosting

    memory = Memory()
    memory.start()
    here = hosts.of_job()
    place = (here.rank, here.count)
    train, validation = dataset.shards(folder / "train").share(*place), dataset.shards(folder / "validation").every(*place)
    given = {"num_round": rounds, "max_depth": "6"}
    matrices.machine_bytes = lambda: 0 if way == "disk" else 1 << 60
    began = time.monotonic()
    with hosts.together(here):
        if way == "dense":
            model = dense(dataset.load(folder / "train")[0], dataset.load(folder / "validation")[0], given)
        else:
            model = gradient_boosting.fit(train, validation, train.about, given).booster
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_rss_mib": used.ru_maxrss / 1024,
        "peak_anonymous_mib": memory.peak_kib / 1024,
        "rounds": model.num_boosted_rounds(),
        "model_sha256": hashlib.sha256(model.save_raw("ubj")).hexdigest(),
    }


def dense(train: Any, validation: Any, given: dict[str, str]) -> Any:
    from algorithms.gradient_boosting import DEFAULTS
    from light_xgboost import xgboost
    from trees import base_parameters

    own = {**DEFAULTS, "num_round": int(given["num_round"]), "max_depth": int(given["max_depth"])}
    rounds, patience = own.pop("num_round"), own.pop("early_stopping_rounds")
    parameters = {**base_parameters({"problem": "binary"}, train), **own}
    whole, judged = (xgboost.DMatrix(part.features, part.target, weight=part.weight) for part in (train, validation))
    booster = xgboost.train(parameters, whole, rounds, evals=[(judged, "validation")], early_stopping_rounds=patience, verbose_eval=False)
    kept = booster[: booster.best_iteration + 1]
    kept.set_attr(best_iteration=None, best_score=None)
    return kept


if __name__ == "__main__":
    os.environ.setdefault("SM_NETWORK_INTERFACE_NAME", "lo")
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])))
