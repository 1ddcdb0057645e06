"""Findings of the checkers that we accept, each with its reason. One that no longer occurs must go (the tests say so)."""

from __future__ import annotations

#: cdk-nag AwsSolutions: pattern of the rule (with its finding) -> reason.
NAG = {
    r"SQS3$": "the queue is itself a dead-letter queue, only not of another queue",
    r"IAM5\[Action::s3:(GetBucket|GetObject|List|Abort|DeleteObject)\*\]": "action sets of the CDK's bucket grants, on our two buckets",
    r"IAM5\[Action::kms:(GenerateDataKey|ReEncrypt)\*\]": "action sets of the CDK's key grants, on our key",
    r"IAM5\[Action::cloudformation:(DescribeStack|GetTemplate)\*\]": "action sets of the CDK's deploy action, on the endpoint stacks",
    r"IAM5\[Resource::\*\]": "reviewed one by one in STAR_RESOURCES",
    r"IAM5\[Resource::.*Buckets(Data|Artifacts).*/\*\]": "objects of one of our buckets, or of one prefix in it",
    r"IAM5\[Resource::.*:sagemaker:.*/(mlops|pipelines)-\*\]": "jobs and models of our pipelines: SageMaker completes their names",
    r"IAM5\[Resource::.*:hyper-parameter-tuning-job/\*\]": "a tuning step's job is named after the execution, whose id nobody knows before",
    r"IAM5\[Resource::.*:sagemaker:.*:(model|endpoint-config)/\*\]": "CloudFormation names these, so that each version gets new ones",
    r"IAM5\[Resource::.*:model-package/mlops-models/\*\]": "the versions of our group",
    r"IAM5\[Resource::.*:pipeline/mlops-(training|batch)/execution/\*\]": "the executions of our pipelines",
    r"IAM5\[Resource::.*:stack/mlops-endpoint-(staging|production)/\*\]": "a stack's ARN ends with an id that CloudFormation makes",
    r"IAM5\[Resource::.*:log-group:/aws/(sagemaker|codebuild)/.*\*\]": "the log streams of our jobs, endpoints and builds",
    r"IAM5\[Resource::.*:log-group:\*\]": "DescribeLogGroups is authorised on all groups",
    r"IAM5\[Resource::.*:repository/sagemaker-\*\]": "AWS's framework images, in an account per region",
    r"IAM5\[Resource::.*:scalable-target/\*\]": "Application Auto Scaling makes the target's id",
    r"IAM5\[Resource::.*:role/aws-service-role/sagemaker\.application-autoscaling.*\]": "AWS names the service-linked role",
    r"IAM5\[Resource::.*:alarm:(mlops-(staging|production)-|TargetTracking-endpoint/)\*\]": "alarms of the endpoints",
    r"IAM5\[Resource::<RetrainingStartRetraining.*\.Arn>:\*\]": "the function's versions, added by the CDK's schedule target",
}

#: Statements of IAM policies that allow an action on `*`: action -> why no ARN is possible.
STAR_RESOURCES = {
    "cloudwatch:PutMetricData": "takes no resource; narrowed by cloudwatch:namespace",
    "ecr:GetAuthorizationToken": "takes no resource",
    "application-autoscaling:DescribeScalableTargets": "takes no resource",
    "application-autoscaling:DescribeScalingPolicies": "takes no resource",
    "application-autoscaling:DescribeScheduledActions": "takes no resource",
}

#: cfn-lint: rule -> reason.
LINT = {
    "W3005": "the CDK's own constructs state a dependency that a reference already makes; harmless",
}
