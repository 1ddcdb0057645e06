"""AWS::CodeCommit::Repository, with its first commit from an archive in S3.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from local_account import codecommit
from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType


class Repository(ResourceType):
    """Ref: the repository id. GetAtt: Name, Arn, CloneUrlHttp, CloneUrlSsh."""

    name = "AWS::CodeCommit::Repository"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("codecommit")
        name = properties["RepositoryName"]
        description = str(properties.get("RepositoryDescription", ""))
        metadata = client.create_repository(repositoryName=name, repositoryDescription=description)["repositoryMetadata"]
        if "Code" in properties:
            try:
                self._first_commit(name, properties["Code"])
            except Exception:
                client.delete_repository(repositoryName=name)  # a failed create leaves nothing behind
                raise
        return metadata["repositoryId"], self._attributes(name)

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        """Code is for the creation only, as in AWS."""
        name, description = old["RepositoryName"], str(new.get("RepositoryDescription", ""))
        if new["RepositoryName"] != name:
            raise ValueError(f"The local account does not rename repository {name}; its files would stay where they are.")
        if description != str(old.get("RepositoryDescription", "")):
            self.client("codecommit").update_repository_description(repositoryName=name, repositoryDescription=description)
        return self._attributes(new["RepositoryName"])

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("codecommit").delete_repository(repositoryName=properties["RepositoryName"])

    def _attributes(self, name: str) -> Attributes:
        metadata = self.client("codecommit").get_repository(repositoryName=name)["repositoryMetadata"]
        return {"Name": name, "Arn": metadata["Arn"], "CloneUrlHttp": metadata["cloneUrlHttp"], "CloneUrlSsh": metadata["cloneUrlSsh"]}

    def _first_commit(self, name: str, code: Properties) -> None:
        location = code["S3"]
        version = {"VersionId": location["ObjectVersion"]} if "ObjectVersion" in location else {}
        body = self.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)["Body"].read()
        git = codecommit.repository(self.context, name)
        with tempfile.TemporaryDirectory() as directory:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                archive.extractall(directory)  # zipfile keeps every member inside the directory
            git.commit_directory(Path(directory), str(code.get("BranchName", "main")), "Initial commit by CloudFormation")
        codecommit.announce(self.context, name, {}, git.references())
