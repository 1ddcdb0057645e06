"""An invocation that an endpoint does not offer is refused in the service's own words, as a stock client reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .endpoint_models import create_configuration, create_endpoint, create_model, variant
from .users import make_user

INVOCATIONS: dict[str, Callable[[Any, str], Any]] = {
    "streamed": lambda client, name: client.invoke_endpoint_with_response_stream(
        EndpointName=name, Body=b"1", ContentType="text/csv", Accept="application/jsonlines", InferenceId="order-1"
    ),
    "asynchronous": lambda client, name: client.invoke_endpoint_async(
        EndpointName=name, InputLocation="s3://bucket/rows.csv", ContentType="text/csv", RequestTTLSeconds=60
    ),
}


def refusal(client: Any, kind: str, endpoint: str) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        INVOCATIONS[kind](client, endpoint)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.fixture(scope="module")
def endpoint(account: Account) -> str:
    create_model(account, "doubling", 2.0)
    create_configuration(account, "one-instance", variant("doubling"))
    assert create_endpoint(account, "doubler", "one-instance")["EndpointStatus"] == "InService"
    return "doubler"


@pytest.mark.parametrize("kind", INVOCATIONS)
def test_an_endpoint_that_answers_at_once_offers_no_other_invocation(account: Account, endpoint: str, kind: str) -> None:
    said = "Endpoint doubler of account 111122223333 does not support this inference type."
    assert refusal(account.client("sagemaker-runtime"), kind, endpoint) == (400, "ValidationError", said)


@pytest.mark.parametrize("kind", INVOCATIONS)
def test_an_endpoint_that_is_not_there_is_not_found(account: Account, kind: str) -> None:
    said = "Endpoint nowhere of account 111122223333 not found."
    assert refusal(account.client("sagemaker-runtime"), kind, "nowhere") == (400, "ValidationError", said)


@pytest.mark.parametrize("kind", INVOCATIONS)
def test_who_may_not_invoke_is_told_nothing_of_the_endpoint(account: Account, kind: str) -> None:
    nobody = make_user(account, f"nobody-{kind}").client("sagemaker-runtime")
    status, code, _ = refusal(nobody, kind, "nowhere")
    assert (status, code) == (400, "AccessDeniedException")
