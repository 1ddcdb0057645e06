"""The way back: the pipeline that takes production to a version that has served it, past whatever is under review.

Source -> Return[Render, Deploy, ChangeType, Verify], on production only. Staging is left alone: it has what is under review, or nobody's
requests. All at once and watched by no alarm, because those of the endpoint judge what is to be left; Verify asks right after it
(decision 141).
One stage, so that an execution which queued behind another looks at what is live when its turn comes.
start_deployment/ starts it, and only with a version that served production, as every approval for production was given to it then.
"""

from __future__ import annotations

from aws_cdk import aws_codepipeline as codepipeline
from constructs import Construct

from infra.foundation.foundation_stack import FoundationStack
from infra.model.deploy_projects import DeployProjects
from infra.model.rollout_pipeline import RolloutPipeline, anew, requested
from infra.places import Context
from settings_schema import Model

#: Variable that start_deployment/handler.py sets, and the build's environment variable for it (deploy_scripts/render.py).
LEAVING_VARIABLE, LEAVING = "Leaving", "LEAVING"


class ReturnPipeline(RolloutPipeline):
    """`projects`: the deploy pipeline's builds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        projects: DeployProjects,
    ) -> None:
        version = requested("ARN of the version to return to, which served production and is still approved")
        leaving = codepipeline.Variable(variable_name=LEAVING_VARIABLE, description="ARN of the version that production is to be rid of")
        rebuilt = anew("Another day than that of what is left, where that was made anew only")
        names, production = model.names(context.project), context.settings.production
        super().__init__(
            scope,
            construct_id,
            context=context,
            model=model,
            foundation=foundation,
            pipeline_name=names.return_pipeline,
            environments=[production],
            variables=[version, leaving, rebuilt],
        )
        rendered = codepipeline.Artifact("Rendered")
        given = {"REQUESTED_PACKAGE": version.reference(), "STAGE": production.name, LEAVING: leaving.reference()}
        given["REBUILT"] = rebuilt.reference()
        render = self._render("Render", projects.render, run_order=1, output=rendered, **given)
        offer = self._offer(production, projects.offer, version.reference(), run_order=2)
        deploy = self._deploy(production, rendered, run_order=3 if offer else 2)
        baked = {"RETURNS": "true"} if offer else {}  # what is left may not come back, so nothing is watched
        verify = self._verify(production, projects.verify, version.reference(), run_order=4, **baked)
        self.pipeline.add_stage(stage_name="Return", actions=[render, *offer, *deploy, verify])
