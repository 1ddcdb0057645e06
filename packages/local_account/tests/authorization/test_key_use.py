"""Nothing that a customer's key encrypts is read or written by whoever may not use that key, by whichever way."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from ..users import User, allow, let_user, make_user

HERE = "us-east-1:111122223333"
SERVICES = [f"{name}:*" for name in ("s3", "ssm", "secretsmanager")]


@pytest.fixture(scope="module")
def key(account: Account) -> str:
    return str(account.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def stored(account: Account, key: str) -> dict[str, str]:
    """A bucket whose object has one version with the key and a later one without, a parameter, and a secret; the version with the key."""
    s3, ssm = account.client("s3"), account.client("ssm")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="kept", Key="o", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["VersionId"]
    plain = s3.put_object(Bucket="kept", Key="o", Body=b"y")["VersionId"]
    s3.put_object(Bucket="kept", Key="a ü?", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    ssm.put_parameter(Name="/s/x", Value="x", Type="SecureString", KeyId=key)
    account.client("secretsmanager").create_secret(Name="kept", SecretString="x", KmsKeyId=key)
    return {"version": version, "plain": plain}


@pytest.fixture(scope="module")
def user(account: Account, stored: dict[str, str]) -> User:
    return make_user(account, "keyless", allow(SERVICES))


def part(client: Any, source: Any) -> None:
    upload = client.create_multipart_upload(Bucket="kept", Key="copy")["UploadId"]
    client.upload_part_copy(Bucket="kept", Key="copy", UploadId=upload, PartNumber=1, CopySource=source)


SECRETS, PARAMETERS = "secretsmanager", "ssm"
WAYS: list[tuple[str, str, Any, str]] = [
    (
        "copy with an encoded name",
        "s3",
        lambda c, v: c.copy_object(Bucket="kept", Key="c", CopySource={"Bucket": "kept", "Key": "a ü?"}),
        "",
    ),
    ("part of an encoded name", "s3", lambda c, v: part(c, {"Bucket": "kept", "Key": "a ü?"}), ""),
    ("part of a version", "s3", lambda c, v: part(c, {"Bucket": "kept", "Key": "o", "VersionId": v}), ""),
    ("an older version", "s3", lambda c, v: c.get_object(Bucket="kept", Key="o", VersionId=v), ""),
    ("by ARN", "ssm", lambda c, v: c.get_parameter(Name=f"arn:aws:ssm:{HERE}:parameter/s/x", WithDecryption=True), ""),
    ("by version", "ssm", lambda c, v: c.get_parameter(Name="/s/x:1", WithDecryption=True), ""),
    ("by ARN and version", "ssm", lambda c, v: c.get_parameters(Names=[f"arn:aws:ssm:{HERE}:parameter/s/x:1"], WithDecryption=True), ""),
    ("by path", "ssm", lambda c, v: c.get_parameters_by_path(Path="/s", WithDecryption=True), ""),
    ("from above", "ssm", lambda c, v: c.get_parameters_by_path(Path="/", Recursive=True, WithDecryption=True), ""),
    ("history", "ssm", lambda c, v: c.get_parameter_history(Name="/s/x", WithDecryption=True), ""),
    ("put over it", "ssm", lambda c, v: c.put_parameter(Name="/s/x", Value="z", Overwrite=True), "Encrypt"),
    ("a secret's value", SECRETS, lambda c, v: c.get_secret_value(SecretId="kept"), ""),
    ("put a secret's value", SECRETS, lambda c, v: c.put_secret_value(SecretId="kept", SecretString="z"), "GenerateDataKey"),
    ("change a secret's value", SECRETS, lambda c, v: c.update_secret(SecretId="kept", SecretString="z"), "GenerateDataKey"),
]


@pytest.mark.parametrize(("service", "ask", "action"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_it_takes_the_keys_permission(user: User, stored: dict[str, str], service: str, ask: Any, action: str) -> None:
    with pytest.raises(ClientError, match=f"kms:{action or 'Decrypt'}"):
        ask(user.client(service), stored["version"])


def test_a_version_without_the_key_needs_none(account: Account, user: User, stored: dict[str, str], key: str) -> None:
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3 = account.client("s3")
    plain = s3.put_object(Bucket="kept", Key="turned", Body=b"y")["VersionId"]
    s3.put_object(Bucket="kept", Key="turned", Body=b"x", **with_key)
    assert user.client("s3").get_object(Bucket="kept", Key="turned", VersionId=plain)["Body"].read() == b"y"


@pytest.mark.parametrize("has_bucket_key", [True, False])
def test_the_encryption_context_is_the_buckets_with_a_bucket_key(account: Account, key: str, has_bucket_key: bool) -> None:
    bucket = f"context-{has_bucket_key}".lower()
    s3 = account.client("s3")
    s3.create_bucket(Bucket=bucket)
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": has_bucket_key}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    context, other = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/k")[:: 1 if has_bucket_key else -1]
    user = make_user(account, bucket)

    def let(arn: str) -> Any:
        condition = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn}}
        let_user(account, bucket, allow("s3:*"), {**allow("kms:*", key), "Condition": condition})
        return user.client("s3")

    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        let(other).put_object(Bucket=bucket, Key="k", Body=b"x")
    assert let(context).put_object(Bucket=bucket, Key="k", Body=b"x").get("BucketKeyEnabled", False) == has_bucket_key
    assert let(context).get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="kms:Decrypt"):
        let(other).get_object(Bucket=bucket, Key="k")


def test_a_policy_names_a_key_by_the_alias_that_it_has(account: Account) -> None:
    """KMS developer guide, "kms:ResourceAliases": for whoever is to use a key whose id nobody knows before it is there."""
    kms, s3 = account.client("kms"), account.client("s3")
    ours, theirs = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    kms.create_alias(AliasName="alias/ours", TargetKeyId=ours)
    s3.create_bucket(Bucket="by-alias")
    for name, key in (("ours", ours), ("theirs", theirs)):
        s3.put_object(Bucket="by-alias", Key=name, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/ours"}}
    user = make_user(account, "by-alias", allow("s3:*"), {**allow("kms:Decrypt", f"arn:aws:kms:{HERE}:key/*"), "Condition": condition})
    assert user.client("s3").get_object(Bucket="by-alias", Key="ours")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="kms:Decrypt"):
        user.client("s3").get_object(Bucket="by-alias", Key="theirs")
