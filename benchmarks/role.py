"""The one role that the benchmarks' jobs and functions run as: it may do everything, as what it may do is not measured."""

from __future__ import annotations

import json
from typing import Any

ROLE = "arn:aws:iam::111122223333:role/benchmark"
_SERVICES = ["sagemaker.amazonaws.com", "lambda.amazonaws.com"]


def make_role(iam: Any, name: str = "benchmark") -> None:
    """In a local account that has just begun; `iam` is a client of it. `name`: another one, with which something is called."""
    trust = {"Effect": "Allow", "Principal": {"Service": _SERVICES}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    document = json.dumps({"Version": "2012-10-17", "Statement": everything})
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=document)
