"""Source action: a commit of the repository that a connection leads to, at GitHub, GitLab or Bitbucket.

The commit is the one that was pushed, or that the start of the execution named, else the branch's newest. Documented (CodePipeline user
guide, "CodeStarSourceConnection"): the configuration, and the variables AuthorDate, BranchName, CommitId, CommitMessage, ConnectionArn,
FullRepositoryName. Seen in templates that work, without being documented: AuthorDisplayName, AuthorEmail, AuthorId, ProviderType, and
TagName where a tag started the execution. An AuthorId is the provider's own; here it is the author's address. The summary is JSON, as the
service's. Inferred: which ProviderActions the role is asked for. CODEBUILD_CLONE_REF hands over where the commit is, which only a build can
read; what the document looks like is the local account's own. Next: `connections/use.py`.
"""

from __future__ import annotations

import json

from local_account.codepipeline.actions.job import ActionError, Job
from local_account.codepipeline.records import SourceOverride
from local_account.connections.repositories import repository
from local_account.connections.store import connections_of
from local_account.connections.use import require_use
from local_account.context import Context
from local_account.errors import ServiceError

CONFIGURATION = ("ConnectionArn", "FullRepositoryId", "BranchName", "OutputArtifactFormat", "DetectChanges")
REQUIRED = ("ConnectionArn", "FullRepositoryId", "BranchName")
VALUES = {"OutputArtifactFormat": ("CODE_ZIP", "CODEBUILD_CLONE_REF"), "DetectChanges": ("true", "false")}
_FOR_A_ZIP = ("GetBranch", "StartUploadArchiveToS3", "GetUploadArchiveToS3Status")
_FOR_A_CLONE = ("GetBranch",)
#: botocore's model, revisionSummary: at most 2,048 characters.
_LONGEST_MESSAGE = 1900


def run(job: Job) -> None:
    arn, full_name, branch = (job.configuration[key] for key in REQUIRED)
    is_clone = job.configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF"
    override = job.execution.source_overrides.get(job.run.name) or SourceOverride(f"refs/heads/{branch}")
    try:
        for provider_action in _FOR_A_CLONE if is_clone else _FOR_A_ZIP:
            require_use(job.role, arn, full_name, provider_action, branch)
        source = repository(job.context, full_name)
        commit = source.resolve(override.commit)
        taken = SourceOverride(commit, override.branch or ("" if override.tag else branch), override.tag)
        variables = facts(job.context, arn, full_name, taken)
        archive = b"" if is_clone else source.zip_archive(commit)
    except ServiceError as error:
        code = "PermissionError" if error.code.startswith("AccessDenied") else "ConfigurationError"
        raise ActionError(code, f"{full_name}, branch {branch}: {error.message}") from error
    summary = {"ProviderType": variables["ProviderType"], "CommitMessage": variables["CommitMessage"][:_LONGEST_MESSAGE]}
    job.took(commit, json.dumps(summary), source.commit(commit).committed, variables)
    reference = {"ConnectionArn": arn, "FullRepositoryId": full_name, "CommitId": commit}
    job.put_output(json.dumps(reference).encode() if is_clone else archive, commit, is_clone_reference=is_clone)


def facts(context: Context, arn: str, full_name: str, taken: SourceOverride) -> dict[str, str]:
    """The output variables of a commit, whose id `taken` has. Raises ServiceError if there is no such connection or repository."""
    commit = repository(context, full_name).commit(taken.commit)
    pushed = {"BranchName": taken.branch, "TagName": taken.tag}
    return {
        "AuthorDate": commit.authored,
        "AuthorDisplayName": commit.author,
        "AuthorEmail": commit.author_email,
        "AuthorId": commit.author_email,
        **{name: value for name, value in pushed.items() if value},
        "CommitId": commit.identifier,
        "CommitMessage": commit.message,
        "ConnectionArn": arn,
        "FullRepositoryName": full_name,
        "ProviderType": connections_of(context).get(arn).provider,
    }
