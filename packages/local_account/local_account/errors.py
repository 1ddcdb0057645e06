"""Errors in the shape AWS clients understand."""

from __future__ import annotations


class ServiceError(Exception):
    """An AWS error: `code` is what botocore puts into `ClientError.response["Error"]["Code"]`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class InvalidError(ServiceError):
    """What most services answer to a request that they cannot take."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class NotEmulatedError(ServiceError):
    """The local account does not have this operation. It says so rather than invent a success."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__("NotImplemented", f"The local account does not implement {service}:{operation}.", status=501)
