"""What is another account's needs both: the caller's own policies and the resource's. Each grant is taken away in turn, and named.

Sources: IAM user guide, "Cross-account policy evaluation logic"; KMS developer guide, "Allowing users in other accounts to use a KMS
key"; S3 user guide, "Bucket owner granting cross-account bucket permissions"; EventBridge user guide, "Sending and receiving events
between AWS accounts".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import permissions
from local_account.account import Account
from local_account.api.reading import Call
from local_account.authorization import usage
from local_account.authorization.existing import Existing
from local_account.authorization.requests import checks_of
from local_account.authorization.usage import Role

from .several_accounts import (
    ELSEWHERE,
    HOME,
    OTHER,
    OWN,
    Session,
    allow,
    allow_role,
    assume,
    policy,
    role,
    to_account,
)
from .small_pipelines import wait_for
from .stacks import Stack
from .test_several_accounts import make_function

ADMINISTRATOR = f"arn:aws:iam::{OTHER}:user/administrator"


@pytest.fixture(scope="module")
def reader(accounts: Account) -> Session:
    """A role of the other account, with whatever a test allows it."""
    return assume(accounts, accounts.client("sts", account=OTHER), role(accounts, OTHER, "reader", {"AWS": ADMINISTRATOR}))


READER = f"arn:aws:iam::{OTHER}:role/reader"


def refused(ask: Callable[[], object]) -> str:
    """The words of a refusal; empty if it was allowed."""
    try:
        ask()
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError"), error
        return str(error.response["Error"]["Message"])
    return ""


# --------------------------------------------------------------------------------------------- both policies, each kind


@dataclass(frozen=True)
class Shared:
    """A resource of the default account. `share` puts a statement into its policy or, with None, takes it away."""

    action: str
    arn: str
    share: Callable[[Mapping[str, Any] | None], object]
    use: Callable[[Session], object]


def _bucket(accounts: Account) -> Shared:
    s3 = accounts.client("s3")
    s3.create_bucket(Bucket="shared-bucket")
    s3.put_object(Bucket="shared-bucket", Key="k", Body=b"theirs")

    def share(statement: Mapping[str, Any] | None) -> None:
        if statement is None:
            s3.delete_bucket_policy(Bucket="shared-bucket")
        else:
            s3.put_bucket_policy(Bucket="shared-bucket", Policy=policy(statement))

    return Shared(
        "s3:GetObject", "arn:aws:s3:::shared-bucket/k", share, lambda who: who.client("s3").get_object(Bucket="shared-bucket", Key="k")
    )


def _key(accounts: Account) -> Shared:
    kms = accounts.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Action": "kms:*", "Resource": "*"}
    secret = kms.encrypt(KeyId=arn, Plaintext=b"secret")["CiphertextBlob"]
    return Shared(
        "kms:Decrypt",
        arn,
        lambda statement: kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy(own, *([statement] if statement else []))),
        lambda who: who.client("kms").decrypt(CiphertextBlob=secret, KeyId=arn),
    )


def _ciphertext(accounts: Account) -> Shared:
    """A ciphertext says itself which key it is of."""
    kms = accounts.client("kms")
    shared = _key(accounts)
    secret = kms.encrypt(KeyId=shared.arn, Plaintext=b"secret")["CiphertextBlob"]
    return Shared(shared.action, shared.arn, shared.share, lambda who: who.client("kms").decrypt(CiphertextBlob=secret))


def _topic(accounts: Account) -> Shared:
    sns = accounts.client("sns")
    arn = sns.create_topic(Name="shared")["TopicArn"]
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Action": "sns:Publish", "Resource": arn}
    return Shared(
        "sns:Publish",
        arn,
        lambda statement: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(statement or own)),
        lambda who: who.client("sns").publish(TopicArn=arn, Message="hello"),
    )


def _queue(accounts: Account) -> Shared:
    sqs = accounts.client("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    return Shared(
        "sqs:SendMessage",
        f"arn:aws:sqs:{HOME}:{OWN}:shared",
        lambda statement: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement) if statement else ""}),
        lambda who: who.client("sqs").send_message(QueueUrl=url, MessageBody="hello"),
    )


def _group(accounts: Account) -> Shared:
    sagemaker = accounts.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="Shared-Group")
    container = {"Image": "image", "ModelDataUrl": "s3://none/model.tar.gz"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    arn = sagemaker.create_model_package(ModelPackageGroupName="Shared-Group", InferenceSpecification=specification)["ModelPackageArn"]

    def share(statement: Mapping[str, Any] | None) -> None:
        if statement is None:
            sagemaker.delete_model_package_group_policy(ModelPackageGroupName="Shared-Group")
        else:
            sagemaker.put_model_package_group_policy(ModelPackageGroupName="Shared-Group", ResourcePolicy=policy(statement))

    return Shared(
        "sagemaker:DescribeModelPackage", arn, share, lambda who: who.client("sagemaker").describe_model_package(ModelPackageName=arn)
    )


def _bus(accounts: Account) -> Shared:
    events = accounts.client("events")
    arn = f"arn:aws:events:{HOME}:{OWN}:event-bus/default"
    entry = {"EventBusName": arn, "Source": "theirs", "DetailType": "Said", "Detail": "{}"}

    def share(statement: Mapping[str, Any] | None) -> None:
        if statement is None:
            events.remove_permission(RemoveAllPermissions=True)
        else:
            events.put_permission(Policy=policy(statement))

    return Shared("events:PutEvents", arn, share, lambda who: who.client("events").put_events(Entries=[entry]))


KINDS = {
    "bucket": _bucket,
    "key": _key,
    "ciphertext": _ciphertext,
    "topic": _topic,
    "queue": _queue,
    "model package": _group,
    "event bus": _bus,
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_accounts_resource_needs_both_policies(accounts: Account, reader: Session, kind: str) -> None:
    shared = KINDS[kind](accounts)
    who = f"User: arn:aws:sts::{OTHER}:assumed-role/reader/chain is not authorized to perform: {shared.action} on resource: {shared.arn}"
    mine, theirs = allow(shared.action, shared.arn), to_account(OTHER, shared.action, shared.arn)

    allow_role(accounts, READER, mine)
    shared.share(theirs)
    assert refused(lambda: shared.use(reader)) == ""

    shared.share(None)
    said = refused(lambda: shared.use(reader))
    assert said == f"{who} because no resource-based policy allows the {shared.action} action"

    shared.share(theirs)
    allow_role(accounts, READER, allow("sts:GetCallerIdentity"))
    assert refused(lambda: shared.use(reader)) == f"{who} because no identity-based policy allows the {shared.action} action"

    allow_role(accounts, READER, mine)
    shared.share({**theirs, "Effect": "Deny"})
    assert refused(lambda: shared.use(reader)) == f"{who} with an explicit deny in a resource-based policy"


def test_what_was_recorded_can_be_decided_again_under_other_policies_of_the_resource(accounts: Account) -> None:
    """Also where the resource's policy alone has a condition: what it asked for was kept."""
    shared, arn = _bus(accounts), role(accounts, OTHER, "teller", {"AWS": ADMINISTRATOR})
    teller = assume(accounts, accounts.client("sts", account=OTHER), arn)
    theirs = to_account(OTHER, shared.action, shared.arn, Condition={"StringEquals": {"events:source": "theirs"}})
    allow_role(accounts, arn, allow(shared.action, shared.arn))
    shared.share(theirs)
    assert refused(lambda: shared.use(teller)) == ""

    roles, requests = permissions.read(permissions.report(accounts.context))
    (asked,) = [item for item in requests if (item.role, item.action, item.allowed) == (arn, shared.action, True)]
    (own,) = [found for found, _ in roles if found.arn == arn]

    def again(role: Role, *statements: Mapping[str, Any]) -> str:
        return usage.refused(role, asked, HOME, {"Statement": list(statements)}, OWN)

    who = f"User: {arn} is not authorized to perform: {shared.action} on resource: {shared.arn}"
    assert again(own, theirs) == ""
    assert again(own) == f"{who} because no resource-based policy allows the {shared.action} action"
    assert again(own.without("permissions", 0), theirs) == f"{who} because no identity-based policy allows the {shared.action} action"
    assert again(own, {**theirs, "Condition": {"StringEquals": {"events:source": "another"}}}) != ""


