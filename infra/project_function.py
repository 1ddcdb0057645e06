"""A small Lambda function: its code is one self-contained folder, its role has only what it is allowed, its logs expire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.retained_log_group import RetainedLogGroup
from infra.service_role import ServiceRole

RUNTIME = lambda_.Runtime.PYTHON_3_14


class ProjectFunction(lambda_.Function):
    """`folder` holds `<module>.py` with `handler(event, context)`; nothing is installed or bundled.

    `files` are the only ones of the folder that it takes; None takes all. With `package` it takes that folder in `folder` as a Python
    package, in which modules import each other as such. Its role has the function's name, where that is given.
    `options` go to the CDK's function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: Path,
        module: str = "handler",
        files: Sequence[str] | None = None,
        package: str | None = None,
        description: str,
        key: kms.IKey,
        log_retention_days: int,
        function_name: str | None = None,
        **options: Any,
    ) -> None:
        log_group = RetainedLogGroup(scope, f"{construct_id}Logs", retention_days=log_retention_days, key=key)
        role = ServiceRole(scope, f"{construct_id}Role", service="lambda.amazonaws.com", description=description, role_name=function_name)
        if package is not None:
            files, module = [package, f"{package}/*.py"], f"{package}.{module}"
        unwanted = ["__pycache__", "*.pyc"] if files is None else ["*", ".*", *(f"!{name}" for name in files)]
        super().__init__(
            scope,
            construct_id,
            code=lambda_.Code.from_asset(str(folder), exclude=unwanted),
            handler=f"{module}.handler",
            runtime=RUNTIME,
            function_name=function_name,
            description=description,
            role=role,
            log_group=log_group,
            timeout=cdk.Duration.minutes(1),
            memory_size=256,
            **options,
        )
        self.allow, self.allow_all = role.allow, role.allow_all
        # Not AWSLambdaBasicExecutionRole, which may write to every log group of the account.
        role.allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
