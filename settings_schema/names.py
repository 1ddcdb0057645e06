"""Every physical name, made here and nowhere else: of the project, of a model, of an environment, of a model in an environment.

The parts of a name are joined by two hyphens, which no part has (settings_schema/value.py): so no name is another's beginning by accident.
What begins with `x--` is the project x's and not x-y's, and what begins with `x--fish--` is the model fish's and not fish-large's, in
permissions, rules, prefixes and alarms (docs/decisions/0108-names-that-do-not-meet.md).
Lengths: SageMaker allows 63 characters for an endpoint, Lambda and IAM 64; 16 + 20 + 12 and a kind of 10 fit.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

#: The one variant of an endpoint. A new name would deregister the scalable target and make it anew.
VARIANT = "AllTraffic"
#: That of a version in production's shadow (infra/serving/shadow_variant.py), as long as it is there.
SHADOW_VARIANT = "Shadow"
#: That of a version in an experiment (infra/serving/challenger_variant.py), as long as it lasts.
CHALLENGER_VARIANT = "Challenger"
#: End the names of the alarms on what the watch found (infra/serving/drift_alarm.py), which retrain.
DRIFT, QUALITY = "drift", "quality"
SEPARATOR = "--"
#: Prefix in an artifact bucket, below which each multi-model fleet has its own.
ARCHIVES = "fleets/"
#: Prefix in the artifact bucket of what trials on spare capacity have written so far.
CHECKPOINTS = "checkpoints/"
#: Words that stand where a model's name could: stacks of the project.
FLEET, IMAGE = "fleet", "image"
RESERVED_MODELS = ("foundation", "build", "environment", FLEET, IMAGE)
#: Words that stand where an environment's name could: roles of a model, buckets of the project.
RESERVED_ENVIRONMENTS = ("training", "sizing", "data", "artifacts")
#: A job's name has 63 characters (ProcessingJobName of SageMaker's service model), and SageMaker Pipelines makes it of the one in the
#: definition as `<name>-<execution>-<token>-<failures>`: 12, 10 and 2 characters (aws/sagemaker-python-sdk#3946, which brought the prefix).
LONGEST_JOB_PREFIX = 63 - len("-") - 12 - len("-") - 10 - len("-") - 2
_LONGEST_STEP = len("evaluate")


def _joined(*parts: str) -> str:
    return SEPARATOR.join(parts)


@dataclass(frozen=True, kw_only=True)
class _Names(ABC):
    """What is named alike everywhere: the alarms and exports of the stack that holds the rest."""

    project: str

    @property
    @abstractmethod
    def stack(self) -> str: ...

    def alarm(self, what: str) -> str:
        return _joined(self.stack, what)

    def export(self, output: str) -> str:
        """CloudFormation export of an output of the stack, which other stacks of the same account and region import."""
        return f"{self.stack}-{output}"


@dataclass(frozen=True, kw_only=True)
class ProjectNames(_Names):
    """What all models share."""

    @property
    def prefix(self) -> str:
        """What every name of the project begins with, but for the repository's."""
        return f"{self.project}{SEPARATOR}"

    @property
    def foundation_stack(self) -> str:
        return _joined(self.project, "foundation")

    @property
    def stack(self) -> str:
        """Whose outputs others import."""
        return self.foundation_stack

    @property
    def build_stack(self) -> str:
        return _joined(self.project, "build")

    @property
    def image_stack(self) -> str:
        """Of the team's own serving image; the CodePipeline that builds it, and its CodeBuild project, are called the same."""
        return _joined(self.project, IMAGE)

    def image_alarm(self, what: str) -> str:
        return _joined(self.image_stack, what)

    @property
    def image_repository(self) -> str:
        """In ECR, where a name takes no two hyphens (RepositoryName of its service model), but namespaces."""
        return f"{self.project}/lean"

    @property
    def repository(self) -> str:
        return self.project

    @property
    def build_pipeline(self) -> str:
        """CodePipeline that a push starts; its one CodeBuild project is called the same."""
        return _joined(self.project, "build")

    @property
    def key_alias(self) -> str:
        return f"alias/{self.project}"

    def regional_stack(self, region: str) -> str:
        """What the project's account has in another region, for the environments there."""
        return _joined(self.project, "foundation", region)

    def alarm(self, what: str) -> str:
        """Of the build, the only part of the project's own that alarms."""
        return _joined(self.build_stack, what)

    @property
    def route_push_function(self) -> str:
        return _joined(self.build_stack, "route-push")

    def data_bucket(self, account: str, region: str) -> str:
        """Bucket names are the whole world's, so account and region are part of them; known ones need no export to another account."""
        return _joined(self.project, f"data-{account}-{region}")

    def artifact_bucket(self, account: str, region: str) -> str:
        return _joined(self.project, f"artifacts-{account}-{region}")

    @property
    def project_id(self) -> str:
        """Value of the tag `sagemaker:project-id`, by which Studio groups what belongs together."""
        return f"p-{self.project}"

    @property
    def tags(self) -> dict[str, str]:
        """By which Studio and the cost report group what belongs together, whoever makes it."""
        return {"sagemaker:project-name": self.project, "sagemaker:project-id": self.project_id}

    def model(self, name: str) -> ModelNames:
        return ModelNames(project=self.project, model=name)

    def environment(self, name: str) -> EnvironmentNames:
        return EnvironmentNames(project=self.project, environment=name)

    def fleet(self, name: str, environment: str) -> FleetNames:
        return FleetNames(project=self.project, fleet=name, environment=environment)


