"""Says whether a deployment would succeed in the account that the environment names, before it is tried. Reads only.

    make preflight                                       # synthesizes first
    python -m deploy_scripts.preflight --json            # for programs
    python -m deploy_scripts.preflight --policy          # the permissions that it needs, as an IAM policy

Input: cdk.out, settings.py and the account. Output: a table: ✓ is fine, ✗ would fail, ? could not be seen, → what to do.
Exit code 1 with a ✗, 2 for bad input, 0 otherwise. Next: `npx cdk deploy --all`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.preflight import (
    assembly,
    bootstrap,
    cost,
    fits,
    leftovers,
    names,
    network,
    offers,
    quotas,
    service_roles,
    source,
    stack_states,
    table,
    tools,
)
from deploy_scripts.preflight.account import Account, policy
from deploy_scripts.preflight.finding import Finding, NotSeenError, Sign, not_seen
from deploy_scripts.preflight.identity import check_identity, check_region
from deploy_scripts.preflight.situation import Check, Situation
from settings import ENVIRONMENTS, PRICES, PROJECT

ROOT = Path(__file__).resolve().parents[2]
#: In the order in which a person mends things.
SECTIONS: Mapping[str, Mapping[str, Check]] = {
    "Account": {
        "identity": check_identity,
        "region": check_region,
        "bootstrap": bootstrap.check_version,
        "bootstrap resources": bootstrap.check_resources,
        "scaling role": service_roles.check_service_roles,
        "source of the code": source.check_source,
    },
    "Tools": {"Python": tools.check_python, "CDK CLI": tools.check_cli, "libraries": tools.check_libraries},
    "Earlier deployments": {"stacks": stack_states.check_stacks, "names": names.check_names, "left behind": leftovers.check_leftovers},
    "Image and instance types": {
        "image": offers.check_image,
        "instance types": offers.check_instance_types,
        "allowed types": fits.check_version,
        "scaling": fits.check_scaling,
    },
    "Quotas": {"endpoints": quotas.check_endpoints, "jobs": quotas.check_jobs, "builds": quotas.check_builds},
    "Network": {
        "VPC endpoints": network.check_endpoint_services,
        "private DNS": network.check_private_dns,
        "VPCs": network.check_vpc_quota,
    },
    "Cost": {"a month": cost.check_cost},
}


def examine(situation: Situation) -> dict[str, list[Finding]]:
    """Every check's findings, by section. One that cannot look is one line, and the next one looks all the same."""
    return {
        title: [finding for name, check in checks.items() for finding in _looked(name, check, situation)]
        for title, checks in SECTIONS.items()
    }


def _looked(name: str, check: Check, situation: Situation) -> Iterator[Finding]:
    try:
        yield from check(situation)
    except NotSeenError as error:
        yield not_seen(name, error)


def definitions(region: str) -> list[dict[str, Any]]:
    """Of the training and the batch pipeline, with places that stand for the deployed ones. Takes seconds: the SDK is large."""
    logging.disable(logging.INFO)  # which the SDK turns on, and botocore then says where it finds its settings
    from pipelines.batch.pipeline import get_pipeline as batch
    from pipelines.tabular.pipeline import get_pipeline as training

    role = "arn:aws:iam::111122223333:role/preflight"
    pipelines = [
        training(region, role, code_uri="s3://artifacts/code/0", bucket="artifacts", data_bucket="data"),
        batch(region, role, bucket="artifacts", data_bucket="data"),
    ]
    return [json.loads(pipeline.definition()) for pipeline in pipelines]


def look(folder: Path) -> Situation:
    """Raises ProblemError for a folder without templates, and where there are no credentials or no region."""
    stacks = assembly.read(folder)
    named = ProjectEnvironment().region
    account = Account(PROJECT.region or named)
    try:
        identity = account.read("sts", "get_caller_identity")
    except NotSeenError as error:
        raise ProblemError(f"{error.reason}. Check AWS_PROFILE or the exports of `make local`") from error
    return Situation(
        project=PROJECT,
        environments=ENVIRONMENTS,
        prices=PRICES,
        account=account,
        identity=identity,
        region_of_the_environment=named,
        stacks=stacks,
        define=lambda: definitions(account.region),
        root=ROOT,
    )


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if given.policy:
        print(json.dumps(policy(), indent=2))
        return 0
    situation = look(given.assembly)
    sections = examine(situation)
    findings = [finding for section in sections.values() for finding in section]
    if given.json:
        print(json.dumps({title: [asdict(finding) for finding in section] for title, section in sections.items()}, indent=2))
    else:
        table.show(_title(situation), sections)
        print(f"\n{table.summary(findings)}")
    return int(any(finding.sign is Sign.FAILED for finding in findings))


def _title(situation: Situation) -> str:
    address = situation.account.local_address
    where = f"the local account at {address}" if address else "AWS"
    return f"{situation.project.name} in {situation.place.account}, {situation.region} ({where})"


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    folder = Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
    options.add_argument("--assembly", type=Path, default=folder, help="what `cdk synth` wrote (default: %(default)s)")
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument("--policy", action="store_true", help="print the IAM policy that it needs, and stop")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
