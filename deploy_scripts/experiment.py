"""Shows the experiment in production: which versions, since when, how many labelled answers; once it is over what was found.

    python -m deploy_scripts.experiment --model abalone
    python -m deploy_scripts.experiment --model abalone --json

It decides nothing and changes nothing: the review in the deploy pipeline does, which `python -m deploy_scripts.status` shows with the
command that answers it. Before the end there are counts only. Input: the parameters of production's stack, and what the watch has written
(pipelines/monitoring/steps/experiment.py), which takes the right to read the environment's bucket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, add_model_option, explain, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.attention import ON_CALL, Waiting
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.stack_states import describe_stack
from settings_schema import Experiment, ServingNames
from settings_schema.names import CHALLENGER_VARIANT

NEVER = "never"


@dataclass(frozen=True)
class OnTrial:
    """Numbers of the versions; `began` in UTC. `found`: what the watch has said last of it, empty before; `why`: it cannot be read."""

    champion: int
    challenger: int
    began: str
    found: Mapping[str, Any]
    why: str = ""

    @property
    def is_decided(self) -> bool:
        return bool(self.found.get("decided"))

    @property
    def sentence(self) -> str:
        return str(self.found.get("sentence") or self.why or "nothing is counted yet: the watch has not looked since it began")


def on_trial(stack: Mapping[str, Any] | None, place: EnvironmentPlace, names: ServingNames) -> OnTrial | None:
    """`stack`: as CloudFormation describes it. None where no experiment is on."""
    values = {item["ParameterKey"]: item["ParameterValue"] for item in (stack or {}).get("Parameters", [])}
    began = values.get("ExperimentBegan", NEVER)
    if began == NEVER:
        return None
    challenger = values["ChallengerVersion"]
    found, why = _result(place, f"{names.experiments}{challenger}.json")
    return OnTrial(int(values["ModelVersion"]), int(challenger), began, found if found.get("began") == began else {}, why)


def _result(place: EnvironmentPlace, key: str) -> tuple[dict[str, Any], str]:
    """What the watch wrote, or why it cannot be read: whoever may only look decrypts nothing."""
    try:
        s3 = place.client("s3")
        if not s3.list_objects_v2(Bucket=place.bucket, Prefix=key, MaxKeys=1).get("Contents"):
            return {}, ""
        return dict(json.loads(s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())), ""
    except (ClientError, ProblemError) as error:
        return {}, f"what the watch has counted cannot be read with these credentials ({explain(error)})"


def waiting(trial: OnTrial | None, model: str, experiment: Experiment | None) -> list[Waiting]:
    """A line of status.py."""
    if trial is None:
        return []
    share = f", with {experiment.challenger_percent} % of the requests" if experiment else ""
    what = f"experiment of {model}: version {trial.challenger} beside version {trial.champion}{share}: {trial.sentence}"
    whom = "an approver" if trial.is_decided else "labelled answers, or its last day"
    return [Waiting(what, _shown(trial.began), command(model), whom)]


def _shown(began: str) -> str:
    return began.replace("T", " ").removesuffix(":00Z").removesuffix("Z")


def abandoned(trial: OnTrial | None, names: ServingNames) -> list[Waiting]:
    """A line of status.py: `experiment=` was taken out of the model's file meanwhile, and with it went what ends experiments."""
    if trial is None:
        return []
    where = f"a part of the requests to {names.environment}, beside version {trial.champion}"
    tried = f"version {trial.challenger} of {names.model} answers {where}"
    why = "nothing ends that any more, as models/ has no experiment for it"
    what = f"{tried}, and {why}; the next release takes it out, and this leaves it without requests"
    silence = f"aws sagemaker update-endpoint-weights-and-capacities --endpoint-name {names.endpoint}"
    silence += f" --desired-weights-and-capacities VariantName={CHALLENGER_VARIANT},DesiredWeight=0"
    return [Waiting(what, _shown(trial.began), silence, ON_CALL)]


def command(model: str) -> str:
    return f"python -m deploy_scripts.experiment --model {model}"


def lines(trial: OnTrial) -> list[str]:
    """For people."""
    found = trial.found
    said = [f"version {trial.challenger} beside version {trial.champion} since {trial.began}", trial.sentence]
    if found:
        said.append(
            f"until {found['ends']} at the latest; counted at {found['judged_at']}, since {found['counted_since'] or 'nothing yet'}"
        )
        for side, number in (("champion", trial.champion), ("challenger", trial.challenger)):
            said.append(f"version {number}: {found['requests'][side]:,} requests, {found['labels'][side]:,} labelled answers")
        said.append(f"requests as divided as set: p = {found['sample_ratio_p']:.3g}")
    return said


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--json", action="store_true", help="print JSON")
    given = options.parse_args(arguments)
    settings = read_settings()
    model, environment = settings.model(given.model), settings.production
    if model.experiment(environment.name) is None:
        allowed = f"serving[{environment.name!r}] = Endpoint(..., experiment=Experiment())"
        raise ProblemError(f"models/: {model.name} has no experiments in {environment.name}; allowed: {allowed}")
    names = model.names(settings.project).at(environment.name)
    place = EnvironmentPlace(ProjectEnvironment(settings.project), environment, Role.LOOKUP)
    trial = on_trial(describe_stack(place.client("cloudformation"), names.stack), place, names)
    if given.json:
        print(json.dumps(None if trial is None else {"champion": trial.champion, "challenger": trial.challenger, **trial.found}, indent=2))
    else:
        print("\n".join(lines(trial)) if trial else "no experiment is on; one begins once a version is approved for production")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
