"""The classes of what a team writes in settings.py and models/, declarative and checked; and the names that follow from them.

Start at model.py (one model), project.py (what all share), names.py (every physical name); reading.py reads the files.
"""

from settings_schema.asynchronous import Asynchronous, BacklogScaling
from settings_schema.choosing import Blend, Choice
from settings_schema.component import Component, CopyScaling
from settings_schema.data import Categorical, DataSet, Facet, Numeric
from settings_schema.errors import SettingsError
from settings_schema.experiment import Experiment
from settings_schema.fleet import Fleet, Instances, MemberInstances, MultiModelFleet
from settings_schema.member import Member
from settings_schema.metrics import METRICS, Metric, Problem
from settings_schema.model import Model, Retraining
from settings_schema.monitoring import Monitoring
from settings_schema.names import EnvironmentNames, FleetNames, ModelNames, ProjectNames, ServingNames
from settings_schema.project import CodeCommit, CodeConnection, Environment, Prices, Project, Source
from settings_schema.rebuilding import Rebuild
from settings_schema.rollout import Rollout, Routing
from settings_schema.scaling import Autoscaling, Schedule, Step, StepScaling, TargetTracking
from settings_schema.serverless import ProvisionedConcurrency, Serverless
from settings_schema.serving import Batch, Endpoint, RequestRouting, ServingImage
from settings_schema.shadow import Shadow
from settings_schema.training import Algorithm, Gate, Preparation, Processing, Range, Split, Training, Tuning

__all__ = [
    "METRICS",
    "Algorithm",
    "Asynchronous",
    "Autoscaling",
    "BacklogScaling",
    "Batch",
    "Blend",
    "Categorical",
    "Choice",
    "CodeCommit",
    "CodeConnection",
    "Component",
    "CopyScaling",
    "DataSet",
    "Endpoint",
    "Environment",
    "EnvironmentNames",
    "Experiment",
    "Facet",
    "Fleet",
    "FleetNames",
    "Gate",
    "Instances",
    "Member",
    "MemberInstances",
    "Metric",
    "Model",
    "ModelNames",
    "Monitoring",
    "MultiModelFleet",
    "Numeric",
    "Preparation",
    "Prices",
    "Problem",
    "Processing",
    "Project",
    "ProjectNames",
    "ProvisionedConcurrency",
    "Range",
    "Rebuild",
    "RequestRouting",
    "Retraining",
    "Rollout",
    "Routing",
    "Schedule",
    "Serverless",
    "ServingImage",
    "ServingNames",
    "SettingsError",
    "Shadow",
    "Source",
    "Split",
    "Step",
    "StepScaling",
    "TargetTracking",
    "Training",
    "Tuning",
]
