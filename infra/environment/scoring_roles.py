"""Roles of a batch model in one environment: of the function that starts its transform jobs, and of the schedule that wakes it.

The stack that has both is deployed without any right to make roles: infra/serving/batch_stack.py.
"""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.dead_letter_queue import TO_SEND
from infra.encryption_key import FOR_AWS_RESOURCES
from infra.ownership import makes_as_ours
from infra.places import Context, bucket_arn
from infra.service_role import ServiceRole
from settings_schema import Environment, Model


class ScoringRole(ServiceRole):
    """It lists what was uploaded and what was started, and starts what is missing; the jobs run as the model."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        environment: Environment,
        key: kms.IKey,
        dead_letters: sqs.IQueue,
    ) -> None:
        names, place = model.names(context.project).at(environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            service="lambda.amazonaws.com",
            description=f"Starts the scoring of {model.name} in {environment.name}",
            role_name=names.scoring_role,
        )
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{names.batch_input}*"}}
        self.allow("Uploaded", ["s3:ListBucket"], [bucket_arn(context.places.environment_bucket(environment))], below)
        self.allow("Started", ["sagemaker:ListTransformJobs"], ["*"])  # takes no resource
        jobs = [place.sagemaker("transform-job", f"{names.endpoint}--*")]
        self.allow("Start", ["sagemaker:CreateTransformJob", "sagemaker:AddTags"], jobs, makes_as_ours(names))
        key.grant(self, "kms:DescribeKey")
        self.allow("Volumes", ["kms:CreateGrant"], [key.key_arn], FOR_AWS_RESOURCES)
        self.allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [place.log_group(names.start_scoring_log_group)[1]])
        send_dead_letters(self, dead_letters)


class ScheduleRole(ServiceRole):
    """EventBridge Scheduler's: it invokes the function by its name, which is there later than this."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        environment: Environment,
        dead_letters: sqs.IQueue,
    ) -> None:
        names, place = model.names(context.project).at(environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            service="scheduler.amazonaws.com",
            description=f"Wakes the scoring of {model.name} in {environment.name}",
            role_name=names.schedule_role,
            own_account_only=True,
        )
        self.allow("Wake", ["lambda:InvokeFunction"], [place.function(names.start_scoring_function)])
        send_dead_letters(self, dead_letters)


def send_dead_letters(role: ServiceRole, queue: sqs.IQueue) -> None:
    """To an encrypted queue."""
    role.allow("DeadLetters", ["sqs:SendMessage"], [queue.queue_arn])
    queue.encryption_master_key.grant(role, *TO_SEND)
