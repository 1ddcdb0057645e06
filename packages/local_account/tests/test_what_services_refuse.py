"""What AWS refuses although each member by itself is well formed is refused here too, with the code that AWS has for it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .sagemaker_requests import new_name

ROLE = "arn:aws:iam::111122223333:role/any"
HERE = "us-east-1:111122223333"
NOW_MS = int(time.time() * 1000)


@pytest.fixture(scope="module")
def shop(account: Account) -> Account:
    """An account with one of each thing that the requests below are about."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return event")
    account.client("lambda").create_function(
        FunctionName="echo", Runtime="python3.12", Handler="index.handler", Role=ROLE, Code={"ZipFile": code.getvalue()}
    )
    account.client("s3").create_bucket(Bucket="shop")
    account.client("s3").put_object(Bucket="shop", Key="order", Body=b"1")
    account.client("logs").create_log_group(logGroupName="shop")
    account.client("logs").create_log_stream(logGroupName="shop", logStreamName="till")
    account.client("sns").create_topic(Name="shop")
    account.client("sqs").create_queue(QueueName="shop")
    account.client("events").put_rule(Name="shop", EventPattern=json.dumps({"source": ["shop"]}))
    account.client("events").put_targets(Rule="shop", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{HERE}:shop"}])
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    account.client("iam").create_role(RoleName="shop", AssumeRolePolicyDocument=json.dumps(trust))
    account.client("iam").create_user(UserName="clerk")
    return account


def function(**more: Any) -> dict[str, Any]:
    return {"FunctionName": "new", "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE, **more}


def alarm(**more: Any) -> dict[str, Any]:
    usual = {"AlarmName": "shop", "Namespace": "shop", "MetricName": "orders", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    given = {**usual, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", **more}
    return {name: value for name, value in given.items() if value is not None}


def schedule(target: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    arn = {"Arn": f"arn:aws:sqs:{HERE}:shop", "RoleArn": ROLE, **(target or {})}
    usual = {"Name": "shop", "ScheduleExpression": "rate(5 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": arn}
    return {**usual, **more}


def topic(**more: Any) -> dict[str, Any]:
    return {"TopicArn": f"arn:aws:sns:{HERE}:shop", **more}


def lines(*events: tuple[int, str]) -> dict[str, Any]:
    logged = [{"timestamp": moment, "message": text} for moment, text in events]
    return {"logGroupName": "shop", "logStreamName": "till", "logEvents": logged}


def data(**datum: Any) -> dict[str, Any]:
    return {"Namespace": "shop", "MetricData": [{"MetricName": "orders", **datum}]}


REFUSED = [
    ("lambda", "create_function", function(Code={"S3Bucket": "none", "S3Key": "x"}), "InvalidParameterValueException"),
    ("lambda", "create_function", function(Code={"S3Bucket": "shop", "S3Key": "none"}), "InvalidParameterValueException"),
    ("lambda", "create_function", function(Code={}), "InvalidParameterValueException"),
    ("lambda", "create_function", function(Code={"S3Bucket": "shop", "S3Key": "order"}, Runtime="java21"), "NotImplemented"),
    ("lambda", "create_function", function(Code={"ZipFile": b"x"}, PackageType="Image"), "NotImplemented"),
    ("lambda", "update_function_code", {"FunctionName": "echo", "S3Bucket": "shop", "S3Key": "none"}, "InvalidParameterValueException"),
    ("lambda", "update_function_configuration", {"FunctionName": "echo", "Runtime": "ruby3.3"}, "NotImplemented"),
    ("lambda", "publish_version", {"FunctionName": "echo", "CodeSha256": "another"}, "NotImplemented"),
    ("lambda", "create_alias", {"FunctionName": "echo", "Name": "live", "FunctionVersion": "77"}, "ResourceNotFoundException"),
    ("lambda", "invoke", {"FunctionName": "echo", "Payload": b"not json"}, "InvalidRequestContentException"),
    ("kms", "create_alias", {"AliasName": "alias/aws/shop", "TargetKeyId": "any"}, "NotAuthorizedException"),
    ("kms", "create_alias", {"AliasName": "alias/shop", "TargetKeyId": "12345678-1234-1234-1234-123456789012"}, "NotFoundException"),
    ("kms", "create_key", {"Policy": "not json"}, "MalformedPolicyDocumentException"),
    ("kms", "create_key", {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "NotImplemented"),
    ("cloudwatch", "put_metric_alarm", alarm(Period=7), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(Period=3600, EvaluationPeriods=169), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(DatapointsToAlarm=2), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(TreatMissingData="whatever"), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(Threshold=None), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(MetricName=None), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(ExtendedStatistic="p90"), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(Statistic=None, ExtendedStatistic="often"), "ValidationError"),
    ("cloudwatch", "put_metric_alarm", alarm(Statistic=None, ExtendedStatistic="tm90"), "NotImplemented"),
    ("cloudwatch", "put_metric_alarm", alarm(ComparisonOperator="LessThanLowerThreshold"), "NotImplemented"),
    ("cloudwatch", "put_metric_alarm", alarm(MetricName=None, Metrics=[{"Id": "e", "Expression": "m1 / m2"}]), "NotImplemented"),
    ("cloudwatch", "put_metric_data", data(Value=float("nan")), "InvalidParameterValue"),
    ("cloudwatch", "put_metric_data", data(Value=1, Values=[1]), "InvalidParameterCombination"),
    ("cloudwatch", "put_metric_data", data(Values=[1, 2], Counts=[1]), "InvalidParameterValue"),
    ("cloudwatch", "put_metric_data", data(), "MissingParameter"),
    ("cloudwatch", "put_dashboard", {"DashboardName": "shop", "DashboardBody": "not json"}, "InvalidParameterInput"),
    ("logs", "put_log_events", lines((NOW_MS, "b"), (NOW_MS - 1, "a")), "InvalidParameterException"),
    ("logs", "put_log_events", lines((NOW_MS - 20 * 86_400_000, "a")), "NotImplemented"),
    ("logs", "filter_log_events", {"logGroupName": "shop", "filterPattern": '{ $.level = "bad" }'}, "NotImplemented"),
    ("logs", "filter_log_events", {"logGroupName": "shop", "filterPattern": "[ip, user]"}, "NotImplemented"),
    (
        *("logs", "put_subscription_filter"),
        {"logGroupName": "shop", "filterName": "f", "filterPattern": "", "destinationArn": f"arn:aws:lambda:{HERE}:function:none"},
        "InvalidParameterException",
    ),
    ("sns", "create_topic", {"Name": "x\n\0"}, "InvalidParameter"),
    ("sns", "create_topic", {"Name": "shop", "Attributes": {"Nope": "x"}}, "InvalidParameter"),
    ("sns", "set_topic_attributes", topic(AttributeName="Policy", AttributeValue="not json"), "InvalidParameter"),
    ("sns", "set_topic_attributes", topic(AttributeName="TracingConfig", AttributeValue="Active"), "NotImplemented"),
    ("sns", "subscribe", topic(Protocol="sms", Endpoint="+15550100"), "NotImplemented"),
    ("sns", "subscribe", topic(Protocol="sqs", Endpoint=f"arn:aws:sqs:{HERE}:none"), "InvalidParameter"),
    ("sns", "subscribe", topic(Protocol="lambda", Endpoint=f"arn:aws:lambda:{HERE}:function:none"), "InvalidParameter"),
    ("sns", "subscribe", topic(Protocol="email", Endpoint="a@b.c", Attributes={"FilterPolicy": "not json"}), "InvalidParameter"),
    ("sns", "publish", topic(Message=""), "InvalidParameter"),
    ("sns", "publish", topic(Message="m", Subject="x" * 101), "InvalidParameter"),
    ("sns", "publish", topic(Message='{"sqs": "m"}', MessageStructure="json"), "InvalidParameter"),
    ("sqs", "create_queue", {"QueueName": "bad name!"}, "InvalidParameterValue"),
    ("sqs", "create_queue", {"QueueName": "new", "Attributes": {"Foo": "1"}}, "InvalidAttributeName"),
    ("sqs", "create_queue", {"QueueName": "new", "Attributes": {"DelaySeconds": "9999"}}, "InvalidAttributeValue"),
    ("sqs", "receive_message", {"QueueUrl": "http://queue", "WaitTimeSeconds": 99}, "InvalidParameterValue"),
    ("events", "put_rule", {"Name": "new"}, "ValidationException"),
    ("events", "put_rule", {"Name": "new", "EventPattern": "not json"}, "InvalidEventPatternException"),
    ("events", "put_rule", {"Name": "new", "ScheduleExpression": "cron(* * * * * *)"}, "ValidationException"),
    ("events", "put_targets", {"Rule": "shop", "Targets": [{"Id": "1", "Arn": f"arn:aws:ecs:{HERE}:cluster/c"}]}, "NotImplemented"),
    ("events", "put_targets", {"Rule": "none", "Targets": [{"Id": "1", "Arn": f"arn:aws:sqs:{HERE}:shop"}]}, "ResourceNotFoundException"),
    ("events", "delete_rule", {"Name": "shop"}, "ValidationException"),
    ("events", "enable_rule", {"Name": "none"}, "ResourceNotFoundException"),
    ("events", "disable_rule", {"Name": "none"}, "ResourceNotFoundException"),
    ("events", "remove_targets", {"Rule": "none", "Ids": ["1"]}, "ResourceNotFoundException"),
    ("events", "list_targets_by_rule", {"Rule": "none"}, "ResourceNotFoundException"),
    ("scheduler", "create_schedule", schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE"}), "ValidationException"),
    ("scheduler", "create_schedule", schedule(StartDate=2_000_000_000, EndDate=1_900_000_000), "ValidationException"),
    ("scheduler", "create_schedule", schedule(GroupName="none"), "ResourceNotFoundException"),
    ("scheduler", "create_schedule", schedule({"Arn": f"arn:aws:lambda:{HERE}:function:echo", "Input": "no"}), "ValidationException"),
    ("scheduler", "create_schedule", schedule({"Arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances"}), "NotImplemented"),
    ("scheduler", "create_schedule", schedule({"Arn": f"arn:aws:ecs:{HERE}:cluster/c"}), "NotImplemented"),
    ("iam", "create_role", {"RoleName": "new", "AssumeRolePolicyDocument": "not json"}, "MalformedPolicyDocument"),
    ("iam", "put_role_policy", {"RoleName": "shop", "PolicyName": "p", "PolicyDocument": "[]"}, "MalformedPolicyDocument"),
    ("iam", "attach_role_policy", {"RoleName": "shop", "PolicyArn": "arn:aws:iam::111122223333:policy/none"}, "NoSuchEntity"),
    ("iam", "delete_access_key", {"UserName": "clerk", "AccessKeyId": "AKIANOTTHECLERKSKEY1"}, "NoSuchEntity"),
    ("s3", "put_bucket_policy", {"Bucket": "shop", "Policy": "not json"}, "MalformedPolicy"),
    ("s3", "get_object", {"Bucket": "shop", "Key": "order", "ExpectedBucketOwner": "444455556666"}, "AccessDenied"),
    ("s3", "get_object", {"Bucket": "shop", "Key": "order", "PartNumber": 2}, "NotImplemented"),
    ("s3", "put_object", {"Bucket": "shop", "Key": "new", "Body": b"", "StorageClass": "GLACIER"}, "NotImplemented"),
    (
        *("s3", "put_object"),
        {"Bucket": "shop", "Key": "new", "Body": b"", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "none"},
        "KMS.NotFoundException",
    ),
    ("ssm", "describe_parameters", {"ParameterFilters": [{"Key": "tag:team", "Values": ["a"]}]}, "NotImplemented"),
]


@pytest.mark.parametrize(("service", "operation", "request_", "code"), REFUSED)
def test_it_is_refused(shop: Account, service: str, operation: str, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        getattr(shop.client(service), operation)(**request_)

    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500 or code == "NotImplemented"


TAKEN = [
    ("lambda", "invoke", {"FunctionName": "echo"}),
    ("cloudwatch", "put_metric_alarm", alarm(Period=10, EvaluationPeriods=5, DatapointsToAlarm=3, TreatMissingData="notBreaching")),
    ("cloudwatch", "put_metric_data", data(Values=[1, 2], Counts=[3, 4])),
    ("cloudwatch", "put_dashboard", {"DashboardName": "shop", "DashboardBody": '{"widgets": []}'}),
    ("sns", "publish", topic(Message="m", Subject="An order of 3 + 4")),
    ("events", "put_rule", {"Name": "daily", "ScheduleExpression": "cron(0 7 * * ? *)"}),
    ("scheduler", "create_schedule", schedule(Name="later", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5})),
    ("iam", "attach_role_policy", {"RoleName": "shop", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
    ("s3", "get_object", {"Bucket": "shop", "Key": "order", "ExpectedBucketOwner": "111122223333"}),
    ("ssm", "describe_parameters", {"ParameterFilters": [{"Key": "Name", "Option": "BeginsWith", "Values": ["/shop"]}]}),
]


@pytest.mark.parametrize(("service", "operation", "request_"), TAKEN)
def test_its_neighbour_is_taken(shop: Account, service: str, operation: str, request_: dict[str, Any]) -> None:
    assert getattr(shop.client(service), operation)(**request_)["ResponseMetadata"]["HTTPStatusCode"] < 300


def test_what_is_encrypted_with_one_key_is_not_decrypted_with_another(account: Account) -> None:
    kms = account.client("kms")
    one, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    blob = kms.encrypt(KeyId=one, Plaintext=b"secret", EncryptionContext={"of": "shop"})["CiphertextBlob"]

    with pytest.raises(kms.exceptions.IncorrectKeyException):
        kms.decrypt(CiphertextBlob=blob, KeyId=other, EncryptionContext={"of": "shop"})
    assert kms.decrypt(CiphertextBlob=blob, KeyId=one, EncryptionContext={"of": "shop"})["Plaintext"] == b"secret"


def test_parts_of_an_upload_but_the_last_have_five_mebibytes(shop: Account) -> None:
    s3 = shop.client("s3")
    place = {"Bucket": "shop", "Key": "parts"}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    sizes = {1: 10, 2: 5 * 1024**2, 3: 1}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**place, PartNumber=number, Body=b"x" * size)["ETag"]}
        for number, size in sizes.items()
    ]

    with pytest.raises(ClientError, match="EntityTooSmall"):
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts[1:]})
    assert s3.head_object(Bucket="shop", Key="parts")["ContentLength"] == 5 * 1024**2 + 1


def test_one_bad_event_does_not_hold_up_the_others(account: Account) -> None:
    answer = account.client("events").put_events(
        Entries=[
            {"DetailType": "order", "Detail": "{}"},
            {"Source": "shop", "DetailType": "order", "Detail": "{}"},
            {"Source": "shop", "DetailType": "order", "Detail": "not json"},
        ]
    )

    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == ["InvalidArgument", None, "MalformedDetail"]
    assert "EventId" in answer["Entries"][1]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["ERROR in till", "WARN of stock", "error of nobody"]),
        ("ERROR", ["ERROR in till"]),
        ("ERROR till", ["ERROR in till"]),
        ('"of stock"', ["WARN of stock"]),
        ("?ERROR ?WARN", ["ERROR in till", "WARN of stock"]),
        ("-ERROR", ["WARN of stock", "error of nobody"]),
        ("of -WARN", ["error of nobody"]),
    ],
)
def test_a_pattern_of_terms_finds_the_lines_that_have_them(account: Account, pattern: str, found: list[str]) -> None:
    logs, group = account.client("logs"), new_name("patterns")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    events = [{"timestamp": NOW_MS, "message": text} for text in ("ERROR in till", "WARN of stock", "error of nobody")]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    assert [event["message"] for event in logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]] == found


