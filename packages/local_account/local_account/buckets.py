"""A bucket is one bucket for all accounts of a process, under one name; MiniStack looks for it in the caller's account.

Who may do what with another account's bucket the policies have said before (`authorization/`). Source: S3 user guide, "General purpose
bucket naming rules": a name is unique across all accounts of a partition. Hooks: MiniStack's stores of buckets and objects. Next: nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_account import hooks
from local_account.context import Context


def install(context: Context) -> None:
    from ministack.core.responses import AccountScopedDict
    from ministack.services import s3

    class OfBuckets(AccountScopedDict):  # type: ignore[misc]  # MiniStack says nothing of its types
        """Found under the name of a bucket, or a tuple that begins with it, from every account; listed in its owner's alone."""

        __slots__ = ()

        def _scoped(self, key: Any) -> Any:
            bucket = key[0] if isinstance(key, tuple) else key
            owner = s3._bucket_owner_account(bucket)
            return (owner, key) if owner else super()._scoped(key)

    for name, store in vars(s3).items():
        if name.startswith(("_bucket", "_object_")) and type(store) is AccountScopedDict:
            store.__class__ = OfBuckets
    s3._create_bucket = hooks.around(s3._create_bucket, _unless_taken)
    s3._apply_bucket_scope = lambda *request: None
    s3._copy_source_denied = lambda *request: None


def _unless_taken(original: Callable[..., Any], name: str, *request: Any, **more: Any) -> Any:
    """S3 API reference, CreateBucket, errors."""
    from ministack.core.responses import get_account_id
    from ministack.services import s3

    if s3._bucket_owner_account(name) in (None, get_account_id()):
        return original(name, *request, **more)
    said = "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
    return s3._error("BucketAlreadyExists", f"{said} Please select a different name and try again.", 409, f"/{name}")
