"""IAM's rules, by the worked examples of AWS's user guide; each test names the page that it follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local_account.authorization import policies, principals
from local_account.authorization.evaluation import Decision, decide
from local_account.authorization.policies import policy
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check

ACCOUNT = "111122223333"
Statement = Mapping[str, Any]


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def user(name: str, *statements: Statement, boundary: str | None = None) -> Principal:
    limits = policy("boundary", boundary) if boundary else None
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return Principal(arn, "User", ACCOUNT, (policy("own", document(*statements)),), limits)


def session(role: str, *statements: Statement, boundary: str | None = None, session_policy: str | None = None) -> Principal:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s"
    return Principal(
        arn,
        "AssumedRole",
        ACCOUNT,
        (policy("own", document(*statements)),),
        policy("boundary", boundary) if boundary else None,
        (policy("session", session_policy),) if session_policy else None,
        {"aws:principalarn": f"arn:aws:iam::{ACCOUNT}:role/{role}"},
    )


def ask(
    principal: Principal, action: str, resource: str = "*", own_policy: str | None = None, keys: Mapping[str, Any] | None = None
) -> Decision:
    statements = policies.resource_statements(own_policy) if own_policy else None
    return decide(principal, Check(action, resource, dict(keys or {})), "us-east-1", statements)


# "Example: Evaluating identity-based policies with resource-based policies" (Policy evaluation for requests within a single account).
BUCKETS = "arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar"
CARLOS = user(
    "carlossalazar",
    allow(["s3:GetBucketLocation", "s3:GetAccountPublicAccessBlock", "s3:ListAccessPoints", "s3:ListAllMyBuckets"], "arn:aws:s3:::*"),
    allow("s3:*", [BUCKETS, f"{BUCKETS}/*"]),
    deny("s3:*", "arn:aws:s3:::*log*"),
)
BUCKET_POLICY = document(
    {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/carlossalazar"},
        "Action": "s3:*",
        "Resource": [f"{BUCKETS}-logs", f"{BUCKETS}-logs/*", BUCKETS, f"{BUCKETS}/*"],
    }
)


def test_an_identity_based_allow_is_enough_within_the_account() -> None:
    assert ask(CARLOS, "s3:PutObject", f"{BUCKETS}/file").allowed


def test_an_explicit_deny_overrides_the_buckets_own_policy() -> None:
    decision = ask(CARLOS, "s3:PutObject", f"{BUCKETS}-logs/file", BUCKET_POLICY)
    assert (decision.allowed, decision.explicit, decision.lacking) == (False, True, "identity-based policy")


def test_what_nobody_allows_is_denied() -> None:
    decision = ask(CARLOS, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-bucket-other/file")
    assert (decision.allowed, decision.explicit, decision.lacking) == (False, False, "identity-based policy")


def test_a_resource_based_allow_is_enough_within_the_account() -> None:
    assert ask(user("carlossalazar"), "s3:PutObject", f"{BUCKETS}/file", BUCKET_POLICY).allowed


# "Permissions boundaries for IAM entities": ShirleyRodriguez.
SHIRLEYS_BOUNDARY = document(allow(["s3:*", "cloudwatch:*", "ec2:*"]))


def test_a_boundary_grants_nothing_and_limits_everything() -> None:
    shirley = user("ShirleyRodriguez", allow("iam:CreateUser"), boundary=SHIRLEYS_BOUNDARY)
    refused = ask(shirley, "iam:CreateUser")
    assert (refused.allowed, refused.lacking) == (False, "permissions boundary")
    assert not ask(shirley, "s3:ListBucket").allowed


def test_what_policy_and_boundary_allow_is_allowed() -> None:
    assert ask(user("ShirleyRodriguez", allow("s3:*"), boundary=SHIRLEYS_BOUNDARY), "s3:ListBucket").allowed


# The same page, "Evaluating effective permissions with boundaries", resource-based policies.
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def for_principal(arn: str, action: str = "sqs:SendMessage", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action, "Resource": "*", **more})


@pytest.mark.parametrize(
    ("named", "allowed"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/r", False),  # a role: its boundary limits what the resource allows
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", True),  # the session itself: neither boundary nor session policy limits it
        (f"arn:aws:iam::{ACCOUNT}:root", False),  # the account: its own policies decide
        (f"arn:aws:iam::{ACCOUNT}:role/other", False),
    ],
)
def test_what_a_resource_allows_is_limited_unless_it_names_the_session(named: str, allowed: bool) -> None:
    limited = session("r", boundary=document(allow("s3:*")), session_policy=document(allow("s3:*")))
    assert ask(limited, "sqs:SendMessage", QUEUE, for_principal(named)).allowed is allowed


def test_a_resource_that_names_the_role_allows_it_where_nothing_limits_it() -> None:
    assert ask(session("r"), "sqs:SendMessage", QUEUE, for_principal(f"arn:aws:iam::{ACCOUNT}:role/r")).allowed


def test_a_boundary_does_not_limit_what_a_resource_allows_to_a_user_by_name() -> None:
    """ "… resource-based policies that grant permissions to an IAM user ARN … are not limited by an implicit deny" of the boundary."""
    limited = user("u", boundary=document(allow("s3:*")))
    assert ask(limited, "sqs:SendMessage", QUEUE, for_principal(limited.arn)).allowed


# "Policies and permissions in IAM", session policies: the intersection of the role's and the session's.
def test_a_session_can_do_what_its_role_and_its_session_policy_both_allow() -> None:
    both = session("r", allow(["s3:*", "sqs:*"]), session_policy=document(allow("s3:GetObject")))
    assert ask(both, "s3:GetObject", "arn:aws:s3:::b/k").allowed
    refused = ask(both, "sqs:SendMessage", QUEUE)
    assert (refused.allowed, refused.lacking) == (False, "session policy")


def test_a_deny_in_any_kind_of_policy_denies() -> None:
    everything = allow("*")
    own = session("r", everything)
    assert ask(session("r", everything, deny("s3:*")), "s3:GetObject").explicit
    assert ask(session("r", everything, boundary=document(everything, deny("s3:*"))), "s3:GetObject").lacking == "permissions boundary"
    assert ask(session("r", everything, session_policy=document(everything, deny("s3:*"))), "s3:GetObject").lacking == "session policy"
    denied = document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})
    assert ask(own, "s3:GetObject", "arn:aws:s3:::b/k", denied).lacking == "resource-based policy"


# KMS developer guide, "Key policies": "no AWS principal … has any permissions to a KMS key unless they are explicitly allowed".
def test_a_keys_policy_must_agree() -> None:
    key, allowed_by_policy = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k", session("r", allow("kms:*"))
    others = for_principal(f"arn:aws:iam::{ACCOUNT}:role/other", "kms:*")
    refused = ask(allowed_by_policy, "kms:Decrypt", key, others)
    assert (refused.allowed, refused.lacking) == (False, "resource-based policy")
    assert ask(allowed_by_policy, "kms:Decrypt", key, for_principal(f"arn:aws:iam::{ACCOUNT}:root", "kms:*")).allowed
    assert not ask(session("r"), "kms:Decrypt", key, for_principal(f"arn:aws:iam::{ACCOUNT}:root", "kms:*")).allowed
    assert ask(session("r"), "kms:Decrypt", key, for_principal(f"arn:aws:iam::{ACCOUNT}:role/r", "kms:*")).allowed


def test_not_principal_denies_everybody_else() -> None:
    """ "AWS JSON policy elements: NotPrincipal", with Deny."""
    but = document({"Effect": "Deny", "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}, "Action": "s3:*", "Resource": "*"})
    assert ask(session("r", allow("*")), "s3:GetObject", "arn:aws:s3:::b/k", but).allowed
    assert not ask(session("other", allow("*")), "s3:GetObject", "arn:aws:s3:::b/k", but).allowed


# "Conditions with multiple context keys or values": all keys (AND), any value (OR), none of the values for negated operators.
@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        ({"aws:requesttag/team": "a", "aws:requesttag/cost": "1"}, True),
        ({"aws:requesttag/team": "b", "aws:requesttag/cost": "1"}, True),
        ({"aws:requesttag/team": "c", "aws:requesttag/cost": "1"}, False),
        ({"aws:requesttag/team": "a"}, False),
        ({}, False),
    ],
)
def test_all_keys_must_match_any_of_their_values(keys: Mapping[str, str], allowed: bool) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": ["a", "b"], "aws:RequestTag/cost": "1"}}
    assert ask(user("u", allow("s3:*", Condition=condition)), "s3:CreateBucket", keys=keys).allowed is allowed


@pytest.mark.parametrize(("value", "allowed"), [("a", False), ("b", False), ("c", True), (None, True)])
def test_a_negated_operator_wants_none_of_its_values_and_takes_an_absent_key(value: str | None, allowed: bool) -> None:
    condition = {"StringNotEquals": {"aws:RequestTag/team": ["a", "b"]}}
    keys = {} if value is None else {"aws:requesttag/team": value}
    assert ask(user("u", allow("s3:*", Condition=condition)), "s3:CreateBucket", keys=keys).allowed is allowed


def test_if_exists_takes_an_absent_key() -> None:
    condition = {"StringEqualsIfExists": {"aws:RequestTag/team": "a"}}
    mine = user("u", allow("s3:*", Condition=condition))
    assert ask(mine, "s3:CreateBucket").allowed
    assert not ask(mine, "s3:CreateBucket", keys={"aws:requesttag/team": "b"}).allowed


def test_not_action_and_not_resource_are_all_others() -> None:
    """ "NotAction with Allow" and "NotResource" of the policy elements reference."""
    mine = user("u", {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"})
    assert ask(mine, "s3:GetObject", "arn:aws:s3:::b/k").allowed
    assert not ask(mine, "iam:CreateUser").allowed
    assert not ask(mine, "s3:GetObject", "arn:aws:s3:::secret/k").allowed


def test_actions_match_in_any_case_and_resources_in_their_own() -> None:
    mine = user("u", allow("S3:getobject", "arn:aws:s3:::b/Key"))
    assert ask(mine, "s3:GetObject", "arn:aws:s3:::b/Key").allowed
    assert not ask(mine, "s3:GetObject", "arn:aws:s3:::b/key").allowed


# "The confused deputy problem".
def test_a_service_is_allowed_only_by_the_resource_and_only_for_the_source_that_it_names() -> None:
    mine = document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": QUEUE,
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:111122223333:rule/mine"}},
        }
    )
    events = principals.service("events.amazonaws.com", ACCOUNT, "arn:aws:events:us-east-1:111122223333:rule/mine")
    others = principals.service("events.amazonaws.com", ACCOUNT, "arn:aws:events:us-east-1:111122223333:rule/other")
    sns = principals.service("sns.amazonaws.com", ACCOUNT, "arn:aws:events:us-east-1:111122223333:rule/mine")
    assert ask(events, "sqs:SendMessage", QUEUE, mine, events.keys).allowed
    assert not ask(others, "sqs:SendMessage", QUEUE, mine, others.keys).allowed
    assert not ask(sns, "sqs:SendMessage", QUEUE, mine, sns.keys).allowed
    assert not ask(events, "sqs:SendMessage", QUEUE, None, events.keys).allowed
    assert not ask(session("r"), "sqs:SendMessage", QUEUE, mine).allowed
