"""Starts pipelines on pushes to the repositories of their connections, as CodePipeline does on a provider's webhook.

Input: `Push`es. Output: executions, of the commit that was pushed. A connection that is pending or deleted detects nothing (CodePipeline
user guide, "CodeStarSourceConnection": without the handshake "the pipeline is not triggered"). Next: `triggers.py`, `engine.py`.
"""

from __future__ import annotations

import logging

from local_account.codepipeline import triggers
from local_account.codepipeline.actions.connection import facts
from local_account.codepipeline.engine import Engine
from local_account.codepipeline.records import SourceOverride
from local_account.connections.repositories import Push, webhooks_of
from local_account.connections.store import connections_of
from local_account.context import Context
from local_account.errors import ServiceError

_log = logging.getLogger(__name__)


def begin(context: Context) -> None:
    """Start pipelines of the account in this region on pushes to the repositories of their connections."""
    engine = Engine.at(context)
    webhooks_of(context).subscribers.append(lambda push: _start_pipelines(engine, push))


def _start_pipelines(engine: Engine, push: Push) -> None:
    with engine.changed:
        found = {name: triggers.start_of(pipeline.declaration, push) for name, pipeline in engine.pipelines.items()}
    taken = SourceOverride(push.commit, push.branch, push.tag)
    for name, reason in found.items():
        arn = reason.action["configuration"]["ConnectionArn"] if reason else ""
        if reason is None or not connections_of(engine.context).is_available(arn):
            continue
        trigger = {"triggerType": reason.trigger_type, "triggerDetail": arn}
        try:
            change = facts(engine.context, arn, push.repository, taken)
            engine.start(engine.pipeline(name), {}, {reason.action["name"]: taken}, trigger, change)
        except ServiceError as error:  # such as a variable without a default; the others start nevertheless
            _log.warning("a push to %s does not start %s: %s", push.repository, name, error.message)
