"""Roles with which CloudFormation deploys a model's stack in one environment: its resource types, by name where a name is known.

What they need are the `permissions` of the handlers in AWS's schemas of these types, as far as we set the properties that need them;
tests/infra/test_deployment_roles.py holds them to that.
"""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.drift_metrics import MONITORING_FAILED
from infra.encryption_key import FOR_AWS_RESOURCES
from infra.ownership import is_ours, makes_as_ours, not_another_s
from infra.places import Context
from infra.service_role import ServiceRole, passed_to
from infra.serving.batch_stack import FAILURES, JOB_FAILED, UPLOADED
from infra.serving.endpoint_alarms import CHALLENGER, OTHERS, ROLLBACK
from infra.serving.member_alarms import OF_ANY_VERSION as OF_ANY_MEMBER
from infra.serving.prediction_alarm import OF_ANY_VERSION
from infra.serving.variant_autoscaling import CHALLENGER_LOAD, FIRST, LOAD
from settings_schema import Component, Environment, Model
from settings_schema.names import DRIFT, QUALITY

_SCALING = "sagemaker.application-autoscaling.amazonaws.com"
#: What Application Auto Scaling tries in the caller's name before it registers a target.
_TRIED = (
    *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:UpdateEndpointWeightsAndCapacities"),
    *("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
)
#: Ends of the names of the alarms of infra/serving/model_watch.py.
_OF_WATCH = (DRIFT, QUALITY, MONITORING_FAILED)
_SCHEDULING = ("Create", "Update", "Get", "Delete")
_TAGGING = ("TagResource", "UntagResource", "ListTagsForResource")


class DeploymentRole(ServiceRole):
    """What both kinds of serving have: a model, its watch, alarms, logs. It cannot touch IAM, except to hand over roles that are there."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, model: Model, environment: Environment, key: kms.IKey
    ) -> None:
        self._names, self._place = model.names(context.project).at(environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            service="cloudformation.amazonaws.com",
            description=f"Deploys {model.name} in {environment.name}",
            role_name=self._names.deployment_role,
        )
        self._configurations = self._place.hosting_configurations()
        registry = context.places.registry(environment)
        # Authorised on the version, too, where that is in another account: "Deploy a Model Version from a Different Account".
        versions = [registry.model_packages(self._names.of_model.model_package_group)]
        self.allow("Versions", ["sagemaker:DescribeModelPackage", "sagemaker:CreateModel"], versions)
        inference = self._place.role(self._names.inference_role)
        self.allow("RunAs", ["iam:PassRole"], [inference], passed_to("sagemaker.amazonaws.com"))
        key.grant(self, "kms:DescribeKey")
        self.allow("Volumes", ["kms:CreateGrant"], [key.key_arn], FOR_AWS_RESOURCES)
        self._watch()

    def _watch(self) -> None:
        """Also where nothing is watched, so that a push can begin it and end it. Its alarms are among those of each kind."""
        names, place = self._names, self._place
        verbs = [f"{verb}Pipeline" for verb in ("Create", "Update", "Describe", "Delete")]
        actions = [f"sagemaker:{verb}" for verb in (*verbs, "AddTags", "DeleteTags", "ListTags")]
        self.allow("WatchPipeline", actions, [place.sagemaker("pipeline", names.monitoring_pipeline)])
        self.allow("WatchAs", ["iam:PassRole"], [place.role(names.monitoring_role)], passed_to("sagemaker.amazonaws.com"))
        schedules = [place.arn("scheduler", f"schedule/default/{names.monitoring_pipeline}")]
        self.allow("WatchSchedule", [f"scheduler:{verb}Schedule" for verb in _SCHEDULING], schedules)
        waking = place.role(names.monitoring_schedule_role)
        self.allow("WatchWakenAs", ["iam:PassRole"], [waking], passed_to("scheduler.amazonaws.com"))

    def _make(self, *kinds: str) -> None:
        """CloudFormation names models and configurations, so their tags say which are ours: as they are made, and as they are."""
        making = [*(f"sagemaker:Create{kind}" for kind in kinds), "sagemaker:AddTags"]
        self.allow("MakeConfigurations", making, self._configurations, makes_as_ours(self._names))
        # Whom a roll-back within seconds cannot delete yet, `unused_configurations.py` deletes later.
        changes = [*(f"sagemaker:Delete{kind}" for kind in kinds), "sagemaker:AddTags", "sagemaker:DeleteTags"]
        self.allow("ChangeConfigurations", changes, self._configurations, is_ours(self._names))
        # CloudFormation also asks for what may be gone, which has no tags. Configurations are read with TryScaling.
        reading = ["sagemaker:DescribeModel", "sagemaker:ListTags"]
        self.allow("ReadConfigurations", reading, self._configurations, not_another_s(self._names))

    def _log(self, *groups: str) -> None:
        verbs = ("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey")
        actions = [f"logs:{verb}" for verb in (*verbs, "GetDataProtectionPolicy", *_TAGGING)]
        self.allow("LogGroups", actions, [arn for group in groups for arn in self._place.log_group(group)])
        kinds = ("LogGroups", "IndexPolicies", "ResourcePolicies")
        self.allow("DescribeLogGroups", [f"logs:Describe{kind}" for kind in kinds], ["*"])  # take no resource


class EndpointDeploymentRole(DeploymentRole):
    """It also makes the service-linked role that scales."""

    def __init__(self, scope: Construct, construct_id: str, **given: object) -> None:
        super().__init__(scope, construct_id, **given)  # type: ignore[arg-type]  # as its base class has them
        self._make("Model", "EndpointConfig")
        self._host()
        self._scale()
        alarms = [
            self._place.alarm(self._names.alarm(what))
            for what in (*ROLLBACK, *CHALLENGER, *OTHERS, OF_ANY_VERSION, LOAD, CHALLENGER_LOAD, FIRST, *_OF_WATCH)
        ]
        self.allow("Alarms", [f"cloudwatch:{verb}" for verb in _TAGGING], alarms)  # the alarms themselves are made with TryScaling
        self._log(self._names.log_group, self._names.component_log_group)
        self._leave_fleet()

    def _leave_fleet(self) -> None:
        """What the model had on a fleet, if it was on one: CloudFormation takes it away once an endpoint of its own serves.

        Without this a component would stay, and cost: what the clean-up of an update cannot delete, CloudFormation leaves and forgets.
        """
        component = self._place.sagemaker("inference-component", self._names.component)
        self.allow("LeftComponent", [f"sagemaker:{verb}InferenceComponent" for verb in ("Describe", "Delete")], [component])
        target = self._place.arn("ssm", f"parameter{self._names.target_parameter}")
        self.allow("LeftTarget", ["ssm:GetParameters", "ssm:DeleteParameter"], [target])

    def _host(self) -> None:
        actions = [f"sagemaker:{verb}Endpoint" for verb in ("Create", "Update")]
        endpoint = self._place.sagemaker("endpoint", self._names.endpoint)
        self.allow("Endpoint", actions, [endpoint])
        # Also authorised on the configuration that the endpoint gets. It was made a second ago, when its tags may not count yet
        # (`_wait_until` of the SageMaker SDK's sagemaker/core/helper/session_helper.py waits minutes for them).
        self.allow("UseConfigurations", actions, self._configurations[1:], not_another_s(self._names))
        verbs = ("DeleteEndpoint", "AddTags", "DeleteTags", "ListTags")
        self.allow("OwnEndpoint", [f"sagemaker:{verb}" for verb in verbs], [endpoint])

    def _scale(self) -> None:
        """`TryScaling` is on `*`: the service tries with no name, or one that it makes up, and refuses the target if it may not.

        No condition can narrow that: the requests bear no tag, and `aws:CalledVia` does not name Application Auto Scaling.
        Sources: Application Auto Scaling user guide, "Permissions validation for API calls on target resources" and, for SageMaker,
        "Identity-based policy examples"; github.com/aws-controllers-k8s/community/issues/2110 shows such a name.
        """
        self.allow("TryScaling", list(_TRIED), ["*"])
        targets = self._place.arn("application-autoscaling", "scalable-target/*")
        verbs = {"ScalableTarget": ("Register", "Deregister"), "ScalingPolicy": ("Put", "Delete"), "ScheduledAction": ("Put", "Delete")}
        actions = [f"application-autoscaling:{verb}{kind}" for kind, pair in verbs.items() for verb in pair]
        tags = [f"application-autoscaling:{verb}" for verb in _TAGGING]
        self.allow("Scaling", actions + tags, [targets], not_another_s(self._names))
        kinds = ("ScalableTargets", "ScalingPolicies", "ScheduledActions")
        described = [f"application-autoscaling:Describe{kind}" for kind in kinds]
        self.allow("DescribeScaling", [*described, "cloudwatch:GetMetricData"], ["*"])  # take no resource
        linked = self._place.role(f"aws-service-role/{_SCALING}/*")
        self.allow("ScalingRole", ["iam:CreateServiceLinkedRole"], [linked], {"StringEquals": {"iam:AWSServiceName": _SCALING}})


class ComponentDeploymentRole(EndpointDeploymentRole):
    """It puts a component on the fleet's endpoint, and takes away the endpoint that the model had before, if it had one."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, model: Model, environment: Environment, **given: object
    ) -> None:
        super().__init__(scope, construct_id, context=context, model=model, environment=environment, **given)
        serving = model.serving[environment.name]
        assert isinstance(serving, Component)  # noqa: S101 - who makes this role has asked
        fleet = self._names.fleet(serving.fleet)
        component = self._place.sagemaker("inference-component", self._names.component)
        # Authorised on the endpoint, too: CreateInferenceComponent of the Service Authorization Reference.
        self.allow("Component", ["sagemaker:CreateInferenceComponent"], [component, self._place.sagemaker("endpoint", fleet.endpoint)])
        verbs = ("UpdateInferenceComponent", "AddTags", "DeleteTags", "ListTags")
        actions = [f"sagemaker:{verb}" for verb in verbs]
        self.allow("OwnComponent", actions, [component])
        tried = [f"sagemaker:{verb}" for verb in ("DescribeInferenceComponent", "UpdateInferenceComponentRuntimeConfig")]
        self.allow("TryScalingCopies", tried, ["*"])  # as TryScaling; its own component's among them


