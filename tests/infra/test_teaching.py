"""What production found and learned reaches the model's training: written by its watch alone, below two prefixes, from any account."""

from __future__ import annotations

from typing import Any

import pytest

from settings_schema import Retraining
from tests.example_models import ABALONE
from tests.infra.cases import THREE, named
from tests.infra.conftest import resources_of
from tests.infra.grants import Templates, only, roles
from tests.infra.test_accounts import HOME, PLACES, lets_in, policy, role_of

BUCKET = "arn:aws:s3:::shop--data-111122223333-us-east-1"
LEARNED, FEEDBACK = "training/abalone/learned/live/2026-11-27T14Z--2026-11-27T15Z.csv", "feedback/abalone/live.json"


@pytest.fixture(scope="module")
def learning(variant: Any) -> Templates:
    """The model that has endpoints learns from its answers."""
    return variant(models=named(ABALONE.but(retraining=Retraining(learn_from_answers=True))))


def test_the_watch_of_a_model_that_learns_writes_its_rows_and_why_now_and_reads_no_other_data(learning: Templates) -> None:
    watch = role_of(learning, "shop--abalone--live--monitoring")
    for action in ("s3:PutObject", "s3:GetObject"):
        assert watch.may(action, f"{BUCKET}/{LEARNED}")
        assert watch.may(action, f"{BUCKET}/{FEEDBACK}")
        for other in (
            "training/abalone/abalone.csv",
            LEARNED.replace("live", "try"),
            "training/abalone/_SUCCESS",
            "feedback/abalone/try.json",
        ):
            assert not watch.may(action, f"{BUCKET}/{other}"), other
    assert not watch.may("s3:DeleteObject", f"{BUCKET}/{LEARNED}")


def test_the_watch_of_a_model_that_does_not_learn_writes_no_rows(templates: Templates) -> None:
    watch = role_of(templates, "shop--abalone--live--monitoring")
    assert not watch.may("s3:PutObject", f"{BUCKET}/{LEARNED}")
    assert watch.may("s3:PutObject", f"{BUCKET}/{FEEDBACK}")


def test_what_starts_a_training_reads_why_and_no_data_and_asks_who_may_list_them(templates: Templates) -> None:
    role = only(roles(templates), "shop--abalone/RetrainingStartRetraining")
    assert role.may("s3:GetObject", f"{BUCKET}/{FEEDBACK}")
    assert role.may("s3:PutObject", f"{BUCKET}/feedback/abalone/_TOLD")
    assert not role.may("s3:PutObject", f"{BUCKET}/{FEEDBACK}")
    assert not role.may("s3:GetObject", f"{BUCKET}/training/abalone/abalone.csv")
    invoked = [resource for statement in role.allowing("lambda:InvokeFunction") for resource in statement.resources]
    assert invoked == ["arn:aws:lambda:us-east-1:111122223333:function:shop--abalone--data-version"]


def test_evaluation_reads_why_now(templates: Templates) -> None:
    assert role_of(templates, "shop--abalone--training").may("s3:GetObject", f"{BUCKET}/{FEEDBACK}")


def test_a_function_without_an_alarm_that_retrains_may_ask_nothing(variant: Any) -> None:
    never = variant(models=named(ABALONE.but(retraining=Retraining(on_drift=False, on_quality=False))))
    role = only(roles(never), "shop--abalone/RetrainingStartRetraining")
    assert not list(role.allowing("lambda:InvokeFunction"))
    assert not list(role.allowing("s3:GetObject"))


def test_each_alarm_that_retrains_is_one_that_the_watch_has(templates: Templates) -> None:
    alarms = {str(alarm["AlarmName"]): alarm["MetricName"] for alarm in resources_of(templates, "AWS::CloudWatch::Alarm").values()}
    assert alarms["shop--abalone--live--quality"] == "QualityBreaches"
    assert alarms["shop--abalone--live--drift"] == "DriftedFeatures"


@pytest.mark.parametrize("environment", PLACES)
def test_a_watch_in_another_account_is_let_in_for_its_environment_s_objects(synthesized: Any, environment: str) -> None:
    three, account = synthesized(THREE)[1], PLACES[environment][0]
    watch = role_of(three, f"shop--abalone--{environment}--monitoring")
    data = f"arn:aws:s3:::shop--data-{HOME}-eu-west-1"
    bucket, key = policy(three, "shop--foundation", "AWS::S3::BucketPolicy", "Data"), policy(three, "shop--foundation", "AWS::KMS::Key")
    written = f"{data}/feedback/abalone/{environment}.json"
    assert watch.may("s3:PutObject", written)
    assert lets_in(three, "shop--foundation", bucket, watch.arn, "s3:PutObject", written)
    assert lets_in(three, "shop--foundation", bucket, watch.arn, "s3:PutObject", f"{data}/training/abalone/learned/{environment}/w.csv")
    assert lets_in(three, "shop--foundation", key, watch.arn, "kms:GenerateDataKey")
    other = next(name for name in PLACES if name != environment)
    for obj in (
        f"{data}/training/abalone/abalone.csv",
        f"{data}/training/abalone/learned/{other}/w.csv",
        f"{data}/feedback/abalone/{other}.json",
    ):
        assert not lets_in(three, "shop--foundation", bucket, watch.arn, "s3:PutObject", obj), obj
    for name in (f"shop--abalone--{environment}--inference", "admin"):
        assert not lets_in(three, "shop--foundation", bucket, f"arn:aws:iam::{account}:role/{name}", "s3:PutObject", written)
        assert not lets_in(three, "shop--foundation", key, f"arn:aws:iam::{account}:role/{name}", "kms:GenerateDataKey")
