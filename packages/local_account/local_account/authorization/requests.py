"""What a request asks permission for: actions, each on a resource, with the context keys that conditions may test.

Input: a `Call` (`api/reading.py`) and where the account is. Output: `Check`s, in the order in which they are asked. Each ARN format
that the reference lists for the action is filled with the members of the request that bear its variables' names (`tables.yaml` has
the exceptions); one of these that is an ARN of the type, or a member that is called an ARN, stands for itself. Next: `evaluation.py`.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local_account.api.reading import Call
from local_account.authorization.actions import Action, ResourceType, action, actions_of, prefix_of, tables
from local_account.authorization.context_keys import Keys, tags_of
from local_account.authorization.existing import Existing

S3_COPIES = ("CopyObject", "UploadPartCopy")
S3_READS = ("GetObject", "HeadObject", "GetObjectAttributes")
#: S3 user guide, "Required permissions": a version is asked for by an action of its own.
_OF_A_VERSION = (
    *("GetObject", "DeleteObject", "GetObjectAcl", "GetObjectAttributes"),
    *("GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"),
)
#: How a member's name ends that holds ARNs, in lower case.
_ARN_ENDINGS = ("arn", "arns", "arnlist")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TAG_ACTIONS = ("tag", "untag", "addtags", "deletetags", "removetags")


@dataclass(frozen=True)
class Check:
    """One question to the policies. `resource` is an ARN or `*`; `keys` are context keys in lower case with their values."""

    action: str
    resource: str = "*"
    keys: Mapping[str, Any] = field(default_factory=dict)


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any] | None = None) -> list[Check]:
    """Every check of a request, without the roles that it passes (`passing.py`) and the keys that it makes a service use (`key_use.py`).

    `given` are context keys that whoever asks knows (`aws:SourceArn` of a rule).
    Raises KeyError for an operation that AWS's reference does not have.
    """
    if (call.service, call.operation) == ("s3", "DeleteObjects"):
        return [check for each in _deletions_of(call) for check in checks_of(existing, each, given)]
    if call.operation == "InvokeEndpoint":  # many a second, and what they are on they say themselves
        asked = list(_of_invocation(existing, tuple(call.parameters.items())))
    else:
        asked = _on_resources(existing, call)
    if tagging := _tag_on_create(call):  # of what is made, not of what it is made of
        made = [resource for _, resource in asked if _is_made(call, resource)]
        asked += [(tagging, resource) for resource in made or [resource for _, resource in asked]]
    if call.service == "s3" and call.operation in S3_COPIES:
        asked.append(_of_the_source(call))
    if call.service == "s3":
        asked += _of_the_missing(call)
    if call.service == "lambda":
        asked += _of_the_code(call)
    if (call.service, call.operation) == ("sagemaker", "CreateModel"):
        asked += _of_packages_elsewhere(existing, call)
    return [Check(action, resource, Keys(call, existing, resource, given or {})) for action, resource in asked]


def _on_resources(existing: Existing, call: Call) -> list[tuple[str, str]]:
    return [(wanted.name, resource) for wanted in _wanted(call) for resource in resources_of(existing, call, wanted)]


@functools.lru_cache(maxsize=256)
def _of_invocation(existing: Existing, parameters: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(_on_resources(existing, Call("sagemaker-runtime", "InvokeEndpoint", dict(parameters))))


def _is_made(call: Call, resource: str) -> bool:
    """An inference component is made on an endpoint, and both are asked for; only what is called like the operation gets the tags."""
    kind = resource.rpartition(":")[2].partition("/")[0].replace("-", "")
    return call.operation.lower() == f"create{kind}"


def _deletions_of(call: Call) -> list[Call]:
    """The single requests that stand for a DeleteObjects: S3 API reference, DeleteObjects, Permissions. Here all may be, or none."""
    objects = (call.parameters.get("Delete") or {}).get("Objects") or ()
    bucket = call.parameters.get("Bucket", "")
    return [Call("s3", "DeleteObject", {"Bucket": bucket, **each}) for each in objects if isinstance(each, Mapping)]


def _wanted(call: Call) -> Iterator[Action]:
    for wanted in actions_of(call.service, call.operation):
        name = wanted.name.removeprefix("s3:")
        if call.service == "s3" and call.parameters.get("VersionId") and name in _OF_A_VERSION:
            yield action("s3", name.replace("Object", "ObjectVersion", 1))
        else:
            yield wanted
    if call.service == "s3" and call.parameters.get("Tagging") and call.operation in ("PutObject", "CopyObject"):
        yield action("s3", "PutObjectTagging")


def resources_of(existing: Existing, call: Call, wanted: Action) -> list[str]:
    """The ARNs that an action is asked on; `*` for an action that is on none, or whose request names none."""
    found: dict[str, None] = {}
    for kind in wanted.types:
        for arn in _of_type(existing, call, kind):
            found[arn] = None
    return list(found) or ["*"]


def _of_type(existing: Existing, call: Call, kind: ResourceType) -> Iterator[str]:
    given = list(dict.fromkeys(value for value in _naming(call, kind) if kind.pattern.fullmatch(value)))
    yield from (existing.as_named(kind, value) for value in given)
    place = {"Partition": "aws", "Region": existing.region, "Account": existing.account_id}
    if not kind.variables and not given:
        yield kind.fill(place)
        return
    found = [_values(call, kind.service, variable) for variable in kind.variables]
    if not found or (given and any(values.are_made_up for values in found)):
        return
    for combination in itertools.product(*(values.given for values in found)):
        if kind.service == "events" and "EventBusName" in kind.variables and len(kind.variables) > 1 and combination[0] == "default":
            continue  # a rule of the default bus has a format of its own
        if len(combination) == 1 and combination[0].startswith("arn:"):  # it stands for itself, or is of another type
            if (leads_to := existing.behind(kind, combination[0])) is not None:
                yield leads_to
            continue
        names = dict(zip(kind.variables, combination, strict=True))
        arn = existing.arn_of(kind, names)
        yield arn or kind.fill({**place, **{variable: existing.plain(kind, variable, value) for variable, value in names.items()}})


def _naming(call: Call, kind: ResourceType) -> Iterator[str]:
    """What may be the ARN of a request's resource: the members that hold the format's variables, and those that are called an ARN.

    Never another member's text, whatever it looks like: a description that is an ARN describes.
    """
    for variable in kind.variables:
        for source in sources(call.service, call.operation, kind.service, variable):
            yield from _at_source(call, source)
    for name, value in call.parameters.items():
        if name.lower().endswith(_ARN_ENDINGS):
            yield from _at(value, ())


@dataclass(frozen=True)
class _Values:
    """`are_made_up`: the request gives none; these are what the service takes then."""

    given: list[str]
    are_made_up: bool = False


def _values(call: Call, service: str, variable: str) -> _Values:
    """What a request gives for a variable of an ARN format; nothing where it gives none."""
    listed = sources(call.service, call.operation, service, variable)
    otherwise = next((source.removeprefix("=") for source in listed if _is_made_up(source)), "")
    for source in listed:
        found = list(_at_source(call, source))
        if any(found):
            return _Values(list(dict.fromkeys(value or otherwise for value in found if value or otherwise)))
    return _Values([otherwise] if otherwise else [], are_made_up=True)


def _is_made_up(source: str) -> bool:
    return source == "*" or source.startswith("=")


def _at_source(call: Call, source: str) -> Iterator[str]:
    """What is at a place that `tables.yaml` names; "" for every item of a list that lacks it."""
    if "{" in source:
        names = _PLACEHOLDER.findall(source)
        if all(call.parameters.get(name) for name in names):
            yield _PLACEHOLDER.sub(lambda match: str(call.parameters[match[1]]), source)
    elif not _is_made_up(source):
        yield from _at(call.parameters, source.split("."))


@functools.cache
def sources(called: str, operation: str, service: str, variable: str) -> Sequence[str]:
    """The members, in order of preference, that may hold a variable's value; names of members begin with either case."""
    names = tables()["names"]
    for table in (names.get(f"{prefix_of(called)}:{operation}", {}), names.get(service, {})):
        if variable in table:
            listed: list[str] = table[variable]
            return listed
    return [variable, variable[:1].lower() + variable[1:]]


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            found = list(_at(item, path))
            yield from found or ([""] if path else ())
    elif path and isinstance(value, Mapping):
        yield from _at(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str | bytes) and value:
        yield value.decode("latin-1") if isinstance(value, bytes) else value