class MemberDeploymentRole(EndpointDeploymentRole):
    """It tells clients which archive to ask for, and takes away the endpoint that the model had before, if it had one."""

    def __init__(self, scope: Construct, construct_id: str, **given: object) -> None:
        super().__init__(scope, construct_id, **given)
        verbs = ("PutParameter", "AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource")
        self.allow("Told", [f"ssm:{verb}" for verb in verbs], [self._place.arn("ssm", f"parameter{self._names.target_parameter}")])
        alarms = [self._place.alarm(self._names.alarm(what)) for what in OF_ANY_MEMBER]
        self.allow("AlarmsOfVersions", [f"cloudwatch:{verb}" for verb in _TAGGING], alarms)


class BatchDeploymentRole(DeploymentRole):
    """A function that starts transform jobs, and what wakes it."""

    def __init__(self, scope: Construct, construct_id: str, **given: object) -> None:
        super().__init__(scope, construct_id, **given)  # type: ignore[arg-type]  # as its base class has them
        self._make("Model")
        name = self._names.start_scoring_function
        self._deploy_function(name)
        rules = [self._place.arn("events", f"rule/{self._names.rule(what)}") for what in (UPLOADED, JOB_FAILED)]
        verbs = ("PutRule", "DeleteRule", "DescribeRule", "PutTargets", "RemoveTargets", "ListTargetsByRule", *_TAGGING)
        self.allow("Rules", [f"events:{verb}" for verb in verbs], rules)
        schedule = self._place.arn("scheduler", f"schedule/default/{name}")
        self.allow("Schedule", [f"scheduler:{verb}Schedule" for verb in _SCHEDULING], [schedule])
        waking = self._place.role(self._names.schedule_role)
        self.allow("WakeAs", ["iam:PassRole"], [waking], passed_to("scheduler.amazonaws.com"))
        actions = [f"cloudwatch:{verb}" for verb in ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms", *_TAGGING)]
        self.allow("Alarms", actions, [self._place.alarm(self._names.alarm(what)) for what in (FAILURES, *_OF_WATCH)])
        self._log(self._names.start_scoring_log_group)

    def _deploy_function(self, name: str) -> None:
        verbs = (
            *("CreateFunction", "DeleteFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"),
            *("AddPermission", "RemovePermission", "GetPolicy", "TagResource", "UntagResource", "GetRuntimeManagementConfig"),
            *("GetFunctionCodeSigningConfig", "GetFunctionRecursionConfig", "GetFunctionScalingConfig"),
        )
        self.allow("Function", [f"lambda:{verb}" for verb in verbs], [self._place.function(name)])
        scoring = self._place.role(self._names.scoring_role)
        self.allow("FunctionRunsAs", ["iam:PassRole"], [scoring], passed_to("lambda.amazonaws.com"))
