"""`python -m demo.local` (`make local`): the local account, and the journey of this project's change in it, command by command.

    python -m demo.local --model abalone --port 4567     the journey of one model

The account itself, its options and its exports are `python -m local_account`'s (packages/local_account). Next: docs/local-account.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from build_scripts.command_line import add_model_option, read_settings
from build_scripts.upload_data import EXAMPLES
from demo.scoring import FILE, MARKER
from demo.subject import Subject, subject
from local_account import __main__ as local_account
from local_account import connections
from local_account.context import Context
from settings_schema import Asynchronous, Batch, CodeConnection, SettingsError
from settings_schema.fleet import OnFleet
from settings_schema.reading import Settings


def main(command_line: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_model_option(options)
    given, others = options.parse_known_args(command_line)
    settings = read_settings()
    try:
        models = [settings.model(given.model)] if given.model else list(settings.models.values())
    except SettingsError as error:
        print(f"local account: {error}", file=sys.stderr)
        return 2
    told = [subject(settings, model) for model in models]
    if not any(option.split("=")[0] == "--account" for option in others):
        others = [*others, *_accounts(settings)]
    return local_account.main(others, next_steps=lambda context: journey(context, settings, told))


def _accounts(settings: Settings) -> list[str]:
    """Options for the accounts that the settings name: the project's, then those of the environments that live elsewhere."""
    project, given = settings.project, []
    if project.account:
        given.append(f"{project.name}={project.account}{f'/{project.region}' if project.region else ''}")
    for environment in settings.environments:
        place = (environment.account or project.account, environment.region or project.region)
        if place[0] and place != (project.account, project.region):
            given.append(f"{environment.name}={place[0]}{f'/{place[1]}' if place[1] else ''}")
    return [f"--account={one}" for one in given]


def _push(context: Context, settings: Settings) -> str:
    if isinstance(settings.source, CodeConnection):
        return (
            f"  aws codeconnections create-connection --provider-type GitHub --connection-name code   # its ARN goes into settings.py\n"
            f"  python -m local_account.handshake code   # in AWS, a person does this in the console\n"
            f"  git push {connections.clone_url(context, settings.source.repository)} HEAD:{settings.project.branch}"
        )
    return f"  git push {context.settings.endpoint_url}/v1/repos/{settings.project.names.repository} HEAD:{settings.project.branch}"


def journey(context: Context, settings: Settings, told: Sequence[Subject]) -> str:
    """What to type in the second terminal, from the first deployment to answers of each model."""
    account, names = context.settings, settings.project.names
    uploads = "\n".join(f"  python -m build_scripts.upload_data {_data(one)} --no-trigger" for one in told)
    follow = "\n".join(f"  python -m build_scripts.follow --model {one.name}" for one in told)
    approvals = "\n".join(_approval(one, settings.staging.name) for one in told)
    production, project = settings.production, settings.project
    place = (production.account or project.account or account.account_id, production.region or project.region or account.region)
    bucket = names.environment(production.name).bucket(*place)
    answers = "\n".join(_answers(one, bucket) for one in told)
    return f"""The tools of this project:
  export PATH="$PWD/node_modules/.bin:$PWD/.venv/bin:$PATH"

Infrastructure and data, once:
  cdk bootstrap aws://{account.account_id}/{account.region}
  cdk deploy --all --require-approval never
{uploads}

A change: commit it, push it, watch it train.
{_push(context, settings)}
  aws codepipeline get-pipeline-state --name {names.build_pipeline} --query "{_STAGES}" --output text
{follow}

Approve each version, as in SageMaker Studio, and production, once its first environment is verified:
{approvals}

What runs where, and what waits for whom:
  python -m deploy_scripts.status

Ask for answers:
{answers}
"""


_STAGES = "stageStates[].[stageName,latestExecution.status]"
_NEWEST = "ModelPackageSummaryList[0].ModelPackageArn"
_TOKEN = "stageStates[].actionStates[] | [?actionName=='Approve'].latestExecution.token | [0]"  # noqa: S105 - a query, no secret


def _data(one: Subject) -> str:
    return f"--example {one.name}" if one.name in EXAMPLES else f"--model {one.name} your-table.csv"


def _approval(one: Subject, first: str) -> str:
    newest = f"--model-package-group-name {one.names.model_package_group} --sort-order Descending --max-items 1 --output text"
    pipeline = one.names.deploy_pipeline
    return f"""  VERSION=$(aws sagemaker list-model-packages {newest} --query "{_NEWEST}" | head -1)
  aws sagemaker update-model-package --model-package-arn $VERSION --model-approval-status Approved
  aws codepipeline get-pipeline-state --name {pipeline} --query "{_STAGES}" --output text
  TOKEN=$(aws codepipeline get-pipeline-state --name {pipeline} --query "{_TOKEN}" --output text)
  aws codepipeline put-approval-result --pipeline-name {pipeline} --stage-name Staging --action-name Approve \\
      --token $TOKEN --result status=Approved,summary="{first} is fine"
"""


def _address(one: Subject) -> str:
    """Of a model on a fleet, also its component."""
    serving = one.in_production
    if isinstance(serving, OnFleet):
        return f"--endpoint-name {one.production.fleet(serving.fleet).endpoint} --inference-component-name {one.production.component}"
    return f"--endpoint-name {one.production.endpoint}"


def _answers(one: Subject, bucket: str) -> str:
    if isinstance(one.in_production, Asynchronous):
        row = f"s3://{bucket}/{one.production.requests}row.csv"
        return f"""  python -m deploy_scripts.example_request --model {one.name} --output out/row.csv
  aws s3 cp out/row.csv {row}
  aws sagemaker-runtime invoke-endpoint-async --endpoint-name {one.production.endpoint} --content-type text/csv --input-location {row}
  aws s3 ls s3://{bucket}/{one.production.answers}
"""
    if not one.model.is_batch_only:
        return f"""  python -m deploy_scripts.example_request --model {one.name} --output out/row.csv
  aws sagemaker-runtime invoke-endpoint {_address(one)} --content-type text/csv \\
      --body fileb://out/row.csv /dev/stdout
"""
    folder = f"{one.production.batch_input}monday"
    by_hand = f"  aws lambda invoke --function-name {one.production.start_scoring_function} /dev/stdout\n"
    serving = one.in_production
    started = "" if isinstance(serving, Batch) and serving.on_upload else by_hand
    return f"""  aws s3 cp {FILE} s3://{bucket}/{folder}/{FILE}     # rows without a header, in the order of the columns in its file
  aws s3api put-object --bucket {bucket} --key {folder}/{MARKER}
{started}  aws s3 ls --recursive s3://{bucket}/{one.production.predictions}
"""


if __name__ == "__main__":
    local_account.run(main)
