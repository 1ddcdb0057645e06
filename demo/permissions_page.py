"""Writes `permissions.html`: role by role what it was granted, what it used, what nobody asked for, and every request that was refused.

In: the report of `local_account/permissions.py`. Out: one HTML file that asks nothing of the network. Linked from the demo's page; for an
account that runs already: `python -m demo.permissions_page` (of `make local`), with its `account.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from demo.errors import StageError
from demo.own_paths import PERMISSIONS, ask

NAME = "permissions.html"
#: The stack of `cdk bootstrap`, whose roles the CDK's makers define.
_TOOLKIT = "CDKToolkit"


@dataclass(frozen=True)
class Summary:
    """Of the project's own roles: statements, and of them the ones that allowed nothing; requests, and of them the refused ones."""

    roles: int
    statements: int
    never_used: int
    requests: int
    refused: int


def summary(report: Mapping[str, Any]) -> Summary:
    roles = [role for role in report["roles"] if role["stack"] != _TOOLKIT]
    grants = [grant for role in roles for grant in role["grants"]]
    refused = sum(1 for asked in report["requests"] if asked["lacking"])
    unused = sum(1 for grant in grants if not grant["requests"])
    return Summary(len(roles), len(grants), unused, sum(asked["count"] for asked in report["requests"]), refused)


def write(path: Path, report: Mapping[str, Any]) -> None:
    """The file appears complete or not at all."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["statement"] = _title
    environment.filters["plain_role"] = _plain_role
    html = environment.get_template("permissions.html.j2").render(
        report=report,
        summary=summary(report),
        stacks=_by_stack(report["roles"]),
        refused=[asked for asked in report["requests"] if asked["lacking"]],
    )
    temporary = path.with_suffix(".part")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(path)


def _by_stack(roles: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The CDK's own stack comes last: nobody changes it here."""
    names = sorted({role["stack"] for role in roles}, key=lambda name: (name == _TOOLKIT, name))
    return [(name or "Made by hand", [role for role in roles if role["stack"] == name]) for name in names]


def _title(grant: Mapping[str, Any]) -> str:
    return grant["sid"] or f"statement {grant['index'] + 1}"


def _plain_role(role: Mapping[str, Any]) -> str:
    """The logical id without the hash that the CDK ends it with; the name of a role that no stack made."""
    logical_id = str(role["logical_id"])
    ending = logical_id[-8:]
    hashed = len(logical_id) > len(ending) and all(sign in "0123456789ABCDEF" for sign in ending)
    return (logical_id[: -len(ending)] if hashed else logical_id) or str(role["arn"]).rsplit("/", 1)[-1]


def main(command_line: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo.permissions_page",
        description="Write a page of what each role of a running local account was allowed and what it used.",
    )
    parser.add_argument("--state", type=Path, default=Path("out/account"), help="the account's directory (default: %(default)s)")
    options = parser.parse_args(command_line)
    try:
        account = json.loads((options.state / "account.json").read_text(encoding="utf-8"))
        report = ask(account, "GET", PERMISSIONS)
    except (OSError, ValueError, StageError) as error:
        print(f"permissions: no local account answers for {options.state} ({error}); start one with `make local`", file=sys.stderr)
        return 2
    write(options.state / NAME, report)
    print(options.state / NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
