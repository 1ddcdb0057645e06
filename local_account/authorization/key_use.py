"""The keys that a service uses in the caller's name: who asks for what is encrypted needs the key's permission, too.

S3 decrypts and encrypts objects, SNS and SQS messages, the Parameter Store and Secrets Manager values; SageMaker makes a grant for the
disks of its instances. Each asks KMS with the caller's identity and says so with `kms:ViaService`. Sources: the page on encryption
of each service's guide; KMS developer guide, "kms:ViaService" and "kms:GrantIsForAWSResource". Log groups are encrypted by the
Logs service itself, which the key's policy must allow (CloudWatch Logs user guide, "Encrypt log data"). An AWS managed key asks
for nothing: its policy allows whoever may use the service. Input: a `Call`. Output: `Check`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.authorization.context_keys import Keys
from local_account.authorization.existing import Existing
from local_account.authorization.requests import Check

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
_S3_WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
_S3_READS = ("GetObject", "HeadObject", "GetObjectAttributes")
#: KMS developer guide, S3 user guide ("Uploading and copying using multipart upload"): its parts are encrypted with the same data key.
_S3_PARTS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload")
_SENDS = {"sns": ("Publish", "PublishBatch"), "sqs": ("SendMessage", "SendMessageBatch")}
#: Operation -> members with the key of its instances' disks; every other operation has it as `VolumeKmsKeyId`.
_DISKS = {"CreateEndpointConfig": ("KmsKeyId",)}


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    """A check for every use of a customer's key that the request brings about."""
    found = []
    for action, name, context in _uses(call):
        arn = existing.key_arn(name) if name else None
        if arn and ":key/aws/" not in arn:
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
    context = {"kms:encryptioncontext:aws:s3:arn": f"arn:aws:s3:::{bucket}/{key}"}
    if call.operation in _S3_WRITES:
        yield "GenerateDataKey", _key_of_write(call, bucket), context
    if call.operation == "CreateMultipartUpload" or call.operation in _S3_PARTS:
        yield "Decrypt", _key_of_write(call, bucket), context
    if call.operation in _S3_READS:
        yield "Decrypt", _key_of_object(bucket, key), context
    if call.operation == "CopyObject":
        source = str(call.parameters.get("CopySource") or "").lstrip("/").partition("?")[0]
        name, _, path = source.partition("/")
        yield "Decrypt", _key_of_object(name, path), {"kms:encryptioncontext:aws:s3:arn": f"arn:aws:s3:::{source}"}


def _key_of_write(call: Call, bucket: str) -> str:
    from ministack.services import s3

    if call.parameters.get("ServerSideEncryption"):
        return str(call.parameters.get("SSEKMSKeyId") or "")  # none: the account's own key, or no key at all
    return str(s3._bucket_default_sse_headers(bucket).get(_KEY_HEADER, ""))


def _key_of_object(bucket: str, key: str) -> str:
    from ministack.services import s3

    stored = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
    return str(s3._stored_sse_headers(stored).get(_KEY_HEADER, "")) if stored else ""


def _key_of_messages(call: Call) -> str:
    from ministack.services import sns, sqs

    if call.service == "sns":
        arn = str(call.parameters.get("TopicArn") or call.parameters.get("TargetArn") or "")
        return str(((sns._topics.get(arn) or {}).get("attributes") or {}).get("KmsMasterKeyId") or "")
    queue: Mapping[str, Any] = next(
        (record for record in list(sqs._queues._data.values()) if record.get("url") == call.parameters.get("QueueUrl")), {}
    )
    return str((queue.get("attributes") or {}).get("KmsMasterKeyId") or "")


def _of_parameters(call: Call) -> Iterator[Use]:
    from ministack.services import ssm

    if call.operation == "PutParameter" and call.parameters.get("Type") == "SecureString":
        yield "Encrypt", str(call.parameters.get("KeyId") or ""), {}
    elif call.parameters.get("WithDecryption"):
        for name in [call.parameters.get("Name"), *(call.parameters.get("Names") or ())]:
            record = ssm._parameters.get(name) if name else None
            yield "Decrypt", str((record or {}).get("KeyId") or ""), {}


def _of_secrets(call: Call) -> Iterator[Use]:
    from ministack.services import secretsmanager

    if call.operation in ("CreateSecret", "UpdateSecret") and call.parameters.get("KmsKeyId"):
        for action in ("GenerateDataKey", "Decrypt"):
            yield action, str(call.parameters["KmsKeyId"]), {}
    elif call.operation == "GetSecretValue":
        _, record = secretsmanager._resolve(str(call.parameters.get("SecretId", "")))
        yield "Decrypt", str((record or {}).get("KmsKeyId") or ""), {}


def _disks(call: Call) -> list[str]:
    """SageMaker developer guide, "Encrypt output data and storage volume with AWS KMS", and CreateEndpointConfig, KmsKeyId."""
    if call.operation in _DISKS:
        return [str(call.parameters[name]) for name in _DISKS[call.operation] if call.parameters.get(name)]
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, Mapping):
            found.extend(str(item) for name, item in value.items() if name == "VolumeKmsKeyId" and item)
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(call.parameters)
    return list(dict.fromkeys(found))
