"""What each action provider does. An action is a function `(job) -> None` that raises `ActionError` to fail.

Next: `job.py` (what an action is given), then the provider of interest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from local_account.codepipeline.actions import approval, cloudformation, codebuild, codecommit, connection, lambda_function
from local_account.codepipeline.actions.job import Job
from local_account.errors import NotEmulatedError, ServiceError

#: (category, owner, provider) -> the module that runs such an action. CodeBuild runs the same for builds and for tests.
_MODULES: Mapping[tuple[str, str, str], ModuleType] = {
    ("Source", "AWS", "CodeCommit"): codecommit,
    ("Source", "AWS", "CodeStarSourceConnection"): connection,
    ("Build", "AWS", "CodeBuild"): codebuild,
    ("Test", "AWS", "CodeBuild"): codebuild,
    ("Deploy", "AWS", "CloudFormation"): cloudformation,
    ("Approval", "AWS", "Manual"): approval,
    ("Invoke", "AWS", "Lambda"): lambda_function,
}
PROVIDERS: Mapping[tuple[str, str, str], Callable[[Job], None]] = {kind: module.run for kind, module in _MODULES.items()}
#: What AWS has besides (user guide, "Valid action providers" and "Action structure reference").
_OTHER_PROVIDERS = (
    *("AppConfig", "CloudFormationStackInstances", "CloudFormationStackSet", "CodeDeploy", "CodeDeployToECS"),
    *("Commands", "DeviceFarm", "EC2", "ECR", "ECRBuildAndPublish", "ECS", "EKS", "ElasticBeanstalk", "InspectorScan", "S3"),
    *("ServiceCatalog", "StepFunctions", "CodePipeline", "Snyk"),
)
_OTHER_CONFIGURATION = ("BatchEnabled", "CombineArtifacts", "ChangeSetName")
_OTHER_VALUES = ("CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE", "CODEBUILD_CLONE_REF")


def check(action: Mapping[str, Any]) -> None:
    """Raises ServiceError for an action that the service would not take, or that this account could not run.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
    """
    kind, given = action["actionTypeId"], action["configuration"]
    module = _MODULES.get((kind["category"], kind["owner"], kind["provider"]))
    if module is None:
        if kind["owner"] in ("Custom", "ThirdParty") or kind["provider"] in _OTHER_PROVIDERS:
            raise NotEmulatedError(
                "codepipeline", f"actions of {kind['category']} {kind['owner']} {kind['provider']} (action {action['name']})"
            )
        raise _invalid(
            f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', Owner: '{kind['owner']}') is not available"
        )
    for key in given:
        if key not in module.CONFIGURATION:
            if key in _OTHER_CONFIGURATION:
                raise NotEmulatedError("codepipeline", f"{key} of {kind['provider']} actions (action {action['name']})")
            raise _invalid(f"Action configuration for action '{action['name']}' contains unknown configuration '{key}'")
    for key in module.REQUIRED:
        if not given.get(key):
            raise _invalid(f"Action configuration for action '{action['name']}' is missing required configuration '{key}'")
    for key, allowed in getattr(module, "VALUES", {}).items():
        value = given.get(key)
        if value is not None and value not in allowed:
            if value in _OTHER_VALUES:
                raise NotEmulatedError("codepipeline", f"{key} {value} (action {action['name']})")
            raise _invalid(f"Action configuration for action '{action['name']}' has an invalid value '{value}' for {key}")


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidActionDeclarationException", message)
