"""What the template takes for a fact about AWS and no test here can show: each with its source, and with what would show it.

`make parity` writes it into docs/parity.md. A fact that a real account has shown goes into a test of this folder.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    claim: str
    source: str
    shown_by: str


#: The day of the last whole run of tests/aws against a real account; None: never.
LAST_RUN: str | None = None

FACTS = (
    Fact(
        "Another account's model pulls an image by the repository's policy, which lets in its roles by aws:PrincipalArn and "
        "sagemaker.amazonaws.com for it; the key needs no permission",
        "ECR user guide, Private repository policy examples, and Encryption at rest, by which ECR uses the key by a grant; CreateModel's "
        "refusal in aws/deep-learning-containers#5657",
        "a model with image=ServingImage.LEAN in an environment of another account; CloudTrail says whether aws:SourceAccount comes",
    ),
    Fact(
        "CodeBuild's Docker builds an image with Docker's own manifest, which CreateModel takes",
        "aws/amazon-sagemaker-feedback#180; standard:8.0 of aws/aws-codebuild-docker-images: Docker 28 with --storage-driver=overlay2",
        "imageManifestMediaType of DescribeImages after the first build of the pipeline --image",
    ),
    Fact(
        "The hosts of a training job reach each other by the names of SM_HOSTS at any port, also in a VPC of the template's",
        "distributed.py of sagemaker-xgboost-container (port 9099); SageMaker guide, Give SageMaker AI Training Jobs Access to Your VPC",
        "a run with TrainingInstanceCount=2 on more than 131,072 training rows",
    ),
    Fact(
        "Each host of a processing job uploads its own output folders, below the one address, and Spark's workers see these folders",
        "smspark of aws/sagemaker-spark-container: a worker is a process of the container's NodeManager; no page says how outputs of "
        "several hosts meet",
        "a run of a model with Processing(spark=True, instance_count=2) on more than 131,072 training rows: all shards of train/ are there",
    ),
    Fact(
        "Spark's image runs Python 3.12 as python3, and finds smspark-submit on its PATH",
        "spark/processing/3.5/py3/docker/py312/Dockerfile.cpu of aws/sagemaker-spark-container",
        "the same run: Prepare begins",
    ),
    Fact(
        "The volume of a processing job is below /opt/ml/processing, where Spark's pieces are put, and half of an instance's memory is "
        "enough for its Python workers",
        "bootstrapper.py of aws/sagemaker-spark-container leaves YARN's folders on the container's disk, and Python a tenth of the memory",
        "the same run with ten million rows: no worker is killed, and the log has no full disk",
    ),
    Fact(
        "A training job fails by the container that fails first; nothing public says whether FailureReason names its host",
        "the local account puts the name before the reason",
        "a run with TrainingInstanceCount=2 of which one process is killed",
    ),
    Fact(
        "The XGBoost 3.2-0 image starts a process for each model of a multi-model container, which imports the program anew",
        "multi-model-server 1.1.2: WorkerLifeCycle.java, model_service_worker.py; serving_mms.py of sagemaker-xgboost-container",
        "two versions behind pipelines/fleet/steps/members.py that answer by their own code",
    ),
    Fact(
        "What a process of a multi-model container writes to /proc/1/fd/1 reaches the endpoint's log as it is, and becomes metrics",
        "hosting reads the output of the container's first process; WorkerLifeCycle.java logs what others print with words in front",
        "ServerErrors of a member's version in CloudWatch, after a request to it",
    ),
    Fact(
        "To SageMaker a member whose model_fn raises is loaded; each request tries again and is a ModelError of 500",
        "model_loader.py of multi-model-server 1.1.2, transformer.py of sagemaker-inference 1.5.5",
        "an Offer of a version that does not load",
    ),
    Fact(
        "A multi-model container in a VPC fetches its program and its models through the S3 endpoint there, letting both buckets through",
        "SageMaker guide, Give SageMaker AI Hosted Endpoints Access to Resources in Your Amazon VPC; no page tells the two fetches apart",
        "a MultiModelFleet in an environment with in_vpc=True that serves",
    ),
    Fact(
        "InvokeEndpoint with a TargetModel that is not there is a ValidationError, Failed to download model data",
        "as clients of such endpoints quote it; no reference has the words",
        "a request with an unknown target",
    ),
    Fact(
        "With PIP_NO_BUILD_ISOLATION=0 the XGBoost 3.2-0 image installs the program without a network",
        "pip's own option parsing; the image's start script",
        "the first endpoint, which has network isolation",
    ),
    Fact(
        "A refusal that output_fn returns as flask.Response reaches the client with its status",
        "sagemaker_containers, run here (tests/journeys/test_container_code.py)",
        "Verify on staging",
    ),
    Fact(
        "All trials of a search write to the one S3Uri of its CheckpointConfig as it is, and get all of it back after an interruption",
        "HyperParameterTrainingJobDefinition of SageMaker's service model; no page tells trials apart. Each execution has another S3Uri",
        "a run of a model with Training(use_spot=True), which an interruption meets (tests/aws/test_spot.py)",
    ),
    Fact(
        "A program in the XGBoost image may wait longer than an hour for spare capacity, as it has checkpoints",
        "Managed Spot Training: 3600 seconds at most for built-in algorithms that do not checkpoint",
        "a run of a model with Training(use_spot=True) and more than 60 max_wait_minutes, which the defaults have",
    ),
    Fact("CodeBuild runs Python 3.12 by runtime-versions on standard:8.0", "the image's Dockerfile", "the first build"),
    Fact(
        "A tuning step's job is named <execution>-<step>-<token>, at most 32 characters",
        "names that executions gave",
        "the first tuning step",
    ),
    Fact(
        "A tuning job whose MaxRuntimeInSeconds is over is Completed, with the best trial so far, and its pipeline step succeeds",
        "SageMaker guide, Track and set completion criteria for your tuning job: AMT then stops the job; no page names its status",
        "a model with tuning=Tuning(trials=100, max_minutes=2)",
    ),
    Fact(
        "Hyperband counts as a resource each line of the objective that a trial of ours prints, the last one too",
        "API reference, HyperbandStrategyConfig: all metrics that correspond to the objective derive early stopping decisions",
        "a model with tuning=Tuning(strategy='Hyperband', trials=9): some trials are Stopped, the best is not",
    ),
    Fact(
        "The tuner takes sagemaker-xgboost for its own algorithm, also with a program of ours: the image's names, no metric definitions",
        "aws/sagemaker-xgboost-container#121 and #113, aws/sagemaker-python-sdk#2226",
        "the first tuning step",
    ),
    Fact(
        "It takes every fixed hyperparameter and every objective that the image declares, and finds `[0]#011validation-<metric>:<value>`",
        "the image's hyperparameter_validation.py and metrics.py",
        "the first trial",
    ),
    Fact(
        "The registry takes the metadata that a version is registered with",
        "SageMaker's service model: pattern and length of CustomerMetadataValue",
        "the first registration",
    ),
    Fact(
        "A condition on aws:ResourceTag with IfExists is met by what is gone, so that the answer is that it is gone",
        "IAM user guide, IfExists condition operators",
        "the first update of an endpoint, after which CloudFormation deletes nothing that serves",
    ),
    Fact(
        "aws:ResourceTag is there when a model, an endpoint configuration or a scalable target is described, tagged or changed",
        "Service Authorization Reference, resource types of SageMaker and Application Auto Scaling",
        "a second project in the same account",
    ),
    Fact(
        "A model that is made of a version again gets the image that its tag means by then, not the digest of the registration",
        "DeployedImage of SageMaker's service model, which says it of the model's own image",
        "ResolvedImage of DescribeEndpoint before and after the first `Rebuild`",
    ),
    Fact(
        "Application Auto Scaling forgets a variant before the second update of a stack begins, whose first deletes the target",
        "SageMaker guide, Update endpoints that use auto scaling; CloudFormation deletes a target by DeregisterScalableTarget",
        "the first change of an instance type",
    ),
    Fact(
        "An action of CodePipeline that updates a stack succeeds where there is nothing to update, as ChangeType does in most deployments",
        "CodePipeline user guide, CloudFormation deploy action reference, which does not say what becomes of such an update",
        "the first deployment",
    ),
    Fact(
        "CloudFormation gives a stack's tags to scalable targets and log groups",
        "tagging of the types' schemas",
        "the first endpoint's stack",
    ),
    Fact(
        "SageMaker asks for an update's alarms as the endpoint's role",
        "SageMaker guide, Auto-Rollback Configuration",
        "the second deployment",
    ),
    Fact(
        "RegisterModel needs no permission but CreateModelPackage, DescribeModelPackageGroup and AddTags",
        "guide of SageMaker Pipelines, IAM Access Management",
        "the first registration",
    ),
    Fact(
        "An undelivered event reaches the encrypted dead-letter queue",
        "EventBridge user guide, Using dead-letter queues",
        "a rule whose target is gone",
    ),
    Fact(
        "SageMaker needs neither kms:ReEncrypt* nor kms:GenerateDataKeyWithoutPlaintext of its execution roles",
        "S3 user guide, Using SSE-KMS",
        "the first job",
    ),
    Fact(
        "SageMaker takes the variables of a container beside its ModelPackageName, and joins them to the package's own",
        "aws/sagemaker-python-sdk#3581; ContainerDefinition of SageMaker's service model",
        "the first endpoint, and the version in its answers (tests/aws/test_live_metrics.py)",
    ),
    Fact(
        "A line that the container prints is one log event, without anything before it, and CloudWatch extracts its metrics",
        "CloudWatch user guide, Using the PutLogEvents API to send manually-created embedded metric format logs",
        "the first hundred requests (tests/aws/test_live_metrics.py)",
    ),
    Fact(
        "The parameter of an answer's content type reaches the client and the capture, whose encoding goes by the media type",
        "the sample of SageMaker's guide, Capture data: `text/csv; charset=utf-8` in the encoding CSV",
        "the first captured answer (tests/aws/test_live_metrics.py)",
    ),
    Fact(
        "Data capture keeps application/jsonlines as text in the encoding JSON, where the configuration lists it among JSON's types",
        "API reference of CaptureContentTypeHeader: the media types whose captured data is JSON; the watch reads base64 as well",
        "the first captured request in JSON Lines",
    ),
    Fact(
        "InvokeEndpointAsync of a real-time endpoint is a ValidationError, and a streamed invocation where its container streams nothing",
        "API reference: the errors of both; `does not support this inference type`, as clients of endpoints quote the message",
        "either invocation of staging",
    ),
    Fact(
        "An endpoint's container is asked to end by SIGTERM, in time for its last line",
        "SageMaker guide, Use your own inference code with hosting services: the exec form, so that signals reach the program",
        "the old version's last ten seconds in a deployment",
    ),
    Fact(
        "A batch job's answers may name parameters in their content type, as the image's text/csv; charset=utf-8 does",
        "the image's server, which answered so before",
        "the first batch",
    ),
    Fact(
        "A new account's quotas allow the instance types of settings.py",
        "Service Quotas: many defaults are 0",
        "the first job and the first endpoint",
    ),
    Fact(
        "Of a request that is refused with a 4xx, data capture writes nothing, or the request and an answer that is not the model's",
        "nothing: the Developer Guide's capture and the API reference of DataCaptureConfig speak of requests and do not say which",
        "the first refused request: the findings of its window count it, or do not",
    ),
    Fact(
        "A serverless endpoint takes a DeploymentConfig, all at once, and its alarms undo an update",
        "SageMaker guide, Deployment guardrails: they are for real-time and asynchronous endpoints; Exclusions: what has none falls "
        "back to all at once without a final baking period",
        "the second deployment of a Serverless, and one that its alarms should undo",
    ),
    Fact(
        "A serverless endpoint takes KmsKeyId in its configuration",
        "SageMaker guide, Create an endpoint configuration (serverless)",
        "the first deployment of a Serverless",
    ),
    Fact(
        "An asynchronous endpoint takes data capture, and captures what it answers",
        "CreateEndpointConfig, which excludes none; SageMaker SDK's Model.deploy takes both",
        "the first deployment of an Asynchronous, and its watch an hour later",
    ),
    Fact(
        "An asynchronous endpoint without instances is updated, and keeps none",
        "UpdateEndpoint, RetainAllVariantProperties; SageMaker guide, Autoscale an asynchronous endpoint",
        "a deployment while nothing waits",
    ),
    Fact(
        "What lies at the failure location names the container's status, as in error (415)",
        "the words of ModelError; a failure that names none counts as a refusal",
        "Verify on an Asynchronous",
    ),
    Fact(
        "The event of a version names what changed: UpdatedModelPackageFields has ModelApprovalStatus where it was decided about",
        "programs of others that go by it; the SageMaker guide's sample event (SageMaker model package state change) is of a new version",
        "the first approval: what starts within seconds, or with the next quarter of an hour",
    ),
    Fact(
        "CodePipeline keeps what a build exported with its action, also where no later action refers to it",
        "ActionExecutionOutput.outputVariables of its service model",
        "the first training after the version that serves was deleted from the registry",
    ),
    Fact(
        "While a stack is updated, DescribeStacks has the outputs of before",
        "CloudFormation makes outputs of resources, at the end",
        "`roll_back` during the first update of production",
    ),
    Fact(
        "Inference Recommender makes models, configurations and endpoints of the job's name, and the sizing role may do all that it does",
        "API reference, JobName of CreateInferenceRecommendationsJob; its guide asks for AmazonSageMakerFullAccess and lists no less",
        "the first recommendation (tests/aws/test_recommend.py)",
    ),
    Fact(
        "A ContainerConfig beside ModelPackageVersionArn brings the requests that the version was registered without",
        "API reference, RecommendationJobContainerConfig: it overrides the corresponding fields in the model package",
        "the first recommendation (tests/aws/test_recommend.py)",
    ),
    Fact(
        "What a shadow variant is asked and answers is captured below its own name",
        'SageMaker guide, "Create a shadow test": Data Capture logs "requests and responses of your production and shadow variants"',
        "the first comparison in a shadow that has answers",
    ),
    Fact(
        "UpdateStack without a role is done as the stack's own role, for a caller that may not pass that",
        'CloudFormation user guide, "CloudFormation service role"',
        "the first version in a shadow",
    ),
    Fact(
        "An update without DeploymentConfig lets a second production variant in and out, beside one that is a scalable target",
        'SageMaker guide, "Exclusions" of its deployment guardrails: with them the variants\' names have to be the same',
        "the first experiment that begins, and its end (tests/aws/test_experiment.py)",
    ),
    Fact(
        "Two variants of an endpoint are scalable targets of their own, and neither keeps the other from being scaled in time",
        'SageMaker guide, "Register a model"; it says nothing of two at once, and while one is scaled the endpoint is `Updating`',
        "the first experiment in production that scales (tests/aws/test_experiment.py)",
    ),
    Fact(
        "The archive of an inference component is fetched as the role of its model, not as that of the endpoint's configuration",
        "ExecutionRoleArn of CreateModel and of CreateEndpointConfig in SageMaker's service model; both roles may read it until then",
        "the first component (tests/aws/test_fleet.py)",
    ),
    Fact(
        "CPUUtilization of an endpoint has one value a minute for each instance, so that SampleCount counts those of a fleet",
        "SageMaker guide, Amazon SageMaker AI metrics in Amazon CloudWatch, which has the metric on an instance each minute",
        "a fleet with two instances (tests/aws/test_fleet.py)",
    ),
    Fact(
        "UpdateEndpoint gives an endpoint with components on it other bounds or another instance type, and they serve on meanwhile",
        "UpdateEndpoint of SageMaker's service model, which excludes no endpoint; it says nothing of what becomes of copies",
        "the first change of a fleet's `Instances`: on staging, before it is one of production's",
    ),
    Fact(
        "An inference component is refused, or gets Failed, where its fleet has no room, and does not wait for ever",
        "InferenceComponentStatus and FailureReason; CloudFormation waits up to 490 minutes (timeoutInMinutes of its schema)",
        "a component that reserves more than is left, on staging",
    ),
    Fact(
        "A weight of 0 takes all new requests from a variant within a minute or two, without a new fleet",
        "API reference, UpdateEndpointWeightsAndCapacities; it says nothing of the time",
        "the first challenger whose alarm is on",
    ),
)
