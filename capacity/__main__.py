"""`python -m capacity`: what the configured scaling will do under your traffic, what it costs, and what would do better.

Reads a synthesized endpoint template, traffic and a service time; prints a table and writes an HTML page. Bad input is one
line on standard error and exit code 2 (`--debug` shows the traceback). Follow the journey in `simulate.py`, `recommend.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from plain_signs import print_anywhere
from settings_rules import UNREADABLE, stop

try:
    import settings
except UNREADABLE as error:
    stop(error)

from capacity import instances, service, template, traffic
from capacity.advice import ROUTING_WORDS, budget_words, caveat, outcome_words, settings_block
from capacity.candidates import InstanceOption
from capacity.compare import TABLE_HEADER, Situation, compare, table_rows
from capacity.model import (
    LEAST_OUTSTANDING_REQUESTS,
    ROUTING_STRATEGIES,
    Assumptions,
    CapacityError,
    Configuration,
    require,
)
from capacity.outcome import Budget
from capacity.progress import Bar
from capacity.recommend import Recommendation, recommend
from capacity.requests import replay_requests
from capacity.shapes import SHAPES
from capacity.simulate import Replay

_STACK = settings.PROJECT.endpoint_stack(settings.PRODUCTION)
DEFAULT_TEMPLATE = Path("cdk.out") / f"assembly-{_STACK}" / f"{_STACK}.template.json"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m capacity", description=(__doc__ or "").split("\n\n")[0])
    add = result.add_argument
    add(
        "--traffic",
        default="diurnal",
        help=f"CSV or CloudWatch JSON file, or a shape: {', '.join(SHAPES)} (such as diurnal:peak=300,days=7)",
    )
    add("--template", type=Path, default=DEFAULT_TEMPLATE, help="synthesized endpoint stack (default: %(default)s, from `make synth`)")
    add(
        "--slo-p99-ms",
        type=float,
        default=float(settings.PRODUCTION.p99_latency_ms),
        help="99 %% of requests are faster (default: %(default)g)",
    )
    add("--slow-percent", type=float, help="requests that the recommendation may answer slower (default: 1 %%, as a p99 allows)")
    add("--broken-hours", type=float, help="hours in which more than 1 %% may be slower, in the whole traffic (default: any number)")
    add(
        "--no-worse-than-configured",
        action="store_true",
        help="recommend what breaks the SLO no more often than the configured scaling does, for less",
    )
    add(
        "--routing",
        choices=ROUTING_STRATEGIES,
        default=LEAST_OUTSTANDING_REQUESTS,
        help="how the recommended variant routes requests to its instances (default: %(default)s)",
    )
    add("--service", type=Path, help="JSON of deploy_scripts/load_test.py: the measured service time")
    add("--service-mean-ms", type=float, help="mean service time, if not measured (default: what settings.py implies)")
    add("--service-p99-ms", type=float, help="its 99th percentile (default: three times the mean)")
    add("--workers", type=int, default=2, help="requests that an instance serves at once, if not measured (default: %(default)s)")
    add("--instance", action="append", default=[], metavar="TYPE=FILE", help="another instance type to consider, with its load test")
    add("--inference-recommender", type=Path, help="answer of describe-inference-recommendations-job: instance types to consider")
    add(
        "--assume",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change an assumption (Assumptions in capacity/model.py; the page lists them)",
    )
    add("--no-recommend", dest="recommend", action="store_false", help="only replay, do not search")
    add("--min-capacity", type=int, help="lower bound for the search (default: the configured one)")
    add("--max-capacity", type=int, help="upper bound for the search (default: twice what the peak needs)")
    add("--requests", action="store_true", help="also replay single requests, which checks the fluid model")
    add(
        "--output",
        type=Path,
        default=Path("out/capacity/index.html"),
        help="HTML page, or the directory for its index.html (default: %(default)s)",
    )
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    print_anywhere()
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except (CapacityError, settings.SettingsError) as error:
        if options.debug:
            raise
        print(f"capacity: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Read everything first, so that bad input leaves no half-made page."""
    configuration = _configuration(options.template)
    load = traffic.read(options.traffic)
    assumptions = _assumptions(options.assume)
    own = _own_option(options, configuration)
    others = _other_options(options, own)
    slo_seconds = _slo(options.slo_p99_ms, own.service)
    budget = _budget(options, own.service, slo_seconds)
    situation = Situation(
        traffic=load, service=own.service, slo_seconds=slo_seconds, usd_per_hour=own.usd_per_hour, assumptions=assumptions
    )
    replays = compare(configuration, situation)
    _print_situation(situation, configuration, own, options)
    _print_table(replays, situation)
    if options.requests:
        _print_requests(configuration, situation, replays)
    found = _search(options, configuration, [own, *others], situation, budget) if options.recommend else None
    if found:
        _print_recommendation(found, situation, replays)
    from capacity import page  # matplotlib and jinja2 load here, and only here

    target = options.output if options.output.suffix == ".html" else options.output / "index.html"
    path = page.write(target, configuration, situation, replays, found, prices=settings.PRICES.source, as_of=settings.PRICES.as_of)
    print(f"\nPage: {path}")
    return 0


