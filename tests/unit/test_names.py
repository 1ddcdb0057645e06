"""Names of two projects, models or environments never meet, whatever these are called; and AWS takes the longest of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings_schema.names import RESERVED_ENVIRONMENTS, RESERVED_MODELS, ProjectNames
from settings_schema.value import NAME_PATTERN

ACCOUNT, REGION = "111122223333", "ap-southeast-2"
#: Names of the kind that a person may give, short, so that many of them begin with one another.
PARTS = st.from_regex(re.compile(NAME_PATTERN), fullmatch=True).filter(lambda text: len(text) <= 6)
MODELS = PARTS.filter(lambda text: text not in RESERVED_MODELS)
ENVIRONMENTS = PARTS.filter(lambda text: text not in RESERVED_ENVIRONMENTS)
#: Of a model in an environment.
KINDS_OF_ROLES = ("inference", "deployment", "deploy", "verify", "scoring", "schedule", "monitoring", "monitor-at", "shadow", "experiment")


def texts(value: object) -> Iterator[str]:
    """Every name that is a property of a class of names; tags and prefixes of objects in buckets are not physical names."""
    left_out = {
        *("prefix", "job_prefix", "training_data", "batch_input", "predictions", "capture", "project_id", "monitoring", "labels"),
        *("learned", "feedback", "sizing_jobs", "reviews", "decisions", "experiments", "checkpoints"),
    }
    for attribute, member in vars(type(value)).items():
        if isinstance(member, property) and attribute not in left_out and isinstance(text := getattr(value, attribute), str):
            yield text


def all_names(project: str, model: str, environment: str) -> dict[str, set[str]]:
    of_project = ProjectNames(project=project)
    of_model, of_environment = of_project.model(model), of_project.environment(environment)
    return {
        "project": {*texts(of_project), of_project.data_bucket(ACCOUNT, REGION), of_project.artifact_bucket(ACCOUNT, REGION)},
        "environment": {*texts(of_environment), of_environment.bucket(ACCOUNT, REGION)},
        "model": {*texts(of_model), of_model.job("Evaluate"), of_model.deploy_project("render"), of_model.alarm("training-failed")},
        "serving": {
            *texts(of_model.at(environment)),
            of_model.at(environment).alarm("errors"),
            of_model.at(environment).rule("job-failed"),
        },
    }


@given(first=st.tuples(PARTS, MODELS), second=st.tuples(PARTS, MODELS), environment=PARTS)
def test_two_models_have_no_name_in_common(first, second, environment):
    if first == second:
        return
    ours, theirs = (all_names(project, model, environment) for project, model in (first, second))
    assert not (ours["model"] | ours["serving"]) & (theirs["model"] | theirs["serving"])


@given(
    project=PARTS,
    models=st.lists(MODELS, min_size=1, max_size=3, unique=True),
    environments=st.lists(ENVIRONMENTS, min_size=2, max_size=2, unique=True),
)
def test_stacks_and_roles_of_one_project_have_different_names(project, models, environments):
    names = ProjectNames(project=project)
    serving = [names.model(model).at(environment) for model in models for environment in environments]
    of_environments = [names.environment(environment) for environment in environments]
    of_models = [names.model(model) for model in models]
    stacks = [names.foundation_stack, names.build_stack, *(item.stack for item in [*of_models, *of_environments, *serving])]
    roles = [
        *(role for item in of_models for role in (item.pipeline_role, item.sizing_role)),
        *(item.forwarding_role for item in of_environments),
        *(item.role(kind) for item in serving for kind in KINDS_OF_ROLES),
    ]
    assert len(stacks) == len(set(stacks))
    assert len(roles) == len(set(roles))


@given(first=PARTS, second=PARTS, model=MODELS, environment=PARTS)
def test_two_projects_have_no_name_in_common(first, second, model, environment):
    if first == second:
        return
    ours, theirs = (set().union(*all_names(project, model, environment).values()) for project in (first, second))
    assert not ours & theirs


@pytest.mark.parametrize(("project", "other"), [("x", "x-y"), ("x", "xy"), ("fraud", "fraud-eu")])
def test_no_name_of_another_project_begins_like_this_one_s(project, other):
    theirs = set().union(*all_names(other, "fish", "staging").values())
    assert not [name for name in theirs if name.removeprefix("alias/").startswith(ProjectNames(project=project).prefix)]


@pytest.mark.parametrize(("model", "other"), [("fish", "fish-large"), ("fish", "fishes")])
def test_no_name_of_another_model_begins_like_this_one_s(model, other):
    theirs = all_names("x", other, "staging")
    assert not [name for name in theirs["model"] | theirs["serving"] if name.startswith(ProjectNames(project="x").model(model).prefix)]


@pytest.mark.parametrize(
    ("where", "longest"),
    [("project", 63), ("environment", 64), ("model", 64), ("serving", 64)],
)
def test_aws_takes_the_longest_names(where, longest):
    """63: a bucket; 64: an IAM role, a Lambda function. The lengths are those that settings_schema/ allows."""
    names = {name.rsplit("/", 1)[-1] for name in all_names("p" * 16, "m" * 20, "e" * 12)[where]}
    assert max(map(len, names)) <= longest
    assert len(ProjectNames(project="p" * 16).model("m" * 20).at("e" * 12).endpoint) <= 63
    assert len(ProjectNames(project="p" * 16).environment("e" * 12).bucket(ACCOUNT, REGION)) <= 63
