"""What a version's metadata holds: text that the registry takes, whatever a team's settings, data and algorithms are called."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import evaluate
import pytest
import registry_text
from evaluation import lineage
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(max_size=400)
VALUES = TEXTS | st.integers() | st.floats()


def is_customer_metadata_value(text: object) -> bool:
    r"""botocore, CustomerMetadataValue: [\p{L}\p{Z}\p{N}_.:\/=+\-@]*, 1 to 256 characters."""
    if not isinstance(text, str):
        return False
    return 1 <= len(text) <= 256 and all(unicodedata.category(letter)[0] in "LZN" or letter in "_.:/=+-@" for letter in text)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("fix: größer, (v1.0)", "fix: größer_ _v1.0_"), ("", "unknown"), ("a" * 300, "a" * 256), ("learning_rate=0.1 depth=3", None)],
)
def test_metadata_holds_the_characters_that_sagemaker_allows(said: str, kept: str | None) -> None:
    assert registry_text.metadata(said) == (said if kept is None else kept)


@given(st.dictionaries(TEXTS, VALUES, max_size=20), TEXTS, TEXTS)
def test_every_fact_of_a_version_is_text_within_the_pattern(hyperparameters: dict[str, Any], name: str, commit: str) -> None:
    version = {
        "schema_sha256": "0" * 64,
        "specification_sha256": "1" * 64,
        "code_sha256": "2" * 64,
        "algorithm": name,
        "libraries": {"python": name},
        "hyperparameters": hyperparameters,
        "decision_metric": "f1",
        "decision_threshold": 1e-300,
        "fitted_on": {"train": 5, "validation": 3},
    }
    data = {"data_url": f"s3://{name}", "data_sha256": "3" * 64, "sources": {"uploaded": 5, "learned": 3}, "data_versions": name}
    data["split"] = {"by": "time", "column": name, "test_from": name}
    assert all(map(is_customer_metadata_value, lineage.facts(data, version, b"packed", commit).values()))


def test_evaluation_json_stays_within_what_a_step_reads_however_long_the_names_of_classes_are() -> None:
    names = [f"{index} {'x' * 300}" for index in range(100)]
    matrix = {name: dict.fromkeys(names, 0) for name in names}
    metrics = {"accuracy": {"value": 0.5}}
    written = evaluate.property_file({"s": {**metrics, "confusion_matrix": matrix}, "gate": {"passed": True}}, "s", ["confusion_matrix"])
    assert json.loads(written) == {"s": metrics, "gate": {"passed": True}}
    few = {"s": {**metrics, "confusion_matrix": {"a": {"a": 1}}}}
    assert json.loads(evaluate.property_file(few, "s", ["confusion_matrix"])) == few


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_a_pair_is_one_word_with_one_sign_between_its_halves(values: dict[str, Any]) -> None:
    words = registry_text.pairs(values).split(" ")
    assert len(words) == len(values)
    assert all(word.count("=") == 1 for word in words)
