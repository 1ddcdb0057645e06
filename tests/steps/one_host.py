"""One host of a training job, as a process: trains with the others on the parts of a folder, and writes what it has.

    python one_host.py STEPS FOLDER ALGORITHM [--dies]

The job's hosts are in the environment, as in a container. `--dies`: this host ends as if killed, when all have joined.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    steps, folder, algorithm = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    sys.path.insert(0, steps)
    import algorithms
    import dataset
    import failure
    import hosts

    hosts.JOIN_SECONDS, hosts.SILENT_SECONDS = 20, 20

    def main(_: list[str]) -> None:
        here = hosts.of_job()
        place = (here.rank, here.count)
        train, validation = dataset.shards(folder / "train"), dataset.shards(folder / "validation")
        with hosts.together(here):
            if "--dies" in sys.argv:
                os._exit(9)
            given = {"num_round": "8", "eta": "0.3"} if algorithm == "gradient_boosting" else {}
            model = algorithms.find(algorithm).fit(train.share(*place), validation.every(*place), train.about, given)
        own = folder / f"{algorithm}-{here.count}-{here.current}"
        own.mkdir()
        model.save(own)

    failure.run(main)
