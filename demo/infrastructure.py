"""Chapter 1: the account starts; bootstrap and synthesis run side by side; the stacks are deployed, and once there are buckets the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from demo import loop
from demo.narrator import Narrator
from demo.side_by_side import side_by_side
from demo.subject import Subject
from demo.terminal import Terminal
from settings_schema.reading import Settings


def start_account(terminal: Terminal, narrator: Narrator, port: int, speed: float, on_end: Callable[[str], None] | None = None) -> None:
    with narrator.stage("Local account starts") as stage:
        terminal.start_account(port=port, speed=speed, on_end=on_end)
        stage.note = f"{terminal.account['account_id']} on {terminal.account['endpoint_url']}, a simulated minute in {60 / speed:.2g} s"


def deploy(terminal: Terminal, narrator: Narrator, settings: Settings, subjects: Sequence[Subject], assembly: Path) -> None:
    """Bootstrap needs the account and synthesis the processor, so they share their time; as do uploads and most stacks."""

    def bootstrap() -> None:
        with narrator.stage("cdk bootstrap"):
            loop.bootstrap(terminal)

    def synthesize() -> None:
        with narrator.stage("cdk synth") as stage:
            stage.note = f"{len(loop.synthesize(terminal, assembly))} stacks"

    side_by_side([bootstrap, synthesize])

    def deploy_all() -> None:
        with narrator.stage("cdk deploy --all") as stage:
            loop.deploy(terminal, assembly)
            deployed = terminal.client("cloudformation").describe_stacks()["Stacks"]
            stage.note = ", ".join(sorted(stack["StackName"] for stack in deployed if stack["StackName"] != "CDKToolkit"))

    side_by_side([deploy_all, *(_uploading(terminal, narrator, settings, subject) for subject in subjects)])


def _uploading(terminal: Terminal, narrator: Narrator, settings: Settings, subject: Subject) -> Callable[[], None]:
    def upload() -> None:
        loop.wait_for_stack(terminal, settings.project.names.foundation_stack)
        with narrator.stage(subject.titled("Training data uploaded")) as stage:
            loop.upload_data(terminal, subject.name, subject.data)
            stage.note = f"s3://{loop.data_bucket(terminal, settings)}/{subject.names.training_data}"

    return upload
