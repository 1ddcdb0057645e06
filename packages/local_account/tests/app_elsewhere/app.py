"""A small CDK app whose stack is in another account and region than the person: a function, whose code is an asset, and a parameter."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm

app = cdk.App()
place = cdk.Environment(account=app.node.try_get_context("account"), region=app.node.try_get_context("region"))
stack = cdk.Stack(app, "greeting", env=place)
function = lambda_.Function(
    stack,
    "Greet",
    function_name="greet",
    runtime=lambda_.Runtime.PYTHON_3_12,
    handler="index.handler",
    code=lambda_.Code.from_asset(str(Path(__file__).parent / "greet")),
)
ssm.StringParameter(stack, "Word", parameter_name="/greeting/word", string_value=f"{stack.account} {stack.region}")
app.synth()
