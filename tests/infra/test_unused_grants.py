"""The table of grants that the loop never uses says of today's templates, and of nothing else, why they stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra import unused_grants
from tests.infra.grants import roles
from tests.infra.unused_grants import ELSEWHERE, ONLY_AWS, SELDOM, UNUSED


@pytest.fixture(scope="module")
def granted(templates: Any) -> dict[str, set[str]]:
    """By logical id: two models have roles of the same one, of which one may be granted more."""
    granted: dict[str, set[str]] = {}
    for role in roles(templates).values():
        granted.setdefault(role.name, set()).update(action for statement in role.statements for action in statement.actions)
    return granted


def test_every_entry_is_of_something_that_a_role_is_granted(granted: dict[str, set[str]]) -> None:
    assert unused_grants.stale(granted) == []


def test_every_entry_has_its_kind_and_its_reason() -> None:
    assert {entry.kind for entry in UNUSED} == {ONLY_AWS, SELDOM, ELSEWHERE}
    assert [entry for entry in UNUSED if len(entry.reason) < 20 or not entry.whose] == []


def test_what_no_entry_names_has_no_reason() -> None:
    assert unused_grants.reason("TrainingRoleAA3C7BE5", "sagemaker:DeleteModel") is None
    assert unused_grants.reason("TrainingRoleAA3C7BE5", "sagemaker:StopProcessingJob") is not None
    assert unused_grants.reason("PipelineBuildRoleDC686070", "s3:DeleteObject") is None
