"""Findings of the checkers that we accept, each with its reason. One that no longer occurs must go (the tests say so)."""

from __future__ import annotations

#: cdk-nag AwsSolutions: pattern of the rule (with its finding) -> reason.
NAG = {
    r"IAM5\[Action::kms:(GenerateDataKey|ReEncrypt)\*\]": "action sets of the CDK's key grants, on our key",
    r"IAM5\[Resource::\*\]": "reviewed one by one in STAR_RESOURCES",
    r"IAM5\[Resource::(.*:s3:::shop--[^/]*|shop--foundation:ExportsOutput\w+)/.*\*[^\]]*\]": "objects of our buckets, below one prefix",
    r"IAM5\[Resource::.*:(processing|transform)-job/(shop--.*--(monitor-)?|pipelines-)\*\]": "SageMaker completes the names of our jobs",
    r"IAM5\[Resource::.*:(model|endpoint-config|endpoint)/shop--.*--sizing--\*\]": "Inference Recommender completes these names",
    r"IAM5\[Resource::.*:model/pipelines-\*\]": "SageMaker completes the names of our pipelines' models",
    r"IAM5\[Resource::.*:(hyper-parameter-tuning|training)-job/\*-[Tt]une\*\]": "SageMaker names these without the model; by tags",
    r"IAM5\[Resource::.*:sagemaker:.*:(model|endpoint-config)/\*\]": "CloudFormation names these, so that each version gets new ones",
    r"IAM5\[Resource::.*:model-package/shop--[a-z-]*/\*\]": "the versions of one group",
    r"IAM5\[Resource::.*:pipeline/shop--\*--training(/execution/\*)?\]": "the build starts every model of the project, also the next one",
    r"IAM5\[Resource::.*:pipeline/shop--[a-z-]*--training/execution/\*\]": "what runs of one model learned from and took",
    r"IAM5\[Resource::.*:pipeline/shop--\*--[a-z]*--monitoring(/execution/\*)?\]": "watches of an environment, which end before the model",
    r"IAM5\[Resource::.*:role/shop--\*--training\]": "as which the pipelines that the build starts run",
    r"IAM5\[Resource::.*:(endpoint|inference-component)/shop--\*--[a-z]*\]": "what of an environment is in use, also of the next model",
    r"IAM5\[Resource::.*:stack/shop--[a-z*-]*/\*\]": "a stack's ARN ends with an id that CloudFormation makes",
    r"IAM5\[Resource::.*:log-group:/aws/(sagemaker|codebuild|lambda)/.*\*\]": "log streams of our jobs, endpoints, builds and functions",
    r"IAM5\[Resource::.*:alarm:shop--[a-z-]*--(predictions|server-errors|latency-p99)--\*\]": "each version has alarms of its own",
    r"IAM5\[Resource::.*:repository/sagemaker-\*\]": "AWS's framework images, in an account per region",
    r"IAM5\[Resource::.*:scalable-target/\*\]": "Application Auto Scaling makes the target's id",
    r"IAM5\[Resource::.*:role/aws-service-role/sagemaker\.application-autoscaling.*\]": "AWS names the service-linked role",
    r"IAM5\[Resource::.*:kms:.*:key/\*\]": "the alias, in the condition, says which key; its id is not known before it is there",
    r"IAM5\[Resource::.*:ec2:.*:(network-interface|security-group|subnet)/\*\]": "EC2 names what a job in a network needs",
    r"SQS3": "the queue of the image's stack is one of dead letters, but of rules alone, where the check does not look",
    r"EC23": "the CDK opens its VPC endpoints to the VPC's own range, which the rule cannot read out of the template",
    r"IAM5\[Resource::<(Retraining\w+|StartStart\w+|UnusedRemoveUnused|(Shadow|Experiment)Function).*\.Arn>:\*\]": "versions, by schedules",
}

