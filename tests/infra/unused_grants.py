"""What a role is granted and the loop never uses, each with the reason why it stays. tests/loop holds the loop's record against this.

A grant that nothing uses and that no reason keeps is too wide: it goes. There are three kinds of reason. AWS asks for it where the local
account does not (`ONLY_AWS`), which only a real account can show; it is for failures and clean-up that the loop does not have (`SELDOM`);
or another test than the loop's uses it (`ELSEWHERE`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ONLY_AWS, SELDOM, ELSEWHERE = "only AWS", "seldom", "elsewhere"


@dataclass(frozen=True)
class Unused:
    """`roles` and `actions` are patterns of whole names: of a role's logical id, and of an action as the template has it.

    `whose` says the roles in words.
    """

    roles: str
    actions: str
    kind: str
    reason: str

    @property
    def whose(self) -> str:
        return _WHOSE[self.roles]

    def covers(self, role: str, action: str) -> bool:
        return re.fullmatch(self.roles, role) is not None and re.fullmatch(self.actions, action) is not None


_PIPELINE, _INFERENCE = r"TrainingRole\w*", r"Models\w+InferenceRole\w*"
_BUILDS = r"(PipelineBuild|DeployProjects\w+)Role\w*"
_CODE_PIPELINES = r"(PipelinePipeline|DeployPipeline|ReturnPipeline)Role\w*"
_MONITORING = r"Models\w+MonitoringRole\w*"
_SAGEMAKER = f"{_PIPELINE}|{_INFERENCE}|{_MONITORING}"
_SCORING = r"Models\w+ScoringRole\w*"
_FUNCTIONS = (
    r"(DataVersionFunction|PushRoutingRoutePush|RetrainingStartRetraining|StartStartDeployment|UnusedRemoveUnused)Role\w*"
    rf"|{_SCORING}"
)
_RETRAINING, _DATA_VERSION = r"RetrainingStartRetrainingRole\w*", r"DataVersionFunctionRole\w*"
_SCHEDULES = r"(RetrainingSchedule|StartRegularly|UnusedDaily)Role\w*|Models\w+ScheduleRole\w*"
_DEPLOY, _STACKS = r"Models\w+DeployRole\w*", r"Models\w+DeploymentRole\w*"
_RETURN = r"ReturnPipelineRole\w*"
_SIZING = r"SizingRole\w*"
_START = r"StartStartDeploymentRole\w*"
_REMOVE_UNUSED = r"UnusedRemoveUnusedRole\w*"
_VERIFY = r"DeployProjectsVerifyRole\w*"
_RENDER = r"DeployProjectsRenderRole\w*"
_CI = f"{_BUILDS}|{_CODE_PIPELINES}"
_WHOSE = {
    _PIPELINE: "the training pipeline and its jobs",
    _INFERENCE: "models that serve",
    _MONITORING: "the watch over what serves",
    _SAGEMAKER: "jobs and models that serve",
    _FUNCTIONS: "functions",
    _SCORING: "the function that starts scoring",
    _RETRAINING: "the function that starts a training",
    _RETURN: "pipelines of the way back",
    _START: "the function that starts deployments and returns",
    _DATA_VERSION: "the function that says which data there is",
    _REMOVE_UNUSED: "the function that tidies up",
    _SCHEDULES: "schedules",
    _CODE_PIPELINES: "CodePipelines",
    _SIZING: "the jobs that try instance types",
    _VERIFY: "the build that verifies",
    _RENDER: "the build that chooses a version",
    _CI: "builds and CodePipelines",
    _DEPLOY: "the Deploy actions",
    _STACKS: "CloudFormation, for what serves",
}

UNUSED = (
    Unused(_SIZING, r"\w+:\w+", ONLY_AWS, "Inference Recommender, which the local account does not have"),
    Unused(_SAGEMAKER, r"ecr:\w+", ONLY_AWS, "the image of a container is pulled; the local account runs none"),
    Unused(_SAGEMAKER, r"cloudwatch:PutMetricData", ONLY_AWS, "SageMaker publishes a container's metrics as its role"),
    Unused(_INFERENCE, r"logs:DescribeLogStreams", ONLY_AWS, "SageMaker's list of an execution role's log actions"),
    Unused(
        _INFERENCE, r"s3:AbortMultipartUpload|kms:(Encrypt|DescribeKey)", ONLY_AWS, "SageMaker writes a job's large answers, with a key"
    ),
    Unused(_SCORING, r"kms:\w+|sagemaker:AddTags", ONLY_AWS, "SageMaker makes the grant for a job's volume, and asks about tags by itself"),
    Unused(_VERIFY, r"kms:\w+", ONLY_AWS, "S3 and SageMaker ask for the rows' key, and the job's volume's"),
    Unused(r"TrainingRole\w*", r"codepipeline:ListActionExecutions", SELDOM, "which archive serves whose version was deleted"),
    Unused(_VERIFY, r"sagemaker:DescribeModelPackage", SELDOM, "the copy that production has in another region, for the approver's page"),
    Unused(
        _STACKS,
        r"lambda:\w+|events:\w+|scheduler:\w+|sagemaker:UpdatePipeline",
        SELDOM,
        "an update of a function, a rule, a schedule or a watch: a change of the settings, or another version",
    ),
    Unused(_PIPELINE, r"logs:DescribeLogStreams", ONLY_AWS, "SageMaker's list of an execution role's log actions"),
    Unused(_SAGEMAKER, r"s3:(GetBucketLocation|ListBucket)", ONLY_AWS, "SageMaker looks where a bucket is, and what a prefix holds"),
    Unused(_PIPELINE, r"kms:Encrypt", ONLY_AWS, "API reference, OutputDataConfig: the role must have it where a key is named"),
    Unused(_PIPELINE, r"s3:AbortMultipartUpload", SELDOM, "a job is stopped while it uploads a large file"),
    Unused(
        _PIPELINE,
        r"sagemaker:(Describe(ProcessingJob|HyperParameterTuningJob|TransformJob)|ListTrainingJobsForHyperParameterTuningJob|ListTags)",
        ONLY_AWS,
        "guide of SageMaker Pipelines, IAM Access Management: it follows its jobs as the pipeline's role; here they are its own",
    ),
    Unused(_PIPELINE, r"s3:GetObjectVersion", SELDOM, "answers come while a training starts: it takes those of then"),
    Unused(_PIPELINE, r"sagemaker:Stop\w+", SELDOM, "an execution is stopped while a job runs; in AWS SageMaker asks as the role"),
    Unused(_PIPELINE, r"sagemaker:(CreateModel|CreateTransformJob|DescribeModel)", ELSEWHERE, "the pipeline that scores files"),
    Unused(
        _PIPELINE,
        r"sagemaker:(DescribeModelPackageGroup|AddTags)",
        ONLY_AWS,
        "SageMaker looks for the group, and tags what a step makes",
    ),
    Unused(_FUNCTIONS, r"logs:\w+", ONLY_AWS, "Lambda writes a function's log as its role; here it is a file"),
    Unused(
        _FUNCTIONS, r"(sqs:SendMessage|kms:\w+)", SELDOM, "an event that the function failed on three times goes to the encrypted queue"
    ),
    Unused(
        _RETRAINING,
        r"sagemaker:ListPipelineExecutionSteps|lambda:InvokeFunction|s3:\w+|sns:Publish",
        SELDOM,
        "an alarm asks what is new to learn from, and a person is told what is missing",
    ),
    Unused(_RETURN, r"sts:AssumeRole|s3:PutObject", SELDOM, "only what is broken is returned from, and not every model is"),
    Unused(_START, r"codepipeline:StopPipelineExecution", SELDOM, "the review of a version is open when it is rejected"),
    Unused(_DATA_VERSION, r"s3:GetObject", SELDOM, "only a model that learns from answers has a tally of them"),
    Unused(_REMOVE_UNUSED, r"sagemaker:Delete\w+", SELDOM, "only what earlier deployments left is deleted, once a day"),
    Unused(_REMOVE_UNUSED, r"sagemaker:StopPipelineExecution", SELDOM, "a watch runs while its model is retired"),
    Unused(_REMOVE_UNUSED, r"\w+:(List|Describe)\w+", SELDOM, "it runs once a day, which the loop need not reach"),
    Unused(_SCHEDULES, r"(sqs:SendMessage|kms:\w+)", SELDOM, "an invocation that could not be made goes to the encrypted queue"),
    Unused(_SCHEDULES, r"lambda:InvokeFunction", SELDOM, "once a day or a week, which the loop need not reach"),
    Unused(_SCHEDULES, r"sagemaker:StartPipelineExecution", ELSEWHERE, "the watch over what serves, tests/journeys/test_watch.py"),
    Unused(
        _MONITORING,
        r"s3:\w+|sns:Publish|logs:\w+|kms:\w+|iam:PassRole|sagemaker:(CreateProcessingJob|StopProcessingJob|AddTags|\w+ModelPackages?)",
        ELSEWHERE,
        "the watch over what serves, tests/journeys/test_watch_permissions.py",
    ),
    Unused(
        _MONITORING,
        r"sagemaker:(DescribeProcessingJob|ListTags)",
        ONLY_AWS,
        "guide of SageMaker Pipelines, IAM Access Management: it follows its job as the pipeline's role; here it is its own",
    ),
    Unused(
        _CI,
        r"s3:(GetBucket\w+|GetObjectVersion)",
        ONLY_AWS,
        "user guides of CodeBuild and CodePipeline: their role policies",
    ),
    Unused(
        _CI,
        r"kms:(DescribeKey|Encrypt|Decrypt|ReEncrypt\*|GenerateDataKey\*)",
        ONLY_AWS,
        "user guides of CodeBuild and CodePipeline: what their roles need of a customer managed key; here S3 alone uses it",
    ),
    Unused(_RENDER, r"cloudformation:GetTemplate", SELDOM, "another instance type under what scales"),
    Unused(_VERIFY, r"cloudformation:GetTemplate", SELDOM, "another instance type under what scales, for the approver's page"),
    Unused(_RENDER, r"s3:GetObject", SELDOM, "the code that watches is in another region already, and has to be the same"),
    Unused(_CODE_PIPELINES, r"s3:GetObject", ONLY_AWS, "CodePipeline reads the artifact that it hands to a build"),
    Unused(
        _CODE_PIPELINES, r"(codebuild:StopBuild|codecommit:CancelUploadArchive)", SELDOM, "an execution is stopped or abandoned on its way"
    ),
    Unused(
        _DEPLOY,
        r"cloudformation:(Describe\w+|GetTemplate\w*|[GS]etStackPolicy|ValidateTemplate|DeleteStack|TagResource|UntagResource)",
        ONLY_AWS,
        "the CDK's list for an action that creates, updates or replaces a stack; a failed first creation and a tag that goes are seldom",
    ),
    Unused(_DEPLOY, r"cloudformation:UpdateStack", SELDOM, "a batch model gets another version, which the loop need not reach"),
    Unused(_DEPLOY, r"s3:Get\w+|kms:DescribeKey", ONLY_AWS, "guide of CodePipeline, resources of another account: the bucket and the key"),
    Unused(
        _STACKS,
        r"[\w-]+:(Describe|List|Get|Delete|Deregister|Untag|Disassociate)\w+",
        ONLY_AWS,
        "CloudFormation's handlers, as AWS publishes them, read and delete by these (tests/infra/test_deployment_roles.py)",
    ),
    Unused(
        _STACKS,
        r"(logs:(AssociateKmsKey|PutRetentionPolicy)|kms:\w+|[\w-]+:(TagResource|AddTags)|sagemaker:(AddTags|CreateModel))",
        ONLY_AWS,
        "CloudFormation's handlers, which the local account joins in one; SageMaker makes the grant for an instance's volume",
    ),
)


def reason(role: str, action: str) -> str | None:
    """Why a role has an action that the loop never uses; None if nothing keeps it. `role`: logical id."""
    return next((entry.reason for entry in UNUSED if entry.covers(role, action)), None)


def stale(granted: Mapping[str, set[str]]) -> list[Unused]:
    """Entries for what no role is granted any more. `granted`: actions by logical id."""
    return [entry for entry in UNUSED if not any(entry.covers(role, action) for role, actions in granted.items() for action in actions)]


#: The same for what the policies of resources let in from other accounts: kind of the resource, action, kind of reason, reason.
OF_RESOURCES: tuple[tuple[str, str, str, str], ...] = (
    (
        "s3|kms",
        "s3:(GetObjectVersion|GetBucketLocation|GetBucketVersioning)|kms:DescribeKey",
        ONLY_AWS,
        "guide of CodePipeline, resources of another account: the bucket and the key",
    ),
    ("s3", "s3:ListBucket", SELDOM, "a watch looks whether something is there; in AWS SageMaker looks what a prefix holds"),
    (
        "sagemaker",
        "sagemaker:(Describe|List)ModelPackages?",
        SELDOM,
        "a watch looks for the versions that answered; guide of SageMaker, Deploy a Model Version from a Different Account",
    ),
    ("s3|kms", "s3:(GetObject|PutObject)|kms:(Decrypt|GenerateDataKey)", SELDOM, "a watch tells the project's account what it found"),
    ("lambda", "lambda:InvokeFunction", ELSEWHERE, "a person retires a model or tears the project down; people are not recorded"),
)


def reason_of_resource(kind: str, action: str) -> str | None:
    """Why a resource's policy lets another account in for an action that the loop over several accounts never uses."""
    return next((why for of, what, _, why in OF_RESOURCES if re.fullmatch(of, kind) and re.fullmatch(what, action)), None)
