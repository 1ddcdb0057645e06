"""Findings of the checkers that we accept, each with its reason. One that no longer occurs must go (the tests say so)."""

from __future__ import annotations

#: cdk-nag AwsSolutions: pattern of the rule (with its finding) -> reason.
NAG = {
    r"IAM5\[Action::kms:(GenerateDataKey|ReEncrypt)\*\]": "action sets of the CDK's key grants, on our key",
    r"IAM5\[Action::cloudformation:(DescribeStack|GetTemplate)\*\]": "action sets of the CDK's deploy action, on the endpoint stacks",
    r"IAM5\[Resource::\*\]": "reviewed one by one in STAR_RESOURCES",
    r"IAM5\[Resource::.*Buckets(Data|Artifacts).*/\*\]": "objects of one of our buckets, or of one prefix in it",
    r"IAM5\[Resource::.*:sagemaker:.*/(mlops|pipelines)-\*\]": "jobs and models of our pipelines: SageMaker completes their names",
    r"IAM5\[Resource::.*:hyper-parameter-tuning-job/\*-[Tt]une\*\]": "SageMaker names tuning jobs without the project; its tag is required",
    r"IAM5\[Resource::.*:sagemaker:.*:(model|endpoint-config)/\*\]": "CloudFormation names these, so that each version gets new ones",
    r"IAM5\[Resource::.*:model-package/mlops-models/\*\]": "the versions of our group",
    r"IAM5\[Resource::.*:pipeline/mlops-(training|batch)/execution/\*\]": "the executions of our pipelines",
    r"IAM5\[Resource::.*:stack/mlops-endpoint-(staging|production)/\*\]": "a stack's ARN ends with an id that CloudFormation makes",
    r"IAM5\[Resource::.*:log-group:/aws/(sagemaker|codebuild)/.*\*\]": "the log streams of our jobs, endpoints and builds",
    r"IAM5\[Resource::.*:repository/sagemaker-\*\]": "AWS's framework images, in an account per region",
    r"IAM5\[Resource::.*:scalable-target/\*\]": "Application Auto Scaling makes the target's id",
    r"IAM5\[Resource::.*:role/aws-service-role/sagemaker\.application-autoscaling.*\]": "AWS names the service-linked role",
    r"IAM5\[Resource::.*:alarm:TargetTracking-endpoint/mlops-(staging|production)/\*\]": "target tracking names its own alarms",
    r"IAM5\[Resource::<(RetrainingStartRetraining|UnusedRemoveUnused).*\.Arn>:\*\]": "the functions' versions, by the CDK's schedules",
}

#: Statements of IAM policies that allow an action on `*`: action -> why no ARN is possible.
STAR_RESOURCES = {
    "cloudwatch:PutMetricData": "takes no resource; narrowed by cloudwatch:namespace",
    "ecr:GetAuthorizationToken": "takes no resource",
    "logs:DescribeLogGroups": "takes no resource",
    "logs:DescribeIndexPolicies": "takes no resource",
    "logs:DescribeResourcePolicies": "takes no resource",
    "cloudwatch:GetMetricData": "takes no resource; reads metrics",
    "cloudformation:ValidateTemplate": "takes no resource",
    "sagemaker:ListModels": "takes no resource",
    "sagemaker:ListEndpointConfigs": "takes no resource",
    "application-autoscaling:DescribeScalableTargets": "takes no resource",
    "application-autoscaling:DescribeScalingPolicies": "takes no resource",
    "application-autoscaling:DescribeScheduledActions": "takes no resource",
}

#: cfn-lint: rule -> reason.
LINT = {
    "W3005": "the CDK's own constructs state a dependency that a reference already makes; harmless",
}

#: Actions of CloudFormation's handlers that a deploying role may lack, because we do not set the property that they are for.
NOT_SET = {
    ("AWS::Logs::LogGroup", "DataProtectionPolicy"): (
        *("logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy", "logs:CreateLogDelivery"),
        *("s3:REST.PUT.OBJECT", "firehose:TagDeliveryStream"),
    ),
    ("AWS::Logs::LogGroup", "ResourcePolicyDocument"): ("logs:PutResourcePolicy", "logs:DeleteResourcePolicy"),
    ("AWS::Logs::LogGroup", "FieldIndexPolicies"): ("logs:PutIndexPolicy", "logs:DeleteIndexPolicy"),
    ("AWS::Logs::LogGroup", "BearerTokenAuthenticationEnabled"): ("logs:PutBearerTokenAuthentication",),
    ("AWS::Logs::LogGroup", "DeletionProtectionEnabled"): ("logs:PutLogGroupDeletionProtection",),
}

#: The same, for another reason. The `list` handlers are left out whole: no operation on a stack calls them, only import and scans do.
NOT_CALLED = dict.fromkeys(
    ("lambda:GetProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"),
    "for scalable targets of Lambda; ours are of SageMaker",
)

_PASSED = "a role is handed to a service with iam:PassRole, which works within the role's own account only"
#: Statements that let a service in for any account: (type of the resource, service) -> why they may.
ANY_ACCOUNT = {
    ("AWS::IAM::Role", service): _PASSED
    for service in (
        *("codebuild.amazonaws.com", "codepipeline.amazonaws.com", "cloudformation.amazonaws.com", "lambda.amazonaws.com"),
        "vpc-flow-logs.amazonaws.com",
    )
}
