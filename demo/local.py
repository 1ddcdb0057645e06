"""`python -m demo.local` (`make local`): the local account, and the journey of this project's change in it, command by command.

The account itself, its options and its exports are `python -m local_account`'s (packages/local_account). Next: the README's first day.
"""

from __future__ import annotations

from collections.abc import Sequence

from settings_rules import UNREADABLE, stop

try:
    from settings import ABALONE, ARRESTS, DATASET, PRODUCTION, PROJECT
except UNREADABLE as error:
    stop(error)

from local_account import __main__ as local_account
from local_account.context import Context


def main(command_line: Sequence[str] | None = None) -> int:
    return local_account.main(command_line, next_steps=journey)


def journey(context: Context) -> str:
    """What to type in the second terminal, from the first deployment to an answer of the endpoint."""
    settings = context.settings
    data = f"--example {DATASET.name}" if DATASET.name in (ABALONE.name, ARRESTS.name) else "your-table.csv"
    repository = f"{settings.endpoint_url}/v1/repos/{PROJECT.name}"
    newest = f"--model-package-group-name {PROJECT.model_package_group} --sort-order Descending --max-items 1"
    stages = "stageStates[].[stageName,latestExecution.status]"
    approval = "stageStates[].actionStates[] | [?actionName=='Approve'].latestExecution.token | [0]"
    return f"""The tools of this project:
  export PATH="$PWD/node_modules/.bin:$PWD/.venv/bin:$PATH"

Infrastructure and data, once:
  cdk bootstrap aws://{settings.account_id}/{settings.region}
  cdk deploy --all --require-approval never
  python -m build_scripts.upload_data {data}

A change: commit it, push it, watch it train.
  git push {repository} HEAD:{PROJECT.branch}
  aws codepipeline get-pipeline-state --name {PROJECT.build_pipeline} --query "{stages}" --output text
  python -m build_scripts.follow

Approve the version, as in SageMaker Studio; staging follows.
  VERSION=$(aws sagemaker list-model-packages {newest} --query "ModelPackageSummaryList[0].ModelPackageArn" --output text | head -1)
  aws sagemaker update-model-package --model-package-arn $VERSION --model-approval-status Approved
  aws codepipeline get-pipeline-state --name {PROJECT.deploy_pipeline} --query "{stages}" --output text

Approve production, once Staging has verified it; then ask it.
  TOKEN=$(aws codepipeline get-pipeline-state --name {PROJECT.deploy_pipeline} --query "{approval}" --output text)
  aws codepipeline put-approval-result --pipeline-name {PROJECT.deploy_pipeline} --stage-name Staging --action-name Approve \\
      --token $TOKEN --result status=Approved,summary="staging is fine"
  python -m deploy_scripts.status
  python -m deploy_scripts.example_request --output out/row.csv
  aws sagemaker-runtime invoke-endpoint --endpoint-name {PROJECT.endpoint_name(PRODUCTION)} --content-type text/csv \\
      --body fileb://out/row.csv /dev/stdout
"""


if __name__ == "__main__":
    local_account.run(main)
