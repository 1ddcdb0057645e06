"""Every private part of MiniStack and moto that the local account uses, pinned: an upgrade that moves one fails here, by name.

`HOOKS` is the list. The last test reads `local_account/` and fails if something private is used that is not in the list.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

LOCAL_ACCOUNT = Path(__file__).parents[2] / "local_account"
PINNED = {"ministack": "1.5.33", "moto": "5.2.5"}

#: (module, name) -> parameters of a function, "class", or the type of a value.
HOOKS: dict[tuple[str, str], tuple[str, ...] | str] = {
    ("ministack.app", "_MAIN_LOOP"): "NoneType",
    ("ministack.app", "_MINISTACK_PORT"): "str",
    ("ministack.app", "_handle_post_body_shortcuts"): ("method", "path", "headers", "body", "query_params", "request_id"),
    ("ministack.app", "_handle_pre_body_request"): ("method", "path", "headers", "query_params", "request_id"),
    ("ministack.app", "_handle_special_data_plane_request"): (
        "method",
        "path",
        "headers",
        "body",
        "query_params",
        "request_id",
        "raw_path",
        "raw_query_string",
        "client_ip",
    ),
    ("ministack.app", "_reset_all_state"): (),
    ("ministack.app", "detect_service"): ("method", "path", "headers", "query_params"),
    ("ministack.app", "set_request_account_id"): ("access_key_id",),
    ("ministack.app", "set_request_region"): ("region",),
    ("ministack.app", "app"): ("scope", "receive", "send"),
    ("ministack.core.iam_evaluator", "EvalContext"): "class",
    ("ministack.core.iam_evaluator", "ResolvedCredential"): "class",
    ("ministack.core.iam_evaluator", "_fnmatch_compile"): ("pattern", "ignore_case"),
    ("ministack.core.iam_evaluator", "_action_matches"): ("request_action", "actions", "not_actions"),
    ("ministack.core.iam_evaluator", "_names_caller"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_names_caller_directly"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_principal_keys"): ("credential",),
    ("ministack.core.iam_evaluator", "_principal_matches"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_resolve_managed_policy_document"): ("policy_arn", "account_id"),
    ("ministack.core.iam_evaluator", "_resolve_condition_key"): ("key", "ctx"),
    ("ministack.core.iam_evaluator", "_resource_policy"): ("service", "resource_arn"),
    ("ministack.core.iam_evaluator", "_service_principal_matches"): ("principal", "service"),
    ("ministack.core.iam_evaluator", "find_iam_access_key_account"): ("access_key_id",),
    ("ministack.core.iam_evaluator", "fnmatch_iam"): ("value", "pattern"),
    ("ministack.core.iam_evaluator", "is_root_access_key"): ("access_key_id",),
    ("ministack.core.iam_evaluator", "parse_policy_document"): ("doc",),
    ("ministack.core.iam_evaluator", "resolve_credential"): ("access_key_id", "account_id", "session_token"),
    ("ministack.core.lambda_runtime", "subprocess"): "module",
    ("ministack.core.responses", "AccountScopedDict"): "class",
    ("ministack.core.responses", "error_response_json"): ("code", "message", "status", "extra", "message_key", "content_type"),
    ("ministack.core.responses", "get_account_id"): (),
    ("ministack.core.responses", "json_response"): ("data", "status", "content_type"),
    ("ministack.core.responses", "get_region"): (),
    ("ministack.core.responses", "request_scope"): ("account_id", "region"),
    ("ministack.core.responses", "set_request_account_id"): ("access_key_id",),
    ("ministack.core.responses", "set_request_region"): ("region",),
    ("ministack.core.router", "_is_aws_service_name"): ("scope_name",),
    ("ministack.services.cloudformation", "_exports"): "AccountRegionScopedDict",
    ("ministack.services.cloudformation", "_stacks"): "AccountRegionScopedDict",
    ("ministack.services.cloudformation.changesets", "_evaluate_conditions"): ("template", "params"),
    ("ministack.services.cloudformation.changesets", "_find_change_set"): ("cs_name", "stack_name"),
    ("ministack.services.cloudformation.changesets", "_parse_template"): ("template_body",),
    ("ministack.services.cloudformation.changesets", "_resolve_props_for_diff"): ("template", "params", "stack_name", "stack_id"),
    ("ministack.services.cloudformation.custom_resource", "_PORT"): "str",
    ("ministack.services.cloudformation.custom_resource", "reset"): (),
    ("ministack.services.cloudformation.engine", "_evaluate_conditions"): ("template", "params"),
    ("ministack.services.cloudformation.engine", "_apply_transforms"): ("template", "provided_params", "previous_params"),
    ("ministack.services.cloudformation.engine", "_has_dynamic_references"): ("template",),
    ("ministack.services.cloudformation.engine", "_resolve_parameters"): ("template", "provided_params", "previous_params"),
    ("ministack.services.cloudformation.engine", "_resolve_refs"): (
        "value",
        "resources",
        "params",
        "conditions",
        "mappings",
        "stack_name",
        "stack_id",
    ),
    ("ministack.services.cloudformation.handlers", "_evaluate_conditions"): ("template", "params"),
    ("ministack.services.cloudformation.handlers", "_ACTION_HANDLERS"): "dict",
    ("ministack.services.cloudformation.handlers", "_capabilities_enforced"): (),
    ("ministack.services.cloudformation.handlers", "_imported_export_names"): ("stack", "stack_name"),
    ("ministack.services.cloudformation.handlers", "_parse_template"): ("template_body",),
    ("ministack.services.cloudformation.handlers", "_resolve_stack"): ("stack_name",),
    ("ministack.services.cloudformation.handlers", "_stack_has_no_updates"): (
        "stack",
        "template",
        "param_values",
        "tags",
        "use_previous_template",
        "tags_given",
    ),
    ("ministack.services.cloudformation.helpers", "_error"): ("code", "message", "status"),
    ("ministack.services.cloudformation.helpers", "_resolve_template"): ("params",),
    ("ministack.services.cloudformation.helpers", "_xml"): ("status", "root_tag", "inner"),
    ("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"): "dict",
    ("ministack.services.cloudformation.provisioners", "_STACK_TAG_PROPERTY"): "dict",
    ("ministack.services.cloudformation.provisioners", "_cw_metric_alarm_record"): ("name", "props"),
    ("ministack.services.cloudformation.stacks", "_evaluate_conditions"): ("template", "params"),
    ("ministack.services.cloudformation.stacks", "_diff_resources"): (
        "old_template",
        "new_template",
        "resources",
        "template",
        "changed_params",
        "retag",
    ),
    ("ministack.services.cloudformation.stacks", "_resolve_stack_outputs"): (
        "outputs_defs",
        "conditions",
        "resources",
        "param_values",
        "mappings",
        "stack_name",
        "stack_id",
    ),
    ("ministack.services.cloudformation.stacks", "_runs_on_worker_thread"): ("resource_type",),
    ("ministack.services.cloudformation.stacks", "_stack_tags_changed"): ("stack", "tags", "tags_given"),
    ("ministack.services.cloudwatch", "_alarms"): "AccountRegionScopedDict",
    ("ministack.services.cloudwatch", "_calc_stats"): ("points",),
    ("ministack.services.cloudwatch", "_dims_key"): ("dims",),
    ("ministack.services.cloudwatch", "_dispatch_alarm_actions"): ("alarm", "old_state", "new_state", "reason"),
    ("ministack.services.cloudwatch", "_evaluate_alarm"): ("alarm",),
    ("ministack.services.cloudwatch", "_evaluate_parent_alarms"): ("child", "seen"),
    ("ministack.services.cloudwatch", "_is_sns_action_arn"): ("action",),
    ("ministack.services.cloudwatch", "_metrics"): "AccountRegionScopedDict",
    ("ministack.services.cloudwatch", "_put_metric_alarm"): ("params", "cbor_data", "is_cbor", "is_json"),
    ("ministack.services.cloudwatch", "_record_history"): ("alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"),
    ("ministack.services.cloudwatch", "_set_alarm_state"): ("params", "cbor_data", "is_cbor", "is_json"),
    ("ministack.services.cloudwatch", "_stat_value"): ("stats", "stat_name", "points"),
    ("ministack.services.cloudwatch", "_store_datum"): (
        "namespace",
        "name",
        "dims",
        "ts",
        "unit",
        "value",
        "values",
        "counts",
        "stat_values",
    ),
    ("ministack.services.codebuild", "_build_id"): ("project_name",),
    ("ministack.services.codebuild", "_builds"): "AccountRegionScopedDict",
    ("ministack.services.codebuild", "_execute_build"): ("build_id", "project"),
    ("ministack.services.codebuild", "_make_build_record"): ("project", "build_id", "source_version"),
    ("ministack.services.codebuild", "_projects"): "AccountRegionScopedDict",
    ("ministack.services.codebuild", "_start_build"): ("data",),
    ("ministack.services.codebuild", "_stop_build"): ("data",),
    ("ministack.services.eventbridge", "_apply_input_transformer"): ("transformer", "rule", "view"),
    ("ministack.services.eventbridge", "_dispatch_event"): ("event", "view"),
    ("ministack.services.eventbridge", "_event_bus_policies"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_event_buses"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_invoke_target"): ("target", "event", "rule", "view"),
    ("ministack.services.eventbridge", "_pattern_event_view"): ("event",),
    ("ministack.services.eventbridge", "_put_events"): ("data", "allow_aws_source"),
    ("ministack.services.eventbridge", "_put_permission"): ("data",),
    ("ministack.services.eventbridge", "_rules"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_targets"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_validate_schedule_expression"): ("expr",),
    ("ministack.services.cloudwatch_logs", "_compile_filter_pattern"): ("raw",),
    ("ministack.services.cloudwatch_logs", "_subscription_pattern_matches"): ("pattern", "message"),
    ("ministack.services.lambda_svc", "_GATEWAY_PORT"): "str",
    ("ministack.services.lambda_svc", "_execute_function_dispatch"): ("func", "config", "event", "request_id", "started"),
    ("ministack.services.lambda_svc", "_fetch_code_from_s3"): ("bucket", "key", "version_id"),
    ("ministack.services.iam", "_IAM_HANDLERS"): "dict",
    ("ministack.services.iam", "_access_keys"): "AccountScopedDict",
    ("ministack.services.iam", "_create_user"): ("p",),
    ("ministack.services.iam", "_error"): ("status", "code", "message", "ns"),
    ("ministack.services.iam", "_gen_id"): ("prefix",),
    ("ministack.services.iam", "_group_inline_policies"): "AccountScopedDict",
    ("ministack.services.iam", "_groups"): "AccountScopedDict",
    ("ministack.services.iam", "_now"): (),
    ("ministack.services.iam", "_roles"): "AccountScopedDict",
    ("ministack.services.iam", "_user_inline_policies"): "AccountScopedDict",
    ("ministack.services.iam", "_users"): "AccountScopedDict",
    ("ministack.services.iam", "_xml"): ("status", "root_tag", "inner", "ns"),
    ("ministack.core.iam_evaluator", "_CONDITION_OPS"): "dict",
    ("ministack.services.cloudformation", "_change_sets"): "AccountRegionScopedDict",
    ("ministack.services.iam", "_policies"): "AccountScopedDict",
    ("ministack.services.s3", "_SSE_STORED_HEADERS"): "tuple",
    ("ministack.services.s3", "_bucket_encryption"): "AccountScopedDict",
    ("ministack.services.s3", "_multipart_uploads"): "AccountScopedDict",
    ("ministack.services.s3", "_object_versions"): "AccountScopedDict",
    ("ministack.services.secretsmanager", "_secrets"): "AccountRegionScopedDict",
    ("ministack.services.ssm", "_lookup_parameter"): ("name_or_arn", "allow_arn_region", "flexible_name"),
    ("ministack.services.kms", "_keys"): "AccountRegionScopedDict",
    ("ministack.services.kms", "_resolve_key"): ("key_id_or_arn",),
    ("ministack.services.lambda_svc", "_functions"): "AccountRegionScopedDict",
    ("ministack.services.lambda_svc", "_route_async_failure"): ("target_arn", "func_name", "event", "result"),
    ("ministack.services.s3", "_apply_bucket_scope"): ("method", "bucket", "key", "headers", "query_params", "body", "internal"),
    ("ministack.services.s3", "_copy_source_denied"): ("headers", "caller", "anonymous", "internal"),
    ("ministack.services.s3", "_create_bucket"): ("name", "body", "headers", "endpoint_region"),
    ("ministack.services.s3", "_bucket_owner_account"): ("name",),
    ("ministack.services.s3", "_error"): ("code", "message", "status", "resource", "extra", "headers"),
    ("ministack.services.s3", "_bucket_default_sse_headers"): ("bucket_name",),
    ("ministack.services.s3", "_buckets"): "AccountScopedDict",
    ("ministack.services.s3", "_resolve_sse_write_headers"): ("headers", "bucket_name"),
    ("ministack.services.s3", "_stored_sse_headers"): ("obj",),
    ("ministack.services.scheduler", "_create_schedule"): ("name", "body"),
    ("ministack.services.scheduler", "_error"): ("status", "code", "message"),
    ("ministack.services.scheduler", "_schedules"): "AccountRegionScopedDict",
    ("ministack.services.scheduler", "_update_schedule"): ("name", "body"),
    ("ministack.services.secretsmanager", "_resolve"): ("secret_id", "use_arn_scope"),
    ("ministack.services.sns", "_deliver_to_lambda"): (
        "endpoint",
        "envelope",
        "topic_arn",
        "sub_arn",
        "msg_id",
        "raw_message",
        "message_attributes",
    ),
    ("ministack.services.sns", "_topics"): "AccountRegionScopedDict",
    ("ministack.services.sqs", "_queues"): "AccountRegionScopedDict",
    ("ministack.services.ssm", "_parameters"): "AccountRegionScopedDict",
    ("ministack.services.sts", "_role_id"): ("role_arn",),
    ("ministack.services.sts", "_sessions"): "dict",
    ("moto.iam.exceptions", "MalformedPolicyDocument"): "class",
    ("moto.iam.policy_validation", "BaseIAMPolicyValidator"): "class",
    ("moto.iam.policy_validation", "IAMPolicyDocumentValidator"): "class",
    ("moto.iam.policy_validation", "IAMTrustPolicyDocumentValidator"): "class",
    ("moto.applicationautoscaling.models", "applicationautoscaling_backends"): "BackendDict",
    ("moto.applicationautoscaling.responses", "ApplicationAutoScalingResponse"): "class",
    ("moto.codecommit.exceptions", "InvalidRepositoryNameException"): "class",
    ("moto.codecommit.models", "CodeCommitBackend"): "class",
    ("moto.codecommit.models", "codecommit_backends"): "BackendDict",
    ("moto.codecommit.responses", "CodeCommitResponse"): "class",
    ("moto.codepipeline.models", "codepipeline_backends"): "BackendDict",
    ("moto.codepipeline.responses", "CodePipelineResponse"): "class",
    ("moto.core.parse", "PROTOCOL_PARSERS"): "dict",
    ("moto.core.parse", "RequestParserError"): "class",
    ("moto.core.request", "Request"): "class",
    ("moto.core.request", "determine_request_protocol"): ("service_model", "content_type"),
    ("moto.core.responses", "ActionResult"): "class",
    ("moto.core.routing", "get_service_router"): "_lru_cache_wrapper",
    ("moto.core.utils", "get_service_model"): "_lru_cache_wrapper",
    ("moto.server", "create_backend_app"): ("service",),
}

#: Attributes that the local account itself adds.
OUR_OWN = {("ministack.services.cloudwatch", "_alarms_are_ours")}

#: Methods that are wrapped or called on moto's classes.
METHODS: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("moto.codecommit.models", "CodeCommitBackend", "create_repository"): ("self", "repository_name", "repository_description"),
    ("moto.codecommit.models", "CodeCommitBackend", "delete_repository"): ("self", "repository_name"),
}


@pytest.mark.parametrize("package", PINNED)
def test_the_emulators_are_the_versions_that_the_hooks_are_for(package: str) -> None:
    assert version(package) == PINNED[package]
    assert f"{package}=={PINNED[package]}" in (LOCAL_ACCOUNT.parent / "requirements.lock").read_text().replace("[", "==").replace("]", "")


#: Describes names in a process without a local account, which would have replaced some of them.
_DESCRIBE = """
import importlib, inspect, json, sys
def describe(dotted):
    module, *names = dotted
    found = importlib.import_module(module)
    for name in names:
        found = getattr(found, name, "nothing")
    if inspect.isclass(found):
        return "class"
    return list(inspect.signature(found).parameters) if inspect.isfunction(found) else type(found).__name__
