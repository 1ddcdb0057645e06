"""The project of the loop's own tests: other names than those that ship, so that nothing can depend on them."""

from settings_schema import CodeCommit, Environment, Prices, Project

PROJECT = Project(name="shop")
ENVIRONMENTS = (Environment(name="try"), Environment(name="live", protected=True))
SOURCE = CodeCommit()
PRICES = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})
