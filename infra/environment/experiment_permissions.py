"""What the function that begins and ends experiments may do where production is: parameters of one stack, weights of one endpoint, and a
look at both and at what the watch said. As of a shadow no role is passed (shadow_permissions.py). Next: infra/model/change_production/.
"""

from __future__ import annotations

from infra.encryption_key import by_alias
from infra.environment.shadow_permissions import NO_OTHER_ROLE
from infra.permissions import Permission
from infra.places import Context, bucket_arn
from infra.service_role import Grantee
from infra.serving.endpoint_alarms import CHALLENGER
from settings_schema import Model


class ExperimentPermissions:
    """Of one model. In another account they are a role's that the function assumes."""

    def __init__(self, context: Context, model: Model) -> None:
        environment = context.settings.production
        self._place, self.names = context.places.of(environment), model.names(context.project).at(environment.name)
        self.bucket = context.places.environment_bucket(environment)
        self._alias = environment.names(context.project).key_alias
        self.is_elsewhere = context.places.is_elsewhere(environment)

    @property
    def role(self) -> str:
        """ARN, as a part of a longer text; empty where the function is in the same account."""
        return self._place.role_text(self.names.experiment_role) if self.is_elsewhere else ""

    @property
    def alarms(self) -> list[str]:
        return [self.names.alarm(what) for what in CHALLENGER]

    def let_change(self, function: Grantee) -> None:
        if self.is_elsewhere:
            function.allow("EnterProduction", ["sts:AssumeRole"], [self._place.role(self.names.experiment_role)])
        else:
            function.allow_all(self.all())

    def all(self) -> list[Permission]:
        stack, endpoint = self._place.stack(self.names.stack), self._place.sagemaker("endpoint", self.names.endpoint)
        weights = ["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"]
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{self.names.experiments}*"}}
        return [
            Permission("Stack", ["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"], [stack]),
            Permission("Experiment", ["cloudformation:UpdateStack"], [stack], NO_OTHER_ROLE),
            Permission("Endpoint", weights, [endpoint]),
            Permission("ChallengersAlarms", ["cloudwatch:DescribeAlarms"], [self._place.alarm(name) for name in self.alarms]),
            Permission("FindResult", ["s3:ListBucket"], [bucket_arn(self.bucket)], below),
            Permission("Result", ["s3:GetObject"], [bucket_arn(self.bucket, f"{self.names.experiments}*")]),
            by_alias("KeyOfResult", self._place, self._alias, ["kms:Decrypt"]),
        ]