print(json.dumps([describe(dotted) for dotted in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, ...], Any]:
    """What each hook and method is today."""
    names = [*HOOKS, *METHODS]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "111122223333", "LOG_LEVEL": "WARNING"}
    finished = subprocess.run(
        [sys.executable, "-c", _DESCRIBE], input=json.dumps(names), env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return dict(zip(names, json.loads(finished.stdout), strict=True))


@pytest.mark.parametrize("hook", [*HOOKS, *METHODS], ids=".".join)
def test_hook_is_what_it_was(found: dict[tuple[str, ...], Any], hook: tuple[str, ...]) -> None:
    expected = HOOKS.get(hook[:2]) if len(hook) == 2 else METHODS.get(hook)

    assert found[hook] == (expected if isinstance(expected, str) else list(expected or ())), f"{'.'.join(hook)} has changed since {PINNED}"


def test_moto_accepts_an_account_by_header() -> None:
    """`gateway.py` tells moto the account in a header, so that assumed roles find the same resources."""
    responses = importlib.import_module("moto.core.responses")

    assert '"x-moto-account-id" in self.headers' in inspect.getsource(responses.BaseResponse)


def test_every_private_name_in_use_is_in_the_list() -> None:
    used = {(module, name) for path in LOCAL_ACCOUNT.rglob("*.py") for module, name in private_names(path)}

    assert used
    assert sorted(used - set(HOOKS) - OUR_OWN) == []


def private_names(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of what a file takes from MiniStack and moto: names that it imports, and attributes that begin with `_`."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PINNED:
            for alias in node.names:
                full_name = f"{node.module}.{alias.name}"
                if is_module(full_name):
                    modules[alias.asname or alias.name] = full_name
                else:
                    yield str(node.module), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PINNED:
                    modules[alias.asname or alias.name] = alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and ast.unparse(node.value) in modules:
            yield modules[ast.unparse(node.value)], node.attr


def is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True