@dataclass(frozen=True, kw_only=True)
class EnvironmentNames(_Names):
    """What an environment has where it lives, whatever models serve there."""

    environment: str

    @property
    def stack(self) -> str:
        return _joined(self.project, "environment", self.environment)

    @property
    def key_alias(self) -> str:
        return f"alias/{_joined(self.project, self.environment)}"

    def bucket(self, account: str, region: str) -> str:
        """Captured requests, batch input and predictions, what turned out to be true, and what the watch found."""
        return _joined(self.project, f"{self.environment}-{account}-{region}")

    @property
    def remove_unused_function(self) -> str:
        """Lambda function that deletes what no endpoint uses any more; a person invokes it by this name before the stacks go."""
        return _joined(self.stack, "remove-unused")

    @property
    def forwarding_role(self) -> str:
        """IAM role by which EventBridge tells the project's account of drift: named, because that account's event bus lets it in."""
        return _joined(self.stack, "events")

    @property
    def tags(self) -> dict[str, str]:
        return {**ProjectNames(project=self.project).tags, "environment": self.environment}


@dataclass(frozen=True, kw_only=True)
class FleetNames(_Names):
    """One endpoint of an environment that several models share."""

    fleet: str
    environment: str

    @property
    def stack(self) -> str:
        return _joined(self.project, FLEET, self.fleet, self.environment)

    @property
    def endpoint(self) -> str:
        return self.stack

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self.endpoint}"

    def role(self, kind: str) -> str:
        return _joined(self.stack, kind)

    @property
    def archives(self) -> str:
        """Prefix in the artifact bucket of its region: the archives of the models of a multi-model fleet, `<model>/<version>-….tar.gz`."""
        return f"{ARCHIVES}{self.fleet}/{self.environment}/"

    def scaling_policy(self, what: str) -> str:
        return _joined(self.stack, what)

    @property
    def tags(self) -> dict[str, str]:
        return {**ProjectNames(project=self.project).tags, "fleet": self.fleet, "environment": self.environment}


