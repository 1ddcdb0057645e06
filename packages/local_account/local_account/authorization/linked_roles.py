"""Service-linked roles: made by whoever first needs the service, who must be allowed to.

Source: Application Auto Scaling user guide, "Service-linked roles": it makes the role when a target is registered, with the permissions
of the caller (`iam:CreateServiceLinkedRole`, with `iam:AWSServiceName`). Input: a `Call`. Output: `Check`s; `make`, the role itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.authorization.context_keys import Keys
from local_account.authorization.existing import Existing
from local_account.authorization.requests import Check

#: Namespace of a scalable target -> the service that its role is linked to, and the role's name.
_SCALING = {"sagemaker": ("sagemaker.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")}


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    """What a request needs besides because it makes a service-linked role that is not there yet."""
    from ministack.services import iam

    linked = _needed(call)
    if linked is None or linked[1] in iam._roles:
        return []
    service, name = linked
    arn = f"arn:aws:iam::{existing.account_id}:role/aws-service-role/{service}/{name}"
    return [Check("iam:CreateServiceLinkedRole", arn, Keys(call, existing, arn, {**given, "iam:awsservicename": service}))]


def make(account_id: str, namespace: str) -> None:
    """The role of a scalable target's namespace, unless it is there."""
    from ministack.services import iam

    if namespace not in _SCALING or _SCALING[namespace][1] in iam._roles:
        return
    service, name = _SCALING[namespace]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    path = f"/aws-service-role/{service}/"
    iam._roles[name] = {
        "RoleName": name,
        "Arn": f"arn:aws:iam::{account_id}:role{path}{name}",
        "RoleId": iam._gen_id("AROA"),
        "CreateDate": iam._now(),
        "Path": path,
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        "Description": "",
        "MaxSessionDuration": 3600,
        "AttachedPolicies": [],
        "InlinePolicies": {},
        "Tags": [],
    }


def _needed(call: Call) -> tuple[str, str] | None:
    if (call.service, call.operation) != ("application-autoscaling", "RegisterScalableTarget"):
        return None
    return _SCALING.get(str(call.parameters.get("ServiceNamespace", "")))
