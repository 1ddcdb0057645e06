"""docs/faults.md is what the scenarios make it, and forgets none of them."""

from __future__ import annotations

import ast

import pytest

from tests.loop import faults
from tests.loop.clients import Request
from tests.loop.faults import Seen

#: Which a test calls that is the scenario of a fault.
_DECLARES = {"declared", "require_left"}


def test_the_page_is_what_the_scenarios_make_it() -> None:
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page(), "docs/faults.md is out of date: make faults"


def test_every_scenario_that_declares_a_fault_is_on_the_page_and_every_line_is_one() -> None:
    bodies = [ast.parse(file.read_text(encoding="utf-8")).body for file in faults.SCENARIOS]
    tests = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    declare = [node.name for node in tests if _DECLARES & {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}]
    assert sorted(declare) == sorted(item.scenario for item in faults.FAULTS)


BAD, GOOD = "2", "1"


def answer(sent: float, version: str, seconds: float = 0.01) -> Request:
    return Request(sent, sent + seconds, version=version)


def failure(sent: float, seconds: float = 0.01) -> Request:
    return Request(sent, sent + seconds, error="ModelError")


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([failure(1), answer(2, GOOD), answer(3, GOOD)], Seen.ERRORS),
        ([answer(1, BAD, 0.7), answer(2, GOOD), answer(3, GOOD)], Seen.SLOW),
        ([answer(1, BAD), answer(2, GOOD), answer(3, GOOD)], Seen.NOTHING),
        ([answer(1, GOOD), answer(2, GOOD)], Seen.NOTHING),
        ([failure(1), answer(2, GOOD), failure(2.005), answer(3, GOOD)], Seen.ERRORS),  # sent to the bad fleet before the good one answered
        ([failure(1), answer(2, GOOD), answer(3, GOOD), failure(4)], None),  # the good fleet fails a request
        ([failure(1), answer(2, GOOD), answer(3, GOOD), answer(4, BAD)], None),  # it was undone
        ([failure(1), answer(2, GOOD)], None),  # and nobody knows what came then
        ([failure(1), failure(2)], Seen.STILL_BROKEN),
        ([answer(1, BAD), answer(2, BAD)], None),  # nothing is broken
    ],
)
def test_what_clients_saw_is_found_in_their_requests(requests: list[Request], expected: Seen | None) -> None:
    assert faults.seen(requests, GOOD, BAD) is expected
