"""Who competes: the best trial of each algorithm, and a blend of them.

Input: their packed models, the validation rows and the specification. Output: candidates, the chosen one first. What a blend may cost is in
`Choice.blend` of the model's file; what it is: `blending.py`. Used by `choose.py`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import archive
import blend
import blending
import dataset
import numpy as np
import prediction_shares
import row_cost
import trial
from algorithms import Model
from blend import Blend, Member
from blending import Judge
from evaluation import prepared_rows
from failure import BadInput
from resampling import sample
from specification import Specification


@dataclass(frozen=True)
class Candidate:
    """`record`: what trial.json holds. `load`: the model as it was judged. `folder`: of the trial; of a blend None. `evidence`: more."""

    record: Mapping[str, Any]
    shares: Mapping[str, Any]
    load: Callable[[Mapping[str, Any]], Model]
    folder: Path | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        return str(self.record["algorithm"])

    @property
    def megabytes(self) -> float:
        files = () if self.folder is None else self.folder.iterdir()
        return sum(file.stat().st_size for file in files if file.name not in (trial.FILE, prediction_shares.FILE)) / 1e6


def trials(folder: Path, scratch: Path, specification: Specification) -> list[Candidate]:
    """Best first; ties by the algorithm's name. Raises BadInput when there is none."""
    found = []
    for source in sorted(folder.glob("candidate-*/model.tar.gz")):
        unpacked = scratch / source.parent.name
        archive.unpack(source, unpacked)
        record, shares = (json.loads((unpacked / name).read_text(encoding="utf-8")) for name in (trial.FILE, prediction_shares.FILE))
        found.append(Candidate(record, shares, functools.partial(blend.load_member, unpacked, record["algorithm"]), unpacked))
    if not found:
        raise BadInput("no candidate-*/model.tar.gz was given; every tuning step must have one trial that succeeded")
    sign = -1 if specification.more_is_better(specification.metric) else 1
    return sorted(found, key=lambda candidate: (sign * candidate.record["validation"], candidate.algorithm))


def with_blend(single: Sequence[Candidate], validation: Path, specification: Specification) -> list[Candidate]:
    """The same candidates with a blend of them where one is possible: first if it is better by more than noise, else last."""
    limits, rows = specification.choice["blend"], dataset.shards(validation)
    if limits is None or len(single) < 2:
        return list(single)
    about = rows.about
    models = [candidate.load(about) for candidate in single]
    limit = _Limit(limits, single, [row_cost.size(model) for model in models], len(specification.features))
    part = prepared_rows.at(validation, np.flatnonzero(sample(rows.rows)))
    scores = [model.predict(part.features) for model in models]
    judge = Judge(specification.metric, specification.more_is_better(specification.metric), about["decision_metric"])
    found = blending.weights(part.target, scores, judge, limit.allows)
    if np.count_nonzero(found) < 2:
        return list(single)
    gained = blending.gain(part.target, scores, judge, limit.allows)
    weights = {candidate.algorithm: float(weight) for candidate, weight in zip(single, found, strict=True) if weight}
    chosen = (gained["p_better"] or 0.0) > 1 - limits["significance"]
    evidence = {"gain": gained, "chosen": chosen, "row_cost_ratio": limit.latency_ratio(np.flatnonzero(found).tolist())}
    blended = of_weights(single, weights, validation, evidence)
    return [blended, *single] if chosen else [*single, blended]


def of_weights(
    single: Sequence[Candidate], weights: Mapping[str, float], validation: Path, evidence: Mapping[str, Any] | None = None
) -> Candidate:
    """The blend of some candidates. Raises BadInput naming one that is not there, or cannot be loaded."""
    rows = dataset.shards(validation)
    known = {candidate.algorithm: candidate for candidate in single}
    missing = sorted(set(weights) - set(known))
    if missing:
        raise BadInput(f"the blend's member {missing[0]!r} is no candidate; candidates: {', '.join(known)}")
    model = Blend([Member(name, weight, known[name].load(rows.about)) for name, weight in weights.items()])
    record, shares = trial.judged(blend.NAME, model, rows, rows.about)
    members = {name: known[name].record["hyperparameters"] for name in weights}
    return Candidate({**record, "members": members}, shares, lambda _: model, evidence=evidence or {})


class _Limit:
    """What a blend may cost, beside the best single model, which is the first."""

    def __init__(self, limits: Mapping[str, Any], single: Sequence[Candidate], sizes: Sequence[row_cost.Size], columns: int) -> None:
        self._limits, self._sizes, self._columns = limits, sizes, columns
        self._megabytes = [candidate.megabytes for candidate in single]
        self._known: dict[frozenset[int], bool] = {}

    def allows(self, members: Collection[int]) -> bool:
        key = frozenset(members)
        if key not in self._known:
            size = sum(self._megabytes[place] for place in key)
            few = len(key) <= self._limits["max_members"] and size <= self._limits["max_megabytes"]
            self._known[key] = few and self.latency_ratio(key) <= self._limits["max_latency_ratio"]
        return self._known[key]

    def latency_ratio(self, members: Collection[int]) -> float:
        """Of a row alone to that of the best single model."""
        both = [row_cost.microseconds([self._sizes[place] for place in sorted(some)], self._columns) for some in (members, [0])]
        return both[0] / both[1]
