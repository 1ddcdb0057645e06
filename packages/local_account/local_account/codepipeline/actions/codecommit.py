"""Source action: the files of a branch's newest commit, or of the commit that the start of the execution named.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
"""

from __future__ import annotations

from local_account.codecommit import repository
from local_account.codepipeline.actions.job import ActionError, Job
from local_account.errors import ServiceError

#: CodePipeline user guide, "CodeCommit source action reference": what the service role needs for it.
_NEEDED = ("GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus")


CONFIGURATION = ("RepositoryName", "BranchName", "PollForSourceChanges", "OutputArtifactFormat")
REQUIRED = ("RepositoryName", "BranchName")
VALUES = {"OutputArtifactFormat": ("CODE_ZIP",)}


def run(job: Job) -> None:
    name, branch = job.configuration["RepositoryName"], job.configuration["BranchName"]
    try:
        for operation in _NEEDED:
            job.role.require("codecommit", operation, {"repositoryName": name})
        source = repository(job.role.place, name)
        override = job.execution.source_overrides.get(job.run.name)
        commit = source.commit(source.resolve(override.commit if override else f"refs/heads/{branch}"))
        archive = source.zip_archive(commit.identifier)
    except ServiceError as error:
        raise ActionError("ConfigurationError", f"repository {name}, branch {branch}: {error.message}") from error
    variables = {
        "RepositoryName": name,
        "BranchName": branch,
        "CommitId": commit.identifier,
        "AuthorDate": commit.authored,
        "CommitterDate": commit.committed,
        "CommitMessage": commit.message,
    }
    job.took(commit.identifier, commit.title, commit.committed, variables)
    job.put_output(archive, revision=commit.identifier)
