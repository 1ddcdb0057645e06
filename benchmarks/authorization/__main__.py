"""What authorising a request costs, for a role with as many statements as the project's largest has; and what enforcing costs the demo.

    python -m benchmarks.authorization [--demos 3]

Only the decision is timed, from the access key to yes or no, without HTTP: resolving the key, finding actions and resources, asking
identity-based policies and the resource's own. `--demos`: whole demos in turn, as it is and with an account that takes every request
(`unenforced/`). Output: median and 99th percentile, the demos' medians, and benchmarks/results/authorization.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.loop.waiting import demo
from benchmarks.machine import describe_machine
from local_account.account import Account
from local_account.authorization.credentials import Credentials
from local_account.context import AccountSettings
from local_account.roles import sagemaker_role

RESULT = Path(__file__).parents[1] / "results" / "authorization.json"
TARGET_MILLISECONDS = 1.0
TARGET_RATIO = 1.1
ROUNDS = 2000
BUCKET = "benchmark-artifacts"
REQUESTS = [
    ("s3", "GetObject", {"Bucket": BUCKET, "Key": "code/a"}),
    ("s3", "PutObject", {"Bucket": BUCKET, "Key": "runs/a"}),
    ("s3", "ListObjectsV2", {"Bucket": BUCKET, "Prefix": "code/"}),
    ("sagemaker", "DescribeTrainingJob", {"TrainingJobName": "mlops-a"}),
    ("logs", "PutLogEvents", {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "a"}),
]


STATEMENTS = 30


def _prepared(account: Account) -> Credentials:
    """A bucket with a policy and a key, and a role whose last statements allow the requests."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.client("s3").create_bucket(Bucket=BUCKET)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.client("s3").put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    only_tls = {"Bool": {"aws:SecureTransport": "false"}}
    insecure = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": only_tls}
    account.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [insecure]}))
    actions = ["ssm:Get*", "sns:Publish"]
    others = [{"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:*:*:*:other-{number}-*"} for number in range(STATEMENTS)]
    mine = [{"Effect": "Allow", "Action": ["s3:*", "kms:*", "sagemaker:Describe*", "logs:Put*"], "Resource": "*"}]
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="jobs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))["Role"]
    document = json.dumps({"Version": "2012-10-17", "Statement": others + mine})
    iam.put_role_policy(RoleName="jobs", PolicyName="jobs", PolicyDocument=document)
    return sagemaker_role(account.context, role["Arn"], account.context.arn("sagemaker", "training-job/a")).credentials


def _demos(rounds: int) -> dict[str, Any]:
    """Seconds of whole demos, one with and one without in turn, so that what else the machine does meets both."""
    seconds: dict[str, list[float]] = {"enforced": [], "unenforced": []}
    root, unenforced = Path(__file__).parents[2], Path(__file__).parent / "unenforced"
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            for name, environment in (("enforced", {}), ("unenforced", {"PYTHONPATH": str(unenforced)})):
                runs = demo(root, Path(scratch) / f"{name}-{number}", environment=environment)
                seconds[name].append(next(run.value for run in runs if run.name == "whole_demo"))
                print(f"demo, {name}: {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    ratio = medians["enforced"] / medians["unenforced"]
    print(f"the demo with everything enforced takes {ratio:.2f} times what it takes without (promised: at most {TARGET_RATIO:g})")
    return {"demo_seconds": seconds, "demo_ratio_of_medians": round(ratio, 3), "target_demo_ratio": TARGET_RATIO}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.authorization", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demos", type=int, default=3, help="whole demos of each kind (default %(default)s)")
    rounds = parser.parse_args(arguments).demos
    if rounds < 1:
        parser.error(f"--demos is {rounds}; allowed: 1 or more")
    settings = AccountSettings(state_directory=Path(tempfile.mkdtemp(), "account"), port=0)
    with Account(settings) as account:
        credentials = _prepared(account)
        milliseconds = []
        for number in range(ROUNDS):
            service, operation, parameters = REQUESTS[number % len(REQUESTS)]
            started = time.perf_counter()
            account.context.authorizer.require_of(credentials, service, operation, parameters)
            milliseconds.append(1000 * (time.perf_counter() - started))
    milliseconds.sort()
    median, tail = milliseconds[ROUNDS // 2], milliseconds[int(ROUNDS * 0.99)]
    print(f"authorising a request: median {median:.3f} ms, 99th percentile {tail:.3f} ms (promised: at most {TARGET_MILLISECONDS:g} ms)")
    document = {
        "machine": describe_machine(),
        "median_milliseconds": round(median, 4),
        "p99_milliseconds": round(tail, 4),
        "target_milliseconds": TARGET_MILLISECONDS,
        "requests": ROUNDS,
        "statements": STATEMENTS + 1,
        **_demos(rounds),
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
