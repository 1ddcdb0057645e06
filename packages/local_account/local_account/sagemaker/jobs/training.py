"""Training jobs: script mode or an entrypoint, channels from S3, `model.tar.gz` to S3, metrics out of the log."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local_account.errors import InvalidError
from local_account.roles import require_sagemaker_role
from local_account.sagemaker import program
from local_account.sagemaker.jobs import first_party, isolation, metrics, script_mode
from local_account.sagemaker.jobs.container import Container, base_environment, host_names
from local_account.sagemaker.jobs.record import DEFAULT_MAX_SECONDS, DEFAULT_STOPPING_CONDITION, TRAINING, Job, JobFailedError, now
from local_account.sagemaker.jobs.running import JobService, Launch, algorithm_error, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data, pack, split

_FAILURE = "/opt/ml/output/failure"
_CHECKPOINTS = "/opt/ml/checkpoints"


class TrainingJobs(JobService):
    """CreateTrainingJob and what follows from it. The tuner uses the same door."""

    kind = TRAINING

    def create(self, request: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> Job:
        """Start a job. `more` goes into its description (the tuner's own fields). Raises ServiceError; nothing is started then."""
        check_training(request)
        self.check_data(request)
        _patterns(request)  # raises for one that is malformed
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        defaults = {
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"},
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": now(), "StatusMessage": "Waiting for a CPU"}],
            **(more or {}),
        }
        return self.jobs.create({**DEFAULT_STOPPING_CONDITION, **request}, defaults, self.run)

    def check_data(self, request: Mapping[str, Any]) -> None:
        """Raises a ValidationException, as CreateTrainingJob does, for a role that cannot be assumed or a channel without any object."""
        arn = self.runner.context.arn("sagemaker", f"{TRAINING.arn_part}/{request['TrainingJobName'].lower()}")
        data = S3Data(require_sagemaker_role(self.runner.context, request["RoleArn"], arn))
        for channel in request.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]
            try:
                data.find(source["S3Uri"])
            except JobFailedError as error:
                raise InvalidError(str(error).removeprefix("ClientError: ")) from error

    def work(self, job: Job) -> None:
        description = job.describe()
        self._phase(job, "Downloading", "Downloading the input data and the code")
        resources, role, log = description["ResourceConfig"], self.role(job), job.log_path
        data, hosts = S3Data(role), host_names(resources["InstanceCount"])
        containers = [Container(job.working_directory / host, resources["InstanceType"], host, hosts) for host in hosts]
        launches = [self._prepare(data, description, container, log) for container in containers]
        self._phase(job, "Training", "The training script runs")
        self.jobs.change(job, TrainingStartTime=now())
        max_seconds = description["StoppingCondition"].get("MaxRuntimeInSeconds")
        try:
            ended, code = self.runner.run(job, launches, role, max_seconds, lambda: job.watch(job.log) if job.watch else None)
        finally:  # SageMaker keeps what a stopped job had written
            self._phase(job, "Uploading", "Uploading the model")
            self._upload(data, description, containers)
        if code:
            self._require_own_entrypoint(description, ended.container, log)
            raise JobFailedError(failure_reason(ended.container, _FAILURE, code, log))

    def _prepare(self, data: S3Data, description: Mapping[str, Any], container: Container, log: Path) -> Launch:
        channels = description.get("InputDataConfig", [])
        hyperparameters = description.get("HyperParameters") or {}
        container.make("/opt/ml/model", "/opt/ml/output/data", "/opt/ml/code", "/opt/ml/input/data", "/opt/ml/output/intermediate")
        container.write_json("/opt/ml/input/config/hyperparameters.json", hyperparameters)
        container.write_json(
            "/opt/ml/input/config/inputdataconfig.json", {channel["ChannelName"]: _channel_config(channel) for channel in channels}
        )
        container.write_json("/opt/ml/input/config/resourceconfig.json", container.resource_config())
        for channel in channels:
            objects = data.find(channel["DataSource"]["S3DataSource"]["S3Uri"])
            data.fetch(objects, container.path(f"/opt/ml/input/data/{channel['ChannelName']}"))
        self._restore_checkpoints(data, description, container)
        return self._launch(data, description, container, script_mode.decoded(hyperparameters), log)

    def _launch(
        self, data: S3Data, description: Mapping[str, Any], container: Container, hyperparameters: Mapping[str, Any], log: Path
    ) -> Launch:
        algorithm = description.get("AlgorithmSpecification") or {}
        channels = [channel["ChannelName"] for channel in description.get("InputDataConfig", [])]
        script = str(hyperparameters.get(script_mode.PROGRAM, ""))
        if algorithm.get("ContainerEntrypoint"):
            command = container.command(algorithm)
        else:
            self._unpack_code(data, str(hyperparameters[script_mode.SUBMIT_DIRECTORY]), container, description, log)
            if not container.path(f"/opt/ml/code/{script}").is_file():
                raise JobFailedError(
                    f"AlgorithmError: {hyperparameters[script_mode.SUBMIT_DIRECTORY]} has no {script}, named by {script_mode.PROGRAM}"
                )
            self._install(description, container, description.get("Environment") or {}, log)
            command = ["python3", *(container.localise(part) for part in script_mode.command(hyperparameters)[1:])]
        environment = {
            **script_mode.environment(container, description["TrainingJobName"], hyperparameters, channels, script),
            **base_environment(container, self.runner.context.settings.region, description.get("Environment") or {}),
        }
        return Launch(container, command, environment, container.path("/opt/ml/code"), isolated=isolation.is_wanted(description))

    def _require_own_entrypoint(self, description: Mapping[str, Any], container: Container, log: Path) -> None:
        """Raises JobFailedError in the words of the toolkit, where that has run the script: it writes its reason over the script's."""
        if (description.get("AlgorithmSpecification") or {}).get("ContainerEntrypoint"):
            return
        said = script_mode.failed(script_mode.decoded(description.get("HyperParameters") or {}))
        script_mode.append_to_log(log, said)
        raise JobFailedError(algorithm_error(container.name_if_several(said), 1, log))

    def _install(self, description: Mapping[str, Any], container: Container, environment: Mapping[str, str], log: Path) -> None:
        """Raises JobFailedError if the image could not install the program."""
        try:
            connected = program.has_network(description)
            program.require_installable(container.path("/opt/ml/code"), environment, has_network=connected)
        except program.NotInstalledError as failed:
            script_mode.append_to_log(log, failed.log)
            raise JobFailedError(algorithm_error(str(failed), 1, log)) from failed

    def _unpack_code(self, data: S3Data, source: str, container: Container, description: Mapping[str, Any], log: Path) -> None:
        """`download_and_extract` of the toolkit, which fetches the code itself: an address in S3, or a folder or archive of a channel."""
        target = container.path("/opt/ml/code")
        if not source.startswith("s3://"):
            given = container.path(source)
            if given.is_file():
                self._extract(given.read_bytes(), source, target)
            else:
                shutil.copytree(given, target, dirs_exist_ok=True)
            return
        if description.get("EnableNetworkIsolation"):
            said = f"framework error: \n{source} cannot be fetched in network isolation; give the code as a channel"
            script_mode.append_to_log(log, said)
            raise JobFailedError(algorithm_error(said, 1, log))
        bucket, key = split(source)
        if not data.exists(source):
            raise JobFailedError(f"ClientError: {script_mode.SUBMIT_DIRECTORY} s3://{bucket}/{key} does not exist")
        self._extract(data.read(source), source, target)

    def _extract(self, content: bytes, source: str, target: Path) -> None:
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(target, filter="data")
        except tarfile.TarError as error:
            raise JobFailedError(f"AlgorithmError: {source} cannot be unpacked: {error}") from error
        if (target / "requirements.txt").exists():
            raise JobFailedError(
                f"ClientError: {source} has a requirements.txt, which the container installs before the script starts. The local account "
                "installs nothing: leave it out of the archive, and put packages that the image lacks into the image"
            )

    def _upload(self, data: S3Data, description: Mapping[str, Any], containers: Sequence[Container]) -> None:
        """What all containers wrote together ("How Amazon SageMaker AI Processes Training Output": their names should not clash)."""
        base = f"{description['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{description['TrainingJobName']}/output"
        first, *others = containers
        for name, folder in (("model", "/opt/ml/model"), ("output", "/opt/ml/output/data")):
            for other in others:
                shutil.copytree(other.path(folder), first.path(folder), dirs_exist_ok=True)
            target = first.root / f"{name}.tar.gz"
            if pack(first.path(folder), target):
                data.upload_file(target, f"{base}/{name}.tar.gz", description["OutputDataConfig"].get("KmsKeyId"))
        checkpoints = description.get("CheckpointConfig")
        if checkpoints:
            for container in containers:
                data.upload(container.path(checkpoints.get("LocalPath") or _CHECKPOINTS), checkpoints["S3Uri"])

    def _restore_checkpoints(self, data: S3Data, description: Mapping[str, Any], container: Container) -> None:
        checkpoints = description.get("CheckpointConfig")
        if not checkpoints:
            return
        folder = checkpoints.get("LocalPath") or _CHECKPOINTS
        container.make(folder)
        try:
            data.fetch(data.find(checkpoints["S3Uri"]), container.path(folder))
        except JobFailedError:
            return  # nothing was saved before: a first run

    def _phase(self, job: Job, status: str, message: str) -> None:
        with job.lock:
            transitions = [dict(transition) for transition in job.description["SecondaryStatusTransitions"]]
            if transitions and "EndTime" not in transitions[-1]:
                transitions[-1]["EndTime"] = now()
            transitions.append({"Status": status, "StartTime": now(), "StatusMessage": message})
            job.description.update(SecondaryStatus=status, SecondaryStatusTransitions=transitions)

    def end(self, job: Job, status: str, reason: str, **changes: Any) -> None:
        """With the last status of all, the metrics that the log tells, and the seconds that are paid for."""
        is_over_time = status == "Stopped" and reason.startswith("MaxRuntimeExceeded")
        self._phase(job, "MaxRuntimeExceeded" if is_over_time else status, reason)
        moment, started = now(), job.description.get("TrainingStartTime")
        values = metrics.final_values(job.log, _patterns(job.description))
        final = [{"MetricName": name, "Value": value, "Timestamp": moment} for name, value in values.items()]
        seconds = max(1, round((moment - started).total_seconds())) if started else None  # an answer has at least one, or none
        shown = reason if status == "Failed" else ""
        super().end(job, status, shown, FinalMetricDataList=final, TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds, **changes)


