"""Asks each judge about one version's rows. The only module that knows all of them.

Input: `Case`. Output: what findings.json has of the version; what needs labels comes later (truth.py). Next: `outcome.py`.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import attribution_drift
import bias_checks
import bins
import contract_checks
import drift
import estimates
import joint_drift
import numpy as np
import publish
import reference as references
from bodies import Faults
from dataset import Rows
from decisions import Predictions
from evidence import Evidence
from feature_counts import FeatureCounts
from served import Served
from sketch import PREDICTION, Sample, Sketch
from store import Store

#: Of the classifier that tells production from training: the same window gives the same result.
SEED = 20_261_127


def reference(evidence: Evidence) -> tuple[Rows, Predictions] | None:
    """The evaluation's rows with what the version said of them, of a version that carries them. Raises BadInput for what are none."""
    if evidence.reference is None:
        return None
    found = references.read(io.BytesIO(evidence.reference), evidence.takes)
    return found.rows, found.predicted


@dataclass(frozen=True)
class Case:
    """One version in one window. `faults`, `refused`, `requests`: what was refused, of how many. `settings`: monitoring.json.

    `load`: the version itself, or None where it cannot be loaded.
    """

    evidence: Evidence
    sketch: Sketch
    reference: tuple[Rows, Predictions] | None
    faults: Faults | None
    refused: int
    requests: int
    settings: Mapping[str, Any]
    load: Callable[[], Served | None]

    @property
    def limits(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.settings["monitoring"]
        return found

    @cached_property
    def sample(self) -> Sample:
        return self.sketch.sample()


def judge(case: Case, kinds: Collection[str]) -> dict[str, Any]:
    """The parts of a version in findings.json; those of `kinds` are judged, the others empty."""
    return {name: ask(case) if name in kinds else _EMPTY.get(name) for name, ask in _JUDGES.items()}


def _contract(case: Case) -> list[dict[str, Any]]:
    return contract_checks.check(case.sketch, case.evidence, case.faults, case.refused, case.requests, case.limits)


def _drift(case: Case) -> list[dict[str, Any]]:
    baselines, window = feature_counts(case)
    return [asdict(found) for found in drift.drifts(baselines, window, case.limits)]


def feature_counts(case: Case) -> tuple[dict[str, FeatureCounts], dict[str, FeatureCounts]]:
    """The baseline's and the window's counts of every column and of the predictions."""
    made = FeatureCounts
    baselines: dict[str, FeatureCounts] = {}
    window: dict[str, FeatureCounts] = {}
    kind: Literal["numeric", "prediction"]
    for name, counted in case.sketch.numeric.items():
        kind = "prediction" if name == PREDICTION else "numeric"
        edges = counted.bins.edges
        baselines[name] = made(name=name, kind=kind, counts=counted.bins.counts, edges=edges, missing=counted.bins.missing)
        window[name] = made(name=name, kind=kind, counts=counted.counts, edges=edges, missing=counted.missing)
    for name, seen in case.sketch.categorical.items():
        here = dict(seen.counts) | ({bins.UNCOUNTED: seen.uncounted} if seen.uncounted else {})
        baselines[name] = made(name=name, kind="categorical", counts=dict(seen.known), edges=None, missing=seen.known_missing)
        window[name] = made(name=name, kind="categorical", counts=here, edges=None, missing=seen.missing)
    classes = case.evidence.takes.classes
    if classes and case.evidence.takes.is_several_classes and case.reference:  # how sure it is says nothing of which class it says
        before = Counter(case.reference[1].decided.astype(int).tolist())
        for counts, said in ((baselines, before), (window, case.sketch.decided)):
            named = {classes[place]: count for place, count in sorted(said.items())}
            counts[PREDICTION] = made(name=PREDICTION, kind="prediction", counts=named, edges=None, missing=0)
    return baselines, window


def _joint(case: Case) -> dict[str, Any] | None:
    if case.reference is None:
        return None
    found = asdict(joint_drift.tell_apart(case.reference[0], case.sample.rows, case.limits, SEED))
    return {**found, "features": [{"feature": name, "share": float(share)} for name, share in found["features"]]}


def _estimate(case: Case) -> dict[str, Any] | None:
    estimator = case.evidence.documents.get("estimator.json")
    return None if estimator is None else dict(estimates.estimate(estimator, case.sample, case.limits).document())


def _bias(case: Case) -> list[dict[str, Any]] | None:
    """What needs no truth; of a version that has a facet, which only two classes have. The favourable outcome is class 1."""
    facet = bias_checks.facet_of(case.evidence.documents["contract.json"])
    if facet is None:
        return None
    return bias_checks.check(case.sample.rows, case.sample.predicted.decided, facet, case.settings["gate"])


def _attributions(case: Case) -> dict[str, Any] | None:
    explained = case.evidence.documents.get("explainability.json")
    if explained is None or (served := case.load()) is None:
        return None
    return attribution_drift.judge(explained, case.sample.rows, served, case.limits)


def _not_asked(_: Case) -> None:
    """Needs labels (truth.py)."""


_JUDGES: dict[str, Callable[[Case], Any]] = {
    "contract": _contract,
    "drift": _drift,
    "joint": _joint,
    "estimate": _estimate,
    "realised": _not_asked,
    "bias": _bias,
    "attributions": _attributions,
}

ALL = tuple(_JUDGES)
#: What is judged of requests, without answered rows.
CONTRACT = ("contract",)
_EMPTY: dict[str, Any] = {"contract": [], "drift": []}


#: Tells people of the findings of a window; and metrics, if it is the newest: then with those of the newest window whose truth is known.
Tell = Callable[[Mapping[str, Any], Mapping[str, Any] | None], None]


def teller(store: Store, variables: Mapping[str, str]) -> Tell:
    """By publish.py, with clients of this process."""
    import boto3  # takes long to import

    clients = publish.Clients(boto3.client("cloudwatch"), boto3.client("sns"), store)
    place = publish.Place.of(variables)
    return lambda findings, truth: publish.publish(findings, clients=clients, place=place, truth=truth)


def plain(value: Any) -> Any:
    """As JSON takes it: an undefined number is null."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
