"""Where an experiment can be set, how large it is, and the reason where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings_schema import (
    Asynchronous,
    Autoscaling,
    Batch,
    Endpoint,
    Experiment,
    Monitoring,
    Rollout,
    Routing,
    Schedule,
    SettingsError,
    Shadow,
)
from settings_schema.reading import read
from tests.example_models import ABALONE, ARRESTS, PRODUCTION, STAGING
from tests.unit.test_reading import MODEL, SETTINGS

TRIED = Endpoint(initial_instance_count=2, experiment=Experiment())
WATCHED = ABALONE.but(serving={**ABALONE.serving, PRODUCTION.name: TRIED})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Asynchronous(experiment=Experiment()), r"Asynchronous.experiment is .*; allowed: only in an Endpoint\(...\), which has"),
        (lambda: Batch(experiment=Experiment()), "Batch has no field 'experiment'"),
        (lambda: Endpoint(experiment=(Experiment(), Experiment())), r"Endpoint.experiment is .*; allowed: None, or Experiment\(...\)"),
        (lambda: Experiment(challenger_percent=51), "Experiment.challenger_percent is 51; allowed: 1 to 50"),
        (lambda: Experiment(labelled_answers=99), "Experiment.labelled_answers is 99; allowed: 100 to 1000000"),
        (
            lambda: Experiment(labelled_answers=1000, challenger_percent=1),
            "Experiment.labelled_answers is 1000; allowed: at least 3000 with challenger_percent=1, as 30 of the challenger's are needed",
        ),
        (
            lambda: WATCHED.but(monitoring=Monitoring(cron="0 0 ? * MON *")),
            r"Model.*monitoring.cron is '0 0 \? \* MON \*'; allowed: at least once a day, as serving\['live'\] has an experiment",
        ),
        (lambda: WATCHED.but(monitoring=Monitoring(window_hours=168)), "Model.*monitoring.window_hours is 168; allowed: at most 24"),
        (lambda: Experiment(days_at_most=54), "Experiment.days_at_most is 54; allowed: 1 to 53"),
        (lambda: TRIED.but(shadow=Shadow()), r"Endpoint.shadow is .*; allowed: None with an experiment"),
        (lambda: TRIED.but(data_capture_percent=0), "Endpoint.data_capture_percent is 0; allowed: more than 0 with an experiment"),
        (lambda: TRIED.but(rollout=Rollout(routing=Routing.ROLLING)), r"Endpoint.experiment is .*; allowed: None with ROLLING routing"),
        (
            lambda: ABALONE.but(serving={**ABALONE.serving, PRODUCTION.name: TRIED}, monitoring=None),
            "Model.*monitoring is None; allowed: set",
        ),
        (
            lambda: ABALONE.but(serving={**ABALONE.serving, PRODUCTION.name: Endpoint(experiment=Experiment(metric="auc"))}),
            r"Model.*experiment.metric is 'auc'; allowed: None, or mse \| rmse \| mae \| r2",
        ),
    ],
)
def test_a_slip_says_what_is_allowed(make, message):
    with pytest.raises(SettingsError, match=message):
        make()


def test_an_experiment_in_staging_has_nobody_s_requests(tmp_path: Path) -> None:
    serving = '{"try": Endpoint(experiment=Experiment()), "live": Endpoint()}'
    model = MODEL.replace('{"try": Batch(), "live": Batch()}', serving).replace(
        "import Algorithm, Batch", "import Algorithm, Endpoint, Experiment"
    )
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fish.py").write_text(model)
    with pytest.raises(SettingsError, match=r"models/fish.py: serving\['try'\]\.experiment is .*; allowed: in 'live' only, which has the"):
        read(tmp_path)


def test_a_model_says_where_it_has_one() -> None:
    assert ABALONE.experiment(PRODUCTION.name) is None and ARRESTS.experiment(PRODUCTION.name) is None
    tried = ABALONE.but(serving={**ABALONE.serving, PRODUCTION.name: TRIED})
    assert (tried.experiment(PRODUCTION.name), tried.experiment(STAGING.name)) == (Experiment(), None)


def test_it_scales_within_its_share_of_what_serves() -> None:
    by_day = Schedule(name="day", cron="0 7 ? * * *", min_capacity=3, max_capacity=12)
    scaling = Autoscaling(min_capacity=2, max_capacity=8, schedules=(by_day,))
    serving = Endpoint(initial_instance_count=2, autoscaling=scaling)
    assert [(item.fewest_instances, item.most_instances) for item in (serving, TRIED)] == [(2, 12), (2, 2)]
    assert [Experiment(challenger_percent=share, labelled_answers=3000).instances(12) for share in (1, 20, 50)] == [1, 3, 6]
    share = Experiment(challenger_percent=30).share_of(scaling)
    assert (share.min_capacity, share.max_capacity) == (1, 3)
    assert [(item.name, item.min_capacity, item.max_capacity) for item in share.schedules] == [("day", 1, 4)]
    assert (share.target_tracking, share.step_scaling) == (scaling.target_tracking, scaling.step_scaling)
