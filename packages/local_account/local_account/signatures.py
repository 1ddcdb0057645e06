"""Checks that a request was signed with this run's secret: AWS Signature Version 4 in the header or the URL, or the
version 2 URL that boto3 still makes for S3 (`generate_presigned_url`).

The account listens on a port that every program of this machine can reach; the secret is what tells its
own clients from the others. botocore computes the expected signature, so the rules are Amazon's own:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. Next: `gateway.py`, which asks twice: by the headers before it
reads a body, and by the body.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import HmacV1Auth, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from local_account.errors import ServiceError

_ALGORITHM = "AWS4-HMAC-SHA256"
_ALLOWED_SKEW = timedelta(minutes=15)  # as AWS
_LONGEST_SECONDS = 7 * 24 * 3600  # of a pre-signed URL, as in AWS
_GLOBAL_SERVICES, _GLOBAL_REGION = ("iam", "sts"), "us-east-1"
_UNHASHED_PAYLOADS = ("UNSIGNED-PAYLOAD", "STREAMING-")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came over the wire: `path` and `query` still percent-encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a client claims. `service` and `region` also say where the request goes."""

    access_key: str
    service: str
    value: str
    date: str = ""
    region: str = ""
    signed_headers: tuple[str, ...] = ()
    timestamp: str = ""
    expires_seconds: int | None = None  # pre-signed URLs only
    expires_at: str = ""  # version 2 URLs only: seconds since 1970

    @property
    def is_regionless(self) -> bool:
        """Whether it says nothing of where the request goes: of version 2, or for a global endpoint, which signs for us-east-1.

        IAM user guide, "Elements of an AWS API request signature".
        """
        return bool(self.expires_at) or (self.service in _GLOBAL_SERVICES and self.region == _GLOBAL_REGION)


def read_signature(request: Request) -> Signature | None:
    """The signature of a request, or None if it carries none. Raises ServiceError if it is malformed."""
    authorization = request.headers.get("authorization", "")
    try:
        if authorization.startswith(_ALGORITHM):
            fields = dict(part.strip().split("=", 1) for part in authorization.removeprefix(_ALGORITHM).split(","))
            return _signature(fields, request.headers.get("x-amz-date", ""))
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        if query.get("X-Amz-Algorithm") == _ALGORITHM:
            expires = int(query.get("X-Amz-Expires", "0"))
            if not 0 <= expires <= _LONGEST_SECONDS:
                raise ValueError(f"X-Amz-Expires is {expires}; allowed: 0 to {_LONGEST_SECONDS} seconds")
            fields = {name: query[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature")}
            return _signature(fields, query["X-Amz-Date"], expires)
        if {"AWSAccessKeyId", "Signature", "Expires"} <= query.keys():
            if int(query["Expires"]) < datetime.now(UTC).timestamp():
                raise ServiceError("AccessDenied", "The pre-signed URL has expired.", 403)
            return Signature(access_key=query["AWSAccessKeyId"], service="s3", value=query["Signature"], expires_at=query["Expires"])
    except (KeyError, ValueError) as error:
        raise ServiceError("IncompleteSignature", f"The signature is malformed: {error}", 403) from error
    return None


def _signature(fields: Mapping[str, str], timestamp: str, expires_seconds: int | None = None) -> Signature:
    access_key, date, region, service, ending = fields["Credential"].split("/")
    if ending != "aws4_request":
        raise ValueError(f"credential scope ends in {ending!r}")
    return Signature(
        access_key=access_key,
        date=date,
        region=region,
        service=service,
        signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
        value=fields["Signature"],
        timestamp=timestamp,
        expires_seconds=expires_seconds,
    )


def verify_head(request: Request, signature: Signature, secret_key: str) -> None:
    """Raise ServiceError (403) for what the headers alone show to be wrong, before the body is read: an old signature, or a wrong one
    where the client has signed the hash that it says its body has, or none. For S3 it must: "Authenticating Requests (AWS Signature
    Version 4)" of the S3 API reference, where every request has the header x-amz-content-sha256.
    """
    if not signature.expires_at:
        _check_time(signature)
        _check_headers(request, signature)
    if signature.service == "s3" and _signed_payload(request, signature) is None:  # S3's own words; its bodies are the large ones
        raise ServiceError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 400)
    if _signed_payload(request, signature) is not None:
        _check_value(request, signature, secret_key, "")


def verify_body(request: Request, signature: Signature, secret_key: str, body_sha256: str) -> None:
    """After `verify_head`: raise ServiceError unless the body is the one that was signed. `body_sha256` in hexadecimal."""
    claimed_hash = request.headers.get("x-amz-content-sha256", "")
    if claimed_hash and not claimed_hash.startswith(_UNHASHED_PAYLOADS) and claimed_hash != body_sha256:
        raise ServiceError("XAmzContentSHA256Mismatch", "The body does not match its signed SHA-256.", 400)
    if _signed_payload(request, signature) is None:
        _check_value(request, signature, secret_key, body_sha256)


def _signed_payload(request: Request, signature: Signature) -> str | None:
    """What stands for the body in the signed text, as far as the headers say; None where only the body itself can tell."""
    if signature.expires_at:
        return ""  # version 2 signs no body
    if signature.service == "s3" and signature.expires_seconds is not None:
        return "UNSIGNED-PAYLOAD"
    return request.headers.get("x-amz-content-sha256") if "x-amz-content-sha256" in signature.signed_headers else None


def _check_value(request: Request, signature: Signature, secret_key: str, body_sha256: str) -> None:
    try:
        expected = _expected_value(request, signature, secret_key, body_sha256)
    except (ValueError, TypeError) as error:  # a path or header that no client of AWS could have signed
        raise ServiceError("IncompleteSignature", f"The request cannot be signed: {error}", 403) from error
    if not hmac.compare_digest(expected.encode(), signature.value.encode("utf-8", "surrogateescape")):
        message = (
            "The request is not signed with this local account's secret. Use the exports that it printed when it started: "
            "each start is a new account, with a secret of its own and none of the resources of the one before."
        )
        raise ServiceError("SignatureDoesNotMatch", message, 403)


def require_region(signature: Signature, regions: Container[str]) -> None:
    """Raise ServiceError for a request that is signed for something else than one of `regions`."""
    if signature.is_regionless or signature.region in regions:
        return
    if signature.service == "s3":
        message = f"The authorization header is malformed; the region '{signature.region}' is wrong"
        raise ServiceError("AuthorizationHeaderMalformed", message, 400)
    raise ServiceError("SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not {signature.region!r}.", 403)


def _check_headers(request: Request, signature: Signature) -> None:
    """IAM user guide, "Create a signed AWS API request": all x-amz-* headers are signed. The words are S3's."""
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in signature.signed_headers]
    if unsigned:
        message = f"There were headers present in the request which were not signed: {', '.join(unsigned)}"
        raise ServiceError("AccessDenied", message, 403)


