"""Who asks, in which account and region, and whether that is where the project belongs."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.assembly import UNKNOWN
from preflight.finding import Finding, failed, passed
from preflight.situation import Situation


def check_identity(situation: Situation) -> Iterator[Finding]:
    """The account that the app's project belongs to, if one is set, is that of the credentials."""
    account, arn = str(situation.identity["Account"]), str(situation.identity["Arn"])
    wanted, words = situation.app.account, situation.app.words
    if wanted not in (None, account) and not situation.trusted:
        yield failed(
            "identity",
            f"{arn}, but {words.account} in {words.settings} is {wanted}",
            f"choose credentials of {wanted} (AWS_PROFILE), or set {words.account} to None or {account!r}",
        )
    else:
        yield passed("identity", arn)


def check_region(situation: Situation) -> Iterator[Finding]:
    """The region of the terminal is where `cdk` deploys to: the scripts that come after it look there."""
    if not situation.is_own:
        yield passed("region", situation.region)
        return
    app = situation.app
    named, wanted = app.terminal_region or situation.region, app.region
    if wanted not in (None, named):
        yield failed(
            "region",
            f"{named}, but {app.words.region} in {app.words.settings} is {wanted}; looked at {wanted}",
            "the project's scripts look where the terminal points",
            f"export AWS_REGION={wanted}",
        )
    else:
        yield passed("region", named)
    for stack in situation.stacks:
        for made_for, here in ((stack.account, situation.place.account), (stack.region, situation.region)):
            if made_for not in (UNKNOWN, here):
                yield failed(
                    "templates",
                    f"cdk.out was synthesized for {made_for}, not for {here}",
                    "synthesize it again in this terminal",
                    app.words.synthesize,
                )
                return
