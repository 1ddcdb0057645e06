"""Somebody else's small CDK app: a bucket whose function announces on a topic what a parameter says.

Deployed unchanged into the local account by `test_foreign_app.py`.
"""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm


class Announcements(cdk.Stack):
    def __init__(self, scope: cdk.App, name: str) -> None:
        super().__init__(scope, name)
        bucket = s3.Bucket(self, "Files", removal_policy=cdk.RemovalPolicy.DESTROY, auto_delete_objects=True)
        greeting = ssm.StringParameter(
            self, "Greeting", parameter_name="announcements-greeting", string_value=self.node.try_get_context("greeting") or "hello"
        )
        topic = sns.Topic(self, "Topic")
        inbox = sqs.Queue(self, "Inbox")
        topic.add_subscription(subscriptions.SqsSubscription(inbox, raw_message_delivery=True))
        announce = lambda_.Function(
            self,
            "Announce",
            runtime=lambda_.Runtime.PYTHON_3_12,
            handler="index.handler",
            code=lambda_.Code.from_asset(str(Path(__file__).with_name("announce"))),
            environment={"BUCKET": bucket.bucket_name, "PARAMETER": greeting.parameter_name, "TOPIC": topic.topic_arn},
        )
        bucket.grant_read_write(announce)
        greeting.grant_read(announce)
        topic.grant_publish(announce)
        cdk.CfnOutput(self, "Bucket", value=bucket.bucket_name)
        cdk.CfnOutput(self, "Function", value=announce.function_name)
        cdk.CfnOutput(self, "InboxUrl", value=inbox.queue_url, export_name="announcements-inbox")


app = cdk.App()
Announcements(app, "announcements")
app.synth()