def _check_time(signature: Signature) -> None:
    try:
        signed_at = _moment(signature.timestamp)
    except ValueError as error:
        raise ServiceError("IncompleteSignature", f"X-Amz-Date is {signature.timestamp!r}", 403) from error
    now = datetime.now(UTC)  # clients sign with real time, also when the account's clock runs faster
    oldest = now - (_ALLOWED_SKEW if signature.expires_seconds is None else timedelta(seconds=signature.expires_seconds))
    if not oldest <= signed_at <= now + _ALLOWED_SKEW or not signature.timestamp.startswith(signature.date):
        raise ServiceError("RequestExpired", f"The request was signed at {signature.timestamp}, which is too long ago or ahead.", 403)


@functools.lru_cache(maxsize=64)
def _moment(timestamp: str) -> datetime:
    """Of all requests of a second it is the same."""
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _expected_value(request: Request, signature: Signature, secret_key: str, body_sha256: str) -> str:
    query = "&".join(pair for pair in request.query.split("&") if not pair.startswith("X-Amz-Signature="))
    url = f"http://{request.headers.get('host', '')}{request.path}" + (f"?{query}" if query else "")
    if signature.expires_at:
        version_2 = HmacV1Auth(Credentials(signature.access_key, secret_key))
        version_2._get_date = lambda: signature.expires_at  # a URL is signed over its end, not over the time of signing
        return str(version_2.get_signature(request.method, urlsplit(url), _version_2_headers(request)))
    aws_request = AWSRequest(method=request.method, url=url)
    aws_request.context["timestamp"] = signature.timestamp
    signer = _signer(request, signature, Credentials(signature.access_key, secret_key), _signed_payload(request, signature) or body_sha256)
    to_sign = signer.string_to_sign(aws_request, signer.canonical_request(aws_request))
    key = _signing_key(secret_key, signature.timestamp[:8], signature.region, signature.service)
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


@functools.lru_cache(maxsize=256)
def _signing_key(secret_key: str, *scope: str) -> bytes:
    """Of a day, a region and a service: "Create a signed AWS API request", "Calculate the signature", of the IAM user guide."""
    key = f"AWS4{secret_key}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _version_2_headers(request: Request) -> HTTPHeaders:
    """What version 2 signs besides the address: every header of AWS's own, and those that the address carries in its query.

    Source: S3 user guide, "Signing and authenticating REST requests", CanonicalizedAmzHeaders.
    """
    headers = HTTPHeaders()
    for name, value in [*parse_qsl(request.query, keep_blank_values=True), *request.headers.items()]:
        in_address = name in ("content-type", "content-md5") and name not in request.headers
        if name.lower().startswith("x-amz-") or in_address:
            headers[name.lower()] = value
    return headers


class _Signed(dict[str, str]):
    """The headers that were signed, as botocore reads them; its own class is that of e-mails, which takes a tenth of a request."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


def _signer(request: Request, signature: Signature, credentials: Credentials, payload: str) -> Any:
    """botocore's signer for the service, which signs exactly the headers that the client named, and `payload` for the body."""
    base: Callable[..., Any] = S3SigV4Auth if signature.service == "s3" else SigV4Auth
    signer = base(credentials, signature.service, signature.region)
    signed = _Signed((name, request.headers.get(name, "")) for name in signature.signed_headers)
    signer.headers_to_sign = lambda aws_request: signed
    signer.payload = lambda aws_request: payload
    return signer