def _configuration(path: Path) -> Configuration:
    found = template.read(path)
    require(len(found) == 1, f"template {path} has {len(found)} scalable targets; allowed: one endpoint variant")
    return found[0]


def _assumptions(changes: Sequence[str]) -> Assumptions:
    known = {field.name: field for field in fields(Assumptions)}
    values: dict[str, float | bool] = {}
    for change in changes:
        name, _, text = change.partition("=")
        require(name in known, f"assumption {name!r} is unknown; allowed: {', '.join(known)}")
        default = known[name].default
        if isinstance(default, bool):
            require(text.lower() in ("true", "false"), f"assumption {name} is {text!r}; allowed: true or false")
            values[name] = text.lower() == "true"
            continue
        try:
            number = float(text)
        except ValueError as error:
            raise CapacityError(f"assumption {name} is {text!r}; allowed: a number") from error
        require(number >= 0, f"assumption {name} is {text}; allowed: 0 or more")
        values[name] = int(number) if isinstance(default, int) else number
    return replace(Assumptions(), **values)  # type: ignore[arg-type]  # each value was made of its field's own type above


def _own_option(options: argparse.Namespace, configuration: Configuration) -> InstanceOption:
    """The deployed instance type with its measured, given or configured service time."""
    instance_type = configuration.instance_type or settings.PRODUCTION.instance_type
    if options.service:
        measured = service.read(options.service)
    else:
        implied = _implied_mean_ms(options.workers)
        mean = implied if options.service_mean_ms is None else options.service_mean_ms
        measured = service.given(
            mean, p99_ms=3 * mean if options.service_p99_ms is None else options.service_p99_ms, workers=options.workers
        )
    return InstanceOption(instance_type=instance_type, usd_per_hour=_price(instance_type), service=measured)


def _implied_mean_ms(workers: int) -> float:
    """Mean service time that makes `max_rps_per_instance` of settings.py true."""
    scaling = settings.PRODUCTION.autoscaling
    tracking = scaling.target_tracking if scaling else None
    return 1000.0 * workers / (tracking.max_rps_per_instance if tracking else 40.0)


def _price(instance_type: str) -> float:
    known = settings.PRICES.usd_per_hour
    require(instance_type in known, f"no price for {instance_type}; allowed: {', '.join(known)} (PRICES in settings.py)")
    return known[instance_type]


def _other_options(options: argparse.Namespace, own: InstanceOption) -> list[InstanceOption]:
    found = []
    for item in options.instance:
        instance_type, separator, path = item.partition("=")
        require(bool(separator), f"--instance {item!r}; allowed: TYPE=FILE, such as ml.c5.xlarge=load.json")
        found.append(InstanceOption(instance_type=instance_type, usd_per_hour=_price(instance_type), service=service.read(Path(path))))
    if options.inference_recommender:
        found += [o for o in instances.read(options.inference_recommender, own.service) if o.instance_type != own.instance_type]
    return found


def _slo(slo_ms: float, measured: service.ServiceTime) -> float:
    floor_ms = 1000 * measured.quantile(0.99)
    require(slo_ms > 0, f"SLO is {slo_ms:g} ms; allowed: more than 0")
    require(
        slo_ms > floor_ms,
        f"SLO of {slo_ms:g} ms is below the service time: its 99th percentile is {floor_ms:.1f} ms without any waiting; "
        "allowed: more than that (--slo-p99-ms), or a faster model",
    )
    return slo_ms / 1000


