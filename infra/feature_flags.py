"""The context of cdk.json, for every program that makes an app: only the CLI reads that file by itself.

Without it, tests and builds would synthesize with other feature flags than `cdk deploy` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTEXT: dict[str, Any] = json.loads(Path(__file__).parents[1].joinpath("cdk.json").read_text(encoding="utf-8"))["context"]
