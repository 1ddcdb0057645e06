"""Writes docs/parity.md: what the local account enforces as AWS does, what it simplifies, what it has not, and what only AWS can show.

    make parity

Nothing in the page is written by hand. What holds is the first sentence of each test module; what is simplified are the reasons in
`local_account/api/lists/` and the paragraphs of decisions that say so; what is not there is counted against botocore's models; what only
a real account can show are the tests and the facts of tests/aws, and the grants of tests/infra/unused_grants.py that AWS alone uses.
tests/journeys/test_parity.py fails when the page is another one. Output: the page, also as text (`page`).
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "parity.md"
LISTS = ROOT / "packages" / "local_account" / "local_account" / "api" / "lists"
_TESTS = ROOT / "tests"

#: Topic -> the test modules that show it: `local_account/` is that package's tests, others are below tests/.
#: Each module of packages/local_account/tests is in one, or in `OWN`.
TOPICS: Mapping[str, Sequence[str]] = {
    "Shapes of requests and answers": (
        "local_account/test_shapes.py",
        "local_account/test_shapes_on_behalf.py",
        "local_account/test_members.py",
        "local_account/test_sagemaker_members.py",
        "local_account/test_sagemaker_api.py",
        "local_account/test_sagemaker_refusals.py",
        "local_account/test_what_services_refuse.py",
        "local_account/test_page_tokens.py",
        "local_account/test_answers.py",
    ),
    "Identity": (
        "local_account/authorization/test_identities.py",
        "local_account/authorization/test_sessions.py",
        "local_account/authorization/test_stack_roles.py",
    ),
    "Authorisation": (
        "local_account/authorization/test_one_meaning.py",
        "local_account/authorization/test_checked_resource.py",
        "local_account/authorization/test_policy_documents.py",
        "local_account/authorization/test_policy_evaluation.py",
        "local_account/authorization/test_services_permissions.py",
        "local_account/authorization/test_stack_permissions.py",
        "local_account/authorization/test_key_use.py",
        "local_account/authorization/test_required_permissions.py",
        "local_account/authorization/test_refusals.py",
        "journeys/test_missing_permissions.py",
        "infra/test_deployment_roles.py",
        "infra/test_condition_keys.py",
        "infra/test_other_projects.py",
        "loop/test_the_loop.py",
    ),
    "CloudFormation": (
        "local_account/test_templates.py",
        "local_account/test_conditions.py",
        "local_account/test_properties.py",
        "journeys/test_templates.py",
        "local_account/test_schemas.py",
        "local_account/test_cloudformation.py",
        "local_account/test_change_sets.py",
        "local_account/test_exports.py",
        "local_account/test_stack_outputs.py",
        "local_account/test_stack_status.py",
        "local_account/test_foreign_app.py",
    ),
    "CodeCommit, CodeConnections, CodeBuild, CodePipeline": (
        "local_account/test_git.py",
        "local_account/test_connections.py",
        "local_account/test_connections_pipelines.py",
        "local_account/test_connections_triggers.py",
        "local_account/test_connections_cdk.py",
        "local_account/test_codebuild.py",
        "local_account/test_codepipeline.py",
        "local_account/test_codepipeline_concurrency.py",
    ),
    "Containers: training, processing, serving": (
        "journeys/test_container_code.py",
        "local_account/test_model_server.py",
        "local_account/test_jobs.py",
        "local_account/test_several_instances.py",
        "local_account/test_opt_ml.py",
        "local_account/test_tuning.py",
        "local_account/test_transform.py",
        "journeys/test_reproduce_and_batch.py",
    ),
    "SageMaker Pipelines and the registry": (
        "local_account/test_expressions.py",
        "local_account/test_interpreter.py",
        "local_account/test_lambda_steps.py",
        "local_account/test_caching.py",
        "journeys/test_bad_input_pipeline.py",
        "journeys/test_watch.py",
        "local_account/test_registry.py",
    ),
    "Endpoints, deployments, scaling": (
        "local_account/test_endpoints.py",
        "local_account/test_serverless.py",
        "local_account/test_multi_model.py",
        "local_account/test_components.py",
        "local_account/test_own_image.py",
        "local_account/test_asynchronous.py",
        "local_account/test_rollout.py",
        "local_account/test_routing.py",
        "local_account/test_shadows.py",
        "local_account/test_takeover.py",
        "local_account/test_data_capture.py",
        "local_account/test_other_invocations.py",
        "local_account/test_scaling.py",
        "journeys/test_scaling_day.py",
        "journeys/test_kinds.py",
        "loop/test_ways_back.py",
        "loop/test_tried_versions.py",
        "loop/test_released_kinds.py",
    ),
    "Events, schedules, metrics, alarms": (
        "local_account/test_events.py",
        "local_account/test_scheduler.py",
        "local_account/test_metrics.py",
        "local_account/test_metrics_services.py",
        "local_account/test_function_logs.py",
        "local_account/test_endpoint_logs.py",
        "local_account/test_alarms.py",
    ),
    "Names and limits": (
        "infra/test_pipeline_permissions.py",
        "steps/test_registry_text.py",
        "pipelines/test_container_versions.py",
    ),
    "Encryption": ("local_account/test_s3_encryption.py",),
    "Several accounts and regions": (
        "local_account/test_several_accounts.py",
        "local_account/test_several_accounts_grants.py",
        "local_account/test_several_accounts_cdk.py",
        "local_account/test_several_accounts_pipelines.py",
        "local_account/test_several_accounts_sagemaker.py",
        "loop/test_three_accounts.py",
        "journeys/test_fleet.py",
        "journeys/test_multi_model_fleet.py",
    ),
}
#: Modules of packages/local_account/tests about the emulator itself, which has no counterpart in AWS.
OWN = (
    *("test_alarms_hooks", "test_client_environment", "test_clock", "test_codepipeline_stop", "test_endpoints_stop", "test_full_disk"),
    *("test_gateway", "test_gateway_refusals", "test_hooks_contract", "test_no_process_escapes", "test_stop_signal"),
)
#: How a paragraph of a decision begins that says what the local account does otherwise.
_OTHERWISE = re.compile(r"\*\*(Simplified|Not asked|What remains|What the local account still does differently)\.?\*\*")
#: Decisions whose paragraph is about the template itself.
_ABOUT_THE_TEMPLATE = ("0060",)


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *_last_run(), *_enforced(), *_simplified(), *_missing(), *_only_aws()]) + "\n"


_HEAD = """# The local account and AWS

