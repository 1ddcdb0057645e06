"""The app, synthesized once per session, as plain dictionaries: `templates[stack name]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from app import build_app

if TYPE_CHECKING:
    import aws_cdk as cdk  # the app imports it first, having said where it may unpack itself

Templates = Mapping[str, Mapping[str, Any]]
ENDPOINTS = ("mlops-endpoint-staging", "mlops-endpoint-production")


def synthesize(app: cdk.App) -> dict[str, Any]:
    """Every stack's template, those inside stages too."""
    return {stack.stack_name: stack.template for stack in app.synth().stacks_recursively}


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> cdk.App:
    return build_app(outdir=str(tmp_path_factory.mktemp("cdk.out")))


@pytest.fixture(scope="session")
def templates(app: cdk.App) -> Templates:
    return synthesize(app)


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Templates]:
    """Synthesizes the app with other settings than the project's."""
    return lambda **settings: synthesize(build_app(outdir=str(tmp_path_factory.mktemp("variant")), **settings))


@pytest.fixture(scope="session")
def resources(templates: Templates) -> Callable[..., dict[str, Any]]:
    """`resources(type)` of all stacks, or of `stack`: properties by `<stack>/<logical id>`."""

    def of_type(kind: str, stack: str | None = None) -> dict[str, Any]:
        return {
            f"{name}/{logical_id}": resource.get("Properties", {})
            for name, template in templates.items()
            if stack in (None, name)
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    return of_type
