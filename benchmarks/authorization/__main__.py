"""What authorising a request costs, for a role with as many statements as the project's largest has.

    python -m benchmarks.authorization

Only the decision is timed, from the access key to yes or no, without HTTP: resolving the key, finding actions and resources, asking
identity-based policies and the resource's own. Output: median and 99th percentile, and benchmarks/results/authorization.json.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe_machine
from local_account.account import Account
from local_account.authorization.credentials import Credentials
from local_account.context import AccountSettings
from local_account.roles import sagemaker_role

RESULT = Path(__file__).parents[1] / "results" / "authorization.json"
TARGET_MILLISECONDS = 1.0
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


def main() -> int:
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
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
