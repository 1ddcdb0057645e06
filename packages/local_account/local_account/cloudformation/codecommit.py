"""AWS::CodeCommit::Repository. Its files come by `git push`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType


class Repository(ResourceType):
    """Ref: the repository id. GetAtt: Name, Arn, CloneUrlHttp, CloneUrlSsh."""

    name = "AWS::CodeCommit::Repository"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("codecommit")
        name = properties["RepositoryName"]
        description = str(properties.get("RepositoryDescription", ""))
        metadata = client.create_repository(repositoryName=name, repositoryDescription=description)["repositoryMetadata"]
        return metadata["repositoryId"], self._attributes(name)

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
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
