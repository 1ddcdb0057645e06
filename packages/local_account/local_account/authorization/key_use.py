"""The keys that a service uses in the caller's name: who asks for what is encrypted needs the key's permission, too.

S3 decrypts and encrypts objects, SNS and SQS messages, the Parameter Store and Secrets Manager values; SageMaker makes a grant for the
disks of its instances. Each asks KMS with the caller's identity and says so with `kms:ViaService`. Sources: the page on encryption
of each service's guide; KMS developer guide, "kms:ViaService" and "kms:GrantIsForAWSResource". Log groups are encrypted by the
Logs service itself, which the key's policy must allow (CloudWatch Logs user guide, "Encrypt log data"). An AWS managed key asks
for nothing of its own account: its policy allows whoever may use the service there, and nobody of another account, for it cannot be
changed (KMS developer guide, "AWS managed keys"). Input: a `Call`. Output: `Check`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account import s3_encryption
from local_account.api.reading import Call, input_shape
from local_account.authorization.context_keys import Keys, named
from local_account.authorization.existing import Existing
from local_account.authorization.requests import S3_COPIES, S3_READS, Check, copy_source

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
_S3_WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
#: KMS developer guide, S3 user guide ("Uploading and copying using multipart upload"): its parts are encrypted with the same data key.
_S3_PARTS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload")
_SENDS = {"sns": ("Publish",), "sqs": ("SendMessage", "SendMessageBatch")}
#: Operation -> member with the key of its instances' disks; every other operation has it as `VolumeKmsKeyId`.
_DISKS = {"CreateEndpointConfig": "KmsKeyId"}


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    """A check for every use of a customer's key that the request brings about."""
    found = []
    for action, name, context in _uses(call):
        arn = existing.key_arn(name) if name else None
        if arn and (":key/aws/" not in arn or existing.account_of(arn) != existing.account_id):
            via = {"kms:viaservice": f"{call.service}.{existing.region}.amazonaws.com", "aws:viaawsservice": "true"}
            keys = {**given, **via, **context}
            found.append(Check(f"kms:{action}", arn, Keys(call, existing, arn, keys)))
    return found


Use = tuple[str, str, Mapping[str, Any]]


def _uses(call: Call) -> Iterator[Use]:
    if call.service == "s3":
        yield from _of_objects(call)
    elif call.operation in _SENDS.get(call.service, ()):
        for action in ("GenerateDataKey", "Decrypt"):
            yield action, _key_of_messages(call), {}
    elif (call.service, call.operation) == ("sqs", "ReceiveMessage"):
        yield "Decrypt", _key_of_messages(call), {}
    elif call.service == "ssm":
        yield from _of_parameters(call)
    elif call.service == "secretsmanager":
        yield from _of_secrets(call)
    elif call.service == "sagemaker" and call.operation.startswith("Create"):
        for name in _disks(call):
            yield "CreateGrant", name, {"kms:grantisforawsresource": "true"}
            yield "DescribeKey", name, {}


def _of_objects(call: Call) -> Iterator[Use]:
    bucket, key = str(call.parameters.get("Bucket", "")), str(call.parameters.get("Key", ""))
    if call.operation in (*_S3_WRITES, *_S3_PARTS):
        name, has_bucket_key = _of_upload(call) if call.operation in _S3_PARTS else _of_write(call, bucket)
        context = _of_s3(bucket, key, has_bucket_key)
        if call.operation in _S3_WRITES:
            yield "GenerateDataKey", name, context
        if call.operation == "CreateMultipartUpload" or call.operation in _S3_PARTS:
            yield "Decrypt", name, context
    if call.operation in S3_READS:
        yield from _of_read(bucket, key, str(call.parameters.get("VersionId") or ""))
    if call.operation in S3_COPIES:
        yield from _of_read(*copy_source(call))


def _of_s3(bucket: str, key: str, has_bucket_key: bool) -> Mapping[str, Any]:
    """The encryption context: the object, or the bucket whose key encrypts it (`s3_encryption.py`)."""
    arn = f"arn:aws:s3:::{bucket}" if has_bucket_key else f"arn:aws:s3:::{bucket}/{key}"
    return {"kms:encryptioncontext:aws:s3:arn": arn}


def _of_write(call: Call, bucket: str) -> tuple[str, bool]:
    """The key of what is written, and whether a bucket key is between it and the object."""
    from ministack.services import s3

    has_bucket_key = s3_encryption.has_bucket_key(bucket, call.parameters.get("BucketKeyEnabled"))
    if call.parameters.get("ServerSideEncryption"):
        return str(call.parameters.get("SSEKMSKeyId") or ""), has_bucket_key  # none: the account's own key, or no key at all
    return str(s3._bucket_default_sse_headers(bucket).get(_KEY_HEADER, "")), has_bucket_key


