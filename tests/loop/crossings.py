"""Every statement of a project's policies that lets something in one account or region be used from another, found by rule.

In: clients of each account and region. Out: `Crossing`s, in the policies of resources and of roles as CloudFormation has made them. A new
grant of the templates is found without naming it here. For test_three_accounts.py.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from local_account.authorization.usage import Role, as_list

Document = Mapping[str, Any]
Client = Callable[[str], Any]
#: What a service says of a resource that has no policy.
_NO_POLICY = ("NoSuchBucketPolicy", "ResourceNotFoundException", "ValidationException")


@dataclass(frozen=True)
class Policy:
    """Of a resource in an account and region; `put` replaces it."""

    kind: str
    arn: str
    place: tuple[str, str]
    document: Document
    put: Callable[[Document], object]


@dataclass(frozen=True, eq=False)
class Crossing:
    """One action of one statement of a policy: of a resource's or, where `role` is given, of that role's own."""

    kind: str
    holder: str
    policy: str
    index: int
    action: str
    statement: Document
    role: Role | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.holder.rsplit(':', 1)[-1]}: {self.statement.get('Sid', self.index)}, {self.action}"

    def taken_from(self, document: Document) -> Document:
        """The document without this action."""
        left = [dict(item) for item in _listed(document)]
        others = [action for action in as_list(left[self.index]["Action"]) if action != self.action]
        left[self.index : self.index + 1] = [{**left[self.index], "Action": others}] if others else []
        return {**document, "Statement": left}


def policies(stacks: Sequence[str], account: str, region: str, client: Client) -> Iterator[Policy]:
    """Of everything that these stacks of an account and region have made and that can have one, each once."""
    seen: set[str] = set()
    for stack in stacks:
        for resource in client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]:
            read = _READERS.get(resource["ResourceType"])
            if read is not None:
                with _nothing_without_a_policy():
                    arn, document, put = read(client, resource["PhysicalResourceId"], account, region)
                    if document and arn not in seen:
                        seen.add(arn)
                        yield Policy(resource["ResourceType"].split("::")[1].lower(), arn, (account, region), document, put)


def of_resources(found: Sequence[Policy]) -> Iterator[Crossing]:
    """Statements that name another account than the resource's."""
    for policy in found:
        for index, item in enumerate(_listed(policy.document)):
            named = {part for text in _principals(item) for part in re.findall(r"\b\d{12}\b", text)}
            if item["Effect"] == "Allow" and named - {policy.place[0]}:
                yield from (Crossing(policy.kind, policy.arn, "", index, action, item) for action in as_list(item["Action"]))


def of_roles(roles: Sequence[Role], places: Mapping[str, tuple[str, str]], buckets: Mapping[str, tuple[str, str]]) -> Iterator[Crossing]:
    """Statements of which a resource is in another account or region than the role's stack. `places`: by stack; `buckets`: by name."""
    for role in roles:
        for name, document in role.documents.items():
            for index, item in enumerate(_listed(document)):
                resources = as_list(item.get("Resource"))
                if item["Effect"] == "Allow" and any(_is_elsewhere(arn, places[role.stack], buckets) for arn in resources):
                    yield from (Crossing("role", role.arn, name, index, action, item, role) for action in as_list(item["Action"]))


def without(role: Role, crossing: Crossing) -> Role:
    """The role after that action was taken away."""
    return replace(role, documents={**role.documents, crossing.policy: crossing.taken_from(role.documents[crossing.policy])})


@contextlib.contextmanager
def taken_away(found: Sequence[Policy], lacking: Sequence[Crossing]) -> Iterator[None]:
    """Within the block the resources' policies lack these statements."""
    concerned = [policy for policy in found if policy.arn in {crossing.holder for crossing in lacking}]
    for policy in concerned:
        gone = {crossing.index for crossing in lacking if crossing.holder == policy.arn}
        policy.put({**policy.document, "Statement": [item for index, item in enumerate(_listed(policy.document)) if index not in gone]})
    try:
        yield
    finally:
        for policy in concerned:
            policy.put(policy.document)


