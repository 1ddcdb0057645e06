"""Checks the structure of a pipeline before it is stored, as the service does, and says what the local account cannot run.

Names, modes and types are checked at the port (`local_account/api/validation.py`).

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-requirements.html
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from typing import Any

from local_account.codepipeline import actions as actions_of_account
from local_account.codepipeline import triggers
from local_account.codepipeline.conditions import RULES
from local_account.errors import NotEmulatedError, ServiceError


def checked(pipeline: dict[str, Any], version: int, region: str) -> dict[str, Any]:
    """A copy with the defaults filled in; `region` is the pipeline's. Raises ServiceError (InvalidStructureException, NotImplemented)."""
    result = copy.deepcopy(pipeline)
    stages = result["stages"]
    _require(len(stages) >= 2, f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline")
    _require_unique("stage", (stage["name"] for stage in stages))
    if result.get("pipelineType", "V1") == "V1":
        _require(not result.get("variables"), "pipeline variables need pipelineType V2")
    for stage in stages:
        _check_stage(stage, region, is_first=stage is stages[0])
    _check_stores(result, region)
    _check_artifacts(stages)
    triggers.check(result)
    if result.get("triggers"):
        result["pipelineType"] = "V2"  # botocore's model of PipelineDeclaration: what V2 alone has makes it one
    return {"executionMode": "SUPERSEDED", "pipelineType": "V1", **result, "version": version}


def _check_stores(pipeline: dict[str, Any], region: str) -> None:
    """CodePipeline user guide, "Pipeline structure reference": one store, or one for each region that has actions and for the pipeline's.

    A manual approval is of no region.
    """
    stores = pipeline.get("artifactStores") or {}
    _require(("artifactStore" in pipeline) != bool(stores), "a pipeline has either artifactStore or artifactStores")
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    used = {region, *(action["region"] for action in actions if action["actionTypeId"]["category"] != "Approval")}
    lacking = sorted(used - (set(stores) or {region}))
    _require(not lacking, f"artifactStores has no store for the regions of its actions: {', '.join(lacking)}")


def _check_stage(stage: dict[str, Any], region: str, *, is_first: bool) -> None:
    actions = stage.get("actions") or []
    _require(bool(actions), f"stage {stage['name']} has no actions")
    _require_unique(f"action of stage {stage['name']}", (action["name"] for action in actions))
    for action in actions:
        is_source = action["actionTypeId"]["category"] == "Source"
        _require(is_source == is_first, f"action {action['name']}: the first stage has source actions only, and no other stage has any")
        action.setdefault("runOrder", 1)
        action.setdefault("region", region)
        action.setdefault("configuration", {})
        action.setdefault("inputArtifacts", [])
        action.setdefault("outputArtifacts", [])
        actions_of_account.check(action)
    for condition in (stage.get("beforeEntry") or {}).get("conditions", []):
        for rule in condition.get("rules", []):
            provider = rule["ruleTypeId"]["provider"]
            if provider not in RULES:
                known = f"implemented: {', '.join(RULES)}"
                raise NotEmulatedError("codepipeline", f"rule provider {provider!r} of stage {stage['name']}; {known}")
    for member in ("onSuccess", "onFailure"):  # of a failure there are the results ROLLBACK and RETRY, without conditions
        if (stage.get(member) or {}).get("conditions"):
            raise NotEmulatedError("codepipeline", f"{member} conditions of stage {stage['name']}")


def _check_artifacts(stages: list[dict[str, Any]]) -> None:
    made: set[str] = set()
    for stage in stages:
        for action in sorted(stage["actions"], key=lambda action: int(action["runOrder"])):
            for artifact in action["inputArtifacts"]:
                _require(
                    artifact["name"] in made, f"action {action['name']} reads artifact {artifact['name']!r}, which no earlier action makes"
                )
            for artifact in action["outputArtifacts"]:
                _require(artifact["name"] not in made, f"artifact {artifact['name']!r} is made by two actions")
                made.add(artifact["name"])


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ServiceError("InvalidStructureException", message)


def _require_unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    _require(not repeated, f"{what} name used twice: {', '.join(repeated)}")
