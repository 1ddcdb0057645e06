"""Tells the project's account what production learned and found: training rows of a window, and why to train now.

Input: the stores of the environment's bucket and of the project's data bucket, findings and labels. Output: what learned.py and why.py
write, where the job's environment variables say (pipelines/monitoring/pipeline.py). Called by monitor.py once a window was judged, and
again when labels have come. What cannot be written there fails the run, and the next one writes it: nobody retrains on half a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import answered
import learned
import pyarrow as pa
import why
from known_labels import KnownLabels
from store import Store

#: Names of data buckets end with account and region (`data_bucket` of the project's names).
_REGION = re.compile(r"-\d{12}-(?P<region>[a-z]{2}(-[a-z]+)+-\d)$")


@dataclass(frozen=True)
class Teacher:
    """`store`: the environment's bucket; `home`: the project's data bucket. `learns`: whether the model learns from answers."""

    store: Store
    home: Store
    bucket: str
    learned_prefix: str
    feedback_key: str
    learns: bool

    @classmethod
    def of(cls, store: Store, home: Store, variables: Mapping[str, str], settings: Mapping[str, Any]) -> Teacher:
        """`settings`: monitoring.json."""
        learns = bool(settings.get("learn_from_answers", False))
        return cls(store, home, variables["BUCKET"], variables["LEARNED_PREFIX"], variables["FEEDBACK_KEY"], learns)

    def rows(
        self,
        folder: str,
        known: KnownLabels,
        *,
        classes: Sequence[str] | None,
        features: Sequence[str],
        target: str,
        now: float,
    ) -> int:
        """Keeps the training rows of a judged window; how many are new or changed. `folder`: its prefix, which ends with a slash.

        `classes`, `features`, `target`: of the version that is deployed. `now`: epoch seconds.
        """
        if not self.learns:
            return 0

        def truths(ids: Sequence[str]) -> Mapping[tuple[str, int], learned.Truth]:
            return learned.truths_of(known.of(ids), classes)

        found = learned.learn(self._answered(folder), truths, features=features, target=target, now=now)
        name = folder.rstrip("/").rpartition("/")[2]
        changed = learned.keep(self.home, self.learned_prefix, name, found)
        if changed:
            print(f"{name}: {found.rows:,} answers are training rows, {changed:,} of them new or corrected", flush=True)
        for reason, count in sorted(found.left_out.items()):
            print(f"  {count:,} labelled answers are not learned: {reason}", flush=True)
        return changed

    def explain(self, findings: Sequence[Mapping[str, Any]], monitoring_prefix: str, told_at: str) -> bool:
        """Keeps why to train now, after the rows: it wakes what starts a training. `findings`: of the windows that were judged last."""

        def report(window: Mapping[str, Any]) -> str:
            return f"s3://{self.bucket}/{monitoring_prefix}windows/{window['from']}--{window['to']}/report.html"

        return why.keep(self.home, self.feedback_key, why.why(findings, report, told_at))

    def _answered(self, folder: str) -> Iterator[pa.Table]:
        for item in self.store.list(f"{folder}answered/"):
            if item.key.endswith(".parquet"):
                yield answered.read(self.store.read(item.key).read())


def region_of(bucket: str) -> str | None:
    """The region of the project's data bucket, which may be another one than the job's; None for a name that does not say it."""
    found = _REGION.search(bucket)
    return found["region"] if found else None
