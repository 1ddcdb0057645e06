"""Reads metrics out of a job's log by the regular expressions of its MetricDefinitions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from local_account.errors import InvalidError


def compile_definitions(definitions: Sequence[Mapping[str, str]]) -> dict[str, re.Pattern[str]]:
    """Metric name to pattern. Raises a ValidationException for a pattern that is not one."""
    compiled = {}
    for definition in definitions:
        try:
            compiled[definition["Name"]] = re.compile(definition["Regex"])
        except re.error as error:
            raise InvalidError(f"MetricDefinitions: Regex of {definition['Name']} is malformed: {error}") from error
    return compiled


def series(log: str, pattern: re.Pattern[str]) -> list[float]:
    """Every value that the pattern's first group finds, in order. What is not a finite-looking number is left out."""
    found = []
    for match in pattern.finditer(log):
        try:
            found.append(float(match.group(1) if pattern.groups else match.group(0)))
        except ValueError:
            continue
    return found


def final_values(log: str, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, float]:
    """Last value of each metric that appears at all."""
    return {name: values[-1] for name, pattern in patterns.items() if (values := series(log, pattern))}
