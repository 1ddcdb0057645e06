"""The view as one HTML file without outside parts, from `page.html.j2`: readable on a phone, light or dark as the reader's device is.

Everything is escaped: names of columns, titles of commits and words of people may be anything. Used by publishing.py.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy_scripts.review.view import View

_TEMPLATE = "page.html.j2"


def render(view: View) -> str:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template(_TEMPLATE).render(view=view)
