"""The page at the end of the demo: complete, readable without its pictures, and rendered by a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from demo import page
from demo.facts import Exchange, Facts, ModelFacts, ScalingRecord, Scored
from demo.narrator import Stage
from demo.scaling_watch import SCHEDULE, TARGET_TRACKING, Activity, Sample, who_acted
from demo.subject import subject
from tests.example_models import ABALONE, ARRESTS, SETTINGS

MORNING = datetime(2030, 1, 7, 6, 55, tzinfo=ZoneInfo("Europe/Madrid"))
REPORT_COLOUR = (18, 52, 86)
OTHER_REPORT = "<!doctype html><title>r</title><p>Another report</p>"
REPORT = '<!doctype html><title>r</title><body style="background:#123456"><p>Report</p></body>'
CHROMIUM = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)


def at(minute: float) -> datetime:
    return MORNING + timedelta(minutes=minute)


def facts() -> Facts:
    stages = [
        Stage("First", "cdk deploy", 0.0, 5.0, "4 stacks"),
        Stage("Second", "Prepare <b>", 5.0, 2.0, "10 rows"),
        Stage("Third", "Staging: Deploy", 7.0, 1.0),
    ]
    record = ScalingRecord(
        start=MORNING,
        time_zone="Europe/Madrid",
        speed=120,
        requests={0: 4, 1: 70, 2: 5},
        failed=0,
        samples=[Sample(at(0), 2), Sample(at(1), 7), Sample(at(2), 3)],
        activities=[
            Activity("1", at(0.5), SCHEDULE, "business-hours", "Setting desired instance count to 3.", "because of the hour"),
            Activity("2", at(1), TARGET_TRACKING, "invocations", "Setting desired instance count to 7.", "because of the load"),
        ],
    )
    metadata = {"metric": "rmse", "metric-value": "2.12345", "threshold": "2.4", "algorithm": "linear", "data-sha256": "ab" * 32}
    abalone = ModelFacts(
        subject(SETTINGS, ABALONE),
        pending_at=6.5,
        approved_at=7.0,
        staging_at=8.25,
        version=3,
        metadata=metadata,
        report_html=REPORT,
        exchanges=[
            Exchange("One row", "text/csv", "1,2,F", 200, "9.5", 4.0),
            Exchange("A script", "text/csv", "<script>alert(1)</script>", 400, "no <number>", 3.0),
        ],
        scaling=record,
    )
    scored = Scored(
        "s3://b/batch/arrests/monday/", "s3://b/predictions/arrests/monday/rows.csv.out", "its upload", 2.75, [("31,<i>", "Yes 0.83", "No")]
    )
    arrests = ModelFacts(
        subject(SETTINGS, ARRESTS),
        pending_at=9.25,
        version=1,
        metadata={**metadata, "metric": "auc", "metric-value": "0.6912"},
        report_html=OTHER_REPORT,
        scored=scored,
    )
    return Facts(stages=stages, models=[abalone, arrests], commit="0123456789abcdef", pushed_at=1.0)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    page.write(path, SETTINGS, facts())
    return path


class Structure(HTMLParser):
    """Ids, links to them, addresses that a browser would fetch, and the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.ids, self.anchors, self.fetched, self.text = set(), set(), set(), ""

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids.add(named.get("id"))
        if tag == "a" and named["href"].startswith("#"):
            self.anchors.add(named["href"][1:])
        self.fetched |= {named[name] for name in ("src", "poster", "data") if name in named}
        if tag in ("link", "script", "image"):
            self.fetched.add(named.get("href", tag))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def structure(written) -> Structure:
    parsed = Structure()
    parsed.feed(written.read_text(encoding="utf-8"))
    return parsed


def test_the_page_fetches_nothing(written, structure):
    assert structure.fetched == set()
    assert "@import" not in written.read_text() and not re.search(r"url\((?!#)", written.read_text())


def test_every_link_inside_the_page_has_its_target(structure):
    assert structure.anchors and structure.anchors <= structure.ids


def test_what_the_pictures_show_is_said_in_words_too(structure):
    for words in ("cdk deploy", "4 stacks", "2 → 7 → 3", "because of the load", "business-hours", "5.5 s", "1.2 s", "8.2 s"):
        assert words in structure.text


def test_answers_are_shown_as_text_never_as_markup(written):
    assert "<script" not in written.read_text()


def test_each_model_has_its_part_and_what_is_batch_only_shows_what_was_scored(structure):
    assert {"abalone", "arrests"} <= structure.ids
    for words in ("batch only", "s3://b/predictions/arrests/monday/rows.csv.out", "Yes 0.83", "0.6912", "2.8 s"):
        assert words in structure.text


def test_each_report_is_also_a_page_of_its_own(written):
    assert written.with_name("report-abalone.html").read_text() == REPORT
    assert written.with_name("report-arrests.html").read_text() == OTHER_REPORT


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; .ci/run installs one")
def test_a_browser_shows_the_page_with_the_report_inside(written, tmp_path):
    picture = tmp_path / "page.png"
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    quiet = "--disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=3000 --window-size=1200,3000"
    subprocess.run(
        [CHROMIUM, *flags.split(), *quiet.split(), f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", written.as_uri()],
        check=True,
        capture_output=True,
        timeout=60,
    )
    counts = {colour: count for count, colour in Image.open(picture).convert("RGB").getcolors(1 << 24)}
    assert counts.get(REPORT_COLOUR, 0) > 100_000  # the report fills its frame
    assert counts[(0, 114, 178)] > 1_000  # the bars of the first chapter
    assert len(counts) > 100


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("scheduled action name business-hours was triggered", (SCHEDULE, "business-hours")),
        ("monitor alarm x in state ALARM triggered policy p-steps", ("step scaling", "p-steps")),
        ("monitor alarm x in state ALARM triggered policy p", (TARGET_TRACKING, "p")),
        ("minimum capacity was set to 2", ("bounds", "")),
    ],
)
def test_the_rule_that_acted_is_read_from_the_cause(cause, expected):
    assert who_acted(cause, {"p": "TargetTrackingScaling", "p-steps": "StepScaling"}) == expected
