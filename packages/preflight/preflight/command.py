"""What is typed, and what is printed. `python -m preflight` knows the assembly alone; a project's own command hands in its `App`.

Exit code 1 with a ✗, 2 for bad input (PreflightError here), 0 otherwise. Next: `places.py`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from preflight import assembly, table
from preflight.account import local_address, policy
from preflight.application import App
from preflight.errors import PreflightError, explain
from preflight.examination import examine
from preflight.finding import Sign
from preflight.places import look
from preflight.situation import Situation


def add_options(options: argparse.ArgumentParser) -> None:
    folder = Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
    options.add_argument("--assembly", type=Path, default=folder, help="what `cdk synth` wrote (default: %(default)s)")
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument("--policy", action="store_true", help="print the IAM policy that it needs, and stop")


def run(given: argparse.Namespace, app: Callable[[], App]) -> int:
    """The exit code. `given`: parsed with `add_options`. `app` is called only where it is needed. Raises PreflightError."""
    if given.policy:
        print(json.dumps(policy(), indent=2))
        return 0
    known = app()
    try:
        situations, closed = look(known, assembly.read(given.assembly, known.words.synthesize))
    except (BotoCoreError, ClientError) as error:
        raise PreflightError(f"{explain(error).rstrip('.')}. Check AWS_PROFILE or the exports of a local account") from error
    shown = {_title(item): {f"{title}{_suffix(item)}": found for title, found in examine(item).items()} for item in situations}
    shown |= {f"environment {name}": {f"Account of {name}": [finding]} for name, finding in closed.items()}
    sections = {title: findings for place in shown.values() for title, findings in place.items()}
    findings = [finding for section in sections.values() for finding in section]
    if given.json:
        print(json.dumps(sections, indent=2, default=asdict))
    else:
        for title, place in shown.items():
            table.show(title, place)
        print(f"\n{table.summary(findings)}")
    return int(any(finding.sign is Sign.FAILED for finding in findings))


def _suffix(situation: Situation) -> str:
    """Tells the sections of another account or region from the project's own."""
    return "" if situation.is_own else f" in {situation.place.account}, {situation.region}"


def _title(situation: Situation) -> str:
    address = local_address()
    where = f"the local account at {address}" if address else "AWS"
    return f"{situation.app.name} in {situation.place.account}, {situation.region} ({where})"


def prices_of(given: Sequence[str]) -> dict[str, float]:
    """USD an hour by instance type, of `ml.m5.large=0.115`. Raises PreflightError."""
    found = {}
    for item in given:
        instance_type, _, price = item.partition("=")
        try:
            found[instance_type] = float(price)
        except ValueError as error:
            raise PreflightError(f"--price is {item!r}; allowed: an instance type, = and USD an hour, such as ml.m5.large=0.115") from error
    return found
