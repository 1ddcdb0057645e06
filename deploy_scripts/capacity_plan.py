"""`make capacity`: what production's scaling will do under your traffic, what it costs, and what would do better.

    python -m deploy_scripts.capacity_plan --traffic day.csv --slo-p99-ms 200

`python -m capacity` (packages/capacity) with what settings.py says: production's synthesized template, its SLO, what an instance serves,
the prices. Whatever is given here as well wins; `--help` lists all of it. Out: out/capacity/index.html, and lines for settings.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from build_scripts.command_line import run
from capacity.__main__ import main as simulate
from deploy_scripts.settings_block import settings_block
from settings import PRICES, PRODUCTION, PROJECT, Environment, Prices, Project

#: What settings.py calls an instance's most requests a second, where an environment does not scale by it.
_USUAL_MAX_RPS = 40.0


def main(arguments: Sequence[str]) -> int:
    ours = known(PROJECT, PRODUCTION, PRICES)
    return simulate([*ours, *arguments], declare=settings_block, declared="For the environment in settings.py")


def known(project: Project, environment: Environment, prices: Prices) -> list[str]:
    """What settings.py says, as arguments of `python -m capacity`."""
    stack = project.endpoint_stack(environment)
    scaling = environment.autoscaling
    tracking = scaling.target_tracking if scaling else None
    values = {
        "template": Path("cdk.out") / f"assembly-{stack}" / f"{stack}.template.json",
        "slo-p99-ms": environment.p99_latency_ms,
        "max-rps-per-instance": tracking.max_rps_per_instance if tracking else _USUAL_MAX_RPS,
        "instance-type": environment.instance_type,
        "time-zone": project.time_zone,
        "prices-source": f"{prices.source}, noted {prices.as_of}",
    }
    costs = [f"--price={instance_type}={usd}" for instance_type, usd in prices.usd_per_hour.items()]
    return [*(f"--{name}={value}" for name, value in values.items()), *costs]


if __name__ == "__main__":
    sys.exit(run(main))
