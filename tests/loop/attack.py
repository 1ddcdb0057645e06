"""A push of someone who wants a version of their own in production: how `pushed_attack.py` gets into it, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo import loop
from demo.subject import Subject
from settings_schema import ModelNames
from tests.loop.person import Person


@dataclass(frozen=True)
class Attack:
    """What it tried. `forged`: the version that it trained."""

    outcomes: dict[str, dict[str, str]]  # role -> what -> code of the refusal, or "done"
    forged: str
    deployment: str  # of the version that it made, which a person approved in the registry
    forged_pipeline: str  # why the pipeline failed that would have registered a version as approved


def attempted(log: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in log.splitlines():
        if line.startswith("attack "):
            role, what, outcome = line.removeprefix("attack ").split(": ", 2)
            found.setdefault(role, {})[what] = outcome
    return found


def log_of_action(person: Person, pipeline: str, execution: str, action: str) -> str:
    result = loop.actions(person.terminal, pipeline, execution)[action]["output"]["executionResult"]
    return Path(urlsplit(result["externalExecutionUrl"]).path).read_text(encoding="utf-8")


def aims(person: Person, subject: Subject, released_arn: str, pending_arn: str, commit: str) -> dict[str, object]:
    """What the attack is about: the released version's objects, a version that waits, and one that says it is approved."""
    names = subject.names
    version = person.terminal.client("sagemaker").describe_model_package(ModelPackageName=released_arn)
    container = {name: version["InferenceSpecification"]["Containers"][0][name] for name in ("Image", "ModelDataUrl")}
    bucket, _, model = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    return {
        "bucket": bucket,
        "model": model,
        "template": f"code/templates/{commit}/{subject.production.stack}.template.json",
        "code": f"{person.facts_of(released_arn)['code-uri'].removeprefix(f's3://{bucket}/')}/steps/train.py",
        "artifact": f"{artifact_folder(names)}/Rendered/forged",
        "pending": pending_arn,
        "approved_version": {
            "ModelPackageGroupName": names.model_package_group,
            "ModelApprovalStatus": "Approved",
            "CustomerMetadataProperties": {"served-production": "2026-01-01"},
            "InferenceSpecification": specification,
        },
        "deploy_pipeline": names.deploy_pipeline,
        "return_pipeline": names.return_pipeline,
        "pipeline": names.training_pipeline,
        "pipeline_role": _role_of(person, names),
        "start_function": names.start_deployment_function,
    }


def artifact_folder(names: ModelNames) -> str:
    """CodePipeline keeps twenty characters of a pipeline's name in the keys of its artifacts."""
    return names.deploy_pipeline[:20]


def _role_of(person: Person, names: ModelNames) -> str:
    return str(person.terminal.client("sagemaker").describe_pipeline(PipelineName=names.training_pipeline)["RoleArn"])


_JOB = """    try:
        failure.run(main)
    finally:
        import json
        import pushed_attack

        here = Path(__file__)
        model = json.loads(here.with_name("specification.json").read_text())["model"]
        pushed_attack.main(f"job of {model}", here.with_name("aims.json"))"""


def put_the_attack_in(person: Person, given: Mapping[str, object]) -> None:
    """Into the build, a job's step, Render and Verify; and the version that it trains says that it has served."""
    for folder in (".", "pipelines/tabular/steps"):
        (person.clone / folder / "aims.json").write_text(json.dumps(given), encoding="utf-8")
        (person.clone / folder / "pushed_attack.py").write_bytes(Path(__file__).with_name("pushed_attack.py").read_bytes())
    first = "      - python -m build_scripts.run_pipeline"
    person.change("build_scripts/buildspec.yml", first, f"      - python pushed_attack.py build\n{first}")
    person.change("pipelines/tabular/steps/evaluate.py", "    failure.run(main)", _JOB)
    fact = '        "git-commit": '
    person.change("pipelines/tabular/pipeline.py", fact, f'        "served-production": "2026-01-01",\n{fact}')
    chosen = "      - . ./chosen.env"
    forged = "      - export LEAVING=everything Leaving=everything"
    person.change("deploy_scripts/render.buildspec.yml", chosen, f"      - python pushed_attack.py render\n{chosen}\n{forged}")
    person.change("deploy_scripts/render.buildspec.yml", "  exported-variables:", "  exported-variables:\n    - LEAVING\n    - Leaving")
    verify = "      - python -m deploy_scripts.verify"
    person.change("deploy_scripts/verify.buildspec.yml", verify, f"      - python pushed_attack.py verify\n{verify}")
