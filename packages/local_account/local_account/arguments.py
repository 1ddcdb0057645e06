"""Types of command-line arguments that the local account and its demo share: each refuses in one line."""

from __future__ import annotations

import argparse
import re


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
