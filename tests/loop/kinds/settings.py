"""The project of the loop's own tests, with a fleet of each kind in both of its environments."""

from settings_schema import CodeCommit, Environment, Fleet, Instances, MemberInstances, MultiModelFleet, Prices, Project

PROJECT = Project(name="shop")
ENVIRONMENTS = (Environment(name="try"), Environment(name="live", protected=True))
SOURCE = CodeCommit()
PRICES = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})
FLEETS = (
    Fleet(name="small", instances={"try": Instances(max_count=2), "live": Instances(max_count=2)}),
    MultiModelFleet(name="tiny", instances={"try": MemberInstances(max_count=1), "live": MemberInstances(max_count=1)}),
)
