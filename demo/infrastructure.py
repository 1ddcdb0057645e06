"""Chapter 1: the account starts; bootstrap and synthesis run side by side; the stacks are deployed; the data is uploaded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo import loop
from demo.narrator import Narrator
from demo.terminal import Terminal


def start_account(terminal: Terminal, narrator: Narrator, port: int, speed: float, on_end: Callable[[str], None] | None = None) -> None:
    with narrator.stage("Local account starts") as stage:
        terminal.start_account(port=port, speed=speed, on_end=on_end)
        stage.note = f"{terminal.account['account_id']} on {terminal.account['endpoint_url']}, a simulated minute in {60 / speed:.2g} s"


def deploy(terminal: Terminal, narrator: Narrator, assembly: Path, data: Path | None) -> None:
    """Bootstrap needs the account and synthesis the processor, so they share their time. `data` None: the example's."""
    with ThreadPoolExecutor(1, thread_name_prefix="bootstrap") as pool:
        bootstrapping = pool.submit(_bootstrap, terminal, narrator)
        try:
            with narrator.stage("cdk synth") as stage:
                stacks = loop.synthesize(terminal, assembly)
                stage.note = f"{len(stacks)} stacks"
            bootstrapping.result()
        except BaseException:
            terminal.close()  # or the end of this block would wait for the bootstrap
            raise
    with narrator.stage("cdk deploy --all") as stage:
        loop.deploy(terminal, assembly)
        deployed = terminal.client("cloudformation").describe_stacks()["Stacks"]
        stage.note = ", ".join(sorted(stack["StackName"] for stack in deployed if stack["StackName"] != "CDKToolkit"))
    with narrator.stage("Training data uploaded") as stage:
        loop.upload_data(terminal, data)
        stage.note = f"s3://{terminal.outputs(loop.FOUNDATION)['DataBucketName']}/{loop.training_prefix()}"


def _bootstrap(terminal: Terminal, narrator: Narrator) -> None:
    with narrator.stage("cdk bootstrap"):
        loop.bootstrap(terminal)
