"""`make capacity`: what an endpoint's scaling will do under your traffic, what it costs, and what would do better.

    python -m deploy_scripts.capacity_plan --model abalone --traffic day.csv --slo-p99-ms 200

`python -m capacity` (packages/capacity) with what is set: the synthesized template of the last environment, which serves, its SLO, what an
instance serves, the prices, and what `recommend.py` found about other instance types. Whatever is given here as well wins; `--help` lists
all. Out: out/capacity/index.html, and lines for models/.
Of a serverless or an asynchronous endpoint, which are paid for as they are used: what a day costs (cost_of_use.py).
With `--images managed=FILE lean=FILE`, load tests of both: what a day costs with either (image_price.py).
Of a model on a fleet: what the fleet costs beside an endpoint for each of its models (fleet_price.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from build_scripts.command_line import add_model_option, read_settings, run
from build_scripts.endpoint_templates import template_file
from capacity.__main__ import main as simulate
from deploy_scripts import cost_of_use, fleet_price, image_price
from deploy_scripts.live_endpoint import endpoint_of
from deploy_scripts.recommend import file_of
from deploy_scripts.settings_block import settings_block
from settings_schema import Asynchronous, Component, Endpoint, Member, Prices, Serverless, TargetTracking

_ASSEMBLY = Path("cdk.out")


def main(arguments: Sequence[str]) -> int:
    options = _options()
    if {"-h", "--help"} & set(arguments):
        options.print_help()
        return simulate(["--help"])
    given, other = options.parse_known_args(arguments)
    rest = [item for item in arguments if item not in ("--model", given.model, f"--model={given.model}")]
    settings = read_settings()
    model, environment = settings.endpoint_model(given.model), settings.production
    serving = model.serving[environment.name]
    if isinstance(serving, Component | Member):
        print("\n".join(fleet_price.lines(settings, serving, environment)))
        return 0
    if isinstance(serving, Serverless | Asynchronous):
        print("\n".join(cost_of_use.lines(serving, settings.prices, rest)))
        return 0
    if given.images:
        tested = image_price.loads_of(given.images)
        print("\n".join(image_price.lines(endpoint_of(model, environment), settings.prices, tested, other)))
        return 0
    stack = model.names(settings.project).at(environment.name).stack
    template = Path(given.template) if given.template else template_file(_ASSEMBLY, stack)
    ours = known(template, endpoint_of(model, environment), settings.prices)
    return simulate(
        [*ours, *tried(file_of(model.name)), *rest],
        declare=settings_block,
        declared=f"For {environment.name} of models/{model.name.replace('-', '_')}.py",
    )


def _options() -> argparse.ArgumentParser:
    """Those of this script; all others are the simulator's."""
    shown = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser(description=__doc__, formatter_class=shown, add_help=False, allow_abbrev=False)
    add_model_option(options)
    options.add_argument(
        "--template", metavar="FILE", help="whose scaling is replayed (default: the synthesized one of the last environment)"
    )
    options.add_argument("--images", nargs="+", metavar="IMAGE=FILE", help="load tests with AWS's serving image and with the team's own")
    return options


def tried(file: Path) -> list[str]:
    """The instance types that Inference Recommender has tried for the model, where recommend.py has kept its answer."""
    if not file.is_file():
        return []
    print(f"{file}: other instance types, as Inference Recommender found them")
    return [f"--inference-recommender={file}"]


def known(template: Path, endpoint: Endpoint, prices: Prices) -> list[str]:
    """What is set, as arguments of `python -m capacity`."""
    scaling = endpoint.autoscaling
    tracking = (scaling.target_tracking if scaling else None) or TargetTracking()
    values = {
        "template": template,
        "slo-p99-ms": endpoint.p99_latency_ms,
        "max-rps-per-instance": tracking.max_rps_per_instance,
        "instance-type": endpoint.instance_type,
        "time-zone": scaling.time_zone if scaling else "Etc/UTC",
        "prices-source": f"{prices.source}, noted {prices.as_of}",
    }
    costs = [f"--price={instance_type}={usd}" for instance_type, usd in prices.usd_per_hour.items()]
    return [*(f"--{name}={value}" for name, value in values.items()), *costs]


if __name__ == "__main__":
    sys.exit(run(main))
