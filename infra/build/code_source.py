"""Where the code comes from: the first action of every pipeline, for a repository of the project's own or for one behind a connection."""

from __future__ import annotations

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.artifact_role import ArtifactRole
from settings_schema import CodeConnection
from settings_schema.reading import Settings

SOURCE_ACTION, SOURCE_NAMESPACE = "Repository", "Source"
#: What a push may change without a build, for a repository of our own: shell patterns of paths, in which `*` also matches `/`.
DOCUMENTATION = ("*.md", "docs/*", "LICENSE", "CHANGELOG*")
#: The same for a connection's trigger, whose `*` ends at a `/`: "Working with glob patterns in syntax" of the CodePipeline user guide.
_DOCUMENTATION_GLOBS = ["**.md", "docs/**", "LICENSE", "CHANGELOG*"]


def checkout(scope: Construct, settings: Settings, role: ArtifactRole, output: codepipeline.Artifact) -> actions.Action:
    """The source action. It starts nothing by itself: pushes are routed, and a deployment is started with the commit that it is of."""
    common = {
        "action_name": SOURCE_ACTION,
        "variables_namespace": SOURCE_NAMESPACE,
        "output": output,
        "branch": settings.project.branch,
    }
    source = settings.source
    if isinstance(source, CodeConnection):
        _allow_connection(role, source)
        owner, _, repository = source.repository.rpartition("/")  # GitLab's groups may be nested
        return actions.CodeStarConnectionsSourceAction(
            connection_arn=source.connection_arn, owner=owner, repo=repository, trigger_on_push=False, **common
        )
    repository = codecommit.Repository.from_repository_name(scope, "Repository", settings.project.names.repository)
    return actions.CodeCommitSourceAction(repository=repository, trigger=actions.CodeCommitTrigger.NONE, **common)


def _allow_connection(role: ArtifactRole, source: CodeConnection) -> None:
    """For this repository, and to read. AWS knows permission, resource and conditions by an old name and by a new one.

    Not every use is of a repository, and which keys a use brings "might change over time": what a use says must be ours, what it leaves
    out does not stop it. Source: "AWS CodeConnections permissions reference" of the Developer Tools console user guide.
    """
    partition, _, region, account, connection = source.connection_arn.split(":")[1:]
    for sid, service in (("Connection", "codeconnections"), ("ConnectionByItsOldName", "codestar-connections")):
        arn = f"arn:{partition}:{service}:{region}:{account}:{connection}"
        own = {f"{service}:FullRepositoryId": source.repository, f"{service}:ProviderPermissionsRequired": "read_only"}
        role.allow(sid, [f"{service}:UseConnection"], [arn], {"StringEqualsIfExists": own})


def push_trigger(action: actions.Action, branch: str) -> codepipeline.TriggerProps:
    """Every push to the branch that changes more than documentation. Only pipelines of type V2 have triggers.

    A push that makes the branch starts nothing, as nobody knows what it changed: then a person starts the pipeline once.
    Source: "Filter triggers on code push or pull requests" of the CodePipeline user guide.
    """
    pushed = codepipeline.GitPushFilter(branches_includes=[branch], file_paths_excludes=_DOCUMENTATION_GLOBS)
    return codepipeline.TriggerProps(
        provider_type=codepipeline.ProviderType.CODE_STAR_SOURCE_CONNECTION,
        git_configuration=codepipeline.GitConfiguration(source_action=action, push_filter=[pushed]),
    )
