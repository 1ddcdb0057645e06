"""Shows the evidence for a version, then approves or rejects it. What SageMaker Studio's registry page does.

    python -m deploy_scripts.approve --model abalone --version 3 --comment "better on small shells"
    python -m deploy_scripts.approve --model abalone --version 3 --reject --comment "worse for one group"

Approving deploys the version to staging, unless a newer approved one is live or on its way; rejecting the live one takes production back to
one that served before, and closes the review of one that waits in the deploy pipeline. What a decision does is said before it is made.
Next: status.py shows where it is. Before the first approval, `make preflight` shows whether the account has room for both fleets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.objects import content
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, numbered, versions
from deploy_scripts.agreement import person_agrees
from deploy_scripts.consequences import consequences, say
from deploy_scripts.type_change import announced

LONGEST_COMMENT = 1024  # of ApprovalDescription
#: Facts in the order in which an approver asks for them.
_FACTS = (
    "metric",
    "metric-value",
    "threshold",
    "decision-metric",
    "decision-threshold",
    "champion",
    "algorithm",
    "git-commit",
    "trigger",
    "data-url",
    "report-url",
)


def find(sagemaker: Any, group: str, number: int | None) -> Version:
    """The version with this number, or the newest that waits for a decision. Raises ProblemError."""
    if number is not None:
        return numbered(sagemaker, group, number)
    waiting = versions(sagemaker, group, "PendingManualApproval")
    if not waiting:
        raise ProblemError(f"no version of {group} waits for approval; `python -m deploy_scripts.status` shows all")
    return describe(sagemaker, waiting[0])


def evidence(version: Version, evaluation: Mapping[str, Any] | None) -> dict[str, str]:
    """What there is to judge by: the version's facts, and the gate's verdict from evaluation.json."""
    shown = {name: version.facts[name] for name in _FACTS if version.facts.get(name)}
    gate = (evaluation or {}).get("gate") or {}
    if gate:
        reasons = gate.get("reasons") or ""
        shown["gate"] = "passed" if gate.get("passed") else f"not passed: {reasons}"
        shown |= {f"warning {number}": text for number, text in enumerate(gate.get("warnings") or [], start=1)}
    comparison = ((evaluation or {}).get("champion") or {}).get("detail")
    if comparison:
        shown["production"] = comparison
    return {"version": str(version.number), "status": version.approval, **shown}


def read_evaluation(s3: Any, version: Version) -> dict[str, Any] | None:
    """evaluation.json of the version; None where it cannot be read: the decision does not depend on it."""
    try:
        return dict(json.loads(content(s3, version.evaluation_uri or "") or "{}"))
    except (ProblemError, ClientError, ValueError):
        return None


def show(facts: Mapping[str, str]) -> None:
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if len(given.comment) > LONGEST_COMMENT:
        raise ProblemError(f"--comment has {len(given.comment)} characters; allowed: {LONGEST_COMMENT}")
    settings = read_settings()
    names = settings.model(given.model).names(settings.project)
    project = ProjectEnvironment(settings.project)
    sagemaker = project.client("sagemaker")
    version = find(sagemaker, names.model_package_group, given.version)
    show(evidence(version, read_evaluation(project.client("s3"), version)))
    decision = "Rejected" if given.reject else "Approved"
    say(consequences(project, names, settings.production, version, approves=not given.reject))
    if not given.reject:
        say(announced(project, settings.environments, settings.model(given.model)))
    if version.approval == decision:
        print(f"version {version.number} is already {decision.lower()}")
        return 0
    if not person_agrees(f"{decision} version {version.number}?", asked=given.yes):
        print("nothing changed")
        return 0
    comment = {"ApprovalDescription": given.comment} if given.comment else {}
    sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus=decision, **comment)
    room = "" if given.reject else ", `make preflight` whether the account has room for both fleets"
    print(f"version {version.number} is {decision.lower()}; `python -m deploy_scripts.status` shows where it goes{room}")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--version", type=int, help="number of the version (default: the newest that waits)")
    options.add_argument("--reject", action="store_true", help="reject instead of approve")
    options.add_argument("--comment", default="", help="why; kept with the version")
    options.add_argument("--yes", action="store_true", help="do not ask")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
