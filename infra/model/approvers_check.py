"""The function of the deploy pipeline that asks whether different people approved, for models with `approvers=2`.

A function, because a build would run what the commit brings: whose author may not decide who is asked. It holds whatever an approval was
given with: it reads what CodePipeline recorded. Next: check_approvers/handler.py. Source: "AWS Lambda invoke action reference" of the
CodePipeline user guide.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.build.code_source import SOURCE_ACTION
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context
from infra.project_function import ProjectFunction
from settings_schema import CodeCommit, ModelNames

REVIEW_STAGE, APPROVALS = "Staging", ("Approve", "ApproveAgain")


class ApproversCheck(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, names: ModelNames, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        home, project = context.places.home, context.project
        build, deploy = (home.code_pipeline(name) for name in (project.names.build_pipeline, names.deploy_pipeline))
        in_codecommit = isinstance(context.settings.source, CodeCommit)
        self._function = ProjectFunction(
            self,
            "Function",
            folder=Path(__file__).parent,
            package="check_approvers",
            function_name=names.check_approvers_function,
            description="Asks whether those who approved are different people, none of whom pushed or wrote the commit",
            environment={
                "BUILD_PIPELINE_NAME": project.names.build_pipeline,
                "DEPLOY_PIPELINE_NAME": names.deploy_pipeline,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "STAGE_NAME": REVIEW_STAGE,
                "APPROVAL_NAMES": ",".join(APPROVALS),
                "REPOSITORY_NAME": project.names.repository if in_codecommit else "",
            },
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        self._function.allow("WhoApproved", ["codepipeline:ListActionExecutions"], [deploy])
        self._function.allow("WhichCommit", ["codepipeline:GetPipelineExecution"], [deploy, build])
        self._function.allow("WhoPushed", ["codepipeline:ListPipelineExecutions"], [build])
        packages = home.model_packages(names.model_package_group)
        self._function.allow("WhoMadeTheVersion", ["sagemaker:DescribeModelPackage"], [packages])
        if in_codecommit:
            repository = home.arn("codecommit", project.names.repository)
            self._function.allow("WhoWroteIt", ["codecommit:GetCommit"], [repository])
        else:
            self._function.allow("WhoWroteIt", ["codepipeline:ListActionExecutions"], [build])

    def action(self, name: str, *, approvals: int, run_order: int) -> actions.LambdaInvokeAction:
        """Fails unless so many different people have approved by now."""
        return actions.LambdaInvokeAction(
            action_name=name,
            run_order=run_order,
            lambda_=self._function,
            user_parameters={"execution": codepipeline.GlobalVariables.EXECUTION_ID, "approvals": approvals},
        )
