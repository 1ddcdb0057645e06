"""`python -m capacity`: what the configured scaling will do under your traffic, what it costs, and what would do better.

Reads an endpoint's template, traffic, a service time and prices; prints a table and writes an HTML page. Bad input is one line on
standard error and exit code 2 (`--debug` shows the traceback). Follow the journey in `simulate.py`, `recommend.py`.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from capacity import instances, service, template, traffic
from capacity.advice import ROUTING_WORDS, budget_words, caveat, outcome_words
from capacity.candidates import Candidate, InstanceOption
from capacity.compare import TABLE_HEADER, Situation, compare, table_rows
from capacity.declaration import declaration
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


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m capacity", description=(__doc__ or "").split("\n\n")[0])
    add = result.add_argument
    add(
        "--traffic",
        default="diurnal",
        help=f"CSV or CloudWatch JSON file, or a shape: {', '.join(SHAPES)} (such as diurnal:peak=300,days=7)",
    )
    add(
        "--template",
        type=Path,
        required=True,
        help="CloudFormation template (JSON) with one scalable endpoint variant",
    )
    add("--slo-p99-ms", type=float, required=True, help="99 %% of requests are faster")
    add("--price", action="append", default=[], metavar="TYPE=USD", help="what an hour of an instance type costs; as often as needed")
    add("--prices", type=Path, metavar="FILE", help="the same as JSON: instance type to USD an hour")
    add("--prices-source", default="given", help="where the prices are from and of when, for the page")
    add("--instance-type", help="the deployed instance type, where the template does not say it")
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
    add("--service", type=Path, help="JSON with the measured service time (the format: capacity/service.py)")
    add("--service-mean-ms", type=float, help="mean service time, if not measured")
    add("--max-rps-per-instance", type=float, help="if that is not known either: requests per second that an instance serves at most")
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
    add("--time-zone", default="Etc/UTC", help="of recommended schedules, where the template has none (default: %(default)s)")
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


#: Writes a recommendation down for whoever puts it into force.
Declare = Callable[[Candidate], str]


def main(arguments: Sequence[str] | None = None, *, declare: Declare = declaration, declared: str = "As CloudFormation") -> int:
    """`declare` writes the recommendation down, under the heading `declared`; a project may have a form of its own."""
    options = parser().parse_args(arguments)
    try:
        return run(options, declare, declared)
    except CapacityError as error:
        if options.debug:
            raise
        print(f"capacity: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace, declare: Declare, declared: str) -> int:
    """Read everything first, so that bad input leaves no half-made page."""
    configuration = _configuration(options.template)
    load = traffic.read(options.traffic)
    assumptions = _assumptions(options.assume)
    prices = _prices(options)
    own = _own_option(options, configuration, prices)
    others = _other_options(options, own, prices)
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
    block = declare(found.chosen.candidate) if found else ""
    if found:
        _print_recommendation(found, situation, replays)
        print(f"\n{declared}:\n\n{block}")
    from capacity import page  # matplotlib and jinja2 load here, and only here

    target = options.output if options.output.suffix == ".html" else options.output / "index.html"
    path = page.write(target, configuration, situation, replays, found, prices=options.prices_source, declared=declared, block=block)
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


def _prices(options: argparse.Namespace) -> Mapping[str, float]:
    """USD an hour by instance type; --price over --prices."""
    given: dict[str, object] = {}
    if options.prices:
        try:
            given = dict(json.loads(options.prices.read_text(encoding="utf-8")))
        except OSError as error:
            raise CapacityError(f"prices {options.prices} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise CapacityError(f"prices {options.prices} are not JSON of the form {{instance type: USD an hour}}") from error
    given |= dict(item.partition("=")[::2] for item in options.price)
    return {instance_type: _usd(instance_type, price) for instance_type, price in given.items()}


def _usd(instance_type: str, price: object) -> float:
    try:
        value = float(str(price))
    except ValueError:
        value = math.nan
    require(value > 0, f"price of {instance_type} is {price!r}; allowed: USD an hour, more than 0, such as --price ml.m5.large=0.115")
    return value


def _own_option(options: argparse.Namespace, configuration: Configuration, prices: Mapping[str, float]) -> InstanceOption:
    """The deployed instance type with its measured, given or implied service time."""
    instance_type = configuration.instance_type or options.instance_type
    require(bool(instance_type), f"template {options.template} does not say the instance type; allowed: --instance-type ml.m5.large")
    measured = service.read(options.service) if options.service else _given_service(options)
    return InstanceOption(instance_type=instance_type, usd_per_hour=_price(instance_type, prices), service=measured)


def _given_service(options: argparse.Namespace) -> service.ServiceTime:
    mean, most = options.service_mean_ms, options.max_rps_per_instance
    require(
        mean is not None or (most is not None and most > 0),
        "no service time is given; allowed: --service FILE, --service-mean-ms, or --max-rps-per-instance (more than 0)",
    )
    if mean is None:
        mean = 1000.0 * options.workers / most
    return service.given(mean, p99_ms=3 * mean if options.service_p99_ms is None else options.service_p99_ms, workers=options.workers)


def _price(instance_type: str, prices: Mapping[str, float]) -> float:
    require(
        instance_type in prices, f"no price for {instance_type}; known: {', '.join(prices) or 'none'}; allowed: --price {instance_type}=USD"
    )
    return prices[instance_type]


def _other_options(options: argparse.Namespace, own: InstanceOption, prices: Mapping[str, float]) -> list[InstanceOption]:
    found = []
    for item in options.instance:
        instance_type, separator, path = item.partition("=")
        require(bool(separator), f"--instance {item!r}; allowed: TYPE=FILE, such as ml.c5.xlarge=load.json")
        found.append(
            InstanceOption(instance_type=instance_type, usd_per_hour=_price(instance_type, prices), service=service.read(Path(path)))
        )
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
    zone = configured[0] if configured else options.time_zone
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


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no terminal ends this by lacking a sign
    sys.exit(main())
