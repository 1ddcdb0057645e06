"""What a name in a request means in this account: a role's path, a key behind an alias, a secret's ending; and whose an ARN is.

AWS authorises on the ARN of what is there, which a request need not spell out. Input: names. Output: ARNs. Used by `requests.py`.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from local_account.authorization.actions import ResourceType

_KEY_ID_LENGTH = 36
_MANAGED_KEY = re.compile(r"(arn:aws:kms:[^:]*:[^:]*):(?:alias|key)/(aws/.+)")
#: SQS developer guide, "Queue and message identifiers": a queue's URL has its account.
_QUEUE_URL = re.compile(r"https?://[^/]+/(\d{12})/([^/]+)")


#: A member's value as the ARN's format wants it, by service.
_PLAIN: Mapping[str, Callable[[str], str]] = {
    "sqs": lambda value: value.rsplit("/", 1)[-1],  # of a queue's URL
    "ssm": lambda value: value.lstrip("/"),
    "kms": lambda value: value.removeprefix("alias/"),
    "iam": lambda value: value.lstrip("/"),  # of a path, which ARNs have without its first slash
    "logs": lambda value: value.split(":log-group:")[-1].removesuffix(":*"),
    "lambda": lambda value: value.split("function:")[-1],  # of a partial ARN: Lambda API reference, FunctionName
    "codebuild": lambda value: value.split(":", 1)[0],  # of a build's id
}


class Existing:
    """The account as its policies see it. `tags_elsewhere(arn)` gives the tags of what MiniStack does not keep, as pairs of Key and Value,
    `policy_elsewhere(arn)` the policy of such a resource as text, if it has one. Who keeps them sets both.
    """

    def __init__(self, account_id: str, region: str, at: Callable[[str], Existing | None] | None = None) -> None:
        """`at` gives what there is in this region of another account of the same process."""
        self.account_id, self.region = account_id, region
        self._at = at or (lambda account_id: None)
        self.tags_elsewhere: Callable[[str], Iterable[Mapping[str, str]]] = lambda arn: ()
        self.policy_elsewhere: Callable[[str], str | None] = lambda arn: None

    def account_of(self, arn: str) -> str:
        """The account that a resource belongs to: the one in its ARN, or for a bucket, whose name is global, the one that made it."""
        from ministack.services import s3

        parts = arn.split(":", 5)
        if len(parts) < 6:
            return self.account_id
        if parts[2] == "s3":
            return s3._bucket_owner_account(parts[5].partition("/")[0]) or self.account_id
        return parts[4] if parts[4].isdigit() else self.account_id  # none is in the ARN, or AWS itself is

    def owner(self, arn: str) -> Existing | None:
        """What there is in the account of a resource; None for an account that is not in this process."""
        account_id = self.account_of(arn)
        return self if account_id == self.account_id else self._at(account_id)

    @contextlib.contextmanager
    def around(self, arn: str) -> Iterator[None]:
        """Within the block, MiniStack's records are those of the account and region that a resource is in."""
        from ministack.core.responses import request_scope

        parts = arn.split(":", 5)
        with request_scope(self.account_of(arn), (parts[3] if len(parts) > 3 else "") or self.region):
            yield

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a resource that is there; none for anything else."""
        from ministack.services import tagging

        with self.around(arn):
            found: Mapping[str, str] | None = tagging.resource_tags(arn)
        owner = self.owner(arn)
        return dict(found) if found else {tag["Key"]: tag["Value"] for tag in (owner.tags_elsewhere(arn) if owner else ())}

    def arn_of(self, kind: ResourceType, names: Mapping[str, str]) -> str | None:
        """The ARN of something that is there under a name of its own kind; None for what is named as its format says."""
        value = next(iter(names.values()), "")
        if kind.service in ("iam", "sts"):
            if kind.name == "role" and value.endswith(".amazonaws.com"):
                return f"arn:aws:iam::{self.account_id}:role/aws-service-role/{value}/*"
            return identity(self.account_id, kind.name, value).get("Arn")
        if kind.service == "sqs" and (match := _QUEUE_URL.fullmatch(value)):
            return f"arn:aws:sqs:{self.region}:{match[1]}:{match[2]}"
        if (kind.service, kind.name) == ("cloudformation", "stack") and value.split(":")[-1].startswith("changeSet/"):
            return _stack_of_change_set(value)
        if (kind.service, kind.name) == ("kms", "key"):
            return self.key_arn(value)
        if (kind.service, kind.name.lower()) == ("secretsmanager", "secret"):
            return self._secret_arn(value)
        return None

    def behind(self, kind: ResourceType, arn: str) -> str | None:
        """What an ARN of another type leads to: an alias to its key, a group to all of its versions; None for one that leads nowhere."""
        if (kind.service, kind.name) == ("kms", "key") and ":alias/" in arn:
            return self.key_arn(arn)
        if kind.name == "model-package" and ":model-package-group/" in arn:
            return f"{arn.replace(':model-package-group/', ':model-package/')}/*"
        return None

    def role_arn(self, given: str) -> str:
        """A role that a request gives by its ARN or, where a service takes that, by its name: its path is known if it is there."""
        if given.startswith("arn:"):
            return given
        return str(identity(self.account_id, "role", given).get("Arn") or f"arn:aws:iam::{self.account_id}:role/{given}")

    def as_named(self, kind: ResourceType, arn: str) -> str:
        """An ARN as policies see it: a log group's without the `:*` that some requests end with."""
        return arn.removesuffix(":*") if kind.service == "logs" else arn

    def plain(self, kind: ResourceType, variable: str, value: str) -> str:
        """A member's value as the ARN's format wants it."""
        if kind.service in _PLAIN:
            return _PLAIN[kind.service](value)
        if kind.name == "model-package" and "/" not in value:
            return f"{value}/*"  # a version that has no number yet
        if value.startswith("arn:"):
            return value.split(":")[-1].split("/", 1)[-1]
        return value

    def boundary(self, arn: str) -> str | None:
        """The ARN of the permissions boundary of a role or user, if it has one."""
        kind, _, name = arn.rpartition(":")[2].partition("/")
        given = identity(self.account_of(arn), kind, name).get("PermissionsBoundary")
        return str(given) if given else None

    def key_arn(self, name: str) -> str | None:
        """The key behind an id, an ARN, an alias or a ciphertext; None if there is none. Those of other accounts by ARN and ciphertext."""
        from ministack.services import kms

        if name.startswith("alias/aws/"):
            return f"arn:aws:kms:{self.region}:{self.account_id}:key/{name.removeprefix('alias/')}"
        if managed := _MANAGED_KEY.fullmatch(name):
            return f"{managed[1]}:key/{managed[2]}"
        with self.around(name):
            key: Mapping[str, Any] | None = kms._resolve_key(name) or self._key_of_ciphertext(_key_in(name))
        return str(key["Arn"]) if key else None

    def _key_of_ciphertext(self, key_id: str) -> Mapping[str, Any] | None:
        """Whoever's it is: a ciphertext, unlike a request, cannot name an account's key by its id alone."""
        from ministack.services import kms

        found = (record for (_, region, known), record in list(kms._keys._data.items()) if (region, known) == (self.region, key_id))
        return next(found, None) if key_id else None

    def aliases(self, key_arn: str) -> list[str]:
        """Of a key: KMS developer guide, "kms:ResourceAliases", by which a policy names keys whose ids it does not know."""
        from ministack.services import kms

        key = key_arn.rpartition("/")[2]
        with self.around(key_arn):
            return sorted(str(arn).split(":", 5)[5] for arn, target in list(kms._aliases.items()) if target == key)

    def _secret_arn(self, name: str) -> str | None:
        from ministack.services import secretsmanager

        _, secret = secretsmanager._resolve(name)
        return str(secret["ARN"]) if secret else None


def identity(account_id: str, kind: str, name: str) -> Mapping[str, Any]:
    """A `role` or `user` as MiniStack keeps it, by its name, which may come with its path; empty if there is none."""
    from ministack.services import iam

    if kind not in ("role", "user"):
        return {}
    store = iam._roles if kind == "role" else iam._users
    found: Mapping[str, Any] | None = store.get_scoped(account_id, None, name.rpartition("/")[2])
    return found or {}


def _stack_of_change_set(arn: str) -> str | None:
    from ministack.services.cloudformation import changesets

    _, found = changesets._find_change_set(arn, "")
    return str(found["StackId"]) if found else None


def _key_in(ciphertext: str) -> str:
    """A symmetric ciphertext begins with its key's id."""
    try:
        return base64.b64decode(ciphertext)[:_KEY_ID_LENGTH].decode()
    except ValueError:
        return ""
