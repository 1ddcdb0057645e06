"""The pipeline that rolls one approved version of a model through the gates.

Source -> Render -> Staging[Deploy, ChangeType, Verify, Approve] -> Production[StillApproved, Deploy, ChangeType, Verify]. A model on a
multi-model fleet has Offer before Deploy, and no ChangeType: it is asked before clients are told of it. A model whose production has a
shadow is compared in it between Verify and Approve. With `Model.approvers=2` a second approval follows the first, and a function checks
who gave them (approvers_check.py). StillApproved is Render once more, for production alone and at the moment that counts: a review takes
days, in which the version may be rejected, and what serves may change. Which version and which commit is decided by start_deployment/,
never by what runs in here: all of that is pushed code. The way back from what it brought is a pipeline of its own, which no review holds
up: return_pipeline.py.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.build.code_source import SOURCE_NAMESPACE
from infra.foundation.foundation_stack import FoundationStack
from infra.model.approvers_check import APPROVALS, REVIEW_STAGE, ApproversCheck
from infra.model.deploy_projects import DeployProjects
from infra.model.rollout_pipeline import RolloutPipeline, anew, requested
from infra.places import Context, value
from settings_schema import Environment, Experiment, Model
from settings_schema.console import object_page

LATEST = "latest-approved"
PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"
VERSION = "#{Render.MODEL_PACKAGE_VERSION}"
COMMIT = f"#{{{SOURCE_NAMESPACE}.CommitId}}"
APPROVAL_DAYS = 7
#: Known to what looks whether one is under way (shadow_change.py).
SHADOW_ACTION, PRODUCTION_STAGE = "Shadow", "Production"
_COMPARISON = "#{Shadow.COMPARISON}"
#: An experiment is as long as this review of it is open (experiment_change.py).
EXPERIMENT_STAGE, DECIDE_ACTION = "Experiment", "Decide"


class DeployPipeline(RolloutPipeline):
    """`projects` are its builds, which the return pipeline runs, too."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack) -> None:
        variable = requested("ARN of one approved version to deploy; by default the newest approved one", LATEST)
        self._rebuilt = anew("The day, where it is made anew only")
        names, environments = model.names(context.project), context.settings.environments
        super().__init__(
            scope,
            construct_id,
            context=context,
            model=model,
            foundation=foundation,
            pipeline_name=names.deploy_pipeline,
            environments=environments,
            variables=[variable, self._rebuilt],
        )
        self._approvers = model.approvers
        self.projects = DeployProjects(self, "Projects", context=context, model=model, foundation=foundation)
        rendered = codepipeline.Artifact("Rendered")
        render = self._render(
            "Render",
            self.projects.render,
            output=rendered,
            namespace="Render",
            REQUESTED_PACKAGE=variable.reference(),
            REBUILT=self._rebuilt.reference(),
        )
        self.pipeline.add_stage(stage_name="Render", actions=[render])
        self._add_staging_stage(context.settings.staging, context.settings.production, rendered)
        self._experiment = model.experiment(context.settings.production.name)
        if self._experiment is not None:
            self._add_experiment_stage(self._experiment)
        self._add_production_stage(context.settings.production)

    def _add_staging_stage(self, staging: Environment, production: Environment, rendered: codepipeline.Artifact) -> None:
        """The approvals are in the same stage, so that its lock keeps a newer version off what is under review; so is the shadow."""
        shadow = self._shadow(production)
        offer = self._offer(staging, self.projects.offer, PACKAGE, run_order=1)
        self.pipeline.add_stage(
            stage_name=REVIEW_STAGE,
            actions=[
                *offer,
                *self._deploy(staging, rendered, run_order=2 if offer else 1),
                self._verify(staging, self.projects.verify, PACKAGE, run_order=3),
                *shadow,
                *self._approvals(run_order=5 if shadow else 4),
            ],
        )

    def _shadow(self, production: Environment) -> list[actions.CodeBuildAction]:
        if self.projects.shadow is None:
            return []
        given = {"STAGE": production.name, "MODEL_PACKAGE_ARN": PACKAGE}
        return [self._build(SHADOW_ACTION, self.projects.shadow, run_order=4, namespace=SHADOW_ACTION, is_test=True, **given)]

    def _approvals(self, run_order: int) -> list[codepipeline.IAction]:
        first: list[codepipeline.IAction] = [self._approve(APPROVALS[0], run_order)]
        if self._approvers == 1:
            return first
        check = ApproversCheck(self, "Approvers", context=self._context, names=self._names, foundation=self._foundation)
        return [
            *first,
            check.action("NotTheAuthor", approvals=1, run_order=run_order + 1),
            self._approve(APPROVALS[1], run_order + 2),
            check.action("TwoPeople", approvals=2, run_order=run_order + 3),
        ]

    def _approve(self, name: str, run_order: int) -> actions.ManualApprovalAction:
        """Verify has left the page that it links to (deploy_scripts/review/publishing.py). Whoever opens it has to be signed in."""
        home = self._context.places.home
        page = object_page(home.region, self._context.places.artifact_bucket(home.region), f"{self._names.review(VERSION)}page.html")
        shown = f"python -m deploy_scripts.approve --model {self._names.model} --version {VERSION}"
        compared = f" {_COMPARISON}." if self.projects.shadow is not None else ""
        return actions.ManualApprovalAction(
            action_name=name,
            run_order=run_order,
            notification_topic=self._foundation.alerts,
            external_entity_link=value(page),
            additional_information=f"Version {VERSION}, deployed by commit {COMMIT}, passed verification on staging.{compared} "
            f"Roll {PACKAGE} to production? The page shows it beside production's; so does `{shown}`.",
            timeout=cdk.Duration.days(APPROVAL_DAYS),
        )

    def _add_experiment_stage(self, experiment: Experiment) -> None:
        """One review, which opens when an experiment begins and is answered at its end. The stage's lock keeps the next one off."""
        shown = f"python -m deploy_scripts.experiment --model {self._names.model}"
        decide = actions.ManualApprovalAction(
            action_name=DECIDE_ACTION,
            notification_topic=self._foundation.alerts,
            additional_information=f"Version {VERSION} answers {experiment.challenger_percent} % of production's requests, until "
            f"{experiment.labelled_answers} answers of both versions have their truth, or {experiment.days_at_most} days. Then you "
            f"are told what was found; `{shown}` shows how far it is. Yes rolls it out, no takes it out; until then nothing is decided.",
            timeout=cdk.Duration.days(experiment.review_lasts.days),
        )
        self.pipeline.add_stage(stage_name=EXPERIMENT_STAGE, actions=[decide])

    def _add_production_stage(self, production: Environment) -> None:
        """No rollback on failure, which would run the stage again, judged by the alarms of what failed: start_deployment/ goes back."""
        rendered = codepipeline.Artifact("RenderedForProduction")
        still_approved = self._render(
            "StillApproved",
            self.projects.render,
            output=rendered,
            REQUESTED_PACKAGE=PACKAGE,
            STAGE=production.name,
            REBUILT=self._rebuilt.reference(),
            **({"EXPERIMENT": EXPERIMENT_STAGE} if self._experiment else {}),  # whose challenger leaves first
        )
        self.pipeline.add_stage(
            stage_name=PRODUCTION_STAGE,
            actions=[
                still_approved,
                *(offer := self._offer(production, self.projects.offer, PACKAGE, run_order=2)),
                *self._deploy(production, rendered, run_order=3 if offer else 2),
                self._verify(production, self.projects.verify, PACKAGE, run_order=4),
            ],
        )