What passes in the local account passes in AWS as far as this page says so. It is made from the tests, by `make parity`; nothing in it is
written by hand, and a test fails when it is out of date.

1. [Enforced as in AWS](#enforced-as-in-aws): refused here in AWS's words, because AWS refuses it
2. [Simplified](#simplified): taken, and nothing here depends on it
3. [Not there](#not-there): answered with `NotImplemented`, by name
4. [What only a real account can show](#what-only-a-real-account-can-show)"""


def _last_run() -> Iterator[str]:
    when = _module(_TESTS / "aws" / "facts.py").LAST_RUN
    answer = f"Yes, last on {when}." if when else "No: nobody has run `pytest tests/aws --aws` yet."
    yield f"\n**Has it been run against a real account?** {answer} What is known of AWS comes from what AWS publishes: botocore's"
    yield "models, CloudFormation's schemas, the Service Authorization Reference, the containers' code, the user guides."


def _enforced() -> Iterator[str]:
    yield "\n## Enforced as in AWS\n"
    yield "Each line is what a test module claims; its tests are the details, and their names read as sentences.\n"
    yield "| topic | what holds | tests |"
    yield "|---|---|---|"
    for topic, modules in TOPICS.items():
        for place, module in enumerate(modules):
            path = where(module)
            link = path.relative_to(ROOT).as_posix()
            yield f"| {topic if place == 0 else ''} | {_cell(claim(path))} | [{path.name}](../{link}) |"


def _simplified() -> Iterator[str]:
    yield "\n## Simplified\n"
    yield "What may be sent and changes nothing here, with the reason. The lists are what the port checks each request against"
    yield "([tests](../packages/local_account/tests/test_members.py)).\n"
    yield "| service | members | why nothing depends on them |"
    yield "|---|---|---|"
    for service, document in _lists().items():
        for reason, members in _by_reason(document.get("stored") or {}).items():
            yield f"| {service} | {_code(members)} | {_cell(reason)} |"
    yield "\nOf these members some values only; others are refused by name:\n"
    yield "| service | member | values |"
    yield "|---|---|---|"
    for service, document in _lists().items():
        for member, values in (document.get("values") or {}).items():
            yield f"| {service} | {_code([member])} | {_code(str(values).split())} |"
    yield "\nOther differences, with the decision that has them:\n"
    for path, text in _paragraphs():
        yield f"- {text} ([decision {int(path.name[:4])}](decisions/{path.name}))"


def _missing() -> Iterator[str]:
    yield "\n## Not there\n"
    yield "Services that are not in this table are not there at all. An operation that is missing, and a member that nothing would act on,"
    yield "is answered with `NotImplemented` and its name ([tests](../packages/local_account/tests/test_members.py)).\n"
    yield "| service | operations there | of AWS's |"
    yield "|---|---|---|"
    for service, document in _lists().items():
        there = [name for name in document["operations"] if "." not in name]
        yield f"| {service} | {len(there)} | {_operations_of(service)} |"


def _only_aws() -> Iterator[str]:
    yield "\n## What only a real account can show\n"
    yield "Tests for it, which cost cents: `pytest tests/aws --aws`, with credentials and a deployed project.\n"
    yield "| what | test |"
    yield "|---|---|"
    for path in sorted((_TESTS / "aws").glob("test_*.py")):
        for name in _tests_of(path):
            yield f"| {_sentence(name)} | [{path.name}](../tests/aws/{path.name}) |"
    yield "\nFacts that the template relies on, from what AWS publishes ([the list](../tests/aws/facts.py)):\n"
    yield "| taken for a fact | from | a real account shows it by |"
    yield "|---|---|---|"
    for fact in _module(_TESTS / "aws" / "facts.py").FACTS:
        yield f"| {_cell(fact.claim)} | {_cell(fact.source)} | {_cell(fact.shown_by)} |"
    yield "\nPermissions that AWS asks for by its guides, where the local account does not. Whether AWS needs each of them, and no other,"
    yield "only a deployment shows ([the table](../tests/infra/unused_grants.py), held against the templates and the loop):\n"
    yield "| for | actions | why |"
    yield "|---|---|---|"
    grants = _module(_TESTS / "infra" / "unused_grants.py")
    for entry in (*grants.UNUSED, *grants.OF_FLEETS):
        if entry.kind == grants.ONLY_AWS:
            yield f"| {_cell(entry.whose)} | {_code([_glob(entry.actions)])} | {_cell(entry.reason)} |"
    yield "\nAnd by its nature: quotas, capacity of instance types, prices, how long anything takes, how soon a changed policy counts, and"
    yield "the image's own system libraries."


# ------------------------------------------------------------------------------------------ what it is made from


def where(module: str) -> Path:
    """The file of a module of `TOPICS`."""
    package, _, rest = module.partition("/")
    return ROOT / "packages" / package / "tests" / rest if package == "local_account" else _TESTS / module


def claim(path: Path) -> str:
    """First sentence, or sentences up to a blank line, of a test module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def _tests_of(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_s_", "'s ").replace("_", " ")


def _lists() -> dict[str, Any]:
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(LISTS.glob("*.yaml"))}


def _by_reason(stored: Mapping[str, str]) -> dict[str, list[str]]:
    """Members by their reason; `the same` is that of the member before."""
    grouped: dict[str, list[str]] = defaultdict(list)
    last = ""
    for member, reason in stored.items():
        last = last if reason == "the same" else reason
        grouped[last].append(member)
    return grouped


def _paragraphs() -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        if path.name.startswith(_ABOUT_THE_TEMPLATE):
            continue
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            if _OTHERWISE.match(paragraph):
                text = " ".join(_OTHERWISE.sub("", paragraph, count=1).lstrip(" :,").split())
                yield path, text[:1].upper() + text[1:]


def _operations_of(service: str) -> int:
    from botocore.session import Session

    return len(Session().get_service_model(service).operation_names)


def _module(path: Path) -> Any:
    """A module by its path: a folder named `tests` may also be installed."""
    specification = importlib.util.spec_from_file_location(f"parity_{path.stem}", path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def _glob(pattern: str) -> str:
    """A regular expression as people write actions: `logs:*`."""
    for expression, sign in ((r"[\w-]+", "*"), (r"\w+", "*"), (r"\*", "*"), ("[GS]et", "(Get|Set)"), ("**", "*")):
        pattern = pattern.replace(expression, sign)
    return pattern


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name.replace('|', chr(92) + '|')}`" for name in names)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
