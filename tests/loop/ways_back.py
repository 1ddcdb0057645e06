"""A team whose versions can be made to break at any moment, the people who are told, and the engineer on call who leaves them.

Each version is the first one's archive, registered again as a training would: what it does later decides a file beside the account, which
its code looks at with each request. In: a directory. Out: a `Team`. Used by test_ways_back.py and by benchmarks/ways_back.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from demo import loop
from demo.clock import AccountClock, next_monday
from demo.terminal import Terminal
from settings_schema import ModelNames, ServingNames
from settings_schema.reading import read
from tests.loop.clients import Clients
from tests.loop.clone import ROOT, make_clone
from tests.loop.faults import ALERTS, Fault, Seen, fault_of
from tests.loop.person import Person, deploy

MODELS = Path(__file__).with_name("ways") / "models"
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"
#: A minute of an alarm's period takes a second.
SPEED = 60.0
#: What a version can be made to do: its answer's own words for it are in `_FAULT`.
ERRORS, SLOW = "errors", "slow"
SERVER_ERRORS, LATENCY = "server-errors", "latency-p99"
_INFERENCE = "pipelines/tabular/steps/inference.py"
_PREDICT = '    """Values, or probabilities with the decided class. Refuses with a 400 what the version\'s contract does not allow."""\n'
_FAULT = """    version = os.environ.get(live_metrics.VERSION, "none")
    files = (Path({folder!r}, name) for name in (version, f"{{os.environ.get(live_metrics.ENDPOINT)}}.{{version}}"))
    kind = next((file.read_text() for file in files if file.exists()), "")
    if kind == "errors":
        raise OSError("the disk is gone")
    if kind == "slow":
        __import__("time").sleep(0.7)
"""
_OF_A_VERSION = ("ModelPackageGroupName", "InferenceSpecification", "CustomerMetadataProperties", "ModelMetrics")
_POLICY = re.compile(r"```json\n(\{\n  \"Version\".*?)```", re.DOTALL)


