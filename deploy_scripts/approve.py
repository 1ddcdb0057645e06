"""Shows the evidence for a version, then approves or rejects it. What SageMaker Studio's registry page does.

    python -m deploy_scripts.approve --model abalone --version 3 --comment "better on small shells"
    python -m deploy_scripts.approve --model abalone --version 3 --reject --comment "worse for one group"
    python -m deploy_scripts.approve --model abalone --version 3 --page out/review.html      the same as a page, and asks

Approving deploys the version to staging, unless a newer approved one is live or on its way; rejecting the live one takes production back to
one that served before, and closes the review of one that waits in the deploy pipeline. What a decision does is said before it is made.
Next: status.py shows where it is. Before the first approval, `make preflight` shows whether the account has room for both fleets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.evaluated_artifact import require_servable
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, numbered, versions
from deploy_scripts.agreement import person_agrees
from deploy_scripts.consequences import consequences, say
from deploy_scripts.decisions import decisions
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.review.facts import Question, gather
from deploy_scripts.review.page import render
from deploy_scripts.review.publishing import kept
from deploy_scripts.review.text import lines
from deploy_scripts.review.view import view
from deploy_scripts.type_change import announced

LONGEST_COMMENT = 1024  # of ApprovalDescription


def find(sagemaker: Any, group: str, number: int | None) -> Version:
    """The version with this number, or the newest that waits for a decision. Raises ProblemError."""
    if number is not None:
        return numbered(sagemaker, group, number)
    waiting = versions(sagemaker, group, "PendingManualApproval")
    if not waiting:
        raise ProblemError(f"no version of {group} waits for approval; `python -m deploy_scripts.status` shows all")
    return describe(sagemaker, waiting[0])


def facts_of(question: Question) -> dict[str, Any]:
    """Those of its page, if it has been where versions are tested; else what is known before."""
    names = question.model.names(question.settings.project)
    return kept(question.project, names, question.version.number) or gather(question, None)


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if len(given.comment) > LONGEST_COMMENT:
        raise ProblemError(f"--comment has {len(given.comment)} characters; allowed: {LONGEST_COMMENT}")
    settings = read_settings()
    model = settings.model(given.model)
    names = model.names(settings.project)
    project = ProjectEnvironment(settings.project)
    sagemaker = project.client("sagemaker")
    version = find(sagemaker, names.model_package_group, given.version)
    if not given.reject:
        require_servable(version)
    question = Question(project, settings, model, version, lambda item: EnvironmentPlace(project, item, Role.LOOKUP))
    seen = view({**facts_of(question), "decisions": [item._asdict() for item in decisions(project, names, [version])]})
    if given.page:
        given.page.parent.mkdir(parents=True, exist_ok=True)
        given.page.write_text(render(seen), encoding="utf-8")
    print("\n".join(lines(seen)))
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
    options.add_argument("--page", type=Path, metavar="FILE", help="also write the approver's page, to look at in a browser")
    options.add_argument("--yes", action="store_true", help="do not ask")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
