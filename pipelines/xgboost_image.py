"""The image that trains and serves: its version, and AWS's account in each region whose registry has it.

Read from the list that the SageMaker SDK comes with, without the SDK, whose import takes seconds. Used by pipelines/tabular/target.py and
infra/fleet/multi_model_stack.py. Source: "Docker Registry Paths and Example Code" of the SageMaker developer guide, which that list is of.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

VERSION = "3.2-0"
#: What every job and model needs whose image starts a program of ours. The image runs `pip install .` on the program when it starts
#: (sagemaker_containers/_modules.py), and its pip, 26.1, builds in an environment of its own, for which it fetches setuptools from
#: the internet: without a network it does not start, and with one an unpinned package comes in. The image has setuptools.
#: The option is one that switches off, so 0 and false mean no isolation, and 1 and true mean isolation (docs/decisions/0079).
PROGRAM_ENVIRONMENT = {"PIP_NO_BUILD_ISOLATION": "0"}
#: Where a version's archive has its program, and what of it the image's server imports.
PROGRAM = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
REPOSITORY = "sagemaker-xgboost"
_LIST = "image_uri_config/xgboost.json"


def registries() -> dict[str, str]:
    """Region -> account, of the version's image for inference."""
    specification = importlib.util.find_spec("sagemaker.core")
    assert specification is not None and specification.origin is not None  # noqa: S101 - a package of requirements.lock
    known = json.loads((Path(specification.origin).parent / _LIST).read_text(encoding="utf-8"))
    found: dict[str, str] = known["inference"]["versions"][VERSION]["registries"]
    return found
