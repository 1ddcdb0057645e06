"""A team whose tooling, staging and production are accounts of their own, in two regions, with its code behind a connection.

What they type and set is what docs/deploy.md says, word for word; the models are those of `three/`. For test_three_accounts.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from demo import loop
from demo.clock import AccountClock, next_monday
from demo.side_by_side import side_by_side
from demo.terminal import Terminal
from settings_schema import ProjectNames
from settings_schema.reading import Settings, read
from tests.loop.clone import ROOT, make_clone
from tests.loop.documented import as_run_here, commands, values
from tests.loop.person import SPEED, Person, synthesize

MODELS = Path(__file__).with_name("three") / "models"
SEVERAL, CONNECTED = "Several accounts and regions", "The code is at GitHub, GitLab or Bitbucket"
TOOLING, STAGING, PRODUCTION = "tooling", "staging", "production"
#: Profile -> account and region, as docs/deploy.md has them.
PROFILES = {
    TOOLING: ("111122223333", "eu-west-1"),
    STAGING: ("444455556666", "eu-west-1"),
    PRODUCTION: ("777788889999", "eu-central-1"),
}
#: Of the exports, those that go before a profile: `make local` leaves them out where there are several accounts.
_BEFORE_PROFILES = ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION")


class TerminalWithProfiles(Terminal):
    """The tooling account's, unless a command names another profile."""

    @property
    def environment(self) -> dict[str, str]:
        exported = {name: value for name, value in super().environment.items() if name not in _BEFORE_PROFILES}
        return {**exported, "AWS_PROFILE": TOOLING}


@dataclass
class Team:
    """`person` works in the tooling account; `assembly` is what `cdk synth` wrote for them."""

    terminal: Terminal
    person: Person
    settings: Settings
    assembly: Path

    @property
    def names(self) -> ProjectNames:
        return self.settings.project.names

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """Profile and region of everywhere where the project has something."""
        own = [(profile, region) for profile, (_, region) in PROFILES.items()]
        return [*own, (TOOLING, PROFILES[PRODUCTION][1])]

    def client(self, profile: str, service: str, region: str | None = None) -> Any:
        """A boto3 client as whoever has that profile would make it."""
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
        return boto3.Session(profile_name=profile, region_name=region or PROFILES[profile][1]).client(service, config=config)

    def add_profile(self, name: str, key: Mapping[str, str]) -> None:
        """Of another person of the tooling account, as `aws configure` leaves it."""
        keys = f"[{name}]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
        place = f"[profile {name}]\nregion = {PROFILES[TOOLING][1]}\nendpoint_url = {self.terminal.account['endpoint_url']}\n"
        for file, section in (("AWS_SHARED_CREDENTIALS_FILE", keys), ("AWS_CONFIG_FILE", place)):
            with Path(self.terminal.environment[file]).open("a", encoding="utf-8") as profiles:
                profiles.write(f"\n{section}")

    def type(self, command: Sequence[str]) -> str:
        """A command of docs/deploy.md; what it printed. Bootstrapping needs no synthesis, which it would begin in the clone."""
        typed = as_run_here(list(command), self.assembly)
        return self.terminal.run(typed[0], typed, cwd=self.terminal.logs if typed[:2] == ["cdk", "bootstrap"] else self.person.clone)


def connect(terminal: Terminal) -> str:
    """A pending connection; its ARN."""
    (create,) = commands(CONNECTED, block=0)
    (arn,) = re.findall(r"arn:aws:codeconnections:[\w:/-]+", terminal.run("aws", create))
    return arn


def write_settings(clone: Path, connection_arn: str) -> Settings:
    """As the document has them, with the connection that there is."""
    source = re.sub(r"arn:aws:codeconnections:[^\"]*", connection_arn, values(CONNECTED))
    prices = 'PRICES = Prices(region="eu-west-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})\n'
    imports = "from settings_schema import CodeConnection, Environment, Prices, Project\n"
    (clone / "settings.py").write_text("\n".join((imports, values(SEVERAL), source, prices)), encoding="utf-8")
    shutil.rmtree(clone / "models")
    shutil.copytree(MODELS, clone / "models")
    return read(clone)


def start(directory: Path) -> Team:
    """Three accounts with a deployed project and its data, before the handshake and the first push."""
    clone, assembly = directory / "clone", directory / "cdk.out"
    make_clone(clone)
    terminal = TerminalWithProfiles(clone, directory, tools=ROOT)
    try:
        terminal.start_account(speed=SPEED, accounts=[f"{name}={account}/{region}" for name, (account, region) in PROFILES.items()])
        AccountClock(terminal.account).set(now=next_monday("Etc/UTC"))
        settings = write_settings(clone, connect(terminal))
        person = Person(terminal, clone, loop.Repository(terminal, settings, clone, directory / "clone.git"), settings.project.names)
        team = Team(terminal, person, settings, assembly)
        *bootstraps, deploy = commands(SEVERAL)
        side_by_side([lambda: _synthesize(terminal, assembly), lambda: [team.type(command) for command in bootstraps] and None])
        team.type([*deploy, "--concurrency", "4"])
        for model in settings.models:
            loop.upload_data(terminal, model)
    except BaseException:
        terminal.close()
        raise
    return team


def _synthesize(terminal: Terminal, assembly: Path) -> None:
    synthesize(terminal, assembly)


def said_by(team: Team, script: str, *arguments: str) -> str:
    """What one of the project's scripts prints to the person of the tooling account."""
    return team.person.script(script, *shlex.split(" ".join(arguments)))
