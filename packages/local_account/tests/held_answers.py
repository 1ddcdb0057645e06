"""Every answer of every local account that a test starts, in this process or another, is held to AWS's model of the operation.

A test after which an answer stands in the file that `answers.py` writes has failed.
Used by `conftest.py`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account.gateway import OBSERVER

from .answers import SWITCH


def switch_on() -> None:
    """From here on, for this process and all that it starts."""
    os.environ[OBSERVER] = str(Path(__file__).with_name("answers.py"))
    os.environ[SWITCH] = str(Path(tempfile.mkdtemp(prefix="answers-")) / "wrong.txt")


@pytest.fixture(autouse=True)
def every_answer_is_one_of_aws() -> Iterator[None]:
    yield
    file = Path(os.environ[SWITCH])
    if file.exists():
        wrong = list(dict.fromkeys(file.read_text(encoding="utf-8").splitlines()))
        file.unlink()
        pytest.fail("AWS would not have answered this:\n" + "\n".join(wrong), pytrace=False)
