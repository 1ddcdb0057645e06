"""The three scripts as a Metaflow flow. Runs in an environment of its own, which has Metaflow and nothing of ours.

Configured by environment variables: STEP_PYTHON (the interpreter with the container's packages), STEP_CODE, STEP_DATA, STEP_WORK.
"""

import os
import subprocess
from pathlib import Path

from metaflow import FlowSpec, step


def run(script: str, *arguments: str) -> None:
    code = Path(os.environ["STEP_CODE"])
    environment = {**os.environ, "TIMED_SCRIPT": script}
    subprocess.run([os.environ["STEP_PYTHON"], str(code / "timed.py"), *arguments], env=environment, check=True)


class ThreeSteps(FlowSpec):
    @step
    def start(self) -> None:
        work = os.environ["STEP_WORK"]
        run("prepare.py", "--data", os.environ["STEP_DATA"], "--output", f"{work}/prepared")
        self.next(self.train)

    @step
    def train(self) -> None:
        work = os.environ["STEP_WORK"]
        channels = ["--train", f"{work}/prepared/train", "--validation", f"{work}/prepared/validation"]
        run("train.py", "--algorithm", "linear", "--l2", "1.0", *channels, "--model-dir", f"{work}/model")
        # SageMaker hands the next step the packed model folder.
        packed = Path(work, "candidates", "candidate-linear", "model.tar.gz")
        packed.parent.mkdir(parents=True)
        subprocess.run(["tar", "-czf", packed, "-C", f"{work}/model", "."], check=True)
        self.next(self.end)

    @step
    def end(self) -> None:
        work = os.environ["STEP_WORK"]
        channels = ["--train", f"{work}/prepared/train", "--validation", f"{work}/prepared/validation"]
        prepared = [*channels, "--preparation", f"{work}/prepared/preparation"]
        run("choose.py", "--candidates", f"{work}/candidates", *prepared, "--output", f"{work}/chosen")


if __name__ == "__main__":
    ThreeSteps()