def _is_elsewhere(arn: str, here: tuple[str, str], buckets: Mapping[str, tuple[str, str]]) -> bool:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return False  # `*`
    account, region = parts[4], parts[3]
    if parts[2] == "s3":
        account, region = buckets.get(parts[5].split("/")[0], here)
    return (account or here[0]) != here[0] or (region or here[1]) != here[1]


def _principals(statement: Document) -> list[str]:
    principal = statement.get("Principal") or {}
    return as_list(principal.get("AWS")) if isinstance(principal, Mapping) else []


def _listed(document: Document) -> list[Document]:
    listed = document.get("Statement", [])
    return [listed] if isinstance(listed, Mapping) else list(listed)


@contextlib.contextmanager
def _nothing_without_a_policy() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_POLICY:
            raise


# ------------------------------------------------------------------- by type: ARN, policy, and what replaces it

Read = tuple[str, Document, Callable[[Document], object]]


def _bucket(client: Client, name: str, account: str, region: str) -> Read:
    s3 = client("s3")
    document = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    return f"arn:aws:s3:::{name}", document, lambda new: s3.put_bucket_policy(Bucket=name, Policy=json.dumps(new))


def _key(client: Client, identifier: str, account: str, region: str) -> Read:
    kms = client("kms")
    document = json.loads(kms.get_key_policy(KeyId=identifier, PolicyName="default")["Policy"])
    arn = kms.describe_key(KeyId=identifier)["KeyMetadata"]["Arn"]
    return arn, document, lambda new: kms.put_key_policy(KeyId=identifier, PolicyName="default", Policy=json.dumps(new))


def _topic(client: Client, arn: str, account: str, region: str) -> Read:
    sns = client("sns")
    document = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy", "{}"))
    return arn, document, lambda new: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(new))


def _queue(client: Client, url: str, account: str, region: str) -> Read:
    sqs = client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    document = json.loads(attributes.get("Policy", "{}"))
    return attributes["QueueArn"], document, lambda new: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(new)})


def _function(client: Client, name: str, account: str, region: str) -> Read:
    document = json.loads(client("lambda").get_policy(FunctionName=name)["Policy"])
    return f"arn:aws:lambda:{region}:{account}:function:{name}", document, _is_not_replaced


def _group(client: Client, given: str, account: str, region: str) -> Read:
    sagemaker, name = client("sagemaker"), given.rsplit("/", 1)[-1]
    document = json.loads(sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)["ResourcePolicy"])
    arn = f"arn:aws:sagemaker:{region}:{account}:model-package-group/{name}"
    return arn, document, lambda new: sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=json.dumps(new))


def _bus(client: Client, identifier: str, account: str, region: str) -> Read:
    events = client("events")
    described = events.describe_event_bus()
    return described["Arn"], json.loads(described.get("Policy", "{}")), lambda new: _put_bus(events, new)


def _put_bus(events: Any, document: Document) -> None:
    if document["Statement"]:
        events.put_permission(Policy=json.dumps(document))
    else:
        events.remove_permission(RemoveAllPermissions=True)


def _trust(client: Client, name: str, account: str, region: str) -> Read:
    iam = client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    # A trust policy has at least one statement: then nobody but the role's own account is named.
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}

    def put(new: Document) -> None:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps({**new, "Statement": new["Statement"] or [own]}))

    return role["Arn"], role["AssumeRolePolicyDocument"], put


def _is_not_replaced(document: Document) -> None:
    raise NotImplementedError("a function's policy is changed statement by statement")


_READERS: Mapping[str, Callable[[Client, str, str, str], Read]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::KMS::Key": _key,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::Lambda::Function": _function,
    "AWS::SageMaker::ModelPackageGroup": _group,
    "AWS::Events::EventBusPolicy": _bus,
    "AWS::IAM::Role": _trust,
}
