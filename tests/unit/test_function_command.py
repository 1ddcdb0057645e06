"""What is printed for a person to type is what reaches the function, whatever is in it and whichever AWS CLI they have."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from deploy_scripts.function_command import invocation

EVENT = {"package": "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone/3", "why": 'it\'s "new" $HOME'}


def test_an_event_reaches_the_command_as_it_is(tmp_path: Path) -> None:
    """Once a shell has read it."""
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "$*"\ncat\n', encoding="utf-8")
    aws.chmod(0o700)
    typed = invocation("shop--abalone--start-deployment", EVENT, region="eu-west-1")
    made = subprocess.run(["sh", "-c", typed], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    arguments, event = made.stdout.split("\n", 1)
    assert json.loads(event) == EVENT
    expected = "lambda invoke --function-name shop--abalone--start-deployment --region eu-west-1 --payload fileb:///dev/stdin /dev/stdout"
    assert arguments == expected


def test_without_an_event_nothing_is_given() -> None:
    assert invocation("f") == "aws lambda invoke --function-name f /dev/stdout"
