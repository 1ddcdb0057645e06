"""AWS::CodeConnections::Connection, and AWS::CodeStarConnections::Connection, its old name. Both are PENDING until a person completes them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codeconnections-connection.html
"""

from __future__ import annotations

from typing import ClassVar

from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType, api_request, retag


class Connection(ResourceType):
    """Ref: the ARN. GetAtt: ConnectionArn, ConnectionStatus, OwnerAccountId."""

    name = "AWS::CodeConnections::Connection"
    name_property = "ConnectionName"
    service: ClassVar[str] = "codeconnections"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client(self.service)
        arn = client.create_connection(**api_request(client, "CreateConnection", properties))["ConnectionArn"]
        return arn, self._attributes(arn)

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        retag(self.client(self.service), physical_id, old, new)
        return self._attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client(self.service).delete_connection(ConnectionArn=physical_id)

    def _attributes(self, arn: str) -> Attributes:
        found = self.client(self.service).get_connection(ConnectionArn=arn)["Connection"]
        return {name: found[name] for name in ("ConnectionArn", "ConnectionStatus", "OwnerAccountId")}


class CodeStarConnection(Connection):
    name = "AWS::CodeStarConnections::Connection"
    service = "codestar-connections"