@dataclass(frozen=True, kw_only=True)
class ModelNames(_Names):
    """What one model has where it is trained."""

    model: str

    @property
    def of_project(self) -> ProjectNames:
        return ProjectNames(project=self.project)

    @property
    def prefix(self) -> str:
        """What every name of the model begins with, but for its stack and its package group."""
        return _joined(self.stack, "")

    @property
    def stack(self) -> str:
        return _joined(self.project, self.model)

    @property
    def model_package_group(self) -> str:
        return _joined(self.project, self.model)

    @property
    def training_pipeline(self) -> str:
        """SageMaker pipeline."""
        return _joined(self.stack, "training")

    @property
    def pipeline_role(self) -> str:
        """IAM role of the training pipeline and its jobs: named, because the build passes it."""
        return _joined(self.stack, "training")

    @property
    def sizing_role(self) -> str:
        """IAM role of the jobs that try instance types: named, because who starts one passes it."""
        return _joined(self.stack, "sizing")

    @property
    def sizing_jobs(self) -> str:
        """What the names of such jobs begin with, and so those of what they make: SageMaker keeps 40 characters of a job's name there."""
        return _joined(self.job("sizing"), "")

    @property
    def batch_pipeline(self) -> str:
        """SageMaker pipeline that scores a file with any version."""
        return _joined(self.stack, "batch")

    @property
    def deploy_pipeline(self) -> str:
        """CodePipeline that takes a version through staging to production."""
        return _joined(self.stack, "deploy")

    @property
    def return_pipeline(self) -> str:
        """CodePipeline that takes production back to a version that has served it."""
        return _joined(self.stack, "return")

    def deploy_project(self, step: str) -> str:
        """CodeBuild project of a step of the deploy pipeline and of the return pipeline: render, verify; shadow."""
        return _joined(self.stack, step)

    @property
    def data_version_function(self) -> str:
        """Lambda function that a training asks first which data there is; the definition names it without looking it up."""
        return _joined(self.stack, "data-version")

    @property
    def start_deployment_function(self) -> str:
        """Lambda function that starts the deploy pipeline; a person invokes it by this name to deploy again."""
        return _joined(self.stack, "start-deployment")

    @property
    def change_shadow_function(self) -> str:
        """Lambda function that puts a version into production's shadow, and takes it out again."""
        return _joined(self.stack, "change-shadow")

    @property
    def change_experiment_function(self) -> str:
        """Lambda function that begins an experiment in production, and ends it."""
        return _joined(self.stack, "change-experiment")

    def comparison(self, version: int) -> str:
        """Key in the artifact bucket of how a version did in production's shadow (deploy_scripts/comparison.py)."""
        return f"{self.review(version)}comparison.json"

    @property
    def job_prefix(self) -> str:
        """What the names of the model's jobs begin with, for permissions. A name that would not fit is cut, with a digest of it."""
        room = LONGEST_JOB_PREFIX - _LONGEST_STEP - len(_joined(self.project, "", ""))
        if len(self.model) <= room:
            return self.prefix
        digest = hashlib.sha256(self.model.encode()).hexdigest()[:5]
        return _joined(self.project, f"{self.model[: room - len(digest) - 1].rstrip('-')}-{digest}", "")

    def job(self, step: str) -> str:
        """Beginning of the names of a step's jobs, to which SageMaker adds the execution's id."""
        return f"{self.job_prefix}{step.lower()[:_LONGEST_STEP]}"

    @property
    def check_approvers_function(self) -> str:
        """Lambda function of the deploy pipeline that asks whether different people approved, where two have to."""
        return _joined(self.stack, "check-approvers")

    @property
    def reviews(self) -> str:
        """Prefix in the artifact bucket of what approvers are shown."""
        return f"reviews/{self.model}/"

    def review(self, version: int | str) -> str:
        """Prefix there of one version's: the page, and what it is made of."""
        return f"{self.reviews}{version}/"

    @property
    def decisions(self) -> str:
        """Prefix in the artifact bucket of who decided what about which version; no build and no job may write there."""
        return f"deployments/{self.model}/decisions/"

    @property
    def dashboard(self) -> str:
        return _joined(self.project, self.model)

    @property
    def metrics_namespace(self) -> str:
        """CloudWatch namespace of what monitoring finds."""
        return f"{self.project}/{self.model}/Monitoring"

    @property
    def training_data(self) -> str:
        """Prefix in the data bucket."""
        return f"training/{self.model}/"

    @property
    def checkpoints(self) -> str:
        """Prefix in the artifact bucket of what interrupted trials go on from: `<algorithm>/<training job>/`."""
        return f"{CHECKPOINTS}{self.model}/"

    @property
    def feedback(self) -> str:
        """Prefix in the data bucket of what the watches over the model say about it: `<environment>.json`."""
        return f"feedback/{self.model}/"

    @property
    def batch_input(self) -> str:
        """Prefix of what is to be scored: in an environment's bucket by its stack, in the data bucket by hand."""
        return f"batch/{self.model}/"

    @property
    def predictions(self) -> str:
        """Prefix of the answers, in the bucket where the rows are."""
        return f"predictions/{self.model}/"

    @property
    def tags(self) -> dict[str, str]:
        return {**self.of_project.tags, "model": self.model}

    def at(self, environment: str) -> ServingNames:
        return ServingNames(project=self.project, model=self.model, environment=environment)


