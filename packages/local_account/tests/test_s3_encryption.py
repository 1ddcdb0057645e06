"""What `aws:kms` without a key means."""

from local_account.s3_encryption import with_key

KEY = "x-amz-server-side-encryption-aws-kms-key-id"
OWN = "arn:aws:kms:us-east-1:111122223333:alias/aws/s3"


def test_kms_without_a_key_uses_the_accounts_own():
    assert with_key({"x-amz-server-side-encryption": "aws:kms"}, OWN)[KEY] == OWN


def test_a_named_key_stays():
    headers = {"x-amz-server-side-encryption": "aws:kms", KEY: "mine"}
    assert with_key(headers, OWN) == headers


def test_other_encryption_gets_no_key():
    assert KEY not in with_key({"x-amz-server-side-encryption": "AES256"}, OWN)
