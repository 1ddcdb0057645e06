"""The settings whose templates the tests look at: four models in one account, and what else a team may choose.

Two of the models' names begin with those of the others. Nothing here is what a team has set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app import build_app
from infra.places import Places
from settings_schema import (
    Asynchronous,
    CodeConnection,
    Component,
    CopyScaling,
    Endpoint,
    Environment,
    Experiment,
    Fleet,
    Instances,
    Member,
    MemberInstances,
    Model,
    MultiModelFleet,
    ProvisionedConcurrency,
    Serverless,
    ServingImage,
    Shadow,
)
from settings_schema.reading import Settings
from tests.example_models import ABALONE, ARRESTS, PRODUCTION, PROJECT, SETTINGS, STAGING
from tests.infra.grants import Templates

CONNECTION = CodeConnection(
    connection_arn="arn:aws:codeconnections:eu-west-1:111111111111:connection/12345678-1234-1234-1234-123456789012",
    repository="fishery/models",
)
HOME = PROJECT.but(account="111111111111", region="eu-west-1")
ABROAD = Environment(name="live", protected=True, account="333333333333", region="eu-central-1")


def named(*models: Model) -> Mapping[str, Model]:
    return {model.name: model for model in models}


def shadowed(model: Model) -> Model:
    """Compared in production's shadow before a person is asked."""
    live = model.serving[PRODUCTION.name]
    assert isinstance(live, Endpoint)
    return model.but(serving={**model.serving, PRODUCTION.name: live.but(shadow=Shadow(minutes=90, percent=25))})


def tried(model: Model) -> Model:
    """A new version answers some of production's requests, beside the one that serves."""
    live = model.serving[PRODUCTION.name]
    assert isinstance(live, Endpoint)
    return model.but(serving={**model.serving, PRODUCTION.name: live.but(experiment=Experiment(challenger_percent=20, days_at_most=10))})


#: Served by the team's own image.
LEAN = ABALONE.but(
    name="lean", serving={STAGING.name: Endpoint(image=ServingImage.LEAN), PRODUCTION.name: Endpoint(image=ServingImage.LEAN)}
)
#: Everything in one account and region, which the templates do not name.
LARGE = shadowed(ABALONE.but(name="abalone-large"))
TRIED = tried(ABALONE.but(name="tried"))
ONE = replace(SETTINGS, models=named(ABALONE, LARGE, ARRESTS, ARRESTS.but(name="arrests-large"), TRIED))
#: Tried without instances, and by a queue where it works; and the other way round.
QUEUED = ABALONE.but(name="queued", serving={STAGING.name: Serverless(), PRODUCTION.name: Asynchronous()})
PROVISIONED = Serverless(max_concurrency=9, provisioned=ProvisionedConcurrency(min_capacity=1, max_capacity=3))
IDLE = ABALONE.but(name="idle", serving={STAGING.name: Asynchronous(), PRODUCTION.name: PROVISIONED})
#: One of several on an endpoint, down to none where versions are tested.
SMALL = Fleet(
    name="small",
    instances={STAGING.name: Instances(min_count=0), PRODUCTION.name: Instances(instance_type="ml.m5d.large", max_count=3)},
)
FISH = ABALONE.but(
    name="fish",
    serving={
        STAGING.name: Component(fleet="small", scaling=CopyScaling(min_capacity=0)),
        PRODUCTION.name: Component(fleet="small", memory_mb=2048),
    },
)
#: One of many in one container.
TINY = MultiModelFleet(
    name="tiny",
    instances={STAGING.name: MemberInstances(max_count=1), PRODUCTION.name: MemberInstances(instance_type="ml.m5d.large", max_count=3)},
)
CRAB = ABALONE.but(
    name="crab", serving={STAGING.name: Member(fleet="tiny"), PRODUCTION.name: Member(fleet="tiny", roll_back_on_predictions=True)}
)
#: What serves has an account of its own; every kind of endpoint.
TWO = replace(
    SETTINGS,
    project=HOME,
    environments=(STAGING, PRODUCTION.but(account="333333333333")),
    models=named(shadowed(ABALONE), ARRESTS, QUEUED, IDLE, FISH, CRAB),
    fleets={SMALL.name: SMALL, TINY.name: TINY},
)
#: Each environment has its own account, one of them is in another region; in networks of their own, and the code is elsewhere. A fleet
#: of each kind is in each.
THREE = replace(
    SETTINGS,
    project=HOME.but(in_vpc=True, notification_email="someone@example.com", retain_data=False),
    environments=(STAGING.but(account="222222222222", in_vpc=True), ABROAD.but(in_vpc=True)),
    source=CONNECTION,
    models=named(tried(ABALONE), ARRESTS, FISH, CRAB, LEAN),
    fleets={SMALL.name: SMALL, TINY.name: TINY},
)
#: One account, two regions.
REGIONS = replace(SETTINGS, project=HOME, environments=(STAGING, PRODUCTION.but(region="eu-central-1")))
CASES = {"one": ONE, "two": TWO, "three": THREE, "regions": REGIONS}


def synthesize(settings: Settings, folder: Path) -> tuple[Any, Templates]:
    """The app, and every stack's template, those inside stages too."""
    app = build_app(settings, outdir=str(folder))
    stacks = {stack.stack_name: stack for stack in app.synth().stacks_recursively}
    places = {name: (stack.environment.account, stack.environment.region) for name, stack in stacks.items()}
    known = {name: place for name, place in places.items() if not place[0].startswith("unknown")}
    return app, Templates({name: stack.template for name, stack in stacks.items()}, {**known, **serving_places(settings)})


def serving_places(settings: Settings) -> dict[str, tuple[str, str]]:
    """Of the stacks whose templates fit any place, because the deploy pipelines say where they go."""
    places = Places.of_project(settings.project)
    found = {}
    for model in settings.models.values():
        for environment in settings.environments:
            place = places.of(environment)
            if not place.account.startswith("$"):
                found[model.names(settings.project).at(environment.name).stack] = (place.account, place.region)
    return found


def serving_stacks(settings: Settings, *, batch: bool | None = None) -> list[str]:
    """Names of the stacks that the deploy pipelines deploy; of batch models, of others, or all."""
    return [
        model.names(settings.project).at(environment.name).stack
        for model in settings.models.values()
        if batch in (None, model.is_batch_only)
        for environment in settings.environments
    ]
