"""The scripts as the monitoring job sees them: beside those that train and serve, and nothing of the project is on the path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
for steps in (PIPELINES / "tabular" / "steps", PIPELINES / "monitoring" / "steps"):
    if str(steps) not in sys.path:
        sys.path.insert(0, str(steps))

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="module")
def without_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drawing them takes longer than all that a run judges. test_watch_report.py looks at them."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.module.__name__.endswith("test_watch_report"):
            import watch_charts

            patch.setattr(watch_charts, "as_svg", lambda title, draw, size=None: f"<svg><title>{title}</title></svg>")
        yield
