"""docs/parity.md is what the tests, the lists and the decisions make it, and forgets none of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests import parity

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_tests_make_it() -> None:
    assert parity.PAGE.read_text(encoding="utf-8") == parity.page(), "docs/parity.md is out of date: make parity"


def test_every_test_module_of_the_local_account_is_in_one_topic_or_about_the_emulator_itself() -> None:
    modules = set((ROOT / "packages" / "local_account" / "tests").rglob("test_*.py"))
    listed = [module for topic in parity.TOPICS.values() for module in topic] + [f"local_account/{name}.py" for name in parity.OWN]
    assert modules - {parity.where(module) for module in listed} == set()
    assert sorted(set(listed)) == sorted(listed)


def test_every_link_of_the_page_has_its_target() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", parity.page())
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).resolve().is_file()] == []


@pytest.mark.parametrize(("when", "answer"), [(None, "No: nobody has run"), ("2027-01-31", "Yes, last on 2027-01-31.")])
def test_the_page_says_whether_and_when_a_real_account_was_asked(when: str | None, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = parity._module

    def loaded(path: Path) -> Any:
        module = load(path)
        if path.name == "facts.py":
            module.LAST_RUN = when
        return module

    monkeypatch.setattr(parity, "_module", loaded)
    assert f"**Has it been run against a real account?** {answer}" in parity.page()


def test_a_reason_counts_for_the_members_after_it_that_have_the_same() -> None:
    assert parity._by_reason({"A": "one", "B": "the same", "C": "two"}) == {"one": ["A", "B"], "two": ["C"]}
