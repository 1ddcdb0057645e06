"""What Application Auto Scaling tries in the caller's name before it registers a scalable target.

Sources: its user guide, "Permissions validation for API calls on target resources": it calls the target's service and CloudWatch with
names made up or without any, and answers ValidationException for what is refused; "Identity-based policy examples" lists what it
calls for a SageMaker variant, on `*`. github.com/aws-controllers-k8s/community/issues/2110: a configuration's name is a random UUID.
Input: a `Call`. Output: the `Call`s that it tries. Used by `enforcement.py`.
"""

from __future__ import annotations

import uuid

from local_account.api.reading import Call


def tried(call: Call) -> list[Call]:
    """Nothing for any other operation, and for namespaces that this account does not scale."""
    is_registration = (call.service, call.operation) == ("application-autoscaling", "RegisterScalableTarget")
    if not is_registration or call.parameters.get("ServiceNamespace") != "sagemaker":
        return []
    name = str(uuid.uuid4())
    return [
        Call("sagemaker", "DescribeEndpoint", {"EndpointName": name}),
        Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name}),
        Call("sagemaker", "UpdateEndpointWeightsAndCapacities", {"EndpointName": name}),
        Call("cloudwatch", "DescribeAlarms", {"MaxRecords": 1}),
        Call("cloudwatch", "PutMetricAlarm", {}),
        Call("cloudwatch", "DeleteAlarms", {}),
    ]
