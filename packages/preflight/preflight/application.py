"""What only the project of an app knows. All of it may be left out: then the checks know the templates, and their words fit any app.

In: what a project hands to `command.main`. Out: read by the checks through `Situation.app`. Next: `places.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preflight.assembly import Stack
from preflight.needs import Need, Use
from preflight.sites import Site


@dataclass(frozen=True, kw_only=True)
class Words:
    """Where a person changes what stands in the way, as the advice says it. Each reads on from `or` or stands alone."""

    settings: str = "the app"  # the file in which account and region are set, by these names
    account: str = "the account"
    region: str = "the region"
    synthesize: str = "npx cdk synth"
    rename: str = "name it otherwise in the app"
    source: str = "take the code from a connection (an action CodeStarSourceConnection)"
    connection: str = "name its ARN in the source action"
    no_network: str = "the templates have none: jobs and endpoints run outside of a VPC"
    outside_of_network: str = "leave the VPC out of the app"
    network: str = "the app makes the network"
    image: str = "another tag in the app"
    image_source: str = "the templates"  # who knows its address
    instance_type: Mapping[Use, str] = field(default_factory=dict)  # where it is set, by use
    smaller: Mapping[Use, str] = field(default_factory=dict)  # what makes the need smaller, by use
    allowed_types: Mapping[Use, str] = field(default_factory=dict)  # what lists the types that a version may run on, by use
    unscaled: str = "another instance type, or no scaling"
    price: str = "give it with --price TYPE=USD"
    install: str = "npm ci"  # the command for what is pinned
    other_python: str = "python3.12 -m venv .venv"
    #: Type of a resource -> what to do about one that an earlier deployment kept, and commands with `{name}` and `{stack}`.
    kept: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class App:
    """`sites` says where to look, given the stacks: the project's own place first.

    `account`, `region`: where the project's own stacks belong, if that is set; `terminal_region`: what the terminal names.
    `define`: definitions of SageMaker pipelines that no template holds (JSON schema 2020-12-01), of the project's own place. Raises
    ValueError or KeyError where they cannot be made. `jobs`: by a stack's name, instances of jobs that what it deploys will start.
    `pipelines`: names of SageMaker pipelines that builds make. `usd_per_hour` by instance type, for where the Price List does not answer,
    and `prices_source`, who says so. `root`: a folder whose pyproject.toml and package.json pin the tools on this machine.
    """

    name: str
    sites: Callable[[Sequence[Stack]], Sequence[Site]]
    account: str | None = None
    region: str | None = None
    terminal_region: str | None = None
    define: Callable[[], Sequence[Mapping[str, Any]]] = list
    jobs: Mapping[str, Sequence[Need]] = field(default_factory=dict)
    pipelines: Collection[str] = ()
    usd_per_hour: Mapping[str, float] = field(default_factory=dict)
    prices_source: str = "AWS Price List"
    root: Path | None = None
    words: Words = Words()