def test_a_function_without_code_fails_whichever_way_it_came_to_be(account: Account) -> None:
    """A stack's function is made without the API. It fails to run; it does not answer as if it had."""
    from ministack.services import lambda_svc

    account.client("lambda").create_function(
        FunctionName="empty", Runtime="python3.12", Handler="index.handler", Role=ROLE, Code={"ZipFile": empty_zip()}
    )
    next(record for key, record in lambda_svc._functions._data.items() if key[-1] == "empty")["code_zip"] = None

    answer = account.client("lambda").invoke(FunctionName="empty")
    assert answer["FunctionError"]
    assert json.loads(answer["Payload"].read())["errorMessage"] == "The function has no code"


def empty_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("readme", "")
    return content.getvalue()


def test_a_user_s_key_is_deleted_as_that_user_s_only(account: Account) -> None:
    iam = account.client("iam")
    for name in ("owner", "another"):
        iam.create_user(UserName=name)
    key = iam.create_access_key(UserName="owner")["AccessKey"]["AccessKeyId"]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.delete_access_key(UserName="another", AccessKeyId=key)
    assert [each["AccessKeyId"] for each in iam.list_access_keys(UserName="owner")["AccessKeyMetadata"]] == [key]


def test_a_bucket_s_notifications_are_put_as_the_cdk_puts_them(account: Account) -> None:
    """`bucket.add_event_notification`: its custom resource skips the trial of each destination."""
    s3, queue = account.client("s3"), account.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    s3.create_bucket(Bucket="telling")
    arn = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="telling", NotificationConfiguration=told, SkipDestinationValidation=True)
    assert s3.get_bucket_notification_configuration(Bucket="telling")["QueueConfigurations"][0]["QueueArn"] == arn
