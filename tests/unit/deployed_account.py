"""A hand-made account in which models are deployed: stacks, pipelines and what they left, for the tests of status, retire and tear_down.

It refuses what AWS refuses: a stack that is protected or changing, a pipeline with an active run, a group with versions.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from build_scripts.project_environment import ProjectEnvironment
from settings_schema.reading import Settings
from tests.unit import script_account
from tests.unit.script_account import SETTINGS, Pages, refusal

ACCOUNT, REGION = "111122223333", "us-east-1"
NOW = datetime(2026, 11, 27, 4, 3, tzinfo=UTC)


class CloudFormation:
    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.asked: list[str] = []
        self.stuck: set[str] = set()  # cannot be deleted
        self.unscaled: set[str] = set()  # have no scalable target
        self.refuse: str | None = None  # the deletion after which the person's terminal is gone

    def add(self, name: str, *, protected: bool = False, **outputs: str) -> None:
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        stack = {"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW, "Outputs": listed}
        self.stacks[name] = {**stack, "EnableTerminationProtection": protected}

    def describe_stacks(self, *, StackName: str | None = None) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        self.asked.append(StackName or "all")
        if StackName is None:
            return {"Stacks": list(self.stacks.values())}
        if StackName not in self.stacks:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks")
        stack = self.stacks[StackName]
        if stack["StackStatus"] == "DELETE_IN_PROGRESS":  # until it is looked at again
            del self.stacks[StackName]
        elif stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            self.stacks[StackName] = {**stack, "StackStatus": "UPDATE_COMPLETE"}
        return {"Stacks": [stack]}

    def describe_stack_resources(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        kinds = [] if StackName in self.unscaled else ["AWS::ApplicationAutoScaling::ScalableTarget"]
        return {"StackResources": [{"ResourceType": kind, "PhysicalResourceId": kind} for kind in kinds]}

    def get_template(self, *, StackName: str, TemplateStage: str) -> dict[str, Any]:  # noqa: N803
        return {"TemplateBody": {"Resources": {}}}

    def update_termination_protection(self, *, StackName: str, EnableTerminationProtection: bool) -> None:  # noqa: N803
        self.stacks[StackName]["EnableTerminationProtection"] = EnableTerminationProtection

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803
        stack = self.stacks[StackName]
        if stack["EnableTerminationProtection"] or stack["StackStatus"].endswith("_IN_PROGRESS"):
            raise refusal("ValidationError", f"Stack {StackName} cannot be deleted", "DeleteStack")
        if StackName == self.refuse:
            raise KeyboardInterrupt
        if StackName in self.stuck:
            stack |= {"StackStatus": "DELETE_FAILED", "StackStatusReason": "the bucket is not empty"}
            return
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
        self.deleted.append(StackName)

    def get_paginator(self, name: str) -> Pages:
        return Pages(getattr(self, name))


class CodePipeline:
    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.states: dict[str, dict[str, Any]] = {}
        self.running: dict[str, list[str]] = {}
        self.executions: dict[str, list[dict[str, Any]]] = {}  # newest first
        self.packages: dict[str, str] = {}  # by execution
        self.failed: dict[str, list[dict[str, Any]]] = {}  # actions, by execution

    def add(self, name: str, *running: str) -> None:
        self.states[name] = {"pipelineName": name, "stageStates": [{"stageName": item} for item in ("Source", "Render", "Staging")]}
        self.running[name] = list(running)

    def run(self, name: str, identifier: str, status: str, package: str, minute: int = 0, **more: Any) -> None:
        """An execution of a version that began that many minutes after NOW; later ones are added later."""
        summary = {"pipelineExecutionId": identifier, "status": status, "startTime": NOW + timedelta(minutes=minute), **more}
        self.executions.setdefault(name, []).insert(0, summary)
        self.packages[identifier] = package

    def get_pipeline_execution(self, *, pipelineName: str, pipelineExecutionId: str) -> dict[str, Any]:  # noqa: N803
        listed = {item["pipelineExecutionId"]: item for item in self.executions.get(pipelineName, [])}
        given = [{"name": "ModelPackageArn", "resolvedValue": self.packages.get(pipelineExecutionId, "latest-approved")}]
        return {"pipelineExecution": {**listed.get(pipelineExecutionId, {}), "variables": given}}

    def list_action_executions(self, *, pipelineName: str, filter: dict[str, str] | None = None) -> dict[str, Any]:  # noqa: N803
        wanted = [filter["pipelineExecutionId"]] if filter else list(self.failed)
        return {"actionExecutionDetails": [action for item in wanted for action in self.failed.get(item, [])]}

    def get_pipeline_state(self, *, name: str) -> dict[str, Any]:
        if name not in self.states:
            raise refusal("PipelineNotFoundException", "no such pipeline", "GetPipelineState")
        return self.states[name]

    def disable_stage_transition(self, *, pipelineName: str, stageName: str, transitionType: str, reason: str) -> None:  # noqa: N803
        assert (transitionType, bool(reason)) == ("Inbound", True)
        self.log.append(f"close {pipelineName} {stageName}")

    def list_pipeline_executions(self, *, pipelineName: str) -> dict[str, Any]:  # noqa: N803
        if pipelineName in self.executions:
            return {"pipelineExecutionSummaries": self.executions[pipelineName]}
        if pipelineName not in self.running:
            raise refusal("PipelineNotFoundException", "no such pipeline", "ListPipelineExecutions")
        found = [{"pipelineExecutionId": item, "status": "InProgress", "startTime": NOW} for item in self.running[pipelineName]]
        return {"pipelineExecutionSummaries": [*found, {"pipelineExecutionId": "old", "status": "Succeeded", "startTime": NOW}]}

    def stop_pipeline_execution(self, *, pipelineName: str, pipelineExecutionId: str, **_: Any) -> None:  # noqa: N803
        self.running[pipelineName].remove(pipelineExecutionId)

    def get_paginator(self, name: str) -> Pages:
        return Pages(getattr(self, name))


class Lambda:
    """The functions that remove what no endpoint uses; `functions` are there. `running`: how often a watch is still to be seen running."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.functions, self.running = log, set[str](), dict[str, int]()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        """By an ARN, which has the account."""
        *_, kind, name = FunctionName.split(":")
        if kind != "function" or name not in self.functions:
            raise refusal("ResourceNotFoundException", "Function not found", "Invoke")
        stop = json.loads(Payload).get("stop")
        if stop is not None:
            seen = [pipeline for pipeline in stop if self.running.get(pipeline)]
            self.running |= {pipeline: self.running[pipeline] - 1 for pipeline in seen}
            self.log.append(f"stop {', '.join(stop)}")
            return {"Payload": io.BytesIO(json.dumps({"running": seen}).encode())}
        self.log.append(f"invoke {name}")
        return {"Payload": io.BytesIO(json.dumps({"deleted": ["config-old"], "waiting": []}).encode())}


class SageMaker(script_account.Registry):
    """Versions by group, pipelines by name with their runs. Stopping a run takes until it is looked at again."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log
        self.runs: dict[str, dict[str, str]] = {}
        self.groups: dict[str, list[str]] = {}
        self.models: set[str] = set()
        self.made: dict[str, str] = {}  # model by run
        self.batch: dict[str, str] = {}  # package by model
        self.jobs: list[dict[str, Any]] = []

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803
        if PipelineName not in self.runs:
            raise refusal("ResourceNotFound", "does not exist", "DescribePipeline")
        return {"PipelineName": PipelineName}

    def stop_pipeline_execution(self, *, PipelineExecutionArn: str) -> None:  # noqa: N803
        for runs in self.runs.values():
            if PipelineExecutionArn in runs:
                runs[PipelineExecutionArn] = "Stopping"

    def list_pipeline_executions(self, *, PipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.describe_pipeline(PipelineName=PipelineName)
        runs = dict(self.runs[PipelineName])
        self.runs[PipelineName] = {arn: "Stopped" if status == "Stopping" else status for arn, status in runs.items()}
        return {
            "PipelineExecutionSummaries": [{"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, status in runs.items()]
        }

    def list_pipeline_execution_steps(self, *, PipelineExecutionArn: str) -> dict[str, Any]:  # noqa: N803
        made = self.made.get(PipelineExecutionArn)
        return {"PipelineExecutionSteps": [{"Metadata": {"Model": {"Arn": f"arn:model/{made}"}}}] if made else [{}]}

    def delete_pipeline(self, *, PipelineName: str) -> None:  # noqa: N803
        if {"Executing", "Stopping"} & set(self.runs[PipelineName].values()):
            raise refusal("ConflictException", "has a running execution", "DeletePipeline")
        del self.runs[PipelineName]
        self.log.append(f"delete pipeline {PipelineName}")

    def delete_model(self, *, ModelName: str) -> None:  # noqa: N803
        self.models.remove(ModelName)

    def describe_model_package_group(self, *, ModelPackageGroupName: str) -> dict[str, Any]:  # noqa: N803
        if ModelPackageGroupName not in self.groups:
            raise refusal("ValidationException", f"ModelPackageGroup {ModelPackageGroupName} does not exist.", "DescribeModelPackageGroup")
        return {"ModelPackageGroupName": ModelPackageGroupName}

    def list_model_package_groups(self, *, NameContains: str) -> dict[str, Any]:  # noqa: N803
        return {"ModelPackageGroupSummaryList": [{"ModelPackageGroupName": name} for name in self.groups if NameContains in name]}

    def list_model_packages(self, *, ModelPackageGroupName: str, **options: Any) -> dict[str, Any]:  # noqa: N803
        self.describe_model_package_group(ModelPackageGroupName=ModelPackageGroupName)
        if "SortBy" in options:  # build_scripts/registry.py lists what was added with its facts
            return super().list_model_packages(ModelPackageGroupName=ModelPackageGroupName, **options)
        return {"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in self.groups[ModelPackageGroupName]]}

    def delete_model_package(self, *, ModelPackageName: str) -> None:  # noqa: N803
        for arns in self.groups.values():
            if ModelPackageName in arns:
                arns.remove(ModelPackageName)
                self.log.append(f"delete version {ModelPackageName}")

    def delete_model_package_group(self, *, ModelPackageGroupName: str) -> None:  # noqa: N803
        if self.groups.pop(ModelPackageGroupName):
            raise refusal("ConflictException", "has versions", "DeleteModelPackageGroup")

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:  # noqa: N803
        if ModelName in self.batch:
            return {"PrimaryContainer": {"ModelPackageName": self.batch[ModelName]}}
        return super().describe_model(ModelName=ModelName)

    def list_transform_jobs(self, *, NameContains: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"TransformJobSummaries": [job for job in self.jobs if NameContains in job["TransformJobName"]]}

    def describe_transform_job(self, *, TransformJobName: str) -> dict[str, Any]:  # noqa: N803
        return next(job for job in self.jobs if job["TransformJobName"] == TransformJobName)


class CloudWatch(script_account.Alarms):
    """`states`: of the alarms that are there, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, str] = {}

    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str] | None = None) -> dict[str, Any]:  # noqa: N803 - boto3's
        assert AlarmTypes == ["MetricAlarm"]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.states[name]} for name in AlarmNames if name in self.states]}


class Sts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT}


class DeployedAccount:
    """`log`: what was changed, but for stacks, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.cloudformation, self.codepipeline = CloudFormation(), CodePipeline(self.log)
        self.sagemaker, self.functions = SageMaker(self.log), Lambda(self.log)
        self.cloudwatch = CloudWatch()
        self.clients: dict[str, Any] = {
            "cloudformation": self.cloudformation,
            "codepipeline": self.codepipeline,
            "sagemaker": self.sagemaker,
            "lambda": self.functions,
            "cloudwatch": self.cloudwatch,
            "s3": self.sagemaker.s3,
            "sts": Sts(),
        }


def install(monkeypatch: pytest.MonkeyPatch, settings: Settings = SETTINGS) -> DeployedAccount:
    account = DeployedAccount()
    script_account.install(monkeypatch)
    script_account.set_values(monkeypatch, settings)
    monkeypatch.delenv("MODEL")
    monkeypatch.setattr(ProjectEnvironment, "client", lambda _, service, *options, **credentials: account.clients[service])
    return account


def deploy_model(account: DeployedAccount, name: str, *environments: str, versions: int = 1) -> None:
    """What a model has once it is deployed: stacks, pipelines, a group with versions, and a run that is going on."""
    account.cloudformation.add(f"shop--{name}")
    account.codepipeline.add(f"shop--{name}--deploy", "running")
    account.sagemaker.runs |= {
        f"shop--{name}--training": {f"run/{name}/1": "Executing"},
        f"shop--{name}--batch": {f"run/{name}/2": "Succeeded"},
    }
    account.sagemaker.made[f"run/{name}/2"] = f"scored-{name}"
    account.sagemaker.models.add(f"scored-{name}")
    account.sagemaker.groups[f"shop--{name}"] = [f"arn:package/shop--{name}/{number + 1}" for number in range(versions)]
    for environment in environments:
        account.cloudformation.add(f"shop--{name}--{environment}", EndpointName=f"shop--{name}--{environment}")
