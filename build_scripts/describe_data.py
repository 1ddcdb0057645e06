"""Drafts a model's file from a data file: what each column is, what to predict and how to judge it, each guess with its reason beside it.

    python -m build_scripts.describe_data diamonds.csv --target price     writes models/diamonds.py
    python -m build_scripts.describe_data table.xlsx --name stones        .csv, .csv.gz, .parquet, .xlsx, or a folder of them

What training would not read as it is (semicolons, decimal commas, another encoding, gzip, Excel) is written anew to out/described/, and
nothing else is changed. Counts, ranges and categories are those of all rows; leak suspects, copies and the threshold come from at most
20,000 evenly spaced ones. The draft is checked as training checks its data, and is written only if it passes. A file that is there stays
unless you add --force. Needs no account. Next: upload_data.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, read_settings, run
from build_scripts.step_modules import load
from build_scripts.upload_data import verdict
from settings_schema.model import LONGEST_NAME
from settings_schema.reading import ROOT, Settings, model_of

DESCRIBED = Path("out/described")
_LONGEST_REASON = 100


@dataclass(frozen=True)
class Described:
    """`draft`: the model's file. `data`: what to upload; a copy, in the scratch folder, where something had to be written anew."""

    draft: Path
    data: Path
    is_copy: bool
    report: list[str]


def describe(source: Path, target: str | None, name: str, settings: Settings, scratch: Path) -> Described:
    """The draft and its data, below `scratch`, which is there and empty. Raises ProblemError or SettingsError with what is wrong."""
    bad_input: Any = load("failure").BadInput
    try:
        draft = _draft(source, target, settings, scratch)
    except bad_input as error:
        raise ProblemError(str(error)) from error
    file = scratch / f"{name}.py"
    file.write_text(draft.text, encoding="utf-8")
    rows, warnings = verdict(draft.data, model_of(file, settings.environments, settings.fleets))
    counted = [f"{rows:,} rows fit the draft", *(f"warning: {warning}" for warning in warnings)]
    return Described(file, draft.data, draft.is_copy, [*draft.report, *counted])


@dataclass(frozen=True)
class _Draft:
    text: str
    data: Path
    is_copy: bool
    report: list[str]


def _draft(source: Path, name: str | None, settings: Settings, scratch: Path) -> _Draft:
    from build_scripts.drafting import columns, model_file, plain_files, rewriting, roles, targets, written_numbers, yardstick
    from build_scripts.drafting import sample as samples

    plain = plain_files.of(source, scratch / "plain")
    table = _table(plain.path, scratch / "columns")
    said = list(plain.said)
    ways = rewriting.of(table) if plain.is_text else {}
    if ways:
        plain = plain_files.rewrite(plain, scratch, {column: written_numbers.converter(way) for column, way in ways.items()})
        table = _table(plain.path, scratch / "rewritten")
        said += [f"written anew as numbers: {', '.join(f'{column} ({way.in_words})' for column, way in ways.items())}"]
    found = columns.of(table)
    target, others = targets.chosen(found, name)
    sample = samples.of(table, found)
    answers = target.answers(table, sample.places)
    given = roles.of(found, target, sample, answers)
    features = [role.column.name for role in given if role.place in (roles.Place.NUMERIC, roles.Place.CATEGORICAL)]
    if not features:
        reasons = "; ".join(f"{role.column.name}: {role.reason}" for role in given)
        raise ProblemError(f"{source.name} has no column to learn from: {reasons}")
    judged = yardstick.of(sample, target, answers, features)
    environments = [environment.name for environment in settings.environments]
    draft = model_file.Draft(source.name, table.rows, said, given, target, others, judged, environments)
    return _Draft(model_file.text(draft), plain.path, plain.is_copy, _report(draft))


def _table(path: Path, folder: Path) -> Any:
    """The steps' own table; of one that is larger than memory, columns in a folder of its own."""
    folder.mkdir()
    table = load("table").read(path, folder)
    if not table.rows:
        raise ProblemError(f"{path.name}: the table has a header and no rows; give at least {load('contract').FEWEST_ROWS}")
    return table


def _report(draft: Any) -> list[str]:
    """A short table of what was guessed."""
    shown = load("cells").shown
    rows = [(shown(role.column.name), role.place.value, role.reason) for role in draft.roles]
    rows += [("problem", draft.target.problem.value, draft.target.problem_reason)]
    rows += [("positive class", draft.target.positive, draft.target.positive_reason)] * bool(draft.target.positive)
    rows += [("metric", draft.yardstick.metric, draft.yardstick.metric_reason)]
    rows += [("threshold", f"{draft.yardstick.threshold:g}", draft.yardstick.threshold_reason)]
    rows += [("may be meant, too", shown(other.column.name), other.reason) for other in draft.others[:3]]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    cut = [(*row[:2], row[2] if len(row[2]) <= _LONGEST_REASON else f"{row[2][:_LONGEST_REASON]}...") for row in rows]
    return [f"{first:<{widths[0]}}  {second:<{widths[1]}}  {why}" for first, second, why in cut]


def name_of(source: Path) -> str:
    """A model's name from that of a file: `Diamonds 2024.csv.gz` is `diamonds_2024`."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(\.csv|\.gz|\.parquet|\.xlsx)+$", "", source.name.lower()))
    while words and not words[0][0].isalpha():
        words = [words[0].lstrip("0123456789"), *words[1:]] if words[0].lstrip("0123456789") else words[1:]
    return "_".join(words)[:LONGEST_NAME].rstrip("_") or "model"


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    output = given.output or ROOT / "models" / f"{given.name or name_of(given.data)}.py"
    if given.name not in (None, output.stem):
        raise ProblemError(f"--name is {given.name}, but --output is {output.name}; a model is called as its file is")
    if output.suffix != ".py":
        raise ProblemError(f"--output is {output}; allowed: a file of models/ that ends with .py")
    _require_new(output, force=given.force)
    with tempfile.TemporaryDirectory() as scratch:
        found = describe(given.data, given.target, output.stem, settings, Path(scratch))
        data = DESCRIBED / found.data.name if found.is_copy else given.data
        if found.is_copy:
            _require_new(data, force=given.force)
            _copy(found.data, data)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.draft, output)
    print("\n".join(found.report))
    print(f"wrote {output}" + (f", and {data}, the data as training reads it" if found.is_copy else ""))
    print(f"next: look at it, then `python -m build_scripts.upload_data --model {output.stem.replace('_', '-')} {data}`")
    return 0


def _require_new(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise ProblemError(f"{path} is there; add --force to write it anew, or give another --name")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("data", type=Path, help="a .csv, .csv.gz, .parquet or .xlsx file, or a folder of them")
    options.add_argument("--target", metavar="COLUMN", help="what to predict (default: what looks most like it)")
    options.add_argument("--name", help="of the model (default: from the file's)")
    options.add_argument("--output", type=Path, help="file to write (default: models/<name>.py)")
    options.add_argument("--force", action="store_true", help="write a file anew that is there")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
