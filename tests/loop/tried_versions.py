"""Two models whose versions are tried before they serve everybody: in production's shadow, and in an experiment.

In: a directory. Out: a `TriedTeam` by the name of its model. Used by test_tried_versions.py; what breaks is as in ways_back.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo import loop
from tests.loop import released_kinds
from tests.loop.person import deploy
from tests.loop.ways_back import Team, number

TRIED = Path(__file__).with_name("tried")
SHADOWED, COMPARED = "shadowed", "compared"
#: What is put into a model's file, before a line of production's: it comes with its class.
SETTINGS = {SHADOWED: "shadow=Shadow(minutes=5)", COMPARED: "experiment=Experiment(challenger_percent=25)"}
_BEFORE, _IMPORTS = "            initial_instance_count=2,\n", "    Endpoint,\n"


class TriedTeam(Team):
    row = released_kinds.ROW

    @property
    def _setting(self) -> str:
        return SETTINGS[self.names.model]

    def take_up(self) -> None:
        """Its setting stands in the model's file."""
        self._change(_BEFORE, f"            {self._setting},\n{_BEFORE}")
        self._change(_IMPORTS, f"{_IMPORTS}    {self._class},\n")

    def take_away(self) -> None:
        """What `take_up` has put there."""
        self._change(f"            {self._setting},\n", "")
        self._change(f"    {self._class},\n", "")

    @property
    def _class(self) -> str:
        return self._setting.partition("=")[2].partition("(")[0]

    def _change(self, before: str, after: str) -> None:
        self.person.change(f"models/{self.names.model}.py", before, after)

    def deploy(self, what: str) -> None:
        """The infrastructure, as the files are now."""
        deploy(self.terminal, self.person.clone.parent / f"cdk.out.{what}")

    def try_beside(self, version: str) -> str:
        """What the function says that begins experiments, asked by hand."""
        asked = json.dumps({"package": version}).encode()
        answer = self.client("lambda").invoke(FunctionName=self.names.change_experiment_function, Payload=asked)
        return str(json.loads(answer["Payload"].read())["reason"])

    def variants(self) -> dict[str, float] | None:
        """Weights by variant of what serves; None while it is changed."""
        endpoint = self.client("sagemaker").describe_endpoint(EndpointName=self.production.endpoint)
        settled = endpoint["EndpointStatus"] == "InService"
        return {item["VariantName"]: float(item["CurrentWeight"]) for item in endpoint["ProductionVariants"]} if settled else None

    def scaling(self) -> set[str]:
        """Variants of what serves that scale."""
        targets = self.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        of_production = f"endpoint/{self.production.endpoint}/variant/"
        return {item["ResourceId"].removeprefix(of_production) for item in targets if item["ResourceId"].startswith(of_production)}

    def in_shadow(self) -> list[Mapping[str, Any]]:
        """What DescribeEndpoint says of the version in production's shadow, while the endpoint is in service."""
        endpoint = self.client("sagemaker").describe_endpoint(EndpointName=self.production.endpoint)
        return list(endpoint.get("ShadowProductionVariants") or []) if endpoint["EndpointStatus"] == "InService" else []

    def comparison(self, version: str) -> dict[str, Any]:
        """comparison.json of a version."""
        bucket = self.terminal.outputs(self.names.of_project.foundation_stack)["ArtifactBucketName"]
        content: dict[str, Any] = json.loads(loop.read_s3(self.terminal, f"s3://{bucket}/{self.names.comparison(int(number(version)))}"))
        return content


def start(directory: Path) -> dict[str, TriedTeam]:
    """As of `released_kinds`."""
    made = released_kinds.start(directory, TRIED, {SHADOWED: TriedTeam, COMPARED: TriedTeam})
    return {name: team for name, team in made.items() if isinstance(team, TriedTeam)}
