"""Claims about the templates that a build keeps: the deployment gets the same bytes, all of them or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build_scripts.command_line import ProblemError
from build_scripts.endpoint_templates import template, template_file
from build_scripts.kept_templates import fetch, keep, stacks
from tests.example_models import ABALONE, ARRESTS, ENVIRONMENTS, PROJECT
from tests.unit.script_account import S3

NAMES = ABALONE.names(PROJECT)
OURS = stacks(NAMES, ENVIRONMENTS)
ALL = [*OURS, *stacks(ARRESTS.names(PROJECT), ENVIRONMENTS)]


def synthesized(folder: Path) -> Path:
    """An assembly as CDK writes it: each serving stack in a nested assembly of its own."""
    for stack in ALL:
        nested = folder / f"assembly-{stack}"
        nested.mkdir(parents=True)
        artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": f"{stack}.template.json", "stackName": stack}}
        (nested / "manifest.json").write_text(json.dumps({"artifacts": {stack: artifact}}), encoding="utf-8")
        (nested / f"{stack}.template.json").write_text(json.dumps({"Description": stack}), encoding="utf-8")
    return folder


def test_a_deployment_gets_the_bytes_that_the_build_synthesized(tmp_path: Path) -> None:
    s3, built, deploying = S3(), synthesized(tmp_path / "built"), tmp_path / "deploying"
    keep(s3, "artifacts", "c0ffee", built, ALL, None)
    fetch(s3, "artifacts", "c0ffee", deploying, NAMES, ENVIRONMENTS)
    for stack in OURS:
        assert template_file(deploying, stack).read_bytes() == template_file(built, stack).read_bytes()
        assert template(deploying, stack) == {"Description": stack}


def test_a_deployment_gets_the_templates_of_its_own_model_only(tmp_path: Path) -> None:
    s3, deploying = S3(), tmp_path / "deploying"
    keep(s3, "artifacts", "c0ffee", synthesized(tmp_path / "built"), ALL, None)
    fetch(s3, "artifacts", "c0ffee", deploying, NAMES, ENVIRONMENTS)
    assert sorted(path.name.removesuffix(".template.json") for path in deploying.iterdir()) == sorted(OURS)


def test_a_commit_that_was_not_built_leaves_nothing_half_fetched(tmp_path: Path) -> None:
    s3, built = S3(), synthesized(tmp_path / "built")
    keep(s3, "artifacts", "c0ffee", built, ALL, None)
    del s3.objects[next(name for name in s3.objects if OURS[0] in name)]
    with pytest.raises(ProblemError, match="c0ffee"):
        fetch(s3, "artifacts", "c0ffee", tmp_path / "deploying", NAMES, ENVIRONMENTS)
    assert not (tmp_path / "deploying").exists()


def test_a_commit_whose_tests_failed_is_not_deployed_with_another_one_s_templates(tmp_path: Path) -> None:
    s3 = S3()
    keep(s3, "artifacts", "c0ffee", synthesized(tmp_path / "built"), ALL, None)
    with pytest.raises(ProblemError, match="its build did not succeed"):
        fetch(s3, "artifacts", "bad", tmp_path / "deploying", NAMES, ENVIRONMENTS)
