"""KMS: policies that a key can have, aliases that may be given, and a key that is the one that encrypted.

Errors: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html, API_CreateAlias.html and API_PutKeyPolicy.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules.policy_documents import require_resource_policy
from local_account.api.rules.rule import is_there, rule
from local_account.context import Context
from local_account.errors import ServiceError

#: Bytes of a key policy: KMS developer guide, "Resource quotas".
LONGEST_POLICY = 32_768


@rule("kms", "CreateKey", "PutKeyPolicy")
def _policy(context: Context, request: Mapping[str, Any]) -> None:
    if "Policy" in request:
        require_resource_policy(context, request["Policy"], "MalformedPolicyDocumentException", LONGEST_POLICY)


@rule("kms", "CreateAlias", "UpdateAlias")
def _alias(context: Context, request: Mapping[str, Any]) -> None:
    name = request.get("AliasName", "")
    if name.startswith("alias/aws/"):
        raise ServiceError("NotAuthorizedException", f"{name} is reserved for AWS managed keys.")
    if not name.startswith("alias/") or name == "alias/":
        raise ServiceError("ValidationException", f"Invalid identifier: {name}; an alias begins with alias/")


@rule("kms", "Decrypt")
def _key(context: Context, request: Mapping[str, Any]) -> None:
    """The ciphertext of a symmetric key tells its key; the one that the caller names must be that one."""
    if not request.get("KeyId"):
        return
    if not is_there(context.client("kms").describe_key, KeyId=request["KeyId"]):
        raise ServiceError("NotFoundException", f"Key '{request['KeyId']}' does not exist")
    client = context.client("kms")
    context_given = {"EncryptionContext": request["EncryptionContext"]} if request.get("EncryptionContext") else {}
    used = client.decrypt(CiphertextBlob=_bytes(request["CiphertextBlob"]), **context_given)["KeyId"]
    if client.describe_key(KeyId=request["KeyId"])["KeyMetadata"]["Arn"] != client.describe_key(KeyId=used)["KeyMetadata"]["Arn"]:
        raise ServiceError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )


def _bytes(blob: Any) -> bytes:
    """The protocol gives bytes as base64 text."""
    import base64
    import binascii

    try:
        return blob if isinstance(blob, bytes) else base64.b64decode(blob, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ServiceError("InvalidCiphertextException", "CiphertextBlob is not base64.") from error
