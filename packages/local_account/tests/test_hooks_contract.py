"""Every private part of MiniStack and moto that the local account uses, pinned: an upgrade that moves one fails here, by name.

`HOOKS` is the list. What is private is found by rule (`private_parts.py`), and so are the keys of MiniStack's records.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from . import private_parts

LOCAL_ACCOUNT = Path(__file__).parents[1] / "local_account"
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
    ("ministack.app", "app"): ("scope", "receive", "send"),
    ("ministack.core.iam_evaluator", "EvalContext"): "class",
    ("ministack.core.iam_evaluator", "ResolvedCredential"): "class",
    ("ministack.core.iam_evaluator", "_action_matches"): ("request_action", "actions", "not_actions"),
    ("ministack.core.iam_evaluator", "_conditions_met"): ("conditions", "ctx"),
    ("ministack.core.iam_evaluator", "_resolve_condition_key"): ("key", "ctx"),
    ("ministack.core.iam_evaluator", "_names_caller"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_names_caller_directly"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_principal_keys"): ("credential",),
    ("ministack.core.iam_evaluator", "_principal_matches"): ("principal", "caller_arn"),
    ("ministack.core.iam_evaluator", "_resolve_managed_policy_document"): ("policy_arn", "account_id"),
    ("ministack.core.iam_evaluator", "_resource_policy"): ("service", "resource_arn"),
    ("ministack.core.iam_evaluator", "_service_principal_matches"): ("principal", "service"),
    ("ministack.core.iam_evaluator", "find_iam_access_key_account"): ("access_key_id",),
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
    ("ministack.core.responses", "_BOTOCORE_NAME"): "dict",
    ("ministack.core.responses", "_service_model"): "_lru_cache_wrapper",
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
    ("ministack.services.cloudformation.changesets", "_resolve_refs"): (
        "value",
        "resources",
        "params",
        "conditions",
        "mappings",
        "stack_name",
        "stack_id",
    ),
    ("ministack.services.cloudformation.handlers", "_resolve_refs"): (
        "value",
        "resources",
        "params",
        "conditions",
        "mappings",
        "stack_name",
        "stack_id",
    ),
    ("ministack.services.cloudformation.stacks", "_resolve_refs"): (
        "value",
        "resources",
        "params",
        "conditions",
        "mappings",
        "stack_name",
        "stack_id",
    ),
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
    ("ministack.services.cloudformation.stacks", "_evaluate_conditions"): ("template", "params"),
    ("ministack.services.cloudformation.changesets", "_add_event"): (
        "stack_id",
        "stack_name",
        "logical_id",
        "resource_type",
        "status",
        "reason",
        "physical_id",
        "detailed_status",
    ),
    ("ministack.services.cloudformation.handlers", "_add_event"): (
        "stack_id",
        "stack_name",
        "logical_id",
        "resource_type",
        "status",
        "reason",
        "physical_id",
        "detailed_status",
    ),
    ("ministack.services.cloudformation.stacks", "_add_event"): (
        "stack_id",
        "stack_name",
        "logical_id",
        "resource_type",
        "status",
        "reason",
        "physical_id",
        "detailed_status",
    ),
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
    ("ministack.services.eventbridge", "_now_ts"): (),
    ("ministack.services.eventbridge", "_pattern_event_view"): ("event",),
    ("ministack.services.eventbridge", "_put_events"): ("data", "allow_aws_source"),
    ("ministack.services.eventbridge", "_put_permission"): ("data",),
    ("ministack.services.eventbridge", "_rules"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_targets"): "AccountRegionScopedDict",
    ("ministack.services.eventbridge", "_validate_schedule_expression"): ("expr",),
    ("ministack.services.cloudwatch_logs", "_compile_filter_pattern"): ("raw",),
    ("ministack.services.cloudwatch_logs", "_subscription_pattern_matches"): ("pattern", "message"),
    ("ministack.services.cloudwatch_logs", "_log_groups"): "AccountRegionScopedDict",
    ("ministack.services.cloudwatch_logs", "_put_log_events"): ("data",),
    ("ministack.services.lambda_svc", "_emit_lambda_logs"): ("func", "request_id", "log_text", "error", "duration_ms", "log_source"),
    ("ministack.services.lambda_svc", "_GATEWAY_PORT"): "str",
    ("ministack.services.lambda_svc", "_execute_function_dispatch"): ("func", "config", "event", "request_id", "started"),
    ("ministack.services.lambda_svc", "_fetch_code_from_s3"): ("bucket", "key", "version_id"),
    ("ministack.services.iam", "_IAM_HANDLERS"): "dict",
    ("ministack.services.iam", "_access_keys"): "AccountScopedDict",
    ("ministack.services.iam", "_create_user"): ("p",),
    ("ministack.services.iam", "_error"): ("status", "code", "message", "ns"),
    ("ministack.services.iam", "_gen_id"): ("prefix",),
    ("ministack.services.iam", "_now"): (),
    ("ministack.services.iam", "_roles"): "AccountScopedDict",
    ("ministack.services.iam", "_user_inline_policies"): "AccountScopedDict",
    ("ministack.services.iam", "_users"): "AccountScopedDict",
    ("ministack.services.iam", "_xml"): ("status", "root_tag", "inner", "ns"),
    ("ministack.core.iam_evaluator", "_CONDITION_OPS"): "dict",
    ("ministack.services.iam", "_policies"): "AccountScopedDict",
    ("ministack.services.s3", "_SSE_STORED_HEADERS"): "tuple",
    ("ministack.services.s3", "_bucket_encryption"): "AccountScopedDict",
    ("ministack.services.s3", "_multipart_uploads"): "AccountScopedDict",
    ("ministack.services.s3", "_object_versions"): "AccountScopedDict",
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
    ("moto.applicationautoscaling.models", "_target_params_are_valid"): ("namespace", "r_id", "dimension"),
    ("moto.applicationautoscaling.models", "applicationautoscaling_backends"): "BackendDict",
    ("moto.applicationautoscaling.responses", "ApplicationAutoScalingResponse"): "class",
    ("moto.applicationautoscaling.responses", "_build_policy"): ("p",),
    ("moto.applicationautoscaling.responses", "_build_scheduled_action"): ("a",),
    ("moto.applicationautoscaling.responses", "_build_target"): ("t",),
    ("moto.codecommit.exceptions", "InvalidRepositoryNameException"): "class",
    ("ministack.services.eventbridge", "_rules._data"): "dict",
    ("ministack.services.eventbridge", "_targets._data"): "dict",
    ("ministack.services.kms", "_aliases"): "AccountRegionScopedDict",
    ("ministack.services.kms", "_keys._data"): "dict",
    ("ministack.services.scheduler", "_schedules._data"): "dict",
    ("ministack.services.sqs", "_queues._data"): "dict",
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
    ("moto.core.utils", "create_loader"): (),
    ("moto.core.utils", "get_service_model"): "_lru_cache_wrapper",
    ("moto.server", "create_backend_app"): ("service",),
}

#: Attributes that the local account itself adds, and keys of records; a topic's attributes are named by AWS.
OUR_OWN = {("ministack.services.cloudwatch", "_alarms_are_ours"), ("ministack.services.cloudwatch_logs", "_metrics_are_extracted")}
OUR_OWN_KEYS = {
    "ministack.services.cloudformation.handlers": {"_local_role"},
    "ministack.services.cloudformation.changesets": {"_local_role"},
    "ministack.services.cloudformation.provisioners": {"completes"},
    "ministack.services.codebuild": {"logsConfig"},
    "ministack.services.scheduler": {"_local_created"},
    "ministack.services.sns": {"KmsMasterKeyId"},
}
#: Public functions that are called through their module.
CALLED = {
    ("ministack.app", "app"),
    ("ministack.app", "detect_service"),
    ("ministack.core.iam_evaluator", "parse_policy_document"),
    ("ministack.core.lambda_runtime", "subprocess"),
    ("ministack.services.cloudformation.custom_resource", "reset"),
    ("moto.applicationautoscaling.models", "applicationautoscaling_backends"),
    ("moto.codecommit.models", "codecommit_backends"),
    ("moto.codepipeline.models", "codepipeline_backends"),
    ("moto.core.responses", "ActionResult"),
    ("moto.core.utils", "create_loader"),
}

#: Methods that are wrapped, replaced or called on classes.
METHODS: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("botocore.auth", "HmacV1Auth", "_get_date"): ("self",),
    ("ministack.core.responses", "AccountScopedDict", "_scoped"): ("self", "key"),
    ("moto.codecommit.models", "CodeCommitBackend", "create_repository"): ("self", "repository_name", "repository_description"),
    ("moto.codecommit.models", "CodeCommitBackend", "delete_repository"): ("self", "repository_name"),
}


@pytest.mark.parametrize("package", PINNED)
def test_the_emulators_are_the_versions_that_the_hooks_are_for(package: str) -> None:
    assert version(package) == PINNED[package]
    declared = tomllib.loads((LOCAL_ACCOUNT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert re.sub(r"\[.*?\]", "", next(line for line in declared if line.startswith(package))) == f"{package}=={PINNED[package]}"


#: Describes names in a process without a local account, which would have replaced some of them.
_DESCRIBE = """
import importlib, inspect, json, sys
def describe(dotted):
    module, *names = dotted
    found = importlib.import_module(module)
    for name in ".".join(names).split("."):
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


