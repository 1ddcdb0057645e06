"""A recommendation of packages/capacity as the lines of models/ that put it into force. Used by `capacity_plan.py`."""

from __future__ import annotations

from capacity.candidates import Candidate


def settings_block(candidate: Candidate) -> str:
    """`Autoscaling(...)` to paste into the Endpoint of a model, and the instance type that it is for."""
    lines = [
        f'instance_type="{candidate.option.instance_type}",',
        f"request_routing=RequestRouting.{candidate.routing},",
        f"initial_instance_count={max(candidate.min_capacity, min(2, candidate.max_capacity))},",  # gradual rollouts need 2
        "autoscaling=Autoscaling(",
        f"    min_capacity={candidate.min_capacity},",
        f"    max_capacity={candidate.max_capacity},",
        *_tracking_lines(candidate),
        *_step_lines(candidate),
    ]
    if candidate.schedule:
        lines.append("    schedules=(")
        for window in candidate.schedule:
            bounds = f"min_capacity={window.min_capacity}, max_capacity={candidate.max_capacity}"
            lines.append(f'        Schedule(name="{window.name}", cron="{window.cron}", {bounds}),')
        lines.append("    ),")
    lines += [f'    time_zone="{candidate.time_zone}",', "),"]
    return "\n".join(lines)


def _tracking_lines(candidate: Candidate) -> list[str]:
    if candidate.safety is None:
        return ["    target_tracking=None,"]
    return [
        "    target_tracking=TargetTracking(",
        f"        max_rps_per_instance={candidate.max_rps:.2f},",
        f"        safety={candidate.safety:g},",
        f"        scale_out_cooldown_seconds={candidate.scale_out_cooldown_seconds},",
        f"        scale_in_cooldown_seconds={candidate.scale_in_cooldown_seconds},",
        "    ),",
    ]


def _step_lines(candidate: Candidate) -> list[str]:
    if candidate.step_margin is None:
        return ["    step_scaling=None,"]
    steps = [f"            Step(at_least_percent_of_threshold={at}, change_percent={change})," for at, change in candidate.steps]
    return [
        "    step_scaling=StepScaling(",
        f"        invocations_per_instance={candidate.step_threshold:g},",
        "        steps=(",
        *steps,
        "        ),",
        f"        cooldown_seconds={candidate.step_cooldown_seconds},",
        f"        evaluation_periods={candidate.step_periods},",
        "    ),",
    ]
