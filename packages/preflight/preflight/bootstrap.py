"""The bootstrap stack that `cdk deploy` works with: its version, and that its bucket and roles are still there.

Parameter, versions and names are those of the cloud assembly (manifest.json), so a qualifier in cdk.json is followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from preflight.finding import Finding, failed, passed
from preflight.situation import Situation

DEFAULT_QUALIFIER = "hnb659fds"
_VERSION, _LEAST = "bootstrapStackVersionSsmParameter", "requiresBootstrapStackVersion"
_ROLES = ("assumeRoleArn", "cloudFormationExecutionRoleArn")


def bootstrap_command(account: str, region: str, trusted: str | None, qualifier: str) -> str:
    """`trusted`: another account that deploys into this one, with the policies that `cdk bootstrap` then wants to be told."""
    trust = f" --trust {trusted} --cloudformation-execution-policies arn:aws:iam::aws:policy/AdministratorAccess" if trusted else ""
    return f"npx cdk bootstrap aws://{account}/{region}{trust}{'' if qualifier == DEFAULT_QUALIFIER else f' --qualifier {qualifier}'}"


def check_version(situation: Situation) -> Iterator[Finding]:
    """The version that the stacks ask for is there."""
    for parameter, least in _asked_for(situation).items():
        answer = situation.account.find("ssm", "get_parameter", Name=parameter)
        if answer is None:
            found = f"{situation.region} of {situation.place.account} is not bootstrapped: there is no parameter {parameter}"
            yield failed("bootstrap", found, "once for each account and region", _command(situation, parameter))
        elif int(answer["Parameter"]["Value"]) < least:
            found = f"version {answer['Parameter']['Value']}; the stacks need {least}"
            yield failed("bootstrap", found, "bring it up to date", _command(situation, parameter))
        else:
            yield passed("bootstrap", f"version {answer['Parameter']['Value']}; the stacks need {least}")


def check_resources(situation: Situation) -> Iterator[Finding]:
    """A bootstrap bucket or role that somebody deleted is not missed by the version."""
    parameters = _asked_for(situation)
    if not parameters or situation.account.find("ssm", "get_parameter", Name=next(iter(parameters))) is None:
        return  # said above
    gone = [
        *(f"bucket {name}" for name in _buckets(situation) if not _bucket_is_there(situation, name)),
        *(f"role {name}" for name in _roles(situation, *_ROLES) if situation.account.find("iam", "get_role", RoleName=name) is None),
    ]
    if gone:
        found = f"gone: {', '.join(gone)}"
        advice = "delete the stack CDKToolkit, if it is there, and bootstrap again"
        yield failed("bootstrap resources", found, advice, _command(situation, next(iter(parameters))))
    elif _buckets(situation):
        yield passed("bootstrap resources", "the bucket for assets and the roles that cdk assumes are there")


def _asked_for(situation: Situation) -> dict[str, int]:
    """Parameter -> the highest version that a stack needs."""
    wanted: dict[str, int] = {}
    for stack in situation.stacks:
        if parameter := stack.properties.get(_VERSION):
            wanted[parameter] = max(wanted.get(parameter, 0), int(stack.properties.get(_LEAST, 0)))
    return wanted


def check_trust(situation: Situation) -> Iterator[Finding]:
    """In another account: the role that `cdk deploy` assumes trusts the project's account."""
    parameters = _asked_for(situation)
    if situation.trusted is None or not parameters:
        return
    command = _command(situation, next(iter(parameters)))
    for name in _roles(situation, "assumeRoleArn"):
        role = situation.account.find("iam", "get_role", RoleName=name)
        if role is None:
            continue  # said above
        if situation.trusted in json.dumps(role["Role"]["AssumeRolePolicyDocument"]):
            yield passed("bootstrap trust", f"{name} trusts {situation.trusted}")
        else:
            yield failed("bootstrap trust", f"{name} does not trust {situation.trusted}, which deploys", "bootstrap again with it", command)


def _command(situation: Situation, parameter: str) -> str:
    return bootstrap_command(situation.place.account, situation.region, situation.trusted, parameter.split("/")[2])


def _buckets(situation: Situation) -> list[str]:
    urls = [situation.place.filled(stack.properties.get("stackTemplateAssetObjectUrl", "")) or "" for stack in situation.stacks]
    return sorted({match[1] for url in urls if (match := re.match(r"s3://([^/]+)/", url))})


def _bucket_is_there(situation: Situation, name: str) -> bool:
    try:
        return situation.account.find("s3", "head_bucket", Bucket=name) is not None
    except ClientError:
        return False


def _roles(situation: Situation, *kinds: str) -> list[str]:
    arns = [situation.place.filled(stack.properties.get(kind, "")) or "" for stack in situation.stacks for kind in kinds]
    return sorted({arn.rsplit("/", 1)[-1] for arn in arns if arn})
