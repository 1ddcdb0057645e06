"""Role of the environment's account as which a model's pipelines do their Deploy action, from the project's account or from this one.

Sources: "Create a pipeline that uses resources from another AWS account" of the CodePipeline user guide, and its reference of the
CloudFormation action for the permissions.
"""

from __future__ import annotations

from constructs import Construct

from infra.artifact_role import artifact_keys
from infra.encryption_key import TO_READ, by_alias
from infra.places import Context, bucket_arn
from infra.service_role import NamedRole, passed_to
from settings_schema import Environment, Model

_STACK = (
    *("CreateStack", "UpdateStack", "DescribeStacks", "DescribeStackEvents", "DescribeStackResources"),
    *("GetTemplate", "GetTemplateSummary", "GetStackPolicy", "SetStackPolicy", "TagResource", "UntagResource"),
)


class DeployRole(NamedRole):
    """Only those pipelines' roles may assume it; it deploys that model's stack, and hands CloudFormation the role for that.

    To production there are two ways: the deploy pipeline's, and the return pipeline's.
    """

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, environment: Environment) -> None:
        names, place, places = model.names(context.project), context.places.of(environment), context.places
        serving, registry = names.at(environment.name), places.registry(environment)
        returns = [names.return_pipeline] if environment == context.settings.production else []
        pipelines = [names.deploy_pipeline, *returns]
        super().__init__(
            scope,
            construct_id,
            assumed_by=places.home.principals(*pipelines),
            description=f"Deploys {model.name} in {environment.name} for its pipelines",
            role_name=serving.deploy_role,
        )
        replaces = () if environment.protected else ("DeleteStack",)  # what failed, before it is made anew (infra/model/deploy_pipeline.py)
        self.allow("Stack", [f"cloudformation:{verb}" for verb in (*_STACK, *replaces)], [place.stack(serving.stack)])
        self.allow("ValidateTemplate", ["cloudformation:ValidateTemplate"], ["*"])  # takes no resource
        deployment = place.role(serving.deployment_role)
        self.allow("DeployAs", ["iam:PassRole"], [deployment], passed_to("cloudformation.amazonaws.com"))
        bucket = places.artifact_bucket(registry.region)
        artifacts = [bucket_arn(bucket, keys) for name in pipelines for keys in artifact_keys(name)]
        self.allow("Artifacts", ["s3:GetObject", "s3:GetObjectVersion"], artifacts)
        self.allow("ArtifactBucket", ["s3:GetBucketLocation", "s3:GetBucketVersioning"], [bucket_arn(bucket)])
        self.allow_all([by_alias("KeyOfArtifacts", registry, context.project.names.key_alias, TO_READ)])