def test_the_report_knows_which_stack_made_a_role_in_whatever_region(accounts: Account) -> None:
    """Roles are of no region, stacks are."""
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
    document = {"PolicyName": "own", "PolicyDocument": json.loads(policy(allow("s3:ListBucket")))}
    made = {
        "Made": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "made-far", "AssumeRolePolicyDocument": trust, "Policies": [document]},
        }
    }
    client = accounts.client("cloudformation", account=OTHER, region=ELSEWHERE)
    client.create_stack(StackName="far", TemplateBody=json.dumps({"Resources": made}), Capabilities=["CAPABILITY_NAMED_IAM"])
    client.get_waiter("stack_create_complete").wait(StackName="far", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    (found,) = [found for found, _ in permissions.read(permissions.report(accounts.context))[0] if found.name == "made-far"]
    assert (found.stack, found.logical_id) == ("far", "Made")


def test_a_function_needs_both_policies(accounts: Account, reader: Session) -> None:
    function = accounts.client("lambda")
    make_function(function)
    arn = f"arn:aws:lambda:{HOME}:{OWN}:function:made-once"
    allow_role(accounts, READER, allow("lambda:InvokeFunction", arn))

    def ask() -> Any:
        return reader.client("lambda").invoke(FunctionName=arn, Payload=b'{"said": "hello"}')

    assert "no resource-based policy allows the lambda:InvokeFunction action" in refused(ask)
    function.add_permission(FunctionName="made-once", StatementId="other", Action="lambda:InvokeFunction", Principal=OTHER)
    assert json.loads(ask()["Payload"].read()) == {"said": "hello"}


def test_a_policy_that_names_the_role_needs_the_roles_own_all_the_same(accounts: Account, reader: Session) -> None:
    """Within an account naming the role would be enough."""
    shared = _bucket(accounts)
    allow_role(accounts, READER, allow("sts:GetCallerIdentity"))
    shared.share(allow(shared.action, shared.arn, Principal={"AWS": READER}))
    assert "no identity-based policy" in refused(lambda: shared.use(reader))


def test_a_policy_names_no_role_of_another_account_that_is_not_there(accounts: Account) -> None:
    """Amazon S3 user guide, "Specifying a principal": it has to exist when the policy is saved, in whatever account."""
    shared = _bucket(accounts)
    with pytest.raises(ClientError, match="Invalid principal in policy"):
        shared.share(allow(shared.action, shared.arn, Principal={"AWS": f"arn:aws:iam::{OTHER}:role/nobody"}))


def test_a_resource_without_a_policy_is_its_accounts_alone(accounts: Account, reader: Session) -> None:
    """Nothing of CloudFormation, IAM or the Parameter Store can be granted, and a name is never another account's."""
    accounts.client("ssm").put_parameter(Name="/mine", Value="x", Type="String")
    allow_role(accounts, READER, allow("*"))
    named = reader.client("ssm")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        named.get_parameter(Name="/mine")
    assert "no resource-based policy" in refused(lambda: named.get_parameter(Name=f"arn:aws:ssm:{HOME}:{OWN}:parameter/mine"))


def test_the_condition_on_the_resources_account_knows_whose_a_bucket_is(accounts: Account, reader: Session) -> None:
    """As the CDK's file-publishing role has it: a bucket of one's own account only."""
    shared = _bucket(accounts)
    shared.share(to_account(OTHER, shared.action, shared.arn))
    for owner, may in ((OWN, True), (OTHER, False)):
        allow_role(accounts, READER, allow(shared.action, Condition={"StringEquals": {"aws:ResourceAccount": owner}}))
        assert (refused(lambda: shared.use(reader)) == "") == may


# -------------------------------------------------------------------------------------------------- roles


@dataclass(frozen=True)
class Chain:
    """`first` is a role of the default account that may assume `second` in the other account."""

    first: str
    second: str


@pytest.fixture(scope="module")
def chain(accounts: Account) -> Chain:
    first = role(accounts, OWN, "deployer", {"AWS": f"arn:aws:iam::{OWN}:user/administrator"})
    second = role(accounts, OTHER, "deployment", {"AWS": first}, allow("*"))
    allow_role(accounts, first, allow("sts:AssumeRole", second))
    return Chain(first, second)


def test_a_role_of_another_account_is_assumed_and_works_there(accounts: Account, chain: Chain) -> None:
    session = assume(accounts, assume(accounts, accounts.client("sts"), chain.first).client("sts"), chain.second)
    identity = session.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OTHER, f"arn:aws:sts::{OTHER}:assumed-role/deployment/chain")
    session.client("sqs", ELSEWHERE).create_queue(QueueName="made-by-the-chain")
    assert len(accounts.client("sqs", account=OTHER, region=ELSEWHERE).list_queues()["QueueUrls"]) == 1


