"""Who asks, in which account and region, and whether that is where the project belongs."""

from __future__ import annotations

from collections.abc import Iterator

from deploy_scripts.preflight.finding import Finding, failed, passed
from deploy_scripts.preflight.situation import Situation

_UNKNOWN = "unknown-"  # how the CDK says that a stack fits any account or region


def check_identity(situation: Situation) -> Iterator[Finding]:
    """`Project.account`, if it is set, is the account of the credentials."""
    account, arn = str(situation.identity["Account"]), str(situation.identity["Arn"])
    wanted = situation.project.account
    if wanted not in (None, account) and not situation.trusted:
        yield failed(
            "identity",
            f"{arn}, but Project.account in settings.py is {wanted}",
            f"choose credentials of {wanted} (AWS_PROFILE), or set Project.account to None or {account!r}",
        )
    else:
        yield passed("identity", arn)


def check_region(situation: Situation) -> Iterator[Finding]:
    """The region of the terminal is where `cdk` deploys to: the scripts that come after it look there."""
    if not situation.is_own:
        yield passed("region", situation.region)
        return
    named, wanted = situation.region_of_the_environment, situation.project.region
    if wanted not in (None, named):
        yield failed(
            "region",
            f"{named}, but Project.region in settings.py is {wanted}; looked at {wanted}",
            "the project's scripts look where the terminal points",
            f"export AWS_REGION={wanted}",
        )
    else:
        yield passed("region", named)
    for stack in situation.stacks:
        account, _, region = stack.environment.removeprefix("aws://").partition("/")
        for made_for, here in ((account, situation.place.account), (region, situation.region)):
            if made_for and not made_for.startswith(_UNKNOWN) and made_for != here:
                yield failed(
                    "templates",
                    f"cdk.out was synthesized for {made_for}, not for {here}",
                    "synthesize it again in this terminal",
                    "make synth",
                )
                return
