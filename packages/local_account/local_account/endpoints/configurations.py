"""CreateEndpointConfig and its siblings: what an endpoint is to run, kept as it was given and checked before anything runs.

In: API calls (`operations.py` puts them behind the API). Out: the configuration that `operations.py` and `lifecycle.py` deploy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.endpoints import serverless
from local_account.endpoints.models import Models, is_multi_model
from local_account.errors import InvalidError, NotEmulatedError
from local_account.sagemaker.resources import Kind, Resources


class Configurations(Resources):
    """Of one that has been deleted, endpoints may still run."""

    kind = Kind(
        "EndpointConfig",
        "endpoint-config",
        taken='Cannot create already existing endpoint configuration "{arn}".',
        missing='Could not find endpoint configuration "{arn}".',
        listed="EndpointConfigs",
    )

    def create(self, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        shadows = request.get("ShadowProductionVariants") or []
        if shadows and (len(shadows) > 1 or len(request["ProductionVariants"]) > 1):
            # API reference, CreateEndpointConfig: with shadows "you can only specify one variant" of either kind.
            raise InvalidError("With ShadowProductionVariants there can be one variant in ProductionVariants and one in it.")
        variants = [*request["ProductionVariants"], *shadows]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise InvalidError(f"A VariantName is there twice: {', '.join(names)}.")
        for variant in variants:
            self._check(variant, request)
        if "AsyncInferenceConfig" in request and not request["AsyncInferenceConfig"]["OutputConfig"].get("S3OutputPath"):
            raise InvalidError("AsyncInferenceConfig.OutputConfig needs an S3OutputPath, where answers are written to.")
        excluded = any("ServerlessConfig" in variant or variant.get("InstanceType", "").startswith("ml.inf1.") for variant in variants)
        if shadows and (excluded or "AsyncInferenceConfig" in request):
            # SageMaker guide, "Exclusions" of shadow tests.
            raise InvalidError(
                "ShadowProductionVariants are not supported for asynchronous and serverless endpoints, nor on Inf1 instances."
            )
        return super().create(request, **more)

    def _check(self, variant: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """Raises ServiceError for a variant that SageMaker refuses, or that needs what the local account has not."""
        name = variant["VariantName"]
        if "ModelName" not in variant:
            self._check_for_components(variant, request)
            return
        if "ManagedInstanceScaling" in variant:
            # AWS's words: https://github.com/hashicorp/terraform-provider-aws/pull/45926
            raise InvalidError("ManagedInstanceScaling is only supported for inference component endpoints.")
        served = Models.at(self.context).find(variant["ModelName"])
        if not served:
            model = self.context.arn("sagemaker", f"model/{variant['ModelName']}")
            raise InvalidError(f'Could not find model "{model}".')
        if is_multi_model(served):
            self._check_multi_model(variant, request)
        if "ServerlessConfig" in variant:
            serverless.check(variant, request, served)
            return
        missing = [member for member in ("InstanceType", "InitialInstanceCount") if variant.get(member) is None]
        if missing:
            raise InvalidError(f"Variant {name} needs {' and '.join(missing)}.")

    def _check_multi_model(self, variant: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """Raises InvalidError for what a multi-model endpoint cannot have.

        SageMaker guide: "Exclusions" of shadow tests, and Model Monitor, which "currently supports only endpoints that host a single
        model". InvokeEndpointAsync has no TargetModel.
        """
        excluded = {
            "shadow variants": bool(request.get("ShadowProductionVariants")),
            "asynchronous inference": "AsyncInferenceConfig" in request,
            "data capture": "DataCaptureConfig" in request,
        }
        found = [what for what, is_so in excluded.items() if is_so]
        if found:
            raise InvalidError(f"Variant {variant['VariantName']} hosts many models, which does not support {' or '.join(found)}.")

    @staticmethod
    def _check_for_components(variant: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """A variant without a model is for inference components. What AWS does not describe together with them is refused by name."""
        for other in ("DataCaptureConfig", "AsyncInferenceConfig", "ShadowProductionVariants"):
            if request.get(other):
                raise NotEmulatedError("sagemaker", f"CreateEndpointConfig with inference components and {other}")
        if len(request["ProductionVariants"]) > 1 or "ServerlessConfig" in variant:
            raise NotEmulatedError("sagemaker", "CreateEndpointConfig with inference components on several variants or without instances")
        missing = [name for name, given in (("ExecutionRoleArn", request), ("InstanceType", variant)) if given.get(name) is None]
        if missing:
            raise InvalidError(f"Variant {variant['VariantName']} has no ModelName, so {' and '.join(missing)} is needed.")
        least, most = (
            variant.get("ManagedInstanceScaling", {}).get(f"{end}InstanceCount", default) for end, default in (("Min", 0), ("Max", None))
        )
        if most is not None and least > most:
            raise InvalidError(
                f"Variant {variant['VariantName']} has a MinInstanceCount of {least}, more than its MaxInstanceCount of {most}."
            )