#: Statements of IAM policies that allow an action on `*`: action -> why no ARN is possible.
STAR_RESOURCES = {
    "sagemaker:ListTransformJobs": "takes no resource",
    **dict.fromkeys(
        (f"ec2:Describe{kind}" for kind in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")),
        "takes no resource; in a network only",
    ),
    "cloudwatch:PutMetricData": "takes no resource; narrowed by cloudwatch:namespace",
    "ecr:GetAuthorizationToken": "takes no resource",
    "logs:DescribeLogGroups": "takes no resource",
    "logs:DescribeIndexPolicies": "takes no resource",
    "logs:DescribeResourcePolicies": "takes no resource",
    "cloudwatch:GetMetricData": "takes no resource; reads metrics",
    "cloudwatch:GetMetricStatistics": "takes no resource; reads metrics",
    "cloudformation:ValidateTemplate": "takes no resource",
    "sagemaker:ListModels": "takes no resource",
    "sagemaker:ListEndpointConfigs": "takes no resource",
    "application-autoscaling:DescribeScalableTargets": "takes no resource",
    "application-autoscaling:DescribeScalingPolicies": "takes no resource",
    "application-autoscaling:DescribeScheduledActions": "takes no resource",
    **dict.fromkeys(
        (
            *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:UpdateEndpointWeightsAndCapacities"),
            *("sagemaker:DescribeInferenceComponent", "sagemaker:UpdateInferenceComponentRuntimeConfig"),
            *("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        ),
        "Application Auto Scaling tries it with no name, or one that it makes up, and refuses to register a target without it",
    ),
}

#: cfn-lint: rule -> reason.
LINT = {
    "W3005": "the CDK's own constructs state a dependency that a reference already makes; harmless",
    "W6001": "the stack of a model on a fleet tells the name of the endpoint that it imports: whoever asks looks in one place",
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
    ("AWS::Lambda::Function", "VpcConfig"): (
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ),
    ("AWS::Lambda::Function", "FileSystemConfigs"): ("elasticfilesystem:DescribeMountTargets", "s3files:ListMountTargets"),
    ("AWS::Lambda::Function", "CodeSigningConfigArn"): (
        *("lambda:PutFunctionCodeSigningConfig", "lambda:DeleteFunctionCodeSigningConfig", "lambda:GetCodeSigningConfig"),
    ),
    ("AWS::Lambda::Function", "ReservedConcurrentExecutions"): ("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),
    ("AWS::Lambda::Function", "Layers"): ("lambda:GetLayerVersion",),
    ("AWS::Lambda::Function", "RuntimeManagementConfig"): ("lambda:PutRuntimeManagementConfig", "lambda:AssociateRuntimeAlias"),
    ("AWS::Lambda::Function", "RecursiveLoop"): ("lambda:PutFunctionRecursionConfig",),
    ("AWS::Lambda::Function", "FunctionScalingConfig"): ("lambda:PutFunctionScalingConfig",),
    ("AWS::Lambda::Function", "CapacityProviderConfig"): ("lambda:PassCapacityProvider",),
    ("AWS::Lambda::Function", "PublishToLatestPublished"): ("lambda:PublishVersion",),
    ("AWS::Lambda::Function", "KmsKeyArn"): ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
}

#: The same, for another reason. The `list` handlers are left out whole: no operation on a stack calls them, only import and scans do.
NOT_CALLED = {
    **dict.fromkeys(
        ("lambda:GetProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"),
        "for scalable targets of Lambda; ours are of SageMaker",
    ),
    **dict.fromkeys(("s3:GetObject", "s3:GetObjectVersion"), "for code in S3; ours is in the template"),
}

_PASSED = "a role is handed to a service with iam:PassRole, which works within the role's own account only"
#: Statements that let a service in for any account: (type of the resource, service) -> why they may.
ANY_ACCOUNT = {
    ("AWS::IAM::Role", service): _PASSED
    for service in (
        *("codebuild.amazonaws.com", "codepipeline.amazonaws.com", "cloudformation.amazonaws.com", "lambda.amazonaws.com"),
        "vpc-flow-logs.amazonaws.com",
    )
} | {
    # It names the accounts where SageMaker says for which one it asks. No page says that it does when CreateModel looks at another account's
    # image, and the image holds what everybody can get (infra/image/image_repository.py).
    ("AWS::ECR::Repository", "sagemaker.amazonaws.com"): "read of an image of public packages, by condition where there is a source",
}