def _patterns(request: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    """Metric name -> what finds it in the log. Raises a ValidationException for a pattern that is none."""
    return metrics.compile_definitions(first_party.metric_definitions(request.get("AlgorithmSpecification") or {}))


def _channel_config(channel: Mapping[str, Any]) -> dict[str, str]:
    return {
        "ContentType": channel.get("ContentType", ""),
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }


def check_training(request: Mapping[str, Any]) -> None:
    """Raises a ValidationException for a request that says too little to be run."""
    hyperparameters, algorithm = request.get("HyperParameters") or {}, request.get("AlgorithmSpecification") or {}
    script = script_mode.PROGRAM in hyperparameters and script_mode.SUBMIT_DIRECTORY in hyperparameters
    if not script and not algorithm.get("ContainerEntrypoint"):
        raise InvalidError(
            "The local account runs no container images: give the hyperparameters sagemaker_program and sagemaker_submit_directory, "
            "or AlgorithmSpecification.ContainerEntrypoint."
        )
    for channel in request.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            raise InvalidError(f"InputDataConfig: DataSource of channel {channel['ChannelName']} is empty.")
    resources = request.get("ResourceConfig") or {}
    missing = [name for name in ("InstanceType", "InstanceCount") if name not in resources]
    if missing:
        raise InvalidError(f"ResourceConfig needs {' and '.join(missing)}.")
    _check_spot(request)
    if request.get("EnableNetworkIsolation"):
        isolation.require_possible("CreateTrainingJob")


def _check_spot(request: Mapping[str, Any]) -> None:
    """API reference, StoppingCondition: MaxWaitTimeInSeconds "must be equal to or greater than MaxRuntimeInSeconds" of a spot job."""
    limits, is_spot = request.get("StoppingCondition") or {}, request.get("EnableManagedSpotTraining")
    longest, waits = (
        limits.get("MaxRuntimeInSeconds", DEFAULT_MAX_SECONDS),
        limits.get("MaxWaitTimeInSeconds"),
    )
    if is_spot and (waits is None or waits < longest):
        raise InvalidError(
            f"Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds, {longest}."
        )
    if waits and not is_spot:
        raise InvalidError("MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is false.")
