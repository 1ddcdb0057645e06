"""Pages of AWS's console, where a person opens what only they may read."""

from __future__ import annotations

_DOMAINS = {"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com"}


def object_page(region: str, bucket: str, key: str) -> str:
    """Of an object in S3, with the button that opens it for whoever has signed in and may read it."""
    domain = next((found for prefix, found in _DOMAINS.items() if region.startswith(prefix)), "aws.amazon.com")
    return f"https://{region}.console.{domain}/s3/object/{bucket}?region={region}&prefix={key}"
