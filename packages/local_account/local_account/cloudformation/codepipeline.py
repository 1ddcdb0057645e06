"""AWS::CodePipeline::Pipeline.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from __future__ import annotations

from typing import Any

from local_account.cloudformation.resource_type import (
    Attributes,
    Properties,
    ResourceType,
    api_request,
    generated_name,
    retag,
)

#: Properties of the resource that are not part of the pipeline structure of the API.
_OUTSIDE_STRUCTURE = ("Name", "Tags", "RestartExecutionOnUpdate")


class Pipeline(ResourceType):
    """Ref: the pipeline's name. GetAtt: Version."""

    name = "AWS::CodePipeline::Pipeline"
    name_property = "Name"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        name = properties.get("Name") or generated_name(stack_name, logical_id, 100)
        request = self._request("CreatePipeline", name, properties)
        if properties.get("Tags"):
            request["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties["Tags"]]
        created = self.client("codepipeline").create_pipeline(**request)["pipeline"]
        return name, {"Version": str(created.get("version", 1))}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.client("codepipeline")
        updated = client.update_pipeline(**self._request("UpdatePipeline", physical_id, new))["pipeline"]
        retag(client, self.context.arn("codepipeline", physical_id), old, new)
        if str(new.get("RestartExecutionOnUpdate", False)).lower() == "true":
            client.start_pipeline_execution(name=physical_id)
        return {"Version": str(updated.get("version", 1))}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("codepipeline").delete_pipeline(name=physical_id)

    def _request(self, operation: str, name: str, properties: Properties) -> dict[str, Any]:
        structure = {key: value for key, value in properties.items() if key not in _OUTSIDE_STRUCTURE}
        stores = structure.pop("ArtifactStores", None)
        if stores:  # the API wants region -> store, the template has a list
            structure["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in stores}
        request = api_request(self.client("codepipeline"), operation, {"Pipeline": {**structure, "Name": name}})
        for stage in request["pipeline"]["stages"]:
            for action in stage["actions"]:
                action.setdefault("runOrder", 1)
        return request
