"""A production that is watched as monitor.py does it, with people, metrics and the project's account to tell."""

from datetime import timedelta
from types import SimpleNamespace

import publish
import turn
from evidence import FolderSource, Versions
from store import FolderStore
from teach import Teacher
from turn import Turn
from watch import Watch

from tests.monitoring.production import HOUSES, LIMITS, NOW, PREFIX, Production

KEY = f"{PREFIX}run.json"
ESTIMATOR = {"metric": "rmse", "at_evaluation": 1.0, "more_is_better": False, "method": None, "why": "the test says so"}


class Watched:
    """A production with a window to judge and labels, of which a run tells people and the project's account."""

    def __init__(self, folder):
        self.production = Production(folder)
        self.production.version("12", contract={**HOUSES, "dataset": {**HOUSES["dataset"], "target": "price"}}, estimator=ESTIMATOR)
        self.production.traffic(120)
        labels = "".join(f"2026/11/27/14 30-00-000-a {row},5\n" for row in range(120))
        self.production.put("labels/houses/first.csv", f"inference_id,truth\n{labels}")
        self.messages, self.metrics, self.running, self.home = [], [], set(), folder / "home"

    def run(self, job, store=None, wait=lambda: None, hours=1):
        """As monitor.py does it."""
        folder = self.production.folder
        store = store or FolderStore(folder)
        # One disk for both buckets, so that each write counts.
        teacher = Teacher(store, store, "bucket", "home/learned/", "home/feedback.json", learns=True)
        settings = {"monitoring": {**LIMITS, "window_hours": hours}, "gate": {}, "facet": None}
        versions, now = Versions(FolderSource(folder / "evidence")), NOW + timedelta(days=hours // 24, minutes=5)
        watch = Watch(self.production.place, settings, store, versions, now, teacher)
        self.running.add(job)
        try:
            Turn(store, KEY, job, self.running.__contains__, wait).take()
            sns = SimpleNamespace(publish=lambda **message: self.messages.append(message["Subject"]))
            cloudwatch = SimpleNamespace(put_metric_data=lambda **data: self.metrics.append(data["MetricData"]))
            clients = publish.Clients(cloudwatch, sns, store)
            place = publish.Place("shop/houses", "shop--houses--production", "arn", "bucket", PREFIX, "eu-west-1")
            watch.run(None, lambda found, truth: publish.publish(found, clients=clients, place=place, truth=truth))
        finally:
            self.running.discard(job)

    def left(self):
        """What is there but for whose turn it was."""
        files = [path for name in ("monitoring", "home") for path in sorted((self.production.folder / name).rglob("*")) if path.is_file()]
        return {path.relative_to(self.production.folder): path.read_bytes() for path in files if path.name != turn.FILE}
