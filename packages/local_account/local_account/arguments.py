"""Types of command-line arguments that the local account and its demo share: each refuses in one line."""

from __future__ import annotations

import argparse
import re

from local_account.context import Profile


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; allowed: 0 to 65535")
    return int(text)


def speed(text: str) -> float:
    """Simulated seconds per real second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; allowed: more than 0, at most 3600")
    return value


def region(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a region; allowed: a name such as eu-west-1")
    return text


def account(text: str) -> Profile:
    """`111122223333`, `staging=111122223333` or `staging=111122223333/eu-west-1`."""
    match = re.fullmatch(r"(?:([\w.@-]{1,64})=)?(\d{12})(?:/(.+))?", text, re.ASCII)
    if match is None or match[1] == "default":
        allowed = "[NAME=]ID[/REGION] with an id of 12 digits, such as staging=444455556666/eu-west-1"
        raise argparse.ArgumentTypeError(f"{text!r} is not an account; allowed: {allowed}")
    return Profile(match[2], match[1] or "", region(match[3]) if match[3] else "")
