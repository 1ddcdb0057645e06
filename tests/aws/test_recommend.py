"""Inference Recommender tries a version on one instance type with the sizing role, and its answer is one that `make capacity` reads."""

from __future__ import annotations

import pytest

from build_scripts import command_line
from capacity import instances
from capacity.service import given
from deploy_scripts import recommend, recommender_job


def test_a_job_of_one_instance_type_completes_as_the_sizing_role(settings, project, monkeypatch, tmp_path, capsys):
    """Takes up to 45 minutes of one instance."""
    model = next((model for model in settings.models.values() if not model.is_batch_only), None)
    if model is None:
        pytest.skip("no model has an endpoint")
    reason = recommender_job.not_offered(project.client("sagemaker"))
    if reason:
        pytest.skip(f"not offered to this account in this region: {reason}")
    monkeypatch.chdir(tmp_path)
    instance_type = model.serving[settings.production.name].instance_type
    arguments = ["--model", model.name, "--instance-type", instance_type]
    assert command_line.run(recommend.main, arguments) == 0, capsys.readouterr().err
    options = instances.read(recommend.file_of(model.name), given(20, p99_ms=60, workers=2))
    assert [option.instance_type for option in options] == [instance_type]
