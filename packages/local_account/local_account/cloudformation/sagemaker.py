"""The AWS::SageMaker types that a model's life needs: group, pipeline, model, endpoint configuration, endpoint.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any, ClassVar

from local_account.cloudformation.resource_type import (
    Attributes,
    Properties,
    ResourceType,
    api_request,
    generated_name,
    last_part,
    retag,
)

_POLL_SECONDS = 0.2
_ENDPOINT_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def _without(properties: Properties, *names: str) -> Properties:
    return {key: value for key, value in properties.items() if key not in names}


class ModelPackageGroup(ResourceType):
    """Ref: the ARN. GetAtt: ModelPackageGroupArn, ModelPackageGroupStatus, CreationTime."""

    name = "AWS::SageMaker::ModelPackageGroup"
    name_property = "ModelPackageGroupName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("sagemaker")
        request = api_request(client, "CreateModelPackageGroup", _without(properties, "ModelPackageGroupPolicy"))
        arn = client.create_model_package_group(**request)["ModelPackageGroupArn"]
        try:
            self._set_policy(last_part(arn), {}, properties)
        except Exception:
            client.delete_model_package_group(ModelPackageGroupName=last_part(arn))  # a failed create leaves nothing behind
            raise
        return arn, self._attributes(arn)

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        self._set_policy(last_part(physical_id), old, new)
        retag(self.client("sagemaker"), physical_id, old, new)
        return self._attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("sagemaker").delete_model_package_group(ModelPackageGroupName=last_part(physical_id))

    def _set_policy(self, name: str, old: Properties, new: Properties) -> None:
        """The resource policy by which other accounts may use the group."""
        client, policy = self.client("sagemaker"), new.get("ModelPackageGroupPolicy")
        if policy and policy != old.get("ModelPackageGroupPolicy"):
            text = policy if isinstance(policy, str) else json.dumps(policy)
            client.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=text)
        elif not policy and old.get("ModelPackageGroupPolicy"):
            client.delete_model_package_group_policy(ModelPackageGroupName=name)

    def _attributes(self, arn: str) -> Attributes:
        described = self.client("sagemaker").describe_model_package_group(ModelPackageGroupName=last_part(arn))
        return {
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": described["ModelPackageGroupStatus"],
            "CreationTime": described["CreationTime"].isoformat(),
        }


class Pipeline(ResourceType):
    """Ref: the pipeline's name."""

    name = "AWS::SageMaker::Pipeline"
    name_property = "PipelineName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("sagemaker")
        token = {"ClientRequestToken": uuid.uuid4().hex}
        rest = api_request(client, "CreatePipeline", _without(properties, "PipelineDefinition"))
        client.create_pipeline(**rest, **token, PipelineDefinition=self._definition(properties))
        return rest["PipelineName"], {}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.client("sagemaker")
        rest = api_request(client, "UpdatePipeline", _without(new, "PipelineDefinition", "Tags"))
        arn = client.update_pipeline(**rest, PipelineDefinition=self._definition(new))["PipelineArn"]
        retag(client, arn, old, new)
        return {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("sagemaker").delete_pipeline(PipelineName=physical_id, ClientRequestToken=uuid.uuid4().hex)

    def _definition(self, properties: Properties) -> str:
        definition = properties["PipelineDefinition"]
        if "PipelineDefinitionBody" in definition:
            body = definition["PipelineDefinitionBody"]
            return body if isinstance(body, str) else json.dumps(body)
        location = definition["PipelineDefinitionS3Location"]
        version = {"VersionId": location["Version"]} if "Version" in location else {}
        stored = self.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
        return str(stored["Body"].read().decode())


class _Unchanging(ResourceType):
    """Ref: the ARN. GetAtt: the name. Every change but one of its tags replaces it."""

    operation: ClassVar[str]  # as botocore's clients name what comes after create_ and delete_

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client, of = self.client("sagemaker"), self.name_property.removesuffix("Name")
        name = properties.get(self.name_property) or generated_name(stack_name, logical_id)
        request = api_request(client, f"Create{of}", {**properties, self.name_property: name})
        return getattr(client, f"create_{self.operation}")(**request)[f"{of}Arn"], {self.name_property: name}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        retag(self.client("sagemaker"), physical_id, old, new)
        return {self.name_property: last_part(physical_id)}

    def delete(self, physical_id: str, properties: Properties) -> None:
        getattr(self.client("sagemaker"), f"delete_{self.operation}")(**{self.name_property: last_part(physical_id)})


class Model(_Unchanging):
    name, name_property, operation = "AWS::SageMaker::Model", "ModelName", "model"


class EndpointConfig(_Unchanging):
    name, name_property, operation = "AWS::SageMaker::EndpointConfig", "EndpointConfigName", "endpoint_config"


class Endpoint(ResourceType):
    """Ref: the ARN. GetAtt: EndpointName. Complete once it is in service; a failed one fails the stack, which rolls back."""

    name = "AWS::SageMaker::Endpoint"
    name_property = "EndpointName"
    _UPDATE_ONLY = ("ExcludeRetainedVariantProperties", "RetainAllVariantProperties", "RetainDeploymentConfig")

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("sagemaker")
        name = properties.get("EndpointName") or generated_name(stack_name, logical_id)
        request = {**_without(properties, *self._UPDATE_ONLY), "EndpointName": name, "EndpointConfigName": _config(properties)}
        client.create_endpoint(**api_request(client, "CreateEndpoint", request))
        try:
            return self._settled(name)["EndpointArn"], {"EndpointName": name}
        except ValueError:
            client.delete_endpoint(EndpointName=name)  # the engine does not know of it yet, so it could not roll it back
            raise

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.client("sagemaker")
        name, config = last_part(physical_id), _config(new)
        retag(client, physical_id, old, new)
        if _without(old, "Tags") == _without(new, "Tags"):  # UpdateEndpoint would deploy the same once more
            return {"EndpointName": name}
        request = {**_without(new, "Tags"), "EndpointName": name, "EndpointConfigName": config}
        client.update_endpoint(**api_request(client, "UpdateEndpoint", request))
        settled = self._settled(name)
        if settled["EndpointConfigName"] != config:  # SageMaker rolled the deployment back and kept the old fleet in service
            raise ValueError(
                f"Endpoint {name} was rolled back to {settled['EndpointConfigName']}: {settled.get('FailureReason', 'no reason given')}"
            )
        return {"EndpointName": name}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("sagemaker").delete_endpoint(EndpointName=last_part(physical_id))

    def _settled(self, name: str) -> dict[str, Any]:
        """The endpoint once nothing is in progress. Raises ValueError with SageMaker's reason if it is not in service then."""
        while True:
            endpoint: dict[str, Any] = self.client("sagemaker").describe_endpoint(EndpointName=name)
            if endpoint["EndpointStatus"] not in _ENDPOINT_IN_PROGRESS:
                break
            if self.context.stopping.wait(_POLL_SECONDS):
                raise ValueError("the local account is stopping")
        if endpoint["EndpointStatus"] != "InService":
            raise ValueError(f"Endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")
        return endpoint


class InferenceComponent(ResourceType):
    """Ref and GetAtt InferenceComponentArn: the ARN. Complete once it is in service; an update that SageMaker took back fails.

    Copies are set with every update that changes the template's (`update` of the type's handlers in AWS's schema).
    """

    name = "AWS::SageMaker::InferenceComponent"
    name_property = "InferenceComponentName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("sagemaker")
        name = properties.get("InferenceComponentName") or generated_name(stack_name, logical_id)
        request = {**_without(properties, "DeploymentConfig"), "InferenceComponentName": name}
        arn = client.create_inference_component(**api_request(client, "CreateInferenceComponent", request))["InferenceComponentArn"]
        try:
            self._settled(name)
        except ValueError:
            client.delete_inference_component(InferenceComponentName=name)  # as of an endpoint
            raise
        return arn, {"InferenceComponentArn": arn}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client, name = self.client("sagemaker"), last_part(physical_id)
        retag(client, physical_id, old, new)
        changing = ("Specification", "RuntimeConfig")
        if any(old.get(key) != new.get(key) for key in changing):
            given = {key: new[key] for key in (*changing, "DeploymentConfig") if key in new}
            client.update_inference_component(**api_request(client, "UpdateInferenceComponent", {**given, "InferenceComponentName": name}))
            settled = self._settled(name)
            if settled["Specification"]["ModelName"] != new["Specification"]["ModelName"]:
                raise ValueError(f"Inference component {name} was rolled back: {settled.get('FailureReason', 'no reason given')}")
        return {"InferenceComponentArn": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        self.client("sagemaker").delete_inference_component(InferenceComponentName=last_part(physical_id))

    def _settled(self, name: str) -> dict[str, Any]:
        """As of an endpoint."""
        while True:
            component: dict[str, Any] = self.client("sagemaker").describe_inference_component(InferenceComponentName=name)
            status = component["InferenceComponentStatus"]
            if status not in _ENDPOINT_IN_PROGRESS:
                break
            if self.context.stopping.wait(_POLL_SECONDS):
                raise ValueError("the local account is stopping")
        if status != "InService":
            raise ValueError(f"Inference component {name} is {status}: {component.get('FailureReason', 'no reason given')}")
        return component


def _config(properties: Properties) -> str:
    """Templates refer to the configuration by name or by ARN."""
    return last_part(str(properties["EndpointConfigName"]))
