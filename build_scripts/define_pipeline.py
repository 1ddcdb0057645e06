"""Writes the definitions of the models' SageMaker pipelines to files; changes nothing in any account.

    python -m build_scripts.define_pipeline --output out/definitions
    python -m build_scripts.define_pipeline --model abalone

A build does this while its tests run, because importing the SageMaker SDK takes seconds. Input: models/ and pipelines/<kind>/pipeline.py.
Output: `<model>.json` for each. Next: `run_pipeline.py --definitions` takes them once the tests have passed.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from build_scripts.command_line import add_model_option, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_address, code_files
from settings_schema import Model, Prices

DEFINITIONS = Path("out/definitions")


def define(place: ProjectEnvironment, model: Model, code_uri: str, prices: Prices) -> str:
    """The definition's JSON, in which `prices` are for the report. The first one imports the SageMaker SDK, which takes seconds."""
    with quiet():
        kind = importlib.import_module(f"pipelines.{model.pipeline}.pipeline")
        return str(kind.get_pipeline(place.project, model, place, code_uri=code_uri, prices=prices).definition())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The SDK logs each look-up of an endpoint and a default, to a handler of its own on the root logger."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        root.setLevel(level)
        root.handlers[:] = handlers


def file_of(folder: Path, model: Model) -> Path:
    return folder / f"{model.name}.json"


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--output", type=Path, default=DEFINITIONS, help="folder to write to (default: %(default)s)")
    given = options.parse_args(arguments)
    settings = read_settings()
    place = ProjectEnvironment(settings.project)
    given.output.mkdir(parents=True, exist_ok=True)
    for model in [settings.model(given.model)] if given.model else settings.models.values():
        definition = define(place, model, code_address(place.artifact_bucket, code_files(model)), settings.prices)
        file_of(given.output, model).write_text(definition, encoding="utf-8")
        print(f"definition of {model.names(settings.project).training_pipeline}: {file_of(given.output, model)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
