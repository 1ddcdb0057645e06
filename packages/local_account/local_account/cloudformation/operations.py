"""What is asked before MiniStack answers an operation on stacks: rules, each of which lets it pass or answers in its place.

In: the operation's parameters as the request has them. Out: None, or an error in the form and the words of CloudFormation.
Used by `stack_status.py`, `template_requests.py` and `change_sets.py`, which have the rules; installed by `__init__.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_account import hooks
from local_account.context import Context

Params = Mapping[str, Any]
#: What MiniStack's handlers answer: status, headers, body.
Answer = tuple[int, dict[str, str], bytes]
#: An answer in place of the handler's, or None if nothing speaks against the operation.
Rule = Callable[[Params], Answer | None]
#: What comes after an answer: it may change what the operation has recorded, not the answer.
Afterwards = Callable[[Params], None]


def install(rules: Iterable[tuple[str, Rule]], afterwards: Iterable[tuple[str, Afterwards]]) -> None:
    """Put the rules of each operation before its handler, and what comes afterwards behind it, in the order given."""
    from ministack.services.cloudformation import handlers

    table = handlers._ACTION_HANDLERS
    before: dict[str, list[Rule]] = {}
    behind: dict[str, list[Afterwards]] = {}
    for operation, rule in rules:
        before.setdefault(operation, []).append(rule)
    for operation, afterward in afterwards:
        behind.setdefault(operation, []).append(afterward)
    for operation in {**before, **behind}:
        held = functools.partial(_held, before.get(operation, []), behind.get(operation, []))
        table[operation] = hooks.around(table[operation], held)


def _held(rules: list[Rule], afterwards: list[Afterwards], original: Callable[[Params], Answer], params: Params) -> Answer:
    for rule in rules:
        if refused := rule(params):
            return refused
    answered = original(params)
    for afterward in afterwards if answered[0] == 200 else ():
        afterward(params)
    return answered


def error(code: str, message: str) -> Answer:
    from ministack.services.cloudformation import helpers

    answer: Answer = helpers._error(code, message)
    return answer


def stack_of(params: Params) -> dict[str, Any] | None:
    """The stack that a request names, by name or id; None if there is none any more."""
    from ministack.services.cloudformation.handlers import _resolve_stack

    name = text(params, "StackName")
    stack: dict[str, Any] | None = _resolve_stack(name) if name else None
    return stack if stack and stack["StackStatus"] != "DELETE_COMPLETE" else None


def is_settled(context: Context, stack_name: str) -> bool:
    """Whether nothing is in progress in a stack, or there is none of this name."""
    stack = context.keyring.here(lambda: stack_of({"StackName": stack_name}))
    return stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS")


def change_set_of(params: Params) -> dict[str, Any] | None:
    """The change set that a request names, by its ARN or by its name and its stack's; None if there is none."""
    from ministack.services.cloudformation.changesets import _find_change_set

    stack = stack_of(params) or {}
    found: dict[str, Any] | None = _find_change_set(text(params, "ChangeSetName"), stack.get("StackName", ""))[1]
    return found


def text(params: Params, name: str) -> str:
    """A parameter, which a query string gives as a list."""
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def is_true(params: Params, name: str) -> bool:
    return text(params, name).lower() == "true"
