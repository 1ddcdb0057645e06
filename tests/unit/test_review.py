"""Claims about the approver's page: what it says of a version, that nothing in it is markup, and that the text says the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from build_scripts.registry import Version
from deploy_scripts.review import commits, cost, differences
from deploy_scripts.review.evidence import Evidence
from deploy_scripts.review.if_yes import if_yes
from deploy_scripts.review.page import render
from deploy_scripts.review.text import lines
from deploy_scripts.review.view import view
from settings_schema import (
    Autoscaling,
    Batch,
    Endpoint,
    Prices,
    ProvisionedConcurrency,
    Rollout,
    Routing,
    Schedule,
    Serverless,
    TargetTracking,
)

EVIL = "<script>alert('1')</script>"
PRICES = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})
GAIN = {"gain": 0.08, "lower": 0.02, "upper": 0.14}
WORSE = {"gain": -0.3, "lower": -0.5, "upper": -0.1}
UNSURE = {"gain": 0.01, "lower": -0.02, "upper": 0.04}


def facts(**more: Any) -> dict[str, Any]:
    """Of version 4, which is better than version 3 and worse for one group."""
    metric = {"name": "rmse", "value": 2.13, "lower": 2.01, "upper": 2.25, "production": {"value": 2.2, "lower": 2.1, "upper": 2.3}}
    return {
        "made_at": "2026-11-27 04:03 UTC",
        "model": "abalone",
        "environment": "live",
        "approvers": 1,
        "version": {
            "number": 4,
            "arn": "arn:version/4",
            "created": "2026-11-27",
            "git-commit": "c" * 40,
            "trigger": "push",
            "algorithm": "linear",
            "metric": "rmse",
            "report-url": "s3://bucket/report.html",
        },
        "production": {"number": 3, "said": "live has version 3"},
        "quality": {"metric": "rmse", "rows": [{**metric, "difference": GAIN}], "note": "differences are to version 3"},
        "gate": {"passed": True, "metric": "rmse", "warnings": [], "checks": [{"passed": True, "refuses": True, "detail": "good enough"}]},
        "changes": [{"about": "data", "what": "train rows", "before": "90", "after": "100"}],
        "commits": {"found": [{"identifier": "d" * 40, "title": "More rows", "built": "2026-11-26 10:00"}], "note": ""},
        "groups": [
            {"column": "sex", "group": "M", "rows": 40, "value": 2.0, "lower": 1.9, "upper": 2.1, "production": 2.2, "difference": GAIN},
            {"column": "sex", "group": "I", "rows": 30, "value": 2.9, "lower": 2.5, "upper": 3.3, "production": 2.6, "difference": WORSE},
        ],
        "bias": None,
        "facet": None,
        "why": None,
        "watch": None,
        "shadow": None,
        "staging": None,
        "cost": {"instance_type": "ml.m5.large", "requests": 1200.0, "instance_hours": 48.0, "usd": 4.8, "source": "a page", "note": ""},
        "if_yes": {"steps": ["a fleet starts"], "seconds": 600, "back": ["python -m deploy_scripts.roll_back"]},
        **more,
    }


def sections(**more: Any) -> dict[str, Any]:
    return {section.title: section for section in view(facts(**more)).sections}


# ---------------------------------------------------------------------------------------------------------------- the view


@pytest.mark.parametrize(
    ("difference", "said"),
    [(GAIN, "it is better: +0.08 (+0.02 to +0.14)"), (WORSE, "it is worse: -0.3"), (UNSURE, "neither better nor worse for sure")],
)
def test_the_verdict_is_no_surer_than_the_interval(difference: dict[str, float], said: str) -> None:
    rows = [{**facts()["quality"]["rows"][0], "difference": difference}]
    shown = view(facts(quality={**facts()["quality"], "rows": rows}))
    assert said in shown.verdict and "live has version 3" in shown.verdict
    assert shown.tone == "good"  # the gate decides


def test_no_difference_is_made_up_where_none_was_measured() -> None:
    rows = [{**facts()["quality"]["rows"][0], "difference": None, "production": {"value": None, "lower": None, "upper": None}}]
    shown = sections(quality={"metric": "rmse", "rows": rows, "note": "not compared: production predicts age"})
    assert shown["Beside production"].rows[0].cells == ("rmse", "2.13 (2.01 to 2.25)", "–", "–")
    assert "not compared: production predicts age" in shown["Beside production"].lines[0]


def test_who_is_worse_off_comes_first_and_stands_out() -> None:
    first, second = sections()["For whom"].rows
    assert (first.cells[0], first.tone, second.cells[0], second.tone) == ("sex = I", "bad", "sex = M", "good")


def test_what_it_took_to_make_is_told_with_what_spare_capacity_saved() -> None:
    trials = {"name": "TuneLinear", "jobs": 2, "instances": "2 ml.m5.xlarge", "cached": False, "ran_seconds": 800, "billed_seconds": 200}
    cached = {"name": "Prepare", "jobs": 0, "instances": "", "cached": True, "ran_seconds": 0, "billed_seconds": 0, "saved": None}
    cost = {"instance_hours": 0.25, "usd": 0.06, "prices_noted": "2026-01", "unpriced": []}
    made = {"steps": [cached, {**trials, "saved": 0.75}], "seconds": 1800.0, "problem": "", **cost}
    shown = sections(making=made)["What it took to make"]
    assert [row.cells for row in shown.rows] == [
        ("Prepare", "from the cache", "–", "0 s", ""),
        ("TuneLinear", "2 jobs, each 2 ml.m5.xlarge", "800 s", "200 s", "saved 75%"),
    ]
    assert shown.lines == ["30 min until its evaluation ended, 0.25 instance-hours: 0.06 USD at the prices noted 2026-01"]
    unpriced = sections(making={**made, "usd": None, "unpriced": ["ml.x"]})["What it took to make"]
    assert "no price of ml.x in PRICES of settings.py" in unpriced.lines[0]
    assert sections(making={"problem": "not authorized"})["What it took to make"].lines == ["not authorized"]
    assert "What it took to make" not in sections()


def test_a_failed_check_comes_first_and_warnings_change_the_verdict() -> None:
    checks = [{"passed": True, "refuses": True, "detail": "a"}, {"passed": False, "refuses": False, "detail": "b"}]
    gate = {"passed": True, "metric": "rmse", "warnings": ["b"], "checks": checks}
    assert [row.cells[1] for row in sections(gate=gate)["Gate"].rows] == ["b", "a"]
    assert view(facts(gate=gate)).tone == "warn"


def test_what_the_check_of_the_data_found_is_shown_with_where_its_test_begins() -> None:
    split = {"by": "time", "column": "seen", "validation_from": "2024-01-15", "test_from": "2024-01-17"}
    shown = sections(split=split, data_warnings=["the target moved"])["Data"]
    assert shown.lines[0].startswith("Split by time: rows from 2024-01-17 on (seen) test")
    assert [(row.cells, row.tone) for row in shown.rows] == [(("the target moved",), "warn")]
    assert "Data" not in sections(split={"by": "features"}, data_warnings=[])
    assert "Data" not in sections()


COMPARISON: dict[str, Any] = {
    "summary": "in the shadow: 400 requests",
    "compared": True,
    "reason": "",
    "version": 4,
    "production": 3,
    "requests": {"production": 400, "shadow": 399},
    "errors": {"production": {"4xx": 0, "5xx": 0}, "shadow": {"4xx": 1, "5xx": 2}},
    "latency_ms": {"production": None, "shadow": {"p50": 3.0, "p99": 13.5, "worst_p99": 20.0}},
    "usd": None,
    "would_undo": [],
}


def test_nothing_is_said_of_a_comparison_that_was_not_made() -> None:
    assert "In production's shadow" not in sections()
    lines = sections(shadow=COMPARISON)["In production's shadow"].lines
    assert lines[0] == "in the shadow: 400 requests"
    assert "version 4: 399 requests, 1 4xx, 2 5xx" in lines


def test_what_would_have_undone_its_rollout_is_the_verdict_whatever_the_gate_says() -> None:
    assert view(facts(shadow=COMPARISON)).tone == "good"
    seen = view(facts(shadow={**COMPARISON, "would_undo": ["server-errors"]}))
    assert seen.tone == "bad"
    assert seen.verdict.endswith("In production's shadow server-errors would have undone its rollout.")


def test_the_load_on_staging_is_shown_with_its_errors() -> None:
    load = {"instances": 1, "wanted_rps": 20.0, "rps": 19.5, "requests": 20, "errors": 1, "p50_ms": 4.0, "p99_ms": None}
    staging = {"environment": "try", "instance_type": "ml.m5.large", "lines": ["3 answers equal"], "load": [load], "seconds": None}
    shown = sections(staging=staging)["On try"]
    assert shown.rows[0].cells == ("20 /s", "19.5 /s", "20", "1", "4.0 ms", "–")
    assert shown.rows[0].tone == "bad" and shown.lines[0] == "3 answers equal"


def test_drift_says_since_when_and_what_labels_say() -> None:
    value = {"metric": "rmse", "version": "3", "value": 2.9, "lower": 2.7, "upper": 3.1}
    breach = {"feature": "length", "detail": "moved", "kind": "drift", "version": "3"}
    watch = {"since": "Monday", "window": {"from": "Monday"}, "realised": value, "estimate": None}
    shown = sections(watch={**watch, "windows": [{"from": "Monday", "rows": 200, "breaches": [breach]}]})["Drift in production"]
    assert shown.lines == ["limits are broken since Monday", "rmse of version 3, by labels: 2.9 (2.7 to 3.1)"]
    assert shown.rows[0].cells == ("Monday", "200", "length; moved")


# ---------------------------------------------------------------------------------------------------------- page and text


def test_nothing_that_comes_from_data_or_people_is_markup() -> None:
    evil = facts(
        model=EVIL,
        commits={"found": [{"identifier": "d", "title": EVIL, "built": ""}], "note": EVIL},
        changes=[{"about": "columns", "what": EVIL, "before": EVIL, "after": '"><img src=x>'}],
        decisions=[{"at": "now", "what": "Approved", "where": EVIL, "who": EVIL, "words": EVIL}],
        shadow={**COMPARISON, "summary": EVIL},
    )
    page = render(view(evil))
    assert "<script" not in page and "<img" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_the_page_asks_nothing_of_anybody_and_fits_a_phone_by_night() -> None:
    page = render(view(facts()))
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=|url\(|@import", page)
    assert "width=device-width" in page and "prefers-color-scheme: dark" in page


def test_the_text_says_what_the_page_says() -> None:
    """Every sentence and every cell, in the same order, from the facts as they are kept."""
    kept = json.loads(json.dumps(facts(decisions=[{"at": "now", "what": "Approved", "where": "registry", "who": "jane", "words": "go"}])))
    shown = view(kept)
    page = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", render(shown).split("</style>")[1])))
    text = re.sub(r"\s+", " ", "\n".join(lines(shown)))
    said = [shown.title, shown.subtitle, shown.verdict, *(part for item in shown.sections for part in (*item.lines, *_cells(item)))]
    for where in (page, text):
        place = 0
        for part in said:
            place = where.index(re.sub(r"\s+", " ", part), place)


def _cells(section: Any) -> list[str]:
    return [cell for row in section.rows for cell in row.cells if cell]


# ------------------------------------------------------------------------------------------------------- what it is made of


def evidence(number: int, libraries: str, columns: list[dict[str, Any]], rows: int) -> Evidence:
    version = Version(f"arn/{number}", number, "Approved", facts={"libraries": libraries, "algorithm": "linear"})
    contract = {"dataset": {"numeric": columns, "target": "rings"}, "preparation": {"split": {"test": 0.2}}}
    return Evidence(version, contract, {"rows": {"train": rows}})


def test_what_changed_is_named_with_both_values_and_nothing_else() -> None:
    before = evidence(3, "numpy=2.1.0 xgboost=3.2.0", [{"name": "a", "minimum": 0}, {"name": "b"}], 90)
    after = evidence(4, "numpy=2.2.0 xgboost=3.2.0", [{"name": "a", "minimum": 1}, {"name": "c"}], 100)
    found = [tuple(change) for change in differences.changes(before, after)]
    assert found == [
        ("data", "train rows", "90", "100"),
        ("columns", "a: minimum", "0", "1"),
        ("columns", "c", "–", "numeric"),
        ("columns", "b", "numeric", "–"),
        ("libraries", "numpy", "2.1.0", "2.2.0"),
    ]
    assert differences.changes(Evidence(), after) == []


def built(*commits_and_titles: tuple[str, str]) -> list[dict[str, Any]]:
    """Newest first."""
    at = datetime(2026, 11, 26, tzinfo=UTC)
    return [{"startTime": at, "sourceRevisions": [{"revisionId": name, "revisionSummary": title}]} for name, title in commits_and_titles]


def test_the_commits_since_productions_have_their_titles_whoever_keeps_the_code() -> None:
    of_connection = json.dumps({"ProviderType": "GitHub", "CommitMessage": "Second\n\nwith reasons"})
    history = built(("d", "Later"), ("c", "Third\nmore"), ("b", of_connection), ("a", "First"))
    assert [commit[:2] for commit in commits.between(history, "a", "c").found] == [("c", "Third"), ("b", "Second")]
    assert "was not built before" in commits.between(history, "x", "c").note
    assert "does not remember" in commits.between(history, "a", "x").note
    assert commits.between(history, "a", "a") == ((), "the same commit made both")


TEN = TargetTracking(max_rps_per_instance=10, safety=0.5)  # 300 invocations a minute on each instance
NIGHT = datetime(2026, 11, 27, 2, tzinfo=UTC)


def test_a_day_costs_what_its_requests_need_within_the_bounds_in_force() -> None:
    nine = Schedule(name="day", cron="0 9 ? * * *", min_capacity=3, max_capacity=4)
    ten_at_night = Schedule(name="night", cron="0 22 ? * * *", min_capacity=1, max_capacity=4)
    scaling = Autoscaling(min_capacity=1, max_capacity=4, target_tracking=TEN, schedules=(nine, ten_at_night))
    serving = Endpoint(autoscaling=scaling)
    busy = {NIGHT: 60 * 301.0, NIGHT + timedelta(hours=1): 60 * 9000.0}
    assert [cost.instances(count / 60, at, serving) for at, count in busy.items()] == [2, 4]
    day = cost.day(busy, NIGHT.replace(hour=0) + timedelta(days=1), serving, PRICES)
    # Hours 0 to 8: 1 instance each but for those two; 9 to 21: three each; 22 and 23: one each.
    assert day.instance_hours == 7 + 2 + 4 + 13 * 3 + 2
    assert day.usd == pytest.approx(day.instance_hours * 0.1) and day.requests == sum(busy.values())
    assert cost.day({}, NIGHT, serving.but(instance_type="ml.c5.large"), PRICES).usd is None


@pytest.mark.parametrize(
    ("rollout", "seconds", "said"),
    [
        (Rollout(bake_seconds=60, termination_wait_seconds=30), 90, "all traffic moves at once"),
        (Rollout(routing=Routing.CANARY, step_percent=10, bake_seconds=60, termination_wait_seconds=30), 150, "10 % of the traffic moves"),
        (Rollout(routing=Routing.LINEAR, step_percent=30, bake_seconds=60, termination_wait_seconds=30), 270, "this 4 times"),
    ],
)
def test_a_yes_takes_as_long_as_its_rollout_waits(rollout: Rollout, seconds: int, said: str) -> None:
    found = if_yes("abalone", "live", Endpoint(initial_instance_count=2, rollout=rollout), 3, 5, 42.0)
    assert found.seconds == seconds
    assert any(said in step for step in found.steps) and "a second fleet of 5 ml.m5.large" in found.steps[1]
    assert "roll_back --model abalone" in found.back[1] and "version 3 returns" in found.back[1]


@pytest.mark.parametrize(
    ("provisioned", "said"),
    [
        (None, "a second fleet of containers of 2048 MB, as requests come, starts beside version 3's"),
        (
            ProvisionedConcurrency(min_capacity=2, max_capacity=5),
            "containers of 2048 MB, 2 of them ready at once and more as requests come,",
        ),
    ],
)
def test_what_has_no_instances_speaks_of_none(provisioned: ProvisionedConcurrency | None, said: str) -> None:
    steps = if_yes("abalone", "live", Serverless(provisioned=provisioned), 3, None, None).steps
    assert said in steps[1]
    assert not [step for step in steps if "ml." in step or "instances" in step]


def test_that_another_instance_type_cannot_be_seen_is_said() -> None:
    assert "whether it gets another instance type cannot be seen: no" in if_yes("abalone", "live", Endpoint(), 3, 2, None, "no").steps


def test_a_first_version_has_nothing_to_go_back_to() -> None:
    assert "nothing to go back to" in if_yes("abalone", "live", Endpoint(), None, None, None).back[0]
    assert "no instance runs" in if_yes("arrests", "live", Batch(), 3, None, None).steps[1]
