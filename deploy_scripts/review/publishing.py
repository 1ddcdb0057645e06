"""Keeps the approver's page of a version in the artifact bucket, with the facts that it is made of.

    python -m deploy_scripts.review.publishing --model abalone --package ARN

makes it anew, with what was found on staging then. verify.py calls `publish`, and shadow.py `add_comparison` with what it found later.
Output: `reviews/<model>/<version>/page.html` and `facts.json`. Read by approve.py; the approval request links to the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from build_scripts.command_line import ProblemError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.missing import found_object
from build_scripts.objects import encryption
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import describe
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.review.facts import Question, gather
from deploy_scripts.review.page import render
from deploy_scripts.review.view import view
from settings_schema import ModelNames
from settings_schema.console import object_page
from settings_schema.reading import Settings

PAGE, FACTS = "page.html", "facts.json"


def publish(question: Question, staging: Mapping[str, Any]) -> str:
    """Address of the page in the console."""
    names = question.model.names(question.settings.project)
    return _keep(question.project, names, question.version.number, gather(question, staging))


def add_comparison(project: ProjectEnvironment, names: ModelNames, number: int, comparison: Mapping[str, Any]) -> str | None:
    """What production's shadow has shown; all else stays as it was found. None where there is no page to add it to."""
    facts = kept(project, names, number)
    return None if facts is None else _keep(project, names, number, {**facts, "shadow": dict(comparison)})


def _keep(project: ProjectEnvironment, names: ModelNames, number: int, facts: Mapping[str, Any]) -> str:
    prefix = names.review(number)
    contents = {
        FACTS: (json.dumps(facts, indent=1, allow_nan=False).encode(), "application/json"),
        PAGE: (render(view(facts)).encode(), "text/html; charset=utf-8"),
    }
    s3 = project.client("s3")
    for name, (body, kind) in contents.items():
        s3.put_object(Bucket=project.artifact_bucket, Key=f"{prefix}{name}", Body=body, ContentType=kind, **encryption(project.key_arn))
    return object_page(project.region, project.artifact_bucket, f"{prefix}{PAGE}")


def kept(project: ProjectEnvironment, names: ModelNames, number: int) -> dict[str, Any] | None:
    """The facts of the page; None of a version that has not been on staging, or where they may not be read."""
    answer = found_object(project.client("s3").get_object, Bucket=project.artifact_bucket, Key=f"{names.review(number)}{FACTS}")
    return None if answer is None else dict(json.loads(answer["Body"].read()))


def question_of_build(project: ProjectEnvironment, settings: Settings, model: str | None, package: str) -> Question:
    """As a build of the deploy pipeline may look, also in other accounts."""
    asked = settings.model(model)
    names = asked.names(settings.project)
    version = describe(project.client("sagemaker"), package)
    return Question(project, settings, asked, version, lambda item: EnvironmentPlace(project, item, names.at(item.name)))


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    add_package_option(options)
    given = options.parse_args(arguments)
    settings = read_settings()
    project = ProjectEnvironment(settings.project)
    question = question_of_build(project, settings, given.model, given.package)
    facts = kept(project, question.model.names(settings.project), question.version.number)
    if facts is None or not facts["staging"]:
        raise ProblemError(f"version {question.version.number} has no page yet: it is made when its deployment to staging is verified")
    print(f"page: {publish(question, facts['staging'])}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
