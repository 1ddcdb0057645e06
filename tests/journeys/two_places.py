"""A project in one account and region, with its production in others: every stack where it belongs, every build in its role's name.

In: settings, and the templates that the app makes of them. Out: `TwoPlaces`, whose clients are production's unless one of the project's
own is asked for. Used by test_fleet.py and test_multi_model_fleet.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from local_account.account import Account
from local_account.authorization.credentials import Credentials
from local_account.context import AccountSettings, Context, Profile
from local_account.roles import Role
from settings_schema import ServingNames
from settings_schema.reading import Settings
from tests.example_models import PRODUCTION, PROJECT
from tests.infra.grants import ACCOUNT, REGION, Templates
from tests.journeys.test_kinds import Deployed, bootstrap

HERE = PROJECT.but(account=ACCOUNT, region=REGION)
ELSEWHERE = PRODUCTION.but(account="777788889999", region="eu-central-1")


@dataclass
class TwoPlaces(Deployed):
    """`values`: whose production is ELSEWHERE."""

    values: Settings

    def place(self, stack: str) -> Context:
        assert isinstance(self.templates, Templates)
        return self.account.at(*self.templates.place(stack))

    def client(self, service: str) -> Any:
        """Of production's administrator."""
        return self.production.administrators_client(service)

    @property
    def production(self) -> Context:
        return self.account.at(str(ELSEWHERE.account), ELSEWHERE.region)

    @property
    def registry(self) -> Context:
        """Of the project's account in production's region, where the copies of versions are."""
        return self.account.at(ACCOUNT, ELSEWHERE.region)

    @property
    def artifacts(self) -> str:
        """The project's bucket, where it lives."""
        return self.values.project.names.artifact_bucket(ACCOUNT, REGION)

    def bootstrap(self) -> None:
        """Then what the project has where it lives, and in production's region."""
        for place in (self.account.context, self.registry, self.production):
            bootstrap(place, self.templates)
        names = self.values.project.names
        own = [model.names(self.values.project).stack for model in self.values.models.values()]
        for stack in (names.foundation_stack, names.regional_stack(str(ELSEWHERE.region)), names.build_stack, *own):
            self.stack(stack)

    @contextmanager
    def build(self, names: ServingNames, step: str) -> Iterator[tuple[ProjectEnvironment, EnvironmentPlace]]:
        """Within the block the project's scripts run as that build does: what it calls its own, and production as it enters it."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{names.of_model.deploy_project(step)}"
        role = Role(self.account.context, arn, "codebuild.amazonaws.com", "build")
        with self._as(role.credentials) as project:
            yield project, EnvironmentPlace(project, ELSEWHERE, names)

    @contextmanager
    def person(self) -> Iterator[ProjectEnvironment]:
        """Within the block the scripts run as the project's administrator does."""
        with self._as(self.account.context.keyring.administrator) as project:
            yield project

    @contextmanager
    def _as(self, given: Credentials) -> Iterator[ProjectEnvironment]:
        """Not by variables: in this process the account would take their key for its own."""
        stack = self.account.client("cloudformation").describe_stacks(StackName=self.values.project.names.foundation_stack)["Stacks"][0]
        session = boto3.Session(given.access_key, given.secret, given.token or None, region_name=REGION)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AWS_ENDPOINT_URL", self.account.context.settings.endpoint_url)
            patched.setenv("KMS_KEY_ARN", outputs_of(stack)["KeyArn"])
            patched.setattr(boto3, "DEFAULT_SESSION", session)
            yield ProjectEnvironment(self.values.project)


@contextmanager
def started(values: Settings, templates: Templates, state: Path, speed: float) -> Iterator[TwoPlaces]:
    """With what the project has before anything is deployed to production."""
    given = AccountSettings(state_directory=state, port=0, account_id=ACCOUNT, region=REGION, profiles=(Profile(str(ELSEWHERE.account)),))
    with Account(given) as account:
        made = TwoPlaces(account, templates, [], values)
        made.bootstrap()
        account.context.clock.change(speed=speed)
        yield made