def copy_source(call: Call) -> tuple[str, str, str]:
    """Bucket, key and version of a CopySource, which is split before it is decoded: a key may have a question mark."""
    given = call.parameters.get("CopySource") or ""
    if isinstance(given, Mapping):
        return str(given.get("Bucket")), str(given.get("Key")), str(given.get("VersionId") or "")
    path, _, version = str(given).partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, version


def _of_the_source(call: Call) -> tuple[str, str]:
    """S3 API reference, CopyObject: `s3:GetObject` of the source, or of its version."""
    bucket, key, version = copy_source(call)
    return "s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"


def _of_the_missing(call: Call) -> Iterator[tuple[str, str]]:
    """S3 API reference, GetObject and HeadObject: only who may list a bucket learns that it lacks an object; all others are refused."""
    from ministack.services import s3

    if call.operation in S3_COPIES:
        bucket, key, _ = copy_source(call)
    elif call.operation in S3_READS and not call.parameters.get("VersionId"):
        bucket, key = str(call.parameters.get("Bucket", "")), str(call.parameters.get("Key", ""))
    else:
        return
    found = s3._buckets.get(bucket)
    if found is not None and key not in found.get("objects", {}):
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}"


def _of_the_code(call: Call) -> Iterator[tuple[str, str]]:
    """Lambda API reference, FunctionCode and LayerVersionContentInput: Lambda fetches the code in S3 with the caller's permission."""
    code = call.parameters.get("Code") or call.parameters.get("Content") or call.parameters
    if isinstance(code, Mapping) and code.get("S3Bucket") and code.get("S3Key"):
        action_name = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
        yield action_name, f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}"


def _of_packages_elsewhere(existing: Existing, call: Call) -> Iterator[tuple[str, str]]:
    """SageMaker developer guide, "Deploy a Model Version from a Different Account": its group's policy allows sagemaker:CreateModel."""
    containers = [call.parameters.get("PrimaryContainer"), *(call.parameters.get("Containers") or ())]
    for package in [str(container.get("ModelPackageName") or "") for container in containers if isinstance(container, Mapping)]:
        if existing.account_of(package) != existing.account_id:
            yield "sagemaker:CreateModel", package


def _tag_on_create(call: Call) -> str | None:
    prefix = prefix_of(call.service)
    listed = tables()["tag_on_create"].get(prefix)
    if listed is None or not tags_of(call) or call.operation.lower().startswith(_TAG_ACTIONS):
        return None
    name = listed.get(call.operation) if isinstance(listed, Mapping) else listed
    return f"{prefix}:{name}" if name else None