def test_the_list_is_of_every_private_name_in_use_and_of_no_other() -> None:
    used = private_parts.names(LOCAL_ACCOUNT)
    listed = {*HOOKS, *((module, f"{owner}.{name}") for module, owner, name in METHODS if name.startswith("_"))}

    assert sorted(used - listed - OUR_OWN) == []
    assert sorted(set(HOOKS) - used - CALLED) == []


def test_the_records_of_an_emulator_have_the_keys_that_are_read_and_written() -> None:
    """A key that the emulator's own code does not know any more is another name there, or gone."""
    found = private_parts.keys(LOCAL_ACCOUNT)
    unknown = {module: keys - OUR_OWN_KEYS.get(module, set()) - known_texts(module) for module, keys in found.items()}
    assert {module: sorted(keys) for module, keys in unknown.items() if keys} == {}


def known_texts(module: str) -> set[str]:
    """Every text in the code of a service's module or package."""
    spec = importlib.util.find_spec(module)
    assert spec and spec.origin
    origin = Path(spec.origin)
    is_package = origin.name == "__init__.py" or module.count(".") > 2
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (origin.parent.rglob("*.py") if is_package else [origin])]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_rule_finds_what_a_list_of_modules_would_miss(tmp_path: Path) -> None:
    package = tmp_path / "local_account"
    package.mkdir()
    (package / "one.py").write_text(SAMPLE, encoding="utf-8")
    assert private_parts.names(package) == {
        ("botocore.auth", "HmacV1Auth._get_date"),
        ("botocore.signers", "RequestSigner._choose_signer"),
        ("ministack.services.iam", "_groups"),
        ("ministack.services.iam", "_groups._data"),
        ("ministack.services.iam", "_roles"),
    }
    assert private_parts.keys(package) == {"ministack.services.iam": {"Arn", "Users"}}


SAMPLE = """
from botocore.auth import HmacV1Auth
from botocore.signers import RequestSigner

class Signer(RequestSigner):
    def _choose_signer(self, *given):
        return self._own

def date(signer=None):
    signer = HmacV1Auth(None)
    signer._get_date = lambda: "now"

def members():
    from ministack.services import iam
    for group in list(iam._groups._data.values()):
        yield names_in(group)

def names_in(record):
    return record.get("Users")

def arn(name):
    role = find(name)
    return role["Arn"] if role else None

def find(name):
    from ministack.services import iam
    return iam._roles.get(name)
"""
