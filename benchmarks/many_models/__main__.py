"""How long `cdk synth` takes with twenty models in two environments, and how large the stacks become.

    python -m benchmarks.many_models

In a copy of the project whose models are copies of those that it ships, as a team adds them: files, and nothing else. Seconds are of the
whole command. Output: benchmarks/results/many_models.json.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe_machine

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "many_models.json"
MODELS, ROUNDS = 20, 3
TARGET_SECONDS, TARGET_RESOURCES = 12.0, 200
_COPIED = ("app.py", "settings.py", "cdk.json", "infra", "settings_schema", "pipelines", "models", "build_scripts", "plain_signs.py")


def team_of(folder: Path) -> None:
    """Fills a folder with the project and its many models, which use the tools of this one."""
    for name in _COPIED:
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)
    for name in (".venv", "node_modules", "packages"):
        (folder / name).symlink_to(ROOT / name)
    shipped = sorted((folder / "models").glob("[!_]*.py"))
    for number in range(MODELS):
        shutil.copy(shipped[number % len(shipped)], folder / "models" / f"model_{number}.py")
    for file in shipped:
        file.unlink()


def synthesize(folder: Path) -> float:
    """Seconds. Raises CalledProcessError."""
    started = time.perf_counter()
    command = [str(ROOT / "node_modules" / ".bin" / "cdk"), "synth", "--quiet"]
    own = {
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(ROOT / ".cache" / "jsii"),
        "CDK_HOME": str(ROOT / ".cache" / "cdk"),
        "CDK_NOTICES": "false",
    }
    subprocess.run(command, cwd=folder, env={**os.environ, **own}, check=True, capture_output=True, text=True)
    return round(time.perf_counter() - started, 2)


def stacks(folder: Path) -> dict[str, tuple[int, int]]:
    """Resources, and bytes of the template."""
    files = sorted((folder / "cdk.out").rglob("*.template.json"))
    return {file.name.split(".")[0]: (len(json.loads(file.read_text())["Resources"]), file.stat().st_size) for file in files}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        team_of(folder)
        seconds = [synthesize(folder) for _ in range(ROUNDS)]
        sizes = stacks(folder)
    median = sorted(seconds)[ROUNDS // 2]
    largest = max(sizes, key=lambda stack: sizes[stack])
    what = f"cdk synth with {MODELS} models in two environments, {len(sizes)} stacks"
    print(f"{what}: {median:.1f} s (promised: at most {TARGET_SECONDS:.0f} s)")
    print(f"the largest stack, {largest}: {sizes[largest][0]} resources (promised: at most {TARGET_RESOURCES}), {sizes[largest][1]} bytes")
    document = {
        "machine": describe_machine(),
        "median_seconds": median,
        "target_seconds": TARGET_SECONDS,
        "runs": seconds,
        "stacks": len(sizes),
        "largest_stack": {
            "name": largest,
            "resources": sizes[largest][0],
            "bytes": sizes[largest][1],
            "target_resources": TARGET_RESOURCES,
        },
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
