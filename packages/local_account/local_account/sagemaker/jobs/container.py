"""A job's container: its disk under `/opt/ml`, its configuration files and its environment.

A container has a directory of its own, and `/opt/ml` in arguments and environment is rewritten to it. Where the machine allows it, the
process also sees that directory as `/opt/ml` (`local_account/sagemaker/warm/opt_ml.py`).
Contract: "How Amazon SageMaker provides training information" and "Build your own processing container" in the SageMaker guide, and the
sagemaker-training toolkit for `SM_*`. Next: `running.py`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Not inside a longer path or an S3 URI such as s3://bucket/opt/ml/…; file:///opt/ml/… is meant.
_OPT_ML = re.compile(r"(?<![\w.-])(?:(?<!/)|(?<=://))/opt/ml(?=/|$|[^\w.-])")

HOST = "algo-1"
#: All containers are on this machine, which knows none by its name.
NETWORK_INTERFACE = "lo"


def host_names(count: int) -> tuple[str, ...]:
    """Of the instances of a job."""
    return tuple(f"algo-{number + 1}" for number in range(count))


@dataclass(frozen=True)
class Container:
    """`root` stands for the container's `/`."""

    root: Path
    instance_type: str = "ml.m5.large"
    host: str = HOST
    hosts: tuple[str, ...] = (HOST,)

    def path(self, container_path: str) -> Path:
        """Where a path of the container is on this machine. Paths outside `/opt/ml` are kept below the root, too."""
        return self.root / container_path.lstrip("/")

    def localise(self, text: str) -> str:
        """`text` with `/opt/ml` replaced by this container's directory."""
        return _OPT_ML.sub(lambda _: (self.root / "opt" / "ml").as_posix(), text)

    def command(self, given: Mapping[str, Any]) -> list[str]:
        """ContainerEntrypoint and ContainerArguments of a job's specification, localised."""
        return [self.localise(part) for part in [*given["ContainerEntrypoint"], *given.get("ContainerArguments", [])]]

    def write_json(self, container_path: str, document: Any) -> None:
        target = self.path(container_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(document, default=str))

    def make(self, *container_paths: str) -> None:
        for container_path in container_paths:
            self.path(container_path).mkdir(parents=True, exist_ok=True)

    def read_message(self, container_path: str, limit: int = 900) -> str:
        """What the script wrote for its caller, such as `/opt/ml/output/failure`; empty if nothing. At most `limit` characters."""
        try:
            return self.path(container_path).read_text(encoding="utf-8", errors="replace").strip()[:limit]
        except OSError:
            return ""

    def resource_config(self) -> dict[str, Any]:
        return {
            "current_host": self.host,
            "hosts": self.hosts,
            "current_instance_type": self.instance_type,
            "current_group_name": "homogeneousCluster",
            "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": self.instance_type, "hosts": self.hosts}],
            "network_interface_name": NETWORK_INTERFACE,
        }

    def name_if_several(self, said: str) -> str:
        """What a container says, after its name where the job has others."""
        return f"{self.host}: {said}" if len(self.hosts) > 1 else said


def base_environment(container: Container, region: str, extra: Mapping[str, Any]) -> dict[str, str]:
    """Variables that every kind of container has, and the job's own, localised."""
    return {
        "AWS_REGION": region,
        "SM_CURRENT_HOST": container.host,
        "SM_HOSTS": json.dumps(container.hosts),
        "SM_NETWORK_INTERFACE_NAME": NETWORK_INTERFACE,
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "SM_RESOURCE_CONFIG": json.dumps(container.resource_config()),
        **{name: container.localise(str(value)) for name, value in extra.items()},
    }
