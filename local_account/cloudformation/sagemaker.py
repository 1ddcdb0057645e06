"""The AWS::SageMaker types that a model's life needs: group, pipeline, model, endpoint configuration, endpoint.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from local_account.cloudformation.resource_type import (
    Attributes,
    ModifiableType,
    Properties,
    ResourceType,
    api_request,
    generated_name,
    last_part,
)

_POLL_SECONDS = 0.1
_ENDPOINT_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def _without(properties: Properties, *names: str) -> Properties:
    return {key: value for key, value in properties.items() if key not in names}


class ModelPackageGroup(ModifiableType):
    """Ref: the ARN. GetAtt: ModelPackageGroupArn, ModelPackageGroupStatus, CreationTime."""

    name = "AWS::SageMaker::ModelPackageGroup"
    name_property = "ModelPackageGroupName"
    create_only = frozenset({"ModelPackageGroupDescription"})

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.context.client("sagemaker")
        request = api_request(client, "CreateModelPackageGroup", _without(properties, "ModelPackageGroupPolicy"))
        arn = client.create_model_package_group(**request)["ModelPackageGroupArn"]
        described = client.describe_model_package_group(ModelPackageGroupName=request["ModelPackageGroupName"])
        return arn, {
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": described["ModelPackageGroupStatus"],
            "CreationTime": described["CreationTime"].isoformat(),
        }

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        return {"ModelPackageGroupArn": physical_id, "ModelPackageGroupStatus": "Completed"}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.context.client("sagemaker").delete_model_package_group(ModelPackageGroupName=last_part(physical_id))


class Pipeline(ModifiableType):
    """Ref: the pipeline's name."""

    name = "AWS::SageMaker::Pipeline"
    name_property = "PipelineName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.context.client("sagemaker")
        token = {"ClientRequestToken": uuid.uuid4().hex}
        rest = api_request(client, "CreatePipeline", _without(properties, "PipelineDefinition"))
        client.create_pipeline(**rest, **token, PipelineDefinition=self._definition(properties))
        return rest["PipelineName"], {}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.context.client("sagemaker")
        rest = api_request(client, "UpdatePipeline", _without(new, "PipelineDefinition", "Tags"))
        client.update_pipeline(**rest, PipelineDefinition=self._definition(new))
        return {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.context.client("sagemaker").delete_pipeline(PipelineName=physical_id, ClientRequestToken=uuid.uuid4().hex)

    def _definition(self, properties: Properties) -> str:
        definition = properties["PipelineDefinition"]
        if "PipelineDefinitionBody" in definition:
            body = definition["PipelineDefinitionBody"]
            return body if isinstance(body, str) else json.dumps(body)
        location = definition["PipelineDefinitionS3Location"]
        version = {"VersionId": location["Version"]} if "Version" in location else {}
        stored = self.context.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
        return str(stored["Body"].read().decode())


class Model(ResourceType):
    """Ref: the ARN. GetAtt: ModelName. Every change replaces it."""

    name = "AWS::SageMaker::Model"
    name_property = "ModelName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.context.client("sagemaker")
        name = properties.get("ModelName") or generated_name(stack_name, logical_id)
        arn = client.create_model(**api_request(client, "CreateModel", {**properties, "ModelName": name}))["ModelArn"]
        return arn, {"ModelName": name}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.context.client("sagemaker").delete_model(ModelName=last_part(physical_id))


class EndpointConfig(ResourceType):
    """Ref: the ARN. GetAtt: EndpointConfigName. Every change replaces it."""

    name = "AWS::SageMaker::EndpointConfig"
    name_property = "EndpointConfigName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.context.client("sagemaker")
        name = properties.get("EndpointConfigName") or generated_name(stack_name, logical_id)
        request = api_request(client, "CreateEndpointConfig", {**properties, "EndpointConfigName": name})
        return client.create_endpoint_config(**request)["EndpointConfigArn"], {"EndpointConfigName": name}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.context.client("sagemaker").delete_endpoint_config(EndpointConfigName=last_part(physical_id))


class Endpoint(ModifiableType):
    """Ref: the ARN. GetAtt: EndpointName. Complete once it is in service; a failed one fails the stack, which rolls back."""

    name = "AWS::SageMaker::Endpoint"
    name_property = "EndpointName"
    _UPDATE_ONLY = ("ExcludeRetainedVariantProperties", "RetainAllVariantProperties", "RetainDeploymentConfig")

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.context.client("sagemaker")
        name = properties.get("EndpointName") or generated_name(stack_name, logical_id)
        request = {**_without(properties, *self._UPDATE_ONLY), "EndpointName": name, "EndpointConfigName": _config(properties)}
        client.create_endpoint(**api_request(client, "CreateEndpoint", request))
        try:
            return self._settled(name)["EndpointArn"], {"EndpointName": name}
        except ValueError:
            client.delete_endpoint(EndpointName=name)  # the engine does not know of it yet, so it could not roll it back
            raise

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.context.client("sagemaker")
        name, config = last_part(physical_id), _config(new)
        request = {**_without(new, "Tags"), "EndpointName": name, "EndpointConfigName": config}
        client.update_endpoint(**api_request(client, "UpdateEndpoint", request))
        settled = self._settled(name)
        if settled["EndpointConfigName"] != config:  # SageMaker rolled the deployment back and kept the old fleet in service
            raise ValueError(
                f"Endpoint {name} was rolled back to {settled['EndpointConfigName']}: {settled.get('FailureReason', 'no reason given')}"
            )
        return {"EndpointName": name}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.context.client("sagemaker").delete_endpoint(EndpointName=last_part(physical_id))

    def _settled(self, name: str) -> dict[str, Any]:
        """The endpoint once nothing is in progress. Raises ValueError with SageMaker's reason if it is not in service then."""
        while True:
            endpoint: dict[str, Any] = self.context.client("sagemaker").describe_endpoint(EndpointName=name)
            if endpoint["EndpointStatus"] not in _ENDPOINT_IN_PROGRESS:
                break
            if self.context.stopping.wait(_POLL_SECONDS):
                raise ValueError("the local account is stopping")
        if endpoint["EndpointStatus"] != "InService":
            raise ValueError(f"Endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")
        return endpoint


def _config(properties: Properties) -> str:
    """Templates refer to the configuration by name or by ARN."""
    return last_part(str(properties["EndpointConfigName"]))
