"""The context keys of a request, worked out when a condition asks for one.

Global keys: IAM user guide, "AWS global condition context keys". A service's key takes its value from the member of its own name
(`cloudwatch:namespace` from `Namespace`), wherever the operation's model has one; `_MEMBERS` has those with another. What a caller
names, such as the entries of a map, is no member and gives no key. Next: `evaluation.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.reading import Call, input_shape, model
from local_account.authorization.actions import prefix_of
from local_account.authorization.existing import Existing

#: Service's key in lower case without its prefix -> the members that hold its value, in lower case.
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "sagemaker:instancetypes": ("instancetype",),
    "sagemaker:acceleratortypes": ("acceleratortype",),
    "sagemaker:networkisolation": ("enablenetworkisolation",),
    "sagemaker:intercontainertrafficencryption": ("enableintercontainertrafficencryption",),
    "sagemaker:vpcsubnets": ("subnets",),
    "sagemaker:vpcsecuritygroupids": ("securitygroupids",),
    "sagemaker:volumekmskeyarn": ("volumekmskeyid",),
    "sagemaker:outputkmskeyarn": ("kmskeyid",),
    "sagemaker:modelarn": ("modelname",),
    "s3:x-amz-server-side-encryption": ("serversideencryption",),
    "s3:x-amz-server-side-encryption-aws-kms-key-id": ("ssekmskeyid",),
    "kms:granteeprincipal": ("granteeprincipal",),
    "lambda:functionarn": ("functionname",),
    "codepipeline:pipeline": ("pipelinename",),
}
#: The key's last part names an entry of a map.
_MAPS: Mapping[str, str] = {
    "kms:encryptioncontext:": "encryptioncontext",
    "sagemaker:customermetadataproperties/": "customermetadataproperties",
}
#: This port stands for the services' TLS endpoints, which a client on the same machine reaches without one.
_OF_EVERY_REQUEST: Mapping[str, Any] = {
    "s3:tlsversion": "1.3",
    "s3:signatureversion": "AWS4-HMAC-SHA256",
    "s3:authtype": "REST-HEADER",
    "aws:viaawsservice": "false",  # unless whoever asks says so
}
_RESOURCE_TAG = re.compile(r"(?:aws|[a-z0-9-]+):resourcetag/(.+)")


class Keys(dict[str, Any]):
    """Context keys of one request on one resource. `given` (lower case) are those that whoever asks knows better than the request."""

    def __init__(self, call: Call, existing: Existing, resource: str, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self._call, self._existing, self._resource = call, existing, resource

    def __contains__(self, key: object) -> bool:
        return self.get(str(key)) is not None

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, a list for a key that has several; `default` for a key that this request does not have."""
        if not super().__contains__(key):
            self[key] = self._work_out(key)
        found = super().__getitem__(key)
        return default if found is None else found

    def _work_out(self, key: str) -> Any:
        if key in _OF_EVERY_REQUEST:
            return _OF_EVERY_REQUEST[key]
        if key == "aws:tagkeys":
            return tag_keys(self._call) or None
        if key.startswith("aws:requesttag/"):
            return next((value for name, value in tags_of(self._call) if name.lower() == key[len("aws:requesttag/") :]), None)
        if key == "kms:calleraccount":
            return self._existing.account_id
        if key in ("aws:resourceaccount", "s3:resourceaccount"):
            return self._existing.account_of(self._resource)
        if key == "kms:requestalias":
            name = str(self._call.parameters.get("KeyId", ""))
            return name if name.startswith("alias/") else None
        if key == "kms:resourcealiases":
            return self._existing.aliases(self._resource) or None
        if key == "iam:permissionsboundary" and not self._call.parameters.get("PermissionsBoundary"):
            return self._existing.boundary(self._resource)
        if match := _RESOURCE_TAG.fullmatch(key):
            found = {name.lower(): value for name, value in self._existing.tags(self._resource).items()}
            return found.get(match[1])
        return _from_members(self._call, key)


def _from_members(call: Call, key: str) -> Any:
    if key.partition(":")[0] != prefix_of(call.service) or call.operation not in model(call.service).operation_names:
        return None  # no request says this of itself
    shape = input_shape(call.service, call.operation)
    for prefix in _MAPS:
        if key.startswith(prefix):
            entries = next(iter(named(shape, call.parameters, members_of(key))), None)
            lowered = {str(name).lower(): value for name, value in entries.items()} if isinstance(entries, Mapping) else {}
            return lowered.get(key.removeprefix(prefix))
    found: list[str] = []
    for value in named(shape, call.parameters, members_of(key)):
        found += [_text(item) for item in value] if isinstance(value, list) else [_text(value)]
    return found if len(found) > 1 else (found[0] if found else None)


def members_of(key: str) -> tuple[str, ...]:
    """The members, in lower case, from which a service's key takes its value."""
    in_map = next(((member,) for prefix, member in _MAPS.items() if key.startswith(prefix)), None)
    return in_map or _MEMBERS.get(key, (key.partition(":")[2].replace("-", ""),))


def named(shape: Any, value: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """The values of all members of these names, the nearest first. What the model does not have is none, nor is what is in a map."""
    if shape is None:
        return
    if shape.type_name == "structure" and isinstance(value, Mapping):
        known = [(name, item, shape.members[name]) for name, item in value.items() if name in shape.members and item is not None]
        yield from (item for name, item, _ in known if name.lower() in names)
        for _, item, member in known:
            yield from named(member, item, names)
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from named(shape.member, item, names)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def tags_of(call: Call) -> list[tuple[str, str]]:
    """The tags that a request gives to a resource: a list of pairs, or a map."""
    given = call.parameters.get("Tags") or call.parameters.get("tags") or ()
    if isinstance(given, Mapping):
        return [(str(name), str(value)) for name, value in given.items()]
    lowered = [{str(name).lower(): value for name, value in tag.items()} for tag in given if isinstance(tag, Mapping)]
    return [(str(tag.get("key", tag.get("tagkey", ""))), str(tag.get("value", tag.get("tagvalue", "")))) for tag in lowered]


def tag_keys(call: Call) -> list[str]:
    removed = call.parameters.get("TagKeys") or call.parameters.get("tagKeys") or ()
    return [name for name, _ in tags_of(call)] + [str(name) for name in removed]
