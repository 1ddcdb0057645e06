"""Writes the definition of the SageMaker pipeline to a file; changes nothing in any account.

    python -m build_scripts.define_pipeline --output out/definition.json

A build does this while its tests run, because importing the SageMaker SDK takes seconds. Input: pipelines/tabular/pipeline.py
and settings.py. Next: `run_pipeline.py --definition` takes the file once the tests have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from build_scripts.command_line import parser, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_files
from build_scripts.run_pipeline import code_address, define


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("--output", type=Path, default=Path("out/definition.json"), help="file to write (default: %(default)s)")
    given = options.parse_args(arguments)
    project = ProjectEnvironment()
    definition = define(project, code_address(project, code_files()))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(definition, encoding="utf-8")
    print(f"definition of {project.pipeline_name}: {given.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
