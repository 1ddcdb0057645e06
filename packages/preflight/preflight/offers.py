"""Does the region have the container image, and the instance types for what they are used for?

Sources, the first that answers: the AWS Price List (GetProducts), which lists each type, use and region that is sold; Service Quotas, which
has a quota for them; botocore's model, which only says that it is a type of SageMaker's. The line says which one it was.
The image's address is that of the definitions and templates; that it is there says ECR.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.session import Session

from preflight.account import Account
from preflight.endpoints import images_of
from preflight.finding import Finding, NotSeenError, failed, not_seen, passed
from preflight.needs import Need, Use
from preflight.service_quotas import Quota, find_quota
from preflight.situation import Situation

_IMAGE = re.compile(r'"((\d{12})\.dkr\.ecr\.[\w.-]+/([\w./-]+):([\w.-]+))"')
_PRICE_LIST, _QUOTAS = "AWS Price List", "Service Quotas"


def check_image(situation: Situation) -> Iterator[Finding]:
    try:
        texts = [json.dumps(definition) for definition in situation.definitions] + [images_of(situation.stacks)]
    except NotSeenError as error:
        yield failed("image", error.reason, f"deploy to a region that {situation.app.words.image_source} has the image for")
        return
    for address, registry, repository, tag in sorted({match for text in texts for match in _IMAGE.findall(text)}):
        request = {"registryId": registry, "repositoryName": repository, "imageIds": [{"imageTag": tag}]}
        try:
            answer = situation.account.find("ecr", "batch_get_image", **request)
        except NotSeenError as error:
            yield not_seen("image", NotSeenError(f"{address} by {situation.app.words.image_source}; {error.reason}", error.permission))
            continue
        if answer and answer.get("images"):
            yield passed("image", address)
        else:
            yield failed("image", f"{address} is not there", f"{situation.app.words.image}, or a region that has it")


def check_instance_types(situation: Situation) -> Iterator[Finding]:
    offered: dict[str, list[str]] = {}
    unknown: list[str] = []
    reasons: dict[str, NotSeenError] = {}
    for need in [*situation.endpoint_needs, *situation.job_needs]:
        answer, source = offers(situation.account, need, reasons)
        if answer is None:
            unknown.append(f"{need.instance_type} ({need.use.label})")
        elif answer:
            offered.setdefault(source, []).append(f"{need.instance_type} ({need.use.label})")
        else:
            yield failed("instance types", f"{need.instance_type} for {need.use.label}: {source}", _instead(situation, need))
    for source, known in offered.items():
        yield passed("instance types", f"{', '.join(known)} in {situation.region} ({source})")
    if unknown:
        types = f"{', '.join(unknown)} are types of SageMaker's (botocore), in {situation.region}?"
        why = "; ".join(error.reason for error in reasons.values())
        permission = next((error.permission for error in reasons.values() if error.permission), None)
        yield not_seen("instance types", NotSeenError(f"{types} {why}", permission))


def offers(account: Account, need: Need, reasons: dict[str, NotSeenError]) -> tuple[bool | None, str]:
    """Whether the region has the type for this use, and who says so; None if nobody does. `reasons` takes why a source did not answer.

    An account that may run some has the type, whatever the list of prices leaves out.
    """
    sold, quota = _sold(account, need, reasons), _quota(account, need, reasons)
    if need.instance_type in sold:
        return True, _PRICE_LIST
    if quota is not None and (quota["Value"] > 0 or not sold):
        return True, _QUOTAS
    if sold:
        return False, f"not sold in {account.region} ({_PRICE_LIST})"
    if need.instance_type not in _types(need.use):
        return False, "no such type in SageMaker's API (botocore)"
    return None, ""


def _sold(account: Account, need: Need, reasons: dict[str, NotSeenError]) -> dict[str, float]:
    try:
        return prices(account, need.use)
    except NotSeenError as error:
        reasons[_PRICE_LIST] = error
        return {}


def _quota(account: Account, need: Need, reasons: dict[str, NotSeenError]) -> Quota | None:
    try:
        return find_quota(account, "sagemaker", need.use.quota(need.instance_type))
    except NotSeenError as error:
        reasons[_QUOTAS] = error
        return None


def prices(account: Account, use: Use) -> dict[str, float]:
    """USD per instance-hour, on demand, by type, as the region sells them for this use. Raises NotSeenError."""
    filters = [
        {"Type": "TERM_MATCH", "Field": name, "Value": value}
        for name, value in (("regionCode", account.region), ("productFamily", "ML Instance"), ("platoinstancetype", use.component))
    ]
    found: dict[str, float] = {}
    for text in account.read_all("pricing", "get_products", "PriceList", ServiceCode="AmazonSageMaker", Filters=filters):
        product = json.loads(text)
        attributes = product["product"]["attributes"]
        name = attributes.get("instanceName") or str(attributes.get("instanceType", "")).split("-")[0]
        if (price := _on_demand(product)) is not None:
            found[str(name)] = max(price, found.get(str(name), 0.0))  # beside it a free tier may be listed
    return found


def _on_demand(product: dict[str, Any]) -> float | None:
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    dimensions = [dimension for term in terms for dimension in term["priceDimensions"].values()]
    return next((float(dimension["pricePerUnit"]["USD"]) for dimension in dimensions if "USD" in dimension["pricePerUnit"]), None)


@functools.cache
def _types(use: Use) -> list[str]:
    return list(Session().get_service_model("sagemaker").shape_for(use.shape).enum)


def _instead(situation: Situation, need: Need) -> str:
    close = difflib.get_close_matches(need.instance_type, _types(need.use), n=3)
    where = situation.app.words.instance_type.get(need.use, "the app")
    return f"another type in {where}" + (f", such as {', '.join(close)}" if close else "")
