"""Role of the jobs of Inference Recommender (deploy_scripts/recommend.py): puts a version on instances, asks it, and deletes them again.

SageMaker's guide asks for AmazonSageMakerFullAccess ("Prerequisites for using Amazon SageMaker Inference Recommender"). Here it is what the
job makes as this role: models, configurations and endpoints, whose names begin with the job's (API reference, `JobName` of
CreateInferenceRecommendationsJob). What only a real account can show of it: tests/aws/test_recommend.py.
"""

from __future__ import annotations

from constructs import Construct

from infra.encryption_key import FOR_AWS_RESOURCES
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context
from infra.private_bucket import run_objects
from infra.sagemaker_role import SageMakerRole
from infra.service_role import passed_to
from settings_schema import Model

#: Where the job writes its own log: "Check your Inference Recommender job results" of the guide, which the whole account shares.
JOB_LOGS = "/aws/sagemaker/InferenceRecommendationsJobs"


class SizingRole(SageMakerRole):
    """Passed to SageMaker by who starts such a job."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack) -> None:
        self._names, self._home = model.names(context.project), context.places.home
        own = f"{self._names.sizing_jobs}*"
        super().__init__(
            scope,
            construct_id,
            place=self._home,
            role_name=self._names.sizing_role,
            description=f"Inference Recommender's tests of {model.name}",
            log_groups=[JOB_LOGS, f"/aws/sagemaker/Endpoints/{own}"],
            namespaces=["/aws/sagemaker/*"],
            in_vpc=context.project.in_vpc,
        )
        self._read(context, foundation)
        self._serve(own)
        groups = [arn for name in (JOB_LOGS, f"/aws/sagemaker/Endpoints/{own}") for arn in self._home.log_group(name)]
        self.allow("LogGroups", ["logs:CreateLogGroup"], groups)
        self.allow("Measured", ["cloudwatch:GetMetricData"], ["*"])  # takes no resource
        self.allow("ServeAsItself", ["iam:PassRole"], [self._home.role(self._names.sizing_role)], passed_to("sagemaker.amazonaws.com"))
        foundation.key.grant(self, *(f"kms:{action}" for action in ("Decrypt", "GenerateDataKey", "DescribeKey")))
        self.allow("Volumes", ["kms:CreateGrant"], [foundation.key.key_arn], FOR_AWS_RESOURCES)

    def _read(self, context: Context, foundation: FoundationStack) -> None:
        """The version, its archive, and the requests to ask it, which lie beside what its training made."""
        self.allow("Version", ["sagemaker:DescribeModelPackage"], self._home.registry(self._names.model_package_group))
        artifacts = foundation.artifact_bucket.bucket_arn
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"pipelines/{self._names.training_pipeline}/*"}}
        self.allow("FindObjects", ["s3:ListBucket"], [artifacts], below)
        self.allow("WhereBucketsAre", ["s3:GetBucketLocation"], [artifacts])
        runs = run_objects(context.places.artifact_bucket(self._home.region), self._names.training_pipeline)
        self.allow("Read", ["s3:GetObject"], [runs])

    def _serve(self, own: str) -> None:
        of_kind = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
        resources = [self._home.sagemaker(kind, own) for kind in of_kind.values()]
        verbs = [f"sagemaker:{verb}{kind}" for kind in of_kind for verb in ("Create", "Describe", "Delete")]
        self.allow("Serve", [*verbs, "sagemaker:InvokeEndpoint", "sagemaker:AddTags"], resources)
