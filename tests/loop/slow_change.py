"""An endpoint that is being changed when its deployment comes, as it is while autoscaling changes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo import loop
from settings_schema import ModelNames
from tests.loop.person import Person

#: The policy that SlowChange gives an endpoint's role, for an alarm that no template has.
OF_THIS_TEST = "enough"


@dataclass(frozen=True)
class SlowChange:
    """Someone deploys to an endpoint what it already serves: it is Updating until `end`."""

    person: Person
    names: ModelNames
    endpoint: str

    def begin(self) -> None:
        self._set_alarm("OK")
        sagemaker = self.person.terminal.client("sagemaker")
        configuration = sagemaker.describe_endpoint(EndpointName=self.endpoint)["EndpointConfigName"]
        self._let_the_endpoint_see_the_alarm(configuration)
        step = {"Type": "CAPACITY_PERCENT", "Value": 10}
        traffic = {"Type": "LINEAR", "LinearStepSize": step, "WaitIntervalInSeconds": 3600}  # a minute here, in all
        sagemaker.update_endpoint(
            EndpointName=self.endpoint,
            EndpointConfigName=configuration,
            RetainAllVariantProperties=True,
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic},
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "enough"}]},
            },
        )

    def end(self) -> None:
        self._set_alarm("ALARM")

    def _let_the_endpoint_see_the_alarm(self, configuration: str) -> None:
        sagemaker = self.person.terminal.client("sagemaker")
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"][0]
        role = sagemaker.describe_model(ModelName=variant["ModelName"])["ExecutionRoleArn"].rpartition("/")[2]
        statement = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.person.terminal.client("iam").put_role_policy(RoleName=role, PolicyName=OF_THIS_TEST, PolicyDocument=policy)

    def _set_alarm(self, state: str) -> None:
        cloudwatch = self.person.terminal.client("cloudwatch")
        metric = {"Namespace": "Test", "MetricName": "Nothing", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
        cloudwatch.put_metric_alarm(
            AlarmName="enough", **metric, Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore"
        )
        cloudwatch.set_alarm_state(AlarmName="enough", StateValue=state, StateReason="test")

    def end_when_waited_for(self, execution: str, action: str) -> None:
        """End it once the log of that action of the deploy pipeline says that it waits."""

        def waited_for() -> bool | None:
            details = loop.actions(self.person.terminal, self.names.deploy_pipeline, execution).get(action, {})
            log = details.get("output", {}).get("executionResult", {}).get("externalExecutionUrl")
            line = f"endpoint {self.endpoint} is Updating; waiting"
            return bool(log and line in Path(urlsplit(log).path).read_text(encoding="utf-8")) or None

        loop.wait_for(f"{action} to wait for {self.endpoint}", waited_for, seconds=30)
        self.end()
