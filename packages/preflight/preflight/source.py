"""Where the pipelines take the code from: CodeCommit, or a connection to GitHub or GitLab. By the templates' source actions.

CodeCommit took no new customers from July 2024 to November 2025; an account that was refused then is not told apart by any read
operation (only CreateRepository answers OperationNotAllowedException), so a region without repositories says what is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from preflight.assembly import partition_of
from preflight.errors import explain
from preflight.finding import Finding, NotSeenError, failed, not_seen, passed, unseen
from preflight.situation import Situation

_WHAT = "source of the code"

#: By the status of a connection (ConnectionStatus of botocore's model). No API finishes the handshake: "Update a pending connection" of
#: the Developer Tools user guide.
_PENDING = (
    "only a person can finish it: console, Developer Tools, Settings, Connections, this one, 'Update pending connection'; "
    "sign in at the provider as who may install AWS's app for the repository's owner"
)


def check_source(situation: Situation) -> Iterator[Finding]:
    actions = _source_actions(situation)
    if any(action["ActionTypeId"]["Provider"] == "CodeCommit" for action in actions):
        yield _codecommit(situation)
    connections = {_connection(action) for action in actions if action["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"}
    for arn in sorted(connections, key=str):
        yield _connected(situation, arn)


def _source_actions(situation: Situation) -> list[dict[str, Any]]:
    pipelines = [properties for _, _, properties in situation.resources("AWS::CodePipeline::Pipeline")]
    actions = [action for pipeline in pipelines for stage in pipeline["Stages"] for action in stage["Actions"]]
    return [action for action in actions if action["ActionTypeId"]["Category"] == "Source"]


def _codecommit(situation: Situation) -> Finding:
    if situation.region not in Session().get_available_regions("codecommit", partition_of(situation.region)):
        return failed(
            _WHAT,
            f"CodeCommit is not offered in {situation.region} (botocore's endpoints)",
            f"{situation.app.words.source}, or another region",
        )
    try:
        count = len(situation.account.read_all("codecommit", "list_repositories", "repositories"))
    except NotSeenError as error:
        return not_seen(_WHAT, error)
    except ClientError as error:
        return failed(_WHAT, f"CodeCommit refuses: {explain(error)}", situation.app.words.source)
    if count:
        return passed(_WHAT, f"CodeCommit, which the account uses: {count} {'repository' if count == 1 else 'repositories'}")
    return passed(_WHAT, "CodeCommit answers; it has no repository yet, and has been open to new customers again since November 2025")


def _connection(action: dict[str, Any]) -> str | None:
    arn = action["Configuration"].get("ConnectionArn")
    return arn if isinstance(arn, str) else None


def _connected(situation: Situation, arn: str | None) -> Finding:
    if arn is None:
        return unseen(_WHAT, "the connection's ARN is known only once its stack is deployed", "a new connection waits in the console")
    try:
        answer = situation.account.find("codeconnections", "get_connection", ConnectionArn=arn)
    except NotSeenError as error:
        return not_seen(_WHAT, error)
    if answer is None:
        return failed(
            _WHAT,
            f"connection {arn} does not exist",
            f"make one in the console (Developer Tools, Settings, Connections), and {situation.app.words.connection}",
        )
    connection = answer["Connection"]
    name, status = connection["ConnectionName"], connection["ConnectionStatus"]
    if status != "AVAILABLE":
        broken = f"the provider does not answer to it; delete it, make another one in the console, and {situation.app.words.connection}"
        return failed(_WHAT, f"connection {name} is {status}", _PENDING if status == "PENDING" else broken)
    return passed(_WHAT, f"connection {name} to {connection.get('ProviderType', 'its provider')} is available")