def test_without_the_callers_permission_no_role_is_assumed(accounts: Account, chain: Chain) -> None:
    allow_role(accounts, chain.first, allow("sts:GetCallerIdentity"))
    first = assume(accounts, accounts.client("sts"), chain.first).client("sts")
    said = refused(lambda: first.assume_role(RoleArn=chain.second, RoleSessionName="chain"))
    allow_role(accounts, chain.first, allow("sts:AssumeRole", chain.second))
    assert said.endswith(f"sts:AssumeRole on resource: {chain.second} because no identity-based policy allows the sts:AssumeRole action")


def test_without_trust_no_role_is_assumed(accounts: Account, chain: Chain) -> None:
    iam = accounts.client("iam", account=OTHER)
    trusted = iam.get_role(RoleName="deployment")["Role"]["AssumeRolePolicyDocument"]
    nobody = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName="deployment", PolicyDocument=nobody)
    first = assume(accounts, accounts.client("sts"), chain.first).client("sts")
    said = refused(lambda: first.assume_role(RoleArn=chain.second, RoleSessionName="chain"))
    iam.update_assume_role_policy(RoleName="deployment", PolicyDocument=json.dumps(trusted))
    assert said.endswith(f"sts:AssumeRole on resource: {chain.second} because no resource-based policy allows the sts:AssumeRole action")


