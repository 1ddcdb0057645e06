"""CreateEndpointConfig and its siblings: what an endpoint is to run, kept as it was given and checked before anything runs.

In: API calls (`operations.py` puts them behind the API). Out: the configuration that `operations.py` and `lifecycle.py` deploy.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.endpoints.models import models_of
from local_account.errors import NotEmulatedError, ServiceError
from local_account.sagemaker import listing
from local_account.sagemaker.tags import tags_of


class Configurations:
    """All endpoint configurations of one account, by name, in the order in which they were created."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._configurations: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        arn = self._arn(name)
        names = [variant["VariantName"] for variant in request["ProductionVariants"]]
        if len(set(names)) < len(names):
            raise ServiceError("ValidationException", f"ProductionVariants has a VariantName twice: {', '.join(names)}.")
        for variant in request["ProductionVariants"]:
            self._check(variant)
        with self._lock:
            if name in self._configurations:
                raise ServiceError("ValidationException", f'Cannot create already existing endpoint configuration "{arn}".')
            self._configurations[name] = {
                **{key: value for key, value in request.items() if key != "Tags"},
                "EndpointConfigArn": arn,
                "CreationTime": self._context.clock.now(),
            }
        tags_of(self._context).add(arn, request.get("Tags"))
        return {"EndpointConfigArn": arn}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            found = self._configurations.get(request["EndpointConfigName"])
        if found is None:
            raise self._not_found(request["EndpointConfigName"])
        return dict(found)

    def find(self, name: str) -> dict[str, Any] | None:
        """None for one that has been deleted, which endpoints may still run."""
        with self._lock:
            return self._configurations.get(name)

    def delete(self, request: Mapping[str, Any]) -> None:
        with self._lock:
            found = self._configurations.pop(request["EndpointConfigName"], None)
        if found is None:
            raise self._not_found(request["EndpointConfigName"])
        tags_of(self._context).forget(found["EndpointConfigArn"])

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The newest first, as AWS lists them."""
        with self._lock:
            found = list(self._configurations.values())
        fields = {"Name": "EndpointConfigName", "CreationTime": "CreationTime"}
        items, token = listing.page(found, request, sort_fields=fields, default_order="Descending", name_field="EndpointConfigName")
        return listing.answer("EndpointConfigs", items, token)

    def _check(self, variant: Mapping[str, Any]) -> None:
        """Raises ServiceError for a variant that SageMaker refuses, or that needs what the local account has not."""
        name = variant["VariantName"]
        if "ModelName" not in variant:
            raise NotEmulatedError("sagemaker", f"CreateEndpointConfig with inference components (variant {name} has no ModelName)")
        if "ManagedInstanceScaling" in variant:
            # AWS's words: https://github.com/hashicorp/terraform-provider-aws/pull/45926
            raise ServiceError("ValidationException", "ManagedInstanceScaling is only supported for inference component endpoints.")
        if not models_of(self._context).exists(variant["ModelName"]):
            model = self._context.arn("sagemaker", f"model/{variant['ModelName']}")
            raise ServiceError("ValidationException", f'Could not find model "{model}".')
        missing = [member for member in ("InstanceType", "InitialInstanceCount") if variant.get(member) is None]
        if missing:
            raise ServiceError("ValidationException", f"Variant {name} of ProductionVariants needs {' and '.join(missing)}.")

    def _arn(self, name: str) -> str:
        return self._context.arn("sagemaker", f"endpoint-config/{name}")

    def _not_found(self, name: str) -> ServiceError:
        return ServiceError("ValidationException", f'Could not find endpoint configuration "{self._arn(name)}".')


def configurations_of(context: Context) -> Configurations:
    """The endpoint configurations of an account; the same object at every call."""
    return context.part(Configurations, lambda: Configurations(context))
