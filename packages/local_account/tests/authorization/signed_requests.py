"""Requests that no client of AWS would make, correctly signed, for users whose policies the tests write."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials

from local_account.account import Account

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"Content-Type": "application/x-amz-json-1.1"}


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(actions, resources, **more), "Effect": "Deny"}


@dataclass(frozen=True)
class User:
    """A user of an account, with an access key."""

    account: Account
    name: str
    key: str
    secret: str

    @classmethod
    def make(cls, account: Account, *statements: dict[str, Any], **request: Any) -> User:
        """`request`: more members of CreateUser. Without statements, a user who may do nothing."""
        iam, name = account.client("iam"), request.pop("UserName", f"user-{uuid.uuid4().hex[:8]}")
        iam.create_user(UserName=name, **request)
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return cls(account, name, made["AccessKeyId"], made["SecretAccessKey"])

    def client(self, service: str, region: str = "us-east-1", token: str | None = None, **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.account.settings.endpoint_url,
            region_name=region,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **config),
        )

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        unsigned: Mapping[str, str] | None = None,
        host: str = "",
        region: str = "",
        in_address: bool = False,
    ) -> tuple[int, str]:
        """Status and body of the answer. `in_address`: the signature is in the address (not for S3), `unsigned` are added after it."""
        settings = self.account.settings
        host = f"{host or '127.0.0.1'}:{settings.port}"
        request = AWSRequest(method, f"http://{host}{path}", dict(headers or {}), data=body)
        credentials = Credentials(self.key, self.secret)
        if in_address:
            SigV4QueryAuth(credentials, service, region or settings.region).add_auth(request)
        else:
            (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region or settings.region).add_auth(request)
        prepared = request.prepare()
        sent = {**prepared.headers, "Host": host, **(unsigned or {})}
        connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=30)
        connection.request(method, prepared.url.removeprefix(f"http://{host}"), body=body, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
