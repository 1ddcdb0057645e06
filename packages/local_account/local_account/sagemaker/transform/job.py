"""Transform jobs: input from S3, the model of CreateModel or a model package, `<file>.out` to S3."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_account.endpoints import package
from local_account.endpoints.models import Models
from local_account.errors import InvalidError
from local_account.roles import Role, require_sagemaker_role
from local_account.sagemaker.jobs import isolation
from local_account.sagemaker.jobs.container import Container
from local_account.sagemaker.jobs.record import TRANSFORM, Job, JobFailedError, now
from local_account.sagemaker.jobs.running import JobService, Launch, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data
from local_account.sagemaker.transform.json_path import JsonPathError, select

_WORKER = Path(__file__).with_name("worker.py")
_PROJECT = Path(__file__).parents[3]
_FAILURE = "/opt/ml/output/failure"
_MEBIBYTE = 1024 * 1024


class TransformJobs(JobService):
    """CreateTransformJob and what follows from it."""

    kind = TRANSFORM

    def create(self, request: Mapping[str, Any]) -> Job:
        _check(request)
        models = Models.at(self.runner.context)
        models.container(request["ModelName"])  # raises for a model that cannot be served
        role = models.role(request["ModelName"])
        require_sagemaker_role(self.runner.context, role.arn, role.source_arn)
        if isolation.is_wanted(models.describe(request)):
            isolation.require_possible("CreateTransformJob of a model")
        return self.jobs.create(request, {}, self.run)

    def role(self, job: Job) -> Role:
        """That of its model."""
        return Models.at(self.runner.context).role(job.describe()["ModelName"])

    def work(self, job: Job) -> None:
        description = job.describe()
        container = Container(job.working_directory, description["TransformResources"]["InstanceType"])
        container.make("/opt/ml/output", "/opt/ml/input", "/opt/ml/out")
        source = description["TransformInput"]["DataSource"]["S3DataSource"]
        role = self.role(job)
        data = S3Data(role)
        objects = data.find(source["S3Uri"])
        data.fetch(objects, container.path("/opt/ml/input"))
        served = package.unpack(self.runner.context, description["ModelName"], container.path("/opt/ml/model"))
        specification = self._specification(description, container, served, [relative for _, relative in objects])
        container.write_json("/opt/ml/job.json", specification)
        self.jobs.change(job, TransformStartTime=now())
        command = [sys.executable, str(_WORKER), str(container.path("/opt/ml/job.json"))]
        isolated = isolation.is_wanted(Models.at(self.runner.context).describe(description))
        environment = {"PYTHONPATH": str(_PROJECT), **specification["environment"]}
        launch = Launch(container, command, environment, container.path("/opt/ml/model"), isolated=isolated)
        _, code = self.runner.run(job, [launch], role, None)
        if code:
            raise JobFailedError(failure_reason(container, _FAILURE, code, job.log_path))
        self._upload(data, container, specification["files"], description["TransformOutput"])

    def _specification(
        self, description: Mapping[str, Any], container: Container, served: package.ServedModel, files: list[str]
    ) -> dict[str, Any]:
        processing, source, output = description.get("DataProcessing") or {}, description["TransformInput"], description["TransformOutput"]
        return {
            "model_directory": str(served.directory),
            "code": str(served.code),
            "has_network": served.has_network,
            "environment": {**served.environment, **(description.get("Environment") or {})},
            "files": [[str(container.path("/opt/ml/input") / name), str(container.path("/opt/ml/out") / f"{name}.out")] for name in files],
            "failure": str(container.path(_FAILURE)),
            "content_type": source.get("ContentType") or "text/csv",
            "accept": output.get("Accept") or source.get("ContentType") or "text/csv",
            "split_type": source.get("SplitType") or "None",
            "assemble_with": output.get("AssembleWith") or "None",
            "strategy": description.get("BatchStrategy") or "MultiRecord",
            "max_payload_bytes": (description.get("MaxPayloadInMB") or 6) * _MEBIBYTE,
            "input_filter": processing.get("InputFilter") or "$",
            "output_filter": processing.get("OutputFilter") or "$",
            "join_source": processing.get("JoinSource") or "None",
        }

    def _upload(self, data: S3Data, container: Container, files: list[list[str]], output: Mapping[str, Any]) -> None:
        base = container.path("/opt/ml/out")
        for _, target in files:
            uri = f"{output['S3OutputPath'].rstrip('/')}/{Path(target).relative_to(base).as_posix()}"
            data.upload_file(Path(target), uri, output.get("KmsKeyId"))


def _check(request: Mapping[str, Any]) -> None:
    """Raises a ValidationException for records that cannot be joined, and for filters that are no JSONPath."""
    source, processing = request["TransformInput"], request.get("DataProcessing") or {}
    if processing.get("JoinSource") == "Input" and source.get("SplitType", "None") == "None" and source.get("ContentType") == "text/csv":
        raise InvalidError("JoinSource Input with text/csv needs SplitType Line, so that there are records to join.")
    for member in ("InputFilter", "OutputFilter"):
        try:
            select([], processing.get(member) or "$")
        except JsonPathError as error:
            raise InvalidError(f"DataProcessing.{member}: {error}.") from error
        except (KeyError, IndexError, TypeError):
            continue  # the expression is fine, an empty record just has nothing there
