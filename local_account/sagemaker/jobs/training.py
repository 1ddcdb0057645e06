"""Training jobs: script mode or an entrypoint, channels from S3, `model.tar.gz` to S3, metrics out of the log."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account.errors import ServiceError
from local_account.roles import Role, sagemaker_role
from local_account.sagemaker.jobs import cloudwatch_logs, metrics, script_mode
from local_account.sagemaker.jobs.container import Container, base_environment, host_names
from local_account.sagemaker.jobs.record import TRAINING, Job, JobFailedError, Jobs, JobStoppedError, failure_of, now
from local_account.sagemaker.jobs.running import Launch, Runner, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data, pack, share, split

_FAILURE = "/opt/ml/output/failure"
_CHECKPOINTS = "/opt/ml/checkpoints"

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
        patterns = metrics.compile_definitions((request.get("AlgorithmSpecification") or {}).get("MetricDefinitions", []))
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        defaults = {
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"},
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": now(), "StatusMessage": "Waiting for a CPU"}],
            **({"StoppingCondition": {"MaxRuntimeInSeconds": 86400}} if "StoppingCondition" not in request else {}),
            **(more or {}),
        }
        return self.jobs.create(request, defaults, lambda job: self._run(job, patterns, watch))

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
        cloudwatch_logs.publish(self._role(job), job, job.log_path, "algo-1")

    def _work(self, job: Job, patterns: Mapping[str, re.Pattern[str]], watch: WatchLog | None) -> None:
        description = job.describe()
        self._phase(job, "Downloading", "Downloading the input data and the code")
        hosts = host_names(description["ResourceConfig"]["InstanceCount"])
        instance_type = description["ResourceConfig"]["InstanceType"]
        containers = [Container(job.working_directory / host, host, hosts, instance_type) for host in hosts]
        role = self._role(job)
        data = self.data.of(role)
        launches = self._prepare(data, description, containers)
        self._phase(job, "Training", "The training script runs")
        self.jobs.change(job, TrainingStartTime=now())
        log = self.runner.log_path(job, hosts[0], len(hosts))
        watch_log = (lambda: watch(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")) if watch else None
        max_seconds = description["StoppingCondition"].get("MaxRuntimeInSeconds")
        credentials = None if job.is_isolated else role.credentials
        try:
            code = self.runner.run(job, launches, max_seconds, watch_log, credentials=credentials)
        finally:  # SageMaker keeps what a stopped job had written
            self._phase(job, "Uploading", "Uploading the model")
            self._upload(data, description, containers)
        job.exit_code = code
        if code:
            raise JobFailedError(failure_reason(containers[0], _FAILURE, code, log))
        self._end(job, patterns, "Completed", "Completed", "")

    def _role(self, job: Job) -> Role:
        return sagemaker_role(self.runner.context, job.description["RoleArn"], job.arn)

    def _prepare(self, data: S3Data, description: Mapping[str, Any], containers: Sequence[Container]) -> list[Launch]:
        channels = description.get("InputDataConfig", [])
        hyperparameters = description.get("HyperParameters") or {}
        for index, container in enumerate(containers):
            container.make("/opt/ml/model", "/opt/ml/output/data", "/opt/ml/code", "/opt/ml/input/data", "/opt/ml/output/intermediate")
            container.write_json("/opt/ml/input/config/hyperparameters.json", hyperparameters)
            container.write_json(
                "/opt/ml/input/config/inputdataconfig.json", {channel["ChannelName"]: _channel_config(channel) for channel in channels}
            )
            container.write_json("/opt/ml/input/config/resourceconfig.json", container.resource_config())
            for channel in channels:
                source = channel["DataSource"]["S3DataSource"]
                objects = data.find(source["S3Uri"], source["S3DataType"])
                mine = share(objects, index, len(containers), source.get("S3DataDistributionType"))
                data.fetch(mine, container.path(f"/opt/ml/input/data/{channel['ChannelName']}"))
            self._restore_checkpoints(data, description, container)
        return [self._launch(data, description, container, script_mode.decoded(hyperparameters)) for container in containers]

    def _launch(self, data: S3Data, description: Mapping[str, Any], container: Container, hyperparameters: Mapping[str, Any]) -> Launch:
        algorithm = description.get("AlgorithmSpecification") or {}
        channels = [channel["ChannelName"] for channel in description.get("InputDataConfig", [])]
        program = str(hyperparameters.get(script_mode.PROGRAM, ""))
        if algorithm.get("ContainerEntrypoint"):
            command = [container.localise(part) for part in [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]]
        else:
            self._unpack_code(data, str(hyperparameters[script_mode.SUBMIT_DIRECTORY]), container)
            if not container.path(f"/opt/ml/code/{program}").is_file():
                raise JobFailedError(
                    f"AlgorithmError: {hyperparameters[script_mode.SUBMIT_DIRECTORY]} has no {program}, named by {script_mode.PROGRAM}"
                )
            script = container.path(f"/opt/ml/code/{program}").as_posix()
            command = ["python3", script, *(container.localise(part) for part in script_mode.arguments(hyperparameters))]
        environment = {
            **script_mode.environment(container, description["TrainingJobName"], hyperparameters, channels, program),
            **base_environment(container, self.runner.context.settings.region, description.get("Environment") or {}),
        }
        return Launch(container, command, environment, container.path("/opt/ml/code"))

    def _unpack_code(self, data: S3Data, source: str, container: Container) -> None:
        target = container.path("/opt/ml/code")
        if not source.startswith("s3://"):  # a channel that holds the code
            shutil.copytree(container.path(source), target, dirs_exist_ok=True)
            return
        bucket, key = split(source)
        if not data.exists(source):
            raise JobFailedError(f"ClientError: {script_mode.SUBMIT_DIRECTORY} s3://{bucket}/{key} does not exist")
        try:
            with tarfile.open(fileobj=io.BytesIO(data.read(source))) as archive:
                archive.extractall(target, filter="data")
        except tarfile.TarError as error:
            raise JobFailedError(f"AlgorithmError: {source} cannot be unpacked: {error}") from error

    def _upload(self, data: S3Data, description: Mapping[str, Any], containers: Sequence[Container]) -> None:
        base = f"{description['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{description['TrainingJobName']}/output"
        for name, folder in (("model", "/opt/ml/model"), ("output", "/opt/ml/output/data")):
            target = containers[0].root / f"{name}.tar.gz"
            # Several instances write into one archive; where names clash, the first instance's file stays.
            merged = containers[0].path(folder)
            for other in containers[1:]:
                for path in other.path(folder).rglob("*"):
                    destination = merged / path.relative_to(other.path(folder))
                    if path.is_file() and not destination.exists():
                        destination.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(path, destination)
            if pack({"": merged}, target):
                data.upload_file(target, f"{base}/{name}.tar.gz", description["OutputDataConfig"].get("KmsKeyId"))
        checkpoints = description.get("CheckpointConfig")
        if checkpoints:
            data.upload(containers[0].path(checkpoints.get("LocalPath") or _CHECKPOINTS), checkpoints["S3Uri"])

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
        seconds = max(1, round((moment - started).total_seconds())) if started else 0
        self.jobs.end(
            job,
            status,
            TrainingEndTime=moment,
            FinalMetricDataList=final,
            TrainingTimeInSeconds=seconds,
            BillableTimeInSeconds=seconds,
            **changes,
        )


def _channel_config(channel: Mapping[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    return {
        "ContentType": channel.get("ContentType", ""),
        "TrainingInputMode": "File",
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
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
