"""SageMaker in the local account: pipelines, jobs, tuning, batch transform and the model registry, all of them real.

Start reading at `api.py` (how a request is answered) and `operations.py` (what there is), then `pipelines/` (the interpreter), `jobs/`
(what runs a script), `tuning/`, `transform/`, `registry/` and `warm/` (why jobs start fast). `api/lists/sagemaker.yaml` says what is acted
on. Endpoints are in `local_account/endpoints/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.context import Context


def begin(context: Context) -> None:
    """Make this account's SageMaker real. Called once for each account and region, before it answers requests."""
    from local_account.sagemaker import operations

    operations.begin(context)