def test_no_role_of_another_account_is_passed_to_a_service(accounts: Account, chain: Chain) -> None:
    container = {"Image": "image"}
    with pytest.raises(ClientError, match="Cross-account pass role is not allowed"):
        accounts.client("sagemaker").create_model(ModelName="theirs", PrimaryContainer=container, ExecutionRoleArn=chain.second)


# ------------------------------------------------------------------------------------------ encrypted objects


@pytest.fixture(scope="module")
def encrypted(accounts: Account) -> Iterator[Shared]:
    """An object that a key of the default account encrypts; bucket and role are open to the other account already."""
    s3 = accounts.client("s3")
    s3.create_bucket(Bucket="encrypted-bucket")
    key = _key(accounts)
    s3.put_object(Bucket="encrypted-bucket", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key.arn)
    s3.put_object(Bucket="encrypted-bucket", Key="managed", Body=b"x", ServerSideEncryption="aws:kms")
    s3.put_bucket_policy(Bucket="encrypted-bucket", Policy=policy(to_account(OTHER, "s3:GetObject", "arn:aws:s3:::encrypted-bucket/*")))
    yield Shared("kms:Decrypt", key.arn, key.share, lambda who: who.client("s3").get_object(Bucket="encrypted-bucket", Key="k"))


def test_an_encrypted_object_needs_the_key_policy_too(accounts: Account, reader: Session, encrypted: Shared) -> None:
    allow_role(accounts, READER, allow("s3:GetObject"), allow("kms:Decrypt", encrypted.arn))
    assert f"{encrypted.arn} because no resource-based policy" in refused(lambda: encrypted.use(reader))
    encrypted.share(to_account(OTHER, "kms:Decrypt"))
    assert refused(lambda: encrypted.use(reader)) == ""
    allow_role(accounts, READER, allow("s3:GetObject"))
    assert f"{encrypted.arn} because no identity-based policy" in refused(lambda: encrypted.use(reader))


