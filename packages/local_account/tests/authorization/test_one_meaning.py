"""One meaning: what the policies were asked about is what happens, however a request could be read."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
import requests

from local_account.account import Account

from ..roles import EVERYTHING, make_role
from .signed_requests import FORM, JSON, User, allow, deny


@pytest.fixture(scope="module")
def nobody(account: Account) -> User:
    return User.make(account)


@pytest.fixture(scope="module", autouse=True)
def things(account: Account) -> None:
    s3 = account.client("s3")
    for bucket in ("mine", "theirs"):
        s3.create_bucket(Bucket=f"{bucket}-bucket")
    s3.put_object(Bucket="theirs-bucket", Key="mine-bucket/k", Body=b"SECRET")
    s3.put_object(Bucket="mine-bucket", Key="k", Body=b"own")
    account.client("ssm").put_parameter(Name="/theirs", Value="SECRET", Type="String")


# ------------------------------------------------------------------------------------------- the query protocol


def test_an_operation_in_the_address_does_not_open_the_one_in_the_body(account: Account, nobody: User) -> None:
    role = make_role(account, "admin")
    body = f"Action=AssumeRole&Version=2011-06-15&RoleArn={quote(role)}&RoleSessionName=s1".encode()
    status, answer = nobody.ask("sts", "POST", "/?Action=GetSessionToken&Version=2011-06-15", body, FORM)
    assert status in (400, 403) and "SecretAccessKey" not in answer


def test_a_member_that_is_given_twice_is_refused(account: Account) -> None:
    may_see_one = User.make(account, allow("iam:GetUser", "arn:aws:iam::111122223333:user/seen"))
    for address, body in (
        ("/?UserName=seen", "UserName=administrator"),
        ("/", "UserName=seen&UserName=administrator"),
        ("/?Action=GetUser&UserName=seen&UserName=administrator", ""),
    ):
        action = "" if "Action" in address else "Action=GetUser&"
        status, answer = may_see_one.ask("iam", "POST", address, f"{action}Version=2010-05-08&{body}".encode(), FORM)
        assert (status, "MalformedQueryString" in answer) == (400, True), (address, body)


def test_an_operation_may_still_be_in_the_address_alone(nobody: User) -> None:
    status, answer = nobody.ask("sts", "POST", "/?Action=GetCallerIdentity&Version=2011-06-15", b"", FORM)
    assert (status, nobody.name in answer) == (200, True)


def test_a_stack_is_not_deleted_by_whom_may_only_list(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="kept", TemplateBody='{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}')
    lister = User.make(account, allow("cloudformation:ListStacks"))
    body = b"Action=DeleteStack&StackName=kept&Version=2010-05-15"
    status, _ = lister.ask("cloudformation", "POST", "/?Action=ListStacks&Version=2010-05-15", body, FORM)
    assert status == 400
    assert not cloudformation.describe_stacks(StackName="kept")["Stacks"][0]["StackStatus"].startswith("DELETE")


# ------------------------------------------------------------------------------------------- another service's target


TARGETS = {
    "AmazonSSM.GetParameter": {"Name": "/theirs"},
    "secretsmanager.ListSecrets": {},
    "Logs_20140328.DescribeLogGroups": {},
    "AmazonSQS.ListQueues": {},
    "DynamoDB_20120810.ListTables": {},
    "AWSStepFunctions.ListStateMachines": {},
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("content_type", [JSON, FORM, {}], ids=["json", "form", "none"])
@pytest.mark.parametrize("in_address", [False, True], ids=["header", "address"])
def test_a_target_does_not_lead_to_another_service(nobody: User, target: str, content_type: dict[str, str], in_address: bool) -> None:
    given = {**content_type, "X-Amz-Target": target}
    body = json.dumps(TARGETS[target]).encode()
    _, answer = nobody.ask("sts", "POST", "/?Action=GetCallerIdentity&Version=2011-06-15", body, given, in_address=in_address)
    assert "GetCallerIdentityResult" in answer or "Error" in answer or "__type" in answer
    assert not any(word in answer for word in ("SECRET", "SecretList", "logGroups", "TableNames", "stateMachines"))


def test_a_target_of_another_service_than_the_signatures_is_no_operation(account: Account) -> None:
    administrator = User.make(account, EVERYTHING)
    status, answer = administrator.ask("logs", "POST", "/", b"{}", {**JSON, "X-Amz-Target": "AmazonSSM.DescribeParameters"})
    assert status >= 400 and "Parameters" not in json.loads(answer)


@pytest.mark.parametrize("service", ["dynamodb", "states", "ec2"])
def test_a_service_that_the_account_does_not_have_is_not_reached(account: Account, service: str) -> None:
    administrator = User.make(account, EVERYTHING)
    status, answer = administrator.ask(service, "POST", "/", b"{}", {**JSON, "X-Amz-Target": "DynamoDB_20120810.ListTables"})
    assert status >= 400 and "does not implement" in answer


@pytest.mark.parametrize("path", ["/iceberg-data/k", "/v20180820-x/k", "/v2/email/identities"])
def test_no_bucket_is_taken_for_another_service(account: Account, path: str) -> None:
    administrator = User.make(account, EVERYTHING)
    _, answer = administrator.ask("s3", "GET", path)
    assert "<Code>NoSuchBucket</Code>" in answer


# ------------------------------------------------------------------------------------------- S3


@pytest.mark.parametrize(
    "query",
    [
        "versioning&policy",
        "policy&versioning",
        "policy=x&versioning",
        "versioning&list-type=2",
        "versioning&uploads",
        "versioning&versions",
    ],
)
def test_a_request_has_one_subresource(account: Account, query: str) -> None:
    may_see_versioning = User.make(account, allow("s3:GetBucketVersioning"))
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::theirs-bucket"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    account.client("s3").put_bucket_policy(Bucket="theirs-bucket", Policy=document)
    status, answer = may_see_versioning.ask("s3", "GET", f"/theirs-bucket?{query}")
    assert status in (400, 403)
    assert "mine-bucket" not in answer and "GetBucketAcl" not in answer


@pytest.mark.parametrize("host", ["theirs-bucket.s3.localhost", "theirs-bucket.localhost", "theirs-bucket.s3.us-east-1.localhost"])
def test_the_bucket_in_the_hosts_name_is_the_one_that_is_asked_for(account: Account, host: str) -> None:
    with_own_bucket = User.make(account, allow("s3:*", ["arn:aws:s3:::mine-bucket", "arn:aws:s3:::mine-bucket/*"]))
    status, answer = with_own_bucket.ask("s3", "GET", "/mine-bucket/k", host=host)
    assert (status, "SECRET" in answer) == (403, False)
    assert User.make(account, EVERYTHING).ask("s3", "GET", "/mine-bucket/k", host=host) == (200, "SECRET")


@pytest.mark.parametrize("path", ["/theirs-bucket%2Fmine-bucket%2Fk", "//theirs-bucket/mine-bucket/k", "/%2Ftheirs-bucket/mine-bucket/k"])
def test_an_object_is_no_bucket_and_a_bucket_has_no_slash(account: Account, path: str) -> None:
    lister = User.make(account, allow("s3:*"), deny("s3:GetObject", "arn:aws:s3:::theirs-bucket/*"))
    status, answer = lister.ask("s3", "GET", path)
    assert (status, "SECRET" in answer) == (400, False), answer


def test_a_source_in_the_address_is_a_copy(account: Account) -> None:
    """A signed address may carry headers; what it copies must be allowed as in a copy."""
    writer = User.make(account, allow("s3:PutObject"))
    url = writer.client("s3").generate_presigned_url("put_object", Params={"Bucket": "mine-bucket", "Key": "copied"})
    assert requests.put(url, data=b"own", timeout=30).status_code == 200
    path = "/mine-bucket/copied?x-amz-copy-source=theirs-bucket%2Fmine-bucket%2Fk"
    status, answer = writer.ask("s3", "PUT", path)
    assert (status, "s3:GetObject" in answer) == (403, True)


# ------------------------------------------------------------------------------------------- what was signed


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_headers_that_are_not_signed_are_refused(account: Account, version: str) -> None:
    user = User.make(account, EVERYTHING)
    client = user.client("s3", signature_version=version)
    url = client.generate_presigned_url("put_object", Params={"Bucket": "mine-bucket", "Key": "signed"})
    assert requests.put(url, headers={"x-amz-copy-source": "theirs-bucket/mine-bucket/k"}, timeout=30).status_code == 403
    assert requests.put(url, data=b"x", timeout=30).status_code == 200


def test_no_header_of_aws_is_added_after_signing(account: Account) -> None:
    reader = User.make(account, allow("logs:DescribeLogGroups"))
    target = {**JSON, "X-Amz-Target": "Logs_20140328.DescribeLogGroups"}
    assert reader.ask("logs", "POST", "/", b"{}", target)[0] == 200
    status, answer = reader.ask("logs", "POST", "/", b"{}", target, unsigned={"x-amz-meta-a": "b"})
    assert (status, "which were not signed" in answer) == (403, True)


@pytest.mark.parametrize(("service", "method", "target"), [("ssm", "POST", "AmazonSSM.DescribeParameters"), ("s3", "GET", "")])
def test_what_is_no_region_of_aws_is_refused(account: Account, service: str, method: str, target: str) -> None:
    user = User.make(account, EVERYTHING)
    headers = {**JSON, "X-Amz-Target": target} if target else {}
    body = b"{}" if target else b""
    assert user.ask(service, method, "/", body, headers)[0] == 200
    assert user.ask(service, method, "/", body, headers, region="eu-west-1")[0] == 200
    status, answer = user.ask(service, method, "/", body, headers, region="eu-nowhere-1")
    assert (status in (400, 403), "region" in answer, "eu-nowhere-1" in answer) == (True, True, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_endpoint_is_invoked_by_post_alone(account: Account, method: str) -> None:
    user = User.make(account, allow("sagemaker:InvokeEndpoint"))
    status, answer = user.ask("sagemaker", method, "/endpoints/none/invocations")
    assert status >= 400 and "not found" not in answer


def test_an_object_says_each_thing_once(account: Account) -> None:
    reader = User.make(account, allow("ssm:GetParameter", "arn:aws:ssm:us-east-1:111122223333:parameter/theirs"))
    target = {**JSON, "X-Amz-Target": "AmazonSSM.GetParameter"}
    status, answer = reader.ask("ssm", "POST", "/", b'{"Name": "/other", "Name": "/theirs"}', target)
    assert (status, "given twice" in answer) == (400, True)
