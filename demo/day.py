"""`python -m demo.day` (`make day`): one accelerated day of an endpoint's scaling in the local account.

    python -m demo.day --model abalone --traffic day.csv

Reads the synthesized stack of the last environment, which serves; starts an account in this process; lives through 1,440 minutes of
traffic with real processes as instances and a deployment at midday. Prints each decision when it is made; writes `<out>/index.html`.
Exit code 0; 1 if the deployment changed the capacity, the simulator decides otherwise, or the default traffic left a declared
kind of scaling idle; 2 if it cannot start. Next: `day_stage.py`, `local_day.py`, `day_page.py`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from build_scripts.command_line import ProblemError, add_model_option, read_settings
from build_scripts.endpoint_templates import template_file
from capacity import traffic
from capacity.model import CapacityError, Configuration, StepPolicy, TargetTrackingPolicy
from capacity.shapes import diurnal, flash_crowd
from capacity.traffic import Traffic
from demo import day_page, day_stage, local_day
from demo.day_stage import Declared
from demo.errors import SetupError, StageError
from demo.local_day import Deployment, LocalDay
from demo.lock import only_one
from local_account.account import Account, CannotStartError
from local_account.context import AccountSettings
from plain_signs import print_anywhere
from settings_schema import SettingsError
from settings_schema.reading import Settings

MINUTES, MIDDAY = 1440, 720
_ASSEMBLY = Path("cdk.out")
#: A day of the default traffic, as shares of what the largest fleet holds at its target: night, office hours, an hour that all come.
_NIGHT, _OFFICE, _RUSH, _RUSH_HOUR = 0.06, 0.47, 0.97, 15.0
#: The date does not matter, its weekday does: schedules of working days act.
_MONDAY = datetime(2026, 1, 5)


def main(command_line: Sequence[str] | None = None) -> int:
    print_anywhere()
    options = _parser().parse_args(command_line)
    try:
        declared = day_stage.read(options.template or _template(read_settings(), options.model))
        with only_one(options.out):
            return _run(options, declared)
    except (CapacityError, SetupError, CannotStartError, SettingsError, ProblemError) as error:
        if options.debug:
            raise
        print(f"day: {error}", file=sys.stderr)
        return 2
    except StageError as error:
        if options.debug:
            raise
        print(f"day: {error}. Logs: {options.out / 'account' / 'logs'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("day: stopped; nothing that it started goes on", file=sys.stderr)
        return 130


def _template(settings: Settings, model: str | None) -> Path:
    """Of the model's endpoint in the last environment, as `make synth` made it. Raises SettingsError and ProblemError."""
    names = settings.endpoint_model(model).names(settings.project).at(settings.production.name)
    return template_file(_ASSEMBLY, names.stack)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.day", description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add_model_option(parser)
    add("--template", type=Path, help="another synthesized endpoint stack than the model's of `make synth`")
    add(
        "--traffic",
        help="CSV or CloudWatch JSON file, or a shape such as diurnal:peak=90; its first day (default: office hours and a rush)",
    )
    add("--out", type=Path, default=Path("out/day"), help="directory for the page (default: %(default)s)")
    add("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _run(options: argparse.Namespace, declared: Declared) -> int:
    began = time.monotonic()
    zone = _zone(declared.configuration)
    requests, start = per_minute(options.traffic, declared.configuration, zone)
    page, state = options.out / "index.html", options.out / "account"
    page.unlink(missing_ok=True)
    shutil.rmtree(state, ignore_errors=True)
    day = live(AccountSettings(state_directory=state, port=0), declared, requests, start, _Teller(zone))
    shutil.rmtree(state, ignore_errors=True)
    expected = local_day.simulated(declared.configuration, requests, start)
    here, there = (local_day.told(decisions, start, len(requests)) for decisions in (day.decisions, expected))
    agree = here == there
    acted = {decision.kind for decision in day.decisions if decision.changes_capacity}
    missing = sorted(declared.kinds - acted)
    deployed = day.deployment
    print(f"Acted: {', '.join(sorted(acted)) or 'nothing'}" + (f"; never acted: {', '.join(missing)}" if missing else ""))
    print(f"Deployment: {deployed.before} instances before, {deployed.after} after; its configuration asks for {deployed.asks_for}")
    print(f"Simulator: {'the same' if agree else 'OTHER'} decisions on the same trace ({len(here)} here, {len(there)} there)")
    for minute, old, new, rule in sorted(set(here) ^ set(there)):
        print(f"  minute {minute}: {rule} {old} -> {new} only {'here' if (minute, old, new, rule) in here else 'in the simulator'}")
    seconds = time.monotonic() - began
    day_page.write(page, day, declared, zone, simulator_agrees=agree, seconds=seconds)
    print(f"Done in {seconds:.0f} s. Look at it: {page}")
    idle = bool(missing) and options.traffic is None  # with a traffic of one's own, that is a finding
    return 0 if agree and deployed.keeps_capacity and not idle else 1


def live(account: AccountSettings, declared: Declared, requests: Sequence[float], start: float, tell: _Teller | None = None) -> LocalDay:
    """The whole trace in an account of its own, with a deployment in the middle of it."""
    instances = declared.configuration.initial_instance_count or declared.configuration.target.min_capacity
    with Account(account) as running:
        local_day.stop_time(running)
        print(f"{declared.endpoint}: {instances} instances start, {len(requests)} minutes follow", flush=True)
        other = day_stage.create_endpoint(running, declared.endpoint, instances, declared.configuration.routing)
        day_stage.register_scaling(running, declared)
        deployment = Deployment(len(requests) * MIDDAY // MINUTES, other, instances)
        day = LocalDay(running, declared.endpoint, requests, start, deployment)
        day.live(tell or (lambda day, minute: None))
        return day


def per_minute(text: str | None, configuration: Configuration, zone: ZoneInfo) -> tuple[list[float], float]:
    """Requests in each minute of a day, and when it begins in Unix seconds; shapes begin at midnight of a Monday in `zone`."""
    midnight = _MONDAY.replace(tzinfo=zone).timestamp()
    if text is None:
        return (office_day(configuration) * 60.0).tolist(), midnight
    told = traffic.read(text)
    start = midnight if told.start == traffic.DEFAULT_START.timestamp() else told.start // 60 * 60
    ticks = Traffic(rate=told.rate, step_seconds=told.step_seconds, start=start).at_ticks(10.0)[: MINUTES * 6]
    whole = len(ticks) // 6
    if whole < 2:
        raise CapacityError(f"traffic {text} has {whole} whole minutes; allowed: 2 or more")
    return (ticks[: whole * 6].reshape(whole, 6).mean(axis=1) * 60.0).tolist(), start


def office_day(configuration: Configuration) -> traffic.Floats:
    """Requests per second for each minute: offices wake and sleep, and once everybody comes within a minute.

    In proportion to what the largest fleet holds at its target, so that edited settings get a day of their own size.
    """
    full = configuration.target.max_capacity * _target(configuration) / 60
    times = np.arange(MINUTES) * 60.0
    usual = diurnal(times, peak=_OFFICE * full, base=_NIGHT * full)
    rush = flash_crowd(times, peak=(_RUSH - _OFFICE) * full, base=0.0, hour=_RUSH_HOUR, rise_minutes=1.0, hold_minutes=40.0)
    return np.asarray(usual + rush)


def _target(configuration: Configuration) -> float:
    """Invocations per instance and minute that the policies aim at."""
    tracked = [policy.target_value for policy in configuration.policies if isinstance(policy, TargetTrackingPolicy)]
    steps = [alarm.threshold for policy in configuration.policies if isinstance(policy, StepPolicy) for alarm in policy.alarms]
    return min([*tracked, *steps], default=1200.0)


def _zone(configuration: Configuration) -> ZoneInfo:
    return ZoneInfo(next((action.time_zone for action in configuration.scheduled_actions), "Etc/UTC"))


class _Teller:
    """Prints each decision and the deployment when they happen, and every three hours how things stand."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone, self._told = zone, 0

    def __call__(self, day: LocalDay, minute: int) -> None:
        if minute == day.deployment.minute:
            deployed = day.deployment
            self._say(day.start + minute * 60, "deployment", f"{deployed.before} -> {deployed.after}", deployed.configuration)
        for decision in day.decisions[self._told :]:
            change = f"{decision.old} -> {decision.new}" if decision.changes_capacity else f"{decision.old} stays"
            self._say(decision.time, decision.kind, change, f"{decision.rule}: {decision.cause}")
        self._told = len(day.decisions)
        if (minute + 1) % 180 == 0:
            self._say(day.start + (minute + 1) * 60, "", f"{day.counts[-1]}", f"instances at {day.requests[minute] / 60:.0f} requests/s")

    def _say(self, moment: float, kind: str, change: str, why: str) -> None:
        print(f"  {datetime.fromtimestamp(moment, UTC).astimezone(self._zone):%H:%M}  {kind:<15}  {change:<8}  {why}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