@dataclass
class Team:
    """`faults`: where a file named like a version says what that one does, of each model, or of one with its endpoint before the dot.

    `queue`: what whoever subscribed to the alerts gets.
    """

    person: Person
    names: ModelNames
    faults: Path
    queue: str
    on_call: Mapping[str, str]
    told: list[str] = field(default_factory=list)
    row: ClassVar[bytes] = ROW

    @property
    def terminal(self) -> Terminal:
        return self.person.terminal

    @property
    def production(self) -> ServingNames:
        return self.names.at("live")

    def client(self, service: str) -> Any:
        return self.terminal.client(service)

    # ------------------------------------------------------------------------------------------ versions

    def register(self) -> str:
        """Another version, as the training pipeline registers one; its ARN."""
        first = loop.versions(self.terminal, self.names)[-1]["ModelPackageArn"]
        return register(self.terminal, described(self.terminal, first))

    def under_review(self) -> tuple[str, str]:
        """A new version that waits for its second approval, on staging: its ARN and its execution."""
        version = self.register()
        execution = self.person.approve(self.names, version)
        waiting = loop.wait_for("the review", lambda: self.person.waiting_or_ended(self.names, execution))
        assert isinstance(waiting, dict), self.why(self.names.deploy_pipeline, execution)
        return version, execution

    def let_in(self, execution: str) -> str:
        """The second approval; how the execution ended."""
        self.answer(execution, "Approved")
        return loop.end_of_pipeline(self.terminal, self.names.deploy_pipeline, execution)

    def answer(self, execution: str, status: str) -> None:
        """Of the review that an execution waits in."""
        waiting = loop.waiting_approval(self.terminal, self.names, execution)
        assert waiting is not None
        loop.answer_approval(self.terminal, self.names, waiting, status, "not today" if status == "Rejected" else "go")

    def released(self) -> str:
        """A new version that production has; its ARN."""
        version, execution = self.under_review()
        assert self.let_in(execution) == "Succeeded", self.why(self.names.deploy_pipeline, execution)
        return version

    # ----------------------------------------------------------------------------------- what breaks, what is said

    def breaks(self, version: str, how: str) -> None:
        """Where production has it."""
        (self.faults / f"{self.production.endpoint}.{number(version)}").write_text(how, encoding="utf-8")

    def mend(self) -> None:
        """Every version is as it was there."""
        for file in self.faults.glob(f"{self.production.endpoint}.*"):
            file.unlink()

    def alarm(self, what: str, state: str) -> None:
        """Until an alarm of production is in a state."""
        cloudwatch, name = self.client("cloudwatch"), self.production.alarm(what)

        def is_so() -> bool | None:
            (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
            return alarm["StateValue"] == state or None

        loop.wait_for(f"{name} to be {state}", is_so, seconds=60)

    def hear(self, text: str) -> str:
        """Until people are told something that has this text in it; the message."""

        def look() -> str | None:
            self._receive()
            return next((message for message in self.told if text in message), None)

        return loop.wait_for(f"somebody to be told {text!r}", look, seconds=30)

    def _receive(self) -> None:
        sqs = self.client("sqs")
        for message in sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            said = json.loads(message["Body"])
            self.told.append(f"{said.get('Subject', '')} {said['Message']}")

    def require_told(self, fault: Fault, said: Mapping[str, str]) -> None:
        """Each text where the page says that people read it. `said`: what could be read elsewhere than in the alerts."""
        for where, text in fault.told:
            if where == ALERTS:
                self.hear(text)
            else:
                assert text in said[where], f"{where}: {said[where]}"

    def why(self, pipeline: str, execution: str) -> str:
        return why(self.terminal, pipeline, execution)

    # -------------------------------------------------------------------------------------------- what people do

    def clients(self) -> Clients:
        return Clients(self.client("sagemaker-runtime"), self.production.endpoint, self.row)

    def reject(self, version: str) -> None:
        """As the button in Studio does."""
        loop.judge(self.terminal, version, "Rejected", "broken")

    def roll_back(self, *arguments: str) -> str:
        """By the engineer on call, with the permissions of docs/operations.md; what it printed."""
        command = ["python", "-m", "deploy_scripts.roll_back", "--model", self.names.model, "--reason", "broken", "--yes", *arguments]
        return self.terminal.run(f"roll-back-{self.names.model}", command, cwd=self.person.clone, extra=self.on_call)

    def wake(self) -> str:
        """What start_deployment says when it looks by itself, as its schedule has it."""
        answer = self.client("lambda").invoke(FunctionName=self.names.start_deployment_function, Payload=b'{"source": "aws.events"}')
        return str(json.loads(answer["Payload"].read())["reason"])

    def stopped_because(self, execution: str) -> str:
        """What stopped an execution of the deploy pipeline said."""
        executions = loop.pipeline_executions(self.terminal, self.names.deploy_pipeline)
        summary = next(item for item in executions if item["pipelineExecutionId"] == execution)
        return str((summary.get("stopTrigger") or {}).get("reason", ""))

    def status(self) -> dict[str, Any]:
        command = ["python", "-m", "deploy_scripts.status", "--model", self.names.model, "--json"]
        content: dict[str, Any] = json.loads(self.terminal.run("status", command, cwd=self.person.clone))
        return content

    def live(self) -> str | None:
        return loop.live_version(self.terminal, self.production)

    def returns(self) -> list[Mapping[str, Any]]:
        """Executions of the way back, newest first."""
        return loop.pipeline_executions(self.terminal, self.names.return_pipeline)

    def how_the_last_return_ended(self) -> str:
        execution = self.returns()[0]["pipelineExecutionId"]
        status = loop.end_of_pipeline(self.terminal, self.names.return_pipeline, execution)
        return status if status == "Succeeded" else f"{status}: {self.why(self.names.return_pipeline, execution)}"


@dataclass(frozen=True)
class Left:
    """How a version was left: what clients saw, what the command printed, what is live, and how the return ended."""

    seen: Seen | None
    said: str
    live: str | None
    returned: str


def why(terminal: Terminal, pipeline: str, execution: str) -> str:
    """What the failed action of an execution said, its build's log included."""
    for name, action in loop.actions(terminal, pipeline, execution).items():
        if action["status"] == "Failed":
            result = action.get("output", {}).get("executionResult", {})
            log = result.get("externalExecutionUrl", "").removeprefix("file://")
            said = Path(log).read_text(encoding="utf-8") if log and Path(log).is_file() else ""
            return f"{name}: {result.get('externalExecutionSummary') or result.get('errorDetails')}\n{said[-3000:]}"
    return f"{execution} of {pipeline} has no failed action"


def declared(request: pytest.FixtureRequest) -> Fault:
    """The fault whose scenario this test is."""
    return fault_of(request.node.originalname)


def number(version: str) -> str:
    return version.rsplit("/", 1)[-1]


def described(terminal: Terminal, version: str) -> dict[str, Any]:
    """What a version is registered with."""
    package = terminal.client("sagemaker").describe_model_package(ModelPackageName=version)
    for container in package["InferenceSpecification"]["Containers"]:
        container.pop("ImageDigest", None)
        container.pop("ModelDataETag", None)
    return {name: package[name] for name in _OF_A_VERSION if name in package}


def register(terminal: Terminal, version: Mapping[str, Any]) -> str:
    """As the training pipeline does it; its ARN."""
    made = terminal.client("sagemaker").create_model_package(**version, ModelApprovalStatus="PendingManualApproval")
    return str(made["ModelPackageArn"])


def start(directory: Path) -> Team:
    """An account in which the first version is registered, before anybody has approved anything."""
    clone, faults = directory / "clone", directory / "faults"
    faults.mkdir(parents=True)
    make_clone(clone)
    shutil.rmtree(clone / "models")
    shutil.copytree(MODELS, clone / "models")
    terminal = Terminal(clone, directory, tools=ROOT)
    try:
        terminal.start_account(speed=SPEED)
        AccountClock(terminal.account).set(now=next_monday("Etc/UTC"))
        settings = read(clone)
        (model,) = settings.models.values()
        names = model.names(settings.project)
        person = Person(terminal, clone, loop.Repository(terminal, settings, clone, directory / "clone.git"), settings.project.names)
        make_breakable(person, faults)
        loop.bootstrap(terminal)
        deploy(terminal, directory / "cdk.out")
        loop.upload_data(terminal, model.name)
        person.build("First push")
        person.trained(names, [])
        speaking = (settings.project.names.foundation_stack, settings.production.names(settings.project).stack)
        return Team(person, names, faults, subscribe(terminal, names, speaking), on_call(terminal, names))
    except BaseException:
        terminal.close()
        raise


def make_breakable(person: Person, faults: Path) -> None:
    """What versions do from now on, a file in this folder decides that is named like one."""
    person.change(_INFERENCE, _PREDICT, _PREDICT + _FAULT.format(folder=str(faults)))


def subscribe(terminal: Terminal, names: ModelNames, stacks: Sequence[str]) -> str:
    """Address of the queue that gets every alert of these stacks' topics, for those who look after a model."""
    sqs = terminal.client("sqs")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    url = sqs.create_queue(QueueName=f"people-of-{names.model}", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for stack in stacks:
        terminal.client("sns").subscribe(TopicArn=terminal.outputs(stack)["AlertTopicArn"], Protocol="sqs", Endpoint=arn)
    return str(url)


def documented_policies() -> list[str]:
    """What docs/operations.md says that the engineer on call needs; and where production has an account and a region of its own."""
    return _POLICY.findall((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))


def documented_policy(names: ModelNames, account: str, region: str) -> str:
    """In one account, with this team's names."""
    policy, _ = documented_policies()
    for documented, here in (
        ("mlops--abalone--production", names.at("live").stack),
        ("mlops--abalone", names.stack),
        ("mlops--", names.of_project.prefix),
        ("111122223333", account),
        ("eu-west-1", region),
    ):
        policy = policy.replace(documented, here)
    return str(policy)


def on_call(terminal: Terminal, names: ModelNames) -> dict[str, str]:
    """Exports of someone who may do that, and nothing else."""
    account = terminal.account
    documented = documented_policy(names, account["account_id"], account["region"])
    key = person_on_call(terminal.client("iam"), [documented], f"on-call-{names.model}")
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def person_on_call(iam: Any, policies: Sequence[str], user: str = "on-call") -> Mapping[str, str]:
    """An access key of a user that has these policies only."""
    iam.create_user(UserName=user)
    for number_of_policy, policy in enumerate(policies):
        iam.put_user_policy(UserName=user, PolicyName=f"roll-back-{number_of_policy}", PolicyDocument=policy)
    key: Mapping[str, str] = iam.create_access_key(UserName=user)["AccessKey"]
    return key