def test_an_object_under_the_accounts_managed_key_is_nobody_elses_to_read(accounts: Account, reader: Session, encrypted: Shared) -> None:
    """KMS developer guide, "AWS managed keys": their policies cannot be changed, so they cannot be used by another account."""
    allow_role(accounts, READER, allow("s3:*"), allow("kms:*"))
    said = refused(lambda: reader.client("s3").get_object(Bucket="encrypted-bucket", Key="managed"))
    assert f"kms:Decrypt on resource: arn:aws:kms:{HOME}:{OWN}:key/aws/s3 because no resource-based policy" in said


def test_what_another_account_writes_is_the_bucket_owners(accounts: Account, reader: Session) -> None:
    """S3 user guide, "Controlling ownership of objects": BucketOwnerEnforced, the default."""
    s3 = accounts.client("s3")
    s3.create_bucket(Bucket="drop-box")
    s3.put_bucket_policy(Bucket="drop-box", Policy=policy(to_account(OTHER, "s3:PutObject", "arn:aws:s3:::drop-box/*")))
    allow_role(accounts, READER, allow("s3:PutObject"))
    reader.client("s3").put_object(Bucket="drop-box", Key="k", Body=b"theirs")
    assert s3.get_object(Bucket="drop-box", Key="k")["Body"].read() == b"theirs"
    assert "s3:GetObject" in refused(lambda: reader.client("s3").get_object(Bucket="drop-box", Key="k"))


def test_an_object_is_copied_from_account_to_account(accounts: Account, reader: Session) -> None:
    """The source's policy is asked for what is read, whoever writes."""
    accounts.client("s3", account=OTHER).create_bucket(Bucket="their-copies")
    shared = _bucket(accounts)
    allow_role(accounts, READER, allow(["s3:GetObject", "s3:PutObject"]))

    def copy() -> Any:
        return reader.client("s3").copy_object(Bucket="their-copies", Key="k", CopySource="shared-bucket/k")

    shared.share(None)
    assert "s3:GetObject on resource: arn:aws:s3:::shared-bucket/k because no resource-based policy" in refused(copy)
    shared.share(to_account(OTHER, "s3:GetObject", shared.arn))
    copy()
    copied = accounts.client("s3", account=OTHER).get_object(Bucket="their-copies", Key="k")
    assert copied["Body"].read() == b"theirs"


def test_the_expected_owner_of_a_bucket_is_its_owner(accounts: Account, reader: Session) -> None:
    """S3 user guide, "Verifying bucket ownership with bucket owner condition"."""
    shared = _bucket(accounts)
    shared.share(to_account(OTHER, shared.action, shared.arn))
    allow_role(accounts, READER, allow(["s3:GetObject", "s3:PutObject"]))
    s3 = reader.client("s3")
    accounts.client("s3", account=OTHER).create_bucket(Bucket="their-checked-copies")

    def copy(source_owner: str) -> Any:
        place = {"Bucket": "their-checked-copies", "Key": "k", "CopySource": "shared-bucket/k"}
        return s3.copy_object(**place, ExpectedBucketOwner=OTHER, ExpectedSourceBucketOwner=source_owner)

    assert s3.get_object(Bucket="shared-bucket", Key="k", ExpectedBucketOwner=OWN)["ContentLength"] == len(b"theirs")
    assert refused(lambda: s3.get_object(Bucket="shared-bucket", Key="k", ExpectedBucketOwner=OTHER)) == "Access Denied"
    copy(OWN)
    assert refused(lambda: copy(OTHER)) == "Access Denied"


# ---------------------------------------------------------------------------------------------------- events


def _inbox(accounts: Account, account_id: str, region: str, name: str) -> tuple[Any, str, str]:
    """A queue in an account that EventBridge may write to: its client, URL and ARN."""
    sqs = accounts.client("sqs", account=account_id, region=region)
    arn = f"arn:aws:sqs:{region}:{account_id}:{name}"
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    return sqs, sqs.create_queue(QueueName=name, Attributes={"Policy": policy(statement)})["QueueUrl"], arn


