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


ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    ("spared", "is_spared"),
    [
        ([f"arn:aws:iam::{ACCOUNT}:role/r", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", ROOT], True),
        ([f"arn:aws:iam::{ACCOUNT}:role/r", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", ACCOUNT], True),
        ([f"arn:aws:iam::{ACCOUNT}:role/r"], False),
        ([f"arn:aws:iam::{ACCOUNT}:role/r", ROOT], False),
        ([f"arn:aws:iam::{ACCOUNT}:role/r", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"], False),
        ([f"arn:aws:iam::{ACCOUNT}:role/other", ROOT], False),
    ],
)
def test_not_principal_spares_a_session_whose_role_and_account_are_listed_too(spared: list[str], is_spared: bool) -> None:
    """ "AWS JSON policy elements: NotPrincipal", with Deny."""
    but = document({"Effect": "Deny", "NotPrincipal": {"AWS": spared}, "Action": "s3:*", "Resource": "*"})
    assert ask(session("r", allow("*")), "s3:GetObject", "arn:aws:s3:::b/k", but).allowed is is_spared


@pytest.mark.parametrize(("account", "is_spared"), [([ROOT], True), ([], False)])
def test_not_principal_spares_a_user_whose_account_is_listed_too(account: list[str], is_spared: bool) -> None:
    spared = [f"arn:aws:iam::{ACCOUNT}:user/u", *account]
    but = document({"Effect": "Deny", "NotPrincipal": {"AWS": spared}, "Action": "s3:*", "Resource": "*"})
    assert ask(user("u", allow("*")), "s3:GetObject", "arn:aws:s3:::b/k", but).allowed is is_spared


# "IAM policy elements: Variables and tags".
ANN = {"aws:username": "ann", "aws:principaltag/team": "red", "aws:userid": "AIDA1", "s3:prefix": "ann/x", "aws:tagkeys": ["a", "b"]}


def decides(*statements: Statement, resource: str = "arn:aws:s3:::b/ann/x", version: str = "2012-10-17", **keys: Any) -> bool:
    """Whether a user whose one policy has these statements may read an object; `keys` None: as `ANN`."""
    text = json.dumps({"Version": version, "Statement": statements})
    asking = Principal(f"arn:aws:iam::{ACCOUNT}:user/ann", "User", ACCOUNT, (policy("own", text),))
    return decide(asking, Check("s3:GetObject", resource, keys.get("keys", ANN)), "us-east-1").allowed


@pytest.mark.parametrize(
    ("pattern", "named", "other"),
    [
        ("${aws:username}/*", "ann/x", "bob/x"),
        ("${AWS:UserName}/*", "ann/x", "bob/x"),
        ("${aws:PrincipalTag/team}/*", "red/x", "blue/x"),
        ("${aws:userid}/*", "AIDA1/x", "AIDA2/x"),
        ("${aws:PrincipalTag/none, 'all'}/*", "all/x", "none/x"),
        ("${aws:username, 'all'}/*", "ann/x", "all/x"),
        ("a${*}b", "a*b", "axb"),
        ("a${?}b", "a?b", "axb"),
        ("${$}{x}", "${x}", "x"),
        ("${aws:PrincipalTag/team}/${aws:username}", "red/ann", "red/bob"),
    ],
)
def test_a_variable_in_a_resource_is_the_requests_own_value(pattern: str, named: str, other: str) -> None:
    mine = allow("s3:*", f"arn:aws:s3:::b/{pattern}")
    assert decides(mine, resource=f"arn:aws:s3:::b/{named}")
    assert not decides(mine, resource=f"arn:aws:s3:::b/{other}")
    but = deny("s3:*", f"arn:aws:s3:::b/{pattern}")
    assert not decides(allow("*"), but, resource=f"arn:aws:s3:::b/{named}")
    assert decides(allow("*"), but, resource=f"arn:aws:s3:::b/{other}")


def test_a_deny_of_all_but_ones_own_spares_ones_own() -> None:
    but = {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/${aws:username}/*"}
    assert decides(allow("*"), but, resource="arn:aws:s3:::b/ann/x")
    assert not decides(allow("*"), but, resource="arn:aws:s3:::b/bob/x")


@pytest.mark.parametrize(
    ("operator", "key", "value", "allowed"),
    [
        ("StringLike", "s3:prefix", "${aws:username}/*", True),
        ("StringLike", "s3:prefix", "${aws:userid}/*", False),
        ("StringEquals", "s3:prefix", "${aws:username}/x", True),
        ("StringEquals", "s3:prefix", "${s3:prefix}", True),
        ("StringNotEquals", "s3:prefix", "${aws:username}/x", False),
        ("StringNotEquals", "s3:prefix", "${aws:PrincipalTag/none}/x", False),
        ("StringEquals", "s3:prefix", ["${aws:PrincipalTag/none}", "ann/x"], True),
        ("StringEqualsIfExists", "aws:PrincipalTag/none", "${aws:PrincipalTag/none}", True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "${aws:PrincipalTag/none, 'b'}"], True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/${aws:username}", True),
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::*:user/${aws:username}", False),
    ],
)
def test_a_variable_in_a_condition_is_the_requests_own_value(operator: str, key: str, value: Any, allowed: bool) -> None:
    assert decides(allow("s3:*", Condition={operator: {key: value}})) is allowed


def test_what_needs_a_value_that_the_request_lacks_does_not_match() -> None:
    nobody: dict[str, Any] = {}
    assert not decides(allow("s3:*", "arn:aws:s3:::b/${aws:username}/*"), resource="arn:aws:s3:::b//x", keys=nobody)
    assert decides(allow("*"), deny("s3:*", "arn:aws:s3:::b/${aws:username}/*"), keys=nobody)
    assert decides(allow("s3:*", ["arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/ann/*"]), keys=nobody)
    assert decides(allow("*"), {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/${aws:username}/*"}, keys=nobody)
    assert not decides(allow("s3:*", "arn:aws:s3:::b/${aws:TagKeys}/*"), resource="arn:aws:s3:::b/a/x")


def test_a_value_with_a_wildcard_is_no_pattern() -> None:
    tagged = {"aws:principaltag/team": "*"}
    assert not decides(allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"), keys=tagged)
    assert decides(allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"), resource="arn:aws:s3:::b/*/x", keys=tagged)
    assert not decides(
        allow("s3:*", Condition={"StringLike": {"s3:prefix": "${aws:PrincipalTag/team}"}}), keys={**tagged, "s3:prefix": "x"}
    )


def test_variables_are_of_the_last_part_of_an_arn_and_of_the_newer_language() -> None:
    region = {"aws:requestedregion": "us-east-1"}
    assert not decides(allow("s3:*", "arn:aws:s3:${aws:RequestedRegion}::b/x"), resource="arn:aws:s3:us-east-1::b/x", keys=region)
    mine = allow("s3:*", "arn:aws:s3:::b/${aws:username}/*")
    assert not decides(mine, version="2008-10-17")
    assert decides(mine, resource="arn:aws:s3:::b/${aws:username}/x", version="2008-10-17")


def test_a_variable_in_a_resources_own_policy_is_filled_in_too() -> None:
    own = document({**allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*"), "Principal": "*"})
    assert ask(user("ann"), "s3:GetObject", "arn:aws:s3:::b/ann/x", own, {"aws:username": "ann"}).allowed
    assert not ask(user("bob"), "s3:GetObject", "arn:aws:s3:::b/ann/x", own, {"aws:username": "bob"}).allowed


# "Condition operators", Amazon Resource Name operators: "Each of the six colon-delimited components of the ARN is checked separately".
@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/ann", True),
        ("arn:aws:iam::*:user/*", True),
        ("arn:*:*:*:*:*", True),
        ("arn:aws:*:user/ann", False),
        ("arn:aws:*:*:user/ann", False),
        ("arn:aws:iam*:user/ann", False),
        (f"arn:aws:iam:?:{ACCOUNT}:user/ann", False),
    ],
)
@pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"])
def test_an_arn_is_compared_part_by_part(operator: str, pattern: str, matches: bool) -> None:
    assert decides(allow("s3:*", Condition={operator: {"aws:PrincipalArn": pattern}})) is (matches is ("Not" not in operator))


def test_a_wildcard_of_a_resource_stays_within_its_part() -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    assert decides(allow("s3:*", "arn:aws:sqs:*:*:q"), resource=queue)
    assert not decides(allow("s3:*", "arn:aws:sqs:*:q:*"), resource=queue)
    assert not decides(allow("s3:*", "arn:aws:s3:::b:*:x"), resource="arn:aws:s3:::b/x")
    assert not decides(allow("s3:*", "arn:*:*:*:q:*"), resource=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:q:x")


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
