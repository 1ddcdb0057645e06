"""Quotas: what the app can reach beside what the account has, for every instance type and use, and for builds.

A quota below is found late otherwise: the first training step, endpoint or update is refused with ResourceLimitExceeded.
What others' endpoints in the account and region use counts against the same quota.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from preflight.account import Account
from preflight.endpoints import serverless_concurrency
from preflight.finding import Finding, NotSeenError, Sign, failed, not_seen, passed, unseen
from preflight.needs import SERVERLESS_CONCURRENCY, Need, Use
from preflight.service_quotas import find_quota, open_request, request_command
from preflight.situation import Situation

_SAGEMAKER, _CODEBUILD = "sagemaker", "codebuild"
_CONSOLE = "the console shows them: Service Quotas, "
#: CodeBuild's compute types and environments, as the names of its quotas have them.
_SIZES = {"BUILD_GENERAL1_SMALL": "Small", "BUILD_GENERAL1_MEDIUM": "Medium", "BUILD_GENERAL1_LARGE": "Large"}
_ENVIRONMENTS = {"LINUX_CONTAINER": "Linux", "ARM_CONTAINER": "ARM"}


def check_endpoints(situation: Situation) -> Iterator[Finding]:
    used, unknown = Counter[str](), ""
    try:
        used = used_by_others(situation.account, [fleet.endpoint for fleet in situation.fleets])
    except NotSeenError as error:
        unknown = f"; endpoints of others were not counted ({error.reason})"
    needs = situation.endpoint_needs
    for need in needs:
        yield compare(situation, need, used[need.instance_type], unknown)
    yield from _total(situation, Use.ENDPOINT, needs, used.total())


def check_serverless(situation: Situation) -> Iterator[Finding]:
    """How much all serverless endpoints of an account and region may answer at once; those of others are not counted."""
    needed = serverless_concurrency(situation.stacks, situation.place)
    if needed:
        why = ", ".join(f"{name} {most}" for name, most in needed.items())
        what, less = "serverless concurrency", "or a smaller MaxConcurrency"
        yield _line(situation.account, _SAGEMAKER, SERVERLESS_CONCURRENCY, what, sum(needed.values()), why, 0, less, "")


def check_jobs(situation: Situation) -> Iterator[Finding]:
    for use in (Use.TRAINING, Use.SPOT_TRAINING, Use.PROCESSING, Use.TRANSFORM):
        needs = situation.needs_of(use)
        for need in needs:
            yield compare(situation, need)
        yield from _total(situation, use, needs, 0)


def compare(situation: Situation, need: Need, used: int = 0, note: str = "") -> Finding:
    """One line for a need. `used`: instances of others that count against the same quota."""
    what, name = f"{need.use.label} {need.instance_type}", need.use.quota(need.instance_type)
    return _line(situation.account, _SAGEMAKER, name, what, need.count, need.why, used, _smaller(situation, need.use), note)


def _total(situation: Situation, use: Use, needs: Sequence[Need], used: int) -> Iterator[Finding]:
    """The quota on all types together. Its line is there only where it is known and too low: the others say the rest."""
    try:
        quota = find_quota(situation.account, _SAGEMAKER, use.total_quota) if needs else None
    except NotSeenError:
        return
    wanted = sum(need.count for need in needs)
    if quota is not None and quota["Value"] < wanted + used:
        why = ", ".join(f"{need.instance_type} {need.count}" for need in needs)
        less = _smaller(situation, use)
        yield _line(situation.account, _SAGEMAKER, use.total_quota, f"{use.label}, all types", wanted, why, used, less, "")


def _smaller(situation: Situation, use: Use) -> str:
    return f"or {situation.app.words.smaller.get(use, 'fewer or smaller instances')}"


def check_builds(situation: Situation) -> Iterator[Finding]:
    """CodeBuild refuses a build beyond the quota; a push and a release build at the same time. New accounts may have 1, or 0."""
    pipelines = list(situation.resources("AWS::CodePipeline::Pipeline"))
    wanted = sum(any(_builds(action) for stage in item["Stages"] for action in stage["Actions"]) for _, _, item in pipelines)
    environments = [item["Environment"] for _, _, item in situation.resources("AWS::CodeBuild::Project")]
    for kind in sorted({(item["Type"], item["ComputeType"]) for item in environments}):
        if kind[0] not in _ENVIRONMENTS or kind[1] not in _SIZES:
            yield unseen("builds", f"which quota counts {kind[0]} {kind[1]} is not known here", f"{_CONSOLE}AWS CodeBuild")
            continue
        name = f"Concurrently running builds for {_ENVIRONMENTS[kind[0]]}/{_SIZES[kind[1]]} environment"
        why = "one in each pipeline at once"
        line = _line(situation.account, _CODEBUILD, name, f"builds {_ENVIRONMENTS[kind[0]]}/{_SIZES[kind[1]]}", wanted, why, 0, "", "")
        yield _if_none(situation.account, name, line)


def _if_none(account: Account, name: str, line: Finding) -> Finding:
    """Fewer builds at once than pipelines is no failure as long as there is one: builds that do not meet succeed."""
    quota = find_quota(account, _CODEBUILD, name) if line.sign is Sign.FAILED else None
    if quota is None or quota["Value"] < 1:
        return line
    return passed(line.what, f"{line.found}; a build that meets another one fails", line.advice, *line.commands)


def _builds(action: dict[str, dict[str, str]]) -> bool:
    return action["ActionTypeId"]["Provider"] == "CodeBuild"


def _line(account: Account, service: str, name: str, what: str, wanted: int, why: str, used: int, less: str, note: str) -> Finding:
    needed = f"needs {wanted} ({why})" + (f", others use {used}" if used else "")
    try:
        quota = find_quota(account, service, name)
    except NotSeenError as error:
        return not_seen(what, NotSeenError(f"{needed}; {error.reason}", error.permission))
    if quota is None:
        return unseen(what, f"{needed}; Service Quotas does not list '{name}' here", "ask AWS support whether the region has it")
    has = f"{quota['Value']:g}"
    if quota["Value"] >= wanted + used:
        return passed(what, f"has {has}, {needed}{note}")
    if not quota.get("Adjustable", True):
        return failed(what, f"has {has}, {needed}{note}", f"this quota cannot be raised; {less}".rstrip("; "))
    asked = open_request(account, quota)
    if asked:
        return failed(what, f"has {has}, {needed}{note}", f"wait for AWS: {asked}; {less}".rstrip("; "))
    return failed(what, f"has {has}, {needed}{note}", f"ask for more, {less}".rstrip(", "), request_command(quota, wanted + used))


def used_by_others(account: Account, ours: Sequence[str]) -> Counter[str]:
    """Instances by type of the endpoints in this account and region that are not the app's. Raises NotSeenError."""
    used: Counter[str] = Counter()
    for summary in account.read_all("sagemaker", "list_endpoints", "Endpoints"):
        if summary["EndpointName"] in ours:
            continue
        endpoint = account.find("sagemaker", "describe_endpoint", EndpointName=summary["EndpointName"])
        config = endpoint and account.find("sagemaker", "describe_endpoint_config", EndpointConfigName=endpoint["EndpointConfigName"])
        types = {item["VariantName"]: item.get("InstanceType") for item in (config or {}).get("ProductionVariants", [])}
        for variant in (endpoint or {}).get("ProductionVariants", []):
            if instance_type := types.get(variant["VariantName"]):  # a serverless variant has none
                used[instance_type] += max(variant.get("CurrentInstanceCount", 0), variant.get("DesiredInstanceCount", 0))
    return used
