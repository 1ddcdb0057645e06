"""What an earlier deployment left that stands in nobody's way: its names cannot clash, but whoever deploys should know of it."""

from __future__ import annotations

from collections.abc import Iterator

from deploy_scripts.preflight.finding import Finding, passed
from deploy_scripts.preflight.situation import Situation
from deploy_scripts.preflight.stack_states import resources_of, status_of

_WHAT = "left behind"
_HASH = 8  # characters by which the CDK ends a logical id; CloudFormation may cut a long name within them


def check_leftovers(situation: Situation) -> Iterator[Finding]:
    """Buckets that stacks of this name made and kept, and SageMaker pipelines, which no stack makes."""
    yield _buckets(situation)
    yield from _pipelines(situation)


def _buckets(situation: Situation) -> Finding:
    left: list[str] = []
    for stack in situation.stacks:
        buckets = [logical_id for logical_id, item in stack.resources("AWS::S3::Bucket").items() if "BucketName" not in item]
        own = set(resources_of(situation, stack).values()) if buckets else set()
        for logical_id in buckets:
            prefix = f"{stack.name}-{logical_id[:-_HASH]}".lower()
            found = situation.account.read_all("s3", "list_buckets", "Buckets", Prefix=prefix)
            left += [item["Name"] for item in found if item["Name"] not in own and item["Name"].startswith(prefix)]
    if not left:
        return passed(_WHAT, "no bucket of an earlier deployment")
    advice = "the new stacks make buckets of their own. Copy what you need (`aws s3 sync`), delete the rest when nobody misses it"
    return passed(_WHAT, f"buckets of an earlier deployment: {', '.join(left)}", advice)


def _pipelines(situation: Situation) -> Iterator[Finding]:
    """Builds make them, no stack. With nothing deployed they are an earlier deployment's, whose roles are gone."""
    if any(status_of(situation, stack) for stack in situation.stacks):
        return
    names = (situation.project.sagemaker_pipeline, situation.project.batch_pipeline)
    # The API's prefix is a name itself, which ends with a letter or a digit.
    summaries = situation.account.read_all("sagemaker", "list_pipelines", "PipelineSummaries", PipelineNamePrefix=situation.project.name)
    if left := [item["PipelineName"] for item in summaries if item["PipelineName"] in names]:
        yield passed(_WHAT, f"SageMaker pipelines of an earlier deployment: {', '.join(left)}", "the next build takes them over")