@dataclass(frozen=True, kw_only=True)
class ServingNames(_Names):
    """One model in one environment."""

    model: str
    environment: str

    @property
    def stack(self) -> str:
        return _joined(self.project, self.model, self.environment)

    @property
    def endpoint(self) -> str:
        return self.stack

    def role(self, kind: str) -> str:
        """IAM roles have four parts here and three where the model is trained, so that no name of an environment makes one of another."""
        return _joined(self.endpoint, kind)

    @property
    def inference_role(self) -> str:
        """That the model runs as."""
        return self.role("inference")

    @property
    def deployment_role(self) -> str:
        """By which CloudFormation deploys the stack."""
        return self.role("deployment")

    @property
    def deploy_role(self) -> str:
        """That the deploy pipeline assumes for its Deploy action; it hands CloudFormation the deployment role."""
        return self.role("deploy")

    @property
    def verify_role(self) -> str:
        """By which the deploy pipeline's builds look at what serves and ask it, where that is another account."""
        return self.role("verify")

    @property
    def shadow_role(self) -> str:
        """By which a version gets into the shadow here and out of it, where this is another account."""
        return self.role("shadow")

    @property
    def experiment_role(self) -> str:
        """By which an experiment is begun here and ended, where this is another account."""
        return self.role("experiment")

    @property
    def scoring_role(self) -> str:
        """Of the function that scores what is uploaded."""
        return self.role("scoring")

    @property
    def schedule_role(self) -> str:
        """By which EventBridge Scheduler wakes that function."""
        return self.role("schedule")

    @property
    def monitoring_pipeline(self) -> str:
        """SageMaker pipeline that watches what serves here; the schedule that starts it is called the same."""
        return _joined(self.endpoint, "monitoring")

    @property
    def monitoring_role(self) -> str:
        """Of that pipeline and its job."""
        return self.role("monitoring")

    @property
    def monitoring_schedule_role(self) -> str:
        """By which EventBridge Scheduler starts that pipeline."""
        return self.role("monitor-at")

    @property
    def monitoring_job(self) -> str:
        """Beginning of the names of that pipeline's jobs, to which SageMaker adds the execution's id.

        Two environments of one account begin alike: the ids differ, and the jobs' tags say whose each is (infra/ownership.py).
        """
        return self.of_model.job("monitor")

    @property
    def monitoring(self) -> str:
        """Prefix in the environment's bucket of what the watch has found."""
        return f"monitoring/{self.model}/"

    @property
    def experiments(self) -> str:
        """Prefix in the environment's bucket of what is known of each experiment, by the challenger's number."""
        return f"{self.monitoring}experiments/"

    @property
    def labels(self) -> str:
        """Prefix in the environment's bucket of what turned out to be true, which a team sends."""
        return f"labels/{self.model}/"

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self.endpoint}"

    def scaling_policy(self, what: str) -> str:
        return _joined(self.endpoint, what)

    @property
    def scoring_job_prefix(self) -> str:
        """What the names of its transform jobs begin with, of 63 characters; at least 9 are left."""
        return _joined(self.endpoint, "")

    @property
    def verification_job_prefix(self) -> str:
        """Of the transform job that verifies a deployment; the names of those that score are digests, which have no 0."""
        return f"{self.scoring_job_prefix}0"

    def rule(self, what: str) -> str:
        """EventBridge rule of what serves, of at most 64 characters: ten are left for `what`."""
        return _joined(self.endpoint, what)

    @property
    def start_scoring_function(self) -> str:
        """Lambda function of a batch model that scores what has been uploaded."""
        return _joined(self.stack, "score")

    @property
    def start_scoring_log_group(self) -> str:
        return f"/aws/lambda/{self.start_scoring_function}"

    @property
    def capture(self) -> str:
        """Prefix in the environment's bucket; SageMaker adds the endpoint's name below `capture/` by itself."""
        return f"capture/{self.endpoint}/"

    @property
    def requests(self) -> str:
        """Prefix in the environment's bucket of what an asynchronous endpoint is asked."""
        return f"requests/{self.endpoint}/"

    @property
    def component(self) -> str:
        """SageMaker inference component of a model on a fleet, whose endpoint is another's."""
        return self.stack

    def fleet(self, name: str) -> FleetNames:
        """The one that it is on."""
        return FleetNames(project=self.project, fleet=name, environment=self.environment)

    @property
    def live_metrics_variables(self) -> dict[str, str]:
        """Environment of a container that is to say what it answers (pipelines/tabular/steps/live_metrics.py), beside `MODEL_VERSION`."""
        return {"METRICS_NAMESPACE": self.of_model.metrics_namespace, "METRICS_ENDPOINT": self.endpoint}

    @property
    def target_parameter(self) -> str:
        """SSM parameter that tells clients which `TargetModel` of a multi-model fleet is the version to ask."""
        return f"/{self.project}/{self.model}/{self.environment}/target"

    @property
    def component_log_group(self) -> str:
        return f"/aws/sagemaker/InferenceComponents/{self.component}"

    @property
    def answers(self) -> str:
        """Prefix in the environment's bucket of what it answers."""
        return f"answers/{self.endpoint}/"

    @property
    def failures(self) -> str:
        """Prefix in the environment's bucket of what it could not answer, and why."""
        return f"failures/{self.endpoint}/"

    @property
    def of_model(self) -> ModelNames:
        return ModelNames(project=self.project, model=self.model)

    @property
    def learned(self) -> str:
        """Prefix in the data bucket of answers whose truth is known, which the model learns from (pipelines/tabular/steps/sources.py)."""
        return f"{self.of_model.training_data}learned/{self.environment}/"

    @property
    def feedback(self) -> str:
        """Key in the data bucket of why the model should be trained again (pipelines/monitoring/steps/why.py)."""
        return f"{self.of_model.feedback}{self.environment}.json"

    @property
    def batch_input(self) -> str:
        """Prefix in the environment's bucket."""
        return self.of_model.batch_input

    @property
    def predictions(self) -> str:
        """Prefix in the environment's bucket."""
        return self.of_model.predictions

    @property
    def tags(self) -> dict[str, str]:
        return {**self.of_model.tags, "environment": self.environment}
