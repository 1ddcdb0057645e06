"""Makes one file of a registered version that holds preparation and model, for where no endpoint is.

    python -m build_scripts.export --model abalone --format onnx
    python -m build_scripts.export --model abalone --version 3 --output abalone.onnx

The file is written only if it answers as the version does: the golden rows to 1e-6, and the same rows with gaps, unseen categories and
numbers far outside. What it needs, takes and answers is printed and in its metadata; docs/edge.md has a program that asks it.
Exit code 0: written. 1: an answer differs. 2: it cannot be made, and why. Needs the packages of the extra `onnx`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts import golden, registry, version_contract
from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.evaluated_artifact import fetch_unchanged
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version
from build_scripts.step_modules import load

FORMATS = ("onnx",)
_FOLDER = Path("out/edge")


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    _require_packages()
    settings = read_settings()
    model = settings.model(given.model)
    place, names = ProjectEnvironment(settings.project), model.names(settings.project)
    if given.output and (given.output.is_dir() or not given.output.absolute().parent.is_dir()):
        raise ProblemError(f"--output is {str(given.output)!r}; give the name of a file in a folder that exists")
    version = _version(place, names.model_package_group, given)
    print(f"version {version.number} of {names.model_package_group} ({version.approval})")
    exported = export(place.client("s3"), version)
    output = given.output or _FOLDER / f"{model.name}-version-{version.number}.onnx"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(exported)
    print(f"{output}: {len(exported) / 1e6:.2f} MB")
    return 0


def export(s3: Any, version: Version) -> bytes:
    """The file, which was compared with the version. Prints its facts. Raises ProblemError and VerdictError."""
    from build_scripts.edge import comparison, facts, onnx_file

    contract = version_contract.read(s3, version)
    rows = golden.read(s3, version, contract)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(_unpack(s3, version, folder))
        served = _served(folder, version)
        described = facts.facts(version, served, contract)
        exported = onnx_file.made(served, described)
        print(comparison.compare(exported, folder, rows, contract))
    for name, value in described.items():
        print(f"  {name}: {value}")
    return exported


def _unpack(s3: Any, version: Version, folder: Path) -> str:
    """Only an archive that is what was evaluated, byte for byte. Returns the line that says so."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch) / "model.tar.gz"
        with packed.open("w+b") as archive:
            line = fetch_unchanged(s3, version, archive)
        try:
            load("archive").unpack(packed, folder)
        except load("failure").BadInput as error:
            raise ProblemError(f"version {version.number}: {error}") from error
    return line


def _served(folder: Path, version: Version) -> Any:
    """The version as an endpoint loads it, by this checkout's code; what its own code says is compared later."""
    reason = f"version {version.number} is none that this commit can read"
    try:
        served = load("served")
        load("trees"), load("algorithms.linear"), load("blend")
        return served.load(folder)
    except load("failure").BadInput as error:  # an algorithm that a team had, and has no longer
        raise ProblemError(f"{reason}: {error}") from error
    except (KeyError, ValueError, TypeError, ImportError, OSError) as error:
        raise ProblemError(f"{reason} ({type(error).__name__}: {error}); check out the commit that made it, or train again") from error


def _version(place: ProjectEnvironment, group: str, given: argparse.Namespace) -> Version:
    sagemaker = place.client("sagemaker")
    if given.package:
        registry.require_own(given.package, place.versions_arn(group), "--package")
        return registry.describe(sagemaker, given.package)
    return registry.newest_approved(sagemaker, group) if given.version is None else registry.numbered(sagemaker, group, given.version)


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401 - whether it is there
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ProblemError(f"{error.name} is not installed; `make setup` brings it, but to macOS on Intel: nobody builds it") from error


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="of the file (default: %(default)s)")
    which = options.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, metavar="N", help="number of the version (default: the newest approved one)")
    which.add_argument("--package", metavar="ARN", help="the version's ARN instead")
    options.add_argument("--output", type=Path, metavar="FILE", help=f"where it goes (default: {_FOLDER}/<model>-version-<N>.onnx)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