def _budget(options: argparse.Namespace, measured: service.ServiceTime, slo_seconds: float) -> Budget:
    floor = float((measured.seconds > slo_seconds).mean())
    slow, hours = options.slow_percent, options.broken_hours
    both = options.no_worse_than_configured and (slow is not None or hours is not None)
    require(not both, "--no-worse-than-configured measures its own limits; allowed: without --slow-percent and --broken-hours")
    percent = 1.0 if slow is None else slow
    budget = Budget(slow_share=percent / 100, broken_hours=math.inf if hours is None else hours)
    require(
        budget.slow_share > floor,
        f"--slow-percent is {percent:g}; allowed: more than {100 * floor:.3g}, which are slower without any waiting",
    )
    return budget


def _search(
    options: argparse.Namespace,
    configuration: Configuration,
    choices: Sequence[InstanceOption],
    situation: Situation,
    budget: Budget,
) -> Recommendation:
    low = configuration.target.min_capacity if options.min_capacity is None else options.min_capacity
    require(low >= 1, f"--min-capacity is {low}; allowed: 1 or more")
    high = options.max_capacity
    require(high is None or high >= low, f"--max-capacity is {high}; allowed: {low} (the minimum) or more")
    configured = [action.time_zone for action in configuration.scheduled_actions]
    zone = configured[0] if configured else settings.PROJECT.time_zone
    bar = Bar("searching")
    return recommend(
        situation.traffic,
        choices,
        situation.slo_seconds,
        situation.assumptions,
        time_zone=zone,
        min_capacity=low,
        max_capacity=high,
        routing=options.routing,
        budget=budget,
        no_worse_than=configuration if options.no_worse_than_configured else None,
        progress=bar.show,
    )


# ------------------------------------------------------------------ what is printed


def _print_situation(situation: Situation, configuration: Configuration, own: InstanceOption, options: argparse.Namespace) -> None:
    load, measured = situation.traffic, own.service
    print(f"Traffic   {load.name}: {load.requests:,.0f} requests in {load.seconds / 3600:,.1f} h, at most {load.rate.max():,.1f} a second")
    rate = f"{measured.max_requests_per_second:,.1f} requests/s at full use"
    print(f"Instance  {own.instance_type}, {own.usd_per_hour:g} USD/h: {rate} ({measured.source})")
    print(f"Routing   {ROUTING_WORDS[configuration.routing]}")
    print(f"SLO       99 % of requests within {options.slo_p99_ms:g} ms\n")


def _print_table(replays: Sequence[Replay], situation: Situation) -> None:
    rows = [TABLE_HEADER, *table_rows(list(replays), situation)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(TABLE_HEADER))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        )


def _print_requests(configuration: Configuration, situation: Situation, replays: Sequence[Replay]) -> None:
    require(
        situation.traffic.requests <= 2e8, "--requests would replay more than 200 million requests; allowed: shorter or smaller traffic"
    )
    single = replay_requests(
        configuration, situation.traffic, situation.service, slo_seconds=situation.slo_seconds, assumptions=situation.assumptions
    )
    fluid = next(r for r in replays if r.name == "combination")
    print(
        f"\nSingle requests: {single.requests:,} replayed, p99 {1000 * single.p99_seconds:.0f} ms, "
        f"{100 * single.replay.breach_share:.2f} % slower than the SLO (fluid model {100 * fluid.breach_share:.2f} %), "
        f"{single.replay.instance_hours:,.1f} instance-hours ({fluid.instance_hours:,.1f})"
    )


def _print_recommendation(found: Recommendation, situation: Situation, replays: Sequence[Replay]) -> None:
    print(f"\nTried {found.tried:,} configurations, each on the traffic and on variations of it.")
    allowed = budget_words(found.budget)
    words = partial(outcome_words, on_average=found.budget.on_average)
    print(f"{f'Recommended, with {allowed}' if found.best else f'None has {allowed}. Closest'}: {words(found.chosen)}.")
    print(f"On traffic it has not seen: {words(found.held_out)}.")
    if found.reference_held_out:
        print(f"What is configured, there: {words(found.reference_held_out)}.")
    print(f"AWS's sample notebook settings there: {words(found.sample_held_out)}.")
    static = next(r for r in replays if r.name.startswith("static"))
    cost = static.cost(situation.usd_per_hour)
    title, lines = caveat(found, situation.traffic, situation.assumptions, int(static.running[0]), cost)
    if lines:
        print("\n".join([f"\n{title}:", *[f"- {line}" for line in lines]]))
    print("\nFor settings.py:\n")
    print(settings_block(found.chosen.candidate))


if __name__ == "__main__":
    sys.exit(main())
