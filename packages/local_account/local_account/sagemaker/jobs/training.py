"""Training jobs: script mode or an entrypoint, channels from S3, `model.tar.gz` to S3, metrics out of the log."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_account.errors import ServiceError
from local_account.roles import Role, require_sagemaker_role, sagemaker_role
from local_account.sagemaker import program
from local_account.sagemaker.jobs import cloudwatch_logs, first_party, isolation, metrics, script_mode
from local_account.sagemaker.jobs.container import Container, base_environment
from local_account.sagemaker.jobs.record import TRAINING, Job, JobFailedError, Jobs, JobStoppedError, failure_of, now
from local_account.sagemaker.jobs.running import Launch, Runner, algorithm_error, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data, pack, split

_FAILURE = "/opt/ml/output/failure"
_CHECKPOINTS = "/opt/ml/checkpoints"
_DEFAULT_MAX_SECONDS = 86400

#: Called a few times a second with the log so far.
WatchLog = Callable[[str], None]


class TrainingJobs:
    """CreateTrainingJob and what follows from it. The tuner uses the same door."""

    def __init__(self, runner: Runner, data: S3Data) -> None:
        self.runner, self.data = runner, data
        self.jobs = Jobs(runner.context, TRAINING)

    def create(self, request: Mapping[str, Any], more: Mapping[str, Any] | None = None, watch: WatchLog | None = None) -> Job:
        """Start a job. `more` goes into its description (the tuner's own fields). Raises ServiceError; nothing is started then."""
        check_training(request)
        self.check_data(request)
        patterns = metrics.compile_definitions(first_party.metric_definitions(request.get("AlgorithmSpecification") or {}))
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        defaults = {
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"},
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": now(), "StatusMessage": "Waiting for a CPU"}],
            **({"StoppingCondition": {"MaxRuntimeInSeconds": _DEFAULT_MAX_SECONDS}} if "StoppingCondition" not in request else {}),
            **(more or {}),
        }
        return self.jobs.create(request, defaults, lambda job: self._run(job, patterns, watch))

    def check_data(self, request: Mapping[str, Any]) -> None:
        """Raises a ValidationException, as CreateTrainingJob does, for a role that cannot be assumed or a channel without any object."""
        arn = self.runner.context.arn("sagemaker", f"{TRAINING.arn_part}/{request['TrainingJobName'].lower()}")
        data = self.data.of(require_sagemaker_role(self.runner.context, request["RoleArn"], arn))
        for channel in request.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]
            try:
                data.find(source["S3Uri"])
            except JobFailedError as error:
                raise ServiceError("ValidationException", str(error).removeprefix("ClientError: ")) from error

    def _run(self, job: Job, patterns: Mapping[str, re.Pattern[str]], watch: WatchLog | None) -> None:
        try:
            with self.runner.slot(job):
                self._work(job, patterns, watch)
        except JobStoppedError as stopped:
            secondary = "MaxRuntimeExceeded" if "MaxRuntime" in str(stopped) else "Stopped"
            self._end(job, patterns, "Stopped", secondary, str(stopped))
        except JobFailedError as failed:
            self._end(job, patterns, "Failed", "Failed", str(failed), FailureReason=str(failed))
        except Exception as error:  # whatever it is, the job must not hang
            self._end(job, patterns, "Failed", "Failed", "", FailureReason=failure_of(error))
        finally:
            shutil.rmtree(job.working_directory, ignore_errors=True)
        cloudwatch_logs.publish(self._role(job), job)

    def _work(self, job: Job, patterns: Mapping[str, re.Pattern[str]], watch: WatchLog | None) -> None:
        description = job.describe()
        self._phase(job, "Downloading", "Downloading the input data and the code")
        container, log = Container(job.working_directory, description["ResourceConfig"]["InstanceType"]), job.log_path
        role = self._role(job)
        data = self.data.of(role)
        launch = self._prepare(data, description, container, log)
        self._phase(job, "Training", "The training script runs")
        self.jobs.change(job, TrainingStartTime=now())
        watch_log = (lambda: watch(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")) if watch else None
        max_seconds = description["StoppingCondition"].get("MaxRuntimeInSeconds")
        credentials = None if isolation.is_wanted(job.description) else role.credentials
        try:
            code = self.runner.run(job, launch, max_seconds, watch_log, credentials=credentials)
        finally:  # SageMaker keeps what a stopped job had written
            self._phase(job, "Uploading", "Uploading the model")
            self._upload(data, description, container)
        job.exit_code = code
        if code:
            self._require_own_entrypoint(description, log)
            raise JobFailedError(failure_reason(container, _FAILURE, code, log))
        self._end(job, patterns, "Completed", "Completed", "")

    def _role(self, job: Job) -> Role:
        return sagemaker_role(self.runner.context, job.description["RoleArn"], job.arn)

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
            command = [container.localise(part) for part in [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]]
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

    def _require_own_entrypoint(self, description: Mapping[str, Any], log: Path) -> None:
        """Raises JobFailedError in the words of the toolkit, where that has run the script: it writes its reason over the script's."""
        if (description.get("AlgorithmSpecification") or {}).get("ContainerEntrypoint"):
            return
        said = script_mode.failed(script_mode.decoded(description.get("HyperParameters") or {}))
        script_mode.append_to_log(log, said)
        raise JobFailedError(algorithm_error(said, 1, log))

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

    def _upload(self, data: S3Data, description: Mapping[str, Any], container: Container) -> None:
        base = f"{description['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{description['TrainingJobName']}/output"
        for name, folder in (("model", "/opt/ml/model"), ("output", "/opt/ml/output/data")):
            target = container.root / f"{name}.tar.gz"
            if pack(container.path(folder), target):
                data.upload_file(target, f"{base}/{name}.tar.gz", description["OutputDataConfig"].get("KmsKeyId"))
        checkpoints = description.get("CheckpointConfig")
        if checkpoints:
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

    def _end(self, job: Job, patterns: Mapping[str, re.Pattern[str]], status: str, secondary: str, message: str, **changes: Any) -> None:
        self._phase(job, secondary, message)
        moment = now()
        log = job.log_path.read_text(encoding="utf-8", errors="replace") if job.log_path.exists() else ""
        final = [{"MetricName": name, "Value": value, "Timestamp": moment} for name, value in metrics.final_values(log, patterns).items()]
        started = job.description.get("TrainingStartTime")
        seconds = max(1, round((moment - started).total_seconds())) if started else None  # an answer has at least one, or none
        spent = {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds} if seconds else {}
        self.jobs.end(
            job,
            status,
            TrainingEndTime=moment,
            FinalMetricDataList=final,
            **spent,
            **changes,
        )


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
        raise ServiceError(
            "ValidationException",
            "The local account runs no container images: give the hyperparameters sagemaker_program and sagemaker_submit_directory, "
            "or AlgorithmSpecification.ContainerEntrypoint.",
        )
    for channel in request.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            raise ServiceError("ValidationException", f"InputDataConfig: DataSource of channel {channel['ChannelName']} is empty.")
    resources = request.get("ResourceConfig") or {}
    missing = [name for name in ("InstanceType", "InstanceCount") if name not in resources]
    if missing:
        raise ServiceError("ValidationException", f"ResourceConfig needs {' and '.join(missing)}.")
    _check_spot(request)
    if request.get("EnableNetworkIsolation"):
        isolation.require_possible("CreateTrainingJob")


def _check_spot(request: Mapping[str, Any]) -> None:
    """API reference, StoppingCondition: MaxWaitTimeInSeconds "must be equal to or greater than MaxRuntimeInSeconds" of a spot job."""
    limits, is_spot = request.get("StoppingCondition") or {}, request.get("EnableManagedSpotTraining")
    longest, waits = limits.get("MaxRuntimeInSeconds", _DEFAULT_MAX_SECONDS), limits.get("MaxWaitTimeInSeconds")
    if is_spot and (waits is None or waits < longest):
        raise ServiceError(
            "ValidationException",
            f"Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds, {longest}.",
        )
    if waits and not is_spot:
        raise ServiceError("ValidationException", "MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is false.")
