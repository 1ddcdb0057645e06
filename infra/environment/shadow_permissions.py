"""What the function that changes production's shadow may do where production is: parameters of one stack, and a look at what serves.

CloudFormation deploys as the role that the stack has, so no role is passed, and none may be named (CloudFormation user guide,
"CloudFormation service role"; condition key `cloudformation:RoleArn`). Next: infra/model/change_production/.
"""

from __future__ import annotations

from infra.permissions import Permission
from infra.places import Context
from infra.service_role import Grantee
from settings_schema import Model

NO_OTHER_ROLE: dict[str, object] = {"Null": {"cloudformation:RoleArn": "true"}}


class ShadowPermissions:
    """Of one model. In another account they are a role's that the function assumes."""

    def __init__(self, context: Context, model: Model) -> None:
        environment = context.settings.production
        self._place, self._names = context.places.of(environment), model.names(context.project).at(environment.name)
        self.is_elsewhere = context.places.is_elsewhere(environment)

    @property
    def role(self) -> str:
        """ARN, as a part of a longer text; empty where the function is in the same account."""
        return self._place.role_text(self._names.shadow_role) if self.is_elsewhere else ""

    def let_change(self, function: Grantee) -> None:
        if self.is_elsewhere:
            function.allow("EnterProduction", ["sts:AssumeRole"], [self._place.role(self._names.shadow_role)])
        else:
            function.allow_all(self.all())

    def all(self) -> list[Permission]:
        stack, endpoint = self._place.stack(self._names.stack), self._place.sagemaker("endpoint", self._names.endpoint)
        return [
            Permission("Stack", ["cloudformation:DescribeStacks"], [stack]),
            Permission("Shadow", ["cloudformation:UpdateStack"], [stack], NO_OTHER_ROLE),
            Permission("Endpoint", ["sagemaker:DescribeEndpoint"], [endpoint]),
        ]