def _of_upload(call: Call) -> tuple[str, bool]:
    """A part is encrypted as the upload was begun, whatever the bucket's default is by now."""
    from ministack.services import s3

    upload = s3._multipart_uploads.get(call.parameters.get("UploadId")) or {}
    headers = s3._stored_sse_headers(upload)
    return str(headers.get(_KEY_HEADER, "")), s3_encryption.BUCKET_KEY_HEADER in headers


def _of_read(bucket: str, key: str, version: str) -> Iterator[Use]:
    """What is stored says with which key it was encrypted, each version for itself."""
    from ministack.services import s3

    stored: Mapping[str, Any] | None = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
    if version:
        versions = s3._object_versions.get((bucket, key)) or ()
        stored = next((each for each in versions if each["version_id"] == version), stored if version == "null" else None)
    headers = s3._stored_sse_headers(stored) if stored else {}
    yield "Decrypt", str(headers.get(_KEY_HEADER, "")), _of_s3(bucket, key, s3_encryption.BUCKET_KEY_HEADER in headers)


def _key_of_messages(call: Call) -> str:
    from ministack.services import sns, sqs

    if call.service == "sns":
        arn = str(call.parameters.get("TopicArn") or call.parameters.get("TargetArn") or "")
        return str(((sns._topics.get(arn) or {}).get("attributes") or {}).get("KmsMasterKeyId") or "")
    found = (record for record in list(sqs._queues._data.values()) if record.get("url") == call.parameters.get("QueueUrl"))
    queue: Mapping[str, Any] = next(found, {})
    return str((queue.get("attributes") or {}).get("KmsMasterKeyId") or "")


def _of_parameters(call: Call) -> Iterator[Use]:
    """Systems Manager user guide, "How AWS Systems Manager Parameter Store uses AWS KMS"."""
    from ministack.services import ssm

    given = call.parameters
    if call.operation == "PutParameter":
        _, record = ssm._lookup_parameter(str(given.get("Name", "")), flexible_name=True)
        if (given.get("Type") or (record or {}).get("Type")) == "SecureString":
            action = "GenerateDataKey" if given.get("Tier") == "Advanced" else "Encrypt"
            yield action, str(given.get("KeyId") or (record or {}).get("KeyId") or ""), {}
    elif given.get("WithDecryption"):
        for record in _parameters_read(given):
            yield "Decrypt", str(record.get("KeyId") or ""), {"kms:encryptioncontext:parameter_arn": record.get("ARN")}


def _parameters_read(given: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """By name or ARN, with a version or label after it, or all below a path."""
    from ministack.services import ssm

    for name in filter(None, [given.get("Name"), *(given.get("Names") or ())]):
        _, found = ssm._lookup_parameter(_WITHOUT_SELECTOR.sub(r"\1", str(name)), flexible_name=True)
        yield from filter(None, [found])
    if path := str(given.get("Path") or ""):
        below = path.rstrip("/") + "/"
        for name, record in list(ssm._parameters.items()):
            if name.startswith(below) and (given.get("Recursive") or "/" not in name.removeprefix(below)):
                yield record


#: Parameter Store's selectors: `/x:3`, `/x:label`, `arn:…:parameter/x:3`.
_WITHOUT_SELECTOR = re.compile(r"^(arn:(?:[^:]*:){4}[^:]+|(?!arn:)[^:]+):.*$")


def _of_secrets(call: Call) -> Iterator[Use]:
    """Secrets Manager user guide, "Secret encryption and decryption": what is written needs both, also with the key that a secret has."""
    from ministack.services import secretsmanager

    given = call.parameters
    record = (secretsmanager._resolve(str(given["SecretId"]))[1] if given.get("SecretId") else None) or {}
    if call.operation in _SECRET_WRITES and (given.get("KmsKeyId") or given.get("SecretString") or given.get("SecretBinary")):
        for action in ("GenerateDataKey", "Decrypt"):
            yield action, str(given.get("KmsKeyId") or record.get("KmsKeyId") or ""), {}
    elif call.operation == "GetSecretValue" and record:
        yield "Decrypt", str(record.get("KmsKeyId") or ""), {"kms:encryptioncontext:secretarn": record["ARN"]}


_SECRET_WRITES = ("CreateSecret", "UpdateSecret", "PutSecretValue")


def _disks(call: Call) -> list[str]:
    """SageMaker developer guide, "Encrypt output data and storage volume with AWS KMS", and CreateEndpointConfig, KmsKeyId."""
    if call.operation in _DISKS:
        keys = [call.parameters.get(_DISKS[call.operation])]
    else:
        keys = list(named(input_shape(call.service, call.operation), call.parameters, ("volumekmskeyid",)))
    return [str(key) for key in dict.fromkeys(keys) if key]
