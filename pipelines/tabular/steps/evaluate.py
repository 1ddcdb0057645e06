"""Step 4: the evidence. Judges the chosen version on untouched test rows, raw, the way requests come.

Inputs: `--model` (model.tar.gz), `--choice`, `--train` and `--validation` (prepared rows, for what the version is measured
against), `--test` (raw rows), `--preparation` (data lineage and drift statistics). Outputs in `--output`: evaluation.json
(SageMaker's metrics schema, the gate and the lineage), report.html, golden.csv, bias.json, explainability.json, statistics.json,
constraints.json, model_constraints.json, contract.json (what the version takes and answers), review.json (what the approver's page
shows of all this), reference.npz and estimator.json (what its production is compared with, and estimated by). Next: the pipeline's
condition reads `gate.passed`; `deploy_scripts/verify.py` reads golden.csv and contract.json, `deploy_scripts/review/` review.json, and
monitoring the rest.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import archive
import baseline
import blend
import failure
import numpy as np
import resampling
import served as serving
from dataset import Part, Rows
from decisions import Predictions
from evaluation import (
    behaviour,
    calibration,
    champion,
    changes,
    estimator,
    fairness,
    gate,
    golden,
    held_out,
    lineage,
    making,
    prepared_rows,
    quality,
    reference,
    report,
    why_now,
    yardsticks,
)
from evaluation.comparison import by_group, compare
from evaluation.held_out import HeldOut, raw
from failure import BadInput
from measures import reported
from numpy.typing import NDArray
from served import Served
from specification import Specification, load

Floats = NDArray[np.float64]

#: What a step of the pipeline reads of a property file (quotas of SageMaker Pipelines: 2 MB).
MOST_PROPERTY_BYTES = 2 * 1024 * 1024

SCHEMA = {
    "regression": "regression_metrics",
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
}


#: How attributions are called in explainability.json, where not by trees.
EXPLANATIONS = {"linear": "linear_shap", blend.NAME: "blended_shap"}


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="/opt/ml/processing/input/model", help="folder with model.tar.gz")
    arguments.add_argument("--choice", default="/opt/ml/processing/input/choice", help="output `choice` of choose.py")
    arguments.add_argument("--train", default="/opt/ml/processing/input/train", help="output `train` of prepare.py")
    arguments.add_argument("--validation", default="/opt/ml/processing/input/validation", help="output `validation` of prepare.py")
    arguments.add_argument("--test", default="/opt/ml/processing/input/test", help="output `test` of prepare.py")
    arguments.add_argument("--preparation", default="/opt/ml/processing/input/preparation", help="output `preparation` of prepare.py")
    arguments.add_argument("--threshold", type=float, help="limit for the metric; default: DataSet.threshold")
    arguments.add_argument("--deploy-pipeline", default="", help="whose last release must not be clearly better; empty: none")
    arguments.add_argument("--return-pipeline", default="", help="and which may have gone back to another one since")
    arguments.add_argument("--champion-model", help="a model.tar.gz to compare with instead of the last release")
    arguments.add_argument("--git-commit", default="unknown")
    arguments.add_argument("--trigger", default="", help="what started the run; for an alarm, what was found is shown")
    arguments.add_argument("--feedback", default="", help="s3://... where the watches over the model leave what they found; empty: nowhere")
    arguments.add_argument("--execution", default="", help="ARN of the pipeline execution, of which the report says what it took")
    arguments.add_argument("--prices", nargs="*", default=[], help="USD an instance-hour, by type: ml.m5.xlarge=0.23 ...")
    arguments.add_argument("--prices-noted", default="", help="the date of these prices")
    arguments.add_argument("--output", default="/opt/ml/processing/output/evaluation")
    arguments.add_argument("--specification", help="specification.json; default: the one beside this script")
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    specification = load(options.specification)
    _require_possible(options.threshold, specification)
    usd_per_hour = making.prices(options.prices)
    with tempfile.TemporaryDirectory() as scratch:
        evidence = _evidence(options, specification, Path(scratch), usd_per_hour)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in evidence["files"].items():
        (output / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    decision = evidence["gate"]
    print(
        f"test {decision['metric']} {decision['value']:.5g} (threshold {decision['threshold']:g}); "
        f"production: {evidence['champion']['detail']}"
    )
    for warning in decision["warnings"]:
        print(f"warning: {warning}")
    count = len(decision["warnings"])
    warned = f" with {count} warning{'s' if count > 1 else ''}: {decision['warned_of']}" if count else ""
    if not decision["passed"]:
        print(f"gate refused: {decision['reasons']}")
    else:
        print(f"gate passed{warned}" + ("" if decision["is_new"] else "; identical to the version in production: nothing to register"))


def _require_possible(threshold: float | None, specification: Specification) -> None:
    """Raises BadInput for a threshold that is no number, or that the metric cannot reach: the pipeline can be started with any."""
    possible = specification.dataset["threshold_range"]
    lowest, highest = (-math.inf if possible["lowest"] is None else possible["lowest"], possible["highest"] or math.inf)
    if threshold is not None and not (math.isfinite(threshold) and lowest <= threshold <= highest):
        where = f"the parameter MetricThreshold, or DataSet.threshold in {specification.file}"
        raise BadInput(f"--threshold is {threshold:g}; allowed for {specification.metric}: {possible['allowed']} ({where})")


def _evidence(
    options: argparse.Namespace, specification: Specification, scratch: Path, usd_per_hour: Mapping[str, float]
) -> dict[str, Any]:
    packed = Path(options.model) / "model.tar.gz"
    archive.unpack(packed, scratch / "challenger")
    served = serving.load(scratch / "challenger")
    held = held_out.read(Path(options.test), served)
    learned = _learned(options, served)
    predicted, plain = _predicted(held, learned, specification, served)
    rows, shown = held.sample, predicted.take(held.in_sample)
    metrics = quality.overall(reported(specification.problem, specification.metric), held.target, predicted)
    rival, comparison, beside = _compare(options, specification, held, predicted, scratch)
    bias = _bias(specification, held, predicted)
    data = json.loads((Path(options.preparation) / "lineage.json").read_text(encoding="utf-8"))
    where_from = lineage.facts(data, served.version, packed.read_bytes(), options.git_commit)
    choice = json.loads((Path(options.choice) / "choice.json").read_text(encoding="utf-8"))
    calibrated = None if served.about["classes"] is None else calibration.error(rows.target, shown)
    value = metrics[specification.metric]["value"]
    judged = gate.Evidence(
        metric=specification.metric,
        more_is_better=specification.more_is_better(specification.metric),
        value=float(value if value is not None else np.nan),
        threshold=specification.dataset["threshold"] if options.threshold is None else options.threshold,
        champion=comparison,
        bias=bias,
        calibration=calibrated,
        **_yardsticks(specification, learned.target, held.target, served, predicted, plain),
    )
    decision = gate.decide(judged, specification.gate)
    # A retraining on the same data makes the same bytes; a second version of them would be a question without content.
    decision["is_new"] = rival["model_sha256"] != where_from["model_sha256"]
    facts = {
        "gate": decision,
        "champion": {**rival, **(comparison or {})},
        # What the registry keeps of these: as text, which is all that it takes (registry_text.py).
        "metadata": {
            **where_from,
            **lineage.best_trials([algorithm["name"] for algorithm in specification.algorithms], choice),
            **lineage.texts({"metric_value": repr(judged.value), "warnings": decision["warned_of"], "champion": rival["name"]}),
        },
        "lineage": where_from,
        "metrics": metrics,
        "groups": quality.by_group(specification.metric, rows, shown),
        "beside": beside,
        "bias": bias,
        "attributions": behaviour.attributions(rows, served),
        "learning_curve": behaviour.learning_curve(Path(options.train), learned.training_rows, learned.validation, rows, served),
        "robustness": behaviour.robustness(rows, served),
        "latency": behaviour.latency(golden.body(rows, served, scratch, 1)[1], served),
        "model_bytes": packed.stat().st_size,
        "rows": served.version["rows"],
        "refitted": served.model.settings if served.is_refitted else None,
        "sampled": _sampled(held.count),
        "choice": choice,
        "changes": _changes(options, rival, served, scratch),
        "warnings": data["warnings"],
        "sources": data["sources"],
        "split": data["split"],
        "looked_at": data["looked_at"],
        "why": why_now.read(options.feedback, options.trigger),
        "curves": _curves(specification.problem, held.target, predicted, served.about["classes"]),
        "making": making.read(options.execution, usd_per_hour, options.prices_noted),  # last, since this evaluation counts until then
    }
    files = _files(facts, specification, options, rows, predicted, shown, served, scratch)
    return {**facts, "files": files}


def _sampled(rows: int) -> dict[str, int]:
    """On how many `rows` of how many test rows is what is not on all of them; empty where they are few."""
    return {"rows": resampling.MOST_ROWS, "of": rows} if rows > resampling.MOST_ROWS else {}


@dataclass(frozen=True)
class Learned:
    """What the version learned from, as far as it is measured against it: all answers, a part of the training rows for the linear model,
    and validation rows of which a threshold is fitted. `training_rows`: how many there are.
    """

    training_rows: int
    target: Floats
    part: Part
    validation: Part


def _learned(options: argparse.Namespace, served: Served) -> Learned:
    train, validation = Path(options.train), Path(options.validation)
    target, judged = prepared_rows.targets(train), prepared_rows.targets(validation)
    part = prepared_rows.at(train, yardsticks.learned_by_linear(len(target)))
    sampled = prepared_rows.at(validation, np.flatnonzero(resampling.sample(len(judged))))
    return Learned(len(target), np.concatenate([target, judged]) if served.is_refitted else target, part, sampled)


def _predicted(held: HeldOut, learned: Learned, specification: Specification, served: Served) -> tuple[Predictions, Predictions | None]:
    """What the version says of all test rows, prepared the way a request is, and a plain linear model where it is a yardstick."""

    def scores(model: Any) -> Callable[[Rows], Floats]:
        return lambda rows: np.asarray(model.predict(served.prepare(*raw(rows, served))), dtype=np.float64)

    if not specification.gate["compare_with_linear"] or served.version["algorithm"] == "linear":
        (own,) = held.of_rows(scores(served.model))
        return Predictions.of(own, served.threshold), None
    decides_by = served.version.get("decision_metric")
    parts = learned.part, learned.validation
    plain, threshold = yardsticks.linear(*parts, served.about, decides_by, refitted=served.is_refitted)
    own, others = held.of_rows(scores(served.model), scores(plain))
    return Predictions.of(own, served.threshold), Predictions.of(others, threshold)


def _yardsticks(
    specification: Specification, learned: Floats, target: Floats, served: Served, predicted: Predictions, plain: Predictions | None
) -> dict[str, Any]:
    """What the version is measured against on the test rows: each class, a constant answer and a plain linear model."""
    metric, classes = specification.metric, served.about["classes"]
    missing: dict[str, int] | None = None
    if classes is not None:
        occurs, decided = (np.bincount(labels.astype(np.int64), minlength=len(classes)) for labels in (target, predicted.decided))
        missing = {name: int(count) for name, count, said in zip(classes, occurs, decided, strict=True) if count and not said}
    constants = {
        name: _compared(specification, name, target, predicted, yardsticks.constant(name, learned, served.about, len(target)))
        for name in dict.fromkeys([metric] if classes is None else [metric, "log_loss"])
    }
    linear = None if plain is None else _compared(specification, metric, target, predicted, plain)
    return {"never_decided": missing, "constants": constants, "linear": linear}


def _compare(
    options: argparse.Namespace, specification: Specification, held: HeldOut, predicted: Predictions, scratch: Path
) -> tuple[dict[str, Any], dict[str, float | None] | None, dict[str, Any]]:
    """The champion's name and what became of it; the paired comparison where there is one, and beside it that of the other metrics and of
    each group.
    """
    current = champion.Champion()
    if options.champion_model:
        current = champion.from_archive(Path(options.champion_model), scratch, Path(options.champion_model).name)
    elif options.deploy_pipeline:
        current = champion.released_by([name for name in (options.deploy_pipeline, options.return_pipeline) if name], scratch)
    preparation = json.loads((Path(options.preparation) / "preparation.json").read_text(encoding="utf-8"))
    rival = {"name": current.name, "facts": current.facts, "model_sha256": current.sha256}
    obstacle = champion.incomparable(current, preparation)
    unseen = np.ones(held.count, dtype=bool) if obstacle else _unseen(current, preparation, held)
    if not obstacle and np.count_nonzero(unseen) < champion.FEWEST_ROWS:
        obstacle = "production learned from these rows: what decides which rows train has changed since"
    if obstacle:
        return {**rival, "compared": False, "detail": f"not compared: {obstacle}"}, None, {}
    theirs = champion.predict(current, held.batches(unseen), scratch)
    target, ours, metric = held.target[unseen], predicted.take(unseen), specification.metric
    comparison = _compared(specification, metric, target, ours, theirs)
    shown, in_sample = held.sample.take(unseen[held.in_sample]), held.in_sample[unseen]
    others = [name for name in reported(specification.problem, specification.metric) if name in specification.dataset["more_is_better"]]
    beside = {
        "metrics": {name: _compared(specification, name, target, ours, theirs) for name in others},
        "groups": by_group(
            metric, shown, ours.take(in_sample), theirs.take(in_sample), more_is_better=specification.more_is_better(metric)
        ),
    }
    numbers = {name: np.nan if value is None else value for name, value in comparison.items()}
    detail = "{metric} {value:.5g}, gain {gain:+.3g} [{lower:+.3g}, {upper:+.3g}]".format(metric=specification.metric, **numbers)
    if not unseen.all():
        detail += f" on the {np.count_nonzero(unseen)} test rows that production has not learned from"
    return {**rival, "compared": True, "detail": detail}, comparison, beside


def _unseen(current: champion.Champion, preparation: dict[str, Any], held: HeldOut) -> NDArray[np.bool_]:
    """The test rows that production has not learned from."""
    column = champion.time_of(current)
    if column is None:
        (unseen,) = held.of_rows(lambda rows: champion.unseen(current, preparation, rows))
        return unseen
    later = champion.later(current, *held.times(column))
    return np.zeros(held.count, dtype=bool) if later is None else later


def _compared(specification: Specification, metric: str, target: Floats, ours: Predictions, theirs: Predictions) -> dict[str, float | None]:
    return compare(metric, target, ours, theirs, more_is_better=specification.more_is_better(metric))


def _bias(specification: Specification, held: HeldOut, predicted: Predictions) -> dict[str, float | None] | None:
    """Bias metrics of a binary problem with a facet. The positive class is the favourable outcome."""
    facet = specification.facet
    if facet is None or specification.problem != "binary":
        return None
    (group,) = held.of_rows(lambda rows: fairness.disadvantaged(rows, facet))
    return fairness.measures(group, held.target == 1, predicted.decided == 1)


def _curves(problem: str, target: Floats, predicted: Predictions, classes: list[str] | None) -> dict[str, Any]:
    if problem == "regression":
        return quality.scatter(target, predicted.scores)
    curves: dict[str, Any] = {"confusion_matrix": quality.confusion(target, predicted.decided, classes or [])}
    if problem == "binary":
        curves["receiver_operating_characteristic_curve"] = quality.roc(target, predicted.scores)
        curves["precision_recall_curve"] = quality.precision_recall(target, predicted.scores)
        curves["calibration"] = calibration.curve(target, predicted.scores)
    return curves


def _changes(options: argparse.Namespace, rival: dict[str, Any], served: Served, scratch: Path) -> list[dict[str, str]]:
    folder = scratch / "champion"
    if not folder.exists():
        return []
    production = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    commits = {"what": "Commit", "production": rival["facts"].get("git-commit", "-"), "candidate": options.git_commit}
    code = changes.in_code(folder / "code", scratch / "challenger" / "code")
    return [commits, *changes.since(production, served.version), *([code] if code else [])]


def _files(
    facts: dict[str, Any],
    specification: Specification,
    options: argparse.Namespace,
    rows: Rows,
    predicted: Predictions,
    shown: Predictions,
    served: Served,
    scratch: Path,
) -> dict[str, str | bytes]:
    """`rows`, `shown`: the sample of whole test rows, and what the version said of them; `predicted`: of all."""
    schema = SCHEMA[specification.problem]
    curves = {
        name: value
        for name, value in facts["curves"].items()
        if specification.problem != "regression" and name in ("confusion_matrix", "receiver_operating_characteristic_curve")
    }
    evaluation = {
        schema: {**facts["metrics"], **curves},
        **{name: facts[name] for name in ("gate", "champion", "lineage", "metadata", "latency", "model_bytes", "rows")},
        **({"sampled": facts["sampled"]} if facts["sampled"] else {}),
    }
    statistics = json.loads((Path(options.preparation) / "statistics.json").read_text(encoding="utf-8"))
    constraints = baseline.constraints(statistics)
    scores = predicted.scores if predicted.scores.ndim == 1 else predicted.scores.max(axis=1)
    statistics["features"].append(baseline.numeric("prediction", scores))
    metric, threshold = facts["gate"]["metric"], facts["gate"]["threshold"]
    operator = "LessThanThreshold" if specification.more_is_better(metric) else "GreaterThanThreshold"
    model_constraints = {
        "version": 0.0,
        schema.replace("metrics", "constraints"): {metric: {"threshold": threshold, "comparison_operator": operator}},
    }
    documents = {
        "statistics.json": statistics,
        "constraints.json": constraints,
        "model_constraints.json": model_constraints,
        "contract.json": served.contract,
        "bias.json": _bias_report(specification, facts["bias"]),
        "explainability.json": {
            "version": "1.0",
            "explanations": {
                EXPLANATIONS.get(served.version["algorithm"], "tree_shap"): {"label0": {"global_shap_values": facts["attributions"]}}
            },
        },
    }
    return {
        **{name: as_json(document) for name, document in documents.items()},
        "evaluation.json": property_file(evaluation, schema, curves),
        "golden.csv": golden.text(rows, served, scratch),
        "report.html": report.render(facts, specification),
        "reference.npz": reference.content(rows, shown),
        "review.json": as_json(_review(facts, specification)),
        "estimator.json": json.dumps(_plain(_estimator(facts, specification, rows, shown, served)), sort_keys=True, allow_nan=False),
    }


def _estimator(facts: dict[str, Any], specification: Specification, rows: Rows, predicted: Predictions, served: Served) -> dict[str, Any]:
    """How the metric is estimated in production, and what it was here."""
    metric, classes = specification.metric, served.about["classes"]
    judged = {
        "metric": metric,
        "more_is_better": specification.more_is_better(metric),
        "at_evaluation": facts["metrics"][metric]["value"],
    }
    return {**judged, **estimator.fit(metric, specification.problem, rows, predicted, None if classes is None else len(classes))}


def _review(facts: dict[str, Any], specification: Specification) -> dict[str, Any]:
    """What a person judges by that no step of the pipeline reads. Layout: deploy_scripts/review/evidence.py reads it."""
    kept = ("groups", "beside", "bias", "attributions", "changes", "sources", "split", "why", "warnings", "making")
    return {**{name: facts[name] for name in kept}, "facet": specification.facet}


def as_json(document: Any) -> str:
    return json.dumps(_plain(document), indent=1, allow_nan=False)


def property_file(evaluation: dict[str, Any], schema: str, curves: Collection[str]) -> str:
    """evaluation.json. The names of many classes can make it larger than a step reads: then the curves are in the report only."""
    text = as_json(evaluation)
    if len(text.encode()) <= MOST_PROPERTY_BYTES:
        return text
    metrics = {name: value for name, value in evaluation[schema].items() if name not in curves}
    return as_json({**evaluation, schema: metrics})


def _bias_report(specification: Specification, bias: dict[str, float | None] | None) -> dict[str, Any]:
    if bias is None or specification.facet is None:
        return {"version": "1.0", "pre_training_bias_metrics": {}, "post_training_bias_metrics": {}}
    return fairness.report(specification.facet, specification.target, str(specification.dataset["positive_class"]), bias)


def _plain(value: Any) -> Any:
    """JSON has no NaN: an undefined number is null."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


if __name__ == "__main__":
    failure.run(main)
