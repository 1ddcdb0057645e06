"""What a service asks of a request itself, besides the policies: how long a session lasts, who could still change a key, what is tried.

Input: who asks for what. Output: nothing, ServiceError, or the requests that are tried. Used by `enforcement.py`.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

from local_account.api.reading import Call
from local_account.authorization import policies
from local_account.authorization.evaluation import decide
from local_account.authorization.existing import Existing, identity
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from local_account.errors import ServiceError

_CHAINED_SECONDS = 3600
_EVERYTHING = policies.policy("everything", json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}))


def require_length(principal: Principal, call: Call) -> None:
    """Raises ServiceError for an AssumeRole that asks for more seconds than the role says, or than an hour for whoever has a role already.

    IAM user guide, "Methods to assume a role" (role chaining), and the STS API reference, AssumeRole, DurationSeconds.
    """
    if (call.service, call.operation) != ("sts", "AssumeRole"):
        return
    seconds, role_arn = int(call.parameters.get("DurationSeconds") or 0), str(call.parameters["RoleArn"])
    role = identity(role_arn.split(":")[4] if role_arn.count(":") >= 5 else "", "role", role_arn)
    if principal.kind == "AssumedRole" and seconds > _CHAINED_SECONDS:
        said = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise ServiceError("ValidationError", said)
    if seconds > int(role.get("MaxSessionDuration") or _CHAINED_SECONDS):
        raise ServiceError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def require_way_back(existing: Existing, principal: Principal, call: Call) -> None:
    """Raises ServiceError for a key policy after which its own author could put no other one, unless the request says that it is meant so.

    KMS API reference, CreateKey and PutKeyPolicy, Policy and BypassPolicyLockoutSafetyCheck. Only the key policy is asked: what the
    author's own policies allow may change. What is no policy at all, `api/rules/keys.py` says.
    """
    from local_account.api.rules.policy_documents import is_resource_policy  # the rules' context has this package's parts

    is_put = call.service == "kms" and call.operation in ("CreateKey", "PutKeyPolicy")
    text = str(call.parameters.get("Policy") or "")
    if not is_put or not is_resource_policy(text) or str(call.parameters.get("BypassPolicyLockoutSafetyCheck")).lower() == "true":
        return
    author = replace(principal, identity=(_EVERYTHING,), boundary=None, session=None)
    arn = existing.key_arn(str(call.parameters.get("KeyId") or "")) or f"arn:aws:kms:{existing.region}:{existing.account_id}:key/new"
    if not decide(author, Check("kms:PutKeyPolicy", arn, {}), existing.region, policies.resource_statements(text)).allowed:
        said = "The new key policy will not allow you to update the key policy in the future."
        raise ServiceError("MalformedPolicyDocumentException", said)


def tried(call: Call) -> list[Call]:
    """What Application Auto Scaling tries in the caller's name before it registers a scalable target; a refusal is a ValidationException.

    Its user guide, "Permissions validation for API calls on target resources": it calls the target's service and CloudWatch with names
    made up or without any; "Identity-based policy examples" lists what it calls for a SageMaker variant, on `*`.
    github.com/aws-controllers-k8s/community/issues/2110: a configuration's name is a random UUID. Other namespaces are not scaled here.
    """
    is_registration = (call.service, call.operation) == ("application-autoscaling", "RegisterScalableTarget")
    if not is_registration or call.parameters.get("ServiceNamespace") != "sagemaker":
        return []
    name = str(uuid.uuid4())
    of_component = [
        Call("sagemaker", "DescribeInferenceComponent", {"InferenceComponentName": name}),
        Call("sagemaker", "UpdateInferenceComponentRuntimeConfig", {"InferenceComponentName": name}),
    ]
    of_variant = [
        Call("sagemaker", "DescribeEndpoint", {"EndpointName": name}),
        Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name}),
        Call("sagemaker", "UpdateEndpointWeightsAndCapacities", {"EndpointName": name}),
    ]
    return [
        *(of_component if str(call.parameters.get("ScalableDimension", "")).startswith("sagemaker:inference-component") else of_variant),
        Call("cloudwatch", "DescribeAlarms", {"MaxRecords": 1}),
        Call("cloudwatch", "PutMetricAlarm", {}),
        Call("cloudwatch", "DeleteAlarms", {}),
    ]
