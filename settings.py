"""What is true for all models: the project, where it runs, where its code lies. Each model is a file of models/.

What is allowed: settings_schema/project.py. Read by entry points only (settings_schema/reading.py).
"""

from settings_schema import CodeCommit, Environment, Prices, Project

PROJECT = Project(name="mlops")

#: In the order in which a version passes them: where it is tested, then where it serves.
ENVIRONMENTS = (
    Environment(name="staging"),
    Environment(name="production", protected=True),
)

SOURCE = CodeCommit()

#: Used by `make capacity`. Prices change and differ by region: check yours, then edit the figure and the date.
PRICES = Prices(
    region="us-east-1",
    as_of="2025-06",
    source="https://aws.amazon.com/sagemaker/ai/pricing/ (on-demand, real-time inference)",
    usd_per_hour={
        "ml.t2.medium": 0.056,
        "ml.m5.large": 0.115,
        "ml.m5.xlarge": 0.23,
        "ml.m5.2xlarge": 0.461,
        "ml.m5.4xlarge": 0.922,
        "ml.c5.large": 0.102,
        "ml.c5.xlarge": 0.204,
        "ml.c5.2xlarge": 0.408,
        "ml.c5.4xlarge": 0.816,
        "ml.g4dn.xlarge": 0.736,
        "ml.g5.xlarge": 1.408,
    },
    serverless_usd_per_gb_second=0.00002,
)
