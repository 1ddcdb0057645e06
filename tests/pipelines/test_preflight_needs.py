"""Preflight counts what the pipelines would run: the searches side by side, the other steps one after the other."""

from __future__ import annotations

import json

from pipelines.batch.pipeline import get_pipeline as batch
from preflight.job_needs import job_needs
from preflight.needs import Use
from settings_schema import Algorithm, Range, Tuning
from tests.example_models import ABALONE, PROJECT
from tests.pipelines.conftest import PLACE, defined


def test_searches_run_side_by_side_and_the_steps_around_them_do_not():
    algorithms = tuple(
        Algorithm(name=name, fixed={"num_round": 1}, tuned={"lambda": Range(low=0.1, high=1)}) for name in ("linear", "random_forest")
    )
    definition = json.loads(defined(ABALONE.but(algorithms=algorithms, tuning=Tuning(trials=6, parallel_trials=3))))
    counts = {need.use: need.count for need in job_needs(definition)}
    assert counts == {Use.PROCESSING: 1, Use.TRAINING: 6}


def test_a_batch_needs_the_instances_of_its_transform():
    definition = json.loads(batch(ABALONE.names(PROJECT), PLACE, instance_count=3).definition())
    assert [(need.use, need.count) for need in job_needs(definition)] == [(Use.TRANSFORM, 3)]
