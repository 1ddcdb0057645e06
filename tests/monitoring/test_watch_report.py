"""The page that an on-call engineer reads."""

from __future__ import annotations

import re
from typing import Any

import history
import numpy as np
import pytest
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


def page(document: dict[str, Any], entries: list[Any] | None = None, distributions: dict[str, Any] | None = None) -> str:
    return watch_report.render(
        document,
        entries or [history.entry(document, "digest", {})],
        limits={"max_drift": 0.1},
        distributions=distributions or {},
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


def test_where_quality_has_no_number_it_says_why_instead() -> None:
    nothing = {"metric": "rmse", "value": None, "lower": None, "upper": None, "at_evaluation": 2.33, "limit": 2.56}
    estimate = {**nothing, "method": None, "assumption": "not estimated: the version was evaluated on 9 rows; 50 are needed"}
    realised = {**nothing, "coverage": 0.1, "groups": [], "reasons": [], "why": "3 answers have a truth; 30 are needed"}
    shown_page = page(findings(0, estimate=estimate, realised=realised))
    assert "<small>not estimated: the version was evaluated on 9 rows; 50 are needed</small>" in shown_page
    assert "<small>3 answers have a truth; 30 are needed; 10.0% of the answers have a truth</small>" in shown_page
    assert "None" not in shown_page and "– to –" not in shown_page


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


def moved(feature: str, effect: float, version: str = "3", kind: str = "drift") -> dict[str, Any]:
    detail = f"{feature} moved by {effect}"
    return {"kind": kind, "feature": feature, "version": version, "effect": effect, "limit": 0.1, "since": HOURS[0], "detail": detail}


def text(document: dict[str, Any], **more: Any) -> str:
    """What a person reads, without the tags."""
    return re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page(document, **more), flags=re.S))


def test_the_pictures_are_of_what_moved_most() -> None:
    def distribution(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        one = {"name": name, "string_statistics": {"distribution": {"categorical": {"buckets": [{"value": "a", "count": 1}]}}}}
        return one, one

    effects = {"first": 0.2, "second": 0.9, "third": 0.3, "fourth": 0.4, "fifth": 0.5}
    document = {**findings(0, status="breached"), "breaches": [moved(name, effect) for name, effect in effects.items()]}
    shown_page = page(document, distributions={name: distribution(name) for name in effects})
    drawn = shown_page[shown_page.index("Training against this window") : shown_page.index("Over time")]
    assert re.findall(r"\b(first|second|third|fourth|fifth)\b", drawn) == ["second", "fifth", "fourth", "third"]


def test_what_a_feature_did_in_two_versions_stands_in_one_line_and_counts_once() -> None:
    document = {**findings(0, status="breached"), "breaches": [moved("sex", 0.2), moved("sex", 0.4, "4")]}
    document["versions"] = [{"version": version, "rows": 200, "drift": []} for version in ("3", "4")]
    shown_text = text(document)
    assert "1 limit is broken: sex." in shown_text
    assert "sex (drift) : version 4: sex moved by 0.4; version 3: sex moved by 0.2" in shown_text


@pytest.mark.parametrize(
    ("confirmed", "advice"),
    [(False, "do not confirm it: rmse is 2.35, known of 100.0% of the answers"), (True, "The labels that came confirm it")],
)
def test_who_has_labels_is_not_sent_to_get_some(confirmed: bool, advice: str) -> None:
    measured = {
        "metric": "rmse",
        "value": 2.35,
        "lower": 2.2,
        "upper": 2.5,
        "at_evaluation": 2.33,
        "coverage": 1.0,
        "groups": [],
        "reasons": [],
    }
    kinds = (("estimate", None), ("quality", None)) if confirmed else (("estimate", None),)
    shown_text = text(findings(0, *kinds, realised=measured))
    assert advice in shown_text
    assert "Get labels for this window" not in shown_text


def test_all_together_is_no_riddle_of_its_own_where_columns_moved_one_by_one() -> None:
    assert "look healthy one by one" in text(findings(0, ("joint", "sex")))
    assert "look healthy one by one" not in text(findings(0, ("joint", "sex"), ("drift", "sex")))


def test_no_captured_refusal_is_not_said_to_be_no_refusal() -> None:
    contract = [{"feature": None, "kind": "refused", "share": 0.0, "baseline": 0.0, "limit": 0.05, "breached": False}]
    shown_text = text(findings(0, contract=contract))
    assert "0 refused" not in shown_text
    assert "does not say that there was none" in shown_text
    assert "400 answered rows, 3 refused" in text({**findings(0, contract=contract), "refused": 3})


def test_few_rows_say_since_when_those_are_that_they_are_judged_with() -> None:
    document = {**findings(5), "pooled_with": [f"{HOURS[hour]}--{HOURS[hour + 1]}" for hour in (4, 2)]}
    assert "version 3 · judged together with those since Mon 02 Mar 02:00, because its own rows are few" in text(document)


def test_a_single_window_is_drawn_inside_its_picture_and_not_on_its_edge() -> None:
    (point,) = watch_charts._times([{"from": HOURS[0], "to": HOURS[1]}])
    assert point.isoformat() == "2026-03-02T00:30:00+00:00"


def test_dollar_signs_in_names_and_categories_are_text() -> None:
    priced = {"buckets": [{"value": "$x^$", "count": 3}]}
    before = {"name": "$5_$10", "string_statistics": {"common": {"num_missing": 0}, "distribution": {"categorical": priced}}}
    drawn = watch_charts.distribution(before, before)
    assert drawn is not None
    assert "$x^$" in drawn and "$5_$10" in drawn
