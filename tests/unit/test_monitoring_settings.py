"""How a model is watched follows from its file: by default each hour at an endpoint, each day what batches scored, and as one says."""

from __future__ import annotations

import json

import pytest

from pipelines.monitoring.code import SETTINGS_FILE, code_files, monitoring_json, own_hash
from pipelines.published_code import code_hash, files_of
from settings_schema import Gate, Monitoring, SettingsError
from settings_schema.steps import PIPELINES
from tests.example_models import ABALONE, ARRESTS


def test_a_model_whose_file_says_nothing_is_watched_by_how_it_serves() -> None:
    endpoint, batch = ABALONE.watch, ARRESTS.watch
    assert endpoint and batch
    assert (endpoint.cron, endpoint.window_hours) == ("20 * ? * * *", 1)
    assert (batch.cron, batch.window_hours) == ("20 0 ? * * *", 24)


def test_what_is_set_stays_and_the_rest_follows() -> None:
    watch = ARRESTS.but(monitoring=Monitoring(window_hours=168, cron="0 6 ? * MON *", time_zone="Europe/Madrid", max_drift=0.2)).watch
    assert watch is not None
    assert (watch.cron, watch.window_hours, watch.time_zone, watch.max_drift) == ("0 6 ? * MON *", 168, "Europe/Madrid", 0.2)
    only_cron = ABALONE.but(monitoring=Monitoring(cron="5 0/6 ? * * *")).watch
    assert only_cron is not None
    assert (only_cron.cron, only_cron.window_hours) == ("5 0/6 ? * * *", 1)


def test_none_watches_nothing() -> None:
    assert ABALONE.but(monitoring=None).watch is None


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Lima", "Australia/Lord_Howe"])
def test_a_weekly_schedule_is_often_enough_also_when_clocks_change(zone: str) -> None:
    """Once a year it is an hour longer than a week."""
    assert Monitoring(cron="30 4 ? * SUN *", time_zone=zone).cron == "30 4 ? * SUN *"


def test_a_weekly_time_that_a_clock_change_skips_would_lose_a_window() -> None:
    """In Madrid there is no 02:30 on a Sunday in March, and the next run would be two weeks later."""
    with pytest.raises(SettingsError, match="also where a clock change skips one"):
        Monitoring(cron="30 2 ? * SUN *", time_zone="Europe/Madrid")


def test_the_job_gets_every_limit_by_its_field_s_name_with_the_gate_and_the_facet() -> None:
    document = json.loads(monitoring_json(ARRESTS))
    assert set(document["monitoring"]) == set(Monitoring.model_fields)
    assert document["monitoring"]["window_hours"] == 24
    assert set(document["gate"]) == set(Gate.model_fields)
    assert (document["model"], document["facet"]) == ("arrests", {"column": "colour", "disadvantaged": "Black"})
    assert json.loads(monitoring_json(ABALONE))["facet"] is None


def test_what_is_published_is_one_folder_with_the_scripts_of_both_and_the_limits() -> None:
    files = code_files(ABALONE)
    assert {"monitoring.json", "publish.py", "inference.py", "dataset.py", "evaluation/fairness.py"} <= set(files)
    assert "specification.json" not in files, "a version's own contract says what it takes"


def test_no_script_of_the_watch_hides_one_that_trains_or_serves() -> None:
    """They are one folder in the container."""
    watching, training = (set(files_of(PIPELINES / kind / "steps")) for kind in ("monitoring", "tabular"))
    assert watching & training == set()
    assert SETTINGS_FILE not in watching | training


def test_another_limit_is_another_address_and_is_deployed() -> None:
    other = ABALONE.but(monitoring=Monitoring(max_drift=0.2))
    assert code_hash(code_files(other)) != code_hash(code_files(ABALONE))
    assert own_hash(other) != own_hash(ABALONE)
    assert own_hash(ABALONE) == own_hash(ABALONE.but(tuning=ABALONE.tuning.but(trials=9)))
