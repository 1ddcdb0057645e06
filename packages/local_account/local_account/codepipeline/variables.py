"""Replaces `#{namespace.name}` in configurations.

Namespaces: `variables` (declared by the pipeline), `codepipeline` (PipelineExecutionId), and those that actions declare.
https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"#\{([\w@-]+)\.([\w@.-]+)\}")
#: Configuration values that hold JSON: a value put into one must not be able to end its string.
_JSON_VALUES = ("EnvironmentVariables", "ParameterOverrides")

Namespaces = Mapping[str, Mapping[str, str]]


class UnresolvedVariableError(ValueError):
    """A reference names a variable that no earlier action has set."""


def resolve(text: str, namespaces: Namespaces, *, inside_json: bool = False) -> str:
    """`text` with every reference replaced. Raises UnresolvedVariableError."""

    def value(reference: re.Match[str]) -> str:
        namespace, name = reference[1], reference[2]
        if name not in namespaces.get(namespace, {}):
            known = sorted(f"{space}.{key}" for space, values in namespaces.items() for key in values)
            raise UnresolvedVariableError(f"The variable {reference[0]} is not set; set so far: {', '.join(known)}")
        found = namespaces[namespace][name]
        return json.dumps(found)[1:-1] if inside_json else found

    return _REFERENCE.sub(value, text)


def resolve_configuration(configuration: Mapping[str, str], namespaces: Namespaces) -> dict[str, str]:
    return {key: resolve(str(value), namespaces, inside_json=key in _JSON_VALUES) for key, value in configuration.items()}
