"""Asks each judge about one version's rows. The only module that knows all of them.

A judge whose module is not there says nothing. Input: `Case`. Output: what findings.json has of the version. Next: `outcome.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import bins
import contract_checks
import numpy as np
from bodies import Faults
from dataset import Rows
from decisions import Predictions
from evidence import Evidence
from features import Floats
from sketch import PREDICTION, Sample, Sketch
from store import Store

#: Of the classifier that tells production from training: the same window gives the same result.
SEED = 20_261_127


def module(name: str) -> Any:
    """None where there is no such module."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def reference(evidence: Evidence) -> tuple[Rows, Predictions] | None:
    """The evaluation's rows with what the version said of them, of a version that carries them. Raises BadInput for what are none."""
    reading = module("reference")
    if evidence.reference is None or reading is None:
        return None
    found = reading.read(io.BytesIO(evidence.reference), evidence.takes)
    return found.rows, found.predicted


@dataclass(frozen=True)
class Case:
    """One version in one window. `faults`, `refused`, `requests`: what was refused, of how many. `settings`: monitoring.json."""

    evidence: Evidence
    sketch: Sketch
    reference: tuple[Rows, Predictions] | None
    faults: Faults | None
    refused: int
    requests: int
    settings: Mapping[str, Any]

    @property
    def limits(self) -> Mapping[str, Any]:
        limits: Mapping[str, Any] = self.settings["monitoring"]
        return limits

    @cached_property
    def sample(self) -> Sample:
        return self.sketch.sample()


def judge(case: Case, kinds: Collection[str]) -> dict[str, Any]:
    """The parts of a version in findings.json; those of `kinds` are judged, the others empty."""
    return {name: ask(case) if name in kinds else _EMPTY.get(name) for name, ask in _JUDGES.items()}


def _contract(case: Case) -> list[dict[str, Any]]:
    return contract_checks.check(case.sketch, case.evidence, case.faults, case.refused, case.requests, case.limits)


def _drift(case: Case) -> list[dict[str, Any]]:
    drift = module("drift")
    if drift is None:
        return []
    baselines, window = feature_counts(case, drift.FeatureCounts)
    return [asdict(found) for found in drift.drifts(baselines, window, case.limits)]


def feature_counts(case: Case, made: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The baseline's and the window's counts of every column and of the predictions. `made`: the class that holds those of one."""
    baselines, window = {}, {}
    for name, counted in case.sketch.numeric.items():
        kind, edges = ("prediction" if name == PREDICTION else "numeric"), counted.bins.edges
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
    joint = module("joint_drift")
    if joint is None or case.reference is None:
        return None
    found = asdict(joint.tell_apart(case.reference[0], case.sample.rows, case.limits, SEED))
    return {**found, "features": [{"feature": name, "share": float(share)} for name, share in found["features"]]}


def _estimate(case: Case) -> dict[str, Any] | None:
    estimates, estimator = module("estimates"), case.evidence.documents.get("estimator.json")
    if estimates is None or estimator is None:
        return None
    return dict(estimates.estimate(estimator, case.sample, case.limits).document())


def _bias(case: Case) -> list[dict[str, Any]] | None:
    return bias(case.evidence, case.sample.rows, case.sample.predicted, case.settings)


def bias(
    evidence: Evidence, rows: Rows, predicted: Predictions, settings: Mapping[str, Any], truth: Floats | None = None
) -> list[dict[str, Any]] | None:
    """By the limits of the gate. None of a version that has no facet, or no two classes."""
    checks, facet, takes = module("bias_checks"), settings.get("facet"), evidence.takes
    if checks is None or not facet or facet["column"] not in takes.categorical or takes.classes is None or takes.is_several_classes:
        return None
    found: list[dict[str, Any]] = checks.check(rows, predicted.decided, facet, settings.get("gate") or {}, truth)
    return found


def needs_truth(metric: str) -> bool:
    """Whether a metric of bias can be judged of labelled rows only."""
    return bool(module("bias_checks").RULES[metric][1])


def _not_asked(_: Case) -> None:
    """Not here: labels come later, and are asked for by later.py."""


_JUDGES: dict[str, Callable[[Case], Any]] = {
    "contract": _contract,
    "drift": _drift,
    "joint": _joint,
    "estimate": _estimate,
    "realised": _not_asked,
    "bias": _bias,
    "attributions": _not_asked,
}

ALL = tuple(_JUDGES)
#: What is judged of requests, without answered rows.
CONTRACT = ("contract",)
_EMPTY: dict[str, Any] = {"contract": [], "drift": []}


#: Tells metrics and people of the findings of a window, and whether it is the newest.
Tell = Callable[[Mapping[str, Any], bool], None]


def teller(store: Store, variables: Mapping[str, str]) -> Tell | None:
    """By publish.py, with clients of this process."""
    publishing = module("publish")
    if publishing is None:
        return None
    import boto3  # takes long to import

    clients = publishing.Clients(boto3.client("cloudwatch"), boto3.client("sns"), store)
    place = publishing.Place.of(variables)
    return lambda findings, is_newest: publishing.publish(findings, clients=clients, place=place, is_newest=is_newest)


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
