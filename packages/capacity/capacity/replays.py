"""Replays many candidates on several traffics, spread over processes. Used by `recommend.py`; the replay itself is `batch.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from capacity import batch
from capacity.candidates import Candidate, InstanceOption
from capacity.model import Assumptions, Configuration
from capacity.outcome import Outcome, Trial
from capacity.queueing import LatencyTable
from capacity.simulate import simulate
from capacity.tally import BatchResult
from capacity.traffic import Traffic

REPLAYS_AT_ONCE = 1500  # in one process: enough to make numpy's overhead small, few enough to stay in the processor's cache


@dataclass(frozen=True)
class _Task:
    """Candidates of one instance option and routing strategy on several traffics: what a worker process does."""

    where: Sequence[int]  # positions of the candidates
    candidates: Sequence[Candidate]
    traffics: Sequence[Traffic]
    table: LatencyTable
    assumptions: Assumptions

    def run(self) -> BatchResult:
        configurations = [candidate.configuration() for candidate in self.candidates]
        return batch.run(configurations, self.traffics, self.table, self.assumptions)[0]


def _run_task(task: _Task) -> BatchResult:
    return task.run()


def _trials(candidates: Sequence[Candidate], result: BatchResult) -> list[Trial]:
    most = result.most_instances.max(axis=0)
    return [
        Trial(
            candidate=candidate,
            costs=tuple((result.instance_hours[:, i] * candidate.option.usd_per_hour).tolist()),
            breaches=tuple(result.breach_share[:, i].tolist()),
            broken_hours=tuple(result.breached_hours[:, i].tolist()),
            strained_hours=tuple(result.strained_hours[:, i].tolist()),
            most_instances=int(most[i]),
        )
        for i, candidate in enumerate(candidates)
    ]


class Replays:
    """Replays candidates, in this process or spread over several."""

    def __init__(self, slo_seconds: float, assumptions: Assumptions, workers: int, progress: Callable[[int, int], None] | None) -> None:
        self._slo_seconds, self._assumptions, self._progress, self._workers = slo_seconds, assumptions, progress, workers
        self._tables: dict[tuple[int, str], LatencyTable] = {}  # by id of the service time, and routing strategy
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None

    def __enter__(self) -> Replays:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def of(self, candidates: Sequence[Candidate], traffics: Sequence[Traffic]) -> list[Trial]:
        """One trial for each candidate, over all traffics."""
        tasks = list(self._tasks(candidates, traffics))
        to_do, done = len(candidates) * len(traffics), 0
        found: dict[int, Trial] = {}
        for task, result in zip(tasks, self._pool.map(_run_task, tasks) if self._pool else map(_run_task, tasks), strict=True):
            found.update(zip(task.where, _trials(task.candidates, result), strict=True))
            done += len(task.candidates) * len(traffics)
            if self._progress and to_do > 100:
                self._progress(done, to_do)
        return [found[position] for position in range(len(candidates))]

    def reference(self, configuration: Configuration, option: InstanceOption, traffics: Sequence[Traffic]) -> Outcome:
        """Any configuration, by the engine itself; not every one is a candidate."""
        table = self._table(option, configuration.routing)
        replays = []
        for traffic in traffics:
            replays.append(
                simulate(configuration, traffic, table.service, slo_seconds=self._slo_seconds, assumptions=self._assumptions, table=table)
            )
            if self._progress:
                self._progress(len(replays), len(traffics))
        return Outcome(
            costs=tuple(replay.cost(option.usd_per_hour) for replay in replays),
            breaches=tuple(replay.breach_share for replay in replays),
            broken_hours=tuple(float(replay.breached_hours) for replay in replays),
            strained_hours=tuple(float(replay.breached_hours) for replay in replays),  # nothing is compared with it
            most_instances=max(int(replay.running.max()) for replay in replays),
        )

    def _table(self, option: InstanceOption, routing: str) -> LatencyTable:
        key = (id(option.service), routing)
        if key not in self._tables:
            self._tables[key] = LatencyTable.of(option.service, self._slo_seconds, routing, self._assumptions)
        return self._tables[key]

    def _tasks(self, candidates: Sequence[Candidate], traffics: Sequence[Traffic]) -> Iterator[_Task]:
        alike: dict[int, list[int]] = {}  # by table
        tables = [self._table(candidate.option, candidate.routing) for candidate in candidates]
        for position, table in enumerate(tables):
            alike.setdefault(id(table), []).append(position)
        for positions in alike.values():
            size = max(1, min(REPLAYS_AT_ONCE // len(traffics), math.ceil(len(positions) / self._workers)))
            for where in (positions[i : i + size] for i in range(0, len(positions), size)):
                yield _Task(where, [candidates[i] for i in where], traffics, tables[where[0]], self._assumptions)
