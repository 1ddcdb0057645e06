"""How an environment serves a model: a real-time endpoint, or batch only, which costs nothing by the hour.

Other kinds of endpoint: serverless.py, asynchronous.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from settings_schema.experiment import NOT_HERE as NO_EXPERIMENT
from settings_schema.experiment import Experiment
from settings_schema.rollout import Rollout, Routing
from settings_schema.scaling import Autoscaling
from settings_schema.shadow import NOT_HERE, Shadow
from settings_schema.times import Cron, TimeZone
from settings_schema.value import Value

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", description="a SageMaker type such as ml.m5.large")]

_OWN_DISK = re.compile(r"ml\.(\w+dn?|g\d\w*|p[345]\w*|trn\d\w*)\.")


def has_own_disk(instance_type: str) -> bool:
    """Instance families with disks of their own encrypt those by hardware, and SageMaker refuses a key for them (CreateEndpointConfig)."""
    return bool(_OWN_DISK.match(instance_type))


class RequestRouting(StrEnum):
    """How an endpoint chooses the instance for a request: RoutingStrategy of SageMaker's ProductionVariantRoutingConfig."""

    RANDOM = "RANDOM"
    LEAST_OUTSTANDING_REQUESTS = "LEAST_OUTSTANDING_REQUESTS"


class ServingImage(StrEnum):
    """What a version answers in: AWS's XGBoost image with its server, or the team's own around the same program (images/lean)."""

    MANAGED = "managed"
    LEAN = "lean"


class OnEndpoint(Value):
    """What all kinds of endpoint have in common: what is too slow and too often wrong, and what the container says while it serves."""

    not_here: ClassVar[Mapping[str, str]] = {"shadow": NOT_HERE, "experiment": NO_EXPERIMENT}
    #: Why no requests are captured, so that nothing is watched in windows; empty where they are.
    uncaptured: ClassVar[str] = ""

    image: ServingImage = ServingImage.MANAGED
    p99_latency_ms: int = Field(default=500, gt=0)
    server_error_percent: float = Field(default=1.0, gt=0, le=100)
    # The container says every ten seconds what it answers, of which CloudWatch makes a dozen metrics a version (docs/operations.md).
    live_metrics: bool = True
    # How far predictions may be from those on the validation rows, in standard deviations. Beyond 4 is one of 30,000 blocks of a hundred
    # requests that are like those rows, and two blocks in a row have to be. An alarm calls a person, or undoes the rollout as well.
    prediction_distance: float = Field(default=4.0, gt=0)
    roll_back_on_predictions: bool = False
    # So long is what was deployed loaded where versions are tested, at the rates that production scales by: for the approver's page.
    load_seconds: float = Field(default=2.0, ge=0, le=60)

    @model_validator(mode="after")
    def _speaks(self) -> OnEndpoint:
        speaks = self.live_metrics or not self.roll_back_on_predictions
        self.require(speaks, "roll_back_on_predictions", True, "False without live_metrics, which it goes by")
        return self


class Endpoint(OnEndpoint):
    """A real-time endpoint: its instances, how a version is rolled out, how it scales, and when it alarms."""

    instance_type: InstanceType = "ml.m5.large"
    initial_instance_count: int = 1
    # A busy instance gets no further request while another is free: shorter waits at the same utilisation than with RANDOM,
    # which is SageMaker's own default.
    request_routing: RequestRouting = RequestRouting.LEAST_OUTSTANDING_REQUESTS
    data_capture_percent: int = Field(default=100, ge=0, le=100)
    rollout: Rollout = Rollout()
    autoscaling: Autoscaling | None = None
    shadow: Shadow | None = None  # where versions serve last, which has the traffic
    experiment: Experiment | None = None  # likewise

    @model_validator(mode="after")
    def _fits_together(self) -> Endpoint:
        low, high = (self.autoscaling.min_capacity, self.autoscaling.max_capacity) if self.autoscaling else (1, 100)
        count = self.initial_instance_count
        self.require(low <= count <= high, "initial_instance_count", count, f"{low} to {high}")
        gradual = self.rollout.routing is not Routing.ALL_AT_ONCE
        self.require(not gradual or count >= 2, "initial_instance_count", count, f"at least 2 with {self.rollout.routing} routing")
        lowest = self.fewest_instances
        self.require(not gradual or lowest >= 2, "autoscaling", f"down to {lowest}", f"at least 2 with {self.rollout.routing} routing")
        guardrails = not gradual or not self.instance_type.startswith("ml.inf1.")  # "Exclusions" of the SageMaker guide's guardrails
        self.require(guardrails, "instance_type", self.instance_type, f"no ml.inf1 with {self.rollout.routing} routing")
        rolls = self.rollout.routing is Routing.ROLLING  # which "Exclusions" names for endpoints of several variants
        self.require(self.shadow is None or not rolls, "shadow", self.shadow, f"None with {Routing.ROLLING} routing")
        copied = self.shadow is None or not self.instance_type.startswith("ml.inf1.")  # "Exclusions" of the guide's shadow tests
        self.require(copied, "instance_type", self.instance_type, "no ml.inf1 with a shadow")
        self._require_experiment_fits()
        alone = self.image is ServingImage.MANAGED or (self.shadow is None and self.experiment is None)
        beside = f"{ServingImage.MANAGED} with a shadow or an experiment, whose second version is served by that image"
        self.require(alone, "image", self.image.value, beside)
        return self

    def _require_experiment_fits(self) -> None:
        """With shadows there is one variant in production (CreateEndpointConfig); what nobody captures, nobody can join with its truth."""
        if self.experiment is not None:
            captured = self.data_capture_percent > 0
            self.require(captured, "data_capture_percent", self.data_capture_percent, "more than 0 with an experiment, whose answers count")
            self.require(self.shadow is None, "shadow", self.shadow, "None with an experiment: beside a shadow there is one variant")
            rolls = self.rollout.routing is Routing.ROLLING
            self.require(not rolls, "experiment", self.experiment, f"None with {Routing.ROLLING} routing, which takes one variant")

    @property
    def scales(self) -> bool:
        return self.autoscaling is not None

    @property
    def most_instances(self) -> int:
        """As many as there can be of the version that serves."""
        scaling = self.autoscaling
        return (
            self.initial_instance_count
            if scaling is None
            else max(scaling.max_capacity, *(each.max_capacity for each in scaling.schedules), 0)
        )

    @property
    def fewest_instances(self) -> int:
        """At night: a canary or a step is at most half of them (SageMaker's TrafficRoutingConfig)."""
        if self.autoscaling is None:
            return self.initial_instance_count
        return min(self.autoscaling.min_capacity, *(schedule.min_capacity for schedule in self.autoscaling.schedules), 100)


class Batch(Value):
    """No endpoint: what lies under `batch/<model>/<folder>/` of the environment's bucket is scored into `predictions/<model>/<folder>/`.

    A folder is complete when its `_SUCCESS` is there. `cron`: scores what is not scored yet by the version that is deployed, also what
    an event missed; None does not. `on_upload`: at once, too.
    """

    not_here: ClassVar[Mapping[str, str]] = {
        "image": "only where requests are answered: a transform job runs in the managed image, in which the version was evaluated"
    }

    cron: Cron | None = "0 4 ? * * *"
    time_zone: TimeZone = "Etc/UTC"
    on_upload: bool = True
    instance_type: InstanceType = "ml.m5.large"
    instance_count: int = Field(default=1, ge=1, le=20)