def test_a_rule_hands_an_event_on_to_a_bus_of_another_account_and_region(accounts: Account) -> None:
    """It keeps its own account and region, source and type; without the bus's policy it goes to the rule's dead-letter queue, with why."""
    bus = f"arn:aws:events:{ELSEWHERE}:{OTHER}:event-bus/default"
    theirs, mine = accounts.client("events", account=OTHER, region=ELSEWHERE), accounts.client("events")
    inbox, url, queue = _inbox(accounts, OTHER, ELSEWHERE, "forwarded")
    letters, letters_url, letters_arn = _inbox(accounts, OWN, HOME, "letters")
    theirs.put_rule(Name="from-outside", EventPattern=json.dumps({"account": [OWN], "source": ["mine"]}))
    theirs.put_targets(Rule="from-outside", Targets=[{"Id": "1", "Arn": queue}])
    mine.put_rule(Name="forward", EventPattern=json.dumps({"source": ["mine"]}))
    retries = {"MaximumRetryAttempts": 0}
    sender = role(accounts, OWN, "sender", {"Service": "events.amazonaws.com"}, allow("events:PutEvents", bus))
    target = {"Id": "1", "Arn": bus, "RoleArn": sender, "DeadLetterConfig": {"Arn": letters_arn}, "RetryPolicy": retries}
    mine.put_targets(Rule="forward", Targets=[target])
    entry = {"Source": "mine", "DetailType": "Approved", "Detail": '{"version": 3}'}

    mine.put_events(Entries=[entry])
    (letter,) = wait_for(
        lambda: letters.receive_message(QueueUrl=letters_url, MessageAttributeNames=["All"], WaitTimeSeconds=1).get("Messages")
    )
    assert "no resource-based policy allows the events:PutEvents action" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]

    said = {"StringEquals": {"events:source": "mine", "events:detail-type": "Approved"}}
    theirs.put_permission(Policy=policy(to_account(OWN, "events:PutEvents", bus, Condition=said)))
    mine.put_events(Entries=[entry])
    (message,) = wait_for(lambda: inbox.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    event = json.loads(message["Body"])
    assert (event["account"], event["region"], event["detail"]) == (OWN, HOME, {"version": 3})


def test_a_stack_lets_accounts_put_events_on_its_bus(accounts: Account, reader: Session) -> None:
    """AWS::Events::EventBusPolicy: each is one statement, whatever others say, and goes with its stack."""
    bus = f"arn:aws:events:{HOME}:{OWN}:event-bus/default"
    allow_role(accounts, READER, allow("events:PutEvents"))
    accounts.client("events").remove_permission(RemoveAllPermissions=True)

    def statement(sid: str, account_id: str) -> dict[str, Any]:
        document = to_account(account_id, "events:PutEvents", bus)
        return {"Type": "AWS::Events::EventBusPolicy", "Properties": {"StatementId": sid, "Statement": document}}

    def put() -> str:
        entry = {"EventBusName": bus, "Source": "theirs", "DetailType": "Said", "Detail": "{}"}
        return refused(lambda: reader.client("events").put_events(Entries=[entry]))

    first, second = Stack(accounts, "lets-the-other"), Stack(accounts, "lets-itself")
    assert first.create({"Other": statement("other", OTHER)}) == "CREATE_COMPLETE", first.reasons()
    assert second.create({"Own": statement("own", OWN)}) == "CREATE_COMPLETE", second.reasons()
    sids = [each["Sid"] for each in json.loads(accounts.client("events").describe_event_bus()["Policy"])["Statement"]]
    assert (sorted(sids), put()) == (["other", "own"], "")
    first.delete()
    assert put().endswith(f"events:PutEvents on resource: {bus} because no resource-based policy allows the events:PutEvents action")


def test_events_of_a_third_account_are_not_sent_on(accounts: Account) -> None:
    """EventBridge user guide, "Sending and receiving events between AWS accounts"."""
    theirs = accounts.client("events", account=OTHER)
    bus = f"arn:aws:events:{HOME}:{OTHER}:event-bus/default"
    theirs.put_permission(Policy=policy(to_account(OWN, "events:PutEvents", bus)))
    back = accounts.client("events")
    back.put_permission(Policy=policy(to_account(OTHER, "events:PutEvents", f"arn:aws:events:{HOME}:{OWN}:event-bus/default")))
    theirs.put_rule(Name="back", EventPattern=json.dumps({"source": ["there-and-back"]}))
    sender = role(accounts, OTHER, "sender", {"Service": "events.amazonaws.com"}, allow("events:PutEvents"))
    theirs.put_targets(Rule="back", Targets=[{"Id": "1", "Arn": f"arn:aws:events:{HOME}:{OWN}:event-bus/default", "RoleArn": sender}])
    sqs, url, queue = _inbox(accounts, OWN, HOME, "returned")
    back.put_rule(Name="returned", EventPattern=json.dumps({"source": ["there-and-back"]}))
    back.put_targets(Rule="returned", Targets=[{"Id": "1", "Arn": queue}])

    back.put_events(Entries=[{"EventBusName": bus, "Source": "there-and-back", "DetailType": "Said", "Detail": '{"of": "mine"}'}])
    theirs.put_events(Entries=[{"Source": "there-and-back", "DetailType": "Said", "Detail": '{"of": "theirs"}'}])
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages"))
    assert json.loads(message["Body"])["detail"] == {"of": "theirs"}


def test_a_queue_subscribes_to_a_topic_of_another_account(accounts: Account) -> None:
    """SNS developer guide, "Sending Amazon SNS messages to an Amazon SQS queue in a different account": by the queue's owner."""
    sns, theirs = accounts.client("sns"), accounts.client("sns", account=OTHER)
    topic = sns.create_topic(Name="news")["TopicArn"]
    sqs, url, queue = _inbox(accounts, OTHER, HOME, "readers")
    source = {"ArnEquals": {"aws:SourceArn": topic}}
    writing = allow("sqs:SendMessage", queue, Principal={"Service": "sns.amazonaws.com"}, Condition=source)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(writing)})
    subscription = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue, "Attributes": {"RawMessageDelivery": "true"}}

    assert "no resource-based policy allows the sns:Subscribe action" in refused(lambda: theirs.subscribe(**subscription))
    subscribing = to_account(OTHER, "sns:Subscribe", topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(subscribing))
    theirs.subscribe(**subscription)
    sns.publish(TopicArn=topic, Message="hello")
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    assert message["Body"] == "hello"


