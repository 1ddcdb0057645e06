"""The page that an on-call engineer reads."""

from __future__ import annotations

from typing import Any

import history
import numpy as np
import watch_charts
import watch_report
from dataset import Rows
from examples import of_category, of_number, shown

HOURS = [f"2026-03-02T{hour:02d}Z" for hour in range(24)]


def findings(hour: int, *kinds: tuple[str, str | None], status: str = "", rows: int = 400, **version: Any) -> dict[str, Any]:
    breaches = [
        {"kind": kind, "feature": feature, "version": "3", "effect": 0.3, "limit": 0.1, "since": HOURS[hour], "detail": f"{feature} moved"}
        for kind, feature in kinds
    ]
    judged = {"version": "3", "rows": rows, "drift": [], **version}
    return {
        "window": {"from": HOURS[hour], "to": HOURS[hour + 1]},
        "judged_at": "2026-03-03T00:00:00Z",
        "status": status or ("breached" if breaches else "ok"),
        "reasons": [],
        "requests": rows,
        "rows": rows,
        "refused": 0,
        "pooled_with": [],
        "versions": [judged] if rows else [],
        "breaches": breaches,
    }


def page(document: dict[str, Any], entries: list[Any] | None = None) -> str:
    return watch_report.render(
        document,
        entries or [history.entry(document, "digest", {})],
        limits={"max_drift": 0.1},
        distributions={},
        title="fish in production",
    )


def test_no_traffic_is_not_shown_as_healthy() -> None:
    shown_page = page(findings(0, status="no traffic", rows=0))
    assert "That is not healthy" in shown_page
    assert 'class="verdict healthy"' not in shown_page


def test_each_kind_of_finding_says_what_to_do() -> None:
    for kind, advice in watch_report.ADVICE.items():
        assert advice.format(feature="sex").split(". ")[0] in page(findings(0, (kind, "sex")))


def test_the_banner_names_the_features_and_the_cost() -> None:
    estimate = {"metric": "rmse", "value": 2.93, "lower": 2.7, "upper": 3.1, "at_evaluation": 2.33, "limit": 2.56}
    document = findings(0, ("drift", "sex"), estimate={**estimate, "method": "DLE", "assumption": "No concept drift."})
    shown_page = page(document)
    assert "1 limit is broken: sex. rmse is estimated at 2.93, 2.33 at evaluation." in shown_page
    assert "No concept drift." in shown_page


def test_what_comes_from_requests_is_escaped() -> None:
    breach = {"kind": "drift", "feature": "<script>", "version": "3", "effect": 1, "limit": 0.1, "since": HOURS[0], "detail": "<script>"}
    example = {"inference_id": "<script>", "row": 1, "time": HOURS[0], "shown": {"<script>": "<script>"}, "answer": "<script>"}
    document = {**findings(0, status="breached"), "breaches": [{**breach, "examples": [example]}], "reasons": ["<script>"]}
    assert "<script>" not in page(document)


def test_examples_are_the_requests_in_the_part_that_grew() -> None:
    values = np.array([0.1, 0.9, np.nan, 0.95, 0.2])
    edges, before, now = np.array([0.5]), np.array([50.0, 50.0]), np.array([10.0, 90.0])
    assert of_number(values, edges, before, now, (0, 0)).tolist() == [1, 3]
    assert of_number(values, edges, before, np.array([30.0, 30.0]), (0, 40)).tolist() == [2]
    assert of_category(["F", "I", None, "I"], ({"F": 60, "I": 40}, 0), ({"F": 10, "I": 90}, 0)).tolist() == [1, 3]


def test_an_example_shows_the_column_that_moved_first() -> None:
    rows = Rows({"length": np.array([0.5]), "height": np.array([np.nan])}, {"sex": (["I"], np.array([0]))}, np.array([np.nan]), 1)
    assert list(shown(rows, 0, "sex").items()) == [("sex", "I"), ("length", 0.5), ("height", None)]


def test_dollar_signs_in_names_and_categories_are_text() -> None:
    priced = {"buckets": [{"value": "$x^$", "count": 3}]}
    before = {"name": "$5_$10", "string_statistics": {"common": {"num_missing": 0}, "distribution": {"categorical": priced}}}
    drawn = watch_charts.distribution(before, before)
    assert drawn is not None
    assert "$x^$" in drawn and "$5_$10" in drawn
