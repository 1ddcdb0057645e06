"""Sets the stage for a day: a stand-in endpoint of real processes, and exactly the scaling that the endpoint stack declares.

In: the synthesized template of an endpoint stack. Out: an endpoint in service whose variant Application Auto Scaling watches.
The model is a stand-in because scaling never looks at answers. Next: `local_day.py`.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capacity import template
from capacity.model import Configuration, StepPolicy, require
from demo.errors import StageError
from demo.local_day import METRICS
from local_account.account import Account
from settings_schema.names import VARIANT

_START_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.02
#: What PutScalingPolicy takes of a policy resource, besides the target.
_POLICY_KEYS = ("PolicyName", "PolicyType", "StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration")
_INFERENCE = """
def model_fn(model_dir):
    return None

def input_fn(data, content_type):
    return data

def predict_fn(data, model):
    return data

def output_fn(prediction, accept):
    return prediction, "text/csv"
"""


@dataclass(frozen=True)
class Declared:
    """What a template says about one variant: for the simulator, and in the words of the API for the account."""

    configuration: Configuration
    policies: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    actions: list[dict[str, Any]]

    @property
    def endpoint(self) -> str:
        return self.configuration.target.resource_id.split("/")[1]

    @property
    def kinds(self) -> set[str]:
        """The kinds of scaling that are declared, as decisions name them."""
        types = {"StepScaling": "step scaling", "TargetTrackingScaling": "target tracking"}
        return {types[policy["PolicyType"]] for policy in self.policies} | ({"scheduled"} if self.actions else set())


def read(path: Path) -> Declared:
    """The first scalable target of a template. Raises CapacityError with one line for what this day cannot play."""
    configuration = template.read(path)[0]
    for policy in configuration.policies:
        watched = [alarm.metric for alarm in policy.alarms] if isinstance(policy, StepPolicy) else [policy.metric]
        for metric in watched:
            known = f"a day has these metrics: {', '.join(METRICS)}"
            require(metric.name in METRICS, f"{path.name}: policy {policy.name} watches {metric.name}; allowed: {known}")
    resources = json.loads(path.read_text(encoding="utf-8"))["Resources"]
    targets = [key for key, resource in resources.items() if resource["Type"] == template.TARGET]
    first = next((key for key in targets if "Condition" not in resources[key]), targets[0])  # as template.read: no version in an experiment
    target, of_target = resources[first], (None, {"Ref": first})
    made = {key: dict(resource["Properties"]) for key, resource in resources.items() if resource["Type"] == template.POLICY}
    policies = {key: properties for key, properties in made.items() if properties.get("ScalingTargetId") in of_target}
    alarms = []
    for properties in (resource["Properties"] for resource in resources.values() if resource["Type"] == template.ALARM):
        names = [action.get("Ref") for action in properties.get("AlarmActions", []) if isinstance(action, dict)]
        acted_on = [policies[name]["PolicyName"] for name in names if name in policies]
        if acted_on:
            alarms.append({**properties, "AlarmActions": acted_on})
    declared = [{key: value for key, value in policy.items() if key in _POLICY_KEYS} for policy in policies.values()]
    return Declared(configuration, declared, alarms, target["Properties"].get("ScheduledActions", []))


def _role(account: Account) -> str:
    """The stand-in's execution role, which reads its model and watches the alarms of a deployment."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "cloudwatch:DescribeAlarms"], "Resource": "*"}
    iam = account.client("iam")
    made = iam.create_role(RoleName="stand-in", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_role_policy(RoleName="stand-in", PolicyName="stand-in", PolicyDocument=policy)
    return str(made["Role"]["Arn"])


def create_endpoint(account: Account, name: str, instances: int, routing: str) -> str:
    """An endpoint in service that routes requests so. The answer: a second configuration of it, for a deployment to ask for."""
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    s3.create_bucket(Bucket="stand-in")
    s3.put_object(Bucket="stand-in", Key="model.tar.gz", Body=_archive("code/inference.py", _INFERENCE))
    container = {
        "Image": "xgboost:3.2-0",
        "ModelDataUrl": "s3://stand-in/model.tar.gz",
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "PIP_NO_BUILD_ISOLATION": "0",
        },
    }
    role = _role(account)
    sagemaker.create_model(ModelName="stand-in", PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {
        "VariantName": VARIANT,
        "ModelName": "stand-in",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": instances,
        "RoutingConfig": {"RoutingStrategy": routing},
    }
    for version in ("1", "2"):
        sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-{version}", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while (described := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] != "InService":
        if described["EndpointStatus"] == "Failed" or time.monotonic() > deadline:
            raise StageError(f"endpoint {name} is {described['EndpointStatus']}: {described.get('FailureReason', 'no reason given')}")
        time.sleep(_POLL_SECONDS)
    return f"{name}-2"


def register_scaling(account: Account, declared: Declared) -> None:
    """The target, its policies, their alarms and the scheduled actions, as CloudFormation would create them."""
    scaling, cloudwatch = account.client("application-autoscaling"), account.client("cloudwatch")
    target = declared.configuration.target
    resource = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": target.resource_id,
        "ScalableDimension": target.scalable_dimension,
    }
    scaling.register_scalable_target(**resource, MinCapacity=target.min_capacity, MaxCapacity=target.max_capacity)
    arns: Mapping[str, str] = {
        policy["PolicyName"]: scaling.put_scaling_policy(**resource, **policy)["PolicyARN"] for policy in declared.policies
    }
    for alarm in declared.alarms:
        cloudwatch.put_metric_alarm(**{**alarm, "AlarmActions": [arns[name] for name in alarm["AlarmActions"]]})
    for action in declared.actions:
        scaling.put_scheduled_action(**resource, **action)


def _archive(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
