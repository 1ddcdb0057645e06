"""Which pushes start a pipeline: the triggers of its declaration, or the detection of changes that it has without them. Pure.

Input: a declaration, and a `Push` to a connection's repository. Output: `Start`, or nothing. Documented (CodePipeline user guide,
"Automate starting pipelines using triggers and filtering", "Pipeline structure reference: triggers", "Start a pipeline"; API reference):
filters are alternatives, the parts of one filter must all hold, includes and excludes too, the patterns of one list are alternatives;
triggers switch off the detection of changes on the configured branch, and start with the commit that was pushed; an execution's trigger is
`WebhookV2` with triggers, `Webhook` without.
Inferred: a filter by files holds if one file that the push changed is included and not excluded; a push is compared as a whole, its end
with what was there before, however many files differ; of a new branch nobody knows what changed, so no filter by files holds for it.
Pull requests are refused by name. Next: `globs.py`, `change_detection.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_account.codepipeline import globs
from local_account.connections.repositories import Push
from local_account.errors import ServiceError

PROVIDER = "CodeStarSourceConnection"
_PARTS = ("branches", "filePaths", "tags")
#: User guide: "Valid combinations are: tags, branches, branches + file paths". CloudFormation and Terraform users meet the words:
#: https://github.com/hashicorp/terraform-provider-aws/issues/43105
_COMBINATIONS = ({"tags"}, {"branches"}, {"branches", "filePaths"})
_INVALID_FILTERS = "The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations."
#: Words: https://github.com/aws/aws-cdk/issues/28694
_INVALID_ACTION = (
    "Triggers for connection must reference a CodeStarSourceConnection action. "
    "Note that when you specify a trigger, you cant specify more than one trigger per source action."
)


@dataclass(frozen=True)
class Start:
    """Why a push starts a pipeline: by which source action, with which type of trigger."""

    action: Mapping[str, Any]
    trigger_type: str


def start_of(declaration: Mapping[str, Any], push: Push) -> Start | None:
    """The first reason for which a push starts the pipeline. Whether the connection can be used is not asked here."""
    actions = {action["name"]: action for action in _connected(declaration, push.repository)}
    triggers = declaration.get("triggers") or ()
    for trigger in triggers:
        action = actions.get(trigger["gitConfiguration"]["sourceActionName"])
        if action is not None and _matches(trigger["gitConfiguration"], action, push):
            return Start(action, "WebhookV2")
    for action in () if triggers else actions.values():
        if action["configuration"].get("DetectChanges", "true") == "true" and push.branch == action["configuration"]["BranchName"]:
            return Start(action, "Webhook")
    return None


def _connected(declaration: Mapping[str, Any], repository: str) -> Iterator[Mapping[str, Any]]:
    for action in declaration["stages"][0]["actions"]:
        if action["actionTypeId"]["provider"] == PROVIDER and action["configuration"]["FullRepositoryId"] == repository:
            yield action


def _matches(configuration: Mapping[str, Any], action: Mapping[str, Any], push: Push) -> bool:
    filters = configuration.get("push")
    if not filters:  # user guide, "No filter": any push to the branch of the action
        return bool(push.branch == action["configuration"]["BranchName"])
    return any(_holds(each, push) for each in filters)


def _holds(each: Mapping[str, Any], push: Push) -> bool:
    name, criteria = (push.tag, each.get("tags")) if push.tag else (push.branch, each.get("branches"))
    if not criteria or not _passes(criteria, name):
        return False
    return not each.get("filePaths") or any(_passes(each["filePaths"], path) for path in push.files or ())


def _passes(criteria: Mapping[str, Iterable[str]], name: str) -> bool:
    """Whether one of the includes matches, if there are any, and none of the excludes."""
    includes = criteria.get("includes")
    return (not includes or _any(includes, name)) and not _any(criteria.get("excludes") or (), name)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(globs.compiled(pattern).fullmatch(name) for pattern in patterns)


# ----------------------------------------------------------------------------------------- declarations


def check(declaration: Mapping[str, Any]) -> None:
    """Raises ServiceError (InvalidStructureException) for triggers that the service would not take.

    Types, lengths and numbers of triggers, filters and patterns are checked at the port, where filters of pull requests are refused, too.
    Documented: the combinations, and one trigger for each source action. Inferred: that a pattern that is no glob is refused.
    """
    sources = {action["name"]: action["actionTypeId"]["provider"] for action in declaration["stages"][0]["actions"]}
    named: set[str] = set()
    for trigger in declaration.get("triggers") or ():
        configuration = trigger["gitConfiguration"]
        name = configuration["sourceActionName"]
        if sources.get(name) != PROVIDER or name in named:
            raise ServiceError("InvalidStructureException", _INVALID_ACTION)
        named.add(name)
        for each in configuration.get("push") or ():
            _check_filter(each)


def _check_filter(each: Mapping[str, Any]) -> None:
    given = {part: each[part] for part in _PARTS if any((each.get(part) or {}).values())}
    if set(given) not in _COMBINATIONS:
        raise ServiceError("InvalidStructureException", _INVALID_FILTERS)
    for criteria in given.values():
        for pattern in (pattern for patterns in criteria.values() for pattern in patterns):
            try:
                globs.compiled(pattern)
            except ValueError as error:
                raise ServiceError("InvalidStructureException", f"The pattern {pattern!r} of a trigger is no glob: {error}") from error
