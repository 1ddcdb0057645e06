"""One worker of a serving container: answers requests of a version by the image's rules, and says how many a second.

In: the folder of an unpacked model.tar.gz; then on standard input the number of requests of a round, one a line. Out: the seconds of
processor time of each round. What it says in its log goes to standard error, so that standard output has only these.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from local_account.endpoints import serving_contract


def main(folder: str, request: str) -> None:
    body = Path(request).read_bytes()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the metrics' lines are written, too, but elsewhere
    server = serving_contract.load(Path(folder), Path(folder, "code"), {"SAGEMAKER_PROGRAM": "inference.py"})
    live = sys.modules["inference"].Serving.live
    for line in sys.stdin:
        started = time.process_time()
        statuses = {server.respond(body, "text/csv", "application/json").status for _ in range(int(line))}
        if live:
            live.say()  # more often than every ten seconds, so that every round has one
        spent = time.process_time() - started
        assert statuses == {200}, statuses
        print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
