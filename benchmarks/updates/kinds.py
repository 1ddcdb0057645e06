"""Every way to update an endpoint, and the endpoints that are updated.

`another type` takes the scaling away, changes the instance type and registers it again, as the pipelines do in two updates of a stack
(deploy_scripts/type_change.py). `a version beside` puts a second version in with weight and takes it out, as an experiment does, and
`in the shadow` gives it a copy of the requests. `serverless` has containers in place of instances, `asynchronous` is asked through its
queue, and a `component` is replaced on a fleet that it has for itself.
"""

from __future__ import annotations

import time
from typing import Any

from local_account.account import Account
from packages.local_account.tests.endpoint_models import create_configuration, create_endpoint, variant, wait_until_settled

ENDPOINT, SERVERLESS, QUEUED, COMPONENT = "updated", "serverless", "asynchronous", "component"
OTHER_TYPE, BESIDE, SHADOW = "another type", "a version beside", "in the shadow"
VARIANT, INSTANCES, CLIENTS = "AllTraffic", 4, 4
BUCKET, PATIENCE_SECONDS = "queue", 60
ROLE = "arn:aws:iam::111122223333:role/Model"
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
BAKE_SECONDS = 2
_HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
_TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/{VARIANT}",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def endpoint_of(kind: str) -> str:
    """The endpoint that a kind of update is of."""
    return kind if kind in (SERVERLESS, QUEUED, COMPONENT) else ENDPOINT


def blue_green(kind: str, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": BAKE_SECONDS, **size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 0}}


_ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": {**_HALF, "Value": 25}, "WaitIntervalInSeconds": BAKE_SECONDS}}
#: Kind of update -> its DeploymentConfig; none where variants come and go.
KINDS: dict[str, dict[str, Any]] = {
    "all at once": blue_green("ALL_AT_ONCE"),
    "canary": blue_green("CANARY", CanarySize=_HALF),
    "linear": blue_green("LINEAR", LinearStepSize={**_HALF, "Value": 25}),
    "rolling": _ROLLING,
    OTHER_TYPE: blue_green("ALL_AT_ONCE"),
    BESIDE: {},
    SHADOW: {},
    SERVERLESS: blue_green("ALL_AT_ONCE"),
    QUEUED: blue_green("CANARY", CanarySize=_HALF),
    COMPONENT: _ROLLING,
}
#: Kind of update -> the two configurations between which it goes; of all others "first" and "second".
CONFIGURATIONS = {OTHER_TYPE: ("first", "other"), BESIDE: ("first", "beside"), SHADOW: ("first", "shadow")}


def configure(account: Account) -> None:
    """What endpoints are updated to: two configurations each, and of the one with instances those that a kind of update needs besides."""
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.client("s3").put_object(Bucket=BUCKET, Key="in/row.csv", Body=ROW)
    create_queued = account.client("sagemaker").create_endpoint_config
    output = {"S3OutputPath": f"s3://{BUCKET}/out", "S3FailurePath": f"s3://{BUCKET}/failed"}
    containers = {"MemorySizeInMB": 2048, "MaxConcurrency": 2 * CLIENTS}
    served = variant("served", count=INSTANCES)
    for name in ("first", "second"):
        create_configuration(account, f"{ENDPOINT}-{name}", served)
        idle = {"VariantName": VARIANT, "ModelName": "served", "ServerlessConfig": containers}
        create_configuration(account, f"{SERVERLESS}-{name}", idle)
        create_queued(EndpointConfigName=f"{QUEUED}-{name}", ProductionVariants=[served], AsyncInferenceConfig={"OutputConfig": output})
    create_configuration(account, f"{ENDPOINT}-other", served | {"InstanceType": "ml.m5.xlarge"})
    create_configuration(account, f"{ENDPOINT}-beside", served, variant("served", count=1, name="Challenger", weight=0.25))
    create_configuration(account, f"{ENDPOINT}-shadow", served, ShadowProductionVariants=[variant("served", count=1, name="Shadow")])
    room = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2 * INSTANCES}
    fleet = {"VariantName": VARIANT, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "ManagedInstanceScaling": room}
    create_configuration(account, f"{COMPONENT}-first", fleet, ExecutionRoleArn=ROLE)


def _specification(memory_mb: int) -> dict[str, Any]:
    return {
        "ModelName": "served",
        "ComputeResourceRequirements": {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": memory_mb},
    }


def create(account: Account, endpoint: str) -> None:
    """An endpoint in service, and on the fleet the component."""
    create_endpoint(account, endpoint, f"{endpoint}-first")
    if endpoint == COMPONENT:
        account.client("sagemaker").create_inference_component(
            InferenceComponentName=COMPONENT, EndpointName=endpoint, VariantName=VARIANT, Specification=_specification(1024),
            RuntimeConfig={"CopyCount": INSTANCES},
        )  # fmt: skip
        _wait_for_component(account)


def _component(account: Account) -> dict[str, Any]:
    return dict(account.client("sagemaker").describe_inference_component(InferenceComponentName=COMPONENT))


def _wait_for_component(account: Account) -> None:
    """Raises AssertionError if it is not in service in the end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found = _component(account)
    while found["InferenceComponentStatus"] in ("Creating", "Updating"):
        assert time.monotonic() < deadline, "the component is not in service"
        time.sleep(0.1)
        found = _component(account)
    assert found["InferenceComponentStatus"] == "InService", found.get("FailureReason")


def update(account: Account, kind: str, endpoint: str, turn: int) -> None:
    """The update with this number, to its end. Raises AssertionError if it was rolled back."""
    sagemaker = account.client("sagemaker")
    if kind == COMPONENT:
        specification = _specification((1024, 2048)[turn % 2])
        sagemaker.update_inference_component(InferenceComponentName=COMPONENT, Specification=specification, DeploymentConfig=KINDS[kind])
        _wait_for_component(account)
        return
    if kind == OTHER_TYPE:
        scaling = account.client("application-autoscaling")
        scaling.register_scalable_target(**_TARGET, MinCapacity=INSTANCES, MaxCapacity=INSTANCES)
        scaling.deregister_scalable_target(**_TARGET)
    configuration = f"{endpoint}-{CONFIGURATIONS.get(kind, ('first', 'second'))[turn % 2]}"
    guarded = {"DeploymentConfig": KINDS[kind]} if KINDS[kind] else {}
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration, **guarded)
    described = wait_until_settled(account, endpoint)
    assert described["EndpointConfigName"] == configuration, described.get("FailureReason")


def delete(account: Account, endpoint: str) -> None:
    """With what is on it."""
    sagemaker = account.client("sagemaker")
    if endpoint == COMPONENT:
        sagemaker.delete_inference_component(InferenceComponentName=COMPONENT)
        while sagemaker.list_inference_components(EndpointNameEquals=endpoint)["InferenceComponents"]:
            time.sleep(0.1)
    sagemaker.delete_endpoint(EndpointName=endpoint)