def test_an_alarm_tells_a_topic_of_another_account_that_lets_it(accounts: Account) -> None:
    """CloudWatch user guide, "Notifying users on alarm changes": the topic's policy may name the alarm's account."""
    sns, cloudwatch = accounts.client("sns", account=OTHER), accounts.client("cloudwatch")
    topic = sns.create_topic(Name="on-call")["TopicArn"]
    sqs, url, queue = _inbox(accounts, OTHER, HOME, "pager")
    sns_may = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(sns_may)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    cloudwatch.put_metric_alarm(
        AlarmName="tells",
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )

    def said_by(account_id: str) -> list[str]:
        source = {"StringEquals": {"aws:SourceAccount": account_id}}
        statement = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy({**statement, "Condition": source}))
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName="tells", StateValue=state, StateReason=f"for {account_id}")
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])
        return [json.loads(message["Body"])["AWSAccountId"] for message in found]

    assert (said_by(OTHER), said_by(OWN)) == ([], [OWN])


def test_what_an_invocation_asks_for_is_in_the_caller_s_account_and_region_whoever_asked_before() -> None:
    call = Call("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "house"})
    for account, region in (("111122223333", "us-east-1"), ("444455556666", "eu-west-1"), ("111122223333", "eu-west-1")):
        (asked,) = checks_of(Existing(account, region), call)
        assert (asked.action, asked.resource) == ("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{region}:{account}:endpoint/house")
