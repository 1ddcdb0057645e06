"""One account, deployed once, for every test of the loop. Fixtures are the stations of a version; each needs the one before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo import loop
from demo.side_by_side import side_by_side

# A fixture is found by its name here. Every answer of an account of these tests is held to AWS's model of it.
from packages.local_account.tests.held_answers import every_answer_is_one_of_aws as every_answer_is_one_of_aws
from packages.local_account.tests.held_answers import switch_on
from tests.loop.person import ABALONE, ARRESTS, Person, start
from tests.loop.seen_processes import Watch
from tests.loop.survivors import MARK

switch_on()


@pytest.fixture(scope="session")
def mark() -> Iterator[str]:
    """In the environment of everything that the account of these tests starts."""
    with pytest.MonkeyPatch.context() as patch:
        value = uuid.uuid4().hex
        patch.setenv(MARK, value)
        yield value


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the account of these tests, with all that belongs to it."""
    return tmp_path_factory.mktemp("loop")


@pytest.fixture(scope="session")
def seen_processes(directory: Path) -> Iterator[Watch]:
    watch = Watch(directory)
    watch.start()
    yield watch
    watch.stop()


@pytest.fixture(scope="session")
def person(directory: Path, mark: str, seen_processes: Watch) -> Iterator[Person]:
    someone = start(directory, directory / "clone")
    yield someone
    someone.terminal.close()


@dataclass(frozen=True)
class Version:
    """A registered version of abalone, and what each endpoint served at the moment when it came here."""

    arn: str
    commit: str
    staging: str | None
    production: str | None
    deployment: str = ""


def station(person: Person, version_arn: str, commit: str, deployment: str = "") -> Version:
    staging, production = (loop.live_version(person.terminal, names) for names in (ABALONE.staging, ABALONE.production))
    return Version(version_arn, commit, staging, production, deployment)


@pytest.fixture(scope="session")
def both_registered(person: Person) -> dict[str, str]:
    """The first push has been built, and both models are trained: model -> version."""
    person.build("First push")
    versions: dict[str, str] = {}
    for model in (ABALONE, ARRESTS):
        versions[model.name] = person.trained(model.names, [])
    return versions


@pytest.fixture(scope="session")
def registered(person: Person, both_registered: dict[str, str]) -> Version:
    """Abalone's first version."""
    return station(person, both_registered[ABALONE.name], person.repository.head())


@pytest.fixture(scope="session")
def staged(person: Person, registered: Version) -> Version:
    """Abalone's first version is approved, serves staging and waits for the second approval."""
    execution = person.approve(ABALONE.names, registered.arn)
    waiting = loop.wait_for("the approval for production", lambda: person.waiting_or_ended(ABALONE.names, execution))
    assert isinstance(waiting, dict), loop.failure_of(person.terminal, ABALONE.names.deploy_pipeline, execution)
    return station(person, registered.arn, registered.commit, execution)


@pytest.fixture(scope="session")
def released(person: Person, staged: Version, both_registered: dict[str, str]) -> Version:
    """The first versions of both models are in production, let in side by side."""

    def abalone() -> None:
        person.let_into_production(ABALONE.names, staged.deployment)
        person.deployed(ABALONE.names, staged.deployment)

    def arrests() -> None:
        person.release(ARRESTS.names, both_registered[ARRESTS.name])

    side_by_side([abalone, arrests])
    return station(person, staged.arn, staged.commit, staged.deployment)
